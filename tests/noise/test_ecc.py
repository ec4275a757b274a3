"""SECDED by closed form, by exhaustion and by simulation; range check, placement, ternary cells, pointers."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from cosim.kernels import encode_tables
from cosim.noise import ecc
from cosim.noise.channels import SoftHardFlips, StuckAt, UniformFlips
from cosim.noise.formats import BF16, FP16, FP32, INT4, INT8, UINT8, StorageFormat, to_words
from cosim.noise.inject import Stream, inject
from cosim.noise.patterns import pattern_histogram
from cosim.noise.schemes import Encoded, Encoding

# Probability of an uncorrectable (72,64) word and bit error rate after correction, to two digits, with the gain.
CLOSED = [
    (1e-6, 2.6e-9, 7.1e-11, 14085),
    (1e-5, 2.6e-7, 7.1e-9, 1409),
    (1e-4, 2.5e-5, 7.1e-7, 141),
    (1e-3, 2.4e-3, 6.9e-5, 14.6),
    (3e-3, 2.0e-2, 5.8e-4, 5.2),
    (1e-2, 0.162, 5.1e-3, 2.0),
    (2e-2, 0.42, 1.5e-2, 1.3),
]


@pytest.mark.parametrize(("p", "uncorrectable", "residual", "gain"), CLOSED)
def test_closed_forms(p: float, uncorrectable: float, residual: float, gain: float) -> None:
    assert ecc.secded_uncorrectable(p) == pytest.approx(uncorrectable, rel=0.025, abs=0.0)
    assert ecc.secded_residual_ber(p) == pytest.approx(residual, rel=0.03, abs=0.0)
    assert p / ecc.secded_residual_ber(p) == pytest.approx(gain, rel=0.02, abs=0.0)
    by_hand = 1 - (1 - p) ** 72 - 72 * p * (1 - p) ** 71
    assert ecc.secded_uncorrectable(p) == pytest.approx(by_hand, rel=1e-5, abs=0.0)


def test_closed_forms_keep_their_digits_for_tiny_rates() -> None:
    assert ecc.secded_uncorrectable(1e-12) == pytest.approx(math.comb(72, 2) * 1e-24, rel=1e-9, abs=0.0)
    assert ecc.secded_residual_ber(1e-12) == pytest.approx(71e-24, rel=1e-9, abs=0.0)
    assert ecc.secded_residual_ber(0.0) == 0.0
    assert ecc.secded_residual_ber(1.0) == 1.0
    with pytest.raises(ValueError, match=r"bit error rate 1.01 is outside \[0, 1\]"):
        ecc.secded_uncorrectable(1.01)


def test_parity_matrix_is_hsiaos() -> None:
    columns = ecc.hsiao_columns()
    assert len(set(columns)) == 72
    assert all(c.bit_count() % 2 == 1 for c in columns)
    assert [c.bit_count() for c in columns].count(3) == 56
    rows = [sum(c >> i & 1 for c in columns[:64]) for i in range(8)]
    assert rows == [26] * 8  # 208 ones in all: the minimum, evenly spread (Hsiao, table 1)


def flip(words: np.ndarray, check: np.ndarray, bits: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    lanes, check = words.view(np.uint64).copy(), check.copy()
    for bit in bits:
        if bit < 64:
            lanes[0] ^= np.uint64(1) << np.uint64(bit)
        else:
            check[0] ^= np.uint8(1 << (bit - 64))
    return lanes.view(words.dtype), check


def test_every_single_error_is_corrected_and_every_double_detected() -> None:
    code = ecc.Secded()
    words = np.random.default_rng(0).integers(0, 65536, 4, dtype=np.uint16)
    _, metadata = code.encode(words, FP16, "w", None)
    for bit in range(72):
        wrong, check = flip(words, metadata.values, (bit,))
        back, status = code.decode_with_status(wrong, ecc.Metadata(check, 8))
        np.testing.assert_array_equal(back, words)
        assert status.tolist() == [1]
    for pair in combinations(range(72), 2):
        wrong, check = flip(words, metadata.values, pair)
        back, status = code.decode_with_status(wrong, ecc.Metadata(check, 8))
        assert status.tolist() == [2]
        np.testing.assert_array_equal(back, wrong)


def test_zeroing_on_detection() -> None:
    code = ecc.Secded(on_detect="zero")
    words = np.arange(1, 9, dtype=np.uint16)
    _, metadata = code.encode(words, FP16, "w", None)
    wrong, check = flip(words, metadata.values, (3, 40))
    back = code.decode(wrong, ecc.Metadata(check, 8), FP16)
    assert back.tolist() == [0, 0, 0, 0, 5, 6, 7, 8]


@pytest.mark.parametrize("p", [1e-3, 1e-2])
def test_simulated_words_fail_as_often_as_the_closed_form_says(p: float) -> None:
    encoding, count = Encoding("secded", (ecc.Secded(),)), 400_000
    words = np.random.default_rng(1).integers(0, 65536, count, dtype=np.uint16)
    encoded = encoding.encode(words, FP16)
    assert encoded.metadata_bits / (16 * count) == 0.125
    hit = inject(encoded.words, FP16, [UniformFlips(p)], Stream(0, "w")).words
    check = inject(encoded.metadata[0].values, UINT8, [UniformFlips(p)], Stream(0, "w.check")).words
    code_words = count // 4
    errors = np.bitwise_count(hit.view(np.uint64) ^ words.view(np.uint64)).astype(int)
    errors += np.bitwise_count(check ^ encoded.metadata[0].values)
    back, status = ecc.Secded().decode_with_status(hit, ecc.Metadata(check, 8))
    bad = int((errors >= 2).sum())
    expected = code_words * ecc.secded_uncorrectable(p)
    assert abs(bad - expected) < 4.5 * math.sqrt(expected)
    right = back.view(np.uint64) == words.view(np.uint64)
    assert right[errors <= 1].all()
    assert (status[errors == 2] == 2).all()
    residual = np.bitwise_count(back ^ words).sum() / (16 * count)
    # Triple errors that look like single ones gain a fourth wrong bit: the closed form is a slight underestimate.
    assert 0.98 * ecc.secded_residual_ber(p) - 2e-6 < residual < 1.25 * ecc.secded_residual_ber(p)


@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 40), fmt=st.sampled_from([FP16, FP32, INT8]), seed=st.integers(0, 99))
def test_secded_of_rows_that_do_not_fill_a_code_word(count: int, fmt: StorageFormat, seed: int) -> None:
    words = np.random.default_rng(seed).integers(0, 1 << fmt.word_bits, count, fmt.word_type)
    encoding = Encoding("secded", (ecc.Secded(),))
    encoded = encoding.encode(words, fmt)
    np.testing.assert_array_equal(encoding.decode(encoded), words)
    wrong = encoded.words.copy()
    wrong[seed % count] ^= fmt.word_type(1 << (seed % fmt.word_bits))
    np.testing.assert_array_equal(encoding.decode(Encoded(wrong, encoded.metadata, fmt, "w")), words)


def test_secded_kernels_compiled_and_interpreted_agree() -> None:
    tables, position = ecc._secded_tables()
    rng = np.random.default_rng(0)
    data = rng.integers(0, 1 << 64, 20, dtype=np.uint64)
    fast, slow = np.empty(20, np.uint8), np.empty(20, np.uint8)
    encode_tables.check_bits(data, tables, fast)
    encode_tables.check_bits.py_func(data, tables, slow)
    np.testing.assert_array_equal(fast, slow)
    wrong = data ^ (np.uint64(1) << rng.integers(0, 64, 20, dtype=np.uint64))
    results = []
    for function in (encode_tables.correct_words, encode_tables.correct_words.py_func):
        words, check, status = wrong.copy(), fast.copy(), np.empty(20, np.uint8)
        function(words, check, tables, position, status)
        np.testing.assert_array_equal(words, data)
        results.append(status)
    np.testing.assert_array_equal(*results)


def test_range_check() -> None:
    check = ecc.RangeCheck()
    words = to_words(np.array([0.5, -0.999, 0.0, 1.0, -7.0, np.inf, np.nan]), FP16, overflow="ieee")
    back = check.decode(words, ecc.NO_METADATA, FP16).view(np.float16)
    assert back.tolist()[:3] == words.view(np.float16).tolist()[:3]
    assert not back[3:].any()
    with pytest.raises(
        ValueError, match=r"layer 'fc': largest \|value\| 2 is not below the range check's limit 1"
    ):
        check.encode(to_words(np.array([0.1, 2.0]), FP16), FP16, "fc", None)
    with pytest.raises(ValueError, match="floats of 8 bits or more"):
        check.encode(np.zeros(2, np.uint8), INT8, "fc", None)


@pytest.mark.parametrize("hard_is_msb", [True, False])
def test_critical_bits_go_to_soft_junctions(hard_is_msb: bool) -> None:
    encoding = Encoding("soft", (ecc.SoftBitPlacement(hard_is_msb=hard_is_msb),))
    words = np.random.default_rng(0).integers(0, 65536, 5000, dtype=np.uint16)
    encoded = encoding.encode(words, FP16)
    np.testing.assert_array_equal(encoding.decode(encoded), words)
    # Sign, exponent and two mantissa bits sit in soft bits, so hard failures leave them alone.
    wrong = inject(encoded.words, FP16, [SoftHardFlips(0.0, 1.0, hard_is_msb)], Stream(0, "w")).words
    back = encoding.decode(Encoded(wrong, encoded.metadata, FP16, "w"))
    np.testing.assert_array_equal(back ^ words, np.full(5000, 0x00FF, np.uint16))


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(range(16)), seed=st.integers(0, 99))
def test_any_order_of_criticality_round_trips(order: list[int], seed: int) -> None:
    stage = ecc.SoftBitPlacement(tuple(order))
    words = np.random.default_rng(seed).integers(0, 65536, 9, dtype=np.uint16)
    encoded, _ = stage.encode(words, BF16, "w", None)
    np.testing.assert_array_equal(stage.decode(encoded, ecc.NO_METADATA, BF16), words)
    assert [int(encoded[0]) >> (14 - 2 * i) & 1 for i in range(8)] == [
        int(words[0]) >> b & 1 for b in order[:8]
    ]


def test_placement_refusals() -> None:
    with pytest.raises(ValueError, match="does not order the bits 0 to 15"):
        ecc.SoftBitPlacement((0, 1)).encode(np.zeros(1, np.uint16), FP16, "w", None)
    with pytest.raises(ValueError, match="one value a word; found int4"):
        ecc.SoftBitPlacement().encode(np.zeros(1, np.uint8), INT4, "w", None)


@pytest.mark.parametrize("dropped", range(4))
@settings(max_examples=15, deadline=None)
@given(count=st.integers(1, 50), fmt=st.sampled_from([INT8, FP16, FP32]), seed=st.integers(0, 99))
def test_ternary_cells(dropped: int, count: int, fmt: StorageFormat, seed: int) -> None:
    words = np.random.default_rng(seed).integers(0, 1 << fmt.word_bits, count, fmt.word_type)
    encoding = Encoding("ternary", (ecc.TernaryCells(dropped),))
    encoded = encoding.encode(words, fmt)
    np.testing.assert_array_equal(encoding.decode(encoded), words)
    assert encoded.words.size == -(-count // 3) * 4
    assert pattern_histogram(encoded.words, fmt).counts[:, dropped].sum() == 0


def test_ternary_needs_a_state() -> None:
    with pytest.raises(ValueError, match="state 4 cannot be dropped"):
        Encoding("t", (ecc.TernaryCells(4),)).encode(np.zeros(3, np.uint8), INT8)


def test_pointers() -> None:
    assert ecc.PointerCorrection(6, 512).overhead_bits == 61  # Schechter et al., ISCA 2010, section 3
    code = ecc.PointerCorrection(pointers=2, line_bits=64)
    written = np.zeros(8, np.uint16)
    found = written.copy()
    found[0], found[3] = 1, 0x8000  # two wrong bits in line 0
    found[4:7] = 0x10  # three in line 1
    back, lost = code.correct(written, found)
    assert back.tolist() == [0, 0, 0, 0, 0, 0, 0x10, 0]
    assert lost == 1
    assert code.line_failure(1e-3) == pytest.approx(1 - binom.cdf(2, 64, 1e-3), rel=1e-9, abs=0.0)
    with pytest.raises(ValueError, match="need pointers >= 0, whole bytes"):
        ecc.PointerCorrection(2, 60)


def test_pointers_against_a_stuck_map() -> None:
    code = ecc.PointerCorrection(pointers=4, line_bits=512)
    written = np.random.default_rng(0).integers(0, 65536, 320_000, dtype=np.uint16)
    found = inject(written, FP16, [StuckAt(0.004, 0.5)], Stream(0, "w")).words
    back, lost = code.correct(written, found)
    lines = written.size * 16 // 512
    expected = lines * float(binom.sf(4, 512, 0.002))  # a stuck cell disagrees with random data half the time
    assert abs(lost - expected) < 4.5 * math.sqrt(expected)
    left = np.bitwise_count(back ^ written).reshape(lines, -1).sum(axis=1)
    assert (left > 0).sum() == lost
