"""The Pareto front of a finished sweep."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cosim.explore.outputs import OUTPUTS, SIZES
from cosim.explore.pareto import knee, pareto_mask
from cosim.explore.store import query, stream
from cosim.explore.transform_axis import KEY as TRANSFORMS
from cosim.results.files import OutputError
from cosim.spec.problems import nearest_hint

HIDDEN = ("point", "hash", "status", "reason", "meets_constraints")
EQUAL = "equal_points"
CLOUD_POINTS = 20_000
FINE = "meets_constraints AND status = 'ok'"

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Front:
    """Front rows sorted by the first objective; ``cloud`` is a sample of the objectives of all points.

    Points with the same objectives are one row: the first of them, with their number in ``equal_points``.
    ``tried_on`` says over how many pairs of network and batch the objectives are geometric means.
    """

    objectives: tuple[str, ...]
    rows: list[dict[str, Any]]
    knee: int
    considered: int
    cloud: Points
    tried_on: int = 1

    def varying(self) -> list[str]:
        """Columns worth showing: inputs that differ between points of the front, then the objectives."""
        plain = [name.removeprefix("-") for name in self.objectives]
        names = [n for n in self.rows[0] if n not in (*HIDDEN, *OUTPUTS, *SIZES, *plain, EQUAL)]
        if len(self.rows) == 1:
            return [*(n for n in names if self.rows[0][n] is not None), *plain]
        # A derived parameter that repeats another column says nothing more.
        columns = {name: tuple(str(row[name]) for row in self.rows) for name in names}
        different = {own: name for name, own in reversed(columns.items()) if len(set(own)) > 1}
        return [*(name for name in names if name in different.values()), *plain]

    def frame(self) -> pd.DataFrame:
        """The rows as a data frame."""
        return pd.DataFrame(self.rows)

    def to_json(self) -> dict[str, Any]:
        """The document of ``cosim pareto --json``."""
        return {
            "schema": 1,
            "objectives": list(self.objectives),
            "considered": self.considered,
            "tried_on": self.tried_on,
            "knee": self.rows[self.knee],
            "front": self.rows,
        }


def manifest_of(folder: Path) -> dict[str, Any]:
    """The manifest of a sweep's result folder; raises :class:`OutputError` where there is none."""
    path = folder / "manifest.json"
    if not path.is_file():
        raise OutputError(f"{folder}: found no manifest.json, allowed the result folder of a sweep")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise OutputError(f"{path}: found an unreadable manifest ({error})") from error
    if not isinstance(found, dict) or "space" not in found:
        raise OutputError(f"{path}: found the manifest of something else, allowed that of a sweep")
    return found


def numeric_columns(folder: Path) -> list[str]:
    """Names of the numeric columns of a sweep's results."""
    table = query(folder, "SELECT * FROM results LIMIT 0")
    return [str(name) for name in table.columns if table[name].dtype.kind in "fiu"]


def require_columns(folder: Path, names: Sequence[str]) -> None:
    """Raise :class:`OutputError` (nearest spelling) for a name that is no numeric column of the results."""
    numeric = numeric_columns(folder)
    for name in names:
        if name not in numeric:
            hint = nearest_hint(name, numeric)
            raise OutputError(
                f"{folder}: found no numeric column {name!r}, allowed {', '.join(numeric)}; {hint}"
            )


def front_of(folder: Path, objectives: Sequence[str] = (), where: str = "") -> Front:
    """Front of the points that are feasible and meet the constraints.

    ``objectives`` are columns to minimise (a leading ``-`` maximises); without any, those of the sweep. Where
    several networks or batches are left, a design is ranked by the geometric mean of each objective over all of
    them, and counts only if it meets the constraints on every one.
    Raises :class:`OutputError` for a folder that is no sweep, an unknown column, or no point left.
    """
    chosen = tuple(objectives) or tuple(manifest_of(folder)["objectives"])
    plain = [name.removeprefix("-") for name in chosen]
    require_columns(folder, plain)
    signs = np.array([-1.0 if name.startswith("-") else 1.0 for name in chosen])
    filtered = f"WHERE ({where})" if where else ""
    pairs = query(folder, f"SELECT count(DISTINCT (workload, batch)) AS n FROM results {filtered}")["n"]
    if int(pairs[0]) > 1:
        return _of_designs(folder, chosen, signs, where, int(pairs[0]))
    condition = FINE + (f" AND ({where})" if where else "")
    total = int(query(folder, f"SELECT count(*) AS n FROM results WHERE {condition}")["n"][0])
    if total == 0:
        raise OutputError(f"{folder}: no point meets the constraints" + (f" and {where}" if where else ""))
    best, keys, cloud = _streamed(_objectives(folder, plain, condition), signs, total)
    rows = _rows_at(folder, keys)
    return _front(chosen, signs, best, rows, total, cloud)


