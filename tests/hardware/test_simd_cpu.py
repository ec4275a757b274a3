"""The SIMD processor model: port counts of published kernels, tiles by hand, limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim import load_arch
from cosim.components.cpu_kernels import KERNELS, bit_serial, indirection_bytes, xnor_speedup
from cosim.components.cpu_layout import LayoutCosts, im2col_cycles
from cosim.components.estimate import CostTable, price
from cosim.hardware.load import Machine
from cosim.ir.batch import LayerBatch
from cosim.ir.layer import Layer, mac_layer, vector_layer
from cosim.mapping.cpu_choice import choose, ports_of
from cosim.mapping.cpu_tiles import (
    TileOverhead,
    depthwise_cycles,
    edge_column_taps,
    edge_columns,
    gemm_cycles,
    split_rows,
    valid_row_taps,
)
from cosim.mapping.feasibility import violations
from cosim.mapping.plan import MappingDoc, make_plan

NO_OVERHEAD = TileOverhead(0.0, 0.0, 4.0, 3.0, 6.0)


def machine(name: str, **overrides: str) -> Machine:
    return load_arch(name, {path.replace("__", "."): value for path, value in overrides.items()})


def costs(target: Machine, *layers: Layer, **choices: str) -> CostTable:
    batch = LayerBatch.from_layers(layers)
    plan = make_plan(batch, target.model.choices, MappingDoc(defaults=choices))
    return price(target.model.estimate(batch, target.params, plan), target.model.energies(target.params))


def modes(table: CostTable) -> list[str]:
    return [table.labels["mode"][int(code)] for code in np.ravel(table.columns["mode"])]


def bare(name: str, **overrides: str) -> Machine:
    return machine(
        name, runtime__name="bare", runtime__graph="standalone", runtime__operands="warm", **overrides
    )


# Port counts of the kernels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "expected"), [("cpu_zen4", 5.25), ("cpu_i7_9700k", 7.0)])
def test_lut16_cycles_per_128_products(name: str, expected: float) -> None:
    """21 vector instructions, 4 of them shuffles: 21/4 on Zen 4's four 256-bit pipes; max(21/3, 4) on Skylake."""
    ports, kernel = ports_of(machine(name).params), KERNELS["lut16_2bit"]
    products = float(ports.products_per_step(kernel))
    assert float(ports.step_cycles(kernel, 1.0, 1.0)) * 128 / products == pytest.approx(expected)


def test_shuffles_bind_where_their_pipe_is_narrow() -> None:
    """Four shuffles at half a one a cycle take eight cycles, more than 21 instructions on three pipes."""
    params = machine("cpu_i7_9700k").params.with_values({"core.shuffle_per_cycle": 0.5})
    assert float(ports_of(params).step_cycles(KERNELS["lut16_2bit"], 1.0, 1.0)) == 8.0


def test_lut16_is_eight_percent_under_the_measured_loop() -> None:
    """83.3 G products a second at 3.69 GHz are 5.67 cycles per 128."""
    measured = 128 / (83.3e9 / 3.69e9)
    assert 5.25 / measured == pytest.approx(0.926, abs=0.005)


def test_xnor_net() -> None:
    """64 c n / (c n + 64) at 256 channels and nine taps (arXiv 1603.05279, section 3.3)."""
    assert xnor_speedup(256, 9) == pytest.approx(62.27, abs=0.005)


def test_xnor_on_zen4_is_bound_by_its_loads() -> None:
    """Two 64-byte loads for 512 products at 64 bytes a cycle; 889 G products a second were measured (2.13 cycles)."""
    ports, kernel = ports_of(machine("cpu_zen4").params), KERNELS["xnor_popcount"]
    step = float(ports.step_cycles(kernel, 1.0, 1.0))
    assert (step, float(ports.products_per_step(kernel))) == (2.0, 512.0)
    assert pytest.approx(step, rel=0.07) == 512 / (889e9 / 3.69e9)


