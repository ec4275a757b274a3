"""HAWQ-V3 on a T4: bit operations, kernels, whole networks, and bit widths chosen by integer programming.

Boundary: two tables of the artifact. Its tuning logs hold the best time of every kernel shape at batch 8; with the
other operators of this project's T4 they give whole networks. Its notebook's table holds 19 and 52 layers measured one
by one, 2.6 to 3.1 times the tuned kernels of the same shapes at batch 8: neither its batch nor its schedule is stated
(searched: README, notebook, logs), so only ratios of it are used. The programme minimises
trace_i * ||W_i - Q(W_i)||^2 over 4 or 8 bits a layer under a limit INT4 + f (INT8 - INT4) on size, bit operations or
latency (Eq. 2 of the paper); projections are not tied to a block. ResNet-50 has its strides in the 1 x 1 convolutions.
Source: Yao et al., ICML 2021, arXiv 2011.10680; github.com/Zhen-Dong/HAWQ (README, model_zoo.md, ILP.ipynb,
tvm_benchmark/mixed_precision_models/tuning_logs; MIT).
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cosim.engine import load_workload
from cosim.explore.allocate_network import BitTable, choose_bits, read_bit_table
from cosim.ir.batch import Array
from cosim.ir.workload import Workload
from cosim.papers._machines import latency_s, machine
from cosim.papers._networks import resnet_v1
from cosim.papers.row import PaperRow, Scenario, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Yao et al., HAWQ-V3, ICML 2021",
    machine="the artifact's T4 kernels; gpu_t4 for INT8 and for operators other than products",
    workload="resnet18, ResNet-50 as published",
    mapping="bit widths of 4 or 8 for every layer by integer programming (HiGHS)",
    assumptions=(
        "batch of the per-layer table",
        "operators other than products: separate kernels, graph replay",
    ),
)
FRACTIONS = (0.75, 0.5, 0.25)
END_TO_END_MS = {"resnet18": (3.3, 2.7, 2.2), "resnet50": (8.5, 6.9, 5.8)}
FP32_MS = {"resnet18": 9.7, "resnet50": 26.2}
BOPS_G = {"resnet18": (116.0, 34.0), "resnet50": (247.0, 67.0)}
# Speed-ups over FP32 of the networks found under limits on size, bit operations and latency, f = 0.75, 0.5, 0.25.
FRONTS = {
    "resnet18": {"size": (3.09, 3.18, 3.24), "bops": (3.36, 3.63, 4.05), "latency": (3.36, 3.57, 4.05)},
    "resnet50": {"size": (3.38, 3.50, 3.66), "bops": (3.60, 3.81, 4.03), "latency": (3.50, 3.75, 3.97)},
}


# Top-1 accuracy [%] of the same networks.
ACCURACY = {
    "resnet18": {
        "size": (71.20, 70.50, 70.01),
        "bops": (70.40, 70.22, 68.72),
        "latency": (70.40, 70.34, 68.56),
    },
    "resnet50": {
        "size": (77.38, 75.95, 74.89),
        "bops": (76.10, 75.39, 74.45),
        "latency": (76.63, 74.95, 74.26),
    },
}
BATCH = 8
DATA = Path(__file__).parent / "data"


@cache
def network(name: str) -> Workload:
    """The networks of the artifact."""
    return load_workload("resnet18") if name == "resnet18" else resnet_v1((3, 4, 6, 3), stride_first=True)


@cache
def table(name: str) -> BitTable:
    """The notebook's table of a network; latencies in ms, columns 4 and 8 bits."""
    return read_bit_table(DATA / "hawq_v3_layers.csv", name)


def latency_ms(name: str) -> Array:
    """Latency of every layer of the notebook at 4 and 8 bits, shape (layers, 2)."""
    return table(name).uses["latency"]


def speedup_over_int8(name: str, kind: str, fraction: float) -> float:
    """Sum of INT8 latencies over the sum under the chosen widths."""
    found = latency_ms(name)
    chosen = choose_bits(table(name), {kind: fraction}).allocation.chosen
    return float(found[:, 1].sum() / found[np.arange(len(chosen)), chosen].sum())


@cache
def kernels_us() -> dict[tuple[str, int, tuple[int, ...]], float]:
    """Tuned kernels at batch 8 by network, bits and (channels, filters, taps, stride, padded side)."""
    with (DATA / "hawq_v3_kernels.csv").open(encoding="utf-8") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        shape = ("channels", "filters", "taps", "stride", "side")
        return {
            (row["network"], int(row["bits"]), tuple(int(row[key]) for key in shape)): float(row["time_us"])
            for row in rows
        }


