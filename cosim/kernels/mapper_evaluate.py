"""Exact cost of mappings with perfect factors, tiling by tiling, with every loop order of a tiling in one walk.

The rules are those of the loop-nest engine: reads, fills and updates per level and data space, energy in whole rows,
cycles with bandwidths. What the engine works out anew for every mapping is carried along here: the words that a child
fetches are added up loop by loop from the inside out, so that a change of the order at an outer level leaves what is
inside as it is, and a stream whose tile is replaced at every step needs no outer loop at all. With I iterations of
all loops outside a tile of W words, m of them inside loop k, and rho_k the share of the tile that a step of it brings,

    (1) words = sum over loops k of (n_k - 1) * (I / (m * n_k)) * W * rho_k + W      until rho stays 1: + (I / m) * W

in integers (Parashar et al., ISPASS 2019, section V). Levels, loops and mesh links: innermost level is number 0, one
temporal loop and one spatial factor per level and dimension, and mesh neighbours hand each other nothing.

`fixed` is what the tiling kernel lays out; `nest` is a tuple (size, kind, coef, partner, output, keep), see the
mapper's arrays; `machine` one of (energy (L, 3)
in pJ of a read, fill, update; block (L,) words per row; capacity (L,) words, -1 unbounded; limits (L, 3) words per
cycle for reads, writes, both; leak (L + 1,) pJ per cycle, arithmetic units last; multicast (L,); compute in pJ).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from cosim.kernels.rows import copy_row

NDArray = np.ndarray

IRRELEVANT = -1
HARD = -2
OPEN, LEFT, WORDS = 0, 1, 2


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
def _cycles(
    machine: Any, ends: NDArray, words: NDArray, reach: NDArray, first: NDArray, output: NDArray, steps: int
) -> int:
    """Cycles of the slowest level, by the engine's arithmetic. ends (L, S, 2): the streams out of and into a level."""
    cycles = steps
    limits = machine[3]
    for level in range(ends.shape[0]):
        if limits[level, 0] == np.inf and limits[level, 1] == np.inf and limits[level, 2] == np.inf:
            continue
        reads, writes, share = 0.0, 0.0, 1.0
        for s in range(ends.shape[1]):
            below, above = ends[level, s, 0], ends[level, s, 1]
            out = words[below] * reach[below] if below >= 0 else 0
            into = words[above] - first[level, s] if above >= 0 else 0
            reads += (out - first[level, s] if below >= 0 else 0) / float(steps)
            writes += (into + (out if output[s] else 0)) / float(steps)
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
    inside, tile, sides, reach, first, used, steps = fixed
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
    inside, tile, sides, reach, first, used, _ = fixed
    top = level == temporal.shape[0] - 1
    energy = 0.0
    for o in range(opens[level - 1, 0]):
        i = opens[level - 1, 1 + o]
        copy_row(flow[level, i], flow[level - 1, i])
        copy_row(back[level, i], back[level - 1, i])
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
def _join(
    begin: int, level: int, new_flow: NDArray, new_back: NDArray, opens: NDArray, flow: NDArray, back: NDArray,
    words: NDArray,
) -> None:  # fmt: skip
    """Add the streams that start at `level`, the first of them number `begin`, to what is known after it."""
    for member in range(new_flow.shape[0]):
        i = begin + member
        if new_flow[member, OPEN]:
            opens[level, 0] += 1
            opens[level, opens[level, 0]] = i
            copy_row(flow[level, i], new_flow[member])
            copy_row(back[level, i], new_back[member])
        else:
            words[i] = new_flow[member, WORDS]


@njit(cache=True)
def _ends(table: NDArray, levels: int, spaces: int) -> tuple[NDArray, NDArray]:
    """(L, S, 2) streams out of and into a level, -1 for none; and (L + 1,) first stream that starts at a level."""
    ends, begin = np.full((levels, spaces, 2), -1, np.int64), np.zeros(levels + 1, np.int64)
    for i in range(table.shape[0]):
        begin[table[i, 1] + 2] = i + 1
        ends[table[i, 2], table[i, 0], 0] = i
        if table[i, 1] >= 0:
            ends[table[i, 1], table[i, 0], 1] = i
    for level in range(levels):
        begin[level + 1] = max(begin[level], begin[level + 1])
    return ends, begin


@njit(cache=True)
def _note(energy: float, cycles: int, best: NDArray) -> bool:
    """Update the least costs; whether the energy is less than before."""
    less = energy < best[0]
    best[0] = min(best[0], energy)
    best[1] = min(best[1], float(cycles))
    best[2] = min(best[2], energy * cycles)
    return less


