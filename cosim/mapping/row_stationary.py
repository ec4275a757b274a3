"""Row-stationary arrays in the manner of Eyeriss: passes and their cycles from the published mapping parameters.

A processing pass takes n images, p filters and q channels in every element, over e output rows, with r sets of
elements for other channels and t for other filters. A layer of N images, M filters, C channels per group, E output
rows of F columns and kernels of R x S needs (eq. 1 and 2)

    passes = N / n * G * ceil(M / (p t)) * ceil(C / (q r)) * ceil(E / e)
    cycles of a pass = n p q S F

without the ramp of a pass; the load of the next pass's filters, not overlapped, would add (eq. 3)

    load = p t q r R S / 4                            four 16-bit weights a cycle on the 64-bit bus

Sources: Chen et al., JSSC 52(1) 2017, doi:10.1109/JSSC.2016.2616357, table III for the mappings; the equations
are this project's reading of its section V.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True)
class RowStationaryLayer:
    """A convolution in the paper's letters, channels and filters per group."""

    images: int
    groups: int
    filters: int
    channels: int
    rows: int
    cols: int
    kernel: int


@dataclass(frozen=True)
class RowStationaryMapping:
    """n, e, p, q, r, t of the paper's table III."""

    n: int
    e: int
    p: int
    q: int
    r: int
    t: int


@dataclass(frozen=True)
class Passes:
    """Passes of a layer, cycles of each, and cycles to load the filters of one."""

    count: int
    cycles_each: int
    filter_load_cycles: float

    @property
    def cycles(self) -> int:
        """Cycles of the layer without ramps (eq. 1 times eq. 2)."""
        return self.count * self.cycles_each

    @property
    def cycles_with_load(self) -> float:
        """The same with filter loads that nothing hides."""
        return self.count * (self.cycles_each + self.filter_load_cycles)


def passes(layer: RowStationaryLayer, mapping: RowStationaryMapping) -> Passes:
    """Eq. 1 to 3; raises ``ValueError`` for a mapping of more images than the layer has."""
    if mapping.n > layer.images:
        raise ValueError(
            f"found a pass of {mapping.n} images, allowed at most the {layer.images} of the layer"
        )
    count = (
        ceil(layer.images / mapping.n)
        * layer.groups
        * ceil(layer.filters / (mapping.p * mapping.t))
        * ceil(layer.channels / (mapping.q * mapping.r))
        * ceil(layer.rows / mapping.e)
    )
    per_pass = mapping.n * mapping.p * mapping.q * layer.kernel * layer.cols
    load = mapping.p * mapping.t * mapping.q * mapping.r * layer.kernel**2 / 4
    return Passes(count, per_pass, load)
