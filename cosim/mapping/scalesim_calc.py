"""SCALE-Sim's CALC-mode report of one layer: cycles, SRAM and DRAM words, prefetch, all exact.

The rules, and what they imply: the tool estimates the bandwidth that avoids every stall, so stalls are zero
and the traffic follows from the demand order alone. A read buffer of ``kilobytes`` holds 50 sets of
floor(1024 * kilobytes / 100) words, about half of its size, and drops everything when full: reuse across such
a flush is lost. The time before cycle 0 at which the first fetch must start assumes ten words a cycle whatever
bandwidth is configured. For honest stalls at a finite bandwidth use :mod:`cosim.mapping.buffering` instead.

Source: SCALE-Sim 2.0.2 and 3.0.0 (Samajdar et al., ISPASS 2020, doi:10.1109/ISPASS48437.2020.00016), rules
restated from the behaviour of the tool.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cosim.kernels.systolic_calc import drained_writes, stationary_misses, streamed_misses
from cosim.mapping.folds import (
    Dataflow,
    SramCounts,
    compute_cycles,
    dataflow_named,
    fold_gemm,
    reported_total_cycles,
    sram_counts,
)
from cosim.mapping.im2col import conv_output_size

SETS = 50
"""Sets of words that a read buffer collects before it is emptied."""
PREFETCH_WORDS_PER_CYCLE = 10
"""Rate at which the tool lets the first fetches arrive."""
OUTSIDE = np.iinfo(np.int64).max
"""Stamp of a position outside the input, which is never fetched."""

Words = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ScaleSimLayer:
    """A layer as the tool describes it: no padding, no batch, one group; sizes in elements."""

    height: int
    width: int
    filter_height: int
    filter_width: int
    channels: int
    filters: int
    stride: tuple[int, int] = (1, 1)

    @classmethod
    def from_gemm(cls, m: int, n: int, k: int) -> ScaleSimLayer:
        """A matrix product, which the tool treats as m windows of a 1 x k filter over m rows."""
        return cls(m, k, 1, k, 1, n)

    def gemm(self) -> tuple[int, int, int]:
        """(M, N, K): output positions, filters, window words. The last window may hang over the edge."""
        rows, cols = self.outputs()
        return rows * cols, self.filters, self.filter_height * self.filter_width * self.channels

    def outputs(self) -> tuple[int, int]:
        """Output rows and columns, rounded up."""
        rows = conv_output_size(self.height, self.filter_height, self.stride[0], ceil_mode=True)
        cols = conv_output_size(self.width, self.filter_width, self.stride[1], ceil_mode=True)
        return int(rows), int(cols)


class CalcReport(NamedTuple):
    """Counts of one layer; cycles count from the first demand line, negative ones lie before it.

    total_cycles:         index of the last demand line, as the tool reports it
    prefetch_total_cycles: from the first prefetch to the last drain, as version 3 reports it
    ofmap_stop_v2_cycle:  end of the last drain as version 2 reports it, which leaves out a longer earlier one
    """

    total_cycles: int
    prefetch_total_cycles: int
    sram: SramCounts
    dram_ifmap_reads: int
    dram_filter_reads: int
    dram_ofmap_writes: int
    ifmap_start_cycle: int
    filter_start_cycle: int
    ofmap_start_cycle: int
    ofmap_stop_cycle: int
    ofmap_stop_v2_cycle: int


def calc_report(
    layer: ScaleSimLayer,
    rows: int,
    cols: int,
    dataflow: Dataflow | str,
    ifmap_kib: int,
    filter_kib: int,
    ofmap_kib: int,
) -> CalcReport:
    """Report of ``layer`` on a rows x cols array with three buffers of the given sizes in KiB (one-byte words).

    Raises ValueError for an unknown dataflow, a size below 1, or a filter larger than the input.
    """
    _check_sizes(layer, rows, cols, ifmap_kib, filter_kib, ofmap_kib)
    flow = dataflow_named(dataflow) if isinstance(dataflow, str) else dataflow
    m, n, k = layer.gemm()
    folding = fold_gemm(m, n, k, rows, cols, flow)
    spatial_rows, stream = int(folding.spatial_rows), int(folding.stream)
    window, offset, stamps = _ifmap_tables(layer)
    weights = np.arange(n, dtype=np.int64) * k, np.arange(k, dtype=np.int64), np.zeros(n * k, np.int64)
    ifmap = _reads(flow, Dataflow.IS, offset, window, stamps, rows, cols, folding, ifmap_kib)
    filters = _reads(flow, Dataflow.WS, weights[1], weights[0], weights[2], rows, cols, folding, filter_kib)
    first = {True: rows - min(rows, spatial_rows), False: 0 if flow is Dataflow.OS else rows}
    ifmap_start = _prefetch_start(*ifmap, ifmap_kib, first[flow is Dataflow.IS])
    filter_start = _prefetch_start(*filters, filter_kib, first[flow is Dataflow.WS])
    drained = drained_writes(
        rows, cols, spatial_rows, int(folding.spatial_cols), stream, flow is Dataflow.OS, ofmap_kib * 1024
    )
    stop = max(drained[2], drained[3] - 1)
    return CalcReport(
        int(reported_total_cycles(compute_cycles(m, n, k, rows, cols, flow))),
        stop - min(ifmap_start, filter_start),
        sram_counts(m, n, k, folding, rows, cols, flow),
        ifmap[0],
        filters[0],
        drained[0],
        ifmap_start,
        filter_start,
        drained[1],
        stop,
        drained[2],
    )


def _check_sizes(layer: ScaleSimLayer, rows: int, cols: int, *kib: int) -> None:
    named = {"rows": rows, "cols": cols, "filters": layer.filters, "channels": layer.channels}
    named |= {"filter height": layer.filter_height, "filter width": layer.filter_width}
    named |= {"vertical stride": layer.stride[0], "horizontal stride": layer.stride[1]}
    named |= dict(zip(("ifmap KiB", "filter KiB", "ofmap KiB"), kib, strict=True))
    wrong = [f"{name} is {value}" for name, value in named.items() if value < 1]
    if wrong:
        raise ValueError(f"{'; '.join(wrong)}: each must be 1 or more")


def _ifmap_tables(layer: ScaleSimLayer) -> tuple[Words, Words, Words]:
    """Addresses of the windows and of the words in a window, and the stamps of the input.

    The input is embedded in the area that the windows cover, so that one sum addresses every word; positions
    outside the input carry a stamp that never counts as a fetch.
    """
    out_rows, out_cols = layer.outputs()
    width = max(layer.width, (out_cols - 1) * layer.stride[1] + layer.filter_width)
    height = max(layer.height, (out_rows - 1) * layer.stride[0] + layer.filter_height)
    pixels = np.arange(height * width, dtype=np.int64).reshape(height, width) * layer.channels
    window = pixels[:: layer.stride[0], :: layer.stride[1]][:out_rows, :out_cols].reshape(-1)
    taps = pixels[: layer.filter_height, : layer.filter_width].reshape(-1)
    offset = np.add.outer(taps, np.arange(layer.channels, dtype=np.int64)).reshape(-1)
    stamps = np.full((height, width, layer.channels), OUTSIDE, np.int64)
    stamps[: layer.height, : layer.width] = 0
    return np.ascontiguousarray(window), offset, stamps.reshape(-1)


def _reads(
    flow: Dataflow,
    stationary_in: Dataflow,
    reduction: Words,
    free: Words,
    stamps: Words,
    rows: int,
    cols: int,
    folding: tuple[npt.NDArray[np.int64], ...],
    kib: int,
) -> tuple[int, int]:
    """(fetched words, flushes) of one input operand, addressed along K (``reduction``) and along M or N."""
    capacity = SETS * (1024 * kib // 100)
    row_folds, col_folds = int(folding[3]), int(folding[4])
    if flow is stationary_in:
        counts = stationary_misses(reduction, free, rows, cols, stamps, capacity)
    elif flow is not Dataflow.OS:
        counts = streamed_misses(reduction, free, rows, col_folds, 1, stamps, capacity)
    elif stationary_in is Dataflow.IS:
        counts = streamed_misses(free, reduction, rows, col_folds, 1, stamps, capacity)
    else:
        counts = streamed_misses(free, reduction, cols, 1, row_folds, stamps, capacity)
    return int(counts[0]), int(counts[1])


def _prefetch_start(reads: int, flushes: int, kib: int, first_demand: int) -> int:
    """Cycle at which the first fetch starts so that the demand never waits."""
    set_words = 1024 * kib // 100
    if flushes:
        return first_demand - -(-SETS * set_words // PREFETCH_WORDS_PER_CYCLE)
    words = -(-reads // set_words) * set_words
    return -words // PREFETCH_WORDS_PER_CYCLE  # rounded away from zero
