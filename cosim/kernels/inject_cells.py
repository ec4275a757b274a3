"""State errors of multi-level memory cells by geometric skipping and thinning.

A cell holds b bits of a word (b = 1, 2 or 4) and is in one of L = 2^b states, named by those bits read as a number.
``confusion[s, t]`` is the probability that a cell written as s is found as t. Cells are visited at the largest row
error probability; a visited cell in state s errs with probability (row error of s) / (largest row error), and the same
draw picks the state it is found in. Both steps are exact (thinning: Lewis and Shedler, Naval Research Logistics
26(3), 1979, doi 10.1002/nav.3800260304), so nothing is lost at low rates and nothing is visited in a tensor without
an error.

The random streams, block rule and gap sampler are those of the bit kernels; they are repeated here because a cached
kernel does not notice edits in another file. A test holds the two copies together.
"""

import math

import numpy as np
import numpy.typing as npt
from numba import njit

BATCH = 128  # gaps drawn together, so that the logarithm vectorises
ERRORS_PER_BLOCK = 1024.0
SLOT_BUFFER = 4096  # twice the most that a block is expected to hold
LONGEST_BLOCK_SLOTS = 1 << 62
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
ACCEPT_SALT = np.uint64(0xD1B54A32D192ED03)
LN2 = math.log(2.0)


@njit(cache=True)
def mix64(z: np.uint64) -> np.uint64:
    """Finaliser of SplitMix64: a bijection of 64-bit words, used as a counter-based generator."""
    z = np.uint64((z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9))
    z = np.uint64((z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB))
    return z ^ (z >> np.uint64(31))


@njit(cache=True)
def slot_uniform(key: np.uint64, slot: int) -> float:
    """Uniform in [0, 1) that belongs to one slot, whatever was drawn before it."""
    word = mix64(np.uint64(mix64(key ^ ACCEPT_SALT) + np.uint64(slot) * GOLDEN))
    return float(word >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True, error_model="numpy")
def fill_gaps(
    state: np.uint64, scale: float, work: npt.NDArray[np.float64], gaps: npt.NDArray[np.float64]
) -> None:
    """Put the next ``gaps.size`` draws of ln(U) * scale into ``gaps`` (not floored); ``work`` is scratch.

    The logarithm is written out (argument reduction to [sqrt(1/2), sqrt(2)), odd series in (m-1)/(m+1); Tang, ACM
    TOMS 16(4), 1990, doi 10.1145/98267.98294) because the library call does not vectorise: 2 ns instead of 7 ns a
    draw at equal accuracy (relative error below 4e-16, also next to U = 1, which sets the longest gaps).
    """
    size = gaps.size
    for i in range(size):
        word = mix64(np.uint64(state + np.uint64(i) * GOLDEN))
        work[i] = np.float64(np.int64(word >> np.uint64(11))) + 1.0
    raw = work.view(np.uint64)
    for i in range(size):
        reduced = raw[i] - np.uint64(0x3FE6A09E667F3BCD)
        raw[i] = (reduced & np.uint64(0x000FFFFFFFFFFFFF)) + np.uint64(0x3FE6A09E667F3BCD)
        gaps[i] = np.float64(np.int64(reduced) >> np.int64(52)) - 53.0
    for i in range(size):
        ratio = (work[i] - 1.0) / (work[i] + 1.0)
        square = ratio * ratio
        series = 1.531383769920937332e-01 + square * 1.479819860511658591e-01
        series = 1.818357216161805012e-01 + square * series
        series = 2.222219843214978396e-01 + square * series
        series = 2.857142874366239149e-01 + square * series
        series = 3.999999999940941908e-01 + square * series
        series = 6.666666666666735130e-01 + square * series
        gaps[i] = (gaps[i] * LN2 + ratio * (2.0 + square * series)) * scale


@njit(cache=True)
def block_slots(rate: float) -> int:
    """Length of a block in slots: the power of two that holds at least 1024 expected errors, at most 2^62."""
    length = 1024
    while length < LONGEST_BLOCK_SLOTS and float(length) * rate < ERRORS_PER_BLOCK:
        length *= 2
    return length


