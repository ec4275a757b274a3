"""ShiftAddViT: multiplications replaced by shifts and additions; shares of a DeiT-Base, energy, speed-up.

Boundary: shares of operations and of time of a DeiT-Base; the measured board is a Jetson TX2, for which the Jetson
Xavier and Orin of this project stand in. Energy of arithmetic with the authors' Eyeriss-like constants (8 bit: multiply
0.2, add 0.03, shift 0.024 pJ; 22.2 pJ a 16-bit word of the global buffer): the published saving includes movement that
depends on a search over tilings (pvt/hw_utils.py, where shifted weights are 10-bit words and additions move nothing
beyond the registers). Times of the kernels behind 5.18x are plots; their tuning scripts (OPs_Speedups) hold shapes
without results (searched: repository).
Source: You et al., NeurIPS 2023, arXiv 2306.06446; github.com/GATECH-EIC/ShiftAddViT (pvt/hw_utils.py).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from cosim.papers._machines import latency_s, machine
from cosim.papers._networks import DEIT_BASE, vit
from cosim.papers.row import PaperRow, Scenario, bracketed, missing, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="You et al., ShiftAddViT, NeurIPS 2023",
    machine="gpu_xavier and gpu_orin in place of a Jetson TX2; energy constants of the authors' accelerator model",
    workload="DeiT-Base, 224 pixels, batch 1",
    mapping="linear layers by shifts; attention products by additions",
    assumptions=(
        "board, precision and launching of the shares of time",
        "words moved between buffer and array for each multiply-accumulate: none to a twentieth",
    ),
)
MULTIPLY_PJ, ADD_PJ, SHIFT_PJ, BUFFER_PJ_PER_WORD = 0.2, 0.03, 0.024, 22.2
WORDS_PER_MAC = 1 / 20
PARTS = {
    "attention": ("q", "k", "v", "scores", "softmax", "context", "proj"),
    "MLP": ("fc1", "gelu", "fc2"),
}
# Shares of a DeiT-Base: operations, and time on a Jetson TX2 (figure 1).
PUBLISHED = {"attention": (0.36, 0.45), "MLP": (0.63, 0.46)}
BOARDS = tuple(
    (name, precision, mode)
    for name in ("gpu_xavier", "gpu_orin")
    for precision in ("fp32", "fp16")
    for mode in ("stream", "eager")
)


def operations(part: str) -> float:
    """Share of a DeiT-Base's multiply-accumulates in attention (with its projections) or in the MLP."""
    network = vit(DEIT_BASE)
    return sum(layer.macs for layer in network if layer.name.split(".")[-1] in PARTS[part]) / network.macs


@cache
def times_s(name: str, precision: str, mode: str) -> dict[str, float]:
    """Time by part; what is neither attention nor MLP is ``other``."""
    board = machine(name, f"datapath.precision={precision}", f"host.mode={mode}")
    found = dict.fromkeys((*PARTS, "other"), 0.0)
    for layer in vit(DEIT_BASE):
        last = layer.name.split(".")[-1]
        part = next((part for part, names in PARTS.items() if last in names), "other")
        found[part] += latency_s(board, [layer])
    return found


def time_shares(part: str) -> list[float]:
    """Share of the time in a part, over what is unknown of the measurement."""
    return [times[part] / sum(times.values()) for times in (times_s(*board) for board in BOARDS)]


def saving(words_per_mac: float) -> float:
    """Energy saved by shifts in place of multiplications, movement unchanged."""
    moved = words_per_mac * BUFFER_PJ_PER_WORD
    return 1.0 - (SHIFT_PJ + ADD_PJ + moved) / (MULTIPLY_PJ + ADD_PJ + moved)


def ROWS() -> list[PaperRow]:
    """Shares of operations and time, energy, speed-up."""
    key = "shiftaddvit-2023"
    rows = []
    for part, (share, time) in PUBLISHED.items():
        rows.append(
            within(key, f"DeiT-Base, operations in {part}", "figure 1", share, operations(part), "1", 0.02)
        )
        found = time_shares(part)
        rows.append(
            bracketed(key, f"DeiT-Base, time in {part}", "figure 1", time, min(found), max(found), "1",
                      "missing: a Jetson TX2, precision; Xavier and Orin, FP32 and FP16, host ahead or not")
        )  # fmt: skip
    return [
        *rows,
        bracketed(key, "energy saved, up to", "abstract", 0.429, saving(WORDS_PER_MAC), saving(0.0), "1",
                  "from a twentieth of a 16-bit word from the global buffer for each product to none"),
        missing(key, "GPU speed-up, up to", "abstract", 5.18, "1",
                "times of the shift and add kernels, which a GPU's multipliers do not have"),
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """Shares of operations and time of a DeiT-Base, and energy of the primitives with the authors' constants."""
    from cosim.papers._figures_sw import paired_bars, solid_bars
    from cosim.report.style import new_figure

    result = new_figure(9.6, 4.0)
    shares, energy = result.subplots(1, 2)
    names = ["attention,\noperations", "MLP,\noperations", "attention,\ntime", "MLP,\ntime"]
    spans = [(min(found), max(found)) for found in (time_shares(part) for part in PARTS)]
    paired_bars(
        shares,
        names,
        [PUBLISHED[part][number] for number in (0, 1) for part in PARTS],
        [*(operations(part) for part in PARTS), *((low * high) ** 0.5 for low, high in spans)],
        [None, None, *spans],
    )
    shares.set_ylabel("share of the DeiT-Base")
    shares.set_title("breakdown (time: Jetson TX2; simulated: Xavier, Orin)", loc="left", fontsize=9)
    words = (0.0, 0.01, 0.02, 0.05)
    solid_bars(
        energy,
        [f"{word:g} words" for word in words],
        {
            "multiply and add": [MULTIPLY_PJ + ADD_PJ + word * BUFFER_PJ_PER_WORD for word in words],
            "shift and add": [SHIFT_PJ + ADD_PJ + word * BUFFER_PJ_PER_WORD for word in words],
        },
    )
    energy.set_ylabel("energy of one product and sum [pJ]")
    energy.set_xlabel("16-bit words from the global buffer for each product")
    energy.set_title("energy, constants of the authors", loc="left", fontsize=9)
    return result
