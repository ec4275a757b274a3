"""Channels: unbiased counts, where errors fall, streams and persistence, refusals.

Statistical bounds are exact binomial standard deviations; at fixed seeds a correct channel passes always, and 4.5 of
them would stop a correct one in 7 of a million seeds. The samples are sized so that an error of 1 % in a rate is seen.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from cosim.noise import channels as ch
from cosim.noise.formats import BF16, FP16, FP32, INT4, INT8, StorageFormat, bit_masks, fixed_point, to_words
from cosim.noise.inject import Channel, Stream, inject, inject_tensor, inject_values
from cosim.noise.patterns import transition_counts
from cosim.noise.retention import retention_failure

WORDS = 1 << 22


def within(count: int, trials: int, rate: float, sigmas: float = 4.5) -> bool:
    return abs(count - trials * rate) <= sigmas * math.sqrt(trials * rate * (1 - rate))


def flips_of(words: np.ndarray, channel: Channel, fmt: StorageFormat = FP16, seed: int = 1) -> np.ndarray:
    return words ^ inject(words, fmt, [channel], Stream(seed, "t")).words


@pytest.mark.parametrize("rate", [1e-2, 1e-3, 0.3])
def test_uniform_rate_is_unbiased_everywhere(rate: float) -> None:
    words = np.zeros(WORDS, np.uint16)
    changed = flips_of(words, ch.UniformFlips(rate))
    assert within(int(np.bitwise_count(changed).sum()), 16 * WORDS, rate)
    for bit in range(16):
        assert within(int((changed >> bit & 1).sum()), WORDS, rate)
    for part in np.split(changed, 16):  # a bias at block edges would show in a part
        assert within(int(np.bitwise_count(part).sum()), WORDS, rate)
    neighbours = int(np.bitwise_count(changed & (changed << np.uint16(1))).sum())
    assert within(neighbours, 15 * WORDS, rate * rate)  # errors do not attract nor repel


def test_rare_errors_are_drawn_not_truncated() -> None:
    # A tensor that expects 0.02 errors: over 20 000 tensors the number hit and its spread are Poisson's.
    words = np.zeros(2000, np.uint16)
    counts = [
        inject(words, FP16, [ch.UniformFlips(0.02 / 32_000)], Stream(7, f"layer{i}")).changed[0]
        for i in range(20_000)
    ]
    assert within(sum(counts), 20_000, 0.02)
    assert within(sum(c > 0 for c in counts), 20_000, -math.expm1(-0.02))


def test_counts_vary_as_a_binomial() -> None:
    words = np.zeros(2000, np.uint16)
    channel = ch.UniformFlips(1e-3)
    counts = np.array([inject(words, FP16, [channel], Stream(seed, "t")).changed[0] for seed in range(4000)])
    mean, variance = 32.0, 32.0 * 0.999
    assert abs(counts.mean() - mean) < 4.5 * math.sqrt(variance / 4000)
    assert abs(counts.var(ddof=1) / variance - 1.0) < 4.5 * math.sqrt(2.0 / 4000)


def test_zero_rate_and_untouched_tensors_come_back_themselves() -> None:
    words = to_words(np.linspace(-1, 1, 1001), FP16)
    for channel in (
        ch.UniformFlips(0.0),
        ch.PositionFlips((0.0,) * 16),
        ch.AsymmetricFlips(0.0, 0.0),
        ch.PatternErrors((0.0,) * 4),
        ch.StuckAt(0.0, 0.5),
        ch.RetentionFlips(age_s=0.0, delta=40),
        ch.UniformFlips(1e-14),
    ):
        result = inject(words, FP16, [channel], Stream(0, "w"))
        assert result.words is words
        assert result.changed == (0,)


def test_in_place_and_copy() -> None:
    words = np.zeros(1000, np.uint16)
    copied = inject(words, FP16, [ch.UniformFlips(0.1)], Stream(0, "w"))
    assert not words.any()
    owned = inject(words, FP16, [ch.UniformFlips(0.1)], Stream(0, "w"), in_place=True)
    assert owned.words is words
    np.testing.assert_array_equal(words, copied.words)


def test_asymmetric_rates() -> None:
    rng = np.random.default_rng(0)
    words = rng.integers(0, 65536, WORDS, dtype=np.uint16)
    changed = flips_of(words, ch.AsymmetricFlips(0.02, 0.005))
    ones = int(np.bitwise_count(words).sum())
    assert within(int(np.bitwise_count(changed & ~words).sum()), 16 * WORDS - ones, 0.02)
    assert within(int(np.bitwise_count(changed & words).sum()), ones, 0.005)


def test_rates_by_position_and_chosen_positions() -> None:
    words = np.zeros(WORDS, np.uint16)
    rates = tuple([0.01] * 4 + [0.0] * 8 + [0.003] * 3 + [0.05])
    changed = flips_of(words, ch.PositionFlips(rates))
    for bit, rate in enumerate(rates):
        assert (
            within(int((changed >> bit & 1).sum()), WORDS, rate) if rate else not (changed >> bit & 1).any()
        )
    sign_only = flips_of(words, ch.UniformFlips(0.01, positions=(15,)))
    assert not (sign_only & 0x7FFF).any()
    assert within(int((sign_only >> 15).sum()), WORDS, 0.01)


@pytest.mark.parametrize("hard_is_msb", [True, False])
def test_soft_and_hard_bits(hard_is_msb: bool) -> None:
    changed = flips_of(np.zeros(WORDS, np.uint16), ch.SoftHardFlips(1.5e-8, 3.5e-3, hard_is_msb))
    hard, soft = (0xAAAA, 0x5555) if hard_is_msb else (0x5555, 0xAAAA)
    assert within(int(np.bitwise_count(changed & hard).sum()), 8 * WORDS, 3.5e-3)
    assert int(np.bitwise_count(changed & soft).sum()) <= 4  # 0.5 expected


def test_errors_by_pattern() -> None:
    words = np.random.default_rng(1).integers(0, 65536, WORDS, dtype=np.uint16)
    rates = (0.0, 0.01, 0.004, 0.0005)
    after = inject(words, FP16, [ch.PatternErrors(rates, soft_share=0.25)], Stream(2, "t")).words
    moved = transition_counts(words, after)
    for pattern, rate in enumerate(rates):
        total = int(moved[pattern].sum())
        assert within(int(moved[pattern, pattern ^ 1]), total, rate * 0.25)
        assert within(int(moved[pattern, pattern ^ 2]), total, rate * 0.75)
        assert moved[pattern, pattern ^ 3] == 0


def test_confusion_rows_are_the_found_states() -> None:
    matrix = (
        (0.97, 0.01, 0.02, 0.0),
        (0.0, 1.0, 0.0, 0.0),
        (0.004, 0.0, 0.99, 0.006),
        (0.05, 0.0, 0.0, 0.95),
    )
    words = np.random.default_rng(3).integers(0, 65536, WORDS, dtype=np.uint16)
    after = inject(words, FP16, [ch.StateConfusion(matrix)], Stream(4, "t")).words
    moved = transition_counts(words, after)
    for state in range(4):
        for target in range(4):
            assert within(int(moved[state, target]), int(moved[state].sum()), matrix[state][target])


def test_equivalent_uniform_rate_of_the_content_model() -> None:
    # One bit of two flips in a hard cell: per bit p h / 2 (h = 0.54 and p = 1e-2 make 2.7e-3).
    words = np.random.default_rng(5).integers(0, 65536, WORDS, dtype=np.uint16)
    changed = flips_of(words, ch.PatternErrors((0.0, 1e-2, 1e-2, 0.0)))
    hard = int(np.bitwise_count((words ^ (words >> np.uint16(1))) & np.uint16(0x5555)).sum())
    assert within(int(np.bitwise_count(changed).sum()), hard, 1e-2)


def test_level_shift_in_a_gray_order() -> None:
    channel = ch.level_shift(up=(0.1, 0.2, 0.0, 0.0), down=(0.0, 0.0, 0.3, 0.4), levels=(0, 1, 3, 2))
    table = np.array(channel.matrix)
    assert table[0].tolist() == [0.9, 0.1, 0, 0]
    assert table[1].tolist() == [0, 0.8, 0, 0.2]
    assert table[3].tolist() == pytest.approx([0, 0.3, 0, 0.7])
    assert table[2].tolist() == pytest.approx([0, 0, 0.6, 0.4])
    with pytest.raises(ValueError, match="the top level cannot rise"):
        ch.level_shift((0, 0, 0, 0.1), (0, 0, 0, 0), (0, 1, 2, 3))


def test_stuck_cells_stay_whatever_is_written() -> None:
    channel = ch.StuckAt(0.01, share_of_ones=0.3)
    maps = []
    for generation, fill in ((0, 0), (5, 0xFFFF)):
        words = np.full(WORDS // 8, fill, np.uint16)
        maps.append(flips_of_generation(words, channel, generation))
    assert not (maps[0] & maps[1]).any()  # a cell is stuck at one value
    bits = 2 * WORDS
    assert within(int(np.bitwise_count(maps[0]).sum()), bits, 0.003)
    assert within(int(np.bitwise_count(maps[1]).sum()), bits, 0.007)


def flips_of_generation(words: np.ndarray, channel: Channel, generation: int) -> np.ndarray:
    return words ^ inject(words, FP16, [channel], Stream(1, "t", generation=generation)).words


@pytest.mark.parametrize(
    ("persistence", "same_read", "same_write"),
    [("permanent", True, True), ("persistent", True, False), ("transient", False, False)],
)
def test_which_event_redraws_errors(persistence: ch.Persistence, same_read: bool, same_write: bool) -> None:
    words = np.zeros(4000, np.uint16)
    channel = ch.UniformFlips(0.01, persistence=persistence)

    def at(**event: int) -> np.ndarray:
        return inject(words, FP16, [channel], Stream(3, "conv1", **event)).words

    assert np.array_equal(at(), at())
    assert np.array_equal(at(access=0), at(access=1)) == same_read
    assert np.array_equal(at(generation=0), at(generation=1)) == same_write


def test_transient_errors_add_up_over_reads() -> None:
    words, reads, rate = np.zeros(20_000, np.uint16), 50, 1e-3
    bad = np.zeros_like(words)
    for access in range(reads):
        bad |= inject(
            words, FP16, [ch.UniformFlips(rate, persistence="transient")], Stream(0, "t", access=access)
        ).words
    assert within(int(np.bitwise_count(bad).sum()), 16 * words.size, 1 - (1 - rate) ** reads)


def test_streams_differ_by_seed_tensor_and_channel() -> None:
    words = np.zeros(4000, np.uint16)
    channel = ch.UniformFlips(0.01)
    one = inject(words, FP16, [channel], Stream(0, "a")).words
    for other in (Stream(1, "a"), Stream(0, "b")):
        assert not np.array_equal(one, inject(words, FP16, [channel], other).words)
    twice = inject(words, FP16, [channel, channel], Stream(0, "a"))
    assert (
        np.bitwise_count(twice.words).sum() > 1.5 * np.bitwise_count(one).sum()
    )  # not the same flips undone


@pytest.mark.parametrize(
    "channel",
    [
        ch.UniformFlips(3e-3),
        ch.PatternErrors((0.001, 0.01, 0.02, 0.0)),
        ch.StuckAt(0.01, 0.5),
        ch.AsymmetricFlips(0.01, 0.001),
    ],
)
def test_chunks_meet_the_errors_of_the_whole(channel: Channel) -> None:
    words = np.random.default_rng(0).integers(0, 65536, 10_007, dtype=np.uint16)
    whole = inject(words, FP16, [channel], Stream(2, "t")).words
    for size in (1, 999, 4096):
        order = np.random.default_rng(size).permutation(range(0, words.size, size if size > 1 else 2500))
        step = size if size > 1 else 2500
        parts = words.copy()
        for low in order:
            part = np.ascontiguousarray(words[low : low + step])
            parts[low : low + step] = inject(part, FP16, [channel], Stream(2, "t"), first_word=int(low)).words
        np.testing.assert_array_equal(parts, whole)


@pytest.mark.parametrize("fmt", [FP32, FP16, BF16, INT8, INT4, fixed_point(2, 14), fixed_point(1, 6)])
def test_only_stored_bits_are_hit_in_every_format(fmt: StorageFormat) -> None:
    words = np.zeros(1 << 17, fmt.word_type)
    changed = flips_of(words, ch.UniformFlips(0.02), fmt)
    mask = int(np.bitwise_or.reduce(bit_masks(fmt)))
    assert not (changed & ~fmt.word_type(mask)).any()
    assert within(int(np.bitwise_count(changed).sum()), words.size * fmt.stored_bits_per_word, 0.02)


def test_values_through_memory() -> None:
    values = np.random.default_rng(0).normal(0, 0.1, (30, 7)).astype(np.float16)
    same = inject_values(values, FP16, [ch.UniformFlips(0.0)], Stream(0, "w"))
    np.testing.assert_array_equal(same, values)
    negated = inject_values(values, FP16, [ch.UniformFlips(1.0, positions=(15,))], Stream(0, "w"))
    np.testing.assert_array_equal(negated, -values)


@pytest.mark.parametrize(
    "torch_type", [torch.float32, torch.float16, torch.bfloat16, torch.int8, torch.uint8]
)
def test_torch_tensors(torch_type: torch.dtype) -> None:
    tensor = (torch.arange(-40, 40).reshape(8, 10) / 7).to(torch_type)
    assert inject_tensor(tensor, [ch.UniformFlips(0.0)], Stream(0, "w")) is tensor
    top = 8 * tensor.element_size() - 1
    after = inject_tensor(tensor, [ch.UniformFlips(1.0, positions=(top,))], Stream(0, "w"))
    assert after.dtype == tensor.dtype
    assert after.shape == tensor.shape
    if tensor.is_floating_point():
        assert torch.equal(after, -tensor)
    else:
        assert torch.equal(after.to(torch.int16) & 255 ^ 128, tensor.to(torch.int16) & 255)
    with pytest.raises(ValueError, match=r"torch\.int64 is not one of"):
        inject_tensor(torch.zeros(3, dtype=torch.int64), [ch.UniformFlips(0.1)], Stream(0, "w"))


def test_retention_and_disturb_channels_use_their_formulas() -> None:
    channel = ch.RetentionFlips(age_s=3600.0, delta=30.0)
    assert channel.rate == pytest.approx(float(retention_failure(30.0, 3600.0)), rel=1e-12, abs=0.0)
    hot = ch.RetentionFlips(age_s=1.0, delta=40.0, delta_at_k=300.0, temperature_k=360.0)
    assert hot.rate == pytest.approx(float(retention_failure(40.0 * 300 / 360, 1.0)), rel=1e-12, abs=0.0)
    disturb = ch.ReadDisturb(delta=40.0, current_ratio=0.5, pulse_s=5e-9, reads=1e6)
    assert disturb.rate == pytest.approx(-math.expm1(-1e6 * 5 * math.exp(-20)), rel=1e-6, abs=0.0)
    changed = flips_of(np.full(WORDS // 8, 0x00FF, np.uint16), disturb)
    assert not (changed & 0xFF00).any()  # zeros are not disturbed
    assert within(int(np.bitwise_count(changed).sum()), WORDS, disturb.rate)


REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: ch.UniformFlips(1.5), r"uniform flips: rate 1.5 is outside \[0, 1\]"),
    (lambda: ch.UniformFlips(-1e-9), r"outside \[0, 1\]"),
    (lambda: ch.UniformFlips(math.nan), r"outside \[0, 1\]"),
    (lambda: ch.PositionFlips((0.0, 2.0)), "flips at bit 1: rate 2.0"),
    (lambda: ch.PositionFlips((0.1,) * 8).passes(FP16), "8 bit rates given; fp16 has 16 bits"),
    (lambda: ch.AsymmetricFlips(0.1, 1.1), "flips 1 to 0: rate 1.1"),
    (lambda: ch.PatternErrors((0.1, 0.1, 0.1)), "3 rates given; a 2-bit cell has four patterns"),
    (lambda: ch.PatternErrors((0.1, 0.1, 0.1, 7)), "errors of pattern 11: rate 7"),
    (lambda: ch.StateConfusion(((1.0, 0.0, 0.0),) * 3), "a square table of 2, 4 or 16 is needed"),
    (lambda: ch.StateConfusion(((0.9, 0.0), (0.0, 1.0))), "row of state 0 sums to 0.9"),
    (lambda: ch.StuckAt(0.1, 1.2), "share of cells stuck at one: rate 1.2"),
    (lambda: ch.SoftHardFlips(0.1, 0.1).passes(fixed_point(1, 6)), "q1.6 has 7 bits"),
    (lambda: ch.require_field({"name": "sram", "delta": 40}, "confusion", "state confusion"),
     "technology 'sram' has no field 'confusion', which state confusion needs; it has: delta, name"),
    (lambda: inject(np.zeros((2, 2), np.uint16), FP16, [], Stream(0, "t")), "contiguous 1-d array of uint16"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_refusals(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_fields_that_are_there_are_given() -> None:
    assert ch.require_field({"name": "x", "delta": 40.0}, "delta", "retention") == 40.0
