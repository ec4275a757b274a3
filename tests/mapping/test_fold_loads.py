"""Loads fold by fold: hand-worked layers, and their sums are the traffic of the schedule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.mapping.array_schedule import Gemm, Machine, schedule
from cosim.mapping.fold_loads import FoldRun, fold_loads
from cosim.mapping.folds import CyclePolicy, Dataflow

SIZES = st.integers(1, 300)


def gemm(m: int, n: int, k: int, g: int = 1, x: int | None = None) -> Gemm:
    values = (g, m, n, k, m * k if x is None else x, n * k, m * n)
    return Gemm(*(np.array([float(v)]) for v in values))


def array(rows: int, cols: int, x_hold: float, w_hold: float, acc_hold: float = 1e9) -> Machine:
    return Machine(rows, cols, x_hold, w_hold, acc_hold, 8.0, 8.0, 8.0, 64.0, CyclePolicy())


def listed(runs: tuple[FoldRun, ...]) -> list[float]:
    """Bits of every fold in order."""
    return [
        float(bits)
        for run in runs
        for _ in range(run.repeats)
        for count, bits in zip(run.counts, run.bits, strict=True)
        for _ in range(count)
    ]


def test_output_stationary_with_everything_held() -> None:
    """M 4, N 4, K 2 on 2 x 2: strips of 4 elements each (32 bits); the other operand is loaded by the first strip.

    Both fit whole, so all strips of the rows are one block: first column fold loads W once and every X strip.
    Results: 4 elements a fold, 32 bits.
    """
    assert listed(fold_loads(gemm(4, 4, 2), array(2, 2, 100, 100), Dataflow.OS)) == [96.0, 64.0, 64.0, 32.0]


def test_output_stationary_with_one_strip_held() -> None:
    """Room for one strip of X and one of W: X once (rows outermost), W again for each of the two row folds."""
    loads = listed(fold_loads(gemm(4, 4, 2), array(2, 2, 4, 4), Dataflow.OS))
    assert loads == [96.0, 64.0, 96.0, 64.0]


def test_weight_stationary_by_hand() -> None:
    """M 3, N 2, K 4 on 2 x 2: two row folds, one column fold. X in halves (6 elements), W tiles of 4, results 6.

    The results stand with the first fold: (6 + 4 + 6) * 8, then (6 + 4) * 8.
    """
    assert listed(fold_loads(gemm(3, 2, 4), array(2, 2, 100, 100), Dataflow.WS)) == [128.0, 80.0]


def test_weight_stationary_cut_for_the_accumulators() -> None:
    """Room for 4 accumulators: M * 2 = 8 of them make two pieces; W (8 elements) is held, so the second loads none."""
    loads = listed(fold_loads(gemm(4, 2, 4), array(2, 2, 100, 100, acc_hold=4), Dataflow.WS))
    x, w, y = 16 * 8 / 4, 4 * 8.0, 8 * 8 / 2
    assert loads == [x + w + y, x + w, x + y, x]


@given(
    SIZES,
    SIZES,
    SIZES,
    st.integers(1, 3),
    st.sampled_from(list(Dataflow)),
    st.integers(2, 20),
    st.integers(2, 20),
    st.sampled_from([500.0, 3000.0, 20000.0, 1e6]),
    st.sampled_from([500.0, 3000.0, 20000.0, 1e6]),
    st.sampled_from([50.0, 1000.0, 1e6]),
    st.sampled_from([0.3, 1.0]),
)
@settings(max_examples=300, deadline=None)  # fmt: skip
def test_sums_are_the_schedule(
    m: int, n: int, k: int, g: int, flow: Dataflow, rows: int, cols: int, x_hold: float, w_hold: float,
    acc_hold: float, replicated: float,
) -> None:  # fmt: skip
    one = gemm(m, n, k, g, max(1, round(m * k * replicated)))
    machine = array(rows, cols, x_hold, w_hold, acc_hold)
    plan = schedule(one, machine, flow)
    runs = fold_loads(one, machine, flow)
    assert g * sum(run.folds for run in runs) == plan.folds[0]
    bits = plan.x_reads * machine.x_bits + plan.w_reads * machine.w_bits + one.g * one.y * machine.y_bits
    assert g * sum(run.total_bits for run in runs) == pytest.approx(float(bits[0]), rel=1e-12)
    assert all((run.bits >= 0).all() for run in runs)
