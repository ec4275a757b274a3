"""What a tiling fixes before any loop order: tiles, multicast, instances, iterations.

Levels, loops and arrays are those of the evaluation kernel. Children whose tiles start at the same address want the
same words, so one read serves them all (Parashar et al., ISPASS 2019, section V); the number of different tiles is the
product over the axes of the number of different offsets, for two dimensions with n and m children and steps a and b

    (1) offsets = n * m - max(0, n - b / g) * max(0, m - a / g)        g = gcd(a, b)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

NDArray = np.ndarray

HARD = -2


@njit(cache=True)
def _tile(kind: NDArray, coef: NDArray, s: int, extent: NDArray, sides: NDArray) -> int:
    """Words of the tile of data space s; `sides` (Z,) gets the extents of its windows, 0 where there is none."""
    words = 1
    sides[:] = 0
    for d in range(extent.shape[0]):
        if kind[s, d] == HARD:
            words *= 1 + coef[s, d] * (extent[d] - 1)
        elif kind[s, d] >= 0:
            sides[kind[s, d]] += coef[s, d] * (extent[d] - 1) + (1 if sides[kind[s, d]] == 0 else 0)
    for z in range(sides.shape[0]):
        words *= max(1, sides[z])
    return words


@njit(cache=True)
def _groups(kind: NDArray, coef: NDArray, partner: NDArray, s: int, extent: NDArray, across: NDArray) -> int:
    """Children with different tiles, equation (1)."""
    groups = 1
    for d in range(extent.shape[0]):
        if kind[s, d] == HARD:
            groups *= across[d]
        e = partner[s, d]
        if kind[s, d] >= 0 and e > d:
            a, b = coef[s, d] * extent[d], coef[s, e] * extent[e]
            g, rest = a, b
            while rest:
                g, rest = rest, g % rest
            groups *= across[d] * across[e] - max(0, across[d] - b // g) * max(0, across[e] - a // g)
    return groups


@njit(cache=True)
def _extents(
    temporal: NDArray, across: NDArray, inside: NDArray, held: NDArray, used: NDArray, steps: NDArray
) -> None:
    """Extents inside each level's temporal loops (L, D) and of the tiles held (L + 1, D); instances, arithmetic units
    last, and iterations of all temporal loops from a level outwards, both (L + 1,)."""
    levels = temporal.shape[0]
    held[0] = 1
    for level in range(levels):
        inside[level] = held[level] * across[level]
        held[level + 1] = inside[level] * temporal[level]
    steps[levels] = 1
    for level in range(levels - 1, -1, -1):
        steps[level] = steps[level + 1] * temporal[level].prod()
        used[level] = 1 if level == levels - 1 else used[level + 1] * across[level + 1].prod()
    used[levels] = used[0] * across[0].prod()


@njit(cache=True)
def _fits(nest: Any, capacity: NDArray, held: NDArray, side: NDArray) -> bool:
    """Whether every level holds the tiles of what it keeps."""
    fits = True
    for level in range(capacity.shape[0]):
        words = 0
        for s in range(nest[1].shape[0]):
            words += _tile(nest[1], nest[2], s, held[level + 1], side) if nest[5][level, s] else 0
        fits = fits and not 0 <= capacity[level] < words
    return fits


@njit(cache=True)
def lay_out(
    nest: Any, capacity: NDArray, multicast: NDArray, table: NDArray, temporal: NDArray, across: NDArray
) -> tuple[NDArray, NDArray, NDArray, NDArray, NDArray, NDArray, NDArray, NDArray]:
    """For N tilings, temporal and across (N, L, D), with the streams table (I, 3):

    fits (N,) whether every tile fits; inside (N, L, D) extents inside each level's temporal loops; tile (N, I) words
    and sides (N, I, Z) windows of what a stream fetches into; reach (N, I) reads of the outer level per word that a
    child fetches; first (N, L, S) words of outputs that an instance sees in all; used (N, L + 1) instances,
    arithmetic units last; steps (N, L + 1) iterations of all temporal loops from a level outwards.
    """
    size, kind, coef, partner, output, _ = nest
    number, levels, dims = temporal.shape
    spaces, windows, count = kind.shape[0], max(1, kind.max() + 1), table.shape[0]
    inside, held = np.ones((number, levels, dims), np.int64), np.ones((levels + 1, dims), np.int64)
    tile, reach = np.ones((number, count), np.int64), np.ones((number, count), np.int64)
    sides, first = np.zeros((number, count, windows), np.int64), np.zeros((number, levels, spaces), np.int64)
    used, steps = np.ones((number, levels + 1), np.int64), np.ones((number, levels + 1), np.int64)
    fits, side = np.zeros(number, np.bool_), np.zeros(windows, np.int64)
    for n in range(number):
        _extents(temporal[n], across[n], inside[n], held, used[n], steps[n])
        fits[n] = _fits(nest, capacity, held, side)
        if not fits[n]:
            continue
        for i in range(count):
            s, inner, outer = table[i]
            if inner >= 0:
                tile[n, i] = _tile(kind, coef, s, held[inner + 1], sides[n, i])
            for level in range(inner + 1, outer + 1):
                if multicast[level]:
                    reach[n, i] *= _groups(kind, coef, partner, s, held[level], across[n, level])
                else:
                    reach[n, i] *= across[n, level].prod()
        for s in range(spaces):
            if output[s]:
                first[n, levels - 1, s] = _tile(kind, coef, s, size, side)
                for level in range(levels - 2, -1, -1):
                    children = _groups(kind, coef, partner, s, held[level + 1], across[n, level + 1])
                    first[n, level, s] = first[n, level + 1, s] // children
    return fits, inside, tile, sides, reach, first, used, steps
