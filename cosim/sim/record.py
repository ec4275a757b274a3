"""What a simulation keeps: how long units worked and waited, when layers ran, and intervals for a timeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cosim.sim.flow import WAITS, Passed
from cosim.sim.program import Program, StageRun
from cosim.sim.rhythm import Rhythm

Key = tuple[int, int, int, str]


@dataclass(frozen=True)
class Interval:
    """A unit at work: on which tile of which job, image, layer and stage, from when to when."""

    unit: str
    job: int
    image: int
    layer: int
    stage: str
    tile: int
    start_s: float
    end_s: float


@dataclass
class SimResult:
    """Outcome of a simulation.

    busy_s:    work of each unit; the others of :data:`~cosim.sim.flow.WAITS` beside it in ``waits_s``: tiles queued for
               the unit, the unit starved (no tile), blocked (no room behind it), and held up by refresh
    layer_s:   (job, layer) -> start and end in the first image; ``layer_waits_s`` waits by unit in it, (5, units)
    dropped:   intervals that were not kept
    services:  tiles served, once for each unit that served them
    skipped:   tiles that repeat those before them and were not passed one by one
    left_out:  images that repeat those before them and were not simulated, of all jobs
    interval_s: mean time between images, by job (None for a single image)
    """

    makespan_s: float = 0.0
    units: tuple[str, ...] = ()
    waits_s: NDArray[np.float64] = field(default_factory=lambda: np.zeros((len(WAITS), 0)))
    layer_s: dict[tuple[int, int], tuple[float, float]] = field(default_factory=dict)
    layer_waits_s: dict[tuple[int, int], NDArray[np.float64]] = field(default_factory=dict)
    intervals: list[Interval] = field(default_factory=list)
    dropped: int = 0
    services: int = 0
    skipped: int = 0
    left_out: int = 0
    interval_s: tuple[float | None, ...] = ()

    def by_unit(self, what: str) -> dict[str, float]:
        """Seconds of one of :data:`~cosim.sim.flow.WAITS` by unit."""
        row = self.waits_s[WAITS.index(what)]
        return {unit: float(seconds) for unit, seconds in zip(self.units, row, strict=True)}

    @property
    def busy_s(self) -> dict[str, float]:
        """Work of each unit."""
        return self.by_unit("busy")


class Record:
    """Filled while a simulation runs."""

    def __init__(self, keep: int, units: tuple[str, ...]) -> None:
        self.keep = keep
        self.place = {unit: number for number, unit in enumerate(units)}
        self.result = SimResult(units=units, waits_s=np.zeros((len(WAITS), len(units))))

    @property
    def waits(self) -> NDArray[np.float64]:
        """Sums so far, (5, units)."""
        return self.result.waits_s

    @property
    def room(self) -> int:
        """Intervals that may still be kept."""
        return self.keep - len(self.result.intervals)

    def tile(
        self, key: Key, unit: str, tile: int, start: float, end: float, waits: tuple[float, ...]
    ) -> None:
        """One tile on one unit."""
        self.result.services += 1
        self._add(key, self.place[unit], np.array(waits))
        self._interval(key, unit, tile, start, end)

    def stage(self, key: Key, stage: StageRun, found: Passed, start: float) -> None:
        """A stage that was passed at once, from ``start`` on."""
        self.result.skipped += found.skipped
        self.result.services += stage.services
        for number, unit in enumerate(stage.units):
            self._add(key, self.place[unit], found.waits_s[:, number])
        for unit_number, tile, begin, end in found.spans.tolist():
            self._interval(key, stage.units[int(unit_number)], int(tile), start + begin, start + end)
        if self.keep:
            self.result.dropped += stage.services - len(found.spans)

    def unchained(self, key: Key, stage: StageRun, start: float) -> None:
        """A stage whose units all started at once."""
        for unit, seconds in zip(stage.units, stage.busy_s.tolist(), strict=True):
            self.tile(key, unit, 0, start, start + seconds, (seconds, 0.0, 0.0, 0.0, 0.0))

    def layer(self, job: int, image: int, layer: int, start: float, end: float) -> None:
        """A layer that is done."""
        if image == 0:
            self.result.layer_s[job, layer] = start, end

    def finished(self, now: float, jobs: Sequence[tuple[Program, Rhythm]]) -> SimResult:
        """The result, with the images that were left out."""
        result = self.result
        result.makespan_s = now
        means: list[float | None] = []
        for program, rhythm in jobs:
            count = len(rhythm.ends) - 1
            means.append((rhythm.ends[-1] - rhythm.ends[0]) / count if count else None)
            if rhythm.left_out and rhythm.period_waits is not None:
                result.makespan_s += rhythm.left_out_s
                result.waits_s += rhythm.period_waits * rhythm.times
                result.left_out += rhythm.left_out
                result.services += program.services * rhythm.left_out
                means[-1] = rhythm.period_s / (rhythm.left_out // rhythm.times)
        result.interval_s = tuple(means)
        return result

    def _add(self, key: Key, place: int, waits: NDArray[np.float64]) -> None:
        self.result.waits_s[:, place] += waits
        job, image, layer, _ = key
        if image == 0:
            own = self.result.layer_waits_s.get((job, layer))
            if own is None:
                own = self.result.layer_waits_s[job, layer] = np.zeros_like(self.result.waits_s)
            own[:, place] += waits

    def _interval(self, key: Key, unit: str, tile: int, start: float, end: float) -> None:
        job, image, layer, stage = key
        if self.room > 0:
            self.result.intervals.append(Interval(unit, job, image, layer, stage, tile, start, end))
        elif self.keep:
            self.result.dropped += 1
