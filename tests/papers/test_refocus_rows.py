"""ReFOCUS: the optical buffer as a chain of junctions, converters counted one by one."""

from __future__ import annotations

import pytest

from cosim.components.optics import optical_buffer
from cosim.papers import refocus


@pytest.mark.parametrize("reuses", [1, 3, 7, 15])
@pytest.mark.parametrize("split", [0.5, 0.1])
def test_buffer_is_light_that_goes_round(reuses: int, split: float) -> None:
    """Light of one loaded pulse, round by round: the last use must get what every use gets without a buffer."""
    kept, rounds = 10 ** (-0.1), reuses + 1
    seen, inside = [], 1.0
    for _ in range(rounds):
        seen.append(inside * split)
        inside *= (1 - split) * kept
    relative = (1.0 / seen[-1]) / rounds
    laser, dynamic_range = optical_buffer(reuses, split, 1.0)
    assert laser == pytest.approx(relative)
    assert dynamic_range == pytest.approx(seen[0] / seen[-1])


def test_a_junction_splits() -> None:
    with pytest.raises(ValueError, match="allowed between 0 and 1"):
        optical_buffer(3, 1.0, 0.1)


def test_best_split_is_one_over_the_uses() -> None:
    """Of all splits the least laser power is that of 1 / (R + 1)."""
    least = min((optical_buffer(7, split / 1000, 0.11)[0], split / 1000) for split in range(1, 1000))
    assert least[1] == pytest.approx(1 / 8)


def test_converters_counted() -> None:
    """16 units x 9 weights x 2 wavelengths, 256 inputs x 2 wavelengths once in 2 or 16 cycles."""
    weights, inputs = 16 * 9 * 2, 256 * 2
    assert refocus.weight_share("feedforward") == pytest.approx(weights / (weights + inputs / 2))
    assert refocus.weight_share("feedback") == pytest.approx(weights / (weights + inputs / 16))


def test_row_tiling_by_hand() -> None:
    """256 inputs hold 8 rows of 32, 6 of them valid under a kernel of 3: 6 passes."""
    assert refocus.passes_of(32, 256, 3) == 6
    assert refocus.passes_of(32, 256, 1) == 4
