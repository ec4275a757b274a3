"""The GPU model: tiles, waves and launches by hand, data-sheet peaks, and where the energy goes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim import load_arch, load_workload
from cosim.components.estimate import CostTable, price
from cosim.components.gpu_launch import stream_s
from cosim.components.gpu_tiles import TILES, tile_cost
from cosim.hardware.load import Machine
from cosim.ir.batch import LayerBatch
from cosim.ir.layer import Layer, mac_layer, vector_layer
from cosim.mapping.fusion import merged
from cosim.mapping.plan import MappingDoc, make_plan

LIMITS_W = {
    "rtx2080ti": 250,
    "rtx3090": 350,
    "rtx4090": 450,
    "rtx5090": 575,
    "t4": 70,
    "v100": 300,
    "a100": 400,
    "h100": 700,
    "h200": 700,
    "orin": 60,
    "xavier": 30,
}


def machine(name: str, **overrides: str) -> Machine:
    return load_arch(name, {path.replace("__", "."): value for path, value in overrides.items()})


def costs(target: Machine, *layers: Layer, **choices: str) -> CostTable:
    batch = LayerBatch.from_layers(layers)
    plan = make_plan(batch, target.model.choices, MappingDoc(defaults=choices))
    return price(target.model.estimate(batch, target.params, plan), target.model.energies(target.params))


@pytest.mark.parametrize(
    ("name", "precision", "tera_flops"),
    [
        ("gpu_rtx3090", "fp32", 35.58),
        ("gpu_rtx3090", "fp16", 71.2),
        ("gpu_rtx3090", "int8", 284.7),
        ("gpu_rtx4090", "fp16", 165.2),
        ("gpu_rtx2080ti", "fp32", 13.45),
        ("gpu_rtx2080ti", "fp16", 53.8),
        ("gpu_t4", "fp32", 8.1),
        ("gpu_t4", "fp16", 65.0),
        ("gpu_t4", "int8", 130.0),
        ("gpu_v100", "fp16", 125.0),
        ("gpu_a100", "fp32", 19.5),
        ("gpu_a100", "tf32", 156.0),
        ("gpu_a100", "fp16", 312.0),
        ("gpu_a100", "int8", 624.0),
        ("gpu_h100", "fp16", 989.4),
        ("gpu_h200", "int8", 1979.0),
        ("gpu_rtx5090", "fp32", 104.8),
        ("gpu_rtx5090", "fp16", 209.5),
        ("gpu_orin", "fp32", 5.32),
        ("gpu_orin", "int8", 85.2),
        ("gpu_xavier", "fp16", 11.28),
        ("gpu_xavier", "int8", 22.56),
    ],
)
def test_peaks_are_those_of_the_data_sheets(name: str, precision: str, tera_flops: float) -> None:
    target = machine(name, datapath__precision=precision)
    peak = float(target.model.peak_macs_per_s(target.params))
    assert 2 * peak / 1e12 == pytest.approx(tera_flops, rel=0.006)


def test_waves_by_hand() -> None:
    """1024 x 1024 x 512 on 10 multiprocessors in 128 x 128 tiles: 64 blocks, 7 waves."""
    gemm = tuple(np.array([float(v)]) for v in (1, 1024, 1024, 512))
    cost = tile_cost(TILES[1], gemm, 10.0, 256.0, 2.0, 16)  # type: ignore[arg-type]
    assert cost.waves.item() == 7
    assert cost.cycles.item() == 7 * 128 * 128 * 512 / 256
    # Eight block columns read the left operand, eight block rows the right one, two bytes an element.
    assert cost.l2_bytes.item() == 2 * (512 * (8 * 1024 + 8 * 1024) + 1024 * 1024)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 16))
def test_no_tile_beats_the_peak(rows: int, cols: int, depth: int, groups: int) -> None:
    gemm = tuple(np.array([float(v)]) for v in (groups, rows, cols, depth))
    for tile in TILES:
        cycles = tile_cost(tile, gemm, 82.0, 256.0, 2.0, 16).cycles.item()  # type: ignore[arg-type]
        assert cycles * 82 * 256 >= groups * rows * cols * depth


def test_the_automatic_tile_is_the_fastest() -> None:
    layer = mac_layer("l", "linear", N=64, P=197, K=768, C=768)
    target = machine("gpu_rtx3090")
    automatic = costs(target, layer).resource_s["matrix units"].item()
    named = [costs(target, layer, tile=tile.name).resource_s["matrix units"].item() for tile in TILES]
    assert automatic == min(named)


def test_small_operators_take_the_launch() -> None:
    """A kernel of one element: the host in eager mode, the gap between kernels in a replayed graph."""
    tiny = vector_layer("l", "relu", x_elems=1, y_elems=1)
    assert costs(machine("gpu_a100"), tiny).latency_s.item() == pytest.approx(30e-6)
    assert costs(machine("gpu_a100", host__mode="graph"), tiny).latency_s.item() == pytest.approx(
        5e-6, rel=1e-3
    )


def test_streaming_runs_at_the_memory_bandwidth() -> None:
    layer = vector_layer("l", "relu", x_elems=1 << 28, y_elems=1 << 28)
    target = machine("gpu_a100", host__mode="graph")
    assert costs(target, layer).latency_s.item() == pytest.approx(5e-6 + 2**30 / (1555e9 * 0.9))


def test_grouped_convolutions_leave_the_tensor_cores() -> None:
    """Depthwise 7x7 at batch 64: FP32 lanes, at most 1/2 of the dense FP16 rate of this board."""
    dense = mac_layer("d", "conv", N=64, K=96, C=96, P=56, Q=56, R=3, S=3, padding=(1, 1, 1, 1))
    depthwise = mac_layer("w", "depthwise_conv", N=64, G=96, P=56, Q=56, R=7, S=7, padding=(3, 3, 3, 3))
    table = costs(machine("gpu_rtx3090"), dense, depthwise)
    assert table.resource_s["matrix units"][1] == 0
    assert table.resource_s["vector units"].tolist()[0] == 0
    assert table.utilization[1] <= 0.5
    assert table.action_counts["multiprocessors", "fp32_mac"].tolist() == [0.0, depthwise.macs]


@pytest.mark.parametrize("name", [*LIMITS_W])
def test_a_fully_busy_board_draws_its_power_limit_once(name: str) -> None:
    """Static power + memory at full bandwidth + multipliers at peak = the power limit, for every precision."""
    for precision in ("fp32", "tf32", "fp16", "int8"):
        target = machine(f"gpu_{name}", datapath__precision=precision)
        energies = target.model.energies(target.params)
        peak = float(target.model.peak_macs_per_s(target.params))
        bandwidth = target.model.bandwidth_bytes_per_s(target.params)
        assert bandwidth is not None
        watts = (
            float(energies.static_mw["board"]) * 1e-3
            + float(energies.action_pj["device memory", "byte"]) * 1e-12 * float(bandwidth)
            + float(energies.action_pj["multiprocessors", f"{precision}_mac"]) * 1e-12 * peak
        )
        assert watts == pytest.approx(LIMITS_W[name], rel=1e-3)


def resource(target: Machine, layer: Layer, name: str) -> float:
    return float(np.ravel(costs(target, layer).resource_s[name])[0])


def test_channels_outermost_rewrites_the_input_once() -> None:
    """NCHW reads and writes the input of a convolution once more than NHWC, and nothing else."""
    layer = mac_layer("c", "conv", N=64, K=128, C=64, P=56, Q=56, R=3, S=3, padding=(1, 1, 1, 1))
    planes, last = (machine("gpu_t4", runtime__layout=layout) for layout in ("nchw", "nhwc"))
    more = resource(planes, layer, "device memory") - resource(last, layer, "device memory")
    assert more == pytest.approx(2 * layer.x_elems * 2 / (320e9 * 0.9))
    point = mac_layer("p", "conv", N=64, K=64, C=64, P=56, Q=56)
    through = resource(planes, point, "L2") * 1.27e12
    assert through == pytest.approx(2 * (3 * point.x_elems + point.w_elems + point.y_elems))
    in_fp32 = [machine("gpu_t4", runtime__layout=x, datapath__precision="fp32") for x in ("nchw", "nhwc")]
    assert resource(in_fp32[0], layer, "device memory") == resource(in_fp32[1], layer, "device memory")


def test_channels_are_padded_to_aligned_accesses() -> None:
    """Three FP16 channels fill half of a 16-byte access of eight: the product is that of eight channels."""
    few, full = (
        mac_layer("c", "conv", N=64, K=64, C=c, P=112, Q=112, R=7, S=7, stride=(2, 2), padding=(3, 3, 3, 3))
        for c in (3, 8)
    )
    target = machine("gpu_rtx3090")
    assert resource(target, few, "matrix units") == resource(target, full, "matrix units")


def test_inputs_that_fit_beside_the_result_are_found_in_l2() -> None:
    """72 MiB hold a 16 MiB input beside a 16 MiB result; of a 64 MiB input beside a 64 MiB result 8 MiB are left."""
    target = machine("gpu_rtx4090")
    for mib, missing in ((16, 0), (64, 56), (256, 256)):
        layer = vector_layer("r", "relu", x_elems=mib << 19, y_elems=mib << 19)
        assert float(np.ravel(costs(target, layer).columns["dram_read_bytes"])[0]) == missing << 20


@pytest.mark.parametrize(
    ("layout", "kernel", "slots"), [("nhwc", 7, 4), ("nhwc", 9, 16), ("nchw", 5, 8), ("nchw", 7, 16)]
)
def test_depthwise_kernels_spend_issue_slots(layout: str, kernel: int, slots: int) -> None:
    pad = kernel // 2
    layer = mac_layer(
        "d", "depthwise_conv", N=8, G=768, P=32, Q=32, R=kernel, S=kernel, padding=(pad, pad, pad, pad)
    )
    target = machine("gpu_rtx3090", runtime__layout=layout)
    seconds = layer.macs * slots / (82 * 128 * 1.695e9 * 0.95)
    assert resource(target, layer, "vector units") == pytest.approx(seconds)


def test_wide_groups_stay_on_the_tensor_cores() -> None:
    wide = mac_layer("w", "grouped_conv", N=64, G=2, K=256, C=256, P=14, Q=14, R=3, S=3, padding=(1, 1, 1, 1))
    narrow = mac_layer("n", "grouped_conv", N=64, G=64, K=4, C=4, P=14, Q=14, R=3, S=3, padding=(1, 1, 1, 1))
    table = costs(machine("gpu_rtx3090"), wide, narrow)
    assert np.asarray(table.resource_s["matrix units"]).tolist()[0] > 0
    assert np.asarray(table.action_counts["multiprocessors", "fp32_mac"]).tolist() == [0, narrow.macs]


def test_one_thread_a_pixel_waits_for_memory() -> None:
    """64 images of 100 channels on a 14 x 14 plane: 6400 iterations of one memory latency, 542 cycles of 2.52 GHz."""
    layer = replace(vector_layer("u", "upsample_bilinear", x_elems=6400 * 49, y_elems=6400 * 196), P=14, Q=14)
    seconds = 6400 * 542 / (2.52e9 * 0.95)
    assert resource(machine("gpu_rtx4090"), layer, "memory latency") == pytest.approx(seconds)
    unknown = replace(layer, P=1, Q=1)
    assert resource(machine("gpu_rtx4090"), unknown, "memory latency") == 0


def test_stored_widths_move_what_the_layer_states() -> None:
    layer = replace(vector_layer("n", "layer_norm", x_elems=1 << 28, y_elems=1 << 28), x_bits=32, y_bits=32)
    narrow, stored = (machine("gpu_t4", runtime__widths=w) for w in ("executed", "stored"))
    assert costs(stored, layer).action_counts["device memory", "byte"] == pytest.approx(
        2 * np.asarray(costs(narrow, layer).action_counts["device memory", "byte"]), rel=0.02
    )


def test_a_stream_takes_the_longer_of_device_and_host() -> None:
    """Ten operators of 1 ms on the device hide the host; ten of 10 us wait for 30 us of it each."""
    target = machine("gpu_a100", host__mode="stream")
    assert stream_s(np.full(10, 1e-3), target.params) == pytest.approx(10e-3)
    assert stream_s(np.full(10, 10e-6), target.params) == pytest.approx(300e-6)
    replayed = machine("gpu_a100", host__mode="graph")
    assert stream_s(np.full(10, 10e-6), replayed.params) == pytest.approx(100e-6)


def test_pointwise_fusion_agrees_with_a_merged_network() -> None:
    """Two independent forms: the option charges a fused layer its second operand, merging rewrites the network."""
    workload = load_workload("resnet50").with_batch(64)
    target = machine("gpu_t4", runtime__fusion="pointwise", memory__l2_bytes="1")
    single = costs(target, *workload.layers)
    whole = costs(machine("gpu_t4", memory__l2_bytes="1"), *merged(workload).layers)
    sums = [float(np.sum(t.action_counts["device memory", "byte"])) for t in (single, whole)]
    assert sums[0] == pytest.approx(sums[1], rel=0.02)
    launches = [float(np.sum(t.columns["launches"])) for t in (single, whole)]
    assert launches[0] == launches[1]
    assert float(single.latency_s.sum()) == pytest.approx(float(whole.latency_s.sum()), rel=0.1)


def test_a_fused_activation_takes_its_operations_only() -> None:
    layer = vector_layer("r", "relu", x_elems=1 << 24, y_elems=1 << 24)
    target = machine("gpu_a100", runtime__fusion="pointwise")
    assert costs(target, layer).latency_s.item() == pytest.approx(
        (1 << 24) / (108 * 64 * 1.41e9 * 0.95), rel=0.1
    )
    plain = machine("gpu_a100")
    assert costs(plain, layer).latency_s.item() > 3 * costs(target, layer).latency_s.item()
