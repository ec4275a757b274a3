"""The systolic array: published cycle counts, traffic worked by hand, refusals, order of the alternatives."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.components.estimate import CostTable, price
from cosim.components.params import Params, Value
from cosim.hardware.load import load_machine
from cosim.hardware.systolic import MODEL
from cosim.ir.batch import LayerBatch
from cosim.ir.layer import Layer, mac_layer, vector_layer
from cosim.mapping.feasibility import violations
from cosim.mapping.partition import partition_gemm
from cosim.mapping.plan import MappingDoc, MappingError, make_plan
from cosim.spec.locate import ROOT


@cache
def machine(name: str) -> Params:
    return load_machine(ROOT / "arch" / f"{name}.yaml", {}, strict=True).params


def gemm(m: int, n: int, k: int, name: str = "gemm") -> Layer:
    return mac_layer(name, "linear", P=m, K=n, C=k)


def run(params: Params, *layers: Layer, dataflow: str = "auto") -> CostTable:
    batch = LayerBatch.from_layers(layers)
    plan = make_plan(batch, MODEL.choices, MappingDoc(defaults={"dataflow": dataflow}))
    return price(MODEL.estimate(batch, params, plan), MODEL.energies(params))


def traffic(params: Params, layer: Layer, dataflow: str, name: str) -> float:
    """A column without prices: buffers of a few bytes are in no energy table."""
    batch = LayerBatch.from_layers([layer])
    plan = make_plan(batch, MODEL.choices, MappingDoc(defaults={"dataflow": dataflow}))
    return float(np.ravel(MODEL.estimate(batch, params, plan).columns[name])[0])


def sized(params: Params, rows: int, cols: int, **values: Value) -> Params:
    return params.with_values({"array.rows": float(rows), "array.cols": float(cols), **values})


def column(table: CostTable, name: str) -> float:
    return float(np.ravel(table.columns[name])[0])


SCALE_SIM = {
    "os": {(16, 16, 32): 183, (20, 12, 40): 323, (64, 8, 8): 175, (100, 50, 30): 4003},
    "ws": {(16, 16, 32): 303, (20, 12, 40): 419, (64, 8, 8): 85, (100, 50, 30): 3415},
    "is": {(16, 16, 32): 303, (20, 12, 40): 509, (64, 8, 8): 239, (100, 50, 30): 3743},
}


@pytest.mark.parametrize("flow", SCALE_SIM)
def test_cycles_are_those_of_scalesim(flow: str) -> None:
    """SCALE-Sim 3.0.0, 8 x 8, CALC mode; it reports the index of the last cycle, one less than their number."""
    params = sized(machine("systolic_fpga"), 8, 8)
    for shape, reported in SCALE_SIM[flow].items():
        assert column(run(params, gemm(*shape), dataflow=flow), "compute_cycles") == reported + 1


def test_weight_stationary_in_pieces_by_hand() -> None:
    """4 x 4, M=10, N=4, K=8: two row folds. Half the output buffer takes 16 accumulators, so 4 rows of 4: the
    stream is cut in ceil(10 * 4 / 16) = 3 pieces. Cycles 2 * (10 + 3 * (2*4 + 4 - 2)) = 80; weights pass three
    times unless held (32 elements, half the weight buffer takes 16).
    """
    params = sized(
        machine("systolic_fpga"),
        4,
        4,
        **{"buffers.ofmap.capacity_bytes": 128.0, "buffers.filter.capacity_bytes": 64.0},
    )
    shape = gemm(10, 4, 8)
    assert traffic(params, shape, "ws", "compute_cycles") == 80
    assert traffic(params, shape, "ws", "folds") == 6
    assert traffic(params, shape, "ws", "dram_read_bytes") == 2 * (80 + 3 * 32)
    assert traffic(params, shape, "ws", "dram_write_bytes") == 2 * 40
    assert traffic(params, shape, "ws", "mapping_efficiency") == 1.0
    held = params.with_values({"buffers.filter.capacity_bytes": 128.0})
    assert traffic(held, shape, "ws", "dram_read_bytes") == 2 * (80 + 32)


def test_output_stationary_takes_the_cheaper_order_by_hand() -> None:
    """4 x 4, M=8, N=12, K=16: F_r=2, F_c=3. X strip 64, X 128; W strip 64, W 192 elements. With 64 held of each,
    rows outermost reads X once and W twice (512), columns outermost W once and X three times (576).
    """
    params = sized(
        machine("systolic_fpga"),
        4,
        4,
        **{"buffers.ifmap.capacity_bytes": 256.0, "buffers.filter.capacity_bytes": 256.0},
    )
    assert traffic(params, gemm(8, 12, 16), "os", "dram_read_bytes") == 2 * 512
    less = params.with_values({"buffers.ifmap.capacity_bytes": 255.0})
    assert traffic(less, gemm(8, 12, 16), "os", "dram_read_bytes") == 2 * 576
    none = less.with_values({"buffers.filter.capacity_bytes": 255.0})
    assert traffic(none, gemm(8, 12, 16), "os", "dram_read_bytes") == 2 * (3 * 128 + 2 * 192)


def test_held_strips_are_taken_together_by_hand() -> None:
    """4 x 4, M=16, N=12, K=16: F_r=4. Two X strips of 64 elements are held together: W passes twice, not four
    times (rows outermost: 256 + 2 * 192; columns outermost, one W strip held: 192 + 3 * 256).
    """
    params = sized(
        machine("systolic_fpga"),
        4,
        4,
        **{"buffers.ifmap.capacity_bytes": 512.0, "buffers.filter.capacity_bytes": 256.0},
    )
    assert traffic(params, gemm(16, 12, 16), "os", "dram_read_bytes") == 2 * (256 + 2 * 192)
    single = params.with_values({"buffers.ifmap.capacity_bytes": 511.0})
    assert traffic(single, gemm(16, 12, 16), "os", "dram_read_bytes") == 2 * (192 + 3 * 256)


def test_stream_is_cut_finer_where_the_memory_is_slow_by_hand() -> None:
    """4 x 4, M=8, N=8, K=4: two column folds. 16 of 32 X elements are held: in one piece X passes twice, in two
    pieces once, and the array takes 2 * (8 + 10) = 36 or 2 * (8 + 2 * 10) = 56 cycles.
    """
    params = sized(machine("systolic_fpga"), 4, 4, **{"buffers.ifmap.capacity_bytes": 64.0})
    for rate, cycles, elements in ((1e12, 36, 2 * 32 + 32), (1e8, 56, 32 + 32)):
        found = params.with_values({"dram.bandwidth_bytes_per_s": rate})
        assert traffic(found, gemm(8, 8, 4), "ws", "compute_cycles") == cycles
        assert traffic(found, gemm(8, 8, 4), "ws", "dram_read_bytes") == 2 * elements


def test_input_stationary_is_the_exchanged_product() -> None:
    params = sized(machine("systolic_fpga"), 4, 8)
    ours, exchanged = run(params, gemm(9, 17, 30), dataflow="is"), run(params, gemm(17, 9, 30), dataflow="ws")
    for name in ("compute_cycles", "folds", "dram_read_bytes", "dram_write_bytes", "sram_read_bytes"):
        assert column(ours, name) == column(exchanged, name)


def test_latency_is_the_longest_resource_between_fill_and_drain() -> None:
    """Array 16 x 16 at 200 MHz, 3.9442 GB/s: a product that the memory bounds takes its bytes over the rate."""
    params = machine("systolic_fpga")
    table = run(params, gemm(16, 40000, 16), dataflow="os")
    total = 2 * (256 + 640000 + 640000)
    assert table.bound_names() == ["dram"]
    assert float(table.latency_s[0]) == pytest.approx(100e-6 + total / (4.264e9 * 0.925), rel=1e-12)


@pytest.mark.parametrize("name", ["systolic_fpga", "systolic_mlc_sttram"])
def test_auto_takes_the_fastest_of_the_three(name: str) -> None:
    params = machine(name)
    layers = [
        gemm(1, 1000, 512, "a"),
        gemm(3136, 64, 576, "b"),
        gemm(16, 4000, 16, "c"),
        gemm(5000, 256, 27, "d"),
    ]
    singly = np.array([run(params, *layers, dataflow=flow).latency_s for flow in ("os", "ws", "is")])
    auto = run(params, *layers)
    np.testing.assert_allclose(auto.latency_s, singly.min(axis=0), rtol=1e-12)
    assert len(set(auto.columns["mode"])) > 1


def test_depthwise_uses_one_column_and_grouping_repeats() -> None:
    params = machine("systolic_128").with_values({"host.call_s": 0.0})
    depthwise = mac_layer("dw", "depthwise_conv", G=32, P=28, Q=28, R=3, S=3)
    table = run(params, depthwise)
    assert column(table, "folds") == 32
    assert column(table, "mapping_efficiency") == pytest.approx(9 / 128**2)


def test_transposed_and_deformable_layers_use_the_vector_unit() -> None:
    params = machine("systolic_fpga")
    up = mac_layer("up", "transposed_conv", K=8, C=4, P=8, Q=8, H=4, W=4, R=2, S=2)
    deform = mac_layer("deform", "deform_conv", K=8, C=4, P=8, Q=8, R=3, S=3)
    plain = mac_layer("plain", "conv", K=8, C=4, P=8, Q=8, R=3, S=3)
    table = run(params, up, deform, plain)
    simple = np.broadcast_to(table.action_counts["vector_unit", "simple"], (3,))
    np.testing.assert_array_equal(simple, [16 * 32, 7 * 64 * 36, 0])


def test_resident_activations_leave_only_weights_outside() -> None:
    params = machine("systolic_128")
    small, large = gemm(1000, 256, 256, "small"), gemm(20000, 256, 256, "large")
    table = run(params, small, large)
    np.testing.assert_array_equal(table.columns["dram_write_bytes"], [0, 20000 * 256])
    assert table.columns["dram_read_bytes"][0] == 256 * 256
    edges = np.asarray(table.resource_s["first_and_last_tile"]) * (256e9 * 0.9)
    np.testing.assert_allclose(edges, [128 * 128, 128 * 128 + 128 + 128])
    vector = run(params, vector_layer("relu", "relu", x_elems=5000, y_elems=5000))
    assert column(vector, "dram_read_bytes") == column(vector, "dram_write_bytes") == 0


def test_twin_machines_differ_by_the_memory_alone() -> None:
    """The same cycles and traffic; two-bit cells leak less, cost more a read, and bound a layer that only loads."""
    layers = (gemm(3136, 64, 576, "conv"), gemm(1, 1000, 2048, "fc"))
    sram, mlc = run(machine("systolic_sram"), *layers), run(machine("systolic_mlc_sttram"), *layers)
    np.testing.assert_array_equal(sram.columns["compute_cycles"], mlc.columns["compute_cycles"])
    np.testing.assert_array_equal(sram.columns["dram_read_bytes"], mlc.columns["dram_read_bytes"])
    per_second = [np.sum(t.static_pj["filter_buffer"] / t.latency_s) for t in (sram, mlc)]
    assert per_second[1] < per_second[0]
    assert np.all(mlc.energy_pj["filter_buffer"] > sram.energy_pj["filter_buffer"])
    assert mlc.bound_names()[1] == "filter_port"
    assert np.ravel(mlc.columns["hard_cell_share"])[0] == pytest.approx(0.541)


def test_reformed_weights_save_what_their_hard_cells_cost() -> None:
    """h falls from .541 to .3478: reads cost (1 + .46 * .3478) / (1 + .46 * .541) of before, writes with .28, and
    0.78 % more bits are moved.
    """
    layer = gemm(3136, 64, 576, "conv")
    plain, hybrid = (
        run(machine("systolic_mlc_sttram"), layer),
        run(machine("systolic_mlc_sttram_hybrid"), layer),
    )
    for verb, delta in (("read", 0.46), ("write", 0.28)):
        pj = []
        for name, table in (("systolic_mlc_sttram", plain), ("systolic_mlc_sttram_hybrid", hybrid)):
            costs = MODEL.energies(machine(name)).action_pj
            actions = [("filter_buffer", f"{verb}_{p}") for p in ("00", "01", "10", "11")]
            pj.append(sum(float(table.action_counts[a][0]) * float(costs[a]) for a in actions))
        expected = 1.0078125 * (1 + delta * 0.3478) / (1 + delta * 0.5410)
        assert pj[1] / pj[0] == pytest.approx(expected, rel=1e-4)
    assert hybrid.columns["hard_cell_share"][0] == pytest.approx(0.3478)


def test_tile_that_does_not_fit_is_refused_with_the_reason() -> None:
    params = machine("systolic_128").with_values({"buffers.filter.capacity_bytes": 32767.0})
    table = run(params, gemm(10, 200, 200))
    reasons = violations(table.limits, ("gemm",))
    assert [reason.resource for reason in reasons] == ["filter buffer"]
    assert "needs 16,384 elements" in str(reasons[0])
    assert "larger buffer" in str(reasons[0])


def test_dataflow_that_is_not_wired_is_refused() -> None:
    with pytest.raises(MappingError, match="layer gemm: found dataflow 'os', allowed 'ws'"):
        run(machine("systolic_128"), gemm(8, 8, 8), dataflow="os")


@pytest.mark.parametrize("flow", ["os", "ws", "is"])
def test_a_grid_of_arrays_takes_the_cycles_of_its_fullest_one(flow: str) -> None:
    """Against the scale-out closed form of the mapping package; the traffic of shared buffers does not change."""
    params = sized(machine("systolic_fpga"), 8, 4)
    values = {**params.values, "array.grid.rows": 2.0, "array.grid.cols": 3.0}
    grid = Params(params.kind, params.name, values, params.options)
    for shape in ((100, 50, 30), (7, 9, 11), (64, 64, 64)):
        one, many = run(params, gemm(*shape), dataflow=flow), run(grid, gemm(*shape), dataflow=flow)
        expected = partition_gemm(*shape, 8, 4, flow, 2, 3).total_cycles
        assert column(many, "compute_cycles") == expected
        assert column(many, "dram_read_bytes") == column(one, "dram_read_bytes")
    assert MODEL.peak_macs_per_s(grid) == 6 * MODEL.peak_macs_per_s(params)


def test_operands_without_skew_take_only_their_stream() -> None:
    params = sized(machine("systolic_fpga"), 8, 8)
    broadcast = Params(params.kind, params.name, params.values, {**params.options, "array.skew": "false"})
    assert column(run(broadcast, gemm(8, 8, 100), dataflow="os"), "compute_cycles") == 100


def test_hidden_fill_is_never_slower() -> None:
    hidden = machine("systolic_128")
    shown = Params(hidden.kind, hidden.name, hidden.values, {**hidden.options, "array.overlap_fill": "false"})
    layers = [gemm(m, 300, 500, f"g{m}") for m in (1, 64, 128, 1000)]
    assert np.all(
        run(hidden, *layers).columns["compute_cycles"] < run(shown, *layers).columns["compute_cycles"]
    )


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.integers(1, 300),
    st.sampled_from(["m", "n", "k"]),
    st.integers(1, 40),
)
def test_more_work_is_never_cheaper(m: int, n: int, k: int, grown: str, by: int) -> None:
    params = machine("systolic_fpga")
    sizes = {"m": m, "n": n, "k": k}
    for flow in ("os", "ws", "is"):
        before = run(params, gemm(**sizes), dataflow=flow)
        after = run(params, gemm(**(sizes | {grown: sizes[grown] + by})), dataflow=flow)
        assert after.latency_s[0] >= before.latency_s[0]
        assert after.total_energy_pj[0] > before.total_energy_pj[0]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 500), st.floats(1.0, 8.0))
def test_more_bandwidth_and_more_buffer_are_never_slower(m: int, n: int, k: int, factor: float) -> None:
    params = machine("systolic_fpga")
    base = run(params, gemm(m, n, k)).latency_s[0]
    for path in (
        "dram.bandwidth_bytes_per_s",
        "buffers.ifmap.capacity_bytes",
        "buffers.ofmap.capacity_bytes",
    ):
        faster = params.with_values({path: params[path] * factor})
        assert run(faster, gemm(m, n, k)).latency_s[0] <= base * (1 + 1e-12)


def test_equation_adds_up_to_the_latency() -> None:
    params = machine("systolic_fpga")
    batch = LayerBatch.from_layers([gemm(100, 50, 30)])
    plan = make_plan(batch, MODEL.choices)
    lines = MODEL.equation(batch, params, plan)
    latency = float(run(params, gemm(100, 50, 30)).latency_s[0])
    assert lines[-1].endswith(f"= {latency * 1e6:,.3f} us")
    assert "100 x 30 by 30 x 50" in lines[0]
