"""Q2.14: rounding and saturation by hand, against integers, and its error on a layer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.components.fpga_fixed_point import Q2_14, Q4_28, FixedPoint, fixed_point_layer, layer_scale


def test_format_by_hand() -> None:
    assert Q2_14.step == 1 / 16384
    assert Q2_14.limits == (-2.0, 2.0 - 1 / 16384)
    assert Q2_14.quantise([1.5 / 16384, -1.5 / 16384, 3.0, -3.0]).tolist() == [
        2 / 16384,
        -1 / 16384,
        Q2_14.limits[1],
        -2.0,
    ]


@given(st.integers(2, 24), st.data(), st.floats(-20, 20))
def test_equals_integer_rounding(word: int, data: st.DataObject, value: float) -> None:
    number = FixedPoint(word, data.draw(st.integers(1, word)))
    scaled = math.floor(value * 2 ** (word - number.int_bits) + 0.5)
    held = min(max(scaled, -(2 ** (word - 1))), 2 ** (word - 1) - 1)
    assert number.quantise(value) == held * number.step


@given(st.floats(-1.99, 1.99))
def test_error_is_at_most_half_a_step(value: float) -> None:
    assert abs(float(Q2_14.quantise(value)) - value) <= Q2_14.step / 2


def test_layer_error_is_small_with_the_range_used_and_large_with_the_drivers_span() -> None:
    random = np.random.default_rng(0)
    x, w = random.uniform(0, 0.5, (20, 60)), random.normal(0, 0.05, (60, 8))
    exact = np.maximum(x @ w, 0)
    assert np.max(np.abs(fixed_point_layer(x, w) - exact)) < 2e-3
    assert np.max(np.abs(fixed_point_layer(x, w, span=4.0) - exact)) > 0.02


def test_sums_saturate_like_an_accumulator() -> None:
    """Three products of 1.99 * 1.99 leave Q4.28 at 8 - step; two of the opposite sign bring it back from there."""
    x = np.array([[1.9, 1.9, 1.9, 1.9, 1.9]])
    w = np.array([[2.0], [2.0], [2.0], [-1.0], [-1.0]])
    top = Q2_14.quantise(2.0)
    product = Q4_28.quantise(Q2_14.quantise(1.9) * top)
    total = min(float(3 * product), Q4_28.limits[1]) - 2 * float(Q4_28.quantise(Q2_14.quantise(1.9)))
    assert fixed_point_layer(x, w)[0, 0] == Q2_14.quantise(total)


def test_impossible_formats_and_layers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"allowed 1 <= int"):
        FixedPoint(16, 0)
    with pytest.raises(ValueError, match="positive weight"):
        layer_scale([-1.0, 0.0])
