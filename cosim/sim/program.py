"""What the event simulation runs: layers, their stages, and the tiles that pass the units of a stage in turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Unit:
    """A unit that serves one tile at a time: its name in the simulation, its machine, whether it is an outer memory."""

    name: str
    device: str
    memory: bool = False


@dataclass(frozen=True)
class TileRun:
    """Tiles in order: ``counts`` (K,) of each kind in a row with ``seconds`` (K, U), the whole ``repeats`` times."""

    counts: Counts
    seconds: Floats
    repeats: int = 1

    @property
    def tiles(self) -> int:
        """Tiles of all repetitions."""
        return int(self.counts.sum()) * self.repeats

    @property
    def busy_s(self) -> Floats:
        """Seconds of each unit, all repetitions, shape (U,)."""
        return np.asarray(self.counts @ self.seconds) * self.repeats


@dataclass(frozen=True)
class StageRun:
    """One stage of one layer, in one round.

    units:     names of the units in the order that a tile passes them
    sequences: the tiles, passed ``repeats`` times
    streams:   the second unit starts on the very first tile while it comes in
    bytes_per_s: rate of the outer memory among the units while it serves, where the machine's model reports bytes
    """

    name: str
    units: tuple[str, ...]
    sequences: tuple[TileRun, ...]
    repeats: int = 1
    room: int = 2
    streams: bool = False
    bytes_per_s: float | None = None

    @property
    def tiles(self) -> int:
        """Tiles of the stage."""
        return sum(sequence.tiles for sequence in self.sequences) * self.repeats

    @cached_property
    def services(self) -> int:
        """Tiles times the units that each of them keeps busy."""
        return self.repeats * sum(
            s.repeats * int((s.counts[:, None] * (s.seconds > 0)).sum()) for s in self.sequences
        )

    @cached_property
    def busy_s(self) -> Floats:
        """Seconds that each unit works, shape (U,)."""
        total = sum((sequence.busy_s for sequence in self.sequences), np.zeros(len(self.units)))
        return np.asarray(total * self.repeats)

    @property
    def longest_s(self) -> float:
        """Time of the busiest unit: what the closed form counts."""
        return float(self.busy_s.max())

    @property
    def serial_s(self) -> float:
        """Time if nothing overlaps."""
        return float(self.busy_s.sum())

    def each(self) -> Iterator[Floats]:
        """Seconds on each unit, tile by tile."""
        for _ in range(self.repeats):
            for sequence in self.sequences:
                for _ in range(sequence.repeats):
                    for count, seconds in zip(sequence.counts, sequence.seconds, strict=True):
                        for _ in range(count):
                            yield seconds

    def joined(self, most: int) -> StageRun:
        """The same work in at most ``most`` tiles, each the sum of its neighbours; itself if it has no more.

        Raises ``ValueError`` if ``most`` is below 1.
        """
        if most < 1:
            raise ValueError(f"most tiles: found {most}, allowed at least 1")
        if self.tiles <= most:
            return self
        ends = np.round(np.arange(most + 1) * (self.tiles / most)).astype(np.int64)
        seconds = np.maximum(np.diff(self._busy_until(ends), axis=0), 0.0)
        return replace(self, sequences=(TileRun(np.ones(most, dtype=np.int64), seconds),), repeats=1)

    def scaled(self, factor: float) -> StageRun:
        """Every tile ``factor`` times as long."""
        if factor == 1.0:
            return self
        parts = tuple(TileRun(s.counts, s.seconds * factor, s.repeats) for s in self.sequences)
        return replace(self, sequences=parts)

    def _busy_until(self, tiles: Counts) -> Floats:
        """Seconds of each unit for the first ``tiles`` (E,) tiles, shape (E, U)."""
        whole, left = np.divmod(tiles, self.tiles // self.repeats)
        total = np.outer(whole / self.repeats, self.busy_s)
        for sequence in self.sequences:
            here = np.minimum(left, sequence.tiles)
            bodies, rest = np.divmod(here, sequence.tiles // sequence.repeats)
            work = sequence.counts[:, None] * sequence.seconds
            starts = np.concatenate([[0], np.cumsum(sequence.counts)])
            before = np.concatenate([np.zeros((1, work.shape[1])), np.cumsum(work, axis=0)])
            kind = np.searchsorted(starts, rest, side="right") - 1
            total += np.outer(bodies, before[-1]) + before[kind]
            total += (rest - starts[kind])[:, None] * sequence.seconds[kind]
            left = left - here
        return np.asarray(total)


@dataclass(frozen=True)
class LayerRun:
    """One layer: its stages in turn, ``rounds`` times, after what is done once ``before`` them.

    sources:     numbers of the layers whose results it reads
    elementwise: element i of its result needs element i of its inputs only
    power_w:     mean power while it runs
    """

    number: int
    name: str
    device: str
    stages: tuple[StageRun, ...]
    rounds: int = 1
    sources: tuple[int, ...] = ()
    elementwise: bool = False
    power_w: float = 0.0
    before: tuple[StageRun, ...] = ()

    def joined(self, most: int) -> LayerRun:
        """The same work in at most ``most`` tiles a stage over all rounds, and at most a quarter as many rounds.

        Raises ``ValueError`` if ``most`` is below 1.
        """
        if most < 1:
            raise ValueError(f"most tiles: found {most}, allowed at least 1")
        rounds = min(self.rounds, max(1, most // 4))
        longer, tiles = self.rounds / rounds, max(1, most // rounds)
        return replace(
            self,
            stages=tuple(stage.joined(tiles).scaled(longer) for stage in self.stages),
            before=tuple(stage.joined(most) for stage in self.before),
            rounds=rounds,
        )

    def part(self, turn: int, share: float) -> float:
        """Share of the layer that is done after ``share`` of round ``turn``."""
        return (turn + share) / self.rounds

    def all_stages(self) -> list[tuple[StageRun, int]]:
        """Every stage and how often it is passed."""
        return [(stage, 1) for stage in self.before] + [(stage, self.rounds) for stage in self.stages]

    @property
    def analytic_s(self) -> float:
        """Closed form: stages in series, units of a stage overlapped."""
        return sum(times * stage.longest_s for stage, times in self.all_stages())

    @property
    def serial_s(self) -> float:
        """Nothing overlaps."""
        return sum(times * stage.serial_s for stage, times in self.all_stages())

    @property
    def services(self) -> int:
        """Services of tiles of all stages and rounds."""
        return sum(times * stage.services for stage, times in self.all_stages())


@dataclass(frozen=True)
class Program:
    """One pass of a network: layers in order, and the units that they use."""

    name: str
    layers: tuple[LayerRun, ...]
    units: dict[str, Unit] = field(default_factory=dict)

    @property
    def analytic_s(self) -> float:
        """The closed form: layers in series."""
        return sum(layer.analytic_s for layer in self.layers)

    @property
    def serial_s(self) -> float:
        """Nothing overlaps."""
        return sum(layer.serial_s for layer in self.layers)

    def joined(self, most: int) -> Program:
        """The same work in at most ``most`` tiles a stage."""
        return replace(self, layers=tuple(layer.joined(most) for layer in self.layers))

    @property
    def services(self) -> int:
        """Services of tiles of one pass."""
        return sum(layer.services for layer in self.layers)

    @cached_property
    def busy_s(self) -> dict[str, float]:
        """Work of each unit in one pass."""
        total = dict.fromkeys(self.units, 0.0)
        for layer in self.layers:
            for stage, times in layer.all_stages():
                for name, seconds in zip(stage.units, stage.busy_s, strict=True):
                    total[name] += times * float(seconds)
        return total


def equal_tiles(
    name: str, tiles: int, services: Sequence[tuple[str, float]], room: int = 2, streams: bool = False
) -> StageRun:
    """A stage of equal tiles; ``services`` are (unit, seconds of one tile) in passing order."""
    units = tuple(unit for unit, _ in services)
    seconds = np.array([[seconds for _, seconds in services]])
    return StageRun(name, units, (TileRun(np.array([tiles]), seconds),), 1, room, streams)
