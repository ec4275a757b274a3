"""What children of many loop nests take from mesh neighbours instead of their parent.

A child may take a delta that a neighbour took at the step before. Neighbours along x (or y) differ by the move of the
innermost x (y) loop, so where the deltas of two consecutive steps are copies of each other, apart by just that move,
all children but those at that loop's end have such a neighbour. Other matches (across the end of a loop, of several
loops, or with children that want the same) are counted child by child. Links are used at a step only when they lower
the parent's reads.
"""

from __future__ import annotations

import numpy as np
from numba import njit

NDArray = np.ndarray

PLAIN, SHARED = 1, 2
# Rows of the scratch table: how far deltas are apart, where they start in the tile, then how far neighbours are apart.
SHIFT, TURN, APART = 0, 1, 2


@njit(cache=True, error_model="numpy")
def _neighbours(
    i: int, s: int, first: int, split: int, fence: int, axes: int, loops: NDArray, stride: NDArray, roles: NDArray,
    axis: NDArray, coefficient: NDArray, v: NDArray, kind: NDArray,
) -> int:  # fmt: skip
    """By how much neighbours differ, into rows of v from APART on; number of rows.

    kind (rows,): 1 along the innermost x loop, 2 across its end, -1 and -2 along y. A plain loop ends a direction: from
    there on neighbours differ along a plain axis.
    """
    rows = 0
    for direction in range(2):
        start, stop = (first, split) if direction == 0 else (split, fence)
        for loop in range(start, stop):
            d = loops[i, 0, loop]
            if roles[s, d] == PLAIN:
                break
            for a in range(axes):
                v[APART + rows, a] = 0
                if loop > start:
                    v[APART + rows, a] = v[APART + rows - 1, a]
            step = stride[i, loop] * coefficient[s, d]
            if loop > start and axis[s, loops[i, 0, loop - 1]] >= 0:
                before = loops[i, 0, loop - 1]
                rewind = loops[i, 1, loop - 1] * stride[i, loop - 1] * coefficient[s, before]
                v[APART + rows, axis[s, before]] -= rewind
            if step:
                v[APART + rows, axis[s, d]] += step
            kind[rows] = (1 if loop == start else 2) * (1 if direction == 0 else -1)
            rows += 1
    return rows


@njit(cache=True, error_model="numpy")
def _match(rows: int, axes: int, v: NDArray, kind: NDArray) -> int:
    """Neighbours that differ by v[SHIFT] or minus it: 1 along x, -1 along y, 3 by both, 2 in other ways, 0 none."""
    x, y = 0, 0
    for r in range(rows):
        ahead, behind = True, True
        for a in range(axes):
            ahead = ahead and v[APART + r, a] == v[SHIFT, a]
            behind = behind and v[APART + r, a] == -v[SHIFT, a]
        if (ahead or behind) and kind[r] > 0 and x == 0:
            x = kind[r]
        if (ahead or behind) and kind[r] < 0 and y == 0:
            y = -kind[r]
    if x == 2 or y == 2:
        return 3 if x == 1 or y == 1 else 2
    return 3 if x and y else x - y


@njit(cache=True, error_model="numpy")
def _alike(
    r: int, row: int, i: int, level: int, low: int, axes: int, full: int, moves: NDArray, deltas: NDArray,
    extent: NDArray, v: NDArray,
) -> bool:  # fmt: skip
    """Whether the deltas of loops `row` and 0 are copies; v[TURN]: where the former starts in the tile minus where the
    latter does. full: words of the whole tile."""
    v[TURN] = 0
    if deltas[r, row] != deltas[r, 0] or deltas[r, 0] == full:
        return bool(deltas[r, row] == deltas[r, 0])
    same, one, several = True, 0, 0
    for a in range(axes):
        same = same and moves[r, row, a] == moves[r, 0, a]
        if moves[r, row, a] != 0 or moves[r, 0, a] != 0:
            one = a
            several += 1
    if same:
        return True
    if several != 1 or moves[r, row, one] != -moves[r, 0, one]:
        return False
    top = extent[i, level, low + one] - abs(moves[r, row, one])
    v[TURN, one] = top if moves[r, row, one] > 0 else -top
    return True


@njit(cache=True, error_model="numpy")
def _apart(r: int, row: int, case: int, axes: int, moves: NDArray, v: NDArray) -> bool:
    """v[SHIFT]: by how much a delta is apart from the one before; True when it is the same words.

    case 0: loop `row` advances after loop 0, 1: loop 0 after loop `row`; v[TURN] as `_alike` left it.
    """
    still = True
    for a in range(axes):
        v[SHIFT, a] = moves[r, row, a] + v[TURN, a] if case == 0 else moves[r, 0, a] - v[TURN, a]
        still = still and v[SHIFT, a] == 0
    return still


