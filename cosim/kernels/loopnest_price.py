"""Accesses, energy and cycles of many loop nests from their tiles and network traffic.

The rules of the level kernels for perfect factors, where all instances of a level are alike, in one pass per nest:
bypass, fills, partial sums with the first read left out, links shared per parent, energy per row, stalls.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from cosim.kernels.rows import copy_table

NDArray = np.ndarray

BLOCK_OF_NESTS = 128
FITS, TOO_MANY_INSTANCES, TOO_MANY_WORDS, UNKEPT = 0, 1, 2, 3
# Columns of the table of levels; LIMITED 1 where a bandwidth is finite, INVERSE 1 / BLOCK for powers of two, else 0.
READ_PJ, WRITE_PJ, UPDATE_PJ, LEAK_PJ, BLOCK, CLUSTERS, CAPACITY, MESH_X, MESH_Y = 0, 1, 2, 3, 4, 5, 6, 7, 8
READ_BW, WRITE_BW, SHARED_BW, LIMITED, INVERSE = 9, 10, 11, 12, 13


@njit(cache=True, error_model="numpy")
def _counts(
    spaces: tuple[int, ...], base: int, end: int, flow: NDArray, keep: NDArray, tile: NDArray, union: NDArray,
    span: NDArray, outputs: NDArray, counts: NDArray, status: NDArray,
) -> None:  # fmt: skip
    """Reads, fills and updates per instance into counts (block, levels, spaces, 3) of the nests that fit.

    A level that keeps nothing hands its accesses outwards. A first partial sum is neither read nor filled: `first`
    counts the words of the space that one instance sees, the share of its tile in the level above.
    """
    levels = keep.shape[1]
    for i in range(base, end):
        b = i - base
        if status[i] != FITS:
            continue
        for s in range(len(spaces)):
            top = levels - 1
            while top >= 0 and not keep[i, top, s]:
                top -= 1
            if top < 0:
                status[i] = UNKEPT
                continue
            first = float(tile[i, levels, s])
            for level in range(levels - 1, -1, -1):
                if outputs[s] and level < levels - 1 and union[i, level + 1, s] != tile[i, level + 1, s]:
                    first = math.floor(first * tile[i, level + 1, s] / union[i, level + 1, s])
                counts[b, level, s, 1] = first
            grow = 1.0
            for level in range(levels):
                content = flow[i, s, level, 0] * grow
                first = counts[b, level, s, 1] - 0.5 if outputs[s] else -0.5
                counts[b, level, s, 0], counts[b, level, s, 1], counts[b, level, s, 2] = 0.0, 0.0, 0.0
                if level > top or not keep[i, level, s]:
                    if level < top:
                        fanout = span[i, level + 1, 0] * span[i, level + 1, 1]
                        grow = (
                            content * fanout / (flow[i, s, level + 1, 1] * fanout - flow[i, s, level + 1, 2])
                        )
                    continue
                grow = 1.0
                intake, peer = 0.0, 0.0
                if level < top:
                    intake = flow[i, s, level + 1, 1]
                    if flow[i, s, level + 1, 2] > 0.0:
                        peer = flow[i, s, level + 1, 2] / (span[i, level + 1, 0] * span[i, level + 1, 1])
                counts[b, level, s, 0] = math.floor(content + peer - first)
                if outputs[s]:
                    counts[b, level, s, 2] = math.floor(content + 0.5)
                if level < top:
                    counts[b, level, s, 1] = math.floor(intake - (first if outputs[s] else 0.0))


@njit(cache=True, error_model="numpy")
def _fits(
    spaces: tuple[int, ...], base: int, end: int, tile: NDArray, keep: NDArray, span: NDArray, table: NDArray,
    units: NDArray, used: NDArray, status: NDArray,
) -> None:  # fmt: skip
    """Whether tiles and instances fit, into status; used (block, levels + 1) gets the instances of each level, of the
    arithmetic first. units: mesh x, mesh y, ..."""
    levels = table.shape[0]
    for i in range(base, end):
        x, y = 1, 1
        status[i] = FITS
        for level in range(levels - 1, -1, -1):
            used[i - base, level + 1] = x * y
            if x > table[level, MESH_X] or y > table[level, MESH_Y]:
                status[i] = TOO_MANY_INSTANCES
            x *= span[i, level, 0]
            y *= span[i, level, 1]
            words = 0
            for s in range(len(spaces)):
                words += tile[i, level + 1, s] * keep[i, level, s]
            if words > table[level, CAPACITY]:
                status[i] = TOO_MANY_WORDS
        used[i - base, 0] = x * y
        if x > units[0] or y > units[1]:
            status[i] = TOO_MANY_INSTANCES


@njit(cache=True, error_model="numpy")
def _stall(reads: float, writes: float, read_bw: float, write_bw: float, shared_bw: float) -> float:
    """Throughput of a level in (0, 1], given words per cycle and instance."""
    share = 1.0
    if read_bw < reads:
        share = min(share, read_bw / reads)
    if write_bw < writes:
        share = min(share, write_bw / writes)
    if shared_bw < reads + writes:
        share = min(share, shared_bw / (reads + writes))
    return share


@njit(cache=True, error_model="numpy")
def _cycles(
    base: int, end: int, counts: NDArray, steps: NDArray, table: NDArray, status: NDArray, cycles: NDArray
) -> None:
    """Cycles of the nests that fit: their steps, stretched by the level with the scarcest bandwidth."""
    for i in range(base, end):
        if status[i] != FITS:
            continue
        cycles[i] = steps[i]
        for level in range(table.shape[0]):
            if table[level, LIMITED] == 0.0:
                continue
            reads, writes = 0.0, 0.0
            for s in range(counts.shape[2]):
                reads += counts[i - base, level, s, 0] / steps[i]
                writes += (counts[i - base, level, s, 1] + counts[i - base, level, s, 2]) / steps[i]
            share = _stall(
                reads, writes, table[level, READ_BW], table[level, WRITE_BW], table[level, SHARED_BW]
            )
            cycles[i] = max(cycles[i], math.ceil(steps[i] / share))


@njit(cache=True, error_model="numpy")
def _energies(
    spaces: tuple[int, ...], base: int, end: int, counts: NDArray, steps: NDArray, used: NDArray, table: NDArray,
    units: NDArray, status: NDArray, cycles: NDArray, energy: NDArray,
) -> None:  # fmt: skip
    """Energy in pJ of the nests that fit: rows times energy per row, per cluster; arithmetic; leakage times cycles."""
    for i in range(base, end):
        if status[i] != FITS:
            continue
        b = i - base
        total, leak = steps[i] * used[b, 0] * units[2], units[3] * used[b, 0]
        for level in range(table.shape[0]):
            block, inverse = table[level, BLOCK], table[level, INVERSE]
            rows = 0.0
            for s in range(len(spaces)):
                for action in range(3):
                    words = counts[b, level, s, action]
                    # the product with an inverse is exact for powers of two
                    rows += (
                        math.ceil(words * inverse if inverse > 0.0 else words / block) * table[level, action]
                    )
            total += rows * min(float(used[b, level + 1]), table[level, CLUSTERS])
            leak += table[level, LEAK_PJ] * used[b, level + 1]
        energy[i] = total + leak * cycles[i]


@njit(cache=True, error_model="numpy")
def price(
    spaces: tuple[int, ...], flow: NDArray, tile: NDArray, union: NDArray, span: NDArray, steps: NDArray,
    keep: NDArray, outputs: NDArray, table: NDArray, units: NDArray, energy: NDArray, cycles: NDArray,
    status: NDArray, detail: NDArray,
) -> None:  # fmt: skip
    """Energy in pJ, cycles and status of every nest from the output of `flows`; the first two are infinite where it
    does not fit.

    spaces: numbers of the data spaces, a tuple so that loops over it unroll; keep (nests, levels, spaces) 0 or 1;
    outputs (spaces,) 1 where accumulated; table (levels, 14) see the columns; units (4,): mesh x, mesh y, energy in pJ
    and leakage in pJ per cycle of the arithmetic. Out: energy, cycles, status (nests,), and detail (nests, levels,
    spaces, 3) reads, fills, updates per instance, or of length 0 for none.
    """
    used = np.ones((BLOCK_OF_NESTS, table.shape[0] + 1), np.int64)
    counts = np.zeros((BLOCK_OF_NESTS, table.shape[0], outputs.shape[0], 3), np.float64)
    for base in range(0, steps.shape[0], BLOCK_OF_NESTS):
        end = min(base + BLOCK_OF_NESTS, steps.shape[0])
        energy[base:end] = math.inf
        cycles[base:end] = math.inf
        _fits(spaces, base, end, tile, keep, span, table, units, used, status)
        _counts(spaces, base, end, flow, keep, tile, union, span, outputs, counts, status)
        if detail.shape[0] > 0:
            for i in range(base, end):
                copy_table(detail[i], counts[i - base])
        _cycles(base, end, counts, steps, table, status, cycles)
        _energies(spaces, base, end, counts, steps, used, table, units, status, cycles, energy)
