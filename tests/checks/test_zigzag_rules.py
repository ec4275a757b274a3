"""ZigZag's rules of counting and latency, and the engine's conventions beside them, on hand-worked cases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.checks.zigzag_nest import NestComparison, compare_nest, run_nest
from cosim.mapping import zigzag_model_latency as latency
from cosim.mapping.nest import NestCounts
from cosim.mapping.zigzag_model import (
    Direction,
    Layer,
    Machine,
    Memory,
    OperandMapping,
    Port,
    Transfer,
    Window,
    count_accesses,
    move_down,
    operand_flow,
    split_loops,
)
from cosim.mapping.zigzag_model_latency import Activity, free_cycles, layer_cost, port_stall, share_reduction

# A product O[m][n] = W[m][k] I[k][n] on two multipliers: M = 2 side by side, then K = 3 inside N = 4.
LAYER = Layer(
    sizes={"M": 2, "K": 3, "N": 4},
    relevant={"O": frozenset("MN"), "W": frozenset("MK"), "I": frozenset("KN")},
    windows={},
    bits={"O": 16, "W": 8, "I": 8},
    final_bits=8,
    links={"O": "O", "W": "I2", "I": "I1"},
)
MAPPINGS = {
    "O": OperandMapping(((("K", 3),), (("N", 4),), ()), ((), (("M", 2),), (), ())),
    "W": OperandMapping(((), (("K", 3), ("N", 4))), ((), (("M", 2),), ())),
    "I": OperandMapping(((("K", 3), ("N", 4)), ()), ((("M", 2),), (), ())),
}


def _ports(name: str, low: int, high: int, *uses: tuple[str, Direction]) -> dict[tuple[str, Direction], Port]:
    return dict.fromkeys(uses, Port(name, low, high))


def _machine() -> Machine:
    """A register for W and an accumulator at each multiplier, a buffer for I and O, an outer memory for all."""
    everything: list[tuple[str, Direction]] = [(o, d) for o in ("I1", "I2", "O") for d in ("fh", "tl")]
    return Machine(
        "two",
        (
            Memory(
                "reg", 8, 0.5, 0.25, ("I2",),
                _ports("r", 8, 8, ("I2", "tl")) | _ports("w", 8, 8, ("I2", "fh")),
            ),
            Memory(
                "acc", 16, 1, 2, ("O",),
                _ports("r1", 16, 16, ("O", "tl")) | _ports("r2", 16, 16, ("O", "th"))
                | _ports("w1", 16, 16, ("O", "fh")) | _ports("w2", 16, 16, ("O", "fl")),
            ),
            Memory(
                "buf", 1024, 3, 4, ("I1", "O"),
                _ports("r", 16, 64, ("I1", "tl"), ("O", "tl"), ("O", "th"))
                | _ports("w", 16, 64, ("I1", "fh"), ("O", "fh"), ("O", "fl")),
            ),
            Memory(
                "top", 10**6, 10, 20, ("I1", "I2", "O"),
                _ports("rw", 64, 64, *everything, ("O", "fl"), ("O", "th")),
            ),
        ),
        units=2,
        mac_pj=0.1,
    )  # fmt: skip


# ---- rules of counting, numbers as in cosim.mapping.zigzag_model


@given(st.integers(1, 9), st.integers(1, 6), st.integers(1, 5))
def test_rule_1_counts_distinct_positions(outer: int, inner: int, stride: int) -> None:
    positions = {stride * a + b for a in range(outer) for b in range(inner)}
    assert Window("OX", stride, "FX", 1, 10**6).size(outer, inner) == len(positions)


def test_rule_1_clips_to_the_unpadded_axis_cuts_fractions_and_splits_loops() -> None:
    window = Window("OX", 1, "FX", 1, 4)
    assert window.size(3, 3) == 4  # five positions, one of them padding
    assert window.size(3.9, 1.5) == 3
    layer = replace(
        LAYER,
        sizes={"OX": 3, "FX": 3, "K": 2},
        relevant={"O": frozenset({"OX", "K"}), "I": frozenset({"IX"})},
        windows={"IX": replace(window, limit=9)},
    )
    parts = split_loops(layer, "I", ((("OX", 3), ("K", 2)), (("FX", 3),)))
    assert parts == [[(True, 3.0), (False, 1.0), (False, 2)], [(True, 5 / 3), (False, 9 / 5)]]


def test_rule_2_moves_irrelevant_loops_down_level_by_level() -> None:
    levels = ((("K", 3),), (("N", 2),), (("N", 2), ("K", 5), ("N", 7)))
    assert move_down(LAYER, "W", levels) == ((("K", 3), ("N", 2), ("N", 2)), (), (("K", 5), ("N", 7)))
    kept = OperandMapping(((("N", 4), ("K", 3)), ()), ((), (("M", 2),), ()))
    assert operand_flow(LAYER, "W", kept).transfers[0]["tl"].period == 4


def test_rules_3_to_6_on_the_hand_worked_product() -> None:
    weights, sums = (operand_flow(LAYER, operand, MAPPINGS[operand]) for operand in "WO")
    assert weights.units == (2, 1)
    # (elements, bits, period, window, periods, bits a cycle)
    assert weights.transfers[1]["tl"] == Transfer(2, 8, 1, 1, 12, 16)
    assert sums.units == (2, 1, 1)
    assert sums.transfers[0]["fl"] == sums.transfers[0]["tl"] == Transfer(1, 16, 1, 1, 12, 16)
    assert sums.transfers[0]["th"] == Transfer(1, 8, 3, 1, 4, 2)
    assert sums.transfers[0]["fh"].elements == sums.transfers[1]["tl"].elements == 0
    assert sums.transfers[1]["fl"] == Transfer(2, 8, 3, 1, 4, 5)
    assert sums.held_bits == (8, 64, 64)
    assert sums.effective_bits == (8, 16, 64)


def test_rule_6_sums_that_return_are_wide_and_come_back() -> None:
    mapping = OperandMapping(((), (("N", 4), ("K", 3)), ()), MAPPINGS["O"].spatial)
    inner, outer, _ = operand_flow(LAYER, "O", mapping).transfers
    assert inner["th"] == inner["fh"] == Transfer(1, 16, 1, 1, 12, 16)
    assert outer["tl"] == outer["fl"] == Transfer(2, 16, 1, 1, 12, 32)
    assert outer["th"] == Transfer(8, 8, 12, 4, 1, 5)  # the outermost K = 3 leaves a third of the period
    assert outer["fh"].elements == 0


def test_rule_3_rounds_fractional_copies_and_latency_takes_whole_ones() -> None:
    layer = replace(LAYER, sizes={"M": 3, "K": 1, "N": 1})
    mapping = OperandMapping(((("M", 2),),), ((), (("M", 1.5),)))
    assert operand_flow(layer, "W", mapping).units == (2,)  # 1.5 copies, half to even
    assert mapping.whole({}).spatial[1] == (("M", 1.0),)
    split = OperandMapping((), ((("OX", 3.5), ("K", 2.5)),))
    assert split.whole({"OX": 2}).spatial == ((("OX", 2.0), ("K", 2.0)),)


def test_rule_7_moves_whole_least_words() -> None:
    transfer = Transfer(3, 8, 1, 1, 6, 0)
    assert count_accesses(transfer, Port("p", 16, 64), 2) == 6  # ceil(24 / 16) = 2 of 4 parts, 12 times
    assert count_accesses(replace(transfer, periods=1), Port("p", 16, 64), 1) == 0  # half an access is none


def test_accesses_and_energy_of_the_hand_worked_product() -> None:
    cost = layer_cost(LAYER, _machine(), MAPPINGS)
    table = {(row.operand, row.memory): tuple(row.counts.values()) for row in cost.accesses}
    assert table == {  # to below, from below, to above, from above
        ("O", "acc"): (24, 24, 8, 0), ("O", "buf"): (0, 1, 1, 0), ("O", "top"): (0, 1, 0, 0),
        ("W", "reg"): (24, 0, 0, 24), ("W", "top"): (12, 0, 0, 0),
        ("I", "buf"): (3, 0, 0, 1), ("I", "top"): (2, 0, 0, 0),
    }  # fmt: skip
    assert cost.memory_pj == pytest.approx(278)
    assert cost.energy_pj == pytest.approx(280.4)


# ---- rules of latency, numbers as in cosim.mapping.zigzag_model_latency


def test_latency_of_the_hand_worked_product() -> None:
    cost = layer_cost(LAYER, _machine(), MAPPINGS)
    parts = (cost.temporal_cycles, cost.stall_cycles, cost.onload_cycles, cost.offload_cycles)
    assert list(parts) == [12, 0, 2, 2]
    assert cost.latency_cycles == 16
    assert cost.ideal_cycles == 12


def test_rule_2_the_first_operand_that_fits_again_takes_the_rest() -> None:
    flows = {operand: operand_flow(LAYER, operand, MAPPINGS[operand]) for operand in LAYER.relevant}
    twice = latency.double_buffered(LAYER, _machine(), flows)
    expected = {"O": [False, True, True, True], "W": [False, False, True], "I": [False, True, True]}
    assert twice == expected
    memories = list(_machine().memories)
    memories[2] = replace(memories[2], size_bits=44)  # content 16 + 8: 16 more fit, then 8 do not
    twice = latency.double_buffered(LAYER, replace(_machine(), memories=tuple(memories)), flows)
    assert twice["O"] == [False, True, True, True]
    assert twice["I"] == [False, False, True]


def test_rules_3_and_4_stall_of_a_port() -> None:
    late, early = Activity(5, 3, 4, 6), Activity(1, 2, 8, 3)
    assert (late.stall, early.stall) == (10, -2)
    assert port_stall([early]) == -2
    # Windows [0, 3) every 4 and [0, 2) every 8 cover 6 of 8 cycles, 18 of 24; allowed 15 + 4.
    assert port_stall([late, early]) == 10 + max(0, -2 + 19 - 18)
    assert port_stall([late, replace(early, allowed=8)]) == 10 + max(0, -14 + 31 - 24)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 60)), min_size=1, max_size=4))
def test_rule_5_matches_the_time_line(steps: list[tuple[int, int]]) -> None:
    windows, period = [], 1
    for factor, allowed in steps:
        period *= factor
        windows.append((period, allowed % (period + 1)))
    covered = {cycle for each, allowed in windows for cycle in range(period) if cycle % each < allowed}
    assert free_cycles(windows, 0) == period - len(covered)


def test_rule_5_refuses_periods_that_do_not_nest() -> None:
    with pytest.raises(ValueError, match="do not divide"):
        free_cycles([(4, 1), (6, 1)], 0)


def test_rule_7_cuts_the_longest_first_and_again_with_the_next() -> None:
    assert share_reduction([5, 9], [1, 1], 0) == [5, 9]
    assert share_reduction([5, 9], [1, 1], 6) == [5, 3]
    assert share_reduction([5, 9], [1, 1], 12) == [3, -1]  # 8 of 12 for the longest, 2 more for each
    assert share_reduction([5, 9], [1, 1], 99) == [1, -3]  # below zero: the known defect
    assert share_reduction([3], [5], 4) == [5]  # and one that is short grows


def _onload(shared: bool, into: float, out: float, w_into: float, w_out: float) -> float:
    """Two inputs with two memories each; the outer ports are shared, the inner one of I as said."""
    loading: dict[latency.Key, tuple[float, bool]] = {
        ("I", 1, "fh"): (into, shared),
        ("I", 2, "tl"): (out, True),
        ("W", 1, "fh"): (w_into, False),
        ("W", 2, "tl"): (w_out, True),
    }
    return latency.onload(LAYER, loading, {"I": 2, "W": 2, "O": 2})


def test_rule_8_orders_the_inputs_on_shared_ports() -> None:
    assert _onload(False, 7, 2, 3, 5) == 7  # half shared both: side by side
    assert _onload(True, 7, 2, 3, 5) == 7  # min(7 + max(5, 0), 0 + max(7, 5)): W goes along with I


# ---- conventions of the engine


def test_conventions_of_the_engine_on_the_hand_worked_product() -> None:
    cost = layer_cost(LAYER, _machine(), MAPPINGS)
    nest = compare_nest(LAYER, _machine(), MAPPINGS, cost)
    assert isinstance(nest, NestComparison)
    # 8 first sums of 16 bits; 8 results of 8 bits passed on by the accumulators (4) and the buffer (3); and what the
    # words really move: W at the top 30 for 120, O at the accumulators 4 for 8, I 4.5 for 9, 6 for 4 and 15 for 20.
    expected = {"first sums": -8.0, "passing on": -7.0, "port words": -101.5}
    assert {name: value for name, value in nest.differences_pj.items() if value} == pytest.approx(expected)
    assert nest.energy_pj == pytest.approx(280.4 - 116.5)
    assert nest.cycles == 12


def test_a_multiplier_that_keeps_its_weight_is_a_difference() -> None:
    mappings = {
        "O": OperandMapping(((), (("N", 4), ("K", 3)), ()), MAPPINGS["O"].spatial),
        "W": OperandMapping(((("N", 4),), (("K", 3),)), MAPPINGS["W"].spatial),
        "I": OperandMapping(((("N", 4), ("K", 3)), ()), MAPPINGS["I"].spatial),
    }
    nest = compare_nest(LAYER, _machine(), mappings, layer_cost(LAYER, _machine(), mappings))
    assert isinstance(nest, NestComparison)
    assert nest.differences_pj["multipliers"] == pytest.approx((24 - 6) * 0.5)


def test_the_engine_runs_full_units_and_a_last_one_partly_filled() -> None:
    layer = replace(LAYER, sizes={"M": 13, "K": 1, "N": 1})
    mapping = OperandMapping(((), (("M", 3),)), ((), (("M", 13 / 3),), ()))
    counts = run_nest(layer, "W", mapping)
    assert isinstance(counts, NestCounts)
    assert counts.compute_cycles == 3  # 5 + 5 + 3 words
    assert counts.access("2", "W").reads == 13
