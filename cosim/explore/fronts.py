"""The Pareto front of a finished sweep."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cosim.explore.pareto import knee, pareto_mask
from cosim.explore.space import OUTPUTS
from cosim.explore.store import read
from cosim.results.files import OutputError
from cosim.spec.problems import nearest_hint

HIDDEN = ("task", "point", "hash", "status", "reason", "meets_constraints")


@dataclass(frozen=True)
class Front:
    """Front rows sorted by the first objective; ``cloud`` holds the objectives of all points considered."""

    objectives: tuple[str, ...]
    rows: list[dict[str, Any]]
    knee: int
    considered: int
    cloud: Any

    def varying(self) -> list[str]:
        """Columns worth showing: the objectives, and inputs that differ between points of the front."""
        names = [n for n in self.rows[0] if n not in (*HIDDEN, *OUTPUTS)]
        different = [n for n in names if len({str(row[n]) for row in self.rows}) > 1]
        return [*different, *(name.removeprefix("-") for name in self.objectives)]

    def to_json(self) -> dict[str, Any]:
        """The document of ``cosim pareto --json``."""
        return {
            "schema": 1,
            "objectives": list(self.objectives),
            "considered": self.considered,
            "knee": self.rows[self.knee],
            "front": self.rows,
        }


def front_of(folder: Path, objectives: Sequence[str] = (), where: str = "") -> Front:
    """Front of the points that are feasible and meet the constraints.

    ``objectives`` are columns to minimise (a leading ``-`` maximises); without any, those of the sweep.
    Raises :class:`OutputError` for a folder that is no sweep, an unknown column, or no point left.
    """
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        raise OutputError(f"{folder}: found no manifest.json, allowed the result folder of a sweep")
    chosen = tuple(objectives) or tuple(json.loads(manifest.read_text(encoding="utf-8"))["objectives"])
    condition = "meets_constraints AND status = 'ok'" + (f" AND ({where})" if where else "")
    frame = read(folder, where=condition)
    plain = [name.removeprefix("-") for name in chosen]
    for name in plain:
        if name not in frame.columns or frame[name].dtype.kind not in "fiu":
            numeric = [c for c in frame.columns if frame[c].dtype.kind in "fiu"]
            hint = nearest_hint(name, numeric)
            raise OutputError(
                f"{folder}: found no numeric column {name!r}, allowed {', '.join(numeric)}; {hint}"
            )
    if frame.empty:
        raise OutputError(f"{folder}: no point meets the constraints" + (f" and {where}" if where else ""))
    signs = np.array([-1.0 if name.startswith("-") else 1.0 for name in chosen])
    values = frame[plain].to_numpy(dtype=np.float64)
    mask = pareto_mask(values * signs)
    best = frame[mask].sort_values(plain, kind="stable")
    rows = [{str(k): _plain(v) for k, v in row.items()} for row in best.to_dict("records")]
    return Front(chosen, rows, knee(best[plain].to_numpy(dtype=np.float64) * signs), len(frame), values)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
