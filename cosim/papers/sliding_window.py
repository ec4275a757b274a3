"""Sliding-window convolution: vector slides instead of reloads, no im2col.

Boundary: the publication shows its speed-ups as plots over the filter's width; neither their numbers nor shapes and
machine were found (searched: paper pages, citing papers, repositories). The figure draws what the machine model gives
in the same form: depthwise convolutions with reloads, and dense ones by im2col, over slides.
Source: Snytsar, arXiv 2310.05218 (abstract).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosim.ir.layer import Layer, mac_layer
from cosim.papers._machines import BARE, latency_s, machine
from cosim.papers.row import PaperRow, Scenario, missing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Snytsar, Accelerating machine learning primitives on commodity hardware, 2023",
    machine="cpu_zen4, cpu_i7_9700k, one core",
    workload="convolutions on 56 x 56, depthwise of 64 channels and dense of 16; filters of 3 to 17",
    mapping="kernel fp32_sliding against fp32_depthwise and fp32_gemm",
    assumptions=("shapes and machine of the plots",),
)
WIDTHS = (3, 5, 7, 9, 11, 13, 15, 17)
CORES = ("cpu_zen4", "cpu_i7_9700k")


def depthwise(width: int) -> Layer:
    """A square depthwise convolution."""
    half = width // 2
    return mac_layer(
        f"dw{width}", "depthwise_conv", G=64, P=56, Q=56, R=width, S=width, padding=(half, half, half, half)
    )


def dense_layer(width: int) -> Layer:
    """A few channels in and out, where im2col copies every input once for each tap."""
    half = width // 2
    return mac_layer(
        f"dense{width}", "conv", C=16, K=16, P=56, Q=56, R=width, S=width, padding=(half, half, half, half)
    )


def speedup(core: str, width: int, dense: bool = False) -> float:
    """Time with reloads, or with im2col, over time with slides."""
    board = machine(core, *BARE)
    layer, other = (dense_layer(width), "fp32_gemm") if dense else (depthwise(width), "fp32_depthwise")
    return latency_s(board, [layer], {"kernel": other}) / latency_s(
        board, [layer], {"kernel": "fp32_sliding"}
    )


def ROWS() -> list[PaperRow]:
    """One row: no printed number was found."""
    found = {width: speedup("cpu_zen4", width) for width in WIDTHS}
    listed = ", ".join(f"{width} x {width} {value:.2f}" for width, value in found.items())
    return [
        missing("sliding-window-2023", "depthwise convolution, reloads over slides, 11 x 11", "plots", None, "1",
                f"numbers of the plots, machine and shapes; cpu_zen4 over the width: {listed}", found[11])
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """Speed-up over the width of the filter."""
    from cosim.papers._figures_sw import curves
    from cosim.report.style import new_figure

    result = new_figure(6.4, 4.0)
    axes = result.subplots()
    series = {
        f"{what}, {core.removeprefix('cpu_')}": [speedup(core, width, dense) for width in WIDTHS]
        for what, dense in (("over reloads, depthwise", False), ("over im2col, 16 channels", True))
        for core in CORES
    }
    curves(axes, WIDTHS, {}, series)
    axes.axhline(1.0, color="black", linewidth=0.8)
    axes.set_xticks(WIDTHS)
    axes.set_ylim(0.7, 1.95)
    axes.set_xlabel("width of the filter [taps]")
    axes.set_ylabel("speed-up of sliding windows")
    axes.set_title("Sliding windows, FP32 (no published numbers)", loc="left")
    return result