@pytest.mark.parametrize(
    ("name", "precision", "macs_per_cycle", "measured"),
    [
        ("cpu_zen4", "fp32", 16, 118.2e9 / 2 / 3.69e9),
        ("cpu_zen4", "bf16", 32, 234e9 / 2 / 3.69e9),
        ("cpu_zen4", "int8", 64, 469e9 / 2 / 3.69e9),
        ("cpu_i7_9700k", "fp32", 16, None),
        ("cpu_i7_9700k", "int8", 32, None),
        ("cpu_cortex_a72", "fp32", 4, None),
        ("cpu_cortex_a53", "fp32", 4, None),
        ("cpu_cortex_a72", "int8", 8, None),
    ],
)
def test_peak_rates(name: str, precision: str, macs_per_cycle: float, measured: float | None) -> None:
    """Skylake: VPMADDUBSW, VPMADDWD and VPADDD on three ports give 32 products a cycle. Cortex-A72: two multiplies
    for 16 products on one multiply pipe."""
    target = machine(name, datapath__precision=precision)
    peak = target.model.peak_macs_per_s(target.params) / target.params["core.clock_hz"]
    assert float(peak) == pytest.approx(macs_per_cycle)
    if measured is not None:
        assert macs_per_cycle == pytest.approx(measured, rel=0.01)


def test_bit_serial_cost_grows_with_the_product_of_widths() -> None:
    """a * w binary products; a unipolar weight plane counts twice (arXiv 1810.11066)."""
    one, four = bit_serial(1, 1, True), bit_serial(2, 2, True)
    assert four.alu == 4 * one.alu
    assert bit_serial(2, 2, False).alu > bit_serial(2, 2, True).alu


def test_indirection_buffer() -> None:
    """196 pixels in tiles of six are 198 rows; nine taps of eight bytes: 14 256 bytes (arXiv 1907.02129)."""
    assert float(indirection_bytes(14 * 14, 9, 6)) == 8 * 9 * 198
    # im2col of 256 channels in FP32 is C * 4 / 8 times as large, but for the rounding to tiles.
    assert 196 * 9 * 256 * 4 / (8 * 9 * 196) == 128


# Tiles ----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 200), st.sampled_from([1.0, 6.0]))
def test_split_rows_covers_every_row(rows: int, tile: float) -> None:
    parts = split_rows(np.array([float(rows)]), tile)
    assert (tile * parts.full + 3 * parts.three + 2 * parts.two + parts.one).item() == rows
    if tile > 1:
        assert max(parts.three.item(), parts.two.item(), parts.one.item()) <= 1


def test_full_tiles_by_hand() -> None:
    """M=12, N=128, K=100 on Zen 4: 2 x 2 tiles of 6 x 4 vectors, 100 steps of 24 cycles, 24 stores of 2 cycles."""
    params = machine("cpu_zen4").params
    batch = LayerBatch.from_layers([mac_layer("l", "linear", P=12, K=128, C=100)])
    ports, overhead = ports_of(params), TileOverhead(10.0, 70.0, 4.0, 3.0, 6.0)
    cycles = gemm_cycles(batch, KERNELS["fp32_gemm"], ports, overhead, 256.0, np.array([False]))
    assert cycles.item() == 4 * (100 * 24 + 24 * 2 + 10)


def test_remainder_tiles_by_hand() -> None:
    """M=7, N=16, K=10: one tile of six rows (6 cycles a step) and one of one row (the latency, 4 cycles)."""
    batch = LayerBatch.from_layers([mac_layer("l", "linear", P=7, K=16, C=10)])
    ports = ports_of(machine("cpu_zen4").params)
    cycles = gemm_cycles(batch, KERNELS["fp32_gemm"], ports, NO_OVERHEAD, 256.0, np.array([False]))
    assert cycles.item() == 10 * 6 + 6 * 2 + 10 * 4 + 1 * 2


def test_depthwise_inner_tile_by_hand() -> None:
    """Unpadded 3x3 on one vector of channels, eight columns and one row: six columns take 9 taps of seven loads,
    two columns 9 taps of three loads; leaving each tile takes 20 instructions at four a cycle."""
    batch = LayerBatch.from_layers([mac_layer("l", "depthwise_conv", G=16, P=1, Q=8, R=3, S=3)])
    ports = ports_of(machine("cpu_zen4").params)
    cycles = depthwise_cycles(batch, KERNELS["fp32_depthwise"], ports, NO_OVERHEAD, 6.0)
    assert cycles.item() == pytest.approx(9 * 7 + 5 + 9 * 3 + 5)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 12), st.integers(1, 7), st.integers(1, 3), st.integers(0, 3), st.integers(1, 2))
def test_borders_against_a_count(outputs: int, taps: int, stride: int, pad: int, dilation: int) -> None:
    size = (outputs - 1) * stride + dilation * (taps - 1) + 1 - 2 * pad
    if size < 1:
        return
    window = {"R": taps, "S": taps, "stride": (stride, stride), "dilation": (dilation, dilation)}
    layer = mac_layer("l", "conv", P=outputs, Q=outputs, padding=(pad, pad, pad, pad), **window)
    batch = LayerBatch.from_layers([layer])
    valid = [sum(0 <= q * stride + t * dilation - pad < size for t in range(taps)) for q in range(outputs)]
    whole = sum(v == taps for v in valid)
    inside, edge = edge_columns(batch)
    assert (inside.item(), edge.item()) == (whole, outputs - whole)
    assert valid_row_taps(batch).item() * outputs == pytest.approx(sum(valid))
    assert edge_column_taps(batch, inside).item() == pytest.approx(sum(v for v in valid if v != taps))


