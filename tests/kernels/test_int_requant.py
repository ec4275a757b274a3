"""Requantisation and I-ViT's functions: compiled = interpreted = exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.kernels.int_requant import requantise_dyadic, requantise_jacob
from cosim.kernels.int_shift import shift_exp, shift_gelu, shiftmax

INT32 = st.integers(-(2**31), 2**31 - 1)


def high_multiply(value: int, multiplier: int) -> int:
    """Nearest integer to value * multiplier / 2**31; a tie goes up for a product >= 0 and, below, also up."""
    if value == multiplier == -(2**31):
        return 2**31 - 1
    product = value * multiplier
    nudged = Fraction(product + (2**30 if product >= 0 else 1 - 2**30), 2**31)
    return floor(nudged) if nudged >= 0 else -floor(-nudged)


def rounding_shift(value: int, places: int) -> int:
    """Nearest integer to value / 2**places, ties away from zero."""
    exact = Fraction(abs(value), 2**places) + Fraction(1, 2)
    return floor(exact) if value >= 0 else -floor(exact)


@settings(max_examples=200, deadline=None)
@given(INT32, st.integers(2**30, 2**31 - 1), st.integers(0, 20), st.integers(-20, 20))
def test_jacob(value: int, multiplier: int, shift: int, zero: int) -> None:
    expected = min(max(rounding_shift(high_multiply(value, multiplier), shift) + zero, -128), 127)
    arrays = np.array([[value]]), np.array([multiplier]), np.array([shift])
    for function in (requantise_jacob, requantise_jacob.py_func):
        assert function(*arrays, zero, -128, 127).item() == expected


@pytest.mark.parametrize(
    ("value", "shift", "expected"),
    [(3, 1, 1), (-3, 1, -1), (5, 1, 2), (6, 2, 1), (-6, 2, -1), (2, 0, 1), (1, 0, 1)],
)
def test_jacob_by_hand(value: int, shift: int, expected: int) -> None:
    """A factor of 0.5 (2**30) halves with ties upward (3/2 -> 2), then the shift rounds ties away from zero."""
    halved = floor(Fraction(value, 2) + Fraction(1, 2))
    assert rounding_shift(halved, shift) == expected
    result = requantise_jacob(np.array([[value]]), np.array([2**30]), np.array([shift]), 0, -128, 127)
    assert result.item() == expected


@settings(max_examples=200, deadline=None)
@given(INT32, st.integers(1, 2**31 - 1), st.integers(1, 60))
def test_dyadic(value: int, numerator: int, places: int) -> None:
    expected = min(max(floor(Fraction(value * numerator, 2**places) + Fraction(1, 2)), -128), 127)
    arrays = np.array([[value]]), np.array([numerator]), np.array([places])
    for function in (requantise_dyadic, requantise_dyadic.py_func):
        assert function(*arrays, -128, 127).item() == expected


def exp_reference(x: int, x0: int, n: int) -> int:
    """Eqs. 1 to 3 of the kernel in rational arithmetic."""
    p = max(x + floor(Fraction(x, 2)) - floor(Fraction(x, 16)), n * x0)
    q = floor(Fraction(p, x0))
    return max(floor((Fraction(p - q * x0, 2) - x0) * Fraction(2) ** (n - q)), 0)


@settings(max_examples=200, deadline=None)
@given(st.integers(-4000, 0), st.integers(-400, -1), st.sampled_from([15, 23]))
def test_shift_exp(x: int, x0: int, n: int) -> None:
    assert shift_exp(x, x0, n) == exp_reference(x, x0, n) == shift_exp.py_func(x, x0, n)


def rows_of(seed: int, rows: int, cols: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-128, 128, (rows, cols))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 4), st.sampled_from([1, 2, 7, 33]), st.integers(-100, -1))
def test_shiftmax(seed: int, rows: int, cols: int, x0: int) -> None:
    x = rows_of(seed, rows, cols)
    expected = []
    for row in x.tolist():
        values = [exp_reference(v - max(row), x0, 15) for v in row]
        factor = (2**31 - 1) // min(sum(values), 2**31 - 1)
        expected.append([(v * factor) >> 24 for v in values])
    for function in (shiftmax, shiftmax.py_func):
        assert function(x, x0, 15, 8).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 4), st.sampled_from([1, 2, 7, 33]), st.integers(-100, -1))
def test_shift_gelu(seed: int, rows: int, cols: int, x0: int) -> None:
    x = rows_of(seed, rows, cols)
    expected = []
    for row in x.tolist():
        top = max(row)
        other = exp_reference(-top, x0, 23)
        values = [exp_reference(v - top, x0, 23) for v in row]
        factors = [(2**31 - 1) // min(v + other, 2**31 - 1) for v in values]
        expected.append([x_ * ((v * f) >> 24) for x_, v, f in zip(row, values, factors, strict=True)])
    for function in (shift_gelu, shift_gelu.py_func):
        assert function(x, x0, 23, 8).tolist() == expected


def test_shiftmax_is_close_to_softmax() -> None:
    """log2(e) as 1.0111 in binary is 0.4 % low, 2**r as a line at most 6.2 % high; 7 fractional bits remain."""
    step = 0.02
    x = np.random.default_rng(1).integers(-128, 128, (8, 16))
    real = np.exp(step * (x - x.max(axis=1, keepdims=True)))
    real /= real.sum(axis=1, keepdims=True)
    approximate = shiftmax(x, floor(-1 / step), 15, 8) / 128
    assert np.max(np.abs(approximate - real)) < 0.07 * np.max(real) + 1 / 128
