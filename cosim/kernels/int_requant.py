"""Requantisation without floating point: a 32-bit sum times a positive real factor, rounded, clamped.

Jacob et al. ("Quantization and training of neural networks for efficient integer-arithmetic-only inference", CVPR
2018, arXiv 1712.05877, section 2.2) write the factor as 2**-n * m0 with m0 in [0.5, 1) as a 31-bit fixed-point
number; the product is a saturating rounding doubling high multiply (Eq. 1), then a rounding shift (Eq. 2):

    high(a, m) = (2 * a * m + 2**31) >> 32, saturated for a = m = -2**31                        (Eq. 1)
    shift(a, n) = a / 2**n rounded to nearest, ties away from zero                              (Eq. 2)

HAWQ-V3 (arXiv 2011.10680, section 3.2) uses a dyadic factor b / 2**c and one rounding:

    (a * b + 2**(c - 1)) >> c                                                                   (Eq. 3)

Arrays are int64 and hold values in the range of int32.
"""

import numpy as np
from numba import njit

_INT32_MAX = 2147483647
_INT32_MIN = -2147483648


@njit(cache=True)
def _doubling_high(value: int, multiplier: int) -> int:
    """Eq. 1: rounds to nearest, ties towards plus infinity for products >= 0 and away from zero below."""
    if value == _INT32_MIN and multiplier == _INT32_MIN:
        return _INT32_MAX
    product = value * multiplier
    nudge = (1 << 30) if product >= 0 else 1 - (1 << 30)
    total = product + nudge
    # The division truncates towards zero.
    return total >> 31 if total >= 0 else -((-total) >> 31)


@njit(cache=True)
def _rounding_shift(value: int, places: int) -> int:
    """Eq. 2."""
    mask = (1 << places) - 1
    threshold = (mask >> 1) + (1 if value < 0 else 0)
    return (value >> places) + (1 if (value & mask) > threshold else 0)


@njit(cache=True)
def requantise_jacob(
    sums: np.ndarray, multiplier: np.ndarray, shift: np.ndarray, zero_point: int, low: int, high: int
) -> np.ndarray:
    """Eqs. 1 and 2 per output channel, zero point added, clamped to low..high.

    sums: int64 (M, N); multiplier (2**30 .. 2**31 - 1) and shift (>= 0): int64 (N,). Returns int64 (M, N).
    """
    rows, cols = sums.shape
    out = np.zeros((rows, cols), dtype=np.int64)
    for m in range(rows):
        for n in range(cols):
            value = _rounding_shift(_doubling_high(sums[m, n], multiplier[n]), shift[n]) + zero_point
            out[m, n] = min(max(value, low), high)
    return out


@njit(cache=True)
def requantise_dyadic(
    sums: np.ndarray, numerator: np.ndarray, places: np.ndarray, low: int, high: int
) -> np.ndarray:
    """Eq. 3 per output channel, clamped to low..high.

    sums: int64 (M, N); numerator (below 2**31) and places (>= 1): int64 (N,). Returns int64 (M, N).
    """
    rows, cols = sums.shape
    out = np.zeros((rows, cols), dtype=np.int64)
    for m in range(rows):
        for n in range(cols):
            value = (sums[m, n] * numerator[n] + (1 << (places[n] - 1))) >> places[n]
            out[m, n] = min(max(value, low), high)
    return out
