"""Efficiency gap, waterline and fused blocks: hand-worked networks, identities, what the figures show."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cosim.cli.main import main
from cosim.engine import evaluate, load_arch, load_workload
from cosim.hardware.load import Machine
from cosim.ir.layer import mac_layer, vector_layer
from cosim.ir.workload import Workload
from cosim.mapping.fusion import Block, fuse, merged
from cosim.report.efficiency import efficiency_row, evaluated, gap_frame, kernels_of, waterline_frame
from cosim.report.efficiency_figures import operations_and_rate
from cosim.report.roofline_figures import efficiency_gap, waterline
from cosim.report.style import new_figure

MACHINES = ("gpu_rtx3090", "systolic_128", "cpu_zen4", "optical4f")
PAD1 = (1, 1, 1, 1)
BITS16 = {"x_bits": 16.0, "w_bits": 16.0, "y_bits": 16.0}


def residual_block() -> Workload:
    """x -> conv a -> relu -> conv b -> add x -> relu -> 1x1 conv c; planes of 8 x 8, 16 channels: 1024 elements."""
    conv = {"K": 16, "C": 16, "P": 8, "Q": 8, "R": 3, "S": 3, "padding": PAD1}
    layers = (
        mac_layer("a", "conv", inputs=("x",), **conv),  # type: ignore[arg-type]
        vector_layer("ra", "relu", x_elems=1024, y_elems=1024, inputs=("a",)),
        mac_layer("b", "conv", inputs=("ra",), **conv),  # type: ignore[arg-type]
        vector_layer("s", "add", x_elems=2048, y_elems=1024, inputs=("b", "x")),
        vector_layer("rs", "relu", x_elems=1024, y_elems=1024, inputs=("s",)),
        mac_layer("c", "conv", K=32, C=16, P=8, Q=8, inputs=("rs",)),
    )
    return Workload("residual", layers, {"x": (1, 16, 8, 8)}, ("c",))


def moved(blocks: tuple[Block, ...]) -> list[tuple[str, float, float, float]]:
    return [(b.name, b.x_elems, b.w_elems, b.y_elems) for b in blocks]


def test_without_fusion_every_layer_is_a_block() -> None:
    workload = residual_block()
    blocks = fuse(workload, "none")
    assert [b.layers for b in blocks] == [1] * 6
    total = sum(b.moved_bytes({"x_bits": 32.0, "w_bits": 32.0, "y_bits": 32.0}) for b in blocks)
    assert total == sum(layer.bytes_moved for layer in workload.layers)


def test_pointwise_blocks_by_hand() -> None:
    """a with its relu: input, weights, one result. b with the sum: its input and x, one result."""
    assert moved(fuse(residual_block(), "pointwise")) == [
        ("a .. ra", 1024, 2304, 1024),
        ("b .. rs", 1024 + 1024, 2304, 1024),
        ("c", 1024, 512, 2048),
    ]


def test_residual_block_by_hand() -> None:
    """x is read once though the first convolution and the sum both use it; nothing inside is moved."""
    blocks = fuse(residual_block(), "residual")
    assert moved(blocks) == [("a .. rs", 1024, 4608, 1024), ("c", 1024, 512, 2048)]
    assert blocks[0].moved_bytes(BITS16) == 2 * (1024 + 4608 + 1024)


def test_results_used_outside_leave_the_block() -> None:
    workload = residual_block()
    late = vector_layer("late", "add", x_elems=2048, y_elems=1024, inputs=("ra", "rs"))
    more = Workload("w", (*workload.layers, late), workload.inputs, ("c", "late"))
    assert moved(fuse(more, "residual"))[0] == ("a .. rs", 1024, 4608, 2048)


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "vit", "convnext_tiny", "swin_tiny"])
def test_blocks_cover_the_network_and_never_move_more(name: str) -> None:
    workload = load_workload(name)
    before = sum(b.moved_bytes(BITS16) for b in fuse(workload, "none"))
    for mode in ("pointwise", "residual"):
        blocks = fuse(workload, mode)
        assert [b.start for b in blocks] == [0, *(b.stop for b in blocks[:-1])]
        assert blocks[-1].stop == len(workload)
        after = sum(b.moved_bytes(BITS16) for b in blocks)
        assert after < before, mode
    whole = merged(workload)
    assert whole.macs == workload.macs
    parameters = [sum(layer.w_touched for layer in w.layers) for w in (whole, workload)]
    assert parameters[0] == parameters[1]
    ops = [sum(layer.simple_ops for layer in w.layers) for w in (whole, workload)]
    assert ops[0] == ops[1]


def test_fusion_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="nearest: 'pointwise'"):
        fuse(residual_block(), "pointwize")
    loose = Workload("w", tuple(vector_layer(n, "relu", x_elems=4, y_elems=4) for n in "ab"))
    with pytest.raises(ValueError, match="needs the inputs of its layers"):
        fuse(loose, "residual")


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("fusion", ["none", "residual"])
def test_identities(name: str, fusion: str) -> None:
    """Ideal <= roofline; E = ideal / actual; rate = E * peak; work + water = peak * roofline time."""
    machine = load_arch(name)
    result = evaluate(machine, "resnet18")
    row = efficiency_row(result, machine, fusion)
    assert row["ideal_s"] <= row["roofline_s"]
    assert row["actual_s"] == pytest.approx(result.latency_s)
    assert row["flops_per_s"] == pytest.approx(row["efficiency"] * row["peak_flops_per_s"])
    assert row["ops"] == 2 * result.workload.macs
    assert row["network_gap"] * row["kernel_gap"] == pytest.approx(1 / row["efficiency"])
    frame = waterline_frame(result, machine, fusion)
    area = 2 * float((frame["macs"] + frame["water_macs"]).sum())
    assert area == pytest.approx(row["roofline_s"] * row["peak_flops_per_s"])


def test_efficiency_by_hand() -> None:
    """A T4 in FP16 streams 4 GiB at 320 GB/s and does no operation that counts; E is 0, all of it water."""
    machine = load_arch("gpu_t4")
    network = Workload(
        "stream", (vector_layer("r", "relu", x_elems=1 << 30, y_elems=1 << 30, inputs=("x",)),)
    )
    kernels = kernels_of(evaluate(machine, network), machine)
    assert kernels.roofline_s == pytest.approx(((1 << 32) - (4 << 20) + (4 << 20)) / 320e9)
    assert kernels.ideal_s == 0
    assert kernels.bytes_are == "of the machine's model"


def test_fused_kernels_of_a_gpu_are_faster_and_do_the_same_work() -> None:
    machine = load_arch("gpu_rtx4090")
    (plain, _), (fused, left) = (evaluated(machine, "resnet50", mode, 64) for mode in ("none", "pointwise"))
    assert left == "none"
    assert fused.workload.macs == plain.workload.macs
    assert fused.latency_s < plain.latency_s
    assert kernels_of(fused, machine).roofline_s < kernels_of(plain, machine).roofline_s


def test_a_result_of_another_machine_is_refused() -> None:
    result = evaluate("gpu_t4", "resnet18")
    with pytest.raises(ValueError, match="gpu_t4"):
        kernels_of(result, load_arch("gpu_v100"))


def test_figures_show_the_numbers(tmp_path: Path) -> None:
    machine: Machine = load_arch("systolic_128")
    result = evaluate(machine, "resnet18")
    row = efficiency_row(result, machine)
    axes = efficiency_gap(gap_frame([row]), new_figure().subplots())
    shown = [line.get_xdata() for line in axes.get_lines()]
    np.testing.assert_allclose(shown[0], [row["ideal_s"], row["roofline_s"]])
    np.testing.assert_allclose(shown[1], [row["roofline_s"], row["actual_s"]])
    kernels = kernels_of(result, machine)
    axes = waterline(
        waterline_frame(result, machine), kernels.ridge_ops_per_byte / 2, new_figure().subplots()
    )
    assert f"attainable efficiency {100 * row['efficiency_max']:.3g} %" in axes.get_title(loc="left")


def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["efficiency", "gpu_rtx3090", "-w", "resnet18", "--fuse", "residual", "--json"]
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--out", str(tmp_path)])
    assert caught.value.code == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["efficiency"] < row["efficiency_max"] <= 1
    written = {path.name for path in tmp_path.iterdir()}
    stem = "waterline-gpu_rtx3090-resnet18"
    both = {f"{name}.{ending}" for name in ("efficiency_gap", stem) for ending in ("svg", "csv")}
    assert written == {*both, "operations_and_rate.svg"}


def test_points_on_one_dotted_line_take_the_same_time() -> None:
    """A slope of one on two logarithmic axes: rate = operations / latency, through every labelled power of ten."""
    machine = load_arch("gpu_t4")
    rows = [efficiency_row(evaluate(machine, name), machine) for name in ("resnet18", "vit")]
    axes = operations_and_rate(gap_frame(rows), new_figure().subplots())
    points = np.asarray(axes.collections[0].get_offsets())
    np.testing.assert_allclose(points[:, 0] / points[:, 1], [row["actual_s"] for row in rows])
    for line in axes.get_lines():
        x, y = (np.asarray(v, dtype=float) for v in line.get_data())
        np.testing.assert_allclose(np.log10(x / y), np.round(np.log10(x / y)), atol=1e-9)
