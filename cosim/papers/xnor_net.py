"""XNOR-Net: the formula behind 62x, the 58x of the abstract, and what a SIMD core gives.

    S = c N_W N_I / (c N_W N_I / 64 + N_I)                                                     (section 3.3)

Boundary: one convolution of 256 channels and 3 x 3 taps. The formula counts 64 binary products a clock against one
full-precision product, and one full-precision product a place for the scale; both are counted here on the layer. A
core with vector units does 16 full-precision products a clock and 240 binary ones.
Source: Rastegari et al., ECCV 2016, arXiv 1603.05279, section 3.3, figure of speed-ups, abstract.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from cosim.components.cpu_kernels import xnor_speedup
from cosim.ir.layer import Layer, mac_layer
from cosim.papers._machines import BARE, latency_s, machine
from cosim.papers.row import PaperRow, Scenario, exact, not_reproduced

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Rastegari et al., XNOR-Net, ECCV 2016",
    machine="64-bit scalar words (counted); cpu_zen4, one core (simulated)",
    workload="3 x 3 convolution of 256 channels on 14 x 14",
    mapping="kernel xnor_popcount against the faster of fp32_gemm and fp32_direct",
)
WORD_BITS = 64
CHANNELS = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
SIDES = (1, 2, 3, 5, 7, 9, 11, 13, 15, 17, 20)


def convolution(channels: int, side: int, places: int = 14) -> Layer:
    """As many filters as channels."""
    half = side // 2
    return mac_layer(
        "conv", "conv", C=channels, K=channels, P=places, Q=places, R=side, S=side, H=places, W=places,
        padding=(half, half, half, half),
    )  # fmt: skip


def counted_speedup(layer: Layer) -> float:
    """Full-precision products over binary words and the scales' products, all of them one a clock."""
    words = layer.macs / WORD_BITS
    scales = layer.N * layer.K * layer.P * layer.Q
    return layer.macs / (words + scales)


def whole_words_speedup(layer: Layer) -> float:
    """The same where a word that is not full takes its clock all the same."""
    outputs = layer.N * layer.K * layer.P * layer.Q
    return layer.macs / (outputs * (ceil(layer.C * layer.R * layer.S / WORD_BITS) + 1))


def simd_speedup(layer: Layer) -> float:
    """FP32 time over binary time on a core with vector popcount."""
    core = machine("cpu_zen4", *BARE)
    full = min(latency_s(core, [layer], {"kernel": kernel}) for kernel in ("fp32_gemm", "fp32_direct"))
    return full / latency_s(core, [layer], {"kernel": "xnor_popcount"})


def ROWS() -> list[PaperRow]:
    """The count on a layer, the claim."""
    key, layer = "xnor-net-2016", convolution(256, 3)
    found = simd_speedup(layer)
    return [
        exact(key, "256 channels, 3 x 3, 64-bit words", "section 3.3", 62.27, counted_speedup(layer), "1",
              "counted on the layer", digits=4),
        not_reproduced(key, "convolution over full precision, claimed", "abstract", 58.0, found, "1",
                       f"a scalar baseline is counted there; 512-bit vectors give {found:.1f}x over their own FP32"),
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """Speed-up over the channels at 3 x 3, and over the filter's size at 256 channels, as the publication plots it."""
    from cosim.papers._figures_sw import curves, one_legend
    from cosim.report.style import new_figure

    result = new_figure(9.6, 4.0)
    left, right = result.subplots(1, 2)
    for axes, places, layers in (
        (left, CHANNELS, [convolution(channels, 3) for channels in CHANNELS]),
        (right, SIDES, [convolution(256, side) for side in SIDES]),
    ):
        formula = [xnor_speedup(layer.C, layer.R * layer.S) for layer in layers]
        curves(
            axes,
            places,
            {"formula": formula},
            {
                "64-bit words, none shared": [whole_words_speedup(layer) for layer in layers],
                "512-bit vectors, cpu_zen4": [simd_speedup(layer) for layer in layers],
            },
        )
        axes.set_ylim(0, 72)
        one_legend(axes, where="center right")
    left.set_xscale("log", base=2)
    left.set_xticks(CHANNELS, [str(channels) for channels in CHANNELS])
    left.set_xlabel("channels, 3 x 3 filters")
    left.set_ylabel("speed-up over FP32")
    right.set_xticks(SIDES[::2], [f"{side} x {side}" for side in SIDES[::2]], fontsize=7.5)
    right.set_xlabel("filter, 256 channels")
    return result
