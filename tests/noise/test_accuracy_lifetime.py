"""Wear, retention and upkeep, worked by hand; content of trained and synthetic weights."""

import math

import numpy as np
import pytest

from cosim.components.technology import TechnologyError, load_technology
from cosim.ir.layer import mac_layer
from cosim.noise.formats import FP16
from cosim.noise.lifetime import (
    SECONDS_A_YEAR,
    hottest_rewrites,
    lifetime_s,
    residence_failure,
    rewrites_per_inference,
    scrub_interval_s,
    upkeep,
)
from cosim.noise.patterns import TransitionCost
from cosim.noise.placement import PlacementError, metadata_per_bit, protection
from cosim.noise.placement_content import content_reports, network_weights, overwrite_costs, synthetic_weights


def test_lifetime_by_hand() -> None:
    """A 1 MiB buffer written 4 MiB an inference of 10 ms: four writes a cell, 1e15 writes last 79,000 years."""
    rewrites = rewrites_per_inference(4 * 8 * 2**20, 8 * 2**20)
    assert rewrites == 4.0
    assert lifetime_s(1e15, rewrites, 0.01) / SECONDS_A_YEAR == pytest.approx(79_221, rel=1e-4)
    assert lifetime_s(1e15, 0.0, 0.01) == math.inf


def test_hottest_cell_is_written_at_every_refill() -> None:
    """Halves of 50 bits: layers of 10, 100 and 120 bits take 1, 2 and 3 refills, which alternate between halves."""
    assert hottest_rewrites([10.0, 100.0, 120.0, 0.0], 100.0) == 3.0


def test_scrub_interval_is_the_inverse_of_the_loss() -> None:
    record = load_technology("stt_ram_22")
    interval = scrub_interval_s(record, 1e-9)
    assert interval == pytest.approx(1e-9 * math.exp(61) * 1e-9, rel=1e-8)
    assert residence_failure(record, interval) == pytest.approx(1e-9, rel=1e-8)
    assert interval / SECONDS_A_YEAR == pytest.approx(9.84, abs=0.01)
    assert upkeep(record, 2**19) is None, "ten years need no scrubbing"


def test_refresh_power_of_edram() -> None:
    """16.505 nJ every 40 us are 0.4126 mW at 512 KiB, half of it at 256 KiB."""
    record = load_technology("edram_32_hp")
    found = upkeep(record, 2**19)
    assert found is not None
    assert found.why == "refresh"
    assert found.interval_s == pytest.approx(40e-6)
    assert found.power_mw == pytest.approx(0.412625)
    half = upkeep(record, 2**18)
    assert half is not None
    assert half.power_mw == pytest.approx(found.power_mw / 2)


def test_unknown_stays_unknown() -> None:
    assert upkeep(load_technology("sram_22_lstp"), 2**19) is None
    with pytest.raises(TechnologyError, match=r"reliability.thermal_stability"):
        residence_failure(load_technology("reram_22"), 1.0)
    with pytest.raises(ValueError, match="need traffic"):
        rewrites_per_inference(1.0, 0.0)
    with pytest.raises(ValueError, match="must be positive"):
        lifetime_s(0.0, 1.0, 1.0)


CONV = mac_layer("c", "conv", K=64, C=3, P=8, Q=8, R=3, S=3, padding=(1, 1, 1, 1))
FC = mac_layer("f", "linear", K=1000, C=512)
SCORES = mac_layer("qk", "matmul", K=9, C=4, P=9, static_weight=False)


def test_synthetic_weights_have_the_stated_spread_and_repeat() -> None:
    conv, fc = synthetic_weights(CONV, 0), synthetic_weights(FC, 1)
    assert conv.size == 64 * 3 * 9
    assert float(conv.std()) == pytest.approx(math.sqrt(2 / (9 * 64)), rel=0.06)
    assert fc.size == 100_000, "a sample stands for the layer"
    assert float(fc.std()) == pytest.approx(0.01, rel=0.02)
    np.testing.assert_array_equal(conv, synthetic_weights(CONV, 0))
    assert not np.array_equal(conv, synthetic_weights(CONV, 0, seed=1))


def test_only_trained_operands_have_weights() -> None:
    assert list(network_weights([CONV, SCORES, FC])) == ["c", "f"]
    with pytest.raises(PlacementError, match="layers without trained weights: f"):
        network_weights([CONV, FC], {"c": np.zeros((64, 3, 3, 3), np.float32)})


def test_reports_weigh_layers_by_their_real_size() -> None:
    rows = content_reports([CONV, SCORES, FC], network_weights([CONV, FC]), FP16, protection("sbp_round"))
    assert [(row.layer, row.weight) for row in rows] == [("c", 1728.0), ("f", 512_000.0)]
    # sign backup and rounding: 0.1875 fewer hard cells, whatever the exponents
    assert rows[1].before.hard_share - rows[1].after.hard_share == pytest.approx(0.1875, abs=0.002)


def test_a_layer_that_an_encoding_cannot_hold_is_named() -> None:
    weights = {"c": np.full((64, 3, 3, 3), 1.5, np.float32)}
    with pytest.raises(PlacementError, match=r"layer 'c': largest \|weight\| is 1.5"):
        content_reports([CONV], weights, FP16, protection("sbp"))


RATIOS = [
    ("baseline", 0.0),
    ("sbp", 0.0),
    ("hybrid", 2 / 16),
    ("hybrid:16", 2 / 256),
    ("sbp_rot14:4", 1 / 64),
    ("baseline+secded", 1 / 8),
    ("hybrid:2+secded", 1 / 16 + 1 / 8),
]


@pytest.mark.parametrize(("text", "ratio"), RATIOS)
def test_metadata_ratio_is_what_an_encoding_stores(text: str, ratio: float) -> None:
    encoding = protection(text)
    assert metadata_per_bit(encoding, FP16) == pytest.approx(ratio)
    words = np.zeros(16_000, np.uint16)
    assert encoding.encode(words, FP16).metadata_bits / (16_000 * 16) == pytest.approx(ratio, rel=1e-3)


def test_overwriting_a_layer_by_itself_costs_nothing() -> None:
    weights = {"a": synthetic_weights(FC, 0), "b": synthetic_weights(FC, 0)}
    cost = TransitionCost.from_pulses(0.6, 1.0)
    assert set(overwrite_costs(weights, FP16, protection("hybrid"), cost).values()) == {0.0}
    other = {"a": synthetic_weights(FC, 0), "b": synthetic_weights(FC, 1)}
    found = overwrite_costs(other, FP16, protection("baseline"), cost)
    assert 0.6 < found["a"] < 0.85
