"""What the event simulation runs: the stages of every layer, each a number of tiles that pass units in turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cosim.components.estimate import CostTable


@dataclass(frozen=True)
class StageRun:
    """One stage of one layer.

    ``services`` holds (unit, seconds per tile) in the order a tile passes them; every one of ``tiles`` tiles
    takes the same. ``merged`` is how many tiles of the mapping one of them stands for.
    """

    layer: int
    layer_name: str
    stage: str
    tiles: int
    services: tuple[tuple[str, float], ...]
    merged: float = 1.0

    @property
    def longest_s(self) -> float:
        """Time of the busiest unit: what the closed form counts."""
        return max((seconds for _, seconds in self.services), default=0.0) * self.tiles

    @property
    def serial_s(self) -> float:
        """Time if nothing overlaps."""
        return sum(seconds for _, seconds in self.services) * self.tiles

    @property
    def pipelined_s(self) -> float:
        """Makespan of a flow shop of equal tiles: the first tile through every unit, then one tile a period.

        ``sum_u t_u + (T - 1) * max_u t_u`` with t_u the time of a tile on unit u                     (Eq. 3)
        """
        times = [seconds for _, seconds in self.services]
        return sum(times) + (self.tiles - 1) * max(times) if times else 0.0


@dataclass(frozen=True)
class Program:
    """Stages in execution order for one pass of the network."""

    name: str
    runs: tuple[StageRun, ...]

    @property
    def analytic_s(self) -> float:
        """The closed form: stages in series, units of a stage overlapped."""
        return sum(run.longest_s for run in self.runs)

    @property
    def serial_s(self) -> float:
        """Nothing overlaps."""
        return sum(run.serial_s for run in self.runs)

    @property
    def units(self) -> tuple[str, ...]:
        """Units in order of first use."""
        return tuple(dict.fromkeys(unit for run in self.runs for unit, _ in run.services))


def unit_of(stage: str, resource: str, shared: Mapping[str, str]) -> str:
    """Unit behind a resource: ``stage.unit`` works in several stages; ``shared`` joins units of two machines."""
    unit = resource.removeprefix(f"{stage}.")
    return shared.get(unit, unit)


def program_of(
    name: str,
    layer_names: tuple[str, ...],
    cost: CostTable,
    max_tiles: int,
    shared: Mapping[str, str] | None = None,
) -> Program:
    """The program of one design point.

    ``max_tiles`` joins the tiles of a stage into at most that many; the fill of a pipeline is then one joined
    tile long, which is the stated error of the shortcut. Raises ``ValueError`` if it is below 1.
    """
    if max_tiles < 1:
        raise ValueError(f"max_tiles: found {max_tiles}, allowed at least 1")
    count = len(layer_names)
    runs = []
    columns = [
        (
            stage,
            np.broadcast_to(stage.tiles, (count,)),
            {r: np.broadcast_to(t, (count,)) for r, t in stage.resources.items()},
        )
        for stage in cost.stages
    ]
    for layer in range(count):
        for stage, tiles_of, times in columns:
            busy = [
                (unit_of(stage.name, r, shared or {}), float(t[layer]))
                for r, t in times.items()
                if t[layer] > 0
            ]
            if not busy:
                continue
            wanted = max(1, round(float(tiles_of[layer])))
            tiles = min(wanted, max_tiles)
            services = tuple((unit, seconds / tiles) for unit, seconds in _joined(busy))
            runs.append(StageRun(layer, layer_names[layer], stage.name, tiles, services, wanted / tiles))
    return Program(name, tuple(runs))


def _joined(busy: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Times of the same unit added up, in order of first use."""
    total: dict[str, float] = {}
    for unit, seconds in busy:
        total[unit] = total.get(unit, 0.0) + seconds
    return list(total.items())
