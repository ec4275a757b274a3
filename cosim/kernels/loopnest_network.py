"""Traffic between one memory and its children: multicast, transfers between mesh neighbours, hops.

All children want moved copies of one delta at each step; child s has it moved by the offset o_s, the sum over the
spatial loops of index times move. The rules are those of timeloop-model (Parashar et al., ISPASS 2019, section V):

    (1) children of equal offset want the same words: one read of the parent serves them all (multicast);
    (2) child s may take its words from a mesh neighbour s' that took the same words at the step before, that is
        where o_s' = o_s + shift; whoever is left is served by rule (1). Links are used at a step only when they
        lower the parent's reads.

A child sits at a column and a row of the mesh: the mixed-radix numbers of its x and of its y indices (`packed` 0).
timeloop-model counts children in loop order and folds that number at the width of the physical mesh (`packed` 1),
which is another place when x loops use only part of the width. For hops, words enter at column 0, at the middle row;
a multicast runs along that row to the farthest column, then up and down every column that has a taker.

The entries table has one row per (multicast factor, number of groups): factor, groups, accesses of the
parent, accesses times hops.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cosim.kernels.rows import copy_row, copy_rows, same_row

NDArray = np.ndarray


@njit(cache=True)
def children(
    counts: NDArray, bounds: NDArray, is_x: NDArray, steps: NDArray, width: int, packed: int
) -> tuple[NDArray, NDArray]:
    """Offset (children, axes) and place (children, 2: column, row) of every child.

    counts, bounds, is_x (loops,): trip counts now, at most, and 1 for loops along x; steps (loops, axes); innermost
    loop first.
    """
    loops, axes = steps.shape
    total = 1
    for j in range(loops):
        total *= counts[j]
    offset = np.zeros((total, axes), np.int64)
    place = np.zeros((total, 2), np.int64)
    for child in range(total):
        rest = child
        column_scale, row_scale = 1, 1
        for j in range(loops):
            index = rest % counts[j]
            rest //= counts[j]
            if is_x[j]:
                place[child, 0] += index * column_scale
                column_scale *= bounds[j]
            else:
                place[child, 1] += index * row_scale
                row_scale *= bounds[j]
            for a in range(axes):
                offset[child, a] += index * steps[j, a]
        if packed:
            place[child, 0] = child % width
            place[child, 1] = child // width
    return offset, place


@njit(cache=True)
def _keys(table: NDArray) -> NDArray:
    """One integer per row of `table` (rows, axes), in the order of the rows; equal for equal rows and only them."""
    children, axes = table.shape
    keys = np.zeros(children, np.int64)
    for a in range(axes):
        low = table[0, a]
        high = table[0, a]
        for c in range(children):
            low = min(low, table[c, a])
            high = max(high, table[c, a])
        for c in range(children):
            keys[c] = keys[c] * (high - low + 1) + (table[c, a] - low)
    return keys


@njit(cache=True)
def _group_hops(place: NDArray, members: NDArray, width: int, height: int) -> float:
    """Hops of one multicast to the children `members`: farthest column plus the span of every column."""
    centre = (height - 1) / 2.0
    low = np.full(width, -1, np.int64)
    high = np.full(width, -1, np.int64)
    farthest = 0
    for i in range(members.shape[0]):
        column = place[members[i], 0]
        row = place[members[i], 1]
        farthest = max(farthest, column)
        low[column] = row if low[column] < 0 else min(low[column], row)
        high[column] = max(high[column], row)
    hops = float(farthest)
    for column in range(farthest + 1):
        if low[column] >= 0:
            hops += max(0.0, centre - low[column]) + max(0.0, high[column] - centre)
    return hops


@njit(cache=True)
def groups(
    offset: NDArray, place: NDArray, served: NDArray, width: int, height: int, multicast: int
) -> tuple[NDArray, NDArray, int]:
    """Multicast groups of the children not yet `served`.

    offset (children, axes), place (children, 2), served (children,) bool. Returns per multicast factor the number of
    groups and the sum of their hops, both (children + 1,), and the number of groups in all.
    """
    total = offset.shape[0]
    count = np.zeros(total + 1, np.int64)
    hops = np.zeros(total + 1, np.float64)
    keys = _keys(offset)
    order = np.argsort(keys)
    members = np.empty(total, np.int64)
    size = 0
    for i in range(total):
        if not served[order[i]]:
            members[size] = order[i]
            size += 1
        last = i + 1 == total or keys[order[i + 1]] != keys[order[i]]
        if size > 0 and (last or not multicast):
            count[size] += 1
            hops[size] += _group_hops(place, members[:size], width, height)
            size = 0
    return count, hops, count.sum()


@njit(cache=True)
def _wrapped(position: int, size: int, torus: int) -> int:
    """Mesh coordinate of a neighbour, -1 beyond the edge of a mesh that is no torus."""
    if 0 <= position < size:
        return position
    return position % size if torus and size > 1 else -1


@njit(cache=True)
def _is_moved(other: NDArray, offset: NDArray, shift: NDArray) -> bool:
    """Whether one offset is another moved by `shift`."""
    same = True
    for a in range(shift.shape[0]):
        same = same and other[a] == offset[a] + shift[a]
    return bool(same)


@njit(cache=True)
def linked_children(
    offset: NDArray,
    place: NDArray,
    before: NDArray,
    place_before: NDArray,
    shift: NDArray,
    mesh: tuple[int, int],
    torus: int,
) -> NDArray:
    """Which children can take their delta from a mesh neighbour, shape (children,) bool; rule (2).

    offset, place of the children now, `before` and `place_before` at the step before; mesh: width and height.
    """
    at = np.full(mesh[0] * mesh[1], -1, np.int64)
    for child in range(before.shape[0]):
        at[place_before[child, 1] * mesh[0] + place_before[child, 0]] = child
    taken = np.zeros(offset.shape[0], np.bool_)
    for child in range(offset.shape[0]):
        for side in range(4):
            column = _wrapped(place[child, 0] + (side == 0) - (side == 1), mesh[0], torus)
            row = _wrapped(place[child, 1] + (side == 2) - (side == 3), mesh[1], torus)
            if column < 0 or row < 0:
                continue
            other = at[row * mesh[0] + column]
            if other >= 0:
                taken[child] |= _is_moved(before[other], offset[child], shift)
    return taken


@njit(cache=True)
def _add(
    entries: NDArray, used: int, factor: int, groups_: int, accesses: float, hops: float
) -> tuple[NDArray, int]:
    """Add to the row (factor, groups_) of the table, growing it where the row is new."""
    for i in range(used):
        if entries[i, 0] == factor and entries[i, 1] == groups_:
            entries[i, 2] += accesses
            entries[i, 3] += hops
            return entries, used
    if used == entries.shape[0]:
        larger = np.zeros((2 * used, 4), np.float64)
        copy_rows(larger, entries)
        entries = larger
    entries[used, 0] = factor
    entries[used, 1] = groups_
    entries[used, 2] = accesses
    entries[used, 3] = hops
    return entries, used + 1


@njit(cache=True)
def _record(entries: NDArray, used: int, count: NDArray, hops: NDArray, amount: float) -> tuple[NDArray, int]:
    """Add steps that move `amount` words to every group; count, hops (children + 1,) per multicast factor."""
    for factor in range(1, count.shape[0]):
        if count[factor] > 0:
            reads = amount * count[factor]
            entries, used = _add(
                entries, used, factor, count[factor], reads, reads * hops[factor] / count[factor]
            )
    return entries, used


@njit(cache=True)
def traffic(
    weight: NDArray,
    table: NDArray,
    loops: NDArray,
    steps: NDArray,
    mesh: tuple[int, int],
    packed: int,
    links: int,
    torus: int,
    multicast: int,
) -> tuple[NDArray, float]:
    """Entries table, sorted by (factor, groups), and link transfers of one parent over all kinds of steps.

    weight (rows,) and table (rows, 2 + axes + 2 * loops) as made by the walk kernel: words, linked, shift, trip counts
    of the spatial loops at the step before and now; loops (2, loops): largest trip counts and 1 for x; steps
    (loops, axes) moves per spatial iteration, innermost first; mesh: width and height; packed, links, torus,
    multicast: 0 or 1.
    """
    axes = steps.shape[1]
    width, height = mesh
    now = 2 + axes + loops.shape[1]
    entries = np.zeros((8, 4), np.float64)
    used = 0
    transfers = 0.0
    current = table[0, now:]
    offset, place = children(current, loops[0], loops[1], steps, width, packed)
    count, hops, total = groups(offset, place, np.zeros(offset.shape[0], np.bool_), width, height, multicast)
    for r in range(weight.shape[0]):
        if weight[r] == 0 or table[r, 0] == 0:
            continue
        if not same_row(table[r, now:], current):
            current = table[r, now:]
            offset, place = children(current, loops[0], loops[1], steps, width, packed)
            count, hops, total = groups(
                offset, place, np.zeros(offset.shape[0], np.bool_), width, height, multicast
            )
        amount = float(weight[r]) * float(table[r, 0])
        if links and table[r, 1]:
            before, place_before = children(
                table[r, 2 + axes : now], loops[0], loops[1], steps, width, packed
            )
            taken = linked_children(offset, place, before, place_before, table[r, 2 : 2 + axes], mesh, torus)
            link_count, link_hops, link_total = groups(offset, place, taken, width, height, multicast)
            if link_total < total:
                transfers += amount * taken.sum()
                entries, used = _record(entries, used, link_count, link_hops, amount)
                continue
        entries, used = _record(entries, used, count, hops, amount)
    keys = _keys(entries[:used, :2])
    by_key = np.argsort(keys)
    result = np.zeros((used, 4), np.float64)
    for i in range(used):
        copy_row(result[i], entries[by_key[i]])
    return result, transfers
