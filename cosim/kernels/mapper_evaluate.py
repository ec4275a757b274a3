"""Exact cost of mappings with perfect factors, tiling by tiling, with every loop order of a tiling in one walk.

The rules are those of the loop-nest engine: reads, fills and updates per level and data space, energy in whole rows,
cycles with bandwidths. What the engine works out anew for every mapping is carried along here: the words that a child
fetches are added up loop by loop from the inside out, so that a change of the order at an outer level leaves what is
inside as it is, and a stream whose tile is replaced at every step needs no outer loop at all. With I iterations of
all loops outside a tile of W words, m of them inside loop k, and rho_k the share of the tile that a step of it brings,

    (1) words = sum over loops k of (n_k - 1) * (I / (m * n_k)) * W * rho_k + W      until rho stays 1: + (I / m) * W

in integers (Parashar et al., ISPASS 2019, section V). Levels, loops and mesh links: innermost level is number 0, one
temporal loop and one spatial factor per level and dimension, and mesh neighbours hand each other nothing.

`nest` is a tuple (size, kind, coef, partner, output, keep), see the mapper's arrays; `machine` one of (energy (L, 3)
in pJ of a read, fill, update; block (L,) words per row; capacity (L,) words, -1 unbounded; limits (L, 3) words per
cycle for reads, writes, both; leak (L + 1,) pJ per cycle, arithmetic units last; multicast (L,); compute in pJ).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

NDArray = np.ndarray

IRRELEVANT = -1
HARD = -2
OPEN, LEFT, WORDS = 0, 1, 2


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
    """Children with different tiles."""
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
def streams(keep: NDArray) -> NDArray:
    """Rows (space, inner level or -1, outer level), by boundary from the inside out."""
    levels, spaces = keep.shape
    found = np.zeros((levels * spaces, 3), np.int64)
    count = 0
    for boundary in range(levels):
        for s in range(spaces):
            if boundary > 0 and not keep[boundary - 1, s]:
                continue
            outer = boundary
            while outer < levels and not keep[outer, s]:
                outer += 1
            if outer < levels:
                found[count, 0], found[count, 1], found[count, 2] = s, boundary - 1, outer
                count += 1
    return found[:count]


@njit(cache=True)
def layout(
    nest: Any, machine: Any, temporal: NDArray, across: NDArray, table: NDArray
) -> tuple[NDArray, ...]:
    """What a tiling fixes. temporal, across (L, D); table (I, 3) of `streams`.

    Returns inside (L, D) extents inside each level's temporal loops; tile (I,) words and sides (I, Z) of what a stream
    fetches into; reach (I,) reads of the outer level per word that a child fetches; first (L,) words of outputs that
    an instance sees in all; used (L + 1,) instances, arithmetic units last; steps (L + 1,) iterations of all
    temporal loops from a level outwards; ok (1,) 1 where every tile fits.
    """
    size, kind, coef, partner, output, keep = nest
    levels, dims = temporal.shape
    spaces, windows = kind.shape[0], max(1, kind.max() + 1)
    inside, held = np.ones((levels, dims), np.int64), np.ones((levels + 1, dims), np.int64)
    for level in range(levels):
        inside[level] = held[level] * across[level]
        held[level + 1] = inside[level] * temporal[level]
    used, steps = np.ones(levels + 1, np.int64), np.ones(levels + 1, np.int64)
    for level in range(levels - 1, -1, -1):
        steps[level] = steps[level + 1] * temporal[level].prod()
        used[level] = 1 if level == levels - 1 else used[level + 1] * across[level + 1].prod()
    used[levels] = used[0] * across[0].prod()
    side = np.zeros(windows, np.int64)
    ok = np.ones(1, np.int64)
    for level in range(levels):
        words = 0
        for s in range(spaces):
            words += _tile(kind, coef, s, held[level + 1], side) if keep[level, s] else 0
        if 0 <= machine[2][level] < words:
            ok[0] = 0
    count = table.shape[0]
    tile, sides, reach = (
        np.ones(count, np.int64),
        np.zeros((count, windows), np.int64),
        np.ones(count, np.int64),
    )
    for i in range(count):
        s, inner, outer = table[i]
        if inner >= 0:
            tile[i] = _tile(kind, coef, s, held[inner + 1], sides[i])
        for level in range(inner + 1, outer + 1):
            if machine[5][level]:
                reach[i] *= _groups(kind, coef, partner, s, held[level], across[level])
            else:
                reach[i] *= across[level].prod()
    first = np.zeros((levels, spaces), np.int64)
    for s in range(spaces):
        if output[s]:
            first[levels - 1, s] = _tile(kind, coef, s, size, side)
            for level in range(levels - 2, -1, -1):
                children = _groups(kind, coef, partner, s, held[level + 1], across[level + 1])
                first[level, s] = first[level + 1, s] // children
    return inside, tile, sides, reach, first, used, steps, ok


@njit(cache=True)
def _rows(words: int, block: int) -> int:
    return words if block == 1 else (words + block - 1) // block


@njit(cache=True)
def _stream_energy(
    machine: Any, output: NDArray, row: NDArray, words: int, reach: int, first: NDArray, used: NDArray
) -> float:
    """Energy in pJ of one stream over all instances, its words per child being known."""
    energy, block = machine[0], machine[1]
    s, inner, outer = row[0], row[1], row[2]
    out = words * reach
    if output[s]:
        total = _rows(out, block[outer]) * energy[outer, 2]
        total += _rows(out - first[outer, s], block[outer]) * energy[outer, 0]
        total *= used[outer]
        if inner >= 0:
            total += _rows(words - first[inner, s], block[inner]) * energy[inner, 1] * used[inner]
        return total
    total = _rows(out, block[outer]) * energy[outer, 0] * used[outer]
    if inner >= 0:
        total += _rows(words, block[inner]) * energy[inner, 1] * used[inner]
    return total


@njit(cache=True)
def count_words(
    table: NDArray, words: NDArray, reach: NDArray, first: NDArray, output: NDArray, counts: NDArray
) -> None:
    """Reads, fills, updates per instance into counts (L, S, 3)."""
    counts[:] = 0
    for i in range(table.shape[0]):
        s, inner, outer = table[i]
        out = words[i] * reach[i]
        if output[s]:
            counts[outer, s, 2] = out
            counts[outer, s, 0] = out - first[outer, s]
        else:
            counts[outer, s, 0] = out
        if inner >= 0:
            counts[inner, s, 1] = words[i] - (first[inner, s] if output[s] else 0)


@njit(cache=True)
def _cycles(machine: Any, counts: NDArray, steps: int) -> int:
    """Cycles of the slowest level, by the engine's arithmetic."""
    cycles = steps
    limits = machine[3]
    for level in range(counts.shape[0]):
        if limits[level, 0] == np.inf and limits[level, 1] == np.inf and limits[level, 2] == np.inf:
            continue
        reads, writes, share = 0.0, 0.0, 1.0
        for s in range(counts.shape[1]):
            reads += counts[level, s, 0] / float(steps)
            writes += (counts[level, s, 1] + counts[level, s, 2]) / float(steps)
        if limits[level, 0] < reads:
            share = min(share, limits[level, 0] / reads)
        if limits[level, 1] < writes:
            share = min(share, limits[level, 1] / writes)
        if limits[level, 2] < reads + writes:
            share = min(share, limits[level, 2] / (reads + writes))
        cycles = max(cycles, math.ceil(steps / share))
    return cycles