def tuned_ms(name: str, bits: int) -> float:
    """Sum of the tuned kernels of a network; the first and last layer stay at 8 bits."""
    known, total = kernels_us(), 0.0
    for layer in network(name):
        if layer.is_mac:
            side = layer.H + 2 * layer.padding[0] if layer.op == "conv" else 1
            shape = (layer.C, layer.K, layer.R, layer.stride[0], side)
            total += known.get((name, bits, shape), known[name, 8, shape])
    return total * 1e-3


@cache
def simulated_ms(name: str) -> tuple[float, float]:
    """(products, other operators) on this project's T4 at INT8 and batch 8."""
    board = machine("gpu_t4", "datapath.precision=int8", "host.mode=graph")
    layers = network(name).with_batch(BATCH).layers
    products = latency_s(board, [layer for layer in layers if layer.is_mac])
    return products * 1e3, (latency_s(board, layers) - products) * 1e3


def bit_operations_g(name: str, bits: int) -> float:
    """Bit operations with every layer but the first and the last at ``bits``."""
    products = [layer.macs for layer in network(name) if layer.is_mac]
    outer = products[0] + products[-1]
    return (64 * outer + bits * bits * (sum(products) - outer)) * 1e-9


def ROWS() -> list[PaperRow]:
    """Bit operations, kernels, whole networks and fronts."""
    rows: list[PaperRow] = []
    key = "hawq-v3"
    for name, published in BOPS_G.items():
        for bits, value in zip((8, 4), published, strict=True):
            note = "first and last layer at 8 bits"
            rows.append(
                within(key, f"{name}, bit operations, W{bits}A{bits}", "table I, II", value,
                       bit_operations_g(name, bits), "G", 0.05, note)
            )  # fmt: skip
    for name, (int8_ms, _, int4_ms) in END_TO_END_MS.items():
        products_ms, others_ms = simulated_ms(name)
        rows.append(
            within(key, f"{name}, INT8 kernels, batch 8", "tuning logs", tuned_ms(name, 8), products_ms, "ms", 0.25,
                   "gpu_t4; the tuned kernels reach a tenth of the T4's INT8 peak, the model's three tenths")
        )  # fmt: skip
        whole = {bits: tuned_ms(name, bits) + others_ms for bits in (8, 4)}
        for bits, value in ((8, int8_ms), (4, int4_ms)):
            rows.append(
                within(key, f"{name}, W{bits}A{bits}, batch 8", "table I, II", value, whole[bits], "ms", 0.25,
                       "tuned kernels of the artifact, other operators of gpu_t4")
            )  # fmt: skip
        rows.append(
            within(key, f"{name}, INT8 time over INT4 time", "table I, II", int8_ms / int4_ms, whole[8] / whole[4],
                   "1", 0.15, "tuned kernels of the artifact, other operators of gpu_t4")
        )  # fmt: skip
    for name, fronts in FRONTS.items():
        int8_speedup = FP32_MS[name] / END_TO_END_MS[name][0]
        for kind, values in fronts.items():
            for fraction, value in zip(FRACTIONS, values, strict=True):
                rows.append(
                    within(key, f"{name}, {kind} limit {fraction:g}: speed-up over INT8", "model_zoo.md",
                           value / int8_speedup, speedup_over_int8(name, kind, fraction), "1", 0.25,
                           "widths chosen here on the artifact's traces; time by its layers")
                )  # fmt: skip
    return rows


def figure(rows: list[PaperRow]) -> Figure:
    """Accuracy over speed-up of the mixed networks: published, and with the widths and times found here."""
    from cosim.papers._figures_sw import one_legend
    from cosim.report.style import PALETTE, new_figure

    result = new_figure(9.6, 4.0)
    for axes, (name, fronts) in zip(result.subplots(1, 2), FRONTS.items(), strict=True):
        int8 = FP32_MS[name] / END_TO_END_MS[name][0]
        for number, (kind, values) in enumerate(fronts.items()):
            top1, colour = ACCURACY[name][kind], PALETTE[number]
            axes.plot([value / int8 for value in values], top1, "o--", color=colour, markerfacecolor="white",
                      label=f"{kind} limit, published")  # fmt: skip
            axes.plot([speedup_over_int8(name, kind, f) for f in FRACTIONS], top1, "s^D"[number], color=colour,
                      markersize=6, label=f"{kind} limit, simulated speed-up")  # fmt: skip
        axes.set_xlabel("speed-up over INT8, T4")
        axes.set_title(name, loc="left")
        one_legend(axes)
    result.axes[0].set_ylabel("top-1 accuracy, published [%]")
    return result
