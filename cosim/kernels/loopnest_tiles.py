"""Tiles of many perfect loop nests: words below every level, and the temporal loops above it.

The data spaces come as a tuple of their numbers: its length is known to the compiler, which unrolls the loops over it.
All arrays count loops and levels from the innermost, and nests along their first axis. A dimension is *plain* for a
data space when it has an axis of its own there, *shared* when it only shares one (a sliding window), else absent; a
plain one is a *unit* when its axis has coefficient 1 and it is on no other. Words of a tile are the product of its
unit sizes and of the extents of the other axes:

    (1) extent = 1 + sum of coefficient * (size - 1)
"""

from __future__ import annotations

import numpy as np
from numba import njit

NDArray = np.ndarray

ABSENT, PLAIN = 0, 1


@njit(cache=True, error_model="numpy", inline="always")
def _words(
    i: int, level: int, unit: int, low: int, high: int, terms: NDArray, size: NDArray, extent: NDArray
) -> int:
    """Words of a box with `unit` words along its unit dimensions, equation (1) for axes low..high - 1 into
    extent[i, level]."""
    words = unit
    for a in range(low, high):
        side = 1
        for t in range(terms[a, 0], terms[a + 1, 0]):
            side += terms[t, 2] * (size[terms[t, 1]] - 1)
        extent[i, level, a] = side
        words *= side
    return words


@njit(cache=True, error_model="numpy")
def tiles(
    spaces: tuple[int, ...], loops: NDArray, firsts: NDArray, spreads: NDArray, roles: NDArray, units: NDArray,
    axes: NDArray, terms: NDArray, stride: NDArray, temporal: NDArray, starts: NDArray, extent: NDArray,
    tile: NDArray, union: NDArray, groups: NDArray, span: NDArray,
) -> None:  # fmt: skip
    """Tiles of every nest.

    loops (nests, 2, loops): dimension and bound; firsts (nests, levels + 1): where a level starts; spreads (nests,
    levels, 2): with how many x and then y loops; roles, units (spaces, dims); axes (spaces + 1,): first axis of each
    space that is not of a unit; terms (terms, 3): where an axis's terms start, and a term's dimension and coefficient.
    Out: stride (nests, loops) of spatial loops; temporal (nests, 3, loops): dimension, bound, stride of the temporal
    loops with bound > 1; starts (nests, levels + 1): the first of them at each level, and their number; extent (nests,
    levels + 1, axes), tile (nests, levels + 1, spaces): of the child below each level, and of the whole problem; union
    (nests, levels, spaces): words of all children of an instance; groups (nests, levels, spaces): how many of them
    differ, if none collide; span (nests, levels, 2): children along x and y.
    """
    levels = span.shape[1]
    size = np.ones(roles.shape[1], np.int64)
    unit = np.ones(len(spaces), np.int64)
    for i in range(span.shape[0]):
        count = 0
        size[:] = 1
        unit[:] = 1
        for s in range(len(spaces)):
            tile[i, 0, s] = _words(i, 0, 1, axes[s], axes[s + 1], terms, size, extent)
        for level in range(levels):
            starts[i, level] = count
            split = firsts[i, level] + spreads[i, level, 0]
            fence = split + spreads[i, level, 1]
            span[i, level, 0], span[i, level, 1] = 1, 1
            for s in range(len(spaces)):
                groups[i, level, s] = 1
                union[i, level, s] = tile[i, level, s]
            for loop in range(firsts[i, level], fence):
                d, n = loops[i, 0, loop], loops[i, 1, loop]
                stride[i, loop] = size[d]
                size[d] *= n
                span[i, level, 0 if loop < split else 1] *= n
                for s in range(len(spaces)):
                    groups[i, level, s] *= n if roles[s, d] != ABSENT else 1
                    unit[s] *= n if units[s, d] else 1
                    if loop + 1 == fence:
                        union[i, level, s] = _words(
                            i, level + 1, unit[s], axes[s], axes[s + 1], terms, size, extent
                        )
            for loop in range(fence, firsts[i, level + 1]):
                d, n = loops[i, 0, loop], loops[i, 1, loop]
                temporal[i, 0, count], temporal[i, 1, count], temporal[i, 2, count] = d, n, size[d]
                count += 1 if n > 1 else 0
                size[d] *= n
                for s in range(len(spaces)):
                    unit[s] *= n if units[s, d] else 1
            for s in range(len(spaces)):
                tile[i, level + 1, s] = _words(
                    i, level + 1, unit[s], axes[s], axes[s + 1], terms, size, extent
                )
        starts[i, levels] = count


@njit(cache=True, error_model="numpy")
def steps_above(
    spaces: tuple[int, ...],
    temporal: NDArray,
    starts: NDArray,
    roles: NDArray,
    after: NDArray,
    relevant: NDArray,
    plain: NDArray,
) -> None:
    """Steps of the temporal loops from each on, and which of them matter first above every level's child.

    temporal, starts as `tiles` left them. Out: after (nests, loops + 1); relevant, plain (nests, levels, spaces): the
    first loop over a dimension that is not absent, that is plain (the number of loops where there is none).
    """
    levels = relevant.shape[1]
    for i in range(starts.shape[0]):
        k = starts[i, levels]
        after[i, k] = 1.0
        for level in range(levels - 1, -1, -1):
            for s in range(len(spaces)):
                relevant[i, level, s] = relevant[i, level + 1, s] if level + 1 < levels else k
                plain[i, level, s] = plain[i, level + 1, s] if level + 1 < levels else k
            while k > starts[i, level]:
                k -= 1
                after[i, k] = after[i, k + 1] * temporal[i, 1, k]
                for s in range(len(spaces)):
                    role = roles[s, temporal[i, 0, k]]
                    if role != ABSENT:
                        relevant[i, level, s] = k
                    if role == PLAIN:
                        plain[i, level, s] = k
