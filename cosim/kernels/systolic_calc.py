"""Off-chip traffic of a systolic array by the bandwidth-estimating ("CALC") rules of SCALE-Sim.

The array asks for operands line by line, one line a cycle. A read buffer fetches every address it has not seen
since it was last emptied, and forgets everything once it has collected a given number of distinct addresses;
a write buffer drains one line of array-width words a cycle whenever more than half of it is pending. The
kernels walk the demand in order and keep no trace: an operand is given by two address tables whose sum is the
address, so memory is one stamp per distinct word.

Demand order, verified against the tool: folds run down the rows of the array first, then to the next column
fold; within a line from low to high array index. A streamed operand reaches lane i with i cycles of delay;
a stationary operand is loaded last row first.

Source: SCALE-Sim 2.0.2 and 3.0.0 (Samajdar et al., ISPASS 2020, doi:10.1109/ISPASS48437.2020.00016), rules
restated from the behaviour of the tool.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from cosim.kernels.rows import copy_row

Words = npt.NDArray[np.int64]


@njit(cache=True)
def streamed_misses(
    lane_address: Words,
    stream_address: Words,
    lanes_per_fold: int,
    outer: int,
    inner: int,
    stamps: Words,
    capacity: int,
) -> tuple[int, int]:
    """Fetches of an operand that streams through the lanes of the array.

    lane_address, stream_address: int64[:], the word of lane i at stream step t is at their sum.
    lanes_per_fold: lanes that the array holds at a time; each fold is repeated ``inner`` times and all folds
        together ``outer`` times.
    stamps: int64[words], zero for words that exist and any larger number than the fetches for those that do
        not (positions outside the input); overwritten.
    capacity: distinct words after which the buffer drops its content.
    Returns (fetched words, times the buffer was emptied).
    """
    steps = stream_address.size
    epoch, held, misses, flushes = 1, 0, 0, 0
    for _ in range(outer):
        misses_before_round = misses
        for first in range(0, lane_address.size, lanes_per_fold):
            lanes = min(lanes_per_fold, lane_address.size - first)
            for _ in range(inner):
                misses_before_fold = misses
                for line in range(steps + lanes - 1):
                    for lane in range(max(0, line - steps + 1), min(lanes, line + 1)):
                        word = lane_address[first + lane] + stream_address[line - lane]
                        if stamps[word] < epoch:
                            stamps[word] = epoch
                            misses += 1
                            held += 1
                            if held == capacity:
                                held = 0
                                flushes += 1
                                epoch += 1
                if misses == misses_before_fold:
                    break  # nothing was dropped, so a repetition finds everything again
        if misses == misses_before_round:
            break
    return misses, flushes


@njit(cache=True)
def stationary_misses(
    row_address: Words, col_address: Words, rows: int, cols: int, stamps: Words, capacity: int
) -> tuple[int, int]:
    """Fetches of an operand that is loaded into the array fold by fold, the last row of a fold first.

    row_address, col_address: int64[:], the word of element (i, j) is at their sum.
    stamps, capacity and the result are as in :func:`streamed_misses`.
    """
    epoch, held, misses, flushes = 1, 0, 0, 0
    for first_col in range(0, col_address.size, cols):
        last_col = min(first_col + cols, col_address.size)
        for first_row in range(0, row_address.size, rows):
            last_row = min(first_row + rows, row_address.size)
            for row in range(last_row - 1, first_row - 1, -1):
                for col in range(first_col, last_col):
                    word = row_address[row] + col_address[col]
                    if stamps[word] < epoch:
                        stamps[word] = epoch
                        misses += 1
                        held += 1
                        if held == capacity:
                            held = 0
                            flushes += 1
                            epoch += 1
    return misses, flushes


@njit(cache=True)
def arrivals(
    line: int, used_rows: int, used_cols: int, rows: int, stream: int, output_stationary: bool
) -> int:
    """Results that leave the array in a line of a fold.

    os: the elements of one anti-diagonal finish together; rows fill the array from its far end, so a partial
    fold starts late. ws, is: one result for each column that the skewed stream has reached.
    """
    if output_stationary:
        wave = line - (stream - 1) - (rows - used_rows)
        depth = used_rows
    else:
        wave = line - (2 * rows - 1)
        depth = stream
    if wave < 0:
        return 0
    return max(0, min(used_cols - 1, wave) - max(0, wave - depth + 1) + 1)


@njit(cache=True)
def make_room(lines: Words, head: int) -> tuple[Words, int, int]:
    """Move the queue lines[head:] to the front, of a longer array where it fills more than half.

    Returns (array, head, tail) of the moved queue.
    """
    kept = lines[head:].copy()
    if kept.size > lines.size // 2:
        lines = np.empty(2 * lines.size, np.int64)
    copy_row(lines[: kept.size], kept)
    return lines, 0, kept.size


@njit(cache=True)
def drained_writes(
    rows: int,
    cols: int,
    spatial_rows: int,
    spatial_cols: int,
    stream: int,
    output_stationary: bool,
    buffer_words: int,
) -> tuple[int, int, int, int]:
    """Words and cycles of the write buffer.

    Results append to lines of ``cols`` words. With more than half of the buffer pending and no drain under
    way the open line is closed, padded, and half a buffer of lines leaves, one a cycle. Only the padding of
    the last line of a batch is left out of the count: an early-closed line that leaves within a later batch
    counts as full, so more words are drained than were written.
    Returns (drained words, first drain cycle, cycle of the last line drained after the end, first cycle at
    which the drain before the end is over). The last two may overlap, as they do in the tool.
    """
    fold_cycles = stream + rows + cols - 2 + (0 if output_stationary else rows)
    row_folds = (spatial_rows + rows - 1) // rows
    folds = row_folds * ((spatial_cols + cols - 1) // cols)
    half = buffer_words - (buffer_words + 1) // 2
    batch_lines = max(1, (half + cols - 1) // cols)
    lines = np.empty(4 * batch_lines + 16, np.int64)  # fill of the closed lines, oldest at ``head``
    head, tail, fill, pending = 0, 0, 0, 0
    words, first, busy_until = 0, -1, 0
    for fold in range(folds):
        used_rows = min(rows, spatial_rows - (fold % row_folds) * rows)
        used_cols = min(cols, spatial_cols - (fold // row_folds) * cols)
        for line in range(fold_cycles):
            cycle = fold * fold_cycles + line
            for _ in range(arrivals(line, used_rows, used_cols, rows, stream, output_stationary)):
                fill += 1
                pending += 1
                drain = pending > half and cycle >= busy_until
                if fill == cols or drain:
                    if tail == lines.size:
                        lines, head, tail = make_room(lines, head)
                    lines[tail] = fill
                    tail += 1
                    fill = 0
                if drain:
                    count = min(batch_lines, tail - head)
                    batch = (count - 1) * cols + lines[head + count - 1]
                    head += count
                    pending -= batch
                    words += batch
                    first = cycle if first < 0 else first
                    busy_until = cycle + count
    cycle = folds * fold_cycles - 1
    first = cycle if first < 0 else first
    while tail > head or fill > 0:
        count = min(batch_lines, tail - head + (1 if fill > 0 else 0))
        closed = head + count <= tail
        words += (count - 1) * cols + (lines[head + count - 1] if closed else fill)
        head += count
        fill = fill if closed else 0
        cycle += count
    return words, first, cycle - 1, busy_until
