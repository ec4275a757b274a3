"""Bit errors in stored words by geometric skipping, from counter-based random streams.

A *slot* is one stored bit that may fail: ``positions_per_word`` slots a word, in word order. With a rate p the
distance to the next failing slot is geometric, so only failing slots are visited:

    gap = floor(ln U / ln(1 - p)),  U uniform in (0, 1]                                   (1)

(inversion, Devroye, Non-Uniform Random Variate Generation, 1986, section X.2). Rates that depend on the stored
value are thinned: walk at the larger rate, keep a candidate with probability rate / larger rate. Both steps are exact.

The tensor is cut into blocks of about 1024 expected errors. A block's stream depends on (key, block index) only, and
the acceptance draw on (key, slot) only, so a range of the tensor sees the same errors whether it is processed alone
or with its neighbours, in any order; and because the block length grows as 1/p, a tensor without an error costs one
batch of draws whatever its size.

Random words are SplitMix64 outputs (Steele, Lea, Flood, OOPSLA 2014, doi 10.1145/2660193.2660195).
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
def first_candidate(rate: float, key: np.uint64, first_slot: int, last_slot: int) -> int:
    """First failing slot in [first_slot, last_slot), or -1. Does not look at the data."""
    if rate <= 0.0 or last_slot <= first_slot:
        return -1
    length = block_slots(rate)
    scale = 1.0 / math.log1p(-rate) if rate < 1.0 else -0.0
    work, gaps, slots = np.empty(BATCH), np.empty(BATCH), np.empty(SLOT_BUFFER, np.int64)
    for block in range(first_slot // length, (last_slot - 1) // length + 1):
        count = block_candidates(scale, key, block, length, last_slot, work, gaps, slots)
        while count < 0:
            slots = np.empty(2 * slots.size, np.int64)
            count = block_candidates(scale, key, block, length, last_slot, work, gaps, slots)
        for i in range(count):
            if slots[i] >= first_slot:
                return slots[i]
    return -1


@njit(cache=True)
def list_candidates(rate: float, key: np.uint64, first_slot: int, last_slot: int) -> npt.NDArray[np.int64]:
    """The failing slots in [first_slot, last_slot), ascending."""
    found = np.empty(16, np.int64)
    total = 0
    if rate <= 0.0 or last_slot <= first_slot:
        return found[:0]
    length = block_slots(rate)
    scale = 1.0 / math.log1p(-rate) if rate < 1.0 else -0.0
    work, gaps, slots = np.empty(BATCH), np.empty(BATCH), np.empty(SLOT_BUFFER, np.int64)
    for block in range(first_slot // length, (last_slot - 1) // length + 1):
        count = block_candidates(scale, key, block, length, last_slot, work, gaps, slots)
        while count < 0:
            slots = np.empty(2 * slots.size, np.int64)
            count = block_candidates(scale, key, block, length, last_slot, work, gaps, slots)
        if total + count > found.size:
            grown = np.empty(2 * (total + count), np.int64)
            grown[:total] = found[:total]
            found = grown
        for i in range(count):
            if slots[i] >= first_slot:
                found[total] = slots[i]
                total += 1
    return found[:total].copy()


@njit(cache=True)
def flip_bits(
    words: npt.NDArray[np.unsignedinteger],
    masks: npt.NDArray[np.unsignedinteger],
    rate_zero_to_one: float,
    rate_one_to_zero: float,
    key: np.uint64,
    first_word: int,
) -> int:
    """Flip stored bits in place and return how many were flipped.

    ``words`` and ``masks`` share one unsigned type. ``masks`` has one bit set an entry and names the bits of a word
    that may fail, in the order of their slots; its length is a power of two (a division would cost more than the
    rest), filled up with zero masks, which are never counted. A bit that holds 0 fails with ``rate_zero_to_one``,
    one that holds 1 with ``rate_one_to_zero``. ``first_word`` is the index of words[0] within its tensor.
    """
    rate = max(rate_zero_to_one, rate_one_to_zero)
    log2 = 0
    while (1 << log2) < masks.size:
        log2 += 1
    inside = (1 << log2) - 1
    first_slot = first_word << log2
    last_slot = first_slot + (words.size << log2)
    if rate <= 0.0 or last_slot <= first_slot:
        return 0
    length = block_slots(rate)
    scale = 1.0 / math.log1p(-rate) if rate < 1.0 else -0.0
    work, gaps, slots = np.empty(BATCH), np.empty(BATCH), np.empty(SLOT_BUFFER, np.int64)
    flips = 0
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
        if rate_zero_to_one == rate_one_to_zero:
            for i in range(first, count):
                mask = masks[slots[i] & inside]
                words[np.uint64((slots[i] >> log2) - first_word)] ^= mask
                flips += int(mask != 0)
        else:  # thinned without a branch: its outcome is random, a misprediction costs more than the draw
            for i in range(first, count):
                place = np.uint64((slots[i] >> log2) - first_word)
                mask = masks[slots[i] & inside]
                limit = rate_one_to_zero if words[place] & mask else rate_zero_to_one
                mask *= words.dtype.type(slot_uniform(key, slots[i]) * rate < limit)
                words[place] ^= mask
                flips += int(mask != 0)
    return flips


@njit(cache=True)
def stick_bits(
    words: npt.NDArray[np.unsignedinteger],
    masks: npt.NDArray[np.unsignedinteger],
    rate: float,
    share_of_ones: float,
    key: np.uint64,
    first_word: int,
) -> int:
    """Force the stuck bits of ``words`` in place; return how many of them held the other value.

    Each bit named in ``masks`` (as in ``flip_bits``) is stuck with probability ``rate``, at 1 with probability
    ``share_of_ones``. Which bits, and at what, depends on ``key`` alone, so every tensor that is stored there meets
    the same map.
    """
    per_word = masks.size
    first_slot = first_word * per_word
    slots = list_candidates(rate, key, first_slot, first_slot + words.size * per_word)
    changed = 0
    for i in range(slots.size):
        word = slots[i] // per_word
        mask = masks[slots[i] - word * per_word]
        word -= first_word
        stuck_at_one = slot_uniform(key, slots[i]) < share_of_ones
        if mask != 0 and stuck_at_one != ((words[word] & mask) != 0):
            words[word] ^= mask
            changed += 1
    return changed
