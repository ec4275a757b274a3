"""Intervals of ratios: what speed-ups and energy ratios are worth when parameters are known between two ends only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUANTILES = (0.05, 0.95)
DEFAULT_DRAWS = 256


@dataclass(frozen=True)
class Interval:
    """Median and 5 % and 95 % quantiles over all draws; ``wins`` is the share of draws above 1."""

    low: float
    median: float
    high: float
    wins: float

    def to_json(self) -> dict[str, float]:
        """Plain form."""
        return {"p05": self.low, "median": self.median, "p95": self.high, "share_above_1": self.wins}


def interval(answers: NDArray[np.float64]) -> Interval:
    """Quantiles of the answers, shape (draws,); raises ``ValueError`` for none."""
    if answers.size == 0:
        raise ValueError("an interval needs at least one draw, found none")
    low, median, high = (float(q) for q in np.quantile(answers, (QUANTILES[0], 0.5, QUANTILES[1])))
    return Interval(low, median, high, float((answers > 1).mean()))


@dataclass(frozen=True)
class RatioIntervals:
    """Intervals of a baseline's time and energy over a machine's."""

    speedup: Interval
    energy_ratio: Interval


@dataclass(frozen=True)
class Uncertainty:
    """Intervals of a comparison, from draws of every parameter that states a range.

    Attributes
    ----------
    draws, seed: how many, and the seed of the scrambled Sobol sequence that they come from
    ratios:      by (machine, workload)
    means:       by machine, of the geometric means: one draw of a machine holds for all its networks
    parameters:  by machine, how many were drawn, those of the baseline included
    left_out:    by machine, draws in which some layer did not fit
    without:     by machine, why it has no interval
    """

    draws: int
    seed: int
    ratios: Mapping[tuple[str, str], RatioIntervals]
    means: Mapping[str, RatioIntervals]
    parameters: Mapping[str, int]
    left_out: Mapping[str, int]
    without: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Plain form; the intervals themselves are in the rows of the comparison."""
        return {
            "draws": self.draws,
            "seed": self.seed,
            "quantiles": list(QUANTILES),
            "parameters": dict(self.parameters),
            "left_out": dict(self.left_out),
            "without": dict(self.without),
        }
