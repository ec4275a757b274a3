"""FPGA power: the anchors come back, and a design scales with slices and clock."""

from __future__ import annotations

import pytest

from cosim.components.fpga_power import HIGH_ANCHOR, LOW_ANCHOR, dynamic_w, total_w
from cosim.components.fpga_resources import Range


def test_anchors_by_hand() -> None:
    """0.98 W / (548 * 300 MHz) = 5.96 pJ; 2.63 W / (360 * 172.22 MHz) = 42.4 pJ."""
    assert LOW_ANCHOR.pj_per_dsp_cycle == pytest.approx(5.961, abs=0.001)
    assert HIGH_ANCHOR.pj_per_dsp_cycle == pytest.approx(42.42, abs=0.01)


@pytest.mark.parametrize("anchor", [LOW_ANCHOR, HIGH_ANCHOR])
def test_each_anchor_lies_in_its_own_range(anchor: object) -> None:
    used = dynamic_w(Range(anchor.dsps, anchor.dsps), anchor.clock_hz)  # type: ignore[attr-defined]
    assert used.low <= anchor.watts * (1 + 1e-12)  # type: ignore[attr-defined]
    assert used.high >= anchor.watts * (1 - 1e-12)  # type: ignore[attr-defined]


def test_power_is_proportional_and_adds() -> None:
    once, twice = dynamic_w(Range(100, 200), 1e8), dynamic_w(Range(100, 200), 2e8)
    assert twice.low == pytest.approx(2 * once.low)
    assert total_w(Range(0.3, 0.6), Range(100, 200), 1e8).high == pytest.approx(0.6 + once.high)
    with pytest.raises(ValueError, match="allowed above 0"):
        dynamic_w(Range(1, 1), 0.0)
