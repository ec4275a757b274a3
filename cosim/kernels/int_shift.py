"""I-ViT's integer exponential, softmax and GELU: shifts, additions and one integer division per row.

With the input x in steps of S and x0 = floor(-1 / S), the exponential of x <= 0 is built from

    p = x + (x >> 1) - (x >> 4)            about x * log2(e), 1.0111 in binary                  (Eq. 1)
    q = floor(p / x0), r = p - q * x0       integer and fractional part of the exponent          (Eq. 2)
    exp = floor((r / 2 - x0) * 2**(n - q))  in steps of S / 2**n; p is bounded below at n * x0   (Eq. 3)

Shiftmax divides by the row sum with a 31-bit reciprocal (Eq. 4) and keeps ``bits`` bits; ShiftGELU is
x * sigmoid(1.702 x) with the sigmoid as exp(x - max) / (exp(x - max) + exp(-max)).

    out = (exp * floor((2**31 - 1) / sum)) >> (31 - bits + 1), in steps of 2**-(bits - 1)        (Eq. 4)

Li and Gu, "I-ViT: integer-only quantization for efficient vision transformer inference", ICCV 2023,
arXiv 2207.01405, section 3; the constants n = 15 (softmax) and n = 23 (GELU) are those of its implementation.
"""

import numpy as np
from numba import njit

_INT32_MAX = 2147483647


@njit(cache=True)
def shift_exp(x: int, x0: int, n: int) -> int:
    """Eqs. 1 to 3 for one value and x0 < 0; values beyond 31 bits come back as 2**31 - 1 where x is positive."""
    p = x + (x >> 1) - (x >> 4)
    if p < n * x0:
        p = n * x0
    q = p // x0
    r = p - q * x0
    places = n - q
    if x > 0 and places >= 32:
        return _INT32_MAX
    return max(((r - 2 * x0) << places) >> 1, 0)


@njit(cache=True)
def shiftmax(x: np.ndarray, x0: int, n: int, bits: int) -> np.ndarray:
    """Softmax over the last axis: int64 (rows, cols) -> int64 (rows, cols) in steps of 2**-(bits - 1)."""
    rows, cols = x.shape
    out = np.zeros((rows, cols), dtype=np.int64)
    for row in range(rows):
        top = x[row].max()
        total = 0
        for col in range(cols):
            value = shift_exp(x[row, col] - top, x0, n)
            out[row, col] = value
            total += value
        factor = _INT32_MAX // min(total, _INT32_MAX)
        for col in range(cols):
            out[row, col] = (out[row, col] * factor) >> (31 - bits + 1)
    return out


@njit(cache=True)
def shift_gelu(x: np.ndarray, x0: int, n: int, bits: int) -> np.ndarray:
    """GELU: int64 (rows, cols) -> int64 in steps of the input's step times 2**-(bits - 1).

    ``x0`` is floor(-1 / (1.702 * step)). The largest value of a row is subtracted before the exponential.
    """
    rows, cols = x.shape
    out = np.zeros((rows, cols), dtype=np.int64)
    for row in range(rows):
        top = x[row].max()
        other = shift_exp(-top, x0, n)
        for col in range(cols):
            value = shift_exp(x[row, col] - top, x0, n)
            factor = _INT32_MAX // max(min(value + other, _INT32_MAX), 1)
            sigmoid = (value * factor) >> (31 - bits + 1)
            out[row, col] = x[row, col] * sigmoid
    return out
