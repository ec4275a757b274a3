"""What the encodings save on VGG16-shaped weights: shares of hard cells and savings, against recorded figures.

The recorded figures come from an independent numpy evaluation of the same model (up to 1 M samples a layer, weighted by
layer size) and are rounded to 0.001 in h and 0.1 point in saving. h must agree within 0.003, savings within 0.1 point
(plus the rounding of the record). Identities that hold for any symmetric distribution are tested as such.
"""

import numpy as np
import pytest

from cosim.noise.encodings import GroupChoice, Remap, RoundTail, SignBackup
from cosim.noise.formats import FP16, INT8
from cosim.noise.patterns import ContentCost, TransitionCost, pattern_histogram
from cosim.noise.schemes import (
    Encoding,
    delta_for_saving,
    report,
    scheme,
    total_hard_share,
    total_saving,
    write_energy,
)
from tests.noise.weights import Layer, half_words, sample, single, vgg16

DELTAS = (0.3, 0.5, 0.6, 1.0)
POINT = 0.0015  # 0.1 point, and half of the last digit of the record


def reports(encoding: Encoding, layers: tuple[Layer, ...]) -> list:
    return [report(encoding, layer.words, FP16, layer.name, layer.weight) for layer in layers]


RECORDED = [
    # scheme, group, h, saving at the four deltas, delta for 9 %, delta for 6 %
    ("sbp", 1, 0.479, (1.6, 2.5, 2.8, 4.1), None, None),
    ("sbp_rot14", 1, 0.353, (4.9, 7.4, 8.5, 12.2), 0.645, 0.385),
    ("sbp_rot14", 4, 0.382, (4.1, 6.3, 7.2, 10.3), 0.816, 0.474),
    ("sbp_rot14", 16, 0.394, (3.8, 5.8, 6.7, 9.6), 0.911, 0.522),
    ("sbp_rot16", 1, 0.387, (4.0, 6.1, 7.0, 10.0), 0.853, 0.493),
    ("sbp_rot16", 16, 0.444, (2.5, 3.8, 4.4, 6.3), 1.86, 0.927),
    ("sbp_round", 1, 0.354, (4.8, 7.4, 8.5, 12.2), 0.648, 0.387),
    ("hybrid", 1, 0.296, (6.3, 9.7, 11.1, 15.9), 0.458, 0.282),
    ("hybrid", 2, 0.317, (5.8, 8.8, 10.2, 14.6), 0.512, 0.313),
    ("hybrid", 4, 0.332, (5.4, 8.3, 9.5, 13.6), 0.560, 0.339),
    ("hybrid", 8, 0.342, (5.2, 7.9, 9.0, 13.0), 0.596, 0.359),
    ("hybrid", 16, 0.348, (5.0, 7.6, 8.8, 12.5), 0.622, 0.373),
    ("hybrid_rot16", 1, 0.315, (None, 8.9, None, None), 0.506, 0.309),
    ("hybrid_rot16", 16, 0.353, (None, 7.4, None, None), 0.646, 0.386),
    ("hybrid_4", 1, 0.290, (6.5, 9.9, 11.4, 16.3), 0.445, 0.275),
]


@pytest.mark.parametrize(("name", "group", "hard", "savings", "nine", "six"), RECORDED)
def test_scheme_on_vgg16(
    name: str,
    group: int,
    hard: float,
    savings: tuple[float | None, ...],
    nine: float | None,
    six: float | None,
) -> None:
    rows = reports(scheme(name, group), vgg16())
    before, after = total_hard_share(rows, encoded=False), total_hard_share(rows)
    assert after == pytest.approx(hard, abs=0.003)
    for delta, percent in zip(DELTAS, savings, strict=True):
        if percent is not None:
            cost = ContentCost.from_delta(delta)
            assert total_saving(rows, cost).gross == pytest.approx(percent / 100, abs=POINT)
    if nine is not None and six is not None:
        assert delta_for_saving(before, after, 0.09) == pytest.approx(nine, rel=0.03)
        assert delta_for_saving(before, after, 0.06) == pytest.approx(six, rel=0.03)


BASELINES = [
    ("fan_out", "normal", slice(None), (0.279, 0.248, 0.293, 0.180)),
    ("fan_out", "normal", slice(13), (0.266, 0.236, 0.332, 0.166)),
    ("fan_in", "normal", slice(None), (0.276, 0.248, 0.297, 0.179)),
    ("fan_in", "normal", slice(13), (0.265, 0.235, 0.334, 0.166)),
    ("fan_in", "laplace", slice(None), (0.274, 0.258, 0.288, 0.180)),
]


