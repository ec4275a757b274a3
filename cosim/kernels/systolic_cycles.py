"""Cycle-level functional simulation of a systolic array: every processing element, every cycle.

Operands enter at the left and top edge with one cycle of skew for each lane, move one element a cycle, and are
multiplied and accumulated; results leave at the bottom of their column. Nothing is computed ahead: a value is
used only when it has arrived in a register.

Registers do not move in memory. Values that travel to the right sit in one long line for each row, seen
through a window that slides; values that travel down sit in rows of a ring whose top rotates. So a cycle of
the array is one pass of multiply-accumulate over contiguous rows, which the compiler vectorises.

Lanes run on clocks: clock c of a lane is the number of cycles since its wave of the current fold began,
negative before it, and starts again for the next fold after ``interval`` cycles when folds overlap.

Two arrays are here: output stationary, and weight stationary, which serves input stationary on transposed
operands. Timing follows Samajdar et al., ISPASS 2020, doi:10.1109/ISPASS48437.2020.00016; the spare weight
register for each element that lets folds overlap is that of Jouppi et al., ISCA 2017,
doi:10.1145/3079856.3080246.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Values = npt.NDArray[Any]
Counts = npt.NDArray[np.int64]
NEVER = 1 << 62


@njit(cache=True)
def tick(clocks: Counts, folds: Counts, interval: int) -> None:
    """Advance the clocks of some lanes by a cycle; after ``interval`` cycles a lane goes to its next fold."""
    for lane in range(clocks.size):
        clocks[lane] += 1
        if clocks[lane] == interval:
            clocks[lane] = 0
            folds[lane] += 1


@njit(cache=True)
def feed(
    edge: Values,
    operand: Values,
    clocks: Counts,
    folds: Counts,
    lane_base: Counts,
    step_base: Counts,
    steps: int,
    direction: int,
) -> None:
    """Put the next value of each lane on the edge of the array, zero where a lane is idle or beyond the data.

    operand: [lanes, steps]; in fold f lane i reads operand[lane_base[f] + i, step_base[f] + direction * clock]
    while 0 <= clock < steps.
    """
    for lane in range(edge.size):
        edge[lane] = 0
        clock, fold = clocks[lane], folds[lane]
        if 0 <= clock < steps and fold < lane_base.size:
            row, step = lane_base[fold] + lane, step_base[fold] + direction * clock
            if row < operand.shape[0] and step < operand.shape[1]:
                edge[lane] = operand[row, step]


@njit(cache=True)
def multiply_accumulate(
    sums: Values, sums_top: int, factors: Values, factors_top: int, lines: Values, offset: int
) -> None:
    """One cycle of all elements: sums += factors * window, both rings read from their top row on."""
    rows, cols = sums.shape
    for i in range(rows):
        target = sums[sums_top + i if sums_top + i < rows else sums_top + i - rows]
        factor = factors[factors_top + i if factors_top + i < rows else factors_top + i - rows]
        window = lines[i, offset : offset + cols]
        for j in range(cols):
            target[j] += factor[j] * window[j]


@njit(cache=True)
def slide(lines: Values, offset: int, cols: int) -> int:
    """Shift all rows by one element to the right; returns the offset of the new window."""
    if offset > 0:
        return offset - 1
    moved = lines.shape[1] - cols
    for i in range(lines.shape[0]):
        for j in range(cols):
            lines[i, moved + j] = lines[i, j]
    return moved - 1


@njit(cache=True)
def finish_os(
    sums: Values,
    clocks: Counts,
    folds: Counts,
    bases: Counts,
    product: Values,
    hold: Values,
    valid: Values,
    value: Values,
) -> int:
    """Take the finished sums off the array: one element of each column a cycle, top row first.

    They go to the column's bus and from there into ``product``, or, if ``hold`` has room, into the register of
    their element where they wait to be shifted out. Returns the number of elements that finished.
    """
    rows, cols = sums.shape
    finished = 0
    for j in range(cols):
        i, fold = clocks[j], folds[j]
        if i < 0 or i >= rows or fold >= bases.shape[1]:
            continue
        finished += 1
        result = sums[i, j]
        sums[i, j] = 0
        if hold.size > 0:
            hold[i, j] = result
            continue
        row, col = bases[0, fold] + i, bases[1, fold] + j
        if row < product.shape[0] and col < product.shape[1]:
            product[row, col] = result
            if valid.size > 0:
                valid[j] = True
                value[j] = result
    return finished


@njit(cache=True)
def drain_os(
    bottom: Values,
    rows_left: Counts,
    folds: Counts,
    bases: Counts,
    product: Values,
    valid: Values,
    value: Values,
) -> int:
    """Shift waiting results out of the bottom of their column, bottom row first; returns how many left."""
    drained = 0
    for j in range(bottom.size):
        if rows_left[j] == 0:
            continue
        rows_left[j] -= 1
        drained += 1
        row, col = bases[0, folds[j]] + rows_left[j], bases[1, folds[j]] + j
        if row < product.shape[0] and col < product.shape[1]:
            product[row, col] = bottom[j]
            if valid.size > 0:
                valid[j] = True
                value[j] = bottom[j]
    return drained


@njit(cache=True)
def load_chain(
    chain: Values,
    ring: int,
    hold: Values,
    clocks: Counts,
    finished: Counts,
    fold_count: int,
    rows_left: Counts,
    folds: Counts,
) -> None:
    """Copy the results of every column that has just finished into its shift chain, a ring from row ``ring``."""
    rows = hold.shape[0]
    for j in range(clocks.size):
        if clocks[j] != rows - 1 or finished[j] >= fold_count:
            continue
        rows_left[j], folds[j] = rows, finished[j]
        for i in range(rows):
            chain[ring + i if ring + i < rows else ring + i - rows, j] = hold[i, j]


@njit(cache=True)
def run_os(
    left: Values,
    top: Values,
    rows: int,
    cols: int,
    bases: Counts,
    interval: int,
    drain: bool,
    product: Values,
    valid: Values,
    value: Values,
) -> int:
    """Output stationary: left [M, K] moves right, top [N, K] moves down, sums stay; returns the cycles taken.

    bases: int64[2, folds], first row and column of each fold; folds start ``interval`` cycles apart.
    drain: shift results out through the rows instead of over a bus for each column.
    product: [M, N], written. valid, value: [cycles, cols] trace of the results leaving, or of no rows.
    The run ends when the last slot of the last fold has left, whether it held a result or padding, or with
    the last row of the trace if there is one.
    """
    steps, dtype = left.shape[1], product.dtype
    sums, falling = np.zeros((rows, cols), dtype), np.zeros((rows, cols), dtype)
    lines = np.zeros((rows, cols + max(cols, 256)), dtype)
    hold = np.zeros((rows, cols) if drain else (0, 0), dtype)
    chain = np.zeros_like(hold)
    chain_left, chain_folds = np.zeros(cols, np.int64), np.zeros(cols, np.int64)
    row_clocks, row_folds = -1 - np.arange(rows), np.zeros(rows, np.int64)
    col_clocks, col_folds = -1 - np.arange(cols), np.zeros(cols, np.int64)
    end_clocks, end_folds = -steps - np.arange(cols), np.zeros(cols, np.int64)
    no_step = np.zeros(bases.shape[1], np.int64)
    offset, ring, slots, cycle = cols, 0, rows * cols * bases.shape[1], 0
    while slots > 0 and (valid.shape[0] == 0 or cycle < valid.shape[0]):
        seen = valid[cycle] if valid.shape[0] > 0 else valid.reshape(-1)
        shown = value[cycle] if valid.shape[0] > 0 else value.reshape(-1)
        tick(row_clocks, row_folds, interval)
        tick(col_clocks, col_folds, interval)
        tick(end_clocks, end_folds, interval)
        offset = slide(lines, offset, cols)
        ring = ring - 1 if ring > 0 else rows - 1
        feed(lines[:, offset], left, row_clocks, row_folds, bases[0], no_step, steps, 1)
        feed(falling[ring], top, col_clocks, col_folds, bases[1], no_step, steps, 1)
        multiply_accumulate(sums, 0, falling, ring, lines, offset)
        if drain:
            # The row that was at the bottom a cycle ago is the one that the ring reuses as its top.
            slots -= drain_os(chain[ring], chain_left, chain_folds, bases, product, seen, shown)
            finish_os(sums, end_clocks, end_folds, bases, product, hold, seen, shown)
            load_chain(chain, ring, hold, end_clocks, end_folds, bases.shape[1], chain_left, chain_folds)
        else:
            slots -= finish_os(sums, end_clocks, end_folds, bases, product, hold, seen, shown)
        cycle += 1
    return cycle


@njit(cache=True)
def exchange(
    chain: Values, ring: int, spare: Values, active: Values, load_clocks: Counts, swap_clocks: Counts
) -> None:
    """Move weights that have arrived: spare to active registers, then the down-moving chain to the spare ones.

    An element takes its spare weight into use in the cycle in which the first operand of the fold reaches it.
    A column's chain, a ring from row ``ring``, holds its whole fold once ``rows`` weights have entered.
    """
    rows, cols = active.shape
    for j in range(cols):
        i = swap_clocks[j]
        if 0 <= i < rows:
            active[i, j] = spare[i, j]
        if load_clocks[j] == rows - 1:
            for k in range(rows):
                spare[k, j] = chain[ring + k if ring + k < rows else ring + k - rows, j]


@njit(cache=True)
def leave_ws(
    bottom: Values,
    clocks: Counts,
    folds: Counts,
    bases: Counts,
    product: Values,
    valid: Values,
    value: Values,
) -> int:
    """Add the sums at the bottom of the columns into ``product`` and clear them; returns how many left."""
    left = 0
    for j in range(bottom.size):
        step, fold = clocks[j], folds[j]
        if 0 <= step < product.shape[0] and fold < bases.shape[1]:
            left += 1
            col = bases[1, fold] + j
            if col < product.shape[1]:
                product[step, col] += bottom[j]
                if valid.size > 0:
                    valid[j] = True
                    value[j] = bottom[j]
        bottom[j] = 0
    return left


@njit(cache=True)
def run_ws(
    left: Values,
    top: Values,
    rows: int,
    cols: int,
    bases: Counts,
    interval: int,
    product: Values,
    valid: Values,
    value: Values,
) -> int:
    """Weight stationary: top [N, K] is loaded and stays, left [K, M] moves right, sums move down.

    bases: int64[2, folds], first K and first N of each fold; product: [M, N], added to. The rest is as in
    :func:`run_os`. Weights enter the last row first; the stream of a fold follows ``rows`` cycles after them.
    """
    steps, dtype = left.shape[1], product.dtype
    sums, chain = np.zeros((rows, cols), dtype), np.zeros((rows, cols), dtype)
    spare, active = np.zeros((rows, cols), dtype), np.zeros((rows, cols), dtype)
    lines = np.zeros((rows, cols + max(cols, 256)), dtype)
    row_clocks, row_folds = -1 - rows - np.arange(rows), np.zeros(rows, np.int64)
    load_clocks, load_folds = -1 - np.arange(cols), np.zeros(cols, np.int64)
    swap_clocks, swap_folds = -1 - rows - np.arange(cols), np.zeros(cols, np.int64)
    end_clocks, end_folds = -2 * rows - np.arange(cols), np.zeros(cols, np.int64)
    no_step = np.zeros(bases.shape[1], np.int64)
    offset, ring, slots, cycle = cols, 0, steps * cols * bases.shape[1], 0
    while slots > 0 and (valid.shape[0] == 0 or cycle < valid.shape[0]):
        seen = valid[cycle] if valid.shape[0] > 0 else valid.reshape(-1)
        shown = value[cycle] if valid.shape[0] > 0 else value.reshape(-1)
        tick(row_clocks, row_folds, interval)
        tick(load_clocks, load_folds, interval)
        tick(swap_clocks, swap_folds, interval)
        tick(end_clocks, end_folds, interval)
        offset = slide(lines, offset, cols)
        ring = ring - 1 if ring > 0 else rows - 1
        feed(lines[:, offset], left, row_clocks, row_folds, bases[0], no_step, steps, 1)
        feed(chain[ring], top, load_clocks, load_folds, bases[1], bases[0] + (rows - 1), rows, -1)
        exchange(chain, ring, spare, active, load_clocks, swap_clocks)
        multiply_accumulate(sums, ring, active, 0, lines, offset)
        bottom = sums[ring - 1 if ring > 0 else rows - 1]
        slots -= leave_ws(bottom, end_clocks, end_folds, bases, product, seen, shown)
        cycle += 1
    return cycle


@njit(cache=True)
def simulate(
    left: Values,
    top: Values,
    rows: int,
    cols: int,
    bases: Counts,
    output_stationary: bool,
    drain: bool,
    overlap: bool,
    product: Values,
    valid: Values,
    value: Values,
) -> int:
    """Run all folds on one array and return the cycles taken.

    With ``overlap`` a fold starts max(stream, rows) cycles after the one before; without it, when the last slot
    of the fold before has left. Arguments are those of :func:`run_os` and :func:`run_ws`.
    """
    together = max(1, bases.shape[1]) if overlap else 1
    interval = max(left.shape[1], rows) if overlap else NEVER
    cycles = 0
    for fold in range(0, bases.shape[1], together):
        # One call of each: the compiler makes a copy of the array for every form of call.
        base = bases[:, fold : fold + together].copy()
        seen, shown = valid[cycles:], value[cycles:]
        if output_stationary:
            cycles += run_os(left, top, rows, cols, base, interval, drain, product, seen, shown)
        else:
            cycles += run_ws(left, top, rows, cols, base, interval, product, seen, shown)
    return cycles
