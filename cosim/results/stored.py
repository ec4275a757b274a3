"""A result read back from the folder that ``cosim run --out`` wrote, without evaluating anything."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosim.components.params import ParameterRow
from cosim.ir.columns import COLUMNS
from cosim.ir.workload import CoverageReport, OperatorCoverage
from cosim.results.files import FILES, OutputError
from cosim.results.notebook import result_block
from cosim.results.outcome import Ratio, Roof

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class StoredNetwork:
    """What a result folder says of its network."""

    name: str
    macs: int
    params: int
    batch: int
    layers: int
    coverage: CoverageReport

    def __len__(self) -> int:
        return self.layers


@dataclass(frozen=True)
class StoredResult:
    """A result as its folder holds it; an :class:`cosim.results.outcome.Outcome`."""

    manifest: Mapping[str, Any]
    summary: Mapping[str, Any]
    layers: list[dict[str, Any]]
    parameters: tuple[ParameterRow, ...]

    @property
    def machine(self) -> str:
        """Name of the machine."""
        return str(self.manifest["arch"]["name"])

    @cached_property
    def workload(self) -> StoredNetwork:
        """The network, with its batch."""
        totals = self.summary["totals"]
        operators = tuple(
            OperatorCoverage(o["operator"], o["treatment"], o["count"], o["macs"], o["bytes"])
            for o in self.summary["coverage"]["operators"]
        )
        return StoredNetwork(
            str(self.manifest["workload"]["name"]),
            totals["macs"],
            totals["params"],
            totals["batch"],
            len(self.layers),
            CoverageReport(operators),
        )

    @property
    def latency_s(self) -> float:
        """Time of the whole batch."""
        return float(self.summary["totals"]["latency_s"])

    @property
    def energy_j(self) -> float:
        """Energy of the whole batch."""
        return float(self.summary["totals"]["energy_j"])

    @property
    def energy_by_component_j(self) -> dict[str, float]:
        """Energy by component, largest first."""
        return dict(self.summary["breakdown"]["energy_j"])

    @property
    def busy_by_resource_s(self) -> dict[str, float]:
        """Seconds that each resource is busy, largest first."""
        return dict(self.summary["breakdown"]["latency_s"])

    @property
    def leaves_out(self) -> tuple[str, ...]:
        """What the model does not contain."""
        return tuple(self.summary["leaves_out"])

    @property
    def roof(self) -> Roof:
        """Peak rate and bandwidth of the machine."""
        return Roof(**self.summary["roof"])

    @property
    def speedup(self) -> Ratio | None:
        """Ratios against the baseline, or None if there was none."""
        found = self.summary["speedup"]
        return Ratio(found["baseline"], found["latency"], found["energy"], found["edp"]) if found else None

    def totals(self) -> dict[str, Any]:
        """Whole-network figures."""
        return dict(self.summary["totals"])

    def to_pandas(self) -> pd.DataFrame:
        """The per-layer table as a data frame."""
        import pandas as pd

        return pd.DataFrame(self.layers)

    def _repr_html_(self) -> str:
        return result_block(self)


def read_result(folder: Path) -> StoredResult:
    """The result in ``folder``.

    Raises :class:`OutputError` for a folder without the four files of a result, or with one that cannot be read or
    was written by a version that stored less.
    """
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise OutputError(
            f"{folder}: found no {', '.join(missing)}, allowed a folder that `cosim run --out` wrote"
        )
    manifest, summary = (read_json(folder / name) for name in ("manifest.json", "summary.json"))
    for name, document, keys in (
        ("manifest.json", manifest, ("arch", "workload", "hash")),
        ("summary.json", summary, ("totals", "breakdown", "coverage", "speedup", "leaves_out", "roof")),
    ):
        lacking = [key for key in keys if key not in document]
        if lacking:
            raise OutputError(
                f"{folder / name}: found no {', '.join(lacking)}; run `cosim run` again into a new folder"
            )
    try:
        return StoredResult(
            manifest, summary, _layers(folder / "layers.csv"), _parameters(folder / "parameters.csv")
        )
    except (KeyError, ValueError, TypeError) as error:
        raise OutputError(f"{folder}: found tables that cannot be read ({error})") from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; raises :class:`OutputError` where there is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: found an unreadable document ({error})") from error
    if not isinstance(document, dict):
        raise OutputError(f"{path}: found a {type(document).__name__}, allowed an object")
    return document


def _layers(path: Path) -> list[dict[str, Any]]:
    """Rows of layers.csv; the line of units is left out."""
    with path.open(encoding="utf-8", newline="") as stream:
        _, *rows = csv.DictReader(stream)
    return [{name: _value(name, text) for name, text in row.items()} for row in rows]


def _value(name: str, text: str) -> Any:
    if not COLUMNS[name].unit:
        return text
    return int(text) if name == "macs" else float(text)


def _parameters(path: Path) -> tuple[ParameterRow, ...]:
    with path.open(encoding="utf-8", newline="") as stream:
        return tuple(_parameter(row) for row in csv.DictReader(stream))


def _parameter(row: Mapping[str, str]) -> ParameterRow:
    ends = (row["range_low"], row["range_high"])
    return ParameterRow(
        path=row["path"],
        value=_number(row["value"]),
        unit=row["unit"],
        source=row["source"],
        kind=row["kind"],
        set_by=row["set_by"],
        note=row["note"],
        range=(float(ends[0]), float(ends[1])) if all(ends) else None,
    )


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
