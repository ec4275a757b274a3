"""Retention, read disturb and accumulation against tabulated values of the formulas and their limits."""

import math

import pytest
from scipy import integrate
from scipy.stats import norm

from cosim.noise import retention as r

TIMES_S = (1e-3, 1.0, 3600.0, 30 * 86400.0, 10 * 365.25 * 86400.0)
# Two digits of 1 - exp(-(t / 1 ns) exp(-Delta)).
TABLE = {
    25: (1.4e-5, 1.4e-2, 1, 1, 1),
    30: (9.4e-8, 9.4e-5, 0.286, 1, 1),
    35: (6.3e-10, 6.3e-7, 2.3e-3, 0.80, 1),
    40: (4.2e-12, 4.2e-9, 1.5e-5, 1.1e-2, 0.74),
    45: (2.9e-14, 2.9e-11, 1.0e-7, 7.4e-5, 9.0e-3),
    50: (None, 1.9e-13, 6.9e-10, 5.0e-7, 6.1e-5),
    60: (None, None, 3.2e-14, 2.3e-11, 2.8e-9),
}


@pytest.mark.parametrize("delta", TABLE)
def test_table(delta: int) -> None:
    for age, value in zip(TIMES_S, TABLE[delta], strict=True):
        if value is not None:
            assert r.retention_failure(delta, age) == pytest.approx(value, rel=0.035, abs=0.0)


@pytest.mark.parametrize(
    ("age", "delta"), [(TIMES_S[0], 34.5), (TIMES_S[1], 41.4), (TIMES_S[2], 49.6), (TIMES_S[4], 61.0)]
)
def test_stability_for_one_in_a_billion(age: float, delta: float) -> None:
    found = r.delta_for_failure(1e-9, age)
    assert found == pytest.approx(delta, abs=0.05)
    assert r.retention_failure(found, age) == pytest.approx(1e-9, rel=1e-9, abs=0.0)


def test_small_probabilities_keep_their_digits() -> None:
    assert r.retention_failure(100.0, 1.0) == pytest.approx(1e9 * math.exp(-100.0), rel=1e-12, abs=0.0)
    assert r.retention_failure(40.0, 0.0) == 0.0


def test_spread_against_quadrature_and_effective_stability() -> None:
    for mean, sigma, age in ((40.0, 2.0, 1.0), (40.0, 4.0, 3600.0), (30.0, 3.0, 3600.0)):
        exact, _ = integrate.quad(
            lambda d: norm.pdf(d, mean, sigma) * r.retention_failure(max(d, 0.0), age),  # noqa: B023
            mean - 14 * sigma,
            mean + 10 * sigma,
            points=[mean - sigma**2, math.log(age / 1e-9)],
            limit=400,
        )
        assert r.spread_failure(mean, sigma, age) == pytest.approx(exact, rel=1e-6, abs=0.0)
    # In the low-error regime one stability stands for the spread: mean - sigma^2 / 2.
    rare = r.spread_failure(50.0, 2.0, 1.0)
    assert rare == pytest.approx(r.retention_failure(r.effective_delta(50.0, 2.0), 1.0), rel=1e-3, abs=0.0)
    assert r.spread_failure(40.0, 0.0, 1.0) == r.retention_failure(40.0, 1.0)


def test_temperature_scales_the_stability() -> None:
    assert r.delta_at_temperature(60.0, 300.0, 360.0) == pytest.approx(50.0)


def test_read_disturb_lowers_the_barrier() -> None:
    assert r.read_disturb(40.0, 0.0, 1.0) == r.retention_failure(40.0, 1.0)
    assert r.read_disturb(60.0, 0.5, 1e-9) == pytest.approx(math.exp(-30.0), rel=1e-9, abs=0.0)


def test_accumulation() -> None:
    assert r.accumulated(1e-18, 1e6) == pytest.approx(1e-12, rel=1e-9, abs=0.0)
    assert r.accumulated(0.5, 2) == pytest.approx(0.75)
    assert r.accumulated(1.0, 3) == 1.0
    assert r.accumulated(1.0, 0) == 0.0
    assert r.chance_of_bad_use(1e-3, 10, persistent=True) == 1e-3
    assert r.chance_of_bad_use(1e-3, 10, persistent=False) == pytest.approx(1 - 0.999**10)
    assert r.chance_of_bad_use(0.3, 0, persistent=True) == 0.0


def test_refusals() -> None:
    for call, message in (
        (lambda: r.retention_failure(-1.0, 1.0), "thermal stability -1.0: must not be negative"),
        (lambda: r.retention_failure(40.0, -1.0), "age -1.0 s"),
        (lambda: r.retention_failure(40.0, 1.0, 0.0), "attempt time 0.0 s"),
        (lambda: r.delta_for_failure(1.0, 1.0), r"outside \(0, 1\)"),
        (lambda: r.read_disturb(40.0, 1.0, 1e-9), "no thermal activation"),
        (lambda: r.accumulated(1.2, 3), r"probability 1.2 is outside \[0, 1\]"),
        (lambda: r.spread_failure(40.0, -1.0, 1.0), "spread of the thermal stability -1.0"),
        (lambda: r.delta_at_temperature(40.0, 0.0, 300.0), "must be positive"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
