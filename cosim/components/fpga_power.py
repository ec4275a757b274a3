"""Power of an FPGA design as static plus dynamic, as a range between measured anchors.

    P = P_static(device) + sum over resources of used * f * energy per cycle                  (eq. 1)

The energies per resource and cycle are in the vendor's spreadsheet and in no open document, so they are not
invented here: dynamic power is taken as one figure for each DSP slice in use, with all the logic, memory and
routing around it (eq. 2), between two measurements that bracket it:

    P_dynamic = dsps * f * E_dsp,   E_dsp from 6 pJ (KV260: +0.98 W at the 12 V input from idle to loaded, 548
                slices at 300 MHz) to 42 pJ (CNNA16: 2.63 W altogether, 360 slices at 172 MHz)  (eq. 2)

The lower anchor contains idle cycles of the engine, the upper one static power and possibly the processor: the
truth of a design lies between. Sources: power guide of the KV260 (simfero.eu); Bjerge et al., arXiv 2004.13075.
"""

from __future__ import annotations

from dataclasses import dataclass

from cosim.components.fpga_resources import Range


@dataclass(frozen=True)
class Anchor:
    """A measured power and the design that drew it."""

    name: str
    watts: float
    dsps: int
    clock_hz: float
    boundary: str

    @property
    def pj_per_dsp_cycle(self) -> float:
        """The power over slices and clock."""
        return self.watts / (self.dsps * self.clock_hz) * 1e12


LOW_ANCHOR = Anchor(
    "DPU B3136 on a KV260", 0.98, 548, 300e6, "difference of loaded and idle at the 12 V input"
)
HIGH_ANCHOR = Anchor(
    "CNNA16 on an Ultra96", 2.63, 360, 172.22e6, "average power as printed; rails not stated"
)


def dynamic_w(dsps: Range, clock_hz: float) -> Range:
    """Dynamic power of a design (eq. 2); raises ``ValueError`` for a clock that is not positive."""
    if clock_hz <= 0:
        raise ValueError(f"found a clock of {clock_hz} Hz, allowed above 0")
    low = dsps.low * clock_hz * LOW_ANCHOR.pj_per_dsp_cycle * 1e-12
    return Range(low, dsps.high * clock_hz * HIGH_ANCHOR.pj_per_dsp_cycle * 1e-12)


def total_w(static_w: Range, dsps: Range, clock_hz: float) -> Range:
    """Static plus dynamic (eq. 1); the static power is the caller's, with its source."""
    return static_w + dynamic_w(dsps, clock_hz)
