"""Statistics of trials against published formulas, an independent implementation and recorded figures."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cosim.noise.trials import leveugle_trials, quantile, summarise, t_interval, wilson


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_scipys(case: tuple[int, int]) -> None:
    hits, trials = case
    other = stats.binomtest(hits, trials).proportion_ci(0.95, "wilson")
    assert wilson(hits, trials) == (pytest.approx(other.low, abs=1e-12), pytest.approx(other.high, abs=1e-12))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40))
def test_interval_and_quantile_are_scipys_and_numpys(values: list[float]) -> None:
    spread = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    reach = float(stats.t.ppf(0.975, len(values) - 1)) * spread
    low, high = t_interval(values)
    assert low == pytest.approx(np.mean(values) - reach, abs=1e-9)
    assert high == pytest.approx(np.mean(values) + reach, abs=1e-9)
    assert quantile(values, 0.05) == pytest.approx(np.quantile(values, 0.05), abs=1e-12)


@pytest.mark.parametrize(
    ("margin", "confidence", "trials"),
    [(0.05, 0.95, 384), (0.05, 0.99, 663), (0.01, 0.95, 9604), (0.01, 0.99, 16587), (0.001, 0.95, 960_000)],
)
def test_single_fault_campaigns_of_leveugle(margin: float, confidence: float, trials: int) -> None:
    """The bits of VGG16 in half precision (2.2e9); t of three digits gives 385, 664, 9604, 16590, 9.6e5."""
    assert leveugle_trials(2.2e9, margin, confidence) == pytest.approx(trials, abs=max(1.0, 2e-3 * trials))
    assert leveugle_trials(100, 0.05) == round(100 / (1 + 0.0025 * 99 / (1.96**2 * 0.25)))


def test_a_bimodal_result_shows_in_the_tail_and_not_in_the_mean_alone() -> None:
    found = summarise([0.97] * 28 + [0.175, 0.3], 0.97)
    assert found.mean == pytest.approx((0.97 * 28 + 0.475) / 30)
    assert found.minimum == 0.175
    assert found.loss_probability == pytest.approx(2 / 30)
    assert (found.loss_low, found.loss_high) == wilson(2, 30)
    assert found.quantile_5 == pytest.approx(0.3 + 0.45 * 0.67)


def test_a_loss_of_one_percent_exactly_is_no_loss() -> None:
    assert summarise([0.96, 0.96], 0.97).loss_probability == 0.0
    assert summarise([0.9599], 0.97).loss_probability == 1.0


@pytest.mark.parametrize(
    "call",
    [
        lambda: wilson(3, 2),
        lambda: wilson(0, 0),
        lambda: t_interval([]),
        lambda: leveugle_trials(10, 0.05, 0.5),
        lambda: leveugle_trials(0, 0.05),
    ],
)
def test_what_makes_no_sense_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"need|no values|allowed"):
        call()
