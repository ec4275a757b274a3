"""Bit-serial dot products: operands as planes of bits in 64-bit words, products as AND or XNOR and population count.

    unsigned x, unsigned w   sum over planes i, j of 2**(i+j) * popcount(x_i & w_j)              (Eq. 1)
    unsigned x, bipolar w    w in {-1, +1} stored as bits: popcount(x_i & w) - popcount(x_i & ~w)  (Eq. 2)
    bipolar x, bipolar w     K - 2 * popcount(x ^ w)                                             (Eq. 3)

Eqs. 1 and 2: Cowan et al., arXiv 1810.11066; Eq. 3: XNOR-Net, arXiv 1603.05279.
"""

import numpy as np
from numba import njit


@njit(cache=True)
def popcount64(word: int) -> int:
    """Set bits of a 64-bit word (Kernighan's loop: one step per set bit)."""
    left = np.uint64(word)
    one = np.uint64(1)
    count = 0
    while left != np.uint64(0):
        left &= left - one
        count += 1
    return count


@njit(cache=True)
def pack_planes(values: np.ndarray, bits: int) -> np.ndarray:
    """Bit planes of non-negative values: int64 (M, K) -> uint64 (bits, M, ceil(K / 64)); missing places are 0."""
    rows, depth = values.shape
    words = (depth + 63) // 64
    planes = np.zeros((bits, rows, words), dtype=np.uint64)
    for plane in range(bits):
        for m in range(rows):
            for k in range(depth):
                if (values[m, k] >> plane) & 1:
                    planes[plane, m, k // 64] |= np.uint64(1) << np.uint64(k % 64)
    return planes


@njit(cache=True)
def bitserial_dot(x_planes: np.ndarray, w_planes: np.ndarray, bipolar: bool) -> np.ndarray:
    """Dot products of packed operands.

    x_planes: uint64 (a, M, words); w_planes: uint64 (b, N, words). ``bipolar``: the single plane of w stands for
    -1 and +1 (Eq. 2); otherwise Eq. 1. Returns int64 (M, N).
    """
    x_bits, rows, words = x_planes.shape
    w_bits, cols = w_planes.shape[0], w_planes.shape[1]
    out = np.zeros((rows, cols), dtype=np.int64)
    for m in range(rows):
        for n in range(cols):
            total = 0
            for i in range(x_bits):
                for j in range(w_bits):
                    count = 0
                    for word in range(words):
                        x = x_planes[i, m, word]
                        w = w_planes[j, n, word]
                        count += popcount64(x & w)
                        if bipolar:
                            count -= popcount64(x & ~w)
                    total += count << (i + j)
            out[m, n] = total
    return out


@njit(cache=True)
def xnor_dot(x_plane: np.ndarray, w_plane: np.ndarray, depth: int) -> np.ndarray:
    """Eq. 3: uint64 (M, words), (N, words) -> int64 (M, N); ``depth`` is the number of products."""
    rows, words = x_plane.shape
    cols = w_plane.shape[0]
    out = np.zeros((rows, cols), dtype=np.int64)
    for m in range(rows):
        for n in range(cols):
            differ = 0
            for word in range(words):
                differ += popcount64(x_plane[m, word] ^ w_plane[n, word])
            out[m, n] = depth - 2 * differ
    return out
