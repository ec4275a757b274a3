"""Error probabilities of a magnetic cell from its thermal stability: retention, read disturb, accumulation.

A junction with stability factor Delta = E_b / (k_B T) leaves its state at the rate exp(-Delta) / tau0 (Neel, Annales de
Geophysique 5, 1949; Brown, Physical Review 130, 1677, 1963, doi 10.1103/PhysRev.130.1677). Over a time t

    P(t) = 1 - exp(-(t / tau0) exp(-Delta))                                                (1)

is the probability that it has left it at least once. A return within t is not counted, so (1) overstates the chance
of a wrong bit once P is no longer small (the limit would be 1/2). ``tau0_s``, the attempt time, is 1 ns by convention.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

ATTEMPT_TIME_S = 1e-9
Real = float | npt.NDArray[np.float64]


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)


def retention_failure(delta: Real, age_s: Real, tau0_s: float = ATTEMPT_TIME_S) -> Any:
    """Equation 1: probability [float or array] that a cell of stability ``delta`` has switched after ``age_s``.

    Raises ValueError for a stability or time below zero. Keeps its accuracy down to 1e-300 (expm1).
    """
    _require(bool(np.all(np.asarray(delta) >= 0)), f"thermal stability {delta}: must not be negative")
    _require(bool(np.all(np.asarray(age_s) >= 0)), f"age {age_s} s: must not be negative")
    _require(tau0_s > 0, f"attempt time {tau0_s} s: must be positive")
    return -np.expm1(-np.asarray(age_s) / tau0_s * np.exp(-np.asarray(delta)))[()]


def delta_for_failure(probability: float, age_s: float, tau0_s: float = ATTEMPT_TIME_S) -> float:
    """Stability at which equation 1 gives that probability: ln(t / (tau0 * -ln(1 - P)))."""
    _require(0.0 < probability < 1.0, f"failure probability {probability} is outside (0, 1)")
    _require(age_s > 0 and tau0_s > 0, f"age {age_s} s and attempt time {tau0_s} s: must be positive")
    return float(np.log(age_s / tau0_s) - np.log(-np.log1p(-probability)))


def delta_at_temperature(delta: float, given_at_k: float, wanted_at_k: float) -> float:
    """Delta = E_b / (k_B T) with the barrier E_b taken as constant; temperatures in kelvin.

    The barrier itself falls with temperature (through magnetisation and anisotropy), so far from ``given_at_k`` this is
    optimistic on the hot side.
    """
    _require(
        given_at_k > 0 and wanted_at_k > 0, f"temperatures {given_at_k}, {wanted_at_k} K: must be positive"
    )
    return delta * given_at_k / wanted_at_k


def effective_delta(mean: float, sigma: float) -> float:
    """One stability that stands for a normal spread while errors are rare: mean - sigma^2 / 2.

    For exp(-Delta) t / tau0 << 1 equation 1 is linear in exp(-Delta), whose mean over N(mean, sigma) is
    exp(-mean + sigma^2 / 2).
    """
    _require(sigma >= 0, f"spread of the thermal stability {sigma}: must not be negative")
    return mean - sigma * sigma / 2.0


def spread_failure(mean: float, sigma: float, age_s: float, tau0_s: float = ATTEMPT_TIME_S) -> float:
    """Equation 1 averaged over cells whose stability is normal, N(mean, sigma), at any error level.

    Trapezoidal rule over +-(12 + sigma) standard deviations, which converges exponentially for such integrands; the
    part of the normal below Delta = 0 counts as Delta = 0.
    """
    if sigma == 0.0:
        return float(retention_failure(mean, age_s, tau0_s))
    _require(sigma > 0, f"spread of the thermal stability {sigma}: must not be negative")
    reach = 12.0 + sigma
    z = np.linspace(-reach, reach, 8001)
    density = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    values = density * retention_failure(np.maximum(mean + sigma * z, 0.0), age_s, tau0_s)
    return float(np.trapezoid(values, z))


def read_disturb(delta: float, current_ratio: float, pulse_s: float, tau0_s: float = ATTEMPT_TIME_S) -> float:
    """Probability that one read switches the cell: equation 1 with the barrier lowered to Delta (1 - I / Ic0).

    ``current_ratio`` = read current / critical current, below 1: the thermal-activation regime, in which cache studies
    model retention, read disturb and write failure together (e.g. arXiv 2201.02855). From 1 on the form does not hold
    and the call is refused.
    """
    _require(
        0.0 <= current_ratio < 1.0,
        f"read current / critical current {current_ratio} is outside [0, 1): no thermal activation",
    )
    return float(retention_failure(delta * (1.0 - current_ratio), pulse_s, tau0_s))


def accumulated(probability: float, times: float) -> float:
    """Chance of at least one event in ``times`` independent trials: 1 - (1 - p)^n, exact for small p."""
    _require(0.0 <= probability <= 1.0, f"probability {probability} is outside [0, 1]")
    _require(times >= 0, f"number of trials {times}: must not be negative")
    if probability == 1.0:
        return 1.0 if times > 0 else 0.0
    return float(-np.expm1(times * np.log1p(-probability)))


def chance_of_bad_use(probability: float, accesses: int, persistent: bool) -> float:
    """Chance that a value read ``accesses`` times is wrong at least once.

    A persistent error (write, retention, stuck cell) is there in every read or in none: p. A transient read error is
    drawn anew each time: 1 - (1 - p)^accesses.
    """
    if persistent:
        _require(0.0 <= probability <= 1.0, f"probability {probability} is outside [0, 1]")
        return probability if accesses > 0 else 0.0
    return accumulated(probability, accesses)