def test_im2col_copies_one_segment_per_pixel_and_kernel_row() -> None:
    """7x7 on 3 channels of bytes: 12 544 * 7 segments of 21 bytes, 32 bytes a cycle."""
    batch = LayerBatch.from_layers(
        [
            mac_layer(
                "l",
                "conv",
                K=64,
                C=3,
                P=112,
                Q=112,
                R=7,
                S=7,
                stride=(2, 2),
                padding=(3, 3, 3, 3),
                H=224,
                W=224,
            )
        ]
    )
    ports = ports_of(machine("cpu_zen4").params)
    cycles = im2col_cycles(batch, KERNELS["int8_vnni"], ports, LayoutCosts(4.0, 25.0, 32768.0, 31.0))
    assert cycles.item() == pytest.approx(112 * 112 * 7 * (25 + 21 / 32))


# Choice of kernels ----------------------------------------------------------------------------------------------

CONV3 = mac_layer("c3", "conv", K=64, C=64, P=56, Q=56, R=3, S=3, padding=(1, 1, 1, 1))
CONV1 = mac_layer("c1", "conv", K=64, C=64, P=56, Q=56)
DEPTHWISE = mac_layer("dw", "depthwise_conv", G=32, P=112, Q=112, R=3, S=3, padding=(1, 1, 1, 1))
LINEAR = mac_layer("fc", "linear", P=197, K=3072, C=768)


def test_the_instruction_set_decides() -> None:
    assert modes(costs(machine("cpu_zen4", datapath__precision="int8"), LINEAR)) == ["int8_vnni"]
    assert modes(costs(machine("cpu_i7_9700k", datapath__precision="int8"), LINEAR)) == ["int8_maddubs"]
    assert modes(costs(machine("cpu_cortex_a72", datapath__precision="int8"), LINEAR)) == ["int8_smlal"]


def test_an_automatic_choice_is_the_fastest() -> None:
    target = bare("cpu_zen4")
    best = costs(target, CONV3).latency_s.item()
    assert modes(costs(target, CONV3)) == ["fp32_winograd"]
    for kernel in ("fp32_gemm", "fp32_indirect", "fp32_direct", "fp32_winograd"):
        named = costs(target, CONV3, kernel=kernel)
        assert modes(named) == [kernel]
        assert best <= named.latency_s.item()


def test_a_kernel_without_its_instructions_is_refused() -> None:
    table = costs(machine("cpu_i7_9700k"), LINEAR, kernel="int8_vnni")
    (reason,) = violations(table.limits, ("fc",))
    assert "instruction set" in str(reason)
    assert not violations(costs(machine("cpu_zen4"), LINEAR, kernel="int8_vnni").limits, ("fc",))


def test_indirect_convolution_beats_im2col_and_not_the_plain_product() -> None:
    """The published direction: faster where im2col is needed, a small loss on 1x1 (arXiv 1907.02129)."""
    target = bare("cpu_i7_9700k")
    gemm, indirect = (costs(target, CONV3, CONV1, kernel=k).latency_s for k in ("fp32_gemm", "fp32_indirect"))
    assert indirect[0] < gemm[0]
    assert gemm[1] <= indirect[1] < 1.1 * gemm[1]


def test_two_bit_tables_beat_neither_ideal_int8_nor_vnni() -> None:
    """18.3 products a cycle against 32 (AVX2) and 64 (VNNI): the published gain needs a weaker baseline kernel."""
    for name in ("cpu_i7_9700k", "cpu_zen4"):
        int8 = costs(bare(name, datapath__precision="int8"), LINEAR)
        lut = costs(bare(name, datapath__precision="int2"), LINEAR, kernel="lut16_2bit")
        assert lut.latency_s.item() > int8.latency_s.item()


def test_binary_products_stay_below_the_load_bound() -> None:
    """XNOR reaches 889 G products a second in a loop that is not fed from memory, 15 times the FP32 peak."""
    long = mac_layer("l", "linear", P=196, K=512, C=8192)
    binary = costs(bare("cpu_zen4", datapath__precision="int1"), long, kernel="xnor_popcount")
    fp32 = costs(bare("cpu_zen4"), long, kernel="fp32_gemm")
    assert 8 < fp32.latency_s.item() / binary.latency_s.item() < 22


