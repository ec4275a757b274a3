"""Four- and eight-bit number formats as quantisers: signal to quantisation noise against published closed forms.

    INT:  Q = 10.8 + 6.02 (b - 1) - 20 log10 rho - 20 log10 kappa                              (Eq. 1, dB)
    FP:   Q = -10 log10 [ alpha w_norm + beta (rho kappa)^2 p_sub + w_zero ]                   (Eq. 2, dB)
          alpha = 2^(-2M) / 24,  beta = 2^(2 (1 - B - M)) / (12 Qmax^2)

kappa is the crest factor of a block (largest magnitude over standard deviation), rho what the scale wastes (1.5 for a
power of two, 1.05 for an E4M3 scale, 1 for a free one), M, B and Qmax mantissa bits, bias and largest value of the
format; w_norm and w_zero are the shares of a normal value's power above the subnormal range and below half of the
smallest value, p_sub the share of values between. With an E4M3 scale the largest value of a block of k is exact, which
takes (1 - 1/k) of Eq. 1 and kappa^2 / k of w_norm. Eqs. 1 and 2 are evaluated at the mean crest factor of the blocks.

Boundary: normal values, 256 x 256, fixed seed. LLM-FP4's and NVFP4's own publications print perplexities of trained
networks, which are not simulated; no other ratio of these formats was found in print.
Source: Chen et al., INT v.s. FP, arXiv 2510.25602, theorems on QSNR, figure 3; its theoretical_comparisons.py
(github.com/ChenMnZ/INT_vs_FP). NVFP4, arXiv 2509.25149; OCP Microscaling Formats 1.0; LLM-FP4, arXiv 2310.16836.
Bennett, Bell Syst. Tech. J. 27 (1948): 6.02 b + 1.76 dB for a sine of full scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import erf, exp, log10, pi, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from cosim.noise.quantize import PRESETS, FloatGrid, IntegerGrid, Quantizer, fake_quantize, sqnr_db
from cosim.papers.row import PaperRow, Scenario, missing, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Chen et al., INT v.s. FP (2025); NVFP4 (2025), OCP Microscaling Formats, LLM-FP4 (2023)",
    machine="quantisers of the value models",
    workload="normal values, 256 x 256; blocks of 32 (MX), 16 (NV), 256 (a channel)",
    mapping="largest magnitude of a block to the largest code, the scale rounded up",
)
COLUMNS = 256
KAPPAS = (2.0, 2.25, 2.5, 2.75, 3.0, 3.5, 4.0)
TOLERANCE = 0.10


@dataclass(frozen=True)
class Format:
    """A quantiser and the numbers that its closed form takes; ``mantissa`` < 0 marks an integer format."""

    quantizer: Quantizer
    block: int
    rho: float
    bits: int
    mantissa: int = -1
    bias: int = 0
    largest: float = 0.0

    @property
    def exact_largest(self) -> float:
        """Share of a block's values that is exact: its largest one under a fine scale."""
        return 1.0 / self.block if self.quantizer.scale_rule == "e4m3" else 0.0

    def closed_form_db(self, kappa: float) -> float:
        """Eq. 1 or 2 at a crest factor."""
        if self.mantissa < 0:
            ideal = 10.8 + 6.02 * (self.bits - 1) - 20.0 * log10(self.rho) - 20.0 * log10(kappa)
            return ideal - 10.0 * log10(1.0 - self.exact_largest)
        alpha = 4.0**-self.mantissa / 24.0
        beta = 4.0 ** (1 - self.bias - self.mantissa) / (12.0 * self.largest**2)
        unit = self.rho * kappa / self.largest
        zero, normal = unit * 2.0 ** (-self.bias - self.mantissa), unit * 2.0 ** (1 - self.bias)
        subnormal = 2.0 * (_below(normal) - _below(zero))
        w_zero = 2.0 * _below(zero) - 1.0 - 2.0 * zero * _density(zero)
        w_norm = 2.0 * (normal * _density(normal) + 1.0 - _below(normal))
        w_norm = max(0.0, w_norm - kappa**2 * self.exact_largest)
        return -10.0 * log10(alpha * w_norm + beta * (self.rho * kappa) ** 2 * subnormal + w_zero)


def _density(z: float) -> float:
    return exp(-0.5 * z * z) / sqrt(2.0 * pi)


def _below(z: float) -> float:
    return 0.5 * (1.0 + erf(z / sqrt(2.0)))


def _blocks(grid: IntegerGrid | FloatGrid, block: int, rule: Literal["power_of_two", "e4m3"]) -> Quantizer:
    return Quantizer(grid, granularity="block", block=block, scale_rule=rule)


