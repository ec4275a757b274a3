"""Counts of 2-bit cell patterns, and of transitions between them, in stored words.

A cell is a pair of neighbouring bits (2k+1, 2k) of a word; its pattern is the pair read as a number, 0 (00) to 3 (11).
Words are read as 64-bit lanes, since every word length divides a lane and a pair never crosses a word's edge: the
loops then vectorise for any word length.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

TILE = 2048  # lanes that stay in the first-level cache over the eight passes; below 65536, so no 16-bit field overflows


@njit(cache=True)
def pair_sums(lanes: npt.NDArray[np.uint64], counts: npt.NDArray[np.int64]) -> None:
    """Add to ``counts`` [32, 3], for each bit pair of a lane (pair 0 lowest), how often its low bit, its high bit and
    both are set. Each field of a 16-bit group is summed beside its three neighbours in one 64-bit register."""
    ones = np.uint64(0x0001000100010001)
    for start in range(0, lanes.size, TILE):
        tile = lanes[start : start + TILE]
        for pair in range(8):
            shift = np.uint64(2 * pair)
            low, high, both = np.uint64(0), np.uint64(0), np.uint64(0)
            for i in range(tile.size):
                bits = tile[i] >> shift
                low += bits & ones
                high += (bits >> np.uint64(1)) & ones
                both += bits & (bits >> np.uint64(1)) & ones
            for group in range(4):
                at = 8 * group + pair
                down = np.uint64(16 * group)
                counts[at, 0] += np.int64((low >> down) & np.uint64(0xFFFF))
                counts[at, 1] += np.int64((high >> down) & np.uint64(0xFFFF))
                counts[at, 2] += np.int64((both >> down) & np.uint64(0xFFFF))


@njit(cache=True)
def count_ones(value: np.uint64) -> np.uint64:
    """Number of set bits (the tree of partial sums in Knuth, TAOCP 4A, section 7.1.3)."""
    value = np.uint64(value - ((value >> np.uint64(1)) & np.uint64(0x5555555555555555)))
    pairs = np.uint64(0x3333333333333333)
    value = np.uint64((value & pairs) + ((value >> np.uint64(2)) & pairs))
    value = np.uint64((value + (value >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F))
    return np.uint64((value * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True)
def pair_transitions(old: npt.NDArray[np.uint64], new: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """``counts`` [4, 4]: how many cells go from pattern (row) in ``old`` to pattern (column) in ``new``."""
    counts = np.zeros((4, 4), np.int64)
    cells = np.uint64(0x5555555555555555)
    for start in range(0, old.size, TILE):
        before = old[start : start + TILE]
        after = new[start : start + TILE]
        for source in range(4):
            high_from = np.uint64(0) if source & 2 else cells
            low_from = np.uint64(0) if source & 1 else cells
            for target in range(4):
                high_to = np.uint64(0) if target & 2 else cells
                low_to = np.uint64(0) if target & 1 else cells
                total = np.uint64(0)
                for i in range(before.size):
                    hit = (before[i] ^ low_from) & ((before[i] >> np.uint64(1)) ^ high_from)
                    hit &= (after[i] ^ low_to) & ((after[i] >> np.uint64(1)) ^ high_to)
                    total += count_ones(np.uint64(hit & cells))
                counts[source, target] += np.int64(total)
    return counts