def test_int8_depthwise_may_be_slower_than_fp32() -> None:
    """Widening every byte takes a shuffle: the measured ratio of this layer is 0.61."""
    alone = {"runtime__graph": "standalone", "runtime__operands": "warm"}
    fp32 = costs(machine("cpu_zen4", **alone), DEPTHWISE).latency_s.item()
    int8 = costs(machine("cpu_zen4", datapath__precision="int8", **alone), DEPTHWISE).latency_s.item()
    assert fp32 / int8 == pytest.approx(0.61, rel=0.1)


# Caches, cores, runtimes ----------------------------------------------------------------------------------------


def test_cold_operands_cost_more_than_warm_ones() -> None:
    for layer in (CONV3, DEPTHWISE, LINEAR, vector_layer("add", "add", x_elems=2 << 20, y_elems=1 << 20)):
        warm, cold = (
            costs(machine("cpu_zen4", runtime__operands=o), layer).latency_s.item() for o in ("warm", "cold")
        )
        assert cold > warm


def test_a_streaming_layer_runs_at_the_bandwidth_of_its_level() -> None:
    """2 * 2**20 floats in and out are 8 MiB: the third level, 25 bytes a cycle."""
    target = bare("cpu_zen4")
    table = costs(target, vector_layer("relu", "relu", x_elems=1 << 20, y_elems=1 << 20))
    assert table.latency_s.item() == pytest.approx(2**23 / (25 * 3.69e9))
    assert table.bound_names() == ["caches"]


def test_cores_share_the_work_in_whole_tiles() -> None:
    one = costs(bare("cpu_zen4"), LINEAR).resource_s["vector units"].item()
    for cores in (2, 4, 8):
        many = costs(bare("cpu_zen4", core__count=str(cores)), LINEAR).resource_s["vector units"].item()
        chunks = np.ceil(197 / 6) * 3072 / 64
        assert one / many == pytest.approx(chunks / np.ceil(chunks / cores))


def test_cores_do_not_multiply_the_shared_bandwidth() -> None:
    add = vector_layer("add", "add", x_elems=64 << 20, y_elems=32 << 20)
    times = [
        costs(bare("cpu_i7_9700k", core__count=str(n), runtime__fork_join_s="0 s"), add).latency_s.item()
        for n in (1, 2, 4, 8)
    ]
    assert times == sorted(times, reverse=True)
    assert times[2] / times[3] < 1.2


def test_a_fused_graph_folds_what_the_library_folds() -> None:
    norm = vector_layer("bn", "batch_norm", x_elems=1 << 20, y_elems=1 << 20)
    clip = vector_layer("clip", "relu6", x_elems=1 << 20, y_elems=1 << 20)
    table = costs(machine("cpu_zen4"), norm, clip)
    assert modes(table) == ["folded", "folded"]
    # One maximum or addition per register of 16, against two dependent instructions per register of 4.
    assert table.latency_s.tolist() == pytest.approx([2**16 / 3.69e9, 2**19 / 3.69e9])


def test_batch_scales_the_kernel() -> None:
    target = bare("cpu_zen4")
    one = costs(target, CONV3, kernel="fp32_direct").resource_s["vector units"].item()
    four = costs(target, CONV3.with_batch(4), kernel="fp32_direct").resource_s["vector units"].item()
    assert four == pytest.approx(4 * one)


def test_equation_states_the_latency() -> None:
    target = machine("cpu_zen4")
    batch = LayerBatch.from_layers([CONV3])
    plan = make_plan(batch, target.model.choices)
    lines = target.model.equation(batch, target.params, plan)
    latency = costs(target, CONV3).latency_s.item() * 1e6
    assert lines[-1].endswith(f"= {latency:.4g}")


def test_points_equal_one_by_one() -> None:
    target = machine("cpu_zen4")
    batch = LayerBatch.from_layers([CONV3, DEPTHWISE, LINEAR])
    plan = make_plan(batch, target.model.choices)
    clocks = np.array([[2e9], [3e9], [4e9]])
    params = target.params.with_values(
        {"core.clock_hz": clocks, "core.vector_bits": np.array([[128.0], [256.0], [512.0]])}
    )
    together = choose(batch, params, plan).cycles
    for row, bits in enumerate((128.0, 256.0, 512.0)):
        single = choose(batch, target.params.with_values({"core.vector_bits": bits}), plan).cycles
        assert np.allclose(together[row], single)
