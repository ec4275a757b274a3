"""SCALE-Sim: total cycles of the layers of ResNet-50 and of a ViT-S block on square arrays of 16 to 256.

Boundary: compute cycles with unlimited bandwidth, as the tool's estimating mode reports them; layers as its topology
files give them (feature maps without padding), each distinct layer once.
Source: Samajdar et al., ISPASS 2020, doi:10.1109/ISPASS48437.2020.00016; runs of SCALE-Sim 3.0.0, unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cosim.mapping.folds import evaluate_gemm, reported_total_cycles
from cosim.papers._evidence import ARTEFACT, at
from cosim.papers._figures_hw import SIMULATED, pair_bars
from cosim.papers.row import PaperRow, Scenario, exact
from cosim.report.style import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WHERE = at("compute report of release 3.0.0", ARTEFACT)
SCENARIO = Scenario(
    title="Samajdar et al., SCALE-Sim, ISPASS 2020",
    machine="closed forms of the systolic array, defaults of the released tool",
    workload="ResNet-50's fourteen distinct layer shapes; query, scores and MLP of a ViT-S block",
    mapping="output, weight and input stationary",
)
# M, N, K of the layers as matrix products.
RESNET50 = (
    (12100, 64, 147), (2916, 64, 576), (3136, 64, 256), (841, 128, 256), (784, 512, 128), (841, 512, 256),
    (784, 128, 512), (144, 256, 2304), (196, 1024, 256), (196, 256, 1024), (64, 512, 1024), (25, 512, 4608),
    (49, 2048, 512), (64, 2048, 1024),
)  # fmt: skip
VIT_S = ((196, 192, 384), (196, 1176, 64), (196, 384, 1536))
# Network, array side, dataflow: total cycles of all layers in the tool's report.
TOTALS: dict[tuple[str, int, str], int] = {
    ("ResNet-50", 128, "os"): 184597,
    ("ResNet-50", 128, "ws"): 265018,
    ("ResNet-50", 128, "is"): 305806,
    ("ResNet-50", 256, "os"): 114060,
    ("ResNet-50", 256, "ws"): 129423,
    ("ResNet-50", 256, "is"): 161524,
    ("ViT-S", 16, "os"): 643601,
    ("ViT-S", 16, "ws"): 698893,
    ("ViT-S", 16, "is"): 674437,
    ("ViT-S", 32, "os"): 185595,
    ("ViT-S", 32, "ws"): 209377,
    ("ViT-S", 32, "is"): 202409,
    ("ViT-S", 128, "os"): 19649,
    ("ViT-S", 128, "ws"): 30053,
    ("ViT-S", 128, "is"): 24941,
}  # fmt: skip
LAYERS = {"ResNet-50": RESNET50, "ViT-S": VIT_S}


def total_cycles(network: str, side: int, dataflow: str) -> float:
    """Sum over the layers, as the tool reports them (cycle numbers start at zero)."""
    m, n, k = (np.asarray(column) for column in zip(*LAYERS[network], strict=True))
    found = evaluate_gemm(m, n, k, side, side, dataflow)
    return float(np.sum(reported_total_cycles(found.total_cycles)))


def ROWS() -> list[PaperRow]:
    """A row for every network, array and dataflow."""
    return [
        exact("scalesim", f"{network}, {side} x {side}, {dataflow}, total cycles", WHERE, float(cycles),
              total_cycles(network, side, dataflow), "cycles")
        for (network, side, dataflow), cycles in TOTALS.items()
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """Cycles by array and dataflow as reported and as computed, a panel for each network."""
    found = dict(zip(TOTALS, (row.simulated for row in rows), strict=True))
    result = new_figure(7.0, 3.4)
    panels = result.subplots(1, 2, width_ratios=(2, 3))
    for axes, network in zip(panels, LAYERS, strict=True):
        keys = [key for key in TOTALS if key[0] == network]
        names = [f"{side}\n{flow}" for _, side, flow in keys]
        published = [TOTALS[key] / 1e3 for key in keys]
        simulated = [(found[key] or 0.0) / 1e3 for key in keys]
        pair_bars(axes, names, published, {SIMULATED: simulated}, "thousand cycles", slant=False)
        axes.set_title(f"{network}, side of the array and dataflow", fontsize=9)
    return result
