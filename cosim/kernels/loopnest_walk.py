"""What a child memory fetches at each temporal step when loop factors leave remainders: by walking the steps.

A loop with a remainder runs `bound` times, and `last` times where every outer loop of its dimension is at its last
iteration. Tiles then differ in size, so steps are walked. Which iterations of a loop are visited (`visiting`):

    0  every one
    1  as timeloop-model does it: the first; the second, counted for all those between; and the last one (and the
       one before it, if the loop itself has a remainder) only inside the last global iteration of its dimension
    2  as 1, with the last one of every loop

What a tile keeps of the previous one (`by_stride`): 0 every word that both cover; 1 the same, but only while the
tile moves by the same vector as at its last move.

Only the first child is followed; the others hold moved copies. Loops are numbered innermost first, over all levels.
Steps that agree in everything are gathered in one row, as in the delta kernel.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from cosim.kernels.rows import copy_row, copy_rows, same_row

NDArray = np.ndarray


@njit(cache=True)
def _is_last(nest: NDArray, index: NDArray, start: int, dim: int) -> bool:
    """Whether every loop of `dim` from loop `start` outwards is at its last iteration."""
    earlier = False
    for loop in range(start, nest.shape[1]):
        earlier = earlier or (nest[0, loop] == dim and index[loop] + 1 < nest[2, loop])
    return not earlier


@njit(cache=True)
def subtract(box: NDArray, other: NDArray) -> NDArray:
    """Disjoint boxes (pieces, axes, 2) of `box` without `other`, sliced axis by axis."""
    axes = box.shape[0]
    pieces = np.zeros((2 * axes, axes, 2), np.int64)
    for a in range(axes):
        if box[a, 1] <= other[a, 0] or other[a, 1] <= box[a, 0]:
            copy_rows(pieces[0], box)
            return pieces[:1]
    rest = box.copy()
    count = 0
    for a in range(axes):
        if rest[a, 0] < other[a, 0]:
            copy_rows(pieces[count], rest)
            pieces[count, a, 1] = other[a, 0]
            rest[a, 0] = other[a, 0]
            count += 1
        if other[a, 1] < rest[a, 1]:
            copy_rows(pieces[count], rest)
            pieces[count, a, 0] = other[a, 1]
            rest[a, 1] = other[a, 1]
            count += 1
    return pieces[:count]


@njit(cache=True)
def _words(pieces: NDArray) -> int:
    total = 0
    for p in range(pieces.shape[0]):
        words = 1
        for a in range(pieces.shape[1]):
            words *= pieces[p, a, 1] - pieces[p, a, 0]
        total += words
    return total


@njit(cache=True)
def _lowest(pieces: NDArray) -> NDArray:
    low = pieces[0, :, 0].copy()
    for p in range(1, pieces.shape[0]):
        for a in range(low.shape[0]):
            low[a] = min(low[a], pieces[p, a, 0])
    return low


@njit(cache=True)
def _moved_copy(now: NDArray, before: NDArray, shift: NDArray) -> bool:
    """Whether the boxes `now` are the boxes `before` moved by `shift`."""
    for p in range(now.shape[0]):
        found = False
        for q in range(before.shape[0]):
            same = True
            for a in range(shift.shape[0]):
                same = same and now[p, a, 0] == before[q, a, 0] + shift[a]
                same = same and now[p, a, 1] == before[q, a, 1] + shift[a]
            if same:
                found = True
                break
        if not found:
            return False
    return True


@njit(cache=True)
def _centre_shift(before: NDArray, now: NDArray) -> NDArray:
    """Move of the centre between two boxes, rounded half away from zero."""
    axes = now.shape[0]
    shift = np.zeros(axes, np.int64)
    for a in range(axes):
        diff = (now[a, 0] + now[a, 1] - before[a, 0] - before[a, 1]) / 2.0
        shift[a] = math.floor(abs(diff) + 0.5) * (1 if diff >= 0 else -1)
    return shift


@njit(cache=True)
def _start(
    nest: NDArray, index: NDArray, temporal: NDArray, state: NDArray, outermost: int, visiting: int
) -> None:
    """Start temporal loops `outermost`..0 again. state (loops, 5): trips, must visit last, own remainder, stage,
    iterations that the visited one stands for."""
    for k in range(outermost, -1, -1):
        loop = temporal[k]
        dim = nest[0, loop]
        index[loop] = 0
        final = _is_last(nest, index, loop + 1, dim)
        below = False
        for inner in range(loop):
            below = below or (nest[0, inner] == dim and nest[1, inner] != nest[2, inner])
        state[k, 0] = nest[2, loop] if final else nest[1, loop]
        state[k, 1] = 1 if visiting == 2 or (final and below) else 0
        state[k, 2] = 1 if nest[1, loop] != nest[2, loop] else 0
        state[k, 3] = 0
        state[k, 4] = 1


@njit(cache=True)
def _next(state: NDArray, index: int, visiting: int) -> tuple[int, int, int]:
    """Next (stage, index, iterations it stands for) of one loop; stage -1 when it is done."""
    trips, last, own, stage = state[0], state[1], state[2], state[3]
    if visiting == 0:
        return (1, index + 1, 1) if index + 1 < trips else (-1, 0, 0)
    ahead = own and last
    middle = trips - 1 - (1 if last else 0) - (1 if ahead else 0)
    if stage == 0 and middle > 0:
        return 1, 1, middle
    if stage <= 1 and ahead and trips >= 3:
        return 2, trips - 2, 1
    if stage <= 2 and last and trips >= 2:
        return 3, trips - 1, 1
    return -1, 0, 0


@njit(cache=True)
def _advance(nest: NDArray, index: NDArray, temporal: NDArray, state: NDArray, visiting: int) -> bool:
    """Go to the next visit; False after the last one."""
    for k in range(temporal.shape[0]):
        stage, at, stands = _next(state[k], index[temporal[k]], visiting)
        if stage >= 0:
            state[k, 3] = stage
            state[k, 4] = stands
            index[temporal[k]] = at
            _start(nest, index, temporal, state, k - 1, visiting)
            return True
    return False


@njit(cache=True)
def _tile(nest: NDArray, index: NDArray, coefficients: NDArray, top: int, origin: int) -> tuple[NDArray, int]:
    """Box (axes, 2) of low and exclusive high that the loops below `top` address, and its words."""
    axes, dims = coefficients.shape
    box = np.zeros((axes, 2), np.int64)
    words = 1
    for d in range(dims):
        whole, last, stride, position = 1, 1, 1, 0
        for loop in range(nest.shape[1]):
            if nest[0, loop] == d:
                if loop < top:
                    last += whole * (nest[2, loop] - 1)
                    whole *= nest[1, loop]
                if loop >= origin:
                    position += index[loop] * stride
                stride *= nest[1, loop]
        extent = last if _is_last(nest, index, top, d) else whole
        for a in range(axes):
            box[a, 0] += coefficients[a, d] * position
            box[a, 1] += coefficients[a, d] * (position + extent - 1)
    for a in range(axes):
        box[a, 1] += 1
        words *= box[a, 1] - box[a, 0]
    return box, words


@njit(cache=True)
def _fetch(box: NDArray, previous: NDArray, motion: NDArray, by_stride: int) -> NDArray:
    """Boxes of `box` that must be fetched after `previous`. motion (axes + 1,): the last move; 1 if there is one."""
    axes = box.shape[0]
    step = _centre_shift(previous, box)
    still = not step.any()
    if not by_stride or still or not motion[axes]:
        if not still:
            copy_row(motion, step)
            motion[axes] = 1
        return subtract(box, previous)
    if same_row(step, motion[:axes]):
        return subtract(box, previous)
    motion[axes] = 0
    whole = np.zeros((1, axes, 2), np.int64)
    copy_rows(whole[0], box)
    return whole


@njit(cache=True)
def _find(table: NDArray, used: int, row: NDArray) -> int:
    for r in range(used - 1, -1, -1):
        if same_row(table[r], row):
            return r
    return used


@njit(cache=True)
def _gather(
    table: NDArray, weights: NDArray, used: int, row: NDArray, weight: int
) -> tuple[NDArray, NDArray, int]:
    """Add `weight` to the row equal to `row`, growing the table where there is none."""
    at = _find(table, used, row)
    if at == table.shape[0]:
        larger = np.zeros((2 * used, table.shape[1]), np.int64)
        copy_rows(larger, table)
        more = np.zeros(2 * used, np.int64)
        copy_row(more, weights)
        table, weights = larger, more
    copy_row(table[at], row)
    weights[at] += weight
    return table, weights, max(used, at + 1)


@njit(cache=True)
def _counted_words(state: NDArray, own_words: int, middle_words: int, visiting: int) -> int:
    """Words counted for a visit of the innermost temporal loop where the parent has a single child.

    timeloop-model counts a last (or last but one) iteration that follows a run of middle ones as one of them.
    """
    if visiting > 0 and state[3] == 2 and state[0] >= 4:
        return middle_words
    if visiting > 0 and state[3] == 3 and not state[2] and state[0] >= 3:
        return middle_words
    return own_words


@njit(cache=True)
def _describe(
    row: NDArray, nest: NDArray, index: NDArray, first: int, spatial: int, pieces: NDArray, held: NDArray
) -> None:
    """Fill a row: words, linked, shift, trip counts of the spatial loops at the step before and now."""
    axes = pieces.shape[1]
    copy_row(row[2 + axes :], row[2 + axes + spatial :])
    row[0] = _words(pieces)
    row[1 : 2 + axes] = 0
    if 0 < pieces.shape[0] == held.shape[0]:
        shift = _lowest(pieces) - _lowest(held)
        if _moved_copy(pieces, held, shift):
            row[1] = 1
            copy_row(row[2:], shift)
    for j in range(spatial):
        loop = first + j
        final = _is_last(nest, index, loop + 1, nest[0, loop])
        row[2 + axes + spatial + j] = nest[2, loop] if final else nest[1, loop]


@njit(cache=True)
def walk(
    nest: NDArray,
    is_spatial: NDArray,
    coefficients: NDArray,
    first: int,
    spatial: int,
    whole: int,
    visiting: int,
    by_stride: int,
) -> tuple[NDArray, NDArray, int, int]:
    """Walk the temporal loops above one child.

    nest (3, loops): dimension, bound and last bound of all loops, innermost first; is_spatial (loops,) 0 or 1;
    coefficients (axes, dims) of the data space; `first` the first loop of the parent level, `spatial` how many
    spatial loops it starts with; whole 1: the child keeps nothing (an arithmetic unit). Returns weights (rows,),
    table (rows, 2 + axes + 2 * spatial) with columns words, linked, shift, trip counts of the spatial loops at
    the step before and now; the largest child tile and the largest union of the children's tiles, in words.
    """
    axes = coefficients.shape[0]
    temporal = np.nonzero(is_spatial[first + spatial :] == 0)[0] + first + spatial
    index = np.zeros(nest.shape[1], np.int64)
    state = np.zeros((temporal.shape[0], 5), np.int64)
    row = np.zeros(2 + axes + 2 * spatial, np.int64)
    table = np.zeros((16, row.shape[0]), np.int64)
    weights = np.zeros(16, np.int64)
    motion = np.zeros(axes + 1, np.int64)
    held = np.zeros((0, axes, 2), np.int64)
    used, largest_tile, largest_union, middle_words = 0, 0, 0, 0
    _start(nest, index, temporal, state, temporal.shape[0] - 1, visiting)
    previous, _ = _tile(nest, index, coefficients, first, first + spatial)
    begun = False
    going = True
    while going:
        _, words = _tile(nest, index, coefficients, first + spatial, first + spatial)
        largest_union = max(largest_union, words)
        box, words = _tile(nest, index, coefficients, first, first + spatial)
        largest_tile = max(largest_tile, words)
        pieces = np.zeros((1, axes, 2), np.int64)
        copy_rows(pieces[0], box)
        if begun and not whole:
            pieces = _fetch(box, previous, motion, by_stride)
        _describe(row, nest, index, first, spatial, pieces, held)
        if state[0, 3] == 1:
            middle_words = row[0]
        if spatial == 0:
            row[0] = _counted_words(state[0], row[0], middle_words, visiting)
        table, weights, used = _gather(table, weights, used, row, state[:, 4].prod())
        previous = box
        held = pieces
        begun = True
        going = _advance(nest, index, temporal, state, visiting)
    return weights[:used], table[:used], largest_tile, largest_union
