"""Lavin's efficiency gap and waterline, for the published networks on the machines of this project.

    E      = (sum ops_i / P) / sum t_i                                                        (Eq. 1)
    E_max  = sum ops_i / sum bytes_i max(OI_i, w),   OI_i = ops_i / bytes_i,  w = P / B       (Eq. 2)

E is the share of the peak that a network reaches, E_max what its bytes allow: the part of the gap left of
E_max is the network's fault, the rest the kernels'. The waterline plot stands a rectangle of width bytes_i and height
OI_i for every kernel; time is the area under max(OI, w) over P.
Boundary: batch 16 in FP16 on an RTX 3090; bytes that the machine model moves to and from memory. The tables of the
publication were not accessible; its speed-up of block fusion over ConvNeXt needs kernels that the GPU model lacks.
Source: Lavin, On the efficiency of convolutional neural networks, arXiv 2404.03617 (abstract); layout of the plots is
this project's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from cosim.engine import load_workload
from cosim.ir.batch import Array
from cosim.papers._machines import cost_of, machine
from cosim.papers.row import PaperRow, Scenario, missing
from cosim.report.style import PALETTE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Lavin, On the efficiency of convolutional neural networks, 2024",
    machine="gpu_rtx3090, FP16, host ahead of the device",
    workload="resnet50, mobilenet_v2, convnext_tiny, deit_tiny, vgg16, batch 16",
    mapping="one kernel for each operator",
    assumptions=("peak and bandwidth of the data sheet",),
)
NETWORKS = ("resnet50", "mobilenet_v2", "convnext_tiny", "deit_tiny", "vgg16")
BATCH = 16


@dataclass(frozen=True)
class Waterline:
    """Operations, bytes and time of every kernel, with the machine's peak rate and bandwidth.

    ``ops`` counts two a multiply-accumulate, shape (kernels,); ``moved_bytes`` and ``seconds`` likewise.
    """

    ops: Array
    moved_bytes: Array
    seconds: Array
    peak_ops_per_s: float
    bandwidth_bytes_per_s: float

    @property
    def efficiency(self) -> float:
        """Eq. 1."""
        return float(self.ops.sum() / self.peak_ops_per_s / self.seconds.sum())

    @property
    def attainable(self) -> float:
        """Eq. 2, the efficiency at which every kernel runs on the roofline."""
        water = self.peak_ops_per_s / self.bandwidth_bytes_per_s
        return float(self.ops.sum() / np.sum(np.maximum(self.ops, self.moved_bytes * water)))


@cache
def waterline(network: str, board: str = "gpu_rtx3090") -> Waterline:
    """The kernels of a network on a GPU."""
    found = machine(board, "datapath.precision=fp16", "host.mode=stream")
    layers = load_workload(network).with_batch(BATCH).layers
    cost = cost_of(found, layers)
    moved = cost.columns["dram_read_bytes"] + cost.columns["dram_write_bytes"]
    peak = 2 * float(np.ravel(found.model.peak_macs_per_s(found.params))[0])
    bandwidth = float(np.ravel(found.params["memory.dram_bytes_per_s"])[0])
    ops = np.asarray([2.0 * layer.macs for layer in layers])
    return Waterline(ops, np.ravel(moved), np.ravel(cost.latency_s), peak, bandwidth)


def ROWS() -> list[PaperRow]:
    """The headline, then efficiencies of the networks, which have no printed counterpart here."""
    rows = [
        missing("lavin-2024", "ConvFirst with block fusion over ConvNeXt", "abstract", 4.0, "1",
                "layer table of ConvFirst; kernels that fuse a block")
    ]  # fmt: skip
    for name in NETWORKS:
        line = waterline(name)
        facts = f"tables and plots in numbers; {line.attainable:.3f} attainable on the roofline"
        rows.append(
            missing(
                "lavin-2024", f"{name}, computational efficiency", "plots", None, "1", facts, line.efficiency
            )
        )
    return rows


def figure(rows: list[PaperRow]) -> Figure:
    """Efficiency gap of all networks, and the waterline of ConvNeXt-T."""
    figure = new_figure(9.0, 3.8)
    gap, water = figure.subplots(1, 2)
    for place, name in enumerate(reversed(NETWORKS)):
        line = waterline(name)
        ideal = line.ops.sum() / line.peak_ops_per_s * 1e3
        actual = line.seconds.sum() * 1e3
        gap.plot([ideal, actual], [place, place], color=PALETTE[0], linewidth=3, solid_capstyle="butt")
        gap.plot([ideal / line.attainable], [place], "|", color=PALETTE[3], markersize=14)
    gap.set_xscale("log")
    gap.set_yticks(range(len(NETWORKS)), list(reversed(NETWORKS)))
    gap.set_xlabel("ms, ideal to actual; mark: roofline")
    gap.set_title("efficiency gap")
    line = waterline("convnext_tiny")
    width = line.moved_bytes / 1e6
    intensity = line.ops / np.maximum(line.moved_bytes, 1.0)
    left = np.concatenate([[0.0], np.cumsum(width)[:-1]])
    level = line.peak_ops_per_s / line.bandwidth_bytes_per_s
    water.bar(left, np.maximum(level - intensity, 0), width, intensity, align="edge", color=PALETTE[5])
    water.bar(left, intensity, width, align="edge", color=PALETTE[1])
    water.axhline(level, color="black", linewidth=0.8)
    water.set_xlabel("MB moved")
    water.set_ylabel("operations a byte")
    water.set_title("waterline, convnext_tiny")
    return figure
