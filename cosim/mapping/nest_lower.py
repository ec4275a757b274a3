"""Loop nests as plain arrays for the kernels: all loops in one list, innermost first, levels innermost first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.mapping.nest import DataSpace, Infeasible, Loop, NestArch, NestMapping, Problem

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LoweredNest:
    """A mapping as arrays. Levels and loops count from the innermost; every level has at least one temporal loop.

    nest (3, loops): dimension number, bound, last bound; is_spatial, is_x (loops,): 0 or 1; first (levels + 1,): where
    a level's loops start; spatial (levels,): how many spatial loops it starts with; keep (levels, spaces): 0 or 1.
    """

    nest: IntArray
    is_spatial: IntArray
    is_x: IntArray
    first: IntArray
    spatial: IntArray
    keep: IntArray

    @property
    def perfect(self) -> bool:
        """Whether no loop leaves a remainder."""
        return bool((self.nest[1] == self.nest[2]).all())


def coefficients(problem: Problem, space: DataSpace) -> IntArray:
    """Coefficient of every dimension in every axis of `space`, shape (axes, dims)."""
    dims = list(problem.dims)
    table = np.zeros((len(space.axes), len(dims)), np.int64)
    for a, axis in enumerate(space.axes):
        for term in axis:
            table[a, dims.index(term.dim)] += term.coefficient
    return table


def _ordered(loops: Sequence[Loop], level: str) -> list[Loop]:
    """Loops of one level innermost first: x, then y, then temporal. ValueError where a temporal loop is inside."""
    seen_spatial = False
    for loop in loops:
        if seen_spatial and not loop.spatial:
            raise ValueError(
                f"mapping of {level}: temporal loop over {loop.dim} inside a spatial one; spatial loops come last"
            )
        seen_spatial = seen_spatial or loop.spatial
    inward = list(reversed(loops))
    rank = {"spatial_x": 0, "spatial_y": 1, "temporal": 2}
    return sorted(inward, key=lambda loop: rank[loop.kind])


def lower(problem: Problem, arch: NestArch, mapping: NestMapping) -> LoweredNest:
    """Arrays of `mapping`. Loops of bound 1 are left out.

    Raises ValueError where the mapping does not belong to the problem or the architecture: number of levels, unknown
    dimension or data space, temporal loop inside a spatial one.
    """
    if len(mapping.levels) != len(arch.levels):
        raise ValueError(f"mapping has {len(mapping.levels)} levels, {arch.name} has {len(arch.levels)}")
    dims = list(problem.dims)
    names = [space.name for space in problem.data_spaces]
    rows: list[tuple[int, int, int, int, int]] = []
    first, spatial = [0], []
    for level, spec in zip(reversed(mapping.levels), reversed(arch.levels), strict=True):
        unknown = sorted(set(level.keep) - set(names))
        if unknown:
            raise ValueError(f"mapping of {spec.name} keeps {unknown}; data spaces are {names}")
        loops = [loop for loop in _ordered(level.loops, spec.name) if loop.bound > 1]
        for loop in loops:
            if loop.dim not in problem.dims:
                raise ValueError(f"mapping of {spec.name}: no dimension {loop.dim!r}; dimensions are {dims}")
            rows.append(
                (
                    dims.index(loop.dim),
                    loop.bound,
                    loop.last,
                    int(loop.spatial),
                    int(loop.kind == "spatial_x"),
                )
            )
        if all(loop.spatial for loop in loops):
            rows.append((len(dims) - 1, 1, 1, 0, 0))
        first.append(len(rows))
        spatial.append(sum(loop.spatial for loop in loops))
    table = np.array(rows, np.int64).T
    keep = np.array([[int(n in level.keep) for n in names] for level in reversed(mapping.levels)], np.int64)
    return LoweredNest(
        nest=np.ascontiguousarray(table[:3]),
        is_spatial=np.ascontiguousarray(table[3]),
        is_x=np.ascontiguousarray(table[4]),
        first=np.array(first, np.int64),
        spatial=np.array(spatial, np.int64),
        keep=keep,
    )


def covered(low: LoweredNest, dim: int) -> int:
    """Size of dimension number `dim` that the loops cover, eq. (1), with b bounds and r last bounds.

    (1) size = 1 + sum over loops of (r - 1) * prod of b of the inner loops of the dimension
    """
    size, scale = 1, 1
    for loop in range(low.nest.shape[1]):
        if low.nest[0, loop] == dim:
            size += scale * (int(low.nest[2, loop]) - 1)
            scale *= int(low.nest[1, loop])
    return size


def check_loops(problem: Problem, arch: NestArch, low: LoweredNest) -> Infeasible | None:
    """Why the loops cannot be run at all: factors, fan-outs that are not there, remainders without an outer loop."""
    for number, (dim, size) in enumerate(problem.dims.items()):
        got = covered(low, number)
        if got != size:
            return Infeasible(
                level="mapping",
                what=f"factors of {dim}",
                demand=got,
                bound=size,
                reason=f"the factors of {dim} make up {got}, its size is {size}",
                fits_if=f"the factors of {dim} make up {size}",
            )
    names = [level.name for level in reversed(arch.levels)]
    for level, name in enumerate(names):
        x, y = arch.fanout_xy(len(names) - 1 - level)
        if low.spatial[level] and x * y == 1:
            return Infeasible(
                level=name,
                what="fan-out",
                demand=float(np.prod(low.nest[1, low.first[level] :][: low.spatial[level]])),
                bound=1,
                reason=f"{name} has one child per instance, so it cannot have spatial loops",
                fits_if=f"the spatial loops of {name} are temporal ones",
            )
    for loop in np.nonzero(low.is_spatial)[0]:
        dim, bound, last = low.nest[:, loop]
        level = int(np.searchsorted(low.first, loop, side="right")) - 1
        outer = np.nonzero(low.nest[0, loop + 1 :] == dim)[0] + loop + 1
        beside = outer[outer < low.first[level] + low.spatial[level]]
        if bound == last or (outer.size and not beside.size):
            continue
        dim_name = list(problem.dims)[dim]
        return Infeasible(
            level=names[level],
            what=f"remainder of {dim_name}",
            demand=float(last),
            bound=float(bound),
            reason=f"the spatial loop over {dim_name} leaves a remainder, which needs a temporal loop over it outside"
            f" {names[level]} and no second spatial loop over it beside",
            fits_if=f"an outer temporal loop over {dim_name}, or a bound that divides",
        )
    return None