@njit(cache=True, error_model="numpy")
def _children(
    i: int, s: int, first: int, fence: int, axes: int, loops: NDArray, stride: NDArray, roles: NDArray, axis: NDArray,
    coefficient: NDArray, table: NDArray,
) -> None:  # fmt: skip
    """Where every child's tile lies, into table (children, 1 + axes): number of its place along plain dimensions, and
    offset along the shared axes."""
    count = 1
    for loop in range(first, fence):
        count *= loops[i, 1, loop]
    for child in range(count):
        rest, scale = child, 1
        for a in range(axes + 1):
            table[child, a] = 0
        for loop in range(first, fence):
            d, n = loops[i, 0, loop], loops[i, 1, loop]
            index = rest % n
            rest //= n
            if roles[s, d] == PLAIN:
                table[child, 0] += index * scale
                scale *= n
            elif roles[s, d] == SHARED:
                table[child, 1 + axis[s, d]] += index * stride[i, loop] * coefficient[s, d]


@njit(cache=True, error_model="numpy")
def _count_linked(count: int, width: int, axes: int, table: NDArray, v: NDArray) -> tuple[int, int]:
    """How many of the children that no neighbour can serve differ, and how many a neighbour can serve.

    width: children along x; table as `_children` left it.
    """
    taken = np.zeros(count, np.bool_)
    linked, differ = 0, 0
    for child in range(count):
        for side in range(4):
            column, row = (
                child % width + (side == 0) - (side == 1),
                child // width + (side == 2) - (side == 3),
            )
            other = row * width + column
            if column < 0 or column >= width or row < 0 or other >= count:
                continue
            same = table[other, 0] == table[child, 0]
            for a in range(axes):
                same = same and table[other, 1 + a] == table[child, 1 + a] + v[SHIFT, a]
            taken[child] |= same
        linked += taken[child]
    for child in range(count):
        first = not taken[child]
        for other in range(child):
            if not first:
                break
            same = not taken[other]
            for a in range(axes + 1):
                same = same and table[other, a] == table[child, a]
            first = not same
        differ += first
    return differ, linked


@njit(cache=True, error_model="numpy")
def links(
    count: int, cases: NDArray, allowed: NDArray, loops: NDArray, firsts: NDArray, spreads: NDArray, roles: NDArray,
    axis: NDArray, coefficient: NDArray, axes: NDArray, stride: NDArray, temporal: NDArray, starts: NDArray,
    plain: NDArray, extent: NDArray, tile: NDArray, span: NDArray, moves: NDArray, deltas: NDArray, differ: NDArray,
    linked: NDArray,
) -> None:  # fmt: skip
    """What links bring per run in every case, as `slides` left the moves and deltas, and `distinct` differ.

    allowed (levels,) 0 or 1. Out: linked (cases, 3): words of the steps that use links; the parent's reads at those
    steps; words over links.
    """
    v = np.zeros((APART + loops.shape[2], max(1, axes[-1])), np.int64)
    kind = np.zeros(loops.shape[2], np.int64)
    table = np.zeros((0, 1 + axes[-1]), np.int64)
    for r in range(count):
        i, level, s = cases[r, 0], cases[r, 1], cases[r, 2]
        linked[r, 0], linked[r, 1], linked[r, 2] = 0.0, 0.0, 0.0
        start, stop = starts[i, level], plain[i, level, s]
        if cases[r, 3] == 0 or not allowed[level] or (level > 0 and (stop == start or deltas[r, 0] == 0)):
            continue
        many, low, first = axes[s + 1] - axes[s], axes[s], firsts[i, level]
        split, fence = first + spreads[i, level, 0], first + spreads[i, level, 0] + spreads[i, level, 1]
        rows = _neighbours(i, s, first, split, fence, many, loops, stride, roles, axis, coefficient, v, kind)
        v[TURN] = 0
        full, placed, outer = 1, False, 1.0
        for a in range(many):
            full *= extent[i, level, low + a]
        for k in range(stop - 1, start - 1, -1):
            row, n = k - start, temporal[i, 1, k]
            steps = (n - 1) * outer
            outer *= n
            if level > 0 and not _alike(r, row, i, level, low, many, full, moves, deltas, extent, v):
                continue
            for case in range(2 if level > 0 else 1):
                # 0: loop k advances after loop `start` did; 1: loop `start` advances after loop k did, or at first
                weight = steps
                if level > 0 and row == 0:
                    weight = steps - outer / n if case == 0 else (1.0 if deltas[r, 0] == full else 0.0)
                still = _apart(r, row, case, many, moves, v)
                way = _match(rows, many, v, kind) if weight > 0 else 0
                if way == 0:
                    continue
                fanout = span[i, level, 0] * span[i, level, 1]
                loop = first if way == 1 else split
                trips = loops[i, 1, loop]
                left, served = differ[r] // trips, fanout // trips * (trips - 1)
                if still and way != 2:  # neighbours along the innermost loop want the same, all of them
                    left, served = 0, fanout
                elif way > 1 or cases[r, 3] == 2 or roles[s, loops[i, 0, loop]] != SHARED:
                    if fanout > table.shape[0]:
                        table = np.zeros((fanout, 1 + axes[-1]), np.int64)
                    if not placed:
                        _children(i, s, first, fence, many, loops, stride, roles, axis, coefficient, table)
                        placed = True
                    left, served = _count_linked(fanout, span[i, level, 0], many, table, v)
                if left < differ[r]:
                    words = weight * (deltas[r, 0] * (tile[i, level, s] / full) if level > 0 else 1.0)
                    linked[r, 0] += words
                    linked[r, 1] += words * left
                    linked[r, 2] += words * served
