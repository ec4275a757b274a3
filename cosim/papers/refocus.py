"""ReFOCUS-class optics: converters, light that is used again, areas and shares of power, from component figures.

Boundary: one chip of 16 compute units, 10 GHz, 8 bits. The duty cycle of the converters is not published: shares of
power need none of it, and the power of one design follows from that of the other and its printed share.
Sources: S. Li et al., ReFOCUS, MICRO 2023, tables 1, 5, 6, sections 2.2, 4.2, 6, 7.3; Murmann, ADC performance survey;
SimPhony, arXiv 2411.13715.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from cosim.components.optics import (
    adc_pj,
    effective_bits,
    optical_buffer,
    walden_fj_per_step,
    waveguide_laser_mw,
)
from cosim.papers._evidence import ARTEFACT, PRIMARY, at
from cosim.papers._figures_hw import PUBLISHED, SIMULATED, pair_bars
from cosim.papers.row import PaperRow, Scenario, bracketed, exact, within
from cosim.report.style import PALETTE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER = "refocus-2023"
SCENARIO = Scenario(
    title="Li et al., ReFOCUS, MICRO 2023; ADC survey; SimPhony",
    machine="16 units of 256 inputs and two wavelengths; converter, laser and delay-line laws of the components",
    workload="3 x 3 kernels: 9 of 25 weight converters at work; one conversion; one waveguide",
    mapping="inputs broadcast to all units and used 2 (feedforward) or 16 times (feedback)",
    assumptions=(
        "duty cycle of the converters, the same for inputs and weights, not published",
        "the compared baseline has twice the units; how far its inputs are broadcast is not stated",
    ),
)
UNITS, INPUTS, WEIGHTS, WAVELENGTHS = 16, 256, 9, 2
DELAY_CYCLES, CYCLE_LOSS_DB, CYCLE_MM2 = 16, 6.94e-3, 0.01
DAC_MW, ADC_MW, LASER_MW = 35.71, 0.93, 0.1
# Times that an input is used once it has been converted.
USES = {"feedforward": 2, "feedback": 16}
# Reuses: relative laser power (and dynamic range) at a split of 1 / (R + 1); both at a split of a half.
TABLE_5 = {
    1: (2.05, 2.05, 2.05), 3: (2.56, 4.32, 8.64), 7: (3.05, 38.4, 153.0), 15: (3.87, 6.0e3, 4.8e4),
    31: (5.96, 3.0e8, 4.8e9), 63: (13.7, 1.5e18, 4.7e19),
}  # fmt: skip
POWER_W = {"feedforward": 14.0, "feedback": 10.8}
WEIGHT_SHARE_OF_TOTAL = {"feedforward": 0.31, "feedback": 0.42}


def input_dac_w(design: str) -> float:
    """Input converters of all units at full duty; light that is used again needs none."""
    return INPUTS * WAVELENGTHS * DAC_MW * 1e-3 / USES[design]


def weight_dac_w() -> float:
    """Weight converters of all units at full duty for 3 x 3 kernels."""
    return UNITS * WEIGHTS * WAVELENGTHS * DAC_MW * 1e-3


def adc_w(units: int = UNITS) -> float:
    """Output converters at 625 MHz, shared by the wavelengths."""
    return units * INPUTS * ADC_MW * 1e-3


def weight_share(design: str) -> float:
    """Share of the weight converters in the power of all digital-to-analog converters."""
    return weight_dac_w() / (weight_dac_w() + input_dac_w(design))


def laser_w(design: str) -> float:
    """Light of the inputs: the least of a waveguide times what the design's optical buffer costs."""
    loss_db = DELAY_CYCLES * CYCLE_LOSS_DB
    if design == "feedback":
        reuses = USES[design] - 1
        relative = optical_buffer(reuses, 1.0 / (reuses + 1), loss_db)[0]
    else:
        loss = 1.0 - 10.0 ** (-loss_db / 10.0)
        relative = 0.5 * (2.0 - loss) / (1.0 - loss)
    return INPUTS * WAVELENGTHS * LASER_MW * 1e-3 * relative


