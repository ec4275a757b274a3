"""Several searches of one space, measured by the hypervolume they reach with their evaluations.

The hypervolume is taken over the logarithms of the objectives, between the ideal and the worst corner of the best
front that is known, widened by a tenth: a share of 1 is the whole of that front, whatever the objectives' units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cosim.explore.pareto import hypervolume, pareto_mask
from cosim.explore.search import Designs, Trace, checkpoints, search, true_front
from cosim.explore.space import Space, prepare
from cosim.explore.space_file import load_space
from cosim.explore.sweep import open_folder

WIDENED = 0.1
JOURNAL = "search.journal"

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Study:
    """Traces with the hypervolume they reached; ``curves`` has one (evaluations, share) row a checkpoint."""

    space: str
    designs: int
    objectives: tuple[str, ...]
    true_front: bool
    curves: tuple[tuple[Trace, tuple[tuple[int, float], ...]], ...]
    front: list[dict[str, Any]]
    best_method: str
    best_seed: int

    def rows(self) -> list[dict[str, Any]]:
        """One row for every method, seed and checkpoint."""
        return [
            {"method": trace.method, "seed": trace.seed, "evaluations": count, "hypervolume": share}
            for trace, curve in self.curves
            for count, share in curve
        ]

    def frame(self) -> pd.DataFrame:
        """The rows as a data frame."""
        return pd.DataFrame(self.rows())

    def summary(self) -> list[dict[str, Any]]:
        """Where each method ended: mean, lowest and highest share over its seeds."""
        last = self.frame().groupby(["method", "seed"], sort=False).last().reset_index()
        rows = []
        for method, part in last.groupby("method", sort=False):
            share = part["hypervolume"]
            rows.append(
                {
                    "method": str(method),
                    "evaluations": int(part["evaluations"].max()),
                    "hypervolume": float(share.mean()),
                    "lowest": float(share.min()),
                    "highest": float(share.max()),
                }
            )
        return rows

    def varying(self) -> list[str]:
        """Columns of the front worth showing: what differs between its designs, then the objectives."""
        plain = [name.removeprefix("-") for name in self.objectives]
        names = list(dict.fromkeys(name for row in self.front for name in row if name not in plain))
        different = [n for n in names if len({str(row.get(n)) for row in self.front}) > 1]
        return [*different, *plain]

    def to_json(self) -> dict[str, Any]:
        """The document of ``cosim search --json``."""
        return {
            "schema": 1,
            "space": self.space,
            "designs": self.designs,
            "objectives": list(self.objectives),
            "against": "true front" if self.true_front else "best front known",
            "methods": self.summary(),
            "curve": self.rows(),
            "front": self.front,
        }


def study(
    sweep: Path,
    methods: Sequence[str],
    evaluations: int,
    repeats: int,
    seed: int,
    folder: Path | None = None,
    exact: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Study:
    """Search the space of ``sweep`` by every method with ``repeats`` seeds.

    ``folder`` keeps the journal of guided searches, which go on from it. With ``exact`` the whole space is
    evaluated too, and shares are of its front. ``progress`` is told (designs looked at, of how many). Raises what
    :func:`cosim.explore.space.prepare` and :func:`cosim.explore.search.search` raise.
    """
    space = prepare(load_space(sweep))
    designs = Designs.of(space)
    runs = [
        (method, own)
        for method in methods
        for own in (range(seed, seed + repeats) if method != "exhaustive" else (seed,))
    ]
    if progress is not None:
        sizes = [
            designs.size if method == "exhaustive" else min(evaluations, designs.size) for method, _ in runs
        ]
        designs = replace(designs, looked_at=_Count(progress, sum(sizes) + (designs.size if exact else 0)))
    journal = _journal(space, folder)
    traces = [search(designs, method, evaluations, own, journal) for method, own in runs]
    fronts = [trace.front()[1] for trace in traces]
    known = true_front(designs)[1] if exact else np.concatenate(fronts)
    if not len(known):
        known = true_front(designs)[1]
    known = known[pareto_mask(known)]
    low, high = known.min(axis=0), known.max(axis=0)
    scale = np.where(high > low, high - low, 1.0)
    whole = _volume(known, low, scale)
    curves = tuple((trace, _curve(trace, low, scale, whole)) for trace in traces)
    best = int(np.argmax([curve[-1][1] for _, curve in curves]))
    return Study(
        space=space.doc.name,
        designs=designs.size,
        objectives=designs.objectives,
        true_front=exact or "exhaustive" in methods,
        curves=curves,
        front=_describe(designs, traces[best]),
        best_method=traces[best].method,
        best_seed=traces[best].seed,
    )


class _Count:
    """Adds batches up for a progress report."""

    def __init__(self, progress: Callable[[int, int], None], total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def __call__(self, count: int) -> None:
        self.done = min(self.done + count, self.total)
        self.progress(self.done, self.total)


def _journal(space: Space, folder: Path | None) -> str | None:
    if folder is None:
        return None
    open_folder(space, folder.resolve())
    return str(folder.resolve() / JOURNAL)


def _volume(points: Points, low: Points, scale: Points) -> float:
    unit = np.unique((points - low) / scale, axis=0)
    return hypervolume(unit, np.full(unit.shape[1], 1.0 + WIDENED))


def _curve(trace: Trace, low: Points, scale: Points, whole: float) -> tuple[tuple[int, float], ...]:
    curve = []
    best = np.zeros((0, len(low)))
    done = 0
    for count in checkpoints(len(trace.numbers)):
        new = trace.values[done:count]
        best = np.concatenate([best, new[np.isfinite(new).all(axis=1)]])
        best = best[pareto_mask(best)]
        curve.append((count, _volume(best, low, scale) / whole if len(best) else 0.0))
        done = count
    return tuple(curve)


def _describe(designs: Designs, trace: Trace) -> list[dict[str, Any]]:
    numbers, values = trace.front()
    rows = []
    for number, row in zip(numbers, values, strict=True):
        own = designs.describe(int(number))
        for name, value in zip(designs.objectives, row, strict=True):
            own[name.removeprefix("-")] = float(np.exp(-value if name.startswith("-") else value))
        rows.append(own)
    first = designs.objectives[0].removeprefix("-")
    return sorted(rows, key=lambda own: float(own[first]))
