"""HAWQ-V3 on a T4: bit operations, the per-layer latency table, and bit widths chosen by integer programming.

Boundary: the table of the artifact holds kernels measured one by one; their sums are not the end-to-end times (the
sum of ResNet-50 at INT8 is 11.9 ms, the network runs in 8.5 ms), so only ratios are compared, and the batch of the
table is not stated. The programme minimises trace_i * ||W_i - Q(W_i)||^2 over 4 or 8 bits a layer under a limit
INT4 + f (INT8 - INT4) on size, bit operations or latency (Eq. 2 of the paper); projections are not tied to a block.
Source: Yao et al., ICML 2021, arXiv 2011.10680; github.com/Zhen-Dong/HAWQ (README, model_zoo.md, ILP.ipynb; MIT).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cosim.engine import load_workload
from cosim.explore.allocate_network import BitTable, choose_bits, read_bit_table
from cosim.ir.batch import Array
from cosim.papers._figures import lines_figure
from cosim.papers._machines import latency_s, machine
from cosim.papers.row import PaperRow, Scenario, bracketed, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Yao et al., HAWQ-V3, ICML 2021",
    machine="the artifact's T4 latencies; gpu_t4 for INT8",
    workload="resnet18, resnet50",
    mapping="bit widths of 4 or 8 for every layer by integer programming (HiGHS)",
    assumptions=(
        "batch of the per-layer table",
        "end-to-end time over kernels is the same at every bit width",
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


@cache
def table(network: str) -> BitTable:
    """The artifact's table of a network; latencies in ms, columns 4 and 8 bits."""
    return read_bit_table(Path(__file__).parent / "data" / "hawq_v3_layers.csv", network)


def latency_ms(network: str) -> Array:
    """Latency of every layer at 4 and 8 bits, shape (layers, 2)."""
    return table(network).uses["latency"]


def speedup_over_int8(network: str, kind: str, fraction: float) -> float:
    """Sum of INT8 latencies over the sum under the chosen widths."""
    found = latency_ms(network)
    chosen = choose_bits(table(network), {kind: fraction}).allocation.chosen
    return float(found[:, 1].sum() / found[np.arange(len(chosen)), chosen].sum())


def ROWS() -> list[PaperRow]:
    """Bit operations, INT4 against INT8, fronts, and this project's T4 at INT8."""
    rows: list[PaperRow] = []
    key = "hawq-v3"
    for name, (w8, w4) in BOPS_G.items():
        macs = load_workload(name).macs * 1e-9
        what = f"{name}, bit operations"
        note = "from the shipped workload; the artifact leaves the first and last layer at 8 bits"
        rows.append(within(key, f"{what}, W8A8", "table I, II", w8, 64 * macs, "G", 0.10, note))
        rows.append(within(key, f"{what}, W4A4", "table I, II", w4, 16 * macs, "G", 0.25, note))
    for name, (int8, _, int4) in END_TO_END_MS.items():
        ratio = float(latency_ms(name)[:, 1].sum() / latency_ms(name)[:, 0].sum())
        note = "sums of the kernels measured one by one; end to end in print"
        rows.append(
            within(
                key, f"{name}, INT8 time over INT4 time", "table I, II", int8 / int4, ratio, "1", 0.15, note
            )
        )
    ratios = latency_ms("resnet18")[:, 1] / latency_ms("resnet18")[:, 0]
    rows.append(
        bracketed(key, "INT4 over INT8, mean", "abstract", 1.45, float(ratios.min()), float(ratios.max()), "1",
                  "over the layers of ResNet-18 measured one by one")
    )  # fmt: skip
    for name, fronts in FRONTS.items():
        int8_speedup = FP32_MS[name] / END_TO_END_MS[name][0]
        for kind, published in fronts.items():
            for fraction, value in zip(FRACTIONS, published, strict=True):
                rows.append(
                    within(key, f"{name}, {kind} limit {fraction:g}: speed-up over INT8", "model_zoo.md",
                           value / int8_speedup, speedup_over_int8(name, kind, fraction), "1", 0.25,
                           "widths chosen here on the artifact's traces; time by its kernels")
                )  # fmt: skip
    return rows + _gpu_rows()


def _gpu_rows() -> list[PaperRow]:
    """The T4 of this project at INT8, one kernel an operator, against the end-to-end time at batch 8."""
    board = machine("gpu_t4", "datapath.precision=int8", "host.mode=graph")
    rows = []
    for name, (int8, _, _) in END_TO_END_MS.items():
        layers = load_workload(name).with_batch(8).layers
        products = [layer for layer in layers if layer.is_mac]
        found = (latency_s(board, products) * 1e3, latency_s(board, layers) * 1e3)
        rows.append(
            bracketed("hawq-v3", f"{name}, W8A8, batch 8", "table I, II", int8, *found, "ms",
                      "from all other operators fused to none fused; graph replay")
        )  # fmt: skip
    return rows


def figure(rows: list[PaperRow]) -> Figure:
    """Speed-up over INT8 of the mixed networks against the share of the limit, ResNet-18."""
    int8 = FP32_MS["resnet18"] / END_TO_END_MS["resnet18"][0]
    series: dict[str, list[float]] = {}
    for kind, published in FRONTS["resnet18"].items():
        series[f"published, {kind}"] = [value / int8 for value in published]
        series[f"simulated, {kind}"] = [speedup_over_int8("resnet18", kind, f) for f in FRACTIONS]
    return lines_figure("HAWQ-V3, ResNet-18", ("share of the limit", FRACTIONS), "speed-up over INT8", series)
