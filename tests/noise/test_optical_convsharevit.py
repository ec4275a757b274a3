"""The open speed-up of ConvShareViT: its scenarios and the GPU time at which it would hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cosim.papers.convsharevit import SCENARIOS, needed_gpu_s

# GPU time of an image at which 3.04 holds: us with electronic attention, ms with optical attention.
NEEDED = {
    "precursor, 0.5 us, signs left out": (1.12, 14.1),
    "precursor, 0.5 us": (2.24, 28.2),
    "precursor, 2 us": (8.95, 113),
    "65 tokens, full kernel, 2 us": (4.57, 50.6),
    "ViT-B of 197 tokens, 2 us": (118.6, 690),
}


@pytest.mark.parametrize("name", NEEDED)
def test_the_bracket_of_the_open_speed_up(name: str) -> None:
    case = SCENARIOS[name]
    electronic_us, optical_ms = NEEDED[name]
    assert needed_gpu_s(case) * 1e6 == pytest.approx(electronic_us, rel=5e-3)
    assert needed_gpu_s(replace(case, optical_attention=True)) * 1e3 == pytest.approx(optical_ms, rel=5e-3)
    assert case.speedup is None
    timed = replace(case, gpu_s=needed_gpu_s(case))
    assert timed.speedup == pytest.approx(3.04)


def test_counts_behind_the_first_scenario() -> None:
    case = SCENARIOS["precursor, 0.5 us, signs left out"]
    assert (case.tiles, case.images, case.shared_frames) == (23_716, 163, 120)
    with pytest.raises(ValueError, match="holds an image"):
        replace(case, side=100)
