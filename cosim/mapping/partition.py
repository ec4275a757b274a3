"""One GEMM spread over a grid of equal systolic arrays (scale-out).

The two spatial dimensions of the dataflow are cut into ``part_rows`` x ``part_cols`` chunks of equal size,
one for each array; the streamed dimension is not cut. The slowest array holds a full chunk, so (eq. 1)

    total_cycles = cycles of a GEMM with ceil(spatial_rows / part_rows) x ceil(spatial_cols / part_cols)

With ws and is the rows carry the reduction, hence arrays in the same column of the grid hold partial sums of
the same outputs, which have to be added up: ``reduction_words``.

Source: Samajdar et al., ISPASS 2020, doi:10.1109/ISPASS48437.2020.00016, section on scale-out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cosim.mapping.folds import (
    SCALESIM_POLICY,
    Array,
    CyclePolicy,
    Dataflow,
    DataflowLike,
    Folding,
    Number,
    SramCounts,
    ceil_div,
    fold_cycles,
    fold_gemm,
    parse_dataflow,
    sram_counts,
    sum_folds,
    utilization,
    widen,
)


class PartitionCounts(NamedTuple):
    """Counts of one GEMM on a grid of arrays; words are totals over all arrays.

    slowest:         folding of an array that holds a full chunk
    arrays_used:     arrays that have any work
    total_cycles:    cycles until the slowest array has finished
    utilization:     MACs / (all arrays * elements * cycles)
    sram:            words moved at all arrays; psum_reads include the reduction between arrays
    reduction_words: partial sums that cross from one array to another, 0 for os
    """

    slowest: Folding
    arrays_used: Array
    total_cycles: Array
    utilization: Array
    sram: SramCounts
    reduction_words: Array


def partition_gemm(
    m: Number,
    n: Number,
    k: Number,
    rows: Number,
    cols: Number,
    dataflow: DataflowLike,
    part_rows: Number,
    part_cols: Number,
    policy: CyclePolicy = SCALESIM_POLICY,
) -> PartitionCounts:
    """Spread a GEMM over part_rows x part_cols arrays of rows x cols elements (eq. 1). Broadcasts."""
    flow = parse_dataflow(dataflow)
    m, n, k, rows, cols = widen(m), widen(n), widen(k), widen(rows), widen(cols)
    whole = fold_gemm(m, n, k, rows, cols, flow)
    chunk_rows, active_rows, sum_rows, slow_rows = _cut(whole.spatial_rows, rows, widen(part_rows))
    chunk_cols, active_cols, sum_cols, slow_cols = _cut(whole.spatial_cols, cols, widen(part_cols))
    slowest = Folding(chunk_rows, chunk_cols, whole.stream, slow_rows, slow_cols)
    per_fold = fold_cycles(whole.stream, rows, cols, flow, policy)
    total = sum_folds(slowest, per_fold, rows, policy)
    combined = Folding(whole.spatial_rows, whole.spatial_cols, whole.stream, sum_rows, sum_cols)
    arrays = widen(part_rows) * widen(part_cols)
    reduction = (active_rows - 1) * (m * n) * np.asarray(flow != Dataflow.OS)
    return PartitionCounts(
        slowest,
        active_rows * active_cols,
        total,
        utilization(m * n * k, rows * arrays, cols, total),
        sram_counts(m, n, k, combined, rows, cols, flow),
        reduction,
    )


def _cut(extent: Array, side: Array, parts: Array) -> tuple[Array, Array, Array, Array]:
    """(chunk, chunks in use, folds summed over the chunks, folds of a full chunk) along one grid axis."""
    chunk = ceil_div(extent, parts)
    active = ceil_div(extent, chunk)
    folds = ceil_div(chunk, side)
    last = ceil_div(extent - (active - 1) * chunk, side)
    return chunk, active, (active - 1) * folds + last, folds
