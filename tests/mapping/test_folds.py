"""Closed forms of the systolic array: published runs, cases worked by hand, and counting fold by fold."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.mapping.folds import (
    ISPASS_POLICY,
    CyclePolicy,
    Dataflow,
    ceil_div,
    compute_cycles,
    evaluate_gemm,
    fold_cycles,
    fold_gemm,
    mapping_efficiency,
    parse_dataflow,
    reported_total_cycles,
    scalesim_compute_utilization,
    sram_counts,
    utilization,
)

GOLDEN = Path(__file__).parents[1] / "data" / "scalesim" / "scalesim_layers.csv"
FLOWS = ["os", "ws", "is"]
sizes = st.integers(1, 60)
sides = st.integers(1, 9)

# SCALE-Sim 3.0.0 on an 8 x 8 array, CALC mode: reported cycles of four products (M, N, K).
SHAPES = [(16, 16, 32), (20, 12, 40), (64, 8, 8), (100, 50, 30)]
REPORTED = {
    "os": [183, 323, 175, 4003],
    "ws": [303, 419, 85, 3415],
    "is": [303, 509, 239, 3743],
}


@pytest.mark.parametrize("flow", FLOWS)
def test_reported_cycles_of_scalesim_on_8x8(flow: str) -> None:
    m, n, k = np.array(SHAPES).T
    cycles = compute_cycles(m, n, k, 8, 8, flow)
    np.testing.assert_array_equal(reported_total_cycles(cycles), REPORTED[flow])


def test_4x4_product_on_a_4x4_array_takes_ten_cycles() -> None:
    """The last operands of element (3, 3) meet 3 + 3 cycles after step 3: ten cycles, numbered 0 to 9."""
    assert compute_cycles(4, 4, 4, 4, 4, "os") == 10
    assert evaluate_gemm(4, 4, 4, 4, 4, "os").reported_total_cycles == 9


def test_alexnet_conv3_on_32x32() -> None:
    """15 x 15 x 256 -> 384 with 3 x 3 filters: M = 169, N = 384, K = 2304 (SCALE-Sim 3.0.0)."""
    assert evaluate_gemm(169, 384, 2304, 32, 32, "os").reported_total_cycles == 170_351
    assert evaluate_gemm(169, 384, 2304, 32, 32, "ws").reported_total_cycles == 227_231


def _golden() -> list[dict[str, str]]:
    with GOLDEN.open(newline="", encoding="utf-8") as stream:
        return [row for row in csv.DictReader(stream) if row["mode"] == "CALC"]


@pytest.mark.parametrize("as_float", [False, True])
def test_every_closed_form_of_the_scalesim_sample(as_float: bool) -> None:
    rows = _golden()

    def column(name: str) -> np.ndarray:
        values = np.array([float(row[name]) for row in rows])
        return values if as_float else values.astype(np.int64)

    m, n, k = column("gemm_M"), column("gemm_N"), column("gemm_K")
    height, width = column("array_rows"), column("array_cols")
    codes = np.array([Dataflow[row["dataflow"].upper()] for row in rows])
    counts = evaluate_gemm(m, n, k, height, width, codes)
    exact = {
        "demand_lines": counts.total_cycles,
        "total_cycles": counts.reported_total_cycles,
        "sram_ifmap_reads": counts.sram.ifmap_reads,
        "sram_filter_reads": counts.sram.filter_reads,
        "sram_ofmap_writes": counts.sram.ofmap_writes,
    }
    for name, ours in exact.items():
        np.testing.assert_array_equal(ours, column(name), err_msg=name)
    shares = {
        "overall_util_pct": utilization(counts.macs, height, width, counts.reported_total_cycles),
        "mapping_eff_pct": counts.mapping_efficiency,
        "compute_util_pct": scalesim_compute_utilization(counts.folding, height, width, codes),
    }
    for name, share in shares.items():
        printed = np.array([float(row[name]) for row in rows])
        np.testing.assert_allclose(100 * share, printed, rtol=1e-12, err_msg=name)


@given(sizes, sizes, sizes, sides, sides, st.sampled_from(FLOWS))
def test_folds_counted_one_by_one(m: int, n: int, k: int, rows: int, cols: int, flow: str) -> None:
    """Walk the folds and add up the words that enter and leave and the elements in use."""
    down, across, stream = {"os": (m, n, k), "ws": (k, n, m), "is": (k, m, n)}[flow]
    folds = used = entering_left = entering_top = stationary = results = 0
    for first_row in range(0, down, rows):
        for first_col in range(0, across, cols):
            used_rows, used_cols = min(rows, down - first_row), min(cols, across - first_col)
            folds += 1
            used += used_rows * used_cols
            entering_left += used_rows * stream
            entering_top += used_cols * stream
            stationary += used_rows * used_cols
            results += used_rows * used_cols if flow == "os" else used_cols * stream
    counts = evaluate_gemm(m, n, k, rows, cols, flow)
    assert counts.total_cycles == folds * (stream + rows + cols - 2 + (0 if flow == "os" else rows))
    assert counts.mapping_efficiency == pytest.approx(used / (folds * rows * cols), rel=1e-12)
    plain = sram_counts(m, n, k, counts.folding, rows, cols, flow, count_padding=False)
    ifmap, weights = {
        "os": (entering_left, entering_top),
        "ws": (entering_left, stationary),
        "is": (stationary, entering_left),
    }[flow]
    assert (plain.ifmap_reads, plain.filter_reads, plain.ofmap_writes) == (ifmap, weights, results)
    assert plain.psum_reads == results - m * n
    padding = folds * (rows + cols) if flow == "os" else 0
    assert counts.sram.ofmap_writes == plain.ofmap_writes + padding
    assert 0 < counts.utilization <= 1
    assert counts.utilization <= counts.mapping_efficiency


policies = st.builds(CyclePolicy, st.booleans(), st.booleans(), st.booleans())


@given(sizes, sizes, sizes, sides, sides, st.sampled_from(FLOWS), policies, st.integers(1, 5))
def test_policies(
    m: int, n: int, k: int, rows: int, cols: int, flow: str, policy: CyclePolicy, repeats: int
) -> None:
    folding = fold_gemm(m, n, k, rows, cols, flow)
    stream, folds = int(folding.stream), int(folding.row_folds * folding.col_folds) * repeats
    single = stream
    single += rows + cols - 2 if policy.skew else 0
    single += rows if flow != "os" or policy.os_drain else 0
    assert fold_cycles(stream, rows, cols, flow, policy) == single
    expected = single + (folds - 1) * max(stream, rows) if policy.overlap_fill else folds * single
    assert compute_cycles(m, n, k, rows, cols, flow, policy, repeats) == expected
    assert evaluate_gemm(m, n, k, rows, cols, flow, policy, repeats).total_cycles == expected


def test_the_paper_counts_the_drain() -> None:
    """ISPASS 2020, eq. 1: 2 R + C + T - 2 for every dataflow."""
    assert [fold_cycles(11, 5, 7, flow, ISPASS_POLICY) for flow in FLOWS] == [2 * 5 + 7 + 11 - 2] * 3


@given(st.lists(st.tuples(sizes, sizes, sizes, sides, sides, st.integers(0, 2)), min_size=1, max_size=8))
def test_arrays_equal_single_calls(cases: list[tuple[int, ...]]) -> None:
    m, n, k, rows, cols, codes = np.array(cases).T
    for policy in (CyclePolicy(), ISPASS_POLICY, CyclePolicy(overlap_fill=True)):
        together = evaluate_gemm(m, n, k, rows, cols, codes, policy, repeats=np.arange(1, len(cases) + 1))
        for i, case in enumerate(cases):
            alone = evaluate_gemm(*case[:5], Dataflow(case[5]), policy, repeats=i + 1)
            assert together.total_cycles[i] == alone.total_cycles
            assert together.reported_total_cycles[i] == alone.reported_total_cycles
            assert together.utilization[i] == alone.utilization
            assert [field[i] for field in together.sram] == list(alone.sram)


def test_points_by_layers_broadcast() -> None:
    m, n, k = np.arange(1, 13).reshape(3, 1, 4) * 7
    rows, cols = np.array([[4], [8]]), np.array([[8], [4]])
    cycles = compute_cycles(m, n, k, rows, cols, np.array([[0], [2]]))
    assert cycles.shape == (2, 4)
    assert cycles[1, 2] == compute_cycles(int(m[0, 2]), int(n[0, 2]), int(k[0, 2]), 8, 4, "is")


@given(st.integers(1, 2**51), st.integers(1, 2**51))
def test_ceil_div_is_exact_in_both_types(numerator: int, denominator: int) -> None:
    expected = -(-numerator // denominator)
    for dtype in (np.int64, np.float64):
        assert ceil_div(np.asarray(numerator, dtype), np.asarray(denominator, dtype)) == expected
    whole = np.asarray(float(numerator // denominator * denominator))
    assert ceil_div(whole, np.asarray(float(denominator))) == numerator // denominator


def test_narrow_integers_do_not_overflow() -> None:
    m = np.array([60_000], np.int32)
    counts = evaluate_gemm(m, m, m, np.int16(256), np.int16(256), "ws")
    assert counts.macs[0] == 60_000**3
    assert counts.total_cycles[0] == 235 * 235 * (60_000 + 3 * 256 - 2)


def test_efficiency_is_one_only_when_everything_divides() -> None:
    assert mapping_efficiency(fold_gemm(16, 24, 5, 8, 8, "os"), 8, 8) == 1
    assert mapping_efficiency(fold_gemm(17, 24, 5, 8, 8, "os"), 8, 8) == 17 / 24


def test_unknown_dataflows_are_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown dataflow 'wx'; allowed: os, ws, is; did you mean 'ws'"):
        parse_dataflow("wx")
    with pytest.raises(ValueError, match=r"must be 0 \(os\), 1 \(ws\) or 2 \(is\)"):
        compute_cycles(1, 1, 1, 1, 1, np.array([0, 3]))
    assert parse_dataflow(" WS ") is Dataflow.WS