def pairs_of(folder: Path, x: str, y: str, value: str, where: str = "") -> pd.DataFrame:
    """The lowest ``value`` for each pair of the columns ``x`` and ``y``, over the points that are fine.

    Raises :class:`OutputError` for an unknown column, or no point left.
    """
    known = [str(name) for name in query(folder, "SELECT * FROM results LIMIT 0").columns]
    for name in (x, y, value):
        if name not in known:
            hint = nearest_hint(name, known)
            raise OutputError(f"{folder}: found no column {name!r}, allowed {', '.join(known)}; {hint}")
    quoted = ['"' + name.replace('"', '""') + '"' for name in (x, y, value)]
    frame = query(
        folder,
        f"SELECT {quoted[0]}, {quoted[1]}, min({quoted[2]}) AS {quoted[2]} FROM results "
        f"WHERE {FINE}{f' AND ({where})' if where else ''} AND {quoted[0]} IS NOT NULL AND {quoted[1]} IS NOT NULL "
        f"GROUP BY ALL ORDER BY ALL",
    )
    if frame.empty:
        raise OutputError(f"{folder}: no point with both {x} and {y} meets the constraints")
    return frame


def _objectives(folder: Path, plain: list[str], condition: str) -> Iterator[tuple[NDArray[np.int64], Points]]:
    for part in stream(folder, ["point", *plain], condition):
        yield part["point"], np.column_stack([np.asarray(part[name], dtype=np.float64) for name in plain])


def _streamed(
    parts: Iterator[tuple[NDArray[np.int64], Points]], signs: Points, total: int
) -> tuple[Points, NDArray[np.int64], Points]:
    """(objectives, keys) of the front of all parts and a sample of their points.

    The front of a union is the front of the fronts of its parts, so only fronts are kept.
    """
    best = np.zeros((0, len(signs)))
    keys = np.zeros(0, dtype=np.int64)
    clouds = [best]
    share = min(1.0, CLOUD_POINTS / total)
    for own_keys, values in parts:
        # A fixed multiplicative hash picks the sample: the same points whatever the order of the shards.
        drawn = (own_keys * 2654435761 % 2**32) < share * 2**32
        clouds.append(values[drawn])
        merged = np.concatenate([best, values])
        mask = pareto_mask(merged * signs)
        best, keys = merged[mask], np.concatenate([keys, own_keys])[mask]
    return best, keys, np.concatenate(clouds)


def _rows_at(folder: Path, keys: NDArray[np.int64]) -> pd.DataFrame:
    listed = ", ".join(str(int(key)) for key in keys)
    frame = query(folder, f"SELECT * FROM results WHERE point IN ({listed})")
    return frame.set_index("point", drop=False).loc[keys].reset_index(drop=True)


def _of_designs(folder: Path, chosen: tuple[str, ...], signs: Points, where: str, pairs: int) -> Front:
    plain = [name.removeprefix("-") for name in chosen]
    space = manifest_of(folder)["space"]
    inputs = [axis[0] for axis in space["axes"]] + list(space["derived"])
    fixed = ["arch", "mapping", *([TRANSFORMS] if TRANSFORMS in space else [])]
    keys = ", ".join('"' + name.replace('"', '""') + '"' for name in (*fixed, *inputs))
    means = ", ".join(f'exp(avg(ln("{name}"))) AS "{name}"' for name in plain if name not in inputs)
    frame = query(
        folder,
        f"SELECT min(point) AS point, {keys}{', ' + means if means else ''} FROM results "
        f"WHERE {FINE}{f' AND ({where})' if where else ''} GROUP BY {keys} "
        f"HAVING count(DISTINCT (workload, batch)) = {pairs} ORDER BY point",
    )
    if frame.empty:
        raise OutputError(f"{folder}: no design meets the constraints on all {pairs} networks and batches")
    values = frame[plain].to_numpy(dtype=np.float64)
    mask = pareto_mask(values * signs)
    share = max(1, len(values) // CLOUD_POINTS)
    rows = frame[mask].reset_index(drop=True)
    return _front(chosen, signs, values[mask], rows, len(frame), values[::share], pairs)


def _front(
    chosen: tuple[str, ...],
    signs: Points,
    best: Points,
    frame: pd.DataFrame,
    considered: int,
    cloud: Points,
    pairs: int = 1,
) -> Front:
    """Sort by the objectives, and let points with equal objectives be one row."""
    order = np.lexsort((frame["point"].to_numpy(), *(best * signs).T[::-1]))
    best, frame = best[order], frame.iloc[order]
    new = np.ones(len(best), dtype=np.bool_)
    new[1:] = (best[1:] != best[:-1]).any(axis=1)
    equal = np.diff(np.append(np.flatnonzero(new), len(best)))
    rows = [{str(k): _plain(v) for k, v in row.items()} for row in frame[new].to_dict("records")]
    for row, number in zip(rows, equal, strict=True):
        row[EQUAL] = int(number)
    return Front(chosen, rows, knee(best[new] * signs), considered, cloud, pairs)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return None
    return value