@njit(cache=True)
def block_candidates(
    scale: float,
    key: np.uint64,
    block: int,
    length: int,
    last_slot: int,
    work: npt.NDArray[np.float64],
    gaps: npt.NDArray[np.float64],
    slots: npt.NDArray[np.int64],
) -> int:
    """Put all failing slots of one block below ``last_slot`` into ``slots``; -1 if they do not fit there.

    The caller then repeats the call with a larger buffer: the draws are the same. (Growing it here would put
    reference counting into the inner loop: ten times slower.)
    """
    state = mix64(np.uint64(key + np.uint64(block) * GOLDEN))
    slot = block * length
    end = min(slot + length, last_slot)
    drawn = gaps.size
    count = 0
    while slot < end:
        if drawn == gaps.size:
            fill_gaps(state, scale, work, gaps)
            state = np.uint64(state + np.uint64(gaps.size) * GOLDEN)
            drawn = 0
        gap = gaps[drawn]
        drawn += 1
        if gap >= end - slot:  # compared as floats: a gap may exceed every integer type
            break
        slot += int(gap)
        if count == slots.size:
            return -1
        slots[count] = slot
        count += 1
        slot += 1
    return count


@njit(cache=True)
def accumulate_rows(confusion: npt.NDArray[np.float64], cumulative: npt.NDArray[np.float64]) -> float:
    """Running sums of each row without its diagonal, into ``cumulative``; returns the largest row total."""
    rate = 0.0
    for s in range(confusion.shape[0]):
        total = 0.0
        for t in range(confusion.shape[0]):
            if t != s:
                total += confusion[s, t]
            cumulative[s, t] = total
        rate = max(rate, total)
    return min(rate, 1.0)  # a row of probabilities may sum to 1 + 1e-16


@njit(cache=True)
def confuse_cells(
    words: npt.NDArray[np.unsignedinteger],
    shifts: npt.NDArray[np.int64],
    confusion: npt.NDArray[np.float64],
    key: np.uint64,
    first_word: int,
) -> int:
    """Move cells of ``words`` to the state they are found in, in place; return how many cells changed.

    ``shifts`` [slots a word]: right shift that brings a cell to the low bits, in slot order; its length is a power of
    two, filled up with -1 (a slot without a cell). Cells left out of it are never touched. ``confusion`` [L, L]: row =
    stored state, column = found state, diagonal ignored. ``first_word`` is the index of words[0] within its tensor.
    """
    states = confusion.shape[0]
    cumulative = np.zeros((states, states), np.float64)
    rate = accumulate_rows(confusion, cumulative)
    log2 = 0
    while (1 << log2) < shifts.size:
        log2 += 1
    inside = (1 << log2) - 1
    first_slot = first_word << log2
    last_slot = first_slot + (words.size << log2)
    if rate <= 0.0 or last_slot <= first_slot:
        return 0
    length = block_slots(rate)
    scale = 1.0 / math.log1p(-rate) if rate < 1.0 else -0.0
    low = words.dtype.type(states - 1)
    work, gaps, slots = np.empty(BATCH), np.empty(BATCH), np.empty(SLOT_BUFFER, np.int64)
    changed = 0
    for block in range(first_slot // length, (last_slot - 1) // length + 1):
        count = block_candidates(scale, key, block, length, last_slot, work, gaps, slots)
        while count < 0:
            slots = np.empty(2 * slots.size, np.int64)
            count = block_candidates(scale, key, block, length, last_slot, work, gaps, slots)
        first = 0
        while first < count and slots[first] < first_slot:
            first += 1
        touched = 0  # loads alone, so that many cache misses overlap; kept alive by the store below
        for i in range(first, count):
            touched += words[np.uint64((slots[i] >> log2) - first_word)]
        work[0] = touched
        for i in range(first, count):
            place = np.uint64((slots[i] >> log2) - first_word)
            shift = max(shifts[slots[i] & inside], 0)
            state = int((words[place] >> words.dtype.type(shift)) & low)
            draw = slot_uniform(key, slots[i]) * rate
            found = 0  # counted without a branch, whose outcome would be random
            for t in range(states):
                found += int(draw >= cumulative[state, t])
            hit = int(found < states) * int(shifts[slots[i] & inside] >= 0)
            words[place] ^= words.dtype.type(((state ^ found) * hit) << shift)
            changed += hit
    return changed
