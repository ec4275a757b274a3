"""Traffic between one memory and its children: multicast, transfers between mesh neighbours, hops.

All children want moved copies of one delta at each step; child s has it moved by the offset o_s, the sum over the
spatial loops of index times move. The rules are those of timeloop-model (Parashar et al., ISPASS 2019, section V):

    (1) children of equal offset want the same words: one read of the parent serves them all (multicast);
    (2) child s may take its words from a mesh neighbour s' that took the same words at the step before, that is
        where o_s' = o_s + shift; whoever is left is served by rule (1). Links are used at a step only when they
        lower the parent's reads.

Child number id sits at column id % width and row id // width of the physical mesh; rows count from the
middle for hops: a multicast runs along the row axis to the farthest column, then up and down every column.

The entries table has one row per (multicast factor, number of groups): factor, groups, accesses of the
parent, accesses times hops.
"""

from __future__ import annotations

import numpy as np
from numba import njit

NDArray = np.ndarray


@njit(cache=True)
def offsets(counts: NDArray, steps: NDArray) -> NDArray:
    """Offset of every child, shape (children, axes); counts (loops,) and steps (loops, axes), innermost first."""
    loops, axes = steps.shape
    children = 1
    for j in range(loops):
        children *= counts[j]
    table = np.zeros((children, axes), np.int64)
    for child in range(children):
        rest = child
        for j in range(loops):
            index = rest % counts[j]
            rest //= counts[j]
            for a in range(axes):
                table[child, a] += index * steps[j, a]
    return table


@njit(cache=True)
def _keys(table: NDArray) -> NDArray:
    """One integer per row of `table` (children, axes); equal rows have equal numbers and only they."""
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
def _group_hops(members: NDArray, width: int, height: int) -> float:
    """Hops of one multicast to the children `members`, eq. of the module: farthest column plus column spans."""
    centre = (height - 1) / 2.0
    low = np.full(width, -1, np.int64)
    high = np.full(width, -1, np.int64)
    farthest = 0
    for i in range(members.shape[0]):
        column = members[i] % width
        row = members[i] // width
        farthest = max(farthest, column)
        if low[column] < 0:
            low[column] = row
            high[column] = row
        else:
            low[column] = min(low[column], row)
            high[column] = max(high[column], row)
    hops = float(farthest)
    for column in range(farthest + 1):
        if low[column] >= 0:
            hops += max(0.0, centre - low[column]) + max(0.0, high[column] - centre)
    return hops


@njit(cache=True)
def groups(
    table: NDArray, served: NDArray, width: int, height: int, multicast: int
) -> tuple[NDArray, NDArray, int]:
    """Multicast groups of the children not yet `served`.

    table (children, axes), served (children,) bool. Returns per multicast factor the number of groups and the sum
    of their hops, both (children + 1,), and the number of groups in all.
    """
    children = table.shape[0]
    count = np.zeros(children + 1, np.int64)
    hops = np.zeros(children + 1, np.float64)
    total = 0
    keys = _keys(table)
    order = np.argsort(keys)
    start = 0
    members = np.empty(children, np.int64)
    while start < children:
        size = 0
        end = start
        while end < children and keys[order[end]] == keys[order[start]]:
            if not served[order[end]]:
                members[size] = order[end]
                size += 1
            end += 1
        if size > 0 and multicast:
            count[size] += 1
            hops[size] += _group_hops(members[:size], width, height)
            total += 1
        elif size > 0:
            for i in range(size):
                count[1] += 1
                hops[1] += _group_hops(members[i : i + 1], width, height)
                total += 1
        start = end
    return count, hops, total


@njit(cache=True)
def _wrapped(position: int, size: int, torus: int) -> int:
    """Mesh coordinate of a neighbour, -1 beyond the edge of a mesh that is no torus."""
    if 0 <= position < size:
        return position
    return position % size if torus and size > 1 else -1


@njit(cache=True)
def linked_children(
    table: NDArray, before: NDArray, shift: NDArray, width: int, height: int, torus: int
) -> NDArray:
    """Which children can take their delta from a mesh neighbour, shape (children,) bool; rule (2)."""
    children = table.shape[0]
    taken = np.zeros(children, np.bool_)
    for child in range(children):
        for side in range(4):
            column = _wrapped(child % width + (side == 0) - (side == 1), width, torus)
            row = _wrapped(child // width + (side == 2) - (side == 3), height, torus)
            other = row * width + column
            if column >= 0 and row >= 0 and other < before.shape[0] and other != child:
                taken[child] |= (before[other] == table[child] + shift).all()
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
        larger[:used] = entries
        entries = larger
    entries[used, 0] = factor
    entries[used, 1] = groups_
    entries[used, 2] = accesses
    entries[used, 3] = hops
    return entries, used + 1


@njit(cache=True)
def traffic(
    weight: NDArray,
    words: NDArray,
    linked: NDArray,
    shift: NDArray,
    counts: NDArray,
    counts_before: NDArray,
    steps: NDArray,
    width: int,
    height: int,
    links: int,
    torus: int,
    multicast: int,
) -> tuple[NDArray, float]:
    """Entries table, sorted by (factor, groups), and link transfers of one parent over all kinds of steps.

    weight, words, linked (rows,), shift (rows, axes) as made by the delta kernels; counts and counts_before
    (rows, loops) trip counts of the spatial loops at the step and at the one before, innermost first; steps
    (loops, axes) moves per spatial iteration; width and height of the mesh; links, torus, multicast: 0 or 1.
    """
    entries = np.zeros((8, 4), np.float64)
    used = 0
    transfers = 0.0
    rows = weight.shape[0]
    table = offsets(counts[0], steps)
    nobody = np.zeros(table.shape[0], np.bool_)
    count, hops, total = groups(table, nobody, width, height, multicast)
    current = counts[0]
    for r in range(rows):
        if weight[r] == 0 or words[r] == 0:
            continue
        changed = False
        for j in range(counts.shape[1]):
            changed = changed or counts[r, j] != current[j]
        if changed:
            current = counts[r]
            table = offsets(current, steps)
            nobody = np.zeros(table.shape[0], np.bool_)
            count, hops, total = groups(table, nobody, width, height, multicast)
        amount = float(weight[r]) * float(words[r])
        row_count, row_hops = count, hops
        if links and linked[r]:
            taken = linked_children(table, offsets(counts_before[r], steps), shift[r], width, height, torus)
            link_count, link_hops, link_total = groups(table, taken, width, height, multicast)
            if link_total < total:
                row_count, row_hops = link_count, link_hops
                transfers += amount * taken.sum()
        for factor in range(1, row_count.shape[0]):
            if row_count[factor] > 0:
                reads = amount * row_count[factor]
                entries, used = _add(
                    entries,
                    used,
                    factor,
                    row_count[factor],
                    reads,
                    reads * row_hops[factor] / row_count[factor],
                )
    entries = entries[:used]
    rank = np.argsort(entries[:, 0] * (table.shape[0] + 2.0) + entries[:, 1])
    return entries[rank], transfers
