"""What repeated trials say: means with intervals, tails, and how many trials are needed.

A mean with an interval hides what errors do to a network: at some rates most trials lose nothing and a few lose
everything. So the smallest value, the 5 % quantile and the probability of a loss are reported beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
TAIL = 0.05
LOSS = 0.01
_Z95 = 1.959963984540054
# two-sided normal quantiles of the confidences in use
_NORMAL = {0.90: 1.6448536269514722, 0.95: _Z95, 0.99: 2.5758293035489004, 0.998: 3.090232306167813}


def wilson(hits: int, trials: int, z: float = _Z95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson, JASA 22, 1927, doi 10.1080/01621459.1927.10502953):

        (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)                             (1)

    ValueError unless 0 <= hits <= trials and trials >= 1.
    """
    if not 0 <= hits <= trials or trials < 1:
        raise ValueError(
            f"Wilson interval: {hits} of {trials}; need 0 <= hits <= trials and a trial at least"
        )
    p, square = hits / trials, z * z / trials
    middle = (p + square / 2) / (1 + square)
    reach = z / (1 + square) * math.sqrt(p * (1 - p) / trials + square / (4 * trials))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def t_interval(values: Sequence[float]) -> tuple[float, float]:
    """Student's interval of the mean at 95 %; a single value has none and gives (-inf, inf)."""
    count = len(values)
    if not count:
        raise ValueError("interval of no values")
    if count == 1:
        return -math.inf, math.inf
    from scipy.special import stdtrit

    mean = sum(values) / count
    spread = math.sqrt(sum((v - mean) ** 2 for v in values) / (count - 1) / count)
    reach = float(stdtrit(count - 1, 0.5 + CONFIDENCE / 2)) * spread
    return mean - reach, mean + reach


def quantile(values: Sequence[float], share: float) -> float:
    """Quantile by linear interpolation between order statistics (Hyndman and Fan's definition 7)."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


@dataclass(frozen=True)
class Summary:
    """Accuracy over trials. ``low``, ``high``: t interval of the mean at 95 %, within [0, 1]. ``loss_probability``:
    share of trials more than 1 % (absolute) below the reference, with its Wilson interval."""

    trials: int
    mean: float
    low: float
    high: float
    minimum: float
    quantile_5: float
    loss_probability: float
    loss_low: float
    loss_high: float


def summarise(values: Sequence[float], reference: float) -> Summary:
    """Summary of the accuracies of trials against the accuracy without errors."""
    low, high = t_interval(values)
    # a drop of exactly 1 % is none above it; the guard is for the last bit of a difference of two ratios
    losses = sum(reference - value > LOSS + 1e-12 for value in values)
    loss_low, loss_high = wilson(losses, len(values))
    return Summary(
        trials=len(values),
        mean=sum(values) / len(values),
        low=max(0.0, low),
        high=min(1.0, high),
        minimum=min(values),
        quantile_5=quantile(values, TAIL),
        loss_probability=losses / len(values),
        loss_low=loss_low,
        loss_high=loss_high,
    )


def leveugle_trials(population: float, margin: float, confidence: float = 0.95, p: float = 0.5) -> int:
    """Faults to inject one at a time, drawn from ``population`` possible ones, for an error ``margin``:

        n = N / (1 + e^2 (N - 1) / (t^2 p (1 - p)))                                           (2)

    with t the normal quantile of the confidence (Leveugle, Calvez, Maistri, Vanhauwaert, DATE 2009,
    doi 10.1109/DATE.2009.5090716). ``p`` = 0.5 is the worst case. ValueError for a confidence that is not tabulated.
    """
    if confidence not in _NORMAL:
        raise ValueError(f"confidence {confidence}: allowed {', '.join(map(str, _NORMAL))}")
    if population < 1 or not 0.0 < margin < 1.0 or not 0.0 < p < 1.0:
        raise ValueError(
            f"population {population}, margin {margin}, p {p}: need >= 1 and two numbers in (0, 1)"
        )
    t = _NORMAL[confidence]
    return round(population / (1.0 + margin**2 * (population - 1.0) / (t * t * p * (1.0 - p))))
