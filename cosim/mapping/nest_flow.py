"""Tiles, network traffic and occupancy of a lowered loop nest, by the loop-nest kernels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.kernels.loopnest_delta import visits
from cosim.kernels.loopnest_network import traffic
from cosim.kernels.loopnest_walk import walk
from cosim.mapping.nest import CountOptions, DataSpace, NestArch, Problem
from cosim.mapping.nest_lower import IntArray, LoweredNest, coefficients

FloatArray = NDArray[np.float64]

# Steps that one walk may take, about a minute.
WALK_LIMIT = 30_000_000


@dataclass(slots=True)
class SpaceFlow:
    """One data space over all levels, innermost first: tile words, words of the children's tiles together (0
    without spatial loops), link transfers, and the network entries with the row where each level starts."""

    tile: IntArray
    union: IntArray
    link: FloatArray
    entries: FloatArray
    start: IntArray
    steps_per_child: float = 0.0


@dataclass(frozen=True, slots=True)
class Occupancy:
    """Instances of every level (innermost first) and of the compute array: mean in use, most in use along x and y."""

    used: IntArray
    x: IntArray
    y: IntArray
    compute_used: int
    compute_x: int
    compute_y: int


def _strides(low: LoweredNest) -> IntArray:
    """Iterations of its dimension that one iteration of each loop moves, (loops,)."""
    stride = np.ones(low.nest.shape[1], np.int64)
    for loop in range(low.nest.shape[1]):
        inner = low.nest[0, :loop] == low.nest[0, loop]
        stride[loop] = np.prod(low.nest[1, :loop][inner])
    return stride


def _words(coef: IntArray, low: LoweredNest, top: int) -> tuple[int, IntArray]:
    """Words and extents (axes,) of the tile of the loops below `top` (perfect factors)."""
    extents = np.ones(coef.shape[0], np.int64)
    for dim in range(coef.shape[1]):
        size = int(np.prod(low.nest[1, :top][low.nest[0, :top] == dim]))
        extents += coef[:, dim] * (size - 1)
    return int(np.prod(extents)), extents


def _steps(
    coef: IntArray, low: LoweredNest, level: int, options: CountOptions
) -> tuple[IntArray, IntArray, int, int]:
    """Kinds of steps above the child of `level`: weights, table (walk kernel's columns), tile and union words."""
    first, spatial = int(low.first[level]), int(low.spatial[level])
    by_stride = int(options.temporal_reuse == "stride")
    whole = int(level == 0)
    if not low.perfect or options.visited_iterations != "auto":
        visiting = {"auto": by_stride, "all": 0, "second": 1, "second and last": 2}[
            options.visited_iterations
        ]
        if whole and not spatial:
            visiting = 1  # every step costs one operand, so only their number matters
        steps = math.prod(low.nest[1, first:][low.is_spatial[first:] == 0].tolist())
        if visiting == 0 and steps > WALK_LIMIT:
            raise ValueError(
                f"counting every step of a nest with remainders would walk {steps:.3g} steps, the limit is"
                f" {WALK_LIMIT:.3g}: choose factors that divide, or the option visited_iterations='second'"
            )
        weight, table, tile, union = walk(
            low.nest, low.is_spatial, coef, first, spatial, whole, visiting, by_stride
        )
        return weight, table, int(tile), int(union)
    tile, extents = _words(coef, low, first)
    union, _ = _words(coef, low, first + spatial)
    above = np.arange(first + spatial, low.nest.shape[1])
    loops = above[(low.is_spatial[above] == 0) & (low.nest[1, above] > 1)]
    moves = coef[:, low.nest[0, loops]].T * _strides(low)[loops][:, None]
    weight, words, linked, shift = visits(
        low.nest[1, loops], np.ascontiguousarray(moves), extents, by_stride, whole
    )
    counts = np.broadcast_to(low.nest[1, first : first + spatial], (weight.size, spatial))
    table = np.concatenate((words[:, None], linked[:, None], shift, counts, counts), axis=1)
    return weight, np.ascontiguousarray(table), tile, union


def space_flow(
    problem: Problem, space: DataSpace, arch: NestArch, low: LoweredNest, options: CountOptions
) -> SpaceFlow:
    """Tiles and network traffic of one data space below every level."""
    coef = coefficients(problem, space)
    axes, levels = coef.shape[0], len(arch.levels)
    strides = _strides(low)
    flow = SpaceFlow(
        np.zeros(levels, np.int64),
        np.zeros(levels, np.int64),
        np.zeros(levels),
        np.zeros((0, 4)),
        np.zeros(levels + 1, np.int64),
    )
    parts = []
    for level in range(levels):
        spec = arch.levels[levels - 1 - level]
        first, spatial = int(low.first[level]), int(low.spatial[level])
        weight, table, tile, union = _steps(coef, low, level, options)
        loops = slice(first, first + spatial)
        bounds, across = low.nest[1, loops], low.is_x[loops]
        x, y = arch.fanout_xy(levels - 1 - level) if spatial else (1, 1)
        packed = options.placement == "packed"
        wide, high = int(np.prod(bounds[across == 1])), int(np.prod(bounds[across == 0]))
        entries, link = traffic(
            weight,
            table,
            np.stack((bounds, across)),
            np.ascontiguousarray(coef[:, low.nest[0, loops]].T * strides[loops][:, None]),
            (max(x, wide), max(y, high)),
            int(packed),
            int(options.link_transfers and spec.link_transfers and spatial > 0),
            int(options.toroidal_links),
            int(spec.multicast),
        )
        if level == 0:
            children = table[:, 2 + axes + spatial :].prod(axis=1)
            flow.steps_per_child = float((weight * children).sum() / children.max())
        else:
            flow.tile[level - 1] = tile
        flow.union[level] = union if spatial else 0
        flow.link[level] = link
        flow.start[level + 1] = flow.start[level] + entries.shape[0]
        parts.append(entries)
    flow.entries = np.concatenate(parts)
    flow.tile[levels - 1] = space.words(problem.dims)
    return flow


def occupancy(low: LoweredNest) -> Occupancy:
    """Instances in use, from the outermost level inwards.

    A spatial loop with a remainder counts its mean trip count over the outer loops of its dimension; products are
    cut to whole instances, as timeloop-model does.
    """
    levels = low.first.size - 1
    used, x, y = (np.ones(levels, np.int64) for _ in range(3))
    mean, wide, high = 1.0, 1, 1
    for level in range(levels - 1, -1, -1):
        used[level], x[level], y[level] = int(mean), wide, high
        before, children = mean, 1
        for loop in range(int(low.first[level] + low.spatial[level]) - 1, int(low.first[level]) - 1, -1):
            dim, bound, last = (int(v) for v in low.nest[:, loop])
            children *= bound
            wide, high = (wide * bound, high) if low.is_x[loop] else (wide, high * bound)
            outer = 1.0
            for other in range(low.nest.shape[1] - 1, loop, -1):
                if low.nest[0, other] == dim:
                    outer = low.nest[2, other] + low.nest[1, other] * (outer - 1)
            mean = mean * bound if bound == last else mean * (last + bound * (outer - 1)) / outer
    return Occupancy(used, x, y, int(before * children), wide, high)