@pytest.mark.parametrize(("kind", "family", "part", "shares"), BASELINES)
def test_patterns_of_unencoded_weights(
    kind: str, family: str, part: slice, shares: tuple[float, ...]
) -> None:
    layers = vgg16(kind, family)[part]
    found = [pattern_histogram(layer.words, FP16).shares for layer in layers]
    total = np.average(found, axis=0, weights=[layer.weight for layer in layers])
    np.testing.assert_allclose(total, shares, atol=0.003)


def test_two_cost_ratios_are_needed_for_the_published_pair() -> None:
    # 9 % on reads and 6 % on writes: sign backup alone is excluded, every other scheme needs a ratio of 1.62 to 1.75.
    rows = reports(scheme("sbp"), vgg16())
    before, after = total_hard_share(rows, encoded=False), total_hard_share(rows)
    assert delta_for_saving(before, after, 0.09) > 5.0
    for name in ("hybrid", "sbp_round", "sbp_rot14"):
        rows = reports(scheme(name, 16), vgg16())
        after = total_hard_share(rows)
        ratio = delta_for_saving(before, after, 0.09) / delta_for_saving(before, after, 0.06)
        assert 1.60 < ratio < 1.76
    with pytest.raises(ValueError, match="no cost ratio saves 20"):
        delta_for_saving(0.5, 0.45, 0.2)


@pytest.mark.parametrize("family", ["normal", "laplace"])
@pytest.mark.parametrize("sigma", [0.003, 0.03, 0.2])
def test_identities_of_backup_and_rounding(family: str, sigma: float) -> None:
    words = half_words(sample(np.random.default_rng(9), family, sigma, 1_000_000))
    hard = {
        name: pattern_histogram(scheme(name).encode(words, FP16).words, FP16).hard_share
        for name in ("baseline", "sbp", "sbp_round")
    }
    # The sign fills one hard cell in two; rounding frees two cells that are hard in one of two words.
    assert hard["baseline"] - hard["sbp"] == pytest.approx(0.5 / 8, abs=0.0005)
    assert hard["sbp"] - hard["sbp_round"] == pytest.approx(2 * 0.5 / 8, abs=0.0005)
    row = report(scheme("sbp_round"), words, FP16)
    for delta in DELTAS:
        saving = row.saving(ContentCost.from_delta(delta))
        closed = 0.1875 * delta / (1 + delta * hard["baseline"])
        assert saving.gross == pytest.approx(closed, abs=0.001)
        assert saving.net == saving.gross


def test_uniform_words_have_half_of_the_cells_hard() -> None:
    words = np.random.default_rng(0).integers(0, 65536, 1_000_000, dtype=np.uint16)
    assert pattern_histogram(words, FP16).hard_share == pytest.approx(0.5, abs=0.001)


def test_inversion_keeps_the_share_of_hard_cells() -> None:
    row = report(scheme("invert"), single(count=100_001), FP16)
    assert row.after.hard_share == row.before.hard_share
    np.testing.assert_array_equal(row.after.counts, row.before.counts[:, ::-1])


NET = [("hybrid", 1, -9.6), ("hybrid", 2, -0.7), ("hybrid", 4, 3.5), ("hybrid", 8, 5.5), ("hybrid", 16, 6.5),
       ("sbp_rot14", 1, -1.9), ("sbp_rot14", 16, 5.7), ("sbp_round", 1, 7.3)]  # fmt: skip


@pytest.mark.parametrize(("name", "group", "percent"), NET)
def test_saving_net_of_metadata(name: str, group: int, percent: float) -> None:
    row = report(scheme(name, group), single(), FP16)
    assert row.saving(ContentCost.from_delta(0.5)).net == pytest.approx(percent / 100, abs=POINT)


@pytest.mark.parametrize(("group", "percent"), [(1, 12.5), (2, 6.25), (4, 3.13), (8, 1.56), (16, 0.78)])
def test_storage_of_metadata(group: int, percent: float) -> None:
    encoded = scheme("hybrid", group).encode(single(count=160_000), FP16)
    assert encoded.metadata_bits / (160_000 * 16) == pytest.approx(percent / 100, abs=0.00006)


REMAPPED = [("fan_out", "normal", 0.350, 7.5, 0.226, 12.4), ("fan_in", "laplace", 0.363, 7.2, 0.238, 12.1)]


