"""Encodings: exact round trips, what each stage does to one word, metadata, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.noise.encodings import FlipNWrite, GroupChoice, Invert, Metadata, Remap, Rotate, SignBackup
from cosim.noise.formats import BF16, FP16, FP32, INT4, INT8, StorageFormat, fixed_point, to_words
from cosim.noise.patterns import ContentCost, TransitionCost, pattern_histogram, transition_counts
from cosim.noise.schemes import SCHEMES, Encoding, report, scheme
from tests.noise.weights import single

LOSSLESS = ["baseline", "sbp", "sbp_rot14", "sbp_rot16", "rot14", "rot16", "remap", "remap_global", "invert"]


def weights(count: int, fmt: StorageFormat, seed: int = 0) -> np.ndarray:
    return to_words(np.random.default_rng(seed).uniform(-0.99, 0.99, count), fmt)


@pytest.mark.parametrize("name", LOSSLESS)
@settings(max_examples=12, deadline=None)
@given(
    count=st.integers(1, 130),
    group=st.integers(1, 16),
    fmt=st.sampled_from([FP16, BF16, FP32]),
    seed=st.integers(0, 50),
)
def test_lossless_round_trip(name: str, count: int, group: int, fmt: StorageFormat, seed: int) -> None:
    words = weights(count, fmt, seed)
    encoding = scheme(name, group)
    assert encoding.lossless
    encoded = encoding.encode(words, fmt)
    np.testing.assert_array_equal(encoding.decode(encoded), words)


@pytest.mark.parametrize("name", ["sbp_round", "hybrid", "hybrid_rot16", "hybrid_4", "remap_round"])
@settings(max_examples=10, deadline=None)
@given(count=st.integers(1, 200), group=st.integers(1, 16), seed=st.integers(0, 50))
def test_rounding_is_the_only_loss(name: str, count: int, group: int, seed: int) -> None:
    words = weights(count, FP16, seed)
    encoding = scheme(name, group)
    assert not encoding.lossless
    back = encoding.decode(encoding.encode(words, FP16))
    np.testing.assert_array_equal(back & 0xFFF0, words & 0xFFF0)
    tails = (back & 15).astype(int) - (words & 15)
    assert np.abs(tails).max() <= 4  # 7 goes to 3, 8 to 12
    exact, rounded = words.view(np.float16).astype(float), back.view(np.float16).astype(float)
    normal = np.abs(exact) >= 2.0**-14
    assert (np.abs(rounded - exact)[normal] <= 2.0**-8 * np.abs(exact)[normal]).all()


def test_rms_error_of_rounding() -> None:
    # Recorded for N(0, 0.03): 0.144 % of sigma, against 0.333 % for rounding to multiples of 16.
    words = single()
    back = scheme("sbp_round").decode(scheme("sbp_round").encode(words, FP16))
    error = back.view(np.float16).astype(float) - words.view(np.float16).astype(float)
    assert np.sqrt(np.square(error).mean()) / 0.03 == pytest.approx(0.00144, abs=0.00002)


def test_sign_backup_of_minus_one_half() -> None:
    words = to_words(np.array([-0.5, 0.5]), FP16)
    assert words.tolist() == [0xB800, 0x3800]
    assert scheme("sbp").encode(words, FP16).words.tolist() == [0xF800, 0x3800]


@pytest.mark.parametrize("fmt", [FP16, BF16, FP32])
def test_weights_outside_one_are_refused_with_layer_and_maximum(fmt: StorageFormat) -> None:
    words = to_words(np.array([0.1, -1.5, 0.9]), fmt)
    with pytest.raises(ValueError, match=r"layer 'conv3': largest \|weight\| is 1.5, outside \(-1, 1\)"):
        scheme("hybrid").encode(words, fmt, "conv3")
    wide = Encoding("wide", (SignBackup(limit=2.0),))  # the bit itself is free up to 2
    np.testing.assert_array_equal(wide.decode(wide.encode(words, fmt)), words)
    for value in (1.0, np.nan, np.inf):
        bad = to_words(np.array([value]), fmt, overflow="ieee")
        with pytest.raises(ValueError, match=r"outside \(-1, 1\)"):
            scheme("sbp").encode(bad, fmt, "fc")
    with pytest.raises(ValueError, match=r"limit 4 is outside \(0, 2\]"):
        SignBackup(limit=4)


@pytest.mark.parametrize("fmt", [INT8, fixed_point(2, 14), INT4])
def test_formats_without_a_free_bit_are_refused(fmt: StorageFormat) -> None:
    words = np.zeros(4, fmt.word_type)
    with pytest.raises(ValueError, match=rf"layer 'l1': sign backup needs a bit that is free.*{fmt.name}"):
        scheme("sbp").encode(words, fmt, "l1")


def test_other_refusals() -> None:
    with pytest.raises(ValueError, match="bf16 has 7 mantissa bits"):
        scheme("sbp_round").encode(weights(3, BF16), BF16)
    with pytest.raises(ValueError, match="rotation needs one value a word; int4"):
        scheme("rot14").encode(np.zeros(3, np.uint8), INT4)
    with pytest.raises(ValueError, match="sign-magnitude re-codes int8; found fp16"):
        scheme("sign_magnitude").encode(weights(3, FP16), FP16)
    with pytest.raises(ValueError, match="group of 17 words; 1 to 16"):
        GroupChoice(group_words=17)
    with pytest.raises(ValueError, match="two or more of identity"):
        GroupChoice(("identity",))
    with pytest.raises(ValueError, match="not a permutation"):
        Remap(table=((0, 1, 2, 2),))
    with pytest.raises(ValueError, match="remap table has 1 cells, fp16 words have 8"):
        Encoding("x", (Remap(table=((0, 1, 2, 3),)),)).encode(weights(3, FP16), FP16)
    with pytest.raises(ValueError, match="needs a 1-d array of uint16 words"):
        scheme("sbp").encode(np.zeros((2, 2), np.uint16), FP16)
    with pytest.raises(ValueError, match=r"unknown encoding 'hybird'.*nearest is 'hybrid'"):
        scheme("hybird")
    with pytest.raises(ValueError, match="must be the last stage"):
        Encoding("x", (FlipNWrite(), Invert()))


def test_every_scheme_names_itself() -> None:
    for name in SCHEMES:
        assert scheme(name, 4).name == name


def test_sign_magnitude_is_a_bijection_of_int8() -> None:
    words = np.arange(256, dtype=np.uint8)
    encoding = scheme("sign_magnitude")
    encoded = encoding.encode(words, INT8)
    assert sorted(encoded.words.tolist()) == list(range(256))
    assert encoded.words[[0, 1, 127, 255, 129, 128]].tolist() == [0, 1, 127, 0x81, 0xFF, 0x80]
    np.testing.assert_array_equal(encoding.decode(encoded), words)


def test_remap_gives_cheap_states_to_frequent_patterns() -> None:
    rng = np.random.default_rng(0)
    cells = rng.choice(4, size=(4000, 8), p=[0.1, 0.5, 0.3, 0.1])
    words = (cells << np.arange(14, -1, -2)).sum(axis=1).astype(np.uint16)
    encoded = scheme("remap").encode(words, FP16)
    shares = pattern_histogram(encoded.words, FP16).shares
    assert shares[0] == pytest.approx(0.5, abs=0.02)
    assert shares[3] == pytest.approx(0.3, abs=0.02)
    assert encoded.metadata_bits == 8 * 4 * 2


def test_histogram_positions_and_odd_sizes() -> None:
    words = np.array([0b11_10_01_00_11_11_11_11] * 5, np.uint16)
    counts = pattern_histogram(words, FP16).counts
    assert counts.argmax(axis=1).tolist() == [3, 2, 1, 0, 3, 3, 3, 3]
    assert (counts.max(axis=1) == 5).all()
    assert pattern_histogram(words, FP16).total == 40
    assert pattern_histogram(np.array([0b0010_0111], np.uint8), fixed_point(1, 5)).counts.sum() == 3
    with pytest.raises(ValueError, match="no whole number of 2-bit cells"):
        pattern_histogram(np.zeros(3, np.uint8), fixed_point(1, 6))


@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 90), block=st.sampled_from([16, 32, 64, 128]), seed=st.integers(0, 50))
def test_flip_n_write_writes_at_most_half(count: int, block: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    encoding = Encoding("fnw", (FlipNWrite(block),))
    held = encoding.blank(FP16, count)
    for _ in range(3):
        words = rng.integers(0, 65536, count, dtype=np.uint16)
        stored = encoding.encode(words, FP16, previous=held)
        np.testing.assert_array_equal(encoding.decode(stored), words)
        changed = np.bitwise_count(stored.words ^ held.words).astype(int)
        flags = stored.metadata[0].values ^ held.metadata[0].values
        per = block // 16
        for k in range(flags.size):
            part = changed[k * per : (k + 1) * per]
            assert part.sum() + flags[k] <= (part.size * 16 + 1) // 2  # Cho and Lee, MICRO 2009
        held = stored


def test_flip_n_write_by_transition_cost() -> None:
    cost = TransitionCost.from_pulses(soft=0.25, hard=1.0)
    encoding = Encoding("fnw", (FlipNWrite(16, cost),))
    held = encoding.blank(FP16, 1)
    # From 00 everywhere: 10 is a two-step cell (1.25), its inverse 01 a soft one (0.25); the flag costs 1.25.
    stored = encoding.encode(np.array([0b10_10_10_10_10_10_10_10], np.uint16), FP16, previous=held)
    assert stored.words[0] == 0b01_01_01_01_01_01_01_01
    assert stored.metadata[0].values.tolist() == [1]
    assert cost.cells(transition_counts(held.words, stored.words)) == pytest.approx(8 * 0.25)


def test_flip_n_write_refusals() -> None:
    words = weights(4, FP16)
    with pytest.raises(ValueError, match="give the previous content"):
        scheme("flip_n_write").encode(words, FP16, "l")
    with pytest.raises(ValueError, match="block of 24 bits is no multiple of the 16 bits"):
        Encoding("x", (FlipNWrite(24),)).encode(words, FP16, previous=scheme("flip_n_write").blank(FP16, 4))
    with pytest.raises(ValueError, match="previous content has 2 words and 1 flags; 4 and 2 are written"):
        scheme("flip_n_write").encode(words, FP16, previous=scheme("flip_n_write").blank(FP16, 2))


def test_metadata_in_error_still_decodes() -> None:
    encoding = scheme("hybrid", 2)
    encoded = encoding.encode(weights(9, FP16), FP16)
    wrong = Metadata(np.full(5, 3, np.uint8), 2)  # a choice that does not exist
    words = encoding.stages[1].decode(encoded.words, wrong, FP16)
    np.testing.assert_array_equal(words, encoded.words)


def test_report_and_costs() -> None:
    row = report(scheme("sbp"), single(count=1000), FP16, "conv1", weight=5.0)
    assert (row.layer, row.weight, row.metadata_bits) == ("conv1", 5.0, 0)
    assert ContentCost.from_delta(0.5).cells(row.before) == pytest.approx(
        8000 * (1 + 0.5 * row.before.hard_share)
    )
    with pytest.raises(ValueError, match="none negative"):
        ContentCost((1.0, -1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="a 4 x 4 matrix"):
        TransitionCost(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="cost nothing"):
        row.saving(ContentCost((0.0, 0.0, 0.0, 0.0)))


def test_transition_classes() -> None:
    # Hard junction in the upper bit: 00 to 11 is one hard pulse, 00 to 10 a hard and a soft one, 00 to 01 a soft one.
    cost = TransitionCost.from_pulses(soft=0.6, hard=1.0).matrix
    assert cost[0].tolist() == [0.0, 0.6, 1.6, 1.0]
    assert cost[2].tolist() == [1.0, 1.6, 0.0, 0.6]
    assert TransitionCost.from_pulses(0.6, 1.0, hard_is_msb=False).matrix[0].tolist() == [0.0, 1.6, 0.6, 1.0]


def test_stages_compose_in_order() -> None:
    encoding = Encoding("both", (SignBackup(), Rotate("payload"), Invert()))
    words = weights(50, FP16)
    by_hand = words
    for stage in encoding.stages:
        by_hand, _ = stage.encode(by_hand, FP16, "l", None)
    np.testing.assert_array_equal(encoding.encode(words, FP16).words, by_hand)
