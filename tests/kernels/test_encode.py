"""Encoding kernels against bit-by-bit python, compiled and interpreted, for odd sizes and every word length."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.kernels import encode_patterns, encode_tables, encode_words

WORD_TYPES = [np.uint8, np.uint16, np.uint32]


def random_words(word_type: type, size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1 << 8 * np.dtype(word_type).itemsize, size, word_type)


def bits_of(word: int, width: int) -> list[int]:
    """Bits of a word, the top one first."""
    return [word >> k & 1 for k in range(width - 1, -1, -1)]


def word_of(bits: list[int]) -> int:
    return int("".join(map(str, bits)), 2)


def rotated(word: int, width: int, span: int, left: bool = False) -> int:
    bits = bits_of(word, width)
    head, tail = bits[: width - span], bits[width - span :]
    return word_of(head + (tail[1:] + tail[:1] if left else tail[-1:] + tail[:-1]))


def rounded(word: int) -> int:
    """Last four bits to the nearest of 0, 3, 12, 15; there are no ties."""
    tail = min((0, 3, 12, 15), key=lambda t: abs(t - (word & 15)))
    return word & ~15 | tail


def hard(word: int, width: int) -> int:
    bits = bits_of(word, width)
    return sum(a != b for a, b in zip(bits[::2], bits[1::2], strict=True))


@pytest.mark.parametrize("word_type", WORD_TYPES)
def test_sign_backup_and_its_removal(word_type: type) -> None:
    width = 8 * np.dtype(word_type).itemsize
    words = random_words(word_type, 67) & word_type(~(1 << (width - 2)) & ((1 << width) - 1))
    out, back = np.empty_like(words), np.empty_like(words)
    encode_words.back_up_sign(words, out)
    for word, code in zip(words.tolist(), out.tolist(), strict=True):
        bits = bits_of(word, width)
        assert bits_of(code, width) == [bits[0], bits[0], *bits[2:]]
    encode_words.drop_sign_backup(out, back)
    np.testing.assert_array_equal(back, words)


@pytest.mark.parametrize("word_type", WORD_TYPES)
@pytest.mark.parametrize("left_out", [0, 2])
def test_rotation_and_back(word_type: type, left_out: int) -> None:
    width = 8 * np.dtype(word_type).itemsize
    words = random_words(word_type, 41)
    out, back, slow = np.empty_like(words), np.empty_like(words), np.empty_like(words)
    encode_words.rotate(words, width - left_out, True, out)
    assert out.tolist() == [rotated(w, width, width - left_out, left=True) for w in words.tolist()]
    encode_words.rotate(out, width - left_out, False, back)
    np.testing.assert_array_equal(back, words)
    encode_words.rotate.py_func(words, width - left_out, True, slow)
    np.testing.assert_array_equal(out, slow)


def test_rounding_of_all_tails() -> None:
    words = np.arange(65536, dtype=np.uint16)
    out = np.empty_like(words)
    encode_words.round_tail(words, out)
    assert out[:16].tolist() == [0, 0, 3, 3, 3, 3, 3, 3, 12, 12, 12, 12, 12, 12, 15, 15]
    assert out.tolist() == [rounded(w) for w in range(65536)]


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(1, 200),
    group=st.integers(1, 16),
    forms=st.sampled_from([(0, 1), (0, 2), (0, 1, 4), (0, 1, 4, 5), (1, 6)]),
    seed=st.integers(0, 1000),
)
def test_choice_has_the_fewest_hard_cells(size: int, group: int, forms: tuple[int, ...], seed: int) -> None:
    words = random_words(np.uint16, size, seed)
    out, back = np.empty_like(words), np.empty_like(words)
    choice = np.empty(-(-size // group), np.uint8)
    codes = np.array(forms, np.int64)
    encode_words.choose_forms(words, codes, group, out, choice)

    def formed(word: int, form: int) -> int:
        word = rounded(word) if form & 4 else word
        return rotated(word, 16, 14 if form & 1 else 16) if form & 3 else word

    plain = words.tolist()
    for k, low in enumerate(range(0, size, group)):
        candidates = [[formed(w, form) for w in plain[low : low + group]] for form in forms]
        costs = [sum(hard(w, 16) for w in candidate) for candidate in candidates]
        best = costs.index(min(costs))
        assert choice[k] == best
        assert out[low : low + group].tolist() == candidates[best]
    encode_words.undo_forms(out, codes, group, choice, back)
    kept = [rounded(w) if forms[choice[i // group]] & 4 else w for i, w in enumerate(plain)]
    assert back.tolist() == kept


def test_choice_over_many_tiles_and_interpreted() -> None:
    words = random_words(np.uint16, 3 * 4096 + 7)
    codes = np.array([0, 1, 4], np.int64)
    results = []
    for function in (encode_words.choose_forms, encode_words.choose_forms.py_func):
        out, choice = np.empty_like(words), np.empty(-(-words.size // 3), np.uint8)
        function(words, codes, 3, out, choice)
        results.append((out, choice))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])
    back, slow = np.empty_like(words), np.empty_like(words)
    encode_words.undo_forms(results[0][0], codes, 3, results[0][1], back)
    encode_words.undo_forms.py_func(results[0][0], codes, 3, results[0][1], slow)
    np.testing.assert_array_equal(back, slow)


@settings(max_examples=25, deadline=None)
@given(lanes=st.integers(0, 70), seed=st.integers(0, 99))
def test_pair_sums_count_bits(lanes: int, seed: int) -> None:
    data = np.random.default_rng(seed).integers(0, 1 << 64, lanes, dtype=np.uint64)
    counts = np.zeros((32, 3), np.int64)
    encode_patterns.pair_sums(data, counts)
    for pair in range(32):
        low, high = data >> np.uint64(2 * pair) & np.uint64(1), data >> np.uint64(2 * pair + 1) & np.uint64(1)
        assert counts[pair].tolist() == [low.sum(), high.sum(), (low & high).sum()]


def test_pair_sums_do_not_overflow_their_fields() -> None:
    # All ones over several tiles: the largest count that a 16-bit field of a tile can meet.
    counts = np.zeros((32, 3), np.int64)
    encode_patterns.pair_sums(np.full(70_000, (1 << 64) - 1, np.uint64), counts)
    assert (counts == 70_000).all()


def test_pair_transitions_count_cells() -> None:
    old, new = random_words(np.uint16, 400, 1), random_words(np.uint16, 400, 2)
    counts = encode_patterns.pair_transitions(old.view(np.uint64), new.view(np.uint64))
    expected = np.zeros((4, 4), int)
    for a, b in zip(old.tolist(), new.tolist(), strict=True):
        for k in range(0, 16, 2):
            expected[a >> k & 3, b >> k & 3] += 1
    np.testing.assert_array_equal(counts, expected)
    with np.errstate(over="ignore"):
        slow = encode_patterns.pair_transitions.py_func(old.view(np.uint64)[:9], new.view(np.uint64)[:9])
    np.testing.assert_array_equal(
        slow, encode_patterns.pair_transitions(old.view(np.uint64)[:9], new.view(np.uint64)[:9])
    )


@pytest.mark.parametrize("word_type", WORD_TYPES)
def test_look_up_is_the_or_of_the_bytes(word_type: type) -> None:
    words = random_words(word_type, 53)
    count = np.dtype(word_type).itemsize
    tables = np.stack([random_words(word_type, 256, k) for k in range(count)])
    out, slow = np.empty_like(words), np.empty_like(words)
    encode_tables.look_up_words(words, tables, out)
    for word, value in zip(words.tolist(), out.tolist(), strict=True):
        parts = [int(tables[k, word >> 8 * k & 255]) for k in range(count)]
        assert value == np.bitwise_or.reduce(parts)
    encode_tables.look_up_words.py_func(words, tables, slow)
    np.testing.assert_array_equal(out, slow)


@settings(max_examples=30, deadline=None)
@given(size=st.integers(1, 60), block=st.integers(1, 5), seed=st.integers(0, 99))
def test_flip_and_write_takes_the_cheaper_form(size: int, block: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    stored, data = random_words(np.uint16, size, seed), random_words(np.uint16, size, seed + 1000)
    flags = rng.integers(0, 2, -(-size // block), np.uint8)
    cost = np.bitwise_count(np.arange(16)[:, None] ^ np.arange(16)).astype(float).reshape(-1)
    out, new_flags = np.empty_like(data), np.empty_like(flags)
    total = encode_tables.flip_and_write(stored, flags, data, cost, 1.0, block, out, new_flags)
    expected = 0
    for k, low in enumerate(range(0, size, block)):
        part = slice(low, low + block)
        plain = int(np.bitwise_count(stored[part] ^ data[part]).sum()) + int(flags[k] != 0)
        turned = int(np.bitwise_count(stored[part] ^ ~data[part]).sum()) + int(flags[k] == 0)
        expected += min(plain, turned)
        assert new_flags[k] == (turned < plain)
        np.testing.assert_array_equal(out[part], ~data[part] if turned < plain else data[part])
    assert total == expected
    slow, slow_flags = np.empty_like(data), np.empty_like(flags)
    args = (stored, flags, data, cost, 1.0, block, slow, slow_flags)
    assert encode_tables.flip_and_write.py_func(*args) == total
    np.testing.assert_array_equal(out, slow)


def test_triples_to_pairs_of_cells_and_back() -> None:
    table = np.array([0, 1, 3, 4, 7, 12, 13, 15], np.uint8)
    inverse = np.zeros(16, np.uint8)
    inverse[table] = np.arange(8)
    data = random_words(np.uint8, 3 * 37)
    out, back = np.empty(4 * 37, np.uint8), np.empty_like(data)
    encode_tables.expand_triples(data, table, out)
    bits = np.unpackbits(data, bitorder="little").reshape(-1, 3) @ np.array([1, 2, 4])
    nibbles = table[bits]
    np.testing.assert_array_equal(out, nibbles[::2] | (nibbles[1::2] << 4))
    encode_tables.contract_triples(out, inverse, back)
    np.testing.assert_array_equal(back, data)
    encode_tables.expand_triples.py_func(data, table, out)
    encode_tables.contract_triples.py_func(out, inverse, back)
    np.testing.assert_array_equal(back, data)