@njit(cache=True)
def _room(
    nest: Any, machine: Any, temporal: NDArray, fixed: Any, table: NDArray, orders: NDArray, span: NDArray,
    words: NDArray, energy: NDArray,
) -> tuple[NDArray, NDArray, NDArray]:  # fmt: skip
    """Streams that start at a level, for all its orders (see `_fresh`), with the innermost ones in words and energy."""
    _, _, sides, reach, first, used, steps = fixed
    levels, most, spaces = temporal.shape[0], span[:, 1].max(), nest[1].shape[0]
    fresh = np.zeros((levels, most))
    flow = np.zeros((levels, most, spaces, 3), np.int64)
    back = np.zeros((levels, most, spaces, sides.shape[1]), np.int64)
    energy[0] = machine[6] * float(steps[0] * used[levels])
    for i in range(table.shape[0]):
        if table[i, 1] < 0:
            words[i] = steps[0]
            energy[0] += _stream_energy(machine, nest[4], table[i], steps[0], reach[i], first, used)
    for level in range(1, levels):
        _fresh(
            nest, machine, temporal, fixed, table, orders, span, level, fresh[level], flow[level], back[level]
        )
    return fresh, flow, back


@njit(cache=True)
def walk_orders(
    nest: Any, machine: Any, temporal: NDArray, fixed: Any, table: NDArray, orders: NDArray, span: NDArray,
    best: NDArray, chosen: NDArray, words: NDArray,
) -> int:  # fmt: skip
    """Cost of one tiling under every combination of loop orders, the outermost level's changing fastest.

    temporal (L, D); table (I, 3) streams: space, inner level or -1, outer level, by inner level; orders (R, D)
    dimensions innermost first, span (L, 2) first row and number of rows of a level (one for the innermost level, whose
    order changes nothing); best (3,) least energy in pJ, least cycles, least product; chosen (L,) rows of the least
    energy; words (I,) what the streams carried last. Returns how many mappings were evaluated.
    """
    _, _, sides, reach, first, used, steps = fixed
    levels, count = temporal.shape[0], table.shape[0]
    ends, begin = _ends(table, levels, nest[1].shape[0])
    energy, index = np.zeros(levels), np.full(levels, -1, np.int64)
    fresh, new_flow, new_back = _room(nest, machine, temporal, fixed, table, orders, span, words, energy)
    opens = np.zeros((levels, 1 + count), np.int64)
    flow, back = np.zeros((levels, count, 3), np.int64), np.zeros((levels, count, sides.shape[1]), np.int64)
    record = bool(np.isfinite(machine[3]).any()) or span[:, 1].max() == 1
    leak = (machine[4] * used).sum()
    index[0] = 0
    evaluated, level = 0, min(1, levels - 1)
    while level >= 1 or evaluated == 0:
        if level:
            index[level] += 1
            r = index[level]
            if r == span[level, 1]:
                index[level] = -1
                level -= 1
                continue
            opens[level, 0] = 0
            energy[level] = energy[level - 1] + fresh[level, r]
            if opens[level - 1, 0]:
                order = orders[span[level, 0] + r]
                energy[level] += _carry(
                    nest, machine, temporal, fixed, table, order, level, opens, flow, back, words
                )
            members = begin[level + 1] - begin[level]
            if level < levels - 1:
                new = new_flow[level, r, :members]
                _join(begin[level], level, new, new_back[level, r], opens, flow, back, words)
                level += 1
                continue
            for member in range(members if record else 0):
                words[begin[level] + member] = new_flow[level, r, member, WORDS]
        cycles = _cycles(machine, ends, words, reach, first, nest[4], steps[0]) if record else steps[0]
        evaluated += 1
        if _note(energy[level] + leak * cycles, cycles, best):
            copy_row(chosen, index)
    return evaluated


@njit(cache=True)
def walk_tilings(
    nest: Any, machine: Any, table: NDArray, temporal: NDArray, laid: Any, orders: NDArray, by_loops: NDArray,
    best: NDArray, found: NDArray,
) -> int:  # fmt: skip
    """Every loop order of the tilings that fit; returns how many mappings were evaluated.

    temporal (N, L, D), laid: what the tiling kernel returns for them. orders (R, D), of which a level whose loops of
    more than one iteration are the bits b takes by_loops (2 ** D, 2)[b]: first row, rows. best (3,) as in
    `walk_orders`; found (1,) number of the tiling of least energy.
    """
    fits, inside, tile, sides, reach, first, used, steps = laid
    levels, dims = temporal.shape[1:]
    chosen, span = np.zeros(levels, np.int64), np.zeros((levels, 2), np.int64)
    words = np.zeros(table.shape[0], np.int64)
    evaluated = 0
    for n in range(temporal.shape[0]):
        if not fits[n]:
            continue
        for level in range(levels):
            bits = 0
            for d in range(dims):
                bits |= (1 if temporal[n, level, d] > 1 else 0) << d
            copy_row(span[level], by_loops[bits])
        span[0, 1] = 1
        before = best[0]
        fixed = (inside[n], tile[n], sides[n], reach[n], first[n], used[n], steps[n])
        evaluated += walk_orders(nest, machine, temporal[n], fixed, table, orders, span, best, chosen, words)
        if best[0] < before:
            found[0] = n
    return evaluated