@njit(cache=True)
def _advance(
    kind: NDArray, coef: NDArray, s: int, order: NDArray, count: NDArray, inside: NDArray, sides: NDArray,
    whole: int, flow: NDArray, back: NDArray,
) -> None:  # fmt: skip
    """Take one level's loops, innermost first, into a stream: flow (3,) open, iterations left, words; equation (1)."""
    for place in range(order.shape[0]):
        d = order[place]
        n = count[d]
        if n == 1:
            continue
        k = kind[s, d]
        if k == HARD:
            flow[WORDS] += flow[LEFT] * whole
            flow[OPEN] = 0
            return
        step = coef[s, d] * inside[d] if k >= 0 else 0
        part, same = whole, 1
        moved = False
        for z in range(sides.shape[0]):
            shift = (step if z == k else 0) - back[z]
            moved = moved or shift != 0
            if sides[z] > 0:
                part //= sides[z]
                same *= max(0, sides[z] - abs(shift))
        fresh = whole - part * same if moved else 0
        flow[WORDS] += (n - 1) * (flow[LEFT] // n) * fresh
        flow[LEFT] //= n
        if k >= 0:
            back[k] += (n - 1) * step


@njit(cache=True)
def _fresh(
    nest: Any, machine: Any, temporal: NDArray, fixed: Any, table: NDArray, orders: NDArray, span: NDArray,
    level: int, energy: NDArray, flow: NDArray, back: NDArray,
) -> None:  # fmt: skip
    """Streams that start at `level`, under each of its orders: energy (R,) of those that close there, and all their
    states, flow (R, S, 3) and back (R, S, Z)."""
    inside, tile, sides, reach, first, used, steps, _ = fixed
    top = level == temporal.shape[0] - 1
    for r in range(span[level, 1]):
        energy[r] = 0.0
        member = 0
        for i in range(table.shape[0]):
            if table[i, 1] + 1 != level:
                continue
            flow[r, member, OPEN], flow[r, member, LEFT], flow[r, member, WORDS] = 1, steps[level], 0
            back[r, member] = 0
            _advance(
                nest[1], nest[2], table[i, 0], orders[span[level, 0] + r], temporal[level], inside[level], sides[i],
                tile[i], flow[r, member], back[r, member],
            )  # fmt: skip
            if top and flow[r, member, OPEN]:
                flow[r, member, WORDS] += tile[i]
                flow[r, member, OPEN] = 0
            if not flow[r, member, OPEN]:
                words = flow[r, member, WORDS]
                energy[r] += _stream_energy(machine, nest[4], table[i], words, reach[i], first, used)
            member += 1


@njit(cache=True)
def _carry(
    nest: Any, machine: Any, temporal: NDArray, fixed: Any, table: NDArray, order: NDArray, level: int,
    opens: NDArray, flow: NDArray, back: NDArray, words: NDArray,
) -> float:  # fmt: skip
    """Take the loops of `level` into the streams open inside it; energy of those that close. opens (L, 1 + I): how
    many streams are open after each level, and which; flow (L, I, 3), back (L, I, Z) their states after it."""
    inside, tile, sides, reach, first, used, _, _ = fixed
    top = level == temporal.shape[0] - 1
    energy = 0.0
    for o in range(opens[level - 1, 0]):
        i = opens[level - 1, 1 + o]
        for k in range(3):
            flow[level, i, k] = flow[level - 1, i, k]
        for z in range(back.shape[2]):
            back[level, i, z] = back[level - 1, i, z]
        _advance(
            nest[1], nest[2], table[i, 0], order, temporal[level], inside[level], sides[i], tile[i], flow[level, i],
            back[level, i],
        )  # fmt: skip
        if top and flow[level, i, OPEN]:
            flow[level, i, WORDS] += tile[i]
            flow[level, i, OPEN] = 0
        if flow[level, i, OPEN]:
            opens[level, 0] += 1
            opens[level, opens[level, 0]] = i
        else:
            words[i] = flow[level, i, WORDS]
            energy += _stream_energy(machine, nest[4], table[i], words[i], reach[i], first, used)
    return energy


@njit(cache=True)
def walk_orders(
    nest: Any, machine: Any, temporal: NDArray, across: NDArray, table: NDArray, orders: NDArray, span: NDArray,
    best: NDArray, chosen: NDArray,
) -> int:  # fmt: skip
    """Cost of one tiling under every combination of loop orders, the outermost level's changing fastest.

    orders (R, D) dimensions innermost first, span (L, 2) first row and number of rows of a level (one row for the
    innermost level, whose order changes nothing); best (3,) least energy in pJ, least cycles, least product; chosen
    (L,) rows of the least energy. Returns how many mappings were evaluated, 0 where a tile does not fit.
    """
    fixed = layout(nest, machine, temporal, across, table)
    _, _, sides, reach, first, used, steps, ok = fixed
    if not ok[0]:
        return 0
    levels, count, spaces = temporal.shape[0], table.shape[0], nest[1].shape[0]
    most = span[:, 1].max()
    fresh = np.zeros((levels, most))
    new_flow = np.zeros((levels, most, spaces, 3), np.int64)
    new_back = np.zeros((levels, most, spaces, sides.shape[1]), np.int64)
    for level in range(1, levels):
        _fresh(
            nest,
            machine,
            temporal,
            fixed,
            table,
            orders,
            span,
            level,
            fresh[level],
            new_flow[level],
            new_back[level],
        )
    words, counts = np.zeros(count, np.int64), np.zeros((levels, spaces, 3), np.int64)
    opens = np.zeros((levels, 1 + count), np.int64)
    flow, back = np.zeros((levels, count, 3), np.int64), np.zeros((levels, count, sides.shape[1]), np.int64)
    energy = np.zeros(levels)
    energy[0] = machine[6] * float(steps[0] * used[levels])
    for i in range(count):
        if table[i, 1] < 0:
            words[i] = steps[0]
            energy[0] += _stream_energy(machine, nest[4], table[i], steps[0], reach[i], first, used)
    limited = bool(np.isfinite(machine[3]).any())
    leak = (machine[4] * used).sum()
    index = np.full(levels, -1, np.int64)
    index[0] = 0
    evaluated, level = 0, min(1, levels - 1)
    while level >= 1 or evaluated == 0:
        if levels > 1:
            index[level] += 1
            if index[level] == span[level, 1]:
                index[level] = -1
                level -= 1
                continue
            r = index[level]
            opens[level, 0] = 0
            energy[level] = energy[level - 1] + fresh[level, r]
            if opens[level - 1, 0]:
                energy[level] += _carry(
                    nest,
                    machine,
                    temporal,
                    fixed,
                    table,
                    orders[span[level, 0] + r],
                    level,
                    opens,
                    flow,
                    back,
                    words,
                )
            if level < levels - 1 or limited:
                _join(table, level, new_flow[level, r], new_back[level, r], opens, flow, back, words)
            if level < levels - 1:
                level += 1
                continue
        cycles = steps[0]
        if limited:
            count_words(table, words, reach, first, nest[4], counts)
            cycles = _cycles(machine, counts, steps[0])
        total = energy[level] + leak * cycles
        evaluated += 1
        if total < best[0]:
            best[0] = total
            chosen[:] = index
        best[1], best[2] = min(best[1], float(cycles)), min(best[2], total * cycles)
    return evaluated


@njit(cache=True)
def _join(
    table: NDArray, level: int, new_flow: NDArray, new_back: NDArray, opens: NDArray, flow: NDArray, back: NDArray,
    words: NDArray,
) -> None:  # fmt: skip
    """Add the streams that start at `level` to what is known after it."""
    member = 0
    for i in range(table.shape[0]):
        if table[i, 1] + 1 != level:
            continue
        if new_flow[member, OPEN]:
            opens[level, 0] += 1
            opens[level, opens[level, 0]] = i
            flow[level, i], back[level, i] = new_flow[member], new_back[member]
        else:
            words[i] = new_flow[member, WORDS]
        member += 1


@njit(cache=True)
def evaluate_one(
    nest: Any, machine: Any, temporal: NDArray, across: NDArray, order: NDArray
) -> tuple[float, int, NDArray]:
    """Energy in pJ, cycles and counts (L, S, 3: reads, fills, updates per instance) of one mapping; order (L, D).

    Energy is infinite where a tile does not fit.
    """
    table = streams(nest[5])
    levels, spaces = nest[5].shape
    counts = np.zeros((levels, spaces, 3), np.int64)
    best, chosen, span = np.full(3, np.inf), np.zeros(levels, np.int64), np.ones((levels, 2), np.int64)
    span[:, 0] = np.arange(levels)
    if not walk_orders(nest, machine, temporal, across, table, order, span, best, chosen):
        return np.inf, 0, counts
    inside, tile, sides, reach, first, _, steps, _ = layout(nest, machine, temporal, across, table)
    words = np.zeros(table.shape[0], np.int64)
    for i in range(table.shape[0]):
        start = table[i, 1] + 1
        flow, back = np.zeros(3, np.int64), np.zeros(sides.shape[1], np.int64)
        flow[OPEN], flow[LEFT] = 1, steps[start]
        for level in range(start, levels):
            if flow[OPEN] and start:
                _advance(
                    nest[1], nest[2], table[i, 0], order[level], temporal[level], inside[level], sides[i], tile[i],
                    flow, back,
                )  # fmt: skip
        words[i] = steps[0] if start == 0 else flow[WORDS] + (tile[i] if flow[OPEN] else 0)
    count_words(table, words, reach, first, nest[4], counts)
    return best[0], int(best[1]), counts


@njit(cache=True)
def walk_tilings(
    nest: Any, machine: Any, splits: NDArray, several: NDArray, mesh: NDArray, orders: NDArray, by_loops: NDArray,
    begin: int, stop: int, best: NDArray, found: NDArray,
) -> int:  # fmt: skip
    """Every loop order of the tilings numbered begin..stop; returns how many mappings were evaluated.

    splits (D, M, 3 * L) factors of every dimension, temporal, along x and along y, several (D,) how many there
    are; a tiling's number counts them in mixed radix. mesh (L, 2) children along x and y. orders (R, D), of which a
    level whose loops of more than one iteration are the bits b takes by_loops (2 ** D, 2)[b]: first row, rows. best (3,) as in
    `walk_orders`, found (2 * L, D): temporal factors and children of the least energy.
    """
    dims, levels = splits.shape[0], mesh.shape[0]
    temporal, across = np.ones((levels, dims), np.int64), np.ones((levels, dims), np.int64)
    table, chosen, span = streams(nest[5]), np.zeros(levels, np.int64), np.zeros((levels, 2), np.int64)
    evaluated = 0
    for number in range(begin, stop):
        rest = number
        wide, high = np.ones(levels, np.int64), np.ones(levels, np.int64)
        for d in range(dims):
            row = splits[d, rest % several[d]]
            rest //= several[d]
            temporal[:, d] = row[:levels]
            across[:, d] = row[levels : 2 * levels] * row[2 * levels :]
            wide *= row[levels : 2 * levels]
            high *= row[2 * levels :]
        if (wide > mesh[:, 0]).any() or (high > mesh[:, 1]).any():
            continue
        before = best[0]
        for level in range(levels):
            bits = 0
            for d in range(dims):
                bits |= (1 if temporal[level, d] > 1 else 0) << d
            span[level] = by_loops[bits]
        span[0, 1] = 1
        evaluated += walk_orders(nest, machine, temporal, across, table, orders, span, best, chosen)
        if best[0] < before:
            found[:levels], found[levels:] = temporal, across
    return evaluated
