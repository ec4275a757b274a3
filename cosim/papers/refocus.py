"""Converter and laser figures behind ReFOCUS-class optics: survey rows and published laws, recomputed.

Source: S. Li et al., ReFOCUS, MICRO 2023, table 6; Murmann, ADC performance survey; SimPhony, arXiv 2411.13715.
"""

from __future__ import annotations

from cosim.components.optics import adc_pj, effective_bits, walden_fj_per_step, waveguide_laser_mw
from cosim.papers.row import PaperRow, Scenario, exact, missing, within

SCENARIO = Scenario(
    title="Li et al., ReFOCUS, MICRO 2023; ADC survey; SimPhony",
    machine="converter and laser laws of the 4f machine's components",
    workload="one conversion; one waveguide",
    mapping="none",
)


def ROWS() -> list[PaperRow]:
    """Figures of merit, energies of a conversion, laser power; the system's power lacks its activity."""
    step_fj = walden_fj_per_step(7.4, 5e9, 40.8)
    conversion_pj = adc_pj(step_fj, effective_bits(40.8))
    return [
        exact("murmann-adc", "figure of merit, 14 nm 8 bit", "survey row", 16.5, step_fj, "fJ/step", digits=3),
        exact("murmann-adc", "energy of a conversion", "7.4 mW at 5 GS/s", 1.48, conversion_pj, "pJ", digits=3),
        within("refocus-2023", "ADC at 625 MHz, same converter", "table 6", 1.488, conversion_pj, "pJ", 0.01),
        within("refocus-2023", "DAC at 10 GHz from 14 GS/s", "table 6", 35.71, 50.0 * 10 / 14, "mW", 0.001),
        exact("simphony-2024", "laser power of a waveguide, default settings", "configuration", 44.97,
              waveguide_laser_mw(10, -25, 10, 8, 0.2), "mW", digits=4),
        missing("refocus-2023", "power of the feedback design", "table of results", 10.8, "W",
                "converters driven per cycle and share of idle waveguides for each network"),
    ]  # fmt: skip
