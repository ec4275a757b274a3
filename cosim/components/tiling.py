"""How the work of a stage is cut into tiles that pass its units in turn: what the event simulation adds to an estimate.

The closed form needs none of it. A machine states it in :meth:`cosim.hardware.base.MachineModel.tilings`; a stage
of which nothing is stated is one tile, so that nothing of it overlaps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cosim.components.params import Value

Counts = NDArray[np.int64]
Shares = NDArray[np.float64]


@dataclass(frozen=True)
class Sequence:
    """Tiles in order: ``counts`` (K,) of each kind in a row, all of it ``repeats`` times.

    ``shares`` (K,) is the share of a resource's time in the stage that one tile of the kind takes.
    """

    counts: Counts
    shares: Shares
    repeats: int = 1


@dataclass(frozen=True)
class Uneven:
    """Tiles of a stage that differ in what they ask of one resource: ``sequences`` in order, ``repeats`` times.

    The shares of all tiles of all repetitions add up to 1; other resources are spread evenly over the tiles.
    """

    resource: str
    sequences: tuple[Sequence, ...]
    repeats: int = 1


@dataclass(frozen=True)
class Tiling:
    """Tiles of one stage of every layer.

    tiles:   (L,) equal tiles of the stage in one round, at least 1
    flow:    resources in the order that a tile passes them; as in the stage where empty
    streams: the second unit starts on the very first tile while that one comes in, because its share is booked
             elsewhere (first tiles that nothing hides)
    room:    tiles that a buffer between two units takes (2: double buffering)
    uneven:  for a layer (its index) the tiles where they differ, or None where they are equal
    """

    tiles: Value = 1.0
    flow: tuple[str, ...] = ()
    streams: bool = False
    room: int = 2
    uneven: Callable[[int], Uneven | None] | None = None


@dataclass(frozen=True)
class Tilings:
    """What a machine states of all its stages.

    stages:   tilings by name of the stage
    rounds:   (L,) how often a layer passes all its stages in turn
    units:    resource -> the unit behind it, where several resources are the same unit or its name differs
    memories: units that are outer memories: they refresh, and two machines may share them
    """

    stages: Mapping[str, Tiling] = field(default_factory=dict)
    rounds: Value = 1.0
    units: Mapping[str, str] = field(default_factory=dict)
    memories: tuple[str, ...] = ()

    def with_companion(self, other: Tilings, prefix: str) -> Tilings:
        """Joined with those of a machine inside this one: its names get ``prefix``, its layers take one round."""

        def renamed(one: Tiling) -> Tiling:
            return replace(one, flow=tuple(prefix + name for name in one.flow))

        return replace(
            self,
            stages={**self.stages, **{prefix + name: renamed(one) for name, one in other.stages.items()}},
            units={**self.units, **{prefix + name: prefix + unit for name, unit in other.units.items()}},
            memories=(*self.memories, *(prefix + name for name in other.memories)),
        )
