"""How far each machine model is off: the errors of the checks, gathered into one small file that reports print.

``python -m cosim.checks.validation FOLDER`` runs every check that has a sub-folder in FOLDER (``cpu``, ``gpu``,
``scalesim``, ``timeloop``, ``dram``; formats as for ``cosim check``) and writes ``reports/validation.json``. A row
says which models it speaks about, what they were held against, and whether anything was fitted.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from cosim.checks.metrics import CheckReport, CheckRow, agreement
from cosim.spec.locate import ROOT

LOG = logging.getLogger(__name__)
REGISTRY = ROOT / "reports" / "validation.json"

# kind of check -> function, kind of machine that it speaks about, what the reference is
CHECKS: Mapping[str, tuple[str, str, str]] = {
    "cpu": (
        "cosim.checks.cpu:check_cpu",
        "simd_cpu",
        "layer latencies measured on one core (PyTorch, onnxruntime)",
    ),
    "gpu": (
        "cosim.checks.gpu:check_gpu",
        "gpu",
        "published throughputs of whole networks (pytorch-image-models, results)",
    ),
    "scalesim": ("cosim.checks.scalesim:check_scalesim", "systolic", "cycles of SCALE-Sim"),
    "timeloop": ("cosim.checks.timeloop:check_timeloop", "systolic", "loop nests of timeloop-model"),
    "dram": ("cosim.checks.dram:check_dram", "dram", "shares of peak bandwidth of two DRAM simulators"),
}
HEAD = (
    *("model", "held against", "class", "cases", "exact", "MAPE [%]", "median [%]"),
    *("Spearman", "within 2x [%]", "fitted"),
)


def _classes(kind: str, report: CheckReport) -> dict[str, dict[str, Any]]:
    """The classes of a report that the registry keeps: few enough to read."""
    if kind in ("gpu", "dram"):
        return dict(report.by_class)
    if kind != "cpu":
        return {"all": _summary(report.rows, report.cases, report.exact)}
    groups: dict[str, list[CheckRow]] = {}
    for row in report.rows:
        words, _, fit = row.category.partition(", ")
        groups.setdefault(f"{' '.join(words.split()[:3])}, {fit}", []).append(row)
    return {name: _summary(rows, len(rows), 0) for name, rows in sorted(groups.items())}


def _summary(rows: Sequence[CheckRow], cases: int, exact: int) -> dict[str, Any]:
    measures = agreement(rows)
    return {
        "cases": cases,
        "exact": exact,
        "mape_pct": measures.mape_pct,
        "median_ape_pct": measures.median_ape_pct,
        "spearman": measures.spearman,
        "within_2x": measures.within_2x,
    }


def collect(folder: Path) -> dict[str, Any]:
    """Run every check with a sub-folder in ``folder``; the registry as a document.

    Raises ``ValueError`` when there is none, CheckInputError where one does not have its format.
    """
    rows: list[dict[str, Any]] = []
    for kind, (target, machine_kind, against) in CHECKS.items():
        if not (folder / kind).is_dir():
            LOG.warning("%s: no sub-folder %s, so no rows of that check", folder, kind)
            continue
        module, _, name = target.partition(":")
        check: Callable[[Path], CheckReport] = getattr(import_module(module), name)
        report = check(folder / kind)
        for label, figures in _classes(kind, report).items():
            rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in figures.items()}
            rows.append(
                {
                    "check": kind,
                    "machine_kind": machine_kind,
                    "against": against,
                    "class": label,
                    "fitted": "calibrated" in label,
                    **rounded,
                }
            )
        LOG.info("%s: %d cases", kind, report.cases)
    if not rows:
        raise ValueError(f"{folder}: found no sub-folder of {sorted(CHECKS)}")
    return {"schema": 1, "rows": rows}


def read_validation(kinds: Collection[str], path: Path = REGISTRY) -> list[tuple[Any, ...]]:
    """Rows of the registry about machines of ``kinds``, in the order of :data:`HEAD`; empty without a registry."""
    if not path.is_file():
        return []
    document = json.loads(path.read_text(encoding="utf-8"))
    return [
        (
            row["machine_kind"],
            row["against"],
            row["class"],
            row["cases"],
            row["exact"] or None,
            row["mape_pct"],
            row["median_ape_pct"],
            row["spearman"],
            100.0 * row["within_2x"],
            "yes" if row["fitted"] else "no",
        )
        for row in document["rows"]
        if row["machine_kind"] in kinds
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the registry from a folder of reference data."""
    parser = argparse.ArgumentParser(prog="python -m cosim.checks.validation", description=main.__doc__)
    parser.add_argument(
        "folder", type=Path, help="folder with sub-folders cpu, gpu, scalesim, timeloop, dram"
    )
    parser.add_argument("--out", type=Path, default=REGISTRY, help="file to write")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    document = collect(chosen.folder)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    # One row a line: small, and readable in a difference.
    lines = ",\n".join(" " + json.dumps(row, allow_nan=False) for row in document["rows"])
    chosen.out.write_text(f'{{"schema": 1, "rows": [\n{lines}\n]}}\n', encoding="utf-8")
    LOG.info("wrote %s", chosen.out)


if __name__ == "__main__":
    main()
