"""Structured pruning: fewer channels in every layer, and what that does to time and energy on every machine.

Boundary: `prune_channels` scales all inner widths by one share, which is the uniform distribution of
PruneEnergyAnalyzer; its measurements are of PyTorch 2.6 in FP32 (TF32 where the GPU has it for convolutions) with the
energy counter of the GPU. The GPU is not named; it draws 310 W under load, so boards that may draw as much are
bracketed, host ahead of the device or (batch 1) one operator at a time. No measurement of the other machines exists:
their effect is in one row each for time and energy, and in the figure. PreCropping and Tessier et al. print no table
that was found (searched: repositories, abstracts).
Source: Pachon, Pedraza, Ballesteros, BDCC 9(8) 200 (2025), doi:10.3390/bdcc9080200, notebooks/results.csv of
github.com/DEEP-CGPS/PruneEnergyAnalyzer (MIT); width multipliers: Howard et al., arXiv 1704.04861, table 6;
PreCropping, arXiv 2310.00626 (abstract).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from cosim.engine import evaluate, load_workload
from cosim.ir.transforms import apply_transforms
from cosim.papers._machines import machine
from cosim.papers._networks import mobilenet_v1
from cosim.papers.row import PaperRow, Scenario, bracketed, missing, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Pachon et al., PruneEnergyAnalyzer (2025); structured pruning as a change of widths",
    machine="GPUs that may draw 310 W; the effect alone: optical4f, systolic_128, systolic_mlc_sttram, cpu_zen4",
    workload="alexnet, vgg16, resnet18 with transform prune_channels",
    assumptions=(
        "GPU: RTX 3090, 4090, 5090, A100 or H100, FP32 or TF32",
        "batch 1: host ahead of the device, or one operator at a time",
    ),
)
MACHINES = ("optical4f", "systolic_128", "systolic_mlc_sttram", "cpu_zen4", "gpu_rtx3090")
BOARDS = ("gpu_rtx3090", "gpu_rtx4090", "gpu_rtx5090", "gpu_a100", "gpu_h100")
# MobileNet 1.0 and 0.5 at 224 pixels: millions of multiply-accumulates (arXiv 1704.04861, table 6).
MOBILENET_M = (569.0, 149.0)
HALF = 50
DATA = Path(__file__).parent / "data" / "prune_energy_gpu.csv"


@dataclass(frozen=True)
class Measured:
    """Seconds and joules a sample, and multiply-accumulates."""

    time_s: float
    energy_j: float
    macs: int


@cache
def measurements() -> dict[tuple[str, int, int], Measured]:
    """By network, batch and percentage of channels pruned."""
    with DATA.open(encoding="utf-8") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {
            (row["network"], int(row["batch"]), int(row["pruned_percent"])): Measured(
                float(row["time_s"]), float(row["energy_j"]), int(row["macs"])
            )
            for row in rows
        }


def published(network: str, batch: int, percent: int, what: str) -> float:
    """Pruned over whole network: ``time_s``, ``energy_j`` or ``macs``."""
    table = measurements()
    return float(getattr(table[network, batch, percent], what) / getattr(table[network, batch, 0], what))


def pruned(network: str, percent: int) -> str:
    """Reference of the network without that percentage of its channels."""
    return f"{network}+prune_channels:{1 - percent / 100:g}" if percent else network


@cache
def ratios(
    name: str, network: str, percent: int, batch: int = 1, *settings: str
) -> tuple[float, float, float]:
    """(multiply-accumulates, time, energy) of the pruned network over the whole one."""
    board = machine(name, *settings)
    whole, part = (
        evaluate(board, load_workload(pruned(network, share)), batch=batch) for share in (0, percent)
    )
    return (
        part.workload.macs / whole.workload.macs,
        part.latency_s / whole.latency_s,
        part.energy_j / whole.energy_j,
    )


def on_boards(network: str, percent: int, batch: int, what: int) -> list[float]:
    """Ratio number ``what`` of :func:`ratios` over what is unknown of the measurement."""
    modes = ("stream",) if batch > 1 else ("stream", "eager")
    return [
        ratios(board, network, percent, batch, f"datapath.precision={precision}", f"host.mode={mode}")[what]
        for board in BOARDS
        for precision in ("fp32", "tf32")
        for mode in modes
    ]


def _measured_rows() -> list[PaperRow]:
    key, where = "pruning-2025", "notebooks/results.csv"
    rows = []
    for network in ("alexnet", "vgg16"):
        for percent in (20, HALF, 65):
            share = load_workload(pruned(network, percent)).macs / load_workload(network).macs
            rows.append(
                within(key, f"{network}, {percent} % of the channels pruned, multiply-accumulates left", where,
                       published(network, 1, percent, "macs"), share, "1", 0.01)
            )  # fmt: skip
    for network in ("alexnet", "vgg16"):
        for batch in (64, 1):
            for number, what in ((1, "time_s"), (2, "energy_j")):
                found = on_boards(network, HALF, batch, number)
                power = ", ".join(
                    f"{row.energy_j / row.time_s:.0f} W {name}"
                    for name, row in (
                        ("whole", measurements()[network, batch, 0]),
                        ("pruned", measurements()[network, batch, HALF]),
                    )
                )
                note = f"missing: the GPU (measured {power}); five boards, FP32 and TF32"
                rows.append(
                    bracketed(key, f"{network}, half of the channels, {what.split('_')[0]} left, batch {batch}",
                              where, published(network, batch, HALF, what), min(found), max(found), "1",
                              note if batch > 1 else f"{note}, host ahead of the device or not")
                )  # fmt: skip
    return rows


def ROWS() -> list[PaperRow]:
    """Counts and GPU measurements; the effect on every machine."""
    net = mobilenet_v1()
    half = apply_transforms(net, ["prune_channels:0.5"])
    rows = [
        within("mobilenet-2017", "MobileNet 0.5 over 1.0, multiply-accumulates", "table 6",
               MOBILENET_M[1] / MOBILENET_M[0], half.macs / net.macs, "1", 0.02),
        *_measured_rows(),
    ]  # fmt: skip
    for number, what in ((1, "time"), (2, "energy")):
        left = {name: ratios(name, "resnet18", HALF)[number] for name in MACHINES}
        listed = ", ".join(f"{name} {value:.3f}" for name, value in left.items())
        mean = prod(left.values()) ** (1 / len(left))
        rows.append(
            missing("pruning-2025", f"ResNet-18, half of the channels, {what} left, mean of five machines", "none",
                    None, "1", f"measurements of such machines; {listed}; "
                    f"{ratios(MACHINES[0], 'resnet18', HALF)[0]:.3f} of the multiply-accumulates are left", mean)
        )  # fmt: skip
    return rows


def figure(rows: list[PaperRow]) -> Figure:
    """Time and energy over the work that is left, measured and simulated; half of the channels on every machine."""
    from cosim.papers._figures_sw import curves, solid_bars
    from cosim.report.style import new_figure

    result = new_figure(10.0, 4.2)
    gpu, machines = result.subplots(1, 2)
    percents = [percent for percent in range(0, 70, 5) if ("vgg16", 64, percent) in measurements()]
    labels = (("time_s", 1, "time"), ("energy_j", 2, "energy"))
    settings = ("datapath.precision=tf32", "host.mode=stream")
    curves(
        gpu,
        [published("vgg16", 64, percent, "macs") for percent in percents],
        {name: [published("vgg16", 64, percent, what) for percent in percents] for what, _, name in labels},
        {
            name: [
                ratios("gpu_rtx3090", "vgg16", percent, 64, *settings)[number] if percent else 1.0
                for percent in percents
            ]
            for _, number, name in labels
        },
    )
    gpu.plot([0, 1], [0, 1], ":", color="#999999", linewidth=0.8)
    gpu.set_xlabel("multiply-accumulates left")
    gpu.set_ylabel("left of the whole network")
    gpu.set_title("VGG16, batch 64, GPU (simulated: RTX 3090, TF32)", loc="left", fontsize=9)
    found = [ratios(name, "resnet18", HALF) for name in MACHINES]
    solid_bars(
        machines,
        MACHINES,
        {label: [ratio[i] for ratio in found] for i, label in enumerate(("operations", "time", "energy"))},
    )
    machines.axhline(1.0, color="#999999", linewidth=0.8)
    machines.set_ylabel("left of the whole network")
    machines.set_title("ResNet-18 with half of its channels, simulated", loc="left", fontsize=9)
    return result