_INT4, _INT8 = IntegerGrid(4, narrow=True), IntegerGrid(8, narrow=True)
_FP4, _FP8 = FloatGrid("fp4_e2m1"), FloatGrid("fp8_e4m3")
FORMATS: dict[str, Format] = {
    "MXFP4": Format(_blocks(_FP4, 32, "power_of_two"), 32, 1.5, 4, 1, 1, 6.0),
    "MXINT4": Format(_blocks(_INT4, 32, "power_of_two"), 32, 1.5, 4),
    "NVFP4": Format(_blocks(_FP4, 16, "e4m3"), 16, 1.05, 4, 1, 1, 6.0),
    "NVINT4": Format(_blocks(_INT4, 16, "e4m3"), 16, 1.05, 4),
    "MXFP8": Format(_blocks(_FP8, 32, "power_of_two"), 32, 1.5, 8, 3, 7, 448.0),
    "MXINT8": Format(_blocks(_INT8, 32, "power_of_two"), 32, 1.5, 8),
    "INT4 by channel": Format(PRESETS["int4_per_channel"], COLUMNS, 1.0, 4),
    "INT8 by channel": Format(PRESETS["int8_per_channel"], COLUMNS, 1.0, 8),
}


@cache
def _normal() -> NDArray[np.float64]:
    return np.random.default_rng(7).standard_normal((COLUMNS, COLUMNS))


def crest_factor(block: int) -> float:
    """Mean over the blocks of largest magnitude over standard deviation."""
    blocks = _normal().reshape(-1, block)
    return float(np.mean(np.abs(blocks).max(axis=1) / blocks.std(axis=1)))


def measured_db(name: str) -> float:
    """Ratio of a format on normal values."""
    return sqnr_db(_normal(), fake_quantize(_normal(), FORMATS[name].quantizer))


def measured_at_db(name: str, kappa: float) -> float:
    """The same with one value of every block set so that the block has crest factor ``kappa``.

    The other values are normal, smaller than that one, and scaled to what is left of the power, so that no block can
    have a crest factor above the square root of its length.
    """
    block = FORMATS[name].block
    rest = np.random.default_rng(11).standard_normal((2048, block - 1))
    left = (block - kappa**2) / (block - 1)
    # Scaling to the power that is left moves what was cut off; a few rounds settle.
    for _ in range(20):
        rest = np.clip(rest, -0.95 * kappa, 0.95 * kappa)
        rest *= np.sqrt(left / np.mean(rest**2, axis=1, keepdims=True))
    values = np.column_stack([np.full(len(rest), kappa), rest])
    # The same block at scales spread over an octave: powers of two waste all that they can waste.
    values *= np.exp2(np.linspace(0.0, 1.0, len(values), endpoint=False))[:, None]
    return sqnr_db(values, fake_quantize(values, FORMATS[name].quantizer))


def sine_sqnr_db(bits: int) -> float:
    """Ratio of a full-scale sine under a uniform quantiser."""
    sine = np.sin(np.linspace(0.0, 2000.0 * np.pi, 200_003))
    return sqnr_db(sine, fake_quantize(sine, Quantizer(IntegerGrid(bits, narrow=True))))


def ROWS() -> list[PaperRow]:
    """Bennett's rule, every format against its closed form, and what no one prints."""
    rows = [
        within("bennett-1948", f"full-scale sine, {bits} bits", "6.02 b + 1.76", 6.0206 * bits + 1.761,
               sine_sqnr_db(bits), "dB", 0.05, "a symmetric grid of 2^b - 1 codes")
        for bits in (4, 8, 12)
    ]  # fmt: skip
    for name, form in FORMATS.items():
        kappa = crest_factor(form.block)
        rows.append(
            within("int-vs-fp-2025", f"{name}, normal values", "theorems on QSNR, figure 3",
                   form.closed_form_db(kappa), measured_db(name), "dB", TOLERANCE,
                   f"closed form at crest factor {kappa:.2f}; the quantiser on the values themselves")
        )  # fmt: skip
    facts = "a printed ratio: LLM-FP4 gives perplexities of trained networks (searched: paper, repository)"
    power = sqnr_db(_normal(), fake_quantize(_normal(), PRESETS["power_of_two_4"]))
    rows.append(
        missing(
            "fp4-formats", "signed powers of two, 4 bits, normal values", "tables", None, "dB", facts, power
        )
    )
    return rows


def figure(rows: list[PaperRow]) -> Figure:
    """Ratio over the crest factor as in figure 3: closed forms, and quantisers on blocks of that crest factor."""
    from cosim.papers._figures_sw import curves, one_legend
    from cosim.report.style import new_figure

    result = new_figure(9.6, 4.2)
    for axes, pairs in zip(
        result.subplots(1, 3), (("MXFP8", "MXINT8"), ("MXFP4", "MXINT4"), ("NVFP4", "NVINT4")), strict=True
    ):
        block = FORMATS[pairs[0]].block
        kappas = [kappa for kappa in KAPPAS if kappa < 0.85 * sqrt(block)]
        curves(
            axes,
            kappas,
            {name: [FORMATS[name].closed_form_db(kappa) for kappa in kappas] for name in pairs},
            {name: [measured_at_db(name, kappa) for kappa in kappas] for name in pairs},
        )
        axes.set_xlabel("crest factor of a block")
        axes.set_title(f"blocks of {block}", loc="left")
        one_legend(axes, where="upper right")
    result.axes[0].set_ylabel("signal to quantisation noise [dB]")
    return result
