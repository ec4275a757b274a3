"""A product spread over several arrays against the list of its pieces."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cosim.mapping.folds import Dataflow, compute_cycles, evaluate_gemm
from cosim.mapping.partition import partition_gemm

sizes = st.integers(1, 50)
sides = st.integers(1, 8)
parts = st.integers(1, 6)
flows = st.sampled_from(list(Dataflow))


def _pieces(extent: int, count: int) -> list[int]:
    chunk = -(-extent // count)
    return [min(chunk, extent - start) for start in range(0, extent, chunk)]


@given(sizes, sizes, sizes, sides, sides, flows, parts, parts)
def test_sum_and_maximum_over_the_pieces(
    m: int, n: int, k: int, rows: int, cols: int, flow: Dataflow, down: int, across: int
) -> None:
    whole = partition_gemm(m, n, k, rows, cols, flow, down, across)
    axes = {Dataflow.OS: (0, 1), Dataflow.WS: (2, 1), Dataflow.IS: (2, 0)}[flow]
    pieces = []
    for used_rows in _pieces((m, n, k)[axes[0]], down):
        for used_cols in _pieces((m, n, k)[axes[1]], across):
            size = [m, n, k]
            size[axes[0]], size[axes[1]] = used_rows, used_cols
            pieces.append(evaluate_gemm(*size, rows, cols, flow))
    assert whole.arrays_used == len(pieces)
    assert whole.total_cycles == max(int(piece.total_cycles) for piece in pieces)
    assert whole.utilization == m * n * k / (down * across * rows * cols * whole.total_cycles)
    for name in ("ifmap_reads", "filter_reads", "ofmap_writes"):
        assert getattr(whole.sram, name) == sum(int(getattr(piece.sram, name)) for piece in pieces)
    within = sum(int(piece.sram.psum_reads) for piece in pieces)
    between = 0 if flow is Dataflow.OS else (len(_pieces(k, down)) - 1) * m * n
    assert whole.reduction_words == between
    assert whole.sram.psum_reads == within + between


@given(sizes, sizes, sizes, sides, sides, flows, parts, parts)
def test_more_arrays_are_never_slower(
    m: int, n: int, k: int, rows: int, cols: int, flow: Dataflow, down: int, across: int
) -> None:
    one = compute_cycles(m, n, k, rows, cols, flow)
    spread = partition_gemm(
        m, n, k, rows, cols, flow, np.arange(1, down + 1)[:, None], np.arange(1, across + 1)
    )
    assert spread.total_cycles.shape == (down, across)
    assert spread.total_cycles[0, 0] == one
    assert np.all(np.diff(spread.total_cycles, axis=0) <= 0)
    assert np.all(np.diff(spread.total_cycles, axis=1) <= 0)
