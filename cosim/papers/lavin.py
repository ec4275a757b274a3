"""Lavin's efficiency gap and waterline, for the published networks on the GPUs of this project.

Definitions and arithmetic are those of :mod:`cosim.report.efficiency`, which this file draws on.
Boundary: FP16, host ahead of the device; bytes that the machine model moves to and from memory. The tables of the
publication were not found (searched: paper pages, the author's repository), nor the layers of ConvFirst. Its speed-up
over ConvNeXt by block fusion is bracketed by what fusion does to ConvNeXt-T itself: from pointwise operators fused, as
the GPU model runs them, to whole residual blocks at the water line, that is, at the roofline of what a fused block
still moves. ConvFirst's smaller number of operations is not in it.
Source: Lavin, On the efficiency of convolutional neural networks, arXiv 2404.03617 (abstract).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from cosim.engine import evaluate, load_workload
from cosim.hardware.load import Machine
from cosim.papers._machines import machine
from cosim.papers.row import PaperRow, Scenario, bracketed, missing
from cosim.report.efficiency import efficiency_row, evaluated, gap_frame, kernels_of, waterline_frame
from cosim.results.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Lavin, On the efficiency of convolutional neural networks, 2024",
    machine="gpu_rtx3090 (efficiencies), gpu_rtx4090 and gpu_a100 beside it (block fusion); FP16, host ahead",
    workload="resnet50, mobilenet_v2, convnext_tiny, deit_tiny, vgg16; batch 16, and 128 for the bracket",
    mapping="one kernel for each operator; blocks of residual connections fused",
    assumptions=("peak and bandwidth of the data sheet", "board, batch and layers of the speed-up"),
)
NETWORKS = ("resnet50", "mobilenet_v2", "convnext_tiny", "deit_tiny", "vgg16")
BOARDS = ("gpu_rtx3090", "gpu_rtx4090", "gpu_a100")
BATCH, BATCHES = 16, (16, 128)
BLOCKS = "residual"


def board(name: str = "gpu_rtx3090") -> Machine:
    """A GPU in FP16 with the host ahead of it."""
    return machine(name, "datapath.precision=fp16", "host.mode=stream")


@cache
def run(network: str, name: str = "gpu_rtx3090", batch: int = BATCH) -> Result:
    """A network with one kernel for each operator."""
    return evaluate(board(name), load_workload(network), batch=batch)


def efficiency(network: str) -> tuple[float, float]:
    """(reached, attainable with every kernel on the roofline) share of the peak."""
    row = efficiency_row(run(network), board())
    return float(row["efficiency"]), float(row["efficiency_max"])


def fusion_gain(name: str, batch: int) -> tuple[float, float]:
    """(pointwise operators fused, residual blocks at the water line) over one kernel for each operator, ConvNeXt-T."""
    plain = run("convnext_tiny", name, batch)
    fused, _ = evaluated(board(name), "convnext_tiny", "pointwise", batch)
    return (
        plain.latency_s / fused.latency_s,
        plain.latency_s / kernels_of(plain, board(name), BLOCKS).roofline_s,
    )


def ROWS() -> list[PaperRow]:
    """The headline between two ends of fusion; efficiencies, which have no printed counterpart here."""
    gains = [fusion_gain(name, batch) for name in BOARDS for batch in BATCHES]
    low, high = min(gain[0] for gain in gains), max(gain[1] for gain in gains)
    found = {name: efficiency(name) for name in NETWORKS}
    listed = ", ".join(f"{name} {reached:.3f} of {most:.3f}" for name, (reached, most) in found.items())
    return [
        bracketed("lavin-2024", "ConvFirst with block fusion over ConvNeXt", "abstract", 4.0, low, high, "1",
                  "missing: layers of ConvFirst, board, batch; fusion of ConvNeXt-T itself on three boards at batch 16 "
                  "and 128, from pointwise operators to residual blocks on the roofline"),
        missing("lavin-2024", "ConvNeXt-T, computational efficiency", "plots", None, "1",
                f"tables and plots in numbers; reached of attainable: {listed}", found["convnext_tiny"][0]),
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """Efficiency gap of all networks, and the waterline of ConvNeXt-T by operators and by fused blocks."""
    from cosim.report.roofline_figures import efficiency_gap, waterline
    from cosim.report.style import new_figure

    result = new_figure(11.0, 7.0)
    grid = result.subplot_mosaic([["gap", "gap"], ["operators", "blocks"]], height_ratios=(0.8, 1.0))
    gap = gap_frame([efficiency_row(run(name), board()) for name in NETWORKS])
    efficiency_gap(gap, grid["gap"])
    plain = run("convnext_tiny")
    ridge = kernels_of(plain, board()).ridge_ops_per_byte / 2
    for name, fusion, title in (
        ("operators", "none", "a kernel for each operator"),
        ("blocks", BLOCKS, "residual blocks fused"),
    ):
        axes = waterline(waterline_frame(plain, board(), fusion), ridge, grid[name])
        text = axes.get_title(loc="left").replace("%, ", "%,\n")
        axes.set_title(f"ConvNeXt-T, {title}\n{text}", loc="left", fontsize=8)
        # The title has three lines where the legend would stand.
        axes.legend(fontsize=7.5, loc="upper left", framealpha=0.9)
    return result
