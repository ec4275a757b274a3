"""The cycle-level systolic array against matrix multiplication and the closed form of its cycles."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cosim.kernels import systolic_cycles
from cosim.mapping import cycle_level
from cosim.mapping.cycle_level import CycleRun, simulate_gemm
from cosim.mapping.folds import CyclePolicy, compute_cycles, fold_cycles

FLOWS = ["os", "ws", "is"]
PRIMES = [1, 2, 3, 5, 7, 11, 13, 17, 19, 23]
sizes = st.integers(1, 20) | st.sampled_from(PRIMES)
sides = st.integers(1, 7)
types = st.sampled_from([np.int32, np.int64])
policies = st.builds(CyclePolicy, os_drain=st.booleans(), overlap_fill=st.booleans())


def operands(m: int, n: int, k: int, dtype: type = np.int64, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([m, n, k, seed])
    return rng.integers(-99, 100, (m, k)).astype(dtype), rng.integers(-99, 100, (k, n)).astype(dtype)


def naive_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    product = np.zeros((a.shape[0], b.shape[1]), a.dtype)
    for m, n, k in np.ndindex(a.shape[0], b.shape[1], a.shape[1]):
        product[m, n] += a[m, k] * b[k, n]
    return product


@settings(deadline=None)
@given(sizes, sizes, sizes, sides, sides, st.sampled_from(FLOWS), policies, types)
@example(13, 9, 5, 6, 4, "os", CyclePolicy(os_drain=True, overlap_fill=True), np.int64)
def test_product_and_cycles(
    m: int, n: int, k: int, rows: int, cols: int, flow: str, policy: CyclePolicy, dtype: type
) -> None:
    policy = CyclePolicy(policy.os_drain and flow == "os", policy.overlap_fill)
    a, b = operands(m, n, k, dtype)
    run = simulate_gemm(a, b, rows, cols, flow, policy)
    np.testing.assert_array_equal(run.product, a @ b)
    assert run.product.dtype == dtype
    assert run.cycles == compute_cycles(m, n, k, rows, cols, flow, policy)
    assert run.pe_cycles == run.cycles * rows * cols
    assert run.valid.size == run.value.size == 0


def _compiled_and_not(
    monkeypatch: pytest.MonkeyPatch,
    a: np.ndarray,
    b: np.ndarray,
    side: tuple[int, int],
    flow: str,
    policy: CyclePolicy,
) -> list[CycleRun]:
    compiled = simulate_gemm(a, b, *side, flow, policy, trace=True)
    for name in dir(systolic_cycles):
        kernel = getattr(systolic_cycles, name)
        if hasattr(kernel, "py_func"):
            monkeypatch.setattr(systolic_cycles, name, kernel.py_func)
    monkeypatch.setattr(cycle_level, "simulate", systolic_cycles.simulate)
    return [compiled, simulate_gemm(a, b, *side, flow, policy, trace=True)]


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("drain", [False, True])
def test_compiled_equals_interpreted_equals_naive(
    monkeypatch: pytest.MonkeyPatch, flow: str, overlap: bool, drain: bool
) -> None:
    a, b = operands(7, 5, 8)
    policy = CyclePolicy(os_drain=drain and flow == "os", overlap_fill=overlap)
    runs = _compiled_and_not(monkeypatch, a, b, (3, 4), flow, policy)
    for run in runs:
        np.testing.assert_array_equal(run.product, naive_product(a, b))
    assert runs[0].cycles == runs[1].cycles
    np.testing.assert_array_equal(runs[0].valid, runs[1].valid)
    np.testing.assert_array_equal(runs[0].value, runs[1].value)


def test_kernels_run_with_the_compiler_switched_off() -> None:
    """The same source in a process without compilation gives the same product and cycles."""
    code = (
        "import numpy as np; from cosim.mapping.cycle_level import simulate_gemm as g\n"
        "a = np.arange(35).reshape(5, 7) - 9; b = np.arange(42).reshape(7, 6) - 17\n"
        "runs = [g(a, b, 3, 4, f) for f in ('os', 'ws', 'is')]\n"
        "assert all((r.product == a @ b).all() for r in runs)\n"
        "print([r.cycles for r in runs])"
    )
    env = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    out = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    ).stdout
    # Four folds of 7 + 3 + 4 - 2 (os); six of 5 + 2 * 3 + 4 - 2 (ws) and of 6 + 2 * 3 + 4 - 2 (is).
    assert out.strip() == str([4 * 12, 6 * 13, 6 * 14])


@settings(deadline=None)
@given(sizes, sizes, sizes, sides, sides, st.booleans())
def test_os_results_leave_on_the_diagonal(m: int, n: int, k: int, rows: int, cols: int, drain: bool) -> None:
    """Element (i, j) of a fold is complete in cycle K - 1 + i + j; drained, all rows of a column follow after
    the last one of them, from the bottom up."""
    a, b = operands(m, n, k)
    policy = CyclePolicy(os_drain=drain)
    run = simulate_gemm(a, b, rows, cols, "os", policy, trace=True)
    valid, value = np.zeros_like(run.valid), np.zeros_like(run.value)
    per_fold = int(fold_cycles(k, rows, cols, "os", policy))
    product, start = a @ b, 0
    for first_n in range(0, n, cols):
        for first_m in range(0, m, rows):
            for i in range(min(rows, m - first_m)):
                for j in range(min(cols, n - first_n)):
                    leaves = k - 1 + j + (rows - 1 + rows - i if drain else i)
                    valid[start + leaves, j] = True
                    value[start + leaves, j] = product[first_m + i, first_n + j]
            start += per_fold
    np.testing.assert_array_equal(run.valid, valid)
    np.testing.assert_array_equal(run.value, value)


@settings(deadline=None)
@given(sizes, sizes, sizes, sides, sides, st.booleans())
def test_ws_partial_sums_leave_skewed(m: int, n: int, k: int, rows: int, cols: int, overlap: bool) -> None:
    """Row m of a fold leaves column j in cycle 2 * rows - 1 + m + j: after the load and the way down."""
    a, b = operands(m, n, k)
    policy = CyclePolicy(overlap_fill=overlap)
    run = simulate_gemm(a, b, rows, cols, "ws", policy, trace=True)
    valid, value = np.zeros_like(run.valid), np.zeros_like(run.value)
    interval = max(m, rows) if overlap else int(fold_cycles(m, rows, cols, "ws"))
    start = 0
    for first_n in range(0, n, cols):
        for first_k in range(0, k, rows):
            partial = a[:, first_k : first_k + rows] @ b[first_k : first_k + rows, first_n : first_n + cols]
            for step, j in np.ndindex(partial.shape):
                valid[start + 2 * rows - 1 + step + j, j] = True
                value[start + 2 * rows - 1 + step + j, j] = partial[step, j]
            start += interval
    np.testing.assert_array_equal(run.valid, valid)
    np.testing.assert_array_equal(run.value, value)


def test_sums_wrap_as_a_32_bit_accumulator_does() -> None:
    a = np.full((2, 3), 2**30, np.int32)
    b = np.full((3, 2), 2, np.int32)
    with np.errstate(over="ignore"):
        expected = a @ b
    assert expected[0, 0] == -(2**31)  # 3 * 2**31 modulo 2**32
    for flow in FLOWS:
        np.testing.assert_array_equal(simulate_gemm(a, b, 2, 2, flow).product, expected)


@pytest.mark.parametrize("flow", FLOWS)
def test_an_array_wider_than_its_line_buffer(flow: str) -> None:
    """The windows of the rows slide through their buffer more than once."""
    a, b = operands(40, 300, 700, np.int32)
    run = simulate_gemm(a, b, 30, 290, flow)
    np.testing.assert_array_equal(run.product, a @ b)
    assert run.cycles == compute_cycles(40, 300, 700, 30, 290, flow)


def test_wrong_input_is_refused() -> None:
    a, b = operands(3, 4, 5)
    with pytest.raises(ValueError, match="as many rows as the first has columns"):
        simulate_gemm(a, b.T, 2, 2, "os")
    with pytest.raises(ValueError, match="two matrices of one type"):
        simulate_gemm(a, b.astype(np.int32), 2, 2, "os")
    with pytest.raises(ValueError, match="array 0 x 2"):
        simulate_gemm(a, b, 0, 2, "os")
    with pytest.raises(ValueError, match="no wave to simulate"):
        simulate_gemm(a, b, 2, 2, "os", CyclePolicy(skew=False))
    with pytest.raises(ValueError, match="did you mean 'os'"):
        simulate_gemm(a, b, 2, 2, "oss")
