"""Geometric skipping: words against SplitMix64, positions against a plain python walk, chunks against the whole."""

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.kernels import inject_bits as kernel

MASK64 = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
MASKS16 = np.uint16(1) << np.arange(16, dtype=np.uint16)


def splitmix(z: int) -> int:
    """The published finaliser in python integers."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK64
    return z ^ (z >> 31)


def walk(rate: float, key: int, first: int, last: int) -> list[int]:
    """Failing slots by the definition: blocks, one stream each, floor(ln U / ln(1 - p)) between errors."""
    length = 1024
    while length < 1 << 62 and length * rate < 1024:
        length *= 2
    slots = []
    for block in range(first // length, (last - 1) // length + 1):
        state = splitmix((key + block * GOLDEN) & MASK64)
        slot = block * length
        while True:
            uniform = ((splitmix(state) >> 11) + 1) * 2.0**-53
            state = (state + GOLDEN) & MASK64
            gap = math.log(uniform) / math.log1p(-rate) if rate < 1 else 0.0
            if gap >= min((block + 1) * length, last) - slot:
                break
            slot += int(gap)
            if slot >= first:
                slots.append(slot)
            slot += 1
    return slots


def keep(key: int, slot: int) -> float:
    """The acceptance draw of a slot."""
    return (splitmix((splitmix(key ^ 0xD1B54A32D192ED03) + slot * GOLDEN) & MASK64) >> 11) * 2.0**-53


def test_random_words_are_splitmix64() -> None:
    # First outputs of SplitMix64 seeded with 0 and 1234567 (reference implementation of its authors).
    assert int(kernel.mix64(np.uint64(GOLDEN))) == 0xE220A8397B1DCDAF
    assert int(kernel.mix64(np.uint64((1234567 + GOLDEN) & MASK64))) == 6457827717110365317
    words = np.random.default_rng(3).integers(0, 1 << 64, 200, dtype=np.uint64)
    assert [int(kernel.mix64(w)) for w in words] == [splitmix(int(w)) for w in words]


def test_logarithm_is_accurate() -> None:
    work, gaps = np.empty(4096), np.empty(4096)
    kernel.fill_gaps(np.uint64(77), 1.0, work, gaps)
    exact = [math.log(((splitmix((77 + i * GOLDEN) & MASK64) >> 11) + 1) * 2.0**-53) for i in range(4096)]
    np.testing.assert_allclose(gaps, exact, rtol=5e-16)


@pytest.mark.parametrize("rate", [1e-9, 1e-5, 3e-3, 0.2, 0.9, 1.0])
def test_block_holds_its_share_of_errors(rate: float) -> None:
    length = kernel.block_slots(rate)
    assert length >= 1024
    assert length & (length - 1) == 0
    assert length * rate >= 1024 or length == 1 << 62
    assert length == 1024 or length / 2 * rate < 1024


@settings(max_examples=40, deadline=None)
@given(
    rate=st.sampled_from([1e-4, 7e-3, 0.05, 0.3, 1.0]),
    key=st.integers(0, MASK64),
    first=st.integers(0, 5000),
    size=st.integers(0, 20_000),
)
def test_candidates_are_those_of_the_plain_walk(rate: float, key: int, first: int, size: int) -> None:
    expected = walk(rate, key, first, first + size) if size else []
    found = kernel.list_candidates(rate, np.uint64(key), first, first + size)
    assert found.tolist() == expected
    head = kernel.first_candidate(rate, np.uint64(key), first, first + size)
    assert head == (expected[0] if expected else -1)


@settings(max_examples=30, deadline=None)
@given(
    words=st.integers(1, 300),
    first=st.integers(0, 977),
    zero_to_one=st.sampled_from([0.0, 0.01, 0.2, 1.0]),
    one_to_zero=st.sampled_from([0.0, 0.01, 0.3]),
    seed=st.integers(0, 1000),
)
def test_flips_follow_the_walk_and_the_stored_value(
    words: int, first: int, zero_to_one: float, one_to_zero: float, seed: int
) -> None:
    data = np.random.default_rng(seed).integers(0, 65536, words, dtype=np.uint16)
    expected, rate, count = data.copy(), max(zero_to_one, one_to_zero), 0
    for slot in walk(rate, seed, first * 16, (first + words) * 16) if rate else []:
        place, bit = divmod(slot, 16)
        limit = one_to_zero if data[place - first] >> bit & 1 else zero_to_one
        if zero_to_one == one_to_zero or keep(seed, slot) * rate < limit:
            expected[place - first] ^= np.uint16(1 << bit)
            count += 1
    found = data.copy()
    assert kernel.flip_bits(found, MASKS16, zero_to_one, one_to_zero, np.uint64(seed), first) == count
    np.testing.assert_array_equal(found, expected)


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 5000), max_size=5), rate=st.sampled_from([1e-4, 1e-2, 0.4]))
def test_chunks_in_any_order_make_the_whole(cuts: list[int], rate: float) -> None:
    whole = np.zeros(5000, np.uint16)
    kernel.flip_bits(whole, MASKS16, rate, rate, np.uint64(5), 0)
    parts = np.zeros(5000, np.uint16)
    edges = sorted({0, 5000, *cuts})
    for low, high in reversed(list(pairwise(edges))):
        kernel.flip_bits(parts[low:high], MASKS16, rate, rate, np.uint64(5), low)
    np.testing.assert_array_equal(parts, whole)


def test_certain_and_impossible_flips() -> None:
    data = np.array([0x00FF, 0xABCD], np.uint16)
    for rates, expected in (
        ((0.0, 0.0), [0x00FF, 0xABCD]),
        ((1.0, 1.0), [0xFF00, 0x5432]),
        ((1.0, 0.0), [0xFFFF, 0xFFFF]),
        ((0.0, 1.0), [0, 0]),
    ):
        words = data.copy()
        kernel.flip_bits(words, MASKS16, *rates, np.uint64(1), 0)
        assert words.tolist() == expected


def test_filler_masks_never_flip_nor_count() -> None:
    masks = np.array([1, 2, 128, 0], np.uint8)
    words = np.zeros(50, np.uint8)
    assert kernel.flip_bits(words, masks, 1.0, 1.0, np.uint64(0), 0) == 150
    assert (words == 131).all()


@pytest.mark.parametrize("word_type", [np.uint8, np.uint16, np.uint32])
def test_compiled_and_python_agree(word_type: type[np.unsignedinteger[npt.NBitBase]]) -> None:
    bits = np.dtype(word_type).itemsize * 8
    masks = word_type(1) << np.arange(bits, dtype=word_type)
    data = np.random.default_rng(2).integers(0, 1 << bits, 61, dtype=word_type)
    for rates in ((0.02, 0.02), (0.02, 0.3)):
        fast, slow = data.copy(), data.copy()
        count = kernel.flip_bits(fast, masks, *rates, np.uint64(9), 4)
        with np.errstate(over="ignore"):
            assert kernel.flip_bits.py_func(slow, masks, *rates, np.uint64(9), 4) == count
        np.testing.assert_array_equal(fast, slow)
    fast, slow = data.copy(), data.copy()
    count = kernel.stick_bits(fast, masks, 0.1, 0.5, np.uint64(9), 4)
    with np.errstate(over="ignore"):
        assert kernel.stick_bits.py_func(slow, masks, 0.1, 0.5, np.uint64(9), 4) == count
    np.testing.assert_array_equal(fast, slow)


def test_block_that_overflows_its_buffer_is_drawn_again() -> None:
    work, gaps = np.empty(128), np.empty(128)
    args = (1.0 / math.log1p(-0.5), np.uint64(3), 2, 2048, 1 << 40, work, gaps)
    small, large = np.empty(8, np.int64), np.empty(4096, np.int64)
    assert kernel.block_candidates(*args, small) == -1
    count = kernel.block_candidates(*args, large)
    assert count > 900
    np.testing.assert_array_equal(small, large[:8])
    assert large[:count].tolist() == walk_block(0.5, 3, 2, 2048)


def walk_block(rate: float, key: int, block: int, length: int) -> list[int]:
    state, slot, slots = splitmix(key + block * GOLDEN & MASK64), block * length, []
    while True:
        gap = math.log(((splitmix(state) >> 11) + 1) * 2.0**-53) / math.log1p(-rate)
        state = (state + GOLDEN) & MASK64
        if gap >= (block + 1) * length - slot:
            return slots
        slots.append(slot + int(gap))
        slot = slots[-1] + 1


def test_stuck_bits_do_not_depend_on_the_data() -> None:
    data = np.random.default_rng(0).integers(0, 65536, 4000, dtype=np.uint16)
    once, zeros, ones = data.copy(), np.zeros(4000, np.uint16), np.full(4000, 0xFFFF, np.uint16)
    for words in (once, zeros, ones):
        kernel.stick_bits(words, MASKS16, 0.03, 0.25, np.uint64(11), 0)
    at_one, at_zero = zeros, ~ones
    assert (at_one & at_zero == 0).all()
    np.testing.assert_array_equal(once, (data | at_one) & ~at_zero)
    total = int(np.bitwise_count(at_one | at_zero).sum())
    assert abs(total - 64000 * 0.03) < 5 * math.sqrt(64000 * 0.03)
    assert abs(int(np.bitwise_count(at_one).sum()) - total * 0.25) < 5 * math.sqrt(total * 0.1875)
    assert kernel.stick_bits(once, MASKS16, 0.03, 0.25, np.uint64(11), 0) == 0


def test_tensor_without_error_costs_no_walk() -> None:
    # 2^60 slots: only a cost that does not grow with the size can return at all.
    assert kernel.first_candidate(1e-25, np.uint64(1), 0, 1 << 60) == -1
