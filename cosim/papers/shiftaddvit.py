"""ShiftAddViT: multiplications replaced by shifts and additions; shares of a DeiT-Base, energy, speed-up.

Boundary: energy of arithmetic alone with the authors' Eyeriss-like constants (8 bit: multiply 0.2, add 0.03, shift
0.024 pJ; data movement 22.2 pJ a 16-bit word of the global buffer); the published saving includes movement that
depends on their mapping. Kernels behind 5.18x are not published as numbers.
Source: You et al., NeurIPS 2023, arXiv 2306.06446; github.com/GATECH-EIC/ShiftAddViT (pvt/hw_utils.py).
"""

from __future__ import annotations

from cosim.papers._networks import DEIT_BASE, vit
from cosim.papers.row import PaperRow, Scenario, bracketed, missing, within

SCENARIO = Scenario(
    title="You et al., ShiftAddViT, NeurIPS 2023",
    machine="energy constants of the authors' accelerator model",
    workload="DeiT-Base, 224 pixels",
    mapping="linear layers by shifts; attention products by additions",
    assumptions=("words moved between buffer and array for each multiply-accumulate: none to a twentieth",),
)
MULTIPLY_PJ, ADD_PJ, SHIFT_PJ, BUFFER_PJ_PER_WORD = 0.2, 0.03, 0.024, 22.2
WORDS_PER_MAC = 1 / 20


def share(attention: bool) -> float:
    """Share of a DeiT-Base's multiply-accumulates in attention (with its projections) or in the MLP."""
    network = vit(DEIT_BASE)
    parts = ("q", "k", "v", "scores", "context", "proj") if attention else ("fc1", "fc2")
    return sum(layer.macs for layer in network if layer.name.split(".")[-1] in parts) / network.macs


def saving(words_per_mac: float) -> float:
    """Energy saved by shifts in place of multiplications, movement unchanged."""
    moved = words_per_mac * BUFFER_PJ_PER_WORD
    return 1.0 - (SHIFT_PJ + ADD_PJ + moved) / (MULTIPLY_PJ + ADD_PJ + moved)


def ROWS() -> list[PaperRow]:
    """Shares of operations, energy, speed-up."""
    key = "shiftaddvit-2023"
    return [
        within(key, "DeiT-Base, operations in attention", "figure 1", 0.36, share(True), "1", 0.02),
        within(key, "DeiT-Base, operations in the MLP", "figure 1", 0.63, share(False), "1", 0.02),
        bracketed(key, "energy saved, up to", "abstract", 0.429, saving(WORDS_PER_MAC), saving(0.0), "1",
                  "from a twentieth of a 16-bit word from the global buffer for each product to none"),
        missing(key, "GPU speed-up, up to", "abstract", 5.18, "1",
                "times of the shift and add kernels, which a GPU's multipliers do not have"),
    ]  # fmt: skip
