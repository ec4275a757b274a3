"""FlashFFTConv: its cost model as a lower bound of the measured times on an H100.

    C = B H sum_i (16 N N_i / gamma(N_i) + 4 N / omega_i)                                     (Eq. 2 of the paper)

for a transform of length N split into p factors N_i; gamma is the matrix-unit rate for factors of at least 16 and the
general rate below, omega the bandwidth of the memory that stage i passes: on chip but for the first stage.
Boundary: gated convolution, batch 64, width 768, half precision. The constants 16 and 4 and the on-chip bandwidth are
recalled, not read; a bound leaves them room.
Source: Fu et al., ICLR 2024, arXiv 2311.05908, section 3.2; README of github.com/HazyResearch/flash-fft-conv.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cosim.papers._machines import machine
from cosim.papers.row import PaperRow, Scenario, below

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Fu et al., FlashFFTConv, ICLR 2024",
    machine="gpu_h100: peak rates, memory and L2 bandwidth",
    workload="gated long convolutions, batch 64, width 768, lengths of 256 to 4 M",
    mapping="the best number of factors, 2 to 4, of equal size",
    assumptions=("on-chip bandwidth: that of L2", "every stage at its peak rate"),
)
WIDTH = 64 * 768
# length: milliseconds of PyTorch and of FlashFFTConv.
MEASURED_MS: dict[int, tuple[float, float]] = {
    256: (0.62, 0.11), 1 << 10: (2.30, 0.29), 1 << 12: (9.49, 1.43), 1 << 13: (19.4, 3.58), 1 << 14: (29.9, 12.2),
    1 << 15: (84.8, 26.3), 1 << 20: (3071, 1769), 1 << 21: (6343, 4624), 1 << 22: (13031, 10049),
}  # fmt: skip
TENSOR_FLOP_PER_S, GENERAL_FLOP_PER_S = 989e12, 67e12


def cost_ms(length: int, factors: int) -> float:
    """The cost model for a number of equal factors, in ms."""
    params = machine("gpu_h100").params
    dram = float(np.ravel(params["memory.dram_bytes_per_s"])[0])
    on_chip = float(np.ravel(params["memory.l2_bytes_per_s"])[0])
    part = float(length) ** (1.0 / factors)
    rate = TENSOR_FLOP_PER_S if part >= 16 else GENERAL_FLOP_PER_S
    compute = factors * 16.0 * length * part / rate
    moved = 4.0 * length / dram + (factors - 1) * 4.0 * length / on_chip
    return float(WIDTH * (compute + moved) * 1e3)


def best_ms(length: int) -> tuple[float, int]:
    """(least cost, its number of factors)."""
    return min((cost_ms(length, factors), factors) for factors in (2, 3, 4))


def ROWS() -> list[PaperRow]:
    """A bound for every measured length."""
    rows = []
    for length, (_, flash) in MEASURED_MS.items():
        found, factors = best_ms(length)
        name = f"{length >> 20} M" if length >= 1 << 20 else f"{length}"
        rows.append(
            below("flashfftconv-2024", f"gated convolution of length {name}", "README, H100", flash, found, "ms",
                  f"cost model with {factors} factors")
        )  # fmt: skip
    return rows


def figure(rows: list[PaperRow]) -> Figure:
    """Cost by number of factors over length, beside the measurement."""
    from cosim.papers._figures_sw import curves, one_legend
    from cosim.report.style import new_figure

    result = new_figure(6.4, 4.2)
    axes = result.subplots()
    lengths = list(MEASURED_MS)
    curves(
        axes,
        lengths,
        {
            "FlashFFTConv": [flash for _, flash in MEASURED_MS.values()],
            "PyTorch": [torch for torch, _ in MEASURED_MS.values()],
        },
        {f"cost model, {factors} factors": [cost_ms(n, factors) for n in lengths] for factors in (2, 3, 4)},
    )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("length of the convolution")
    axes.set_ylabel("time [ms], H100, batch 64, width 768")
    one_legend(axes, where="upper left")
    return result
