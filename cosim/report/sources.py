"""Reports from folders that other commands wrote: what a folder holds, and what report it makes.

A run, a sweep and an accuracy campaign are reported from what is stored. A comparison stores totals only; it is
evaluated again from the inputs it names, and refused if anything gives another number now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isclose
from pathlib import Path
from typing import Any

from cosim.engine import compare, load_arch, load_workload
from cosim.explore.intervals import ratio_intervals
from cosim.hardware.load import Machine
from cosim.ir.workload import Workload
from cosim.report.accuracy_report import accuracy_blocks, accuracy_document
from cosim.report.compared import compared_document
from cosim.report.document import Block, Document
from cosim.report.evaluated import comparison_document, run_document
from cosim.report.sweep_report import sweep_document
from cosim.report.views import stored_view
from cosim.results.comparison import Comparison
from cosim.results.files import OutputError
from cosim.results.stored import StoredResult, read_json, read_result
from cosim.spec.problems import nearest_hint

RUN, COMPARISON, SWEEP, ACCURACY = "run", "comparison", "sweep", "accuracy"
ALLOWED = "allowed a folder that `cosim run`, `compare`, `sweep` or `accuracy` wrote with --out"
# Two evaluations of one input by one version agree to the last bit; another processor may round otherwise.
SAME = 1e-9


def kind_of(folder: Path) -> str:
    """What a folder holds: one of ``run``, ``comparison``, ``sweep``, ``accuracy``; raises :class:`OutputError`."""
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        hint = "; report the folder that holds it" if folder.is_file() else ""
        raise OutputError(f"{folder}: found {found}, {ALLOWED}{hint}")
    if (folder / "comparison.json").is_file():
        return COMPARISON
    if (folder / "accuracy.json").is_file():
        return ACCURACY
    if (folder / "trials.jsonl").is_file():
        raise OutputError(
            f"{folder}: found trials of an accuracy run that has not ended; run its command again to go on"
        )
    if (folder / "buffers.json").is_file():
        raise OutputError(
            f"{folder}: found a comparison of buffers, {ALLOWED}; buffers.md in it is its report"
        )
    if (folder / "manifest.json").is_file():
        manifest = read_json(folder / "manifest.json")
        if "space" in manifest:
            return SWEEP
        if "arch" in manifest and "workload" in manifest:
            return RUN
    names = sorted(path.name for path in folder.iterdir())
    listed = ", ".join(names[:5]) + (", …" if len(names) > 5 else "") if names else "no files"
    raise OutputError(f"{folder}: found {listed}, {ALLOWED}")


def document_of(folders: Sequence[Path], baseline: str | None = None) -> Document:
    """The report of what ``folders`` hold together.

    One comparison, one sweep, or runs (several are set against each other); accuracy campaigns join any of them but a
    sweep, or are a report of their own. Raises :class:`OutputError` for other combinations and for what cannot be
    reported, with the reason.
    """
    by_kind: dict[str, list[Path]] = {}
    for folder in dict.fromkeys(folders):
        by_kind.setdefault(kind_of(folder), []).append(folder)
    campaigns = [read_json(folder / "accuracy.json") for folder in by_kind.pop(ACCURACY, [])]
    if not by_kind:
        return accuracy_document(campaigns)
    if len(by_kind) > 1 or len(by_kind.get(COMPARISON, [])) > 1 or len(by_kind.get(SWEEP, [])) > 1:
        found = ", ".join(f"{folder} ({kind})" for kind, own in by_kind.items() for folder in own)
        raise OutputError(
            f"found {found}, allowed one comparison, one sweep, or any number of runs; make a report of each"
        )
    ((kind, own),) = by_kind.items()
    if baseline is not None and (kind != RUN or len(own) == 1):
        raise OutputError(f"--baseline: found {baseline!r}, allowed with several runs; {own[0]} is a {kind}")
    if kind == SWEEP:
        if campaigns:
            raise OutputError(f"{own[0]}: found a sweep and accuracy campaigns, allowed a report of each")
        return sweep_document(own[0])
    blocks = [
        block for number, campaign in enumerate(campaigns) for block in accuracy_blocks(campaign, number)
    ]
    if kind == COMPARISON:
        return _again(own[0], blocks)
    results = [read_result(folder) for folder in own]
    if len(results) == 1:
        (result,) = results
        return run_document(
            result, stored_view(result), f"{result.workload.name} on {result.machine}", accuracy=blocks
        )
    return _runs(own, results, baseline, blocks)


def _runs(
    folders: Sequence[Path], results: Sequence[StoredResult], baseline: str | None, blocks: Sequence[Block]
) -> Document:
    """Several runs set against each other, from what is stored."""
    table: dict[tuple[str, str], StoredResult] = {}
    seen: dict[tuple[str, str], tuple[Path, Any]] = {}
    for folder, result in zip(folders, results, strict=True):
        key = (result.machine, result.workload.name)
        if key in table:
            raise OutputError(
                f"{folder}: found a second run of {key[1]} on {key[0]}, allowed one of each pair"
            )
        table[key] = result
        for what in ("arch", "workload"):
            own = result.manifest[what]
            other, content = seen.setdefault((what, own["name"]), (folder, own))
            if content != own:
                raise OutputError(
                    f"{folder}: found {own['name']!r} that differs from the one in {other} (hash, batch or changed "
                    "parameters), allowed the same under one name"
                )
    machines = tuple(dict.fromkeys(machine for machine, _ in table))
    chosen = baseline or machines[0]
    if chosen not in machines:
        raise OutputError(
            f"--baseline: found {chosen!r}, allowed {', '.join(machines)}; {nearest_hint(chosen, machines)}".rstrip(
                "; "
            )
        )
    workloads = tuple(dict.fromkeys(workload for _, workload in table))
    failures = {(m, w): "there is no run of it" for m in machines for w in workloads if (m, w) not in table}
    comparison = Comparison(machines, workloads, table, failures, chosen)
    views = [stored_view(next(r for (m, _), r in table.items() if m == machine)) for machine in machines]
    return comparison_document(comparison, views, ", ".join(workloads), accuracy=blocks)


def _again(folder: Path, blocks: Sequence[Block]) -> Document:
    """The report of a comparison that has been evaluated again."""
    comparison, machines, networks, batch = evaluated_again(folder)
    return compared_document(comparison, machines, networks, batch, blocks)


def evaluated_again(folder: Path) -> tuple[Comparison, list[Machine], list[Workload], int]:
    """(comparison, its machines, its networks, their batch) of what ``cosim compare`` wrote, evaluated again.

    Raises :class:`OutputError` unless everything that it names, and every total, is still what it was.
    """
    stored = read_json(folder / "comparison.json")
    inputs = _inputs(folder, stored)
    machines = [load_arch(ref) for ref in inputs["archs"]]
    networks = [load_workload(ref) for ref in inputs["workloads"]]
    base = next((machine for machine in machines if machine.name == stored["baseline"]), None)
    if base is None:
        raise OutputError(
            f"{folder}: found no machine {stored['baseline']!r} among {', '.join(inputs['archs'])}"
        )
    comparison = compare(machines, networks, base, batch=inputs["batch"], seed=inputs["seed"])
    _require_same(folder, stored, comparison)
    batched = [network.with_batch(inputs["batch"]) for network in networks]
    if inputs["draws"]:
        drawn = ratio_intervals(comparison, machines, batched, inputs["draws"], inputs["seed"])
        comparison = replace(comparison, uncertainty=drawn)
    return comparison, machines, batched, inputs["batch"]


def _inputs(folder: Path, stored: dict[str, Any]) -> dict[str, Any]:
    found = stored.get("inputs")
    keys = ("archs", "workloads", "batch", "seed", "draws")
    if not isinstance(found, dict) or any(key not in found for key in keys):
        raise OutputError(
            f"{folder / 'comparison.json'}: found no inputs to evaluate again, allowed a comparison of this version; "
            "run `cosim compare` into a new folder"
        )
    return found


def _require_same(folder: Path, stored: dict[str, Any], comparison: Comparison) -> None:
    """Raise unless the same inputs give the same numbers as in the folder."""
    manifests = comparison.to_json()["manifests"]
    for name, before in stored["manifests"].items():
        now = manifests.get(name)
        if now is not None and now["hash"] == before["hash"]:
            continue
        parts = ("cosim", "arch", "workload", "seed")
        changed = [part for part in parts if now is None or now[part] != before[part]]
        raise OutputError(
            f"{folder}: {name} is not what was compared: {', '.join(changed)} changed since; run `cosim compare` into "
            "a new folder"
        )
    for before, row in zip(stored["rows"], comparison.rows(), strict=True):
        for key in ("latency_s", "energy_j"):
            old, new = before[key], row[key]
            if (old is None) != (new is None) or (old is not None and not isclose(old, new, rel_tol=SAME)):
                raise OutputError(
                    f"{folder}: {row['machine']} on {row['workload']}: found {key} {old}, this program gives {new}; "
                    "the models have changed since, run `cosim compare` into a new folder"
                )