def feedback_power_w() -> float:
    """The feedback design from the feedforward one: duty cycle by its weight share, inputs and light changed."""
    duty = POWER_W["feedforward"] * WEIGHT_SHARE_OF_TOTAL["feedforward"] / weight_dac_w()
    saved = duty * (input_dac_w("feedforward") - input_dac_w("feedback"))
    return POWER_W["feedforward"] - saved + laser_w("feedback") - laser_w("feedforward")


def passes_of(rows: int, tile: int, kernel: int) -> int:
    """Passes of a one-dimensional correlator over ``rows`` x ``rows`` values, whole rows tiled on ``tile`` inputs."""
    return ceil(rows / (tile // rows - (kernel - 1)))


def ROWS() -> list[PaperRow]:
    """Converters and laser laws, the optical buffer, areas, conversions, shares of power."""
    return _converter_rows() + _buffer_rows() + _area_rows() + _power_rows()


def _agree(
    what: str, place: str, published: float, found: float, unit: str, digits: int, note: str = ""
) -> PaperRow:
    """Exact where the printed digits agree, else within 5 %."""
    where = at(place, PRIMARY)
    row = exact(PAPER, what, where, published, found, unit, note, digits)
    return row if row.status == "exact" else within(PAPER, what, where, published, found, unit, 0.05, note)


def _converter_rows() -> list[PaperRow]:
    step_fj = walden_fj_per_step(7.4, 5e9, 40.8)
    conversion_pj = adc_pj(step_fj, effective_bits(40.8))
    table_6 = at("table 6", PRIMARY)
    return [
        exact("murmann-adc", "figure of merit, 14 nm 8 bit", at("survey row", ARTEFACT), 16.5, step_fj, "fJ/step",
              digits=3),
        within(PAPER, "ADC at 625 MHz, same converter", table_6, 0.93, conversion_pj * 625e6 * 1e-9, "mW", 0.01,
               "energy of a conversion from the survey's figure of merit and 40.8 dB"),
        within(PAPER, "DAC at 10 GHz from 50 mW at 14 GS/s", table_6, DAC_MW, 50.0 * 10 / 14, "mW", 0.001,
               "scaled with the rate, as the paper does"),
        exact("simphony-2024", "laser power of a waveguide, default settings", at("configuration", ARTEFACT), 44.97,
              waveguide_laser_mw(10, -25, 10, 8, 0.2), "mW", digits=4),
    ]  # fmt: skip


def _buffer_rows() -> list[PaperRow]:
    rows = []
    loss_db = DELAY_CYCLES * CYCLE_LOSS_DB
    note = "16 cycles of delay line at 6.94e-3 dB"
    for reuses, (best, laser, spread) in TABLE_5.items():
        found = optical_buffer(reuses, 1.0 / (reuses + 1), loss_db)[0]
        what = f"laser power, light used {reuses}x again, split 1 / (R + 1)"
        rows.append(_agree(what, "table 5", best, found, "1", 3, note))
        if reuses > 1:
            half = optical_buffer(reuses, 0.5, loss_db)
            digits = 3 if reuses < 15 else 2
            rows += [
                _agree(
                    f"laser power, light used {reuses}x again, split 0.5",
                    "table 5",
                    laser,
                    half[0],
                    "1",
                    digits,
                    note,
                ),
                _agree(
                    f"dynamic range, light used {reuses}x again, split 0.5",
                    "table 5",
                    spread,
                    half[1],
                    "1",
                    digits,
                    note,
                ),
            ]
    return rows


def _area_rows() -> list[PaperRow]:
    lines = INPUTS * CYCLE_MM2
    conversions = passes_of(32, INPUTS, 3) * (INPUTS + 9)
    return [
        _agree("area of the delay lines", "section 6.1", 41.0, lines * DELAY_CYCLES, "mm2", 3, "256 of 16 cycles"),
        _agree("delay lines of 8 cycles, a set for each unit", "section 4.2.1", 327.7, lines * 8 * UNITS, "mm2", 4),
        _agree("delay lines of 8 cycles, one set for all", "section 4.2.1", 20.48, lines * 8, "mm2", 4),
        _agree("conversions of a 32 x 32 image, 3 x 3 kernel", "section 2.2", 1590.0, conversions, "1", 4,
               "6 passes of 8 rows, each of 256 inputs and 9 weights"),
    ]  # fmt: skip


def _power_rows() -> list[PaperRow]:
    note = "256 inputs, 9 weights of 16 units, two wavelengths; inputs converted once for {} uses; duty cycle cancels"
    rows = [
        _agree(f"weight converters in the power of all DACs, {design}", "section 7.3", printed, weight_share(design),
               "1", 2, note.format(USES[design]))
        for design, printed in (("feedforward", 0.53), ("feedback", 0.90))
    ]  # fmt: skip
    own_w = weight_dac_w() + input_dac_w("feedback") + adc_w()
    wide, narrow = (weight_dac_w() + sets * INPUTS * DAC_MW * 1e-3 + adc_w(2 * UNITS) for sets in (1, 2))
    published = WEIGHT_SHARE_OF_TOTAL["feedback"] * POWER_W["feedback"]
    published /= WEIGHT_SHARE_OF_TOTAL["feedforward"] * POWER_W["feedforward"]
    return [
        *rows,
        bracketed(PAPER, "converters of a baseline of equal rate over feedback", at("section 6.2", PRIMARY), 1.72,
                  wide / own_w, narrow / own_w, "1",
                  "32 correlators without reuse or shared ADCs; one set of inputs for all or for each 16, not stated"),
        _agree("power of the feedback design", "section 6.1", POWER_W["feedback"], feedback_power_w(), "W", 3,
               "from the feedforward design, 14.0 W and 31 % for weights (ResNet-34); inputs and light change"),
        within(PAPER, "weight converters' power, feedback over feedforward", at("sections 6.1 and 7.3", PRIMARY),
               published, 1.0, "1", 0.05, "0.42 * 10.8 W over 0.31 * 14.0 W in print; the same converters in both"),
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """Table 5 over the reuses, and the shares of the converters' power."""
    result = new_figure(8.6, 3.6)
    left, right = result.subplots(1, 2)
    reuses, loss_db = list(TABLE_5), DELAY_CYCLES * CYCLE_LOSS_DB
    for column, split, label, colour, marker in (
        (0, None, "split 1 / (R + 1)", PALETTE[0], "o"), (1, 0.5, "split 0.5", PALETTE[3], "s"),
    ):  # fmt: skip
        found = [optical_buffer(r, split or 1.0 / (r + 1), loss_db)[0] for r in reuses]
        left.plot(reuses, found, "-", color=colour, linewidth=1.2, label=f"{SIMULATED}, {label}")
        printed = [TABLE_5[r][column] for r in reuses]
        left.plot(reuses, printed, marker, mfc="white", mec=colour, mew=1.3, label=f"{PUBLISHED}, {label}")
    left.set_xscale("log", base=2)
    left.set_yscale("log")
    left.set_ylim(1, 1e7)
    left.set_xticks(reuses, [str(r) for r in reuses])
    left.minorticks_off()
    left.set_xlabel("times that light is used again")
    left.set_ylabel("laser power, relative")
    left.legend(frameon=False, fontsize=7)
    left.set_title("ReFOCUS, table 5")
    names = ["feedforward", "feedback"]
    pair_bars(
        right, names, [53, 90], {SIMULATED: [100 * weight_share(name) for name in names]}, "% of DAC power"
    )
    right.set_title("weight converters")
    return result
