"""Address-level gathers of a deformable convolution: bank conflicts, a bounded line buffer, a cache.

A group is what one output position needs of one channel block: nine samples, or thirty-six with bilinear
weights. Its time on a banked buffer is that of its fullest bank (eq. 1); samples outside the rows that the buffer
holds leave it; what reaches a cache hits or misses in a set-associative memory with random replacement.

    cycles(group) = max over banks b of ceil(samples of the group in b / ports)                (eq. 1)

Pure functions on arrays; random replacement draws from a 64-bit linear congruential generator (Knuth's MMIX
constants, upper bits), so equal seeds give equal results with and without compilation.
"""

import numpy as np
from numba import njit

_MULTIPLIER = np.uint64(6364136223846793005)
_INCREMENT = np.uint64(1442695040888963407)
_SHIFT = np.uint64(33)


@njit(cache=True)
def bank_cycles(sample_rows: np.ndarray, banks: int, ports: int) -> np.ndarray:
    """Cycles of every group (eq. 1) on a buffer whose row r lies in bank r modulo ``banks``.

    sample_rows: rows of the samples, int64, shape (groups, samples), any sign. Returns int64, shape (groups,).
    """
    groups, samples = sample_rows.shape
    cycles = np.zeros(groups, dtype=np.int64)
    load = np.zeros(banks, dtype=np.int64)
    for g in range(groups):
        load[:] = 0
        most = 0
        for s in range(samples):
            bank = sample_rows[g, s] % banks
            load[bank] += 1
            if load[bank] > most:
                most = load[bank]
        cycles[g] = (most + ports - 1) // ports
    return cycles


@njit(cache=True)
def outside_window(sample_rows: np.ndarray, centre_rows: np.ndarray, above: int, below: int) -> np.ndarray:
    """Samples of every group that lie more than ``above`` rows over or ``below`` rows under the group's centre.

    sample_rows: int64, shape (groups, samples); centre_rows: int64, shape (groups,). Returns int64 (groups,).
    """
    groups, samples = sample_rows.shape
    missed = np.zeros(groups, dtype=np.int64)
    for g in range(groups):
        low, high = centre_rows[g] - above, centre_rows[g] + below
        for s in range(samples):
            row = sample_rows[g, s]
            if row < low or row > high:
                missed[g] += 1
    return missed


@njit(cache=True)
def cache_misses(lines: np.ndarray, sets: int, ways: int, seed: int) -> int:
    """Misses of a stream of line numbers in a set-associative cache with random replacement.

    lines: int64, at least 0, in order of access. An empty way is filled before another one is replaced.
    """
    tags = np.full((sets, ways), -1, dtype=np.int64)
    state = np.uint64(seed)
    misses = 0
    for i in range(lines.shape[0]):
        line = lines[i]
        row = line % sets
        found = False
        empty = -1
        for way in range(ways):
            if tags[row, way] == line:
                found = True
                break
            if tags[row, way] == -1 and empty < 0:
                empty = way
        if found:
            continue
        misses += 1
        if empty >= 0:
            tags[row, empty] = line
        else:
            state = state * _MULTIPLIER + _INCREMENT
            tags[row, np.int64((state >> _SHIFT) % np.uint64(ways))] = line
    return misses
