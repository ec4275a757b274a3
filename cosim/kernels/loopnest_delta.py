"""What a child memory fetches at each temporal step of a loop nest with perfect factors, in closed form.

A child holds an axis-aligned tile of one data space. The temporal loops above it move the tile; at each step the
child needs the words of its new tile that it does not hold yet (the *delta*). With perfect factors all steps at
which the same loop advances (and all inner loops start again) are alike, so m loops give m + 1 kinds of steps and
nothing has to be walked. Loops are numbered from the inside, k = 0 innermost; n_k is the trip count and s_k the
move of the tile per iteration. Steps at which loop k advances (Parashar et al., ISPASS 2019, section V):

    (1) W_k = (n_k - 1) * prod_{j > k} n_j          and one first step that fetches the whole tile
    (2) T_k = s_k - sum_{j < k} (n_j - 1) * s_j      the move of the tile at such a step
    (3) words_k = |tile| - |tile and tile moved by T_k|

Equation (3) keeps whatever the previous tile covered (`by_stride` 0). timeloop-model (`by_stride` 1) differs twice:
it runs every loop for two iterations only, so that T_k = s_k - sum_{j < k} s_j, and it keeps the overlap only
while the tile moves by the same T as at the last move, else the whole tile is fetched again.

Visits are rows of integer arrays: weight (how many steps), words (delta of the first child), linked (1 when the
delta is a moved copy of the previous step's delta) and shift (by how much, per axis).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cosim.kernels.rows import copy_row, same_row

NDArray = np.ndarray


@njit(cache=True)
def _overlap_words(extents: NDArray, shift: NDArray) -> int:
    """Words that a box of `extents` shares with itself moved by `shift`."""
    words = 1
    for a in range(extents.shape[0]):
        side = extents[a] - abs(shift[a])
        if side <= 0:
            return 0
        words *= side
    return words


@njit(cache=True)
def moves(bounds: NDArray, steps: NDArray, by_stride: int) -> NDArray:
    """T_k of equation (2), shape (loops, axes); with `by_stride` every inner trip count reads as 2."""
    loops, axes = steps.shape
    moved = np.zeros((loops, axes), np.int64)
    rewind = np.zeros(axes, np.int64)
    for k in range(loops):
        for a in range(axes):
            moved[k, a] = steps[k, a] - rewind[a]
            rewind[a] += steps[k, a] * (1 if by_stride else bounds[k] - 1)
    return moved


@njit(cache=True)
def _single_axis(shift: NDArray) -> int:
    """The one axis along which `shift` moves, -1 when there is none or more than one."""
    found = -1
    for a in range(shift.shape[0]):
        if shift[a] != 0:
            if found >= 0:
                return -1
            found = a
    return found


@njit(cache=True)
def _alike(a: NDArray, b: NDArray) -> bool:
    """Whether the deltas of two overlapping moves are moved copies of each other.

    They are when the moves are equal, or opposite along one axis (a slice at the top against one at the bottom).
    """
    if same_row(a, b):
        return True
    axis = _single_axis(a)
    return axis >= 0 and axis == _single_axis(b) and a[axis] == -b[axis]


@njit(cache=True)
def _delta_words(moved: NDArray, extents: NDArray, by_stride: int, whole: int) -> tuple[NDArray, NDArray]:
    """Words and shape number of the delta of every loop; equal numbers are moved copies. 0 empty, 1 whole tile.

    `whole` 1 is a child that keeps nothing (an arithmetic unit): every step needs its operand again.
    """
    loops = moved.shape[0]
    full = 1
    for a in range(extents.shape[0]):
        full *= extents[a]
    words = np.full(loops, full, np.int64)
    shape = np.ones(loops, np.int64)
    if whole:
        return words, shape
    first = -1
    for k in range(loops):
        shared = _overlap_words(extents, moved[k])
        if shared == full:
            words[k] = 0
            shape[k] = 0
            continue
        if first < 0:
            first = k
        if shared == 0 or (by_stride and not same_row(moved[k], moved[first])):
            continue
        words[k] = full - shared
        shape[k] = 2 + k
        for j in range(k):
            if shape[j] > 1 and _alike(moved[j], moved[k]):
                shape[k] = shape[j]
                break
    return words, shape


@njit(cache=True)
def _anchor(moved: NDArray, extents: NDArray, shape: int, axis: int) -> int:
    """Where, along `axis`, the delta starts within the tile (only what differs between alike deltas matters)."""
    if shape > 1 and _single_axis(moved) == axis and moved[axis] > 0:
        return extents[axis] - moved[axis]
    return 0


@njit(cache=True)
def visits(
    bounds: NDArray, steps: NDArray, extents: NDArray, by_stride: int, whole: int
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Kinds of steps of the temporal loops above one child.

    bounds (loops,) trip counts > 1, innermost first; steps (loops, axes) moves per iteration; extents (axes,)
    of the child's tile. Returns weight (rows,), words (rows,), linked (rows,), shift (rows, axes), all int64;
    rows of weight 0 may occur.
    """
    loops, axes = steps.shape
    moved = moves(bounds, steps, by_stride)
    words, shape = _delta_words(moved, extents, by_stride, whole)
    rows = 1 + max(0, 2 * loops)
    weight = np.zeros(rows, np.int64)
    fetched = np.zeros(rows, np.int64)
    linked = np.zeros(rows, np.int64)
    shift = np.zeros((rows, axes), np.int64)
    full = 1
    for a in range(axes):
        full *= extents[a]
    weight[0] = 1
    fetched[0] = full
    # Row k: loop k > 0 advances, the step before was one of loop 0. Row loops + k: loop 0 advances for the first
    # time after a step of loop k (k = 0: after the very first step). Row `loops`: loop 0 after loop 0.
    outer = 1
    for k in range(loops - 1, -1, -1):
        count = (bounds[k] - 1) * outer
        outer *= bounds[k]
        if k > 0:
            weight[k] = count
            fetched[k] = words[k]
            linked[k] = 1 if shape[k] > 0 and shape[k] == shape[0] else 0
            weight[loops + k] = count * ((bounds[0] - 1) if by_stride else 1)
            fetched[loops + k] = words[0]
            linked[loops + k] = linked[k]
            for a in range(axes):
                turn = _anchor(moved[k], extents, shape[k], a) - _anchor(moved[0], extents, shape[0], a)
                shift[k, a] = moved[k, a] + turn
                shift[loops + k, a] = moved[0, a] - turn
    if loops > 0:
        repeats = outer // bounds[0]
        weight[loops] = 0 if by_stride else (bounds[0] - 2) * repeats
        fetched[loops] = words[0]
        linked[loops] = 1 if shape[0] > 0 else 0
        weight[2 * loops] = (bounds[0] - 1) if by_stride else 1
        fetched[2 * loops] = words[0]
        linked[2 * loops] = 1 if shape[0] == 1 else 0
        copy_row(shift[loops], moved[0])
        copy_row(shift[2 * loops], moved[0])
    return weight, fetched, linked, shift