@pytest.mark.parametrize(("kind", "family", "hard", "percent", "hard_round", "percent_round"), REMAPPED)
def test_one_permutation_per_position_for_the_network(
    kind: str, family: str, hard: float, percent: float, hard_round: float, percent_round: float
) -> None:
    layers, cost = vgg16(kind, family), ContentCost.from_delta(0.5)
    for stages, share, saving in (((), hard, percent), ((RoundTail(),), hard_round, percent_round)):
        plain = reports(Encoding("before", stages), layers)
        counts = sum(row.weight * row.after.position_shares for row in plain)
        rows = reports(Encoding("remap", (*stages, Remap().wired(counts))), layers)
        assert all(row.metadata_bits == 0 for row in rows)
        assert total_hard_share(rows) == pytest.approx(share, abs=0.003)
        assert total_saving(rows, cost).gross == pytest.approx(saving / 100, abs=POINT)
        fitted = reports(Encoding("remap", (*stages, Remap())), layers)
        gain = total_saving(fitted, cost).gross - total_saving(rows, cost).gross
        assert 0.0 <= gain < 0.002  # a table per layer adds about 0.1 point


def test_one_permutation_for_all_positions_saves_less() -> None:
    layers = vgg16()
    counts = sum(layer.weight * pattern_histogram(layer.words, FP16).position_shares for layer in layers)
    rows = reports(Encoding("remap", (Remap("global").wired(counts),)), layers)
    assert total_saving(rows, ContentCost.from_delta(0.5)).gross == pytest.approx(0.044, abs=POINT)


def test_position_shares_that_make_the_remap_work() -> None:
    layers = vgg16()
    shares = [pattern_histogram(layer.words, FP16).position_shares for layer in layers]
    total = np.average(shares, axis=0, weights=[layer.weight for layer in layers])
    np.testing.assert_allclose(total[0], [0.5, 0, 0.5, 0], atol=0.003)
    np.testing.assert_allclose(total[1], [0.04, 0.50, 0.47, 0], atol=0.008)
    np.testing.assert_allclose(total[2], [0.35, 0.22, 0.17, 0.27], atol=0.008)
    np.testing.assert_allclose(total[5:], 0.25, atol=0.01)


INT8_HARD = [("normal", 0.375, 0.499, 0.295), ("laplace", 0.272, 0.406, 0.195)]


@pytest.mark.parametrize(("family", "twos", "sign_magnitude", "remapped"), INT8_HARD)
def test_int8_patterns(family: str, twos: float, sign_magnitude: float, remapped: float) -> None:
    # The scale is the largest of a million draws, which itself varies: for the normal by 4 %, for Laplace by 9 % (the
    # maximum of n exponentials is Gumbel, std pi / sqrt(6) against ln n). So the mean over seeds is compared, and its
    # own spread sets the tolerance.
    found = []
    for seed in range(6):
        values = sample(np.random.default_rng(seed), family, 1.0, 1_000_000)
        words = np.rint(values / np.abs(values).max() * 127).astype(np.int8).view(np.uint8)
        rows = [
            report(scheme(n), words, INT8) for n in ("baseline", "sign_magnitude", "sign_magnitude_remap")
        ]
        found.append([row.after.hard_share for row in rows])
    mean, spread = np.mean(found, axis=0), np.std(found, axis=0, ddof=1)
    assert (np.abs(mean - [twos, sign_magnitude, remapped]) <= 0.003 + 2.0 * spread).all()
    assert (spread < 0.02).all()


TRANSITION = [("baseline", 0.747), ("sbp", 0.729), ("sbp_round", 0.654), ("hybrid", 0.690)]


@pytest.mark.parametrize(("name", "energy"), TRANSITION)
def test_transition_cost_of_overwriting_by_an_independent_block(name: str, energy: float) -> None:
    encoding, cost = scheme(name), TransitionCost.from_pulses(soft=0.6, hard=1.0)
    old, new = (encoding.encode(single(seed=seed), FP16) for seed in (1, 2))
    cells_only = TransitionCost(cost.matrix, metadata_bit_cost=0.0)
    assert write_energy(old, new, cells_only) / (8 * 1_000_000) == pytest.approx(energy, abs=0.0015)


def test_sigma_moves_the_share_but_hardly_the_saving() -> None:
    cost, shares, savings = ContentCost.from_delta(0.5), [], []
    for sigma in (0.003, 0.01, 0.03, 0.1):
        row = report(Encoding("h", (SignBackup(), GroupChoice())), single(sigma, 300_000), FP16)
        shares.append(row.before.hard_share)
        savings.append(row.saving(cost).gross)
    assert np.ptp(savings) < 0.014  # within +-0.7 point
    wide, narrow = (pattern_histogram(single(s), FP16).hard_share for s in (0.2, 0.03))
    assert wide == pytest.approx(0.48, abs=0.006)
    assert narrow == pytest.approx(0.58, abs=0.006)
