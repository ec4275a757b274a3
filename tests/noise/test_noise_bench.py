"""The naive forms behind the throughput figures do the same work; the figures themselves as ratios."""

import math

import numpy as np
import pytest

from cosim.noise import bench
from cosim.noise.formats import FP16
from cosim.noise.patterns import pattern_histogram
from cosim.noise.schemes import scheme


def test_naive_encoding_is_the_hybrid() -> None:
    words = bench.weight_words(20_000)
    out, counts = bench.naive_encode(words)
    encoded = scheme("hybrid", 1).encode(words, FP16)
    np.testing.assert_array_equal(out, encoded.words)
    np.testing.assert_array_equal(counts, pattern_histogram(encoded.words, FP16).counts)


def test_naive_injections_have_the_same_rates() -> None:
    words = bench.weight_words(200_000)
    flips = np.bitwise_count(bench.naive_uniform(words, 0.01, 1) ^ words).sum()
    assert abs(flips - 32_000) < 4.5 * math.sqrt(32_000)
    moved = bench.naive_pattern(words, (0.0, 0.02, 0.02, 0.0), 1) ^ words
    hard = pattern_histogram(words, FP16).hard_share * 8 * words.size
    assert abs(np.bitwise_count(moved).sum() - 0.02 * hard) < 4.5 * math.sqrt(0.02 * hard)


@pytest.mark.bench
@pytest.mark.parametrize("name", sorted(bench.BENCHES))
def test_figures_are_rates_with_a_ratio(name: str) -> None:
    row = bench.BENCHES[name]()
    assert row.name == name
    assert row.unit == "Gbit/s"
    assert 0 < row.value < math.inf
    assert 0 < row.ratio < math.inf
