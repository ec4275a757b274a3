"""Four-bit number formats as quantisers: NVFP4, MXFP4, INT4, powers of two, INT8; signal to quantisation noise.

Boundary: normal and Laplace values (64 k samples, fixed seed) in tensors of 256 columns. Publications compare
perplexities of trained networks, which are not simulated; the classical results for uniform quantisers are.
Source: NVFP4, arXiv 2509.25149; OCP Microscaling Formats 1.0; LLM-FP4, arXiv 2310.16836; Bennett, Bell Syst. Tech. J.
27 (1948): 6.02 b + 1.76 dB for a sine of full scale.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from cosim.noise.quantize import PRESETS, IntegerGrid, Quantizer, fake_quantize, sqnr_db
from cosim.papers._figures import bars_figure
from cosim.papers.row import PaperRow, Scenario, missing, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="NVFP4 (2025), OCP Microscaling Formats, LLM-FP4 (2023)",
    machine="quantisers of the value models",
    workload="normal and Laplace tensors of 256 x 256",
    mapping="largest magnitude to the largest code, by tensor, channel or block",
)
FORMATS = ("nvfp4", "mxfp4", "int4_per_channel", "power_of_two_4", "mxfp8_e4m3", "int8_per_channel")


@cache
def format_sqnr_db(name: str, law: str) -> float:
    """Ratio of a preset on random values."""
    random = np.random.default_rng(7)
    values = random.standard_normal((256, 256)) if law == "normal" else random.laplace(size=(256, 256))
    return sqnr_db(values, fake_quantize(values, PRESETS[name]))


def sine_sqnr_db(bits: int) -> float:
    """Ratio of a full-scale sine under a uniform quantiser."""
    sine = np.sin(np.linspace(0.0, 2000.0 * np.pi, 200_003))
    return sqnr_db(sine, fake_quantize(sine, Quantizer(IntegerGrid(bits, narrow=True))))


def ROWS() -> list[PaperRow]:
    """Bennett's rule, then every format on two laws."""
    rows = [
        within("bennett-1948", f"full-scale sine, {bits} bits", "6.02 b + 1.76", 6.0206 * bits + 1.761,
               sine_sqnr_db(bits), "dB", 0.05, "a symmetric grid of 2^b - 1 codes")
        for bits in (4, 8, 12)
    ]  # fmt: skip
    facts = "printed ratios; publications give perplexities of trained networks"
    return rows + [
        missing("nvfp4-2025" if name == "nvfp4" else "fp4-formats", f"{name}, {law} values", "tables", None, "dB",
                facts, format_sqnr_db(name, law))
        for law in ("normal", "Laplace")
        for name in FORMATS
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """Ratios of the formats on both laws."""
    series = {law: [format_sqnr_db(name, law) for name in FORMATS] for law in ("normal", "Laplace")}
    return bars_figure("Signal to quantisation noise", "dB", FORMATS, series)
