"""XNOR-Net: the formula behind 62x, the 58x of the abstract, and what a SIMD core gives.

Boundary: one convolution of 256 channels and 3 x 3 taps. The formula counts 64 binary products a clock against one
full-precision product; a core with vector units does 16 of those a clock and 240 binary ones.
Source: Rastegari et al., ECCV 2016, arXiv 1603.05279, section 3.3 and abstract.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosim.components.cpu_kernels import xnor_speedup
from cosim.ir.layer import mac_layer
from cosim.papers._figures import lines_figure
from cosim.papers._machines import BARE, latency_s, machine
from cosim.papers.row import PaperRow, Scenario, exact, not_reproduced

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Rastegari et al., XNOR-Net, ECCV 2016",
    machine="64-bit scalar words (formula); cpu_zen4, one core (simulated)",
    workload="3 x 3 convolution of 256 channels on 14 x 14",
    mapping="kernel xnor_popcount against the faster of fp32_gemm and fp32_direct",
)
LAYER = mac_layer("conv", "conv", C=256, K=256, P=14, Q=14, R=3, S=3, padding=(1, 1, 1, 1))


def simd_speedup() -> float:
    """FP32 time over binary time on a core with vector popcount."""
    core = machine("cpu_zen4", *BARE)
    full = min(latency_s(core, [LAYER], {"kernel": kernel}) for kernel in ("fp32_gemm", "fp32_direct"))
    return full / latency_s(core, [LAYER], {"kernel": "xnor_popcount"})


def ROWS() -> list[PaperRow]:
    """Formula, claim, SIMD."""
    key = "xnor-net-2016"
    found = simd_speedup()
    return [
        exact(key, "formula, c = 256, 3 x 3", "section 3.3", 62.27, xnor_speedup(256, 9), "1", digits=4),
        not_reproduced(key, "convolution over full precision, claimed", "abstract", 58.0, found, "1",
                       f"a scalar baseline is counted there; 512-bit vectors give {found:.1f}x over their own FP32"),
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """Speed-up over channels at 3 x 3 taps, and over taps at 256 channels, by the formula."""
    channels = [4, 8, 16, 32, 64, 128, 256, 512, 1024]
    series = {f"{side} x {side}": [xnor_speedup(c, side * side) for c in channels] for side in (1, 3, 5, 7)}
    return lines_figure("XNOR-Net, section 3.3", ("channels", channels), "speed-up", series, log="x")
