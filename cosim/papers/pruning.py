"""Structured pruning before training: half of the channels, and what it does to time and energy on every machine.

Boundary: published tables (PreCropping, PruneEnergyAnalyzer, Tessier et al.) were not accessible, so the rows state
what the transform does; multiply-accumulates of inner layers fall to keep^2, which is algebra. ResNet-18, one image.
Source: width scaling, Howard et al., arXiv 1704.04861, section 3.3; PreCropping, arXiv 2310.00626; Ahmed et al., BDCC
9(8) 200 (2025), doi:10.3390/bdcc9080200 (abstracts).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from cosim.engine import evaluate
from cosim.papers._figures import bars_figure
from cosim.papers.row import PaperRow, Scenario, missing, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Structured pruning as a change of widths",
    machine="optical4f, systolic_128, systolic_mlc_sttram, cpu_zen4, gpu_rtx3090",
    workload="resnet18 with transform prune_channels:0.5",
)
MACHINES = ("optical4f", "systolic_128", "systolic_mlc_sttram", "cpu_zen4", "gpu_rtx3090")
# MobileNet 1.0 and 0.5 at 224 pixels: millions of multiply-accumulates (arXiv 1704.04861, table 6).
MOBILENET_M = (569.0, 149.0)


@cache
def ratios(machine: str, keep: float = 0.5) -> tuple[float, float, float]:
    """(multiply-accumulates, time, energy) of the pruned network over the whole one."""
    whole = evaluate(machine, "resnet18")
    part = evaluate(machine, "resnet18", transforms=(f"prune_channels:{keep}",))
    return (
        part.workload.macs / whole.workload.macs,
        part.latency_s / whole.latency_s,
        part.energy_j / whole.energy_j,
    )


def ROWS() -> list[PaperRow]:
    """A published width multiplier, then time and energy by machine."""
    from cosim.ir.transforms import apply_transforms
    from cosim.papers._networks import mobilenet_v1

    net = mobilenet_v1()
    half = apply_transforms(net, ["prune_channels:0.5"])
    rows = [
        within("mobilenet-2017", "MobileNet 0.5 over 1.0, multiply-accumulates", "table 6",
               MOBILENET_M[1] / MOBILENET_M[0], half.macs / net.macs, "1", 0.02)
    ]  # fmt: skip
    for name in MACHINES:
        macs, time, energy = ratios(name)
        facts = f"published time and energy for this machine; {macs:.3f} of the multiply-accumulates are left"
        for what, value in (("time", time), ("energy", energy)):
            rows.append(
                missing(
                    "pruning-2025", f"{what}, half of the channels, {name}", "tables", None, "1", facts, value
                )
            )
    return rows


def figure(rows: list[PaperRow]) -> Figure:
    """What is left of operations, time and energy on every machine."""
    found = [ratios(name) for name in MACHINES]
    series = {
        label: [ratio[i] for ratio in found] for i, label in enumerate(("operations", "time", "energy"))
    }
    return bars_figure("ResNet-18 with half of its channels", "of the whole network", MACHINES, series)
