"""Sliding-window convolution: vector slides instead of reloads, no im2col.

Boundary: the publication shows its speed-ups as plots; the rows give what the machine model computes for the kernel.
Source: Snytsar, arXiv 2310.05218 (abstract).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosim.ir.layer import Layer, mac_layer
from cosim.papers._figures import lines_figure
from cosim.papers._machines import BARE, latency_s, machine
from cosim.papers.row import PaperRow, Scenario, missing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Snytsar, Accelerating machine learning primitives on commodity hardware, 2023",
    machine="cpu_zen4, one core",
    workload="depthwise convolutions of 64 channels on 56 x 56, kernels of 3 to 11",
    mapping="kernel fp32_sliding against fp32_depthwise",
)
KERNELS = (3, 5, 7, 9, 11)


def layer(taps: int) -> Layer:
    """A square depthwise convolution."""
    half = taps // 2
    return mac_layer(
        f"dw{taps}", "depthwise_conv", G=64, P=56, Q=56, R=taps, S=taps, padding=(half, half, half, half)
    )


def speedup(taps: int) -> float:
    """Time with reloads over time with slides."""
    core = machine("cpu_zen4", *BARE)
    times = [latency_s(core, [layer(taps)], {"kernel": f"fp32_{form}"}) for form in ("depthwise", "sliding")]
    return times[0] / times[1]


def ROWS() -> list[PaperRow]:
    """One row a kernel size."""
    return [
        missing("sliding-window-2023", f"depthwise {k} x {k}, reloads over slides", "figures", None, "1",
                "numbers of the plots, machine and shapes", speedup(k))
        for k in KERNELS
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """Speed-up over kernel size."""
    series = {"simulated": [row.simulated or 0.0 for row in rows]}
    return lines_figure("Sliding window, depthwise", ("kernel side", KERNELS), "speed-up", series)
