"""Integer dot products as the instructions compute them, products of (M, K) by (N, K) operands.

    VPMADDUBSW  unsigned by signed bytes, neighbouring products added and *saturated* to 16 bits; VPMADDWD with
                ones and VPADDD then add pairs into 32 bits that wrap around
    VPDPBUSD    four products of unsigned by signed bytes added to a 32-bit sum that wraps around
    VPMADDWD    two products of signed 16-bit values added to a 32-bit sum that wraps around; with a shift of each
                pair before it is added, as INT16 dynamic fixed point does against overflow
    byte table  two-bit operands look their product up in a table of sixteen signed bytes

Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2; Das et al., "Mixed precision training of
convolutional neural networks using integer operations", ICLR 2018, arXiv 1802.00930; DeepGEMM, arXiv 2304.09049.
Operands arrive as int64 arrays whose values lie in the range of the instruction's type.
"""

import numpy as np
from numba import njit

_INT16_MAX = 32767
_INT16_MIN = -32768
_WRAP = 1 << 32
_HALF = 1 << 31


@njit(cache=True)
def _wrap32(value: int) -> int:
    """Two's-complement value of the lower 32 bits."""
    return (value + _HALF) % _WRAP - _HALF


@njit(cache=True)
def maddubs_dot(x_u8: np.ndarray, w_s8: np.ndarray) -> tuple[np.ndarray, int]:
    """VPMADDUBSW, VPMADDWD, VPADDD over the reduction.

    x_u8: int64 (M, K) in 0..255; w_s8: int64 (N, K) in -128..127. An odd last product is paired with zero.
    Returns the sums, int64 (M, N) in the range of int32, and how many pairs saturated.
    """
    rows, depth = x_u8.shape
    cols = w_s8.shape[0]
    out = np.zeros((rows, cols), dtype=np.int64)
    saturated = 0
    for m in range(rows):
        for n in range(cols):
            total = 0
            for k in range(0, depth, 2):
                pair = x_u8[m, k] * w_s8[n, k]
                if k + 1 < depth:
                    pair += x_u8[m, k + 1] * w_s8[n, k + 1]
                if pair > _INT16_MAX:
                    pair = _INT16_MAX
                    saturated += 1
                elif pair < _INT16_MIN:
                    pair = _INT16_MIN
                    saturated += 1
                total = _wrap32(total + pair)
            out[m, n] = total
    return out, saturated


@njit(cache=True)
def vnni_dot(x_u8: np.ndarray, w_s8: np.ndarray) -> np.ndarray:
    """VPDPBUSD over the reduction: exact products, 32-bit sums that wrap. int64 (M, K), (N, K) -> int64 (M, N)."""
    rows, depth = x_u8.shape
    cols = w_s8.shape[0]
    out = np.zeros((rows, cols), dtype=np.int64)
    for m in range(rows):
        for n in range(cols):
            total = 0
            for k in range(depth):
                total = _wrap32(total + x_u8[m, k] * w_s8[n, k])
            out[m, n] = total
    return out


@njit(cache=True)
def dfp16_dot(x_s16: np.ndarray, w_s16: np.ndarray, shift: int) -> np.ndarray:
    """VPMADDWD over the reduction, each pair shifted right by ``shift`` before it is added to the 32-bit sum.

    x_s16, w_s16: int64 (M, K), (N, K) in -32768..32767. The pair itself wraps as the instruction does (only
    -32768 squared twice leaves 32 bits). Returns int64 (M, N): sums in units of 2**shift products.
    """
    rows, depth = x_s16.shape
    cols = w_s16.shape[0]
    out = np.zeros((rows, cols), dtype=np.int64)
    for m in range(rows):
        for n in range(cols):
            total = 0
            for k in range(0, depth, 2):
                pair = x_s16[m, k] * w_s16[n, k]
                if k + 1 < depth:
                    pair += x_s16[m, k + 1] * w_s16[n, k + 1]
                total = _wrap32(total + (_wrap32(pair) >> shift))
            out[m, n] = total
    return out


@njit(cache=True)
def lut16_dot(x_code: np.ndarray, w_code: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Sums of table entries ``table[4 * w + x]``.

    x_code, w_code: int64 (M, K), (N, K) in 0..3; table: int64 (16,) in -128..127. Returns int64 (M, N).
    """
    rows, depth = x_code.shape
    cols = w_code.shape[0]
    out = np.zeros((rows, cols), dtype=np.int64)
    for m in range(rows):
        for n in range(cols):
            total = 0
            for k in range(depth):
                total += table[4 * w_code[n, k] + x_code[m, k]]
            out[m, n] = total
    return out


@njit(cache=True)
def shift_add_dot(x: np.ndarray, sign: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    """Products with weights sign * 2**exponent by shifting; negative exponents shift right and drop bits.

    x: int64 (M, K); sign in {-1, 0, 1} and exponent, int64 (N, K). Returns int64 (M, N).
    ShiftAddViT, arXiv 2306.06446, section 3.
    """
    rows, depth = x.shape
    cols = sign.shape[0]
    out = np.zeros((rows, cols), dtype=np.int64)
    for m in range(rows):
        for n in range(cols):
            total = 0
            for k in range(depth):
                power = exponent[n, k]
                shifted = x[m, k] << power if power >= 0 else x[m, k] >> -power
                total += sign[n, k] * shifted
            out[m, n] = total
    return out
