"""What the uncertainty of parameters does to a result: one at a time, all together, and where it turns.

Tornado: each parameter at both ends of its range, the others as stated. Monte Carlo: all of them drawn at once, which
gives an interval. Sobol indices (Saltelli et al., "Variance based sensitivity analysis of model output", Computer
Physics Communications 181, 2010, doi:10.1016/j.cpc.2009.09.018): the share of the variance of the result's logarithm
that a parameter explains alone (first) and together with others (total).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cosim.explore.space import sobol_points
from cosim.explore.uncertain import METRICS, Question, Uncertain
from cosim.results.files import OutputError
from cosim.results.intervals import Interval, interval

QUARTER = 0.25
SCAN_POINTS = 257
REFINEMENTS = 3

Column = NDArray[np.float64]


@dataclass(frozen=True)
class Swing:
    """A result with one parameter at the ends of its range."""

    parameter: Uncertain
    at_low: float
    at_high: float

    @property
    def factor(self) -> float:
        """Larger over smaller result."""
        low, high = sorted((self.at_low, self.at_high))
        return high / low


@dataclass(frozen=True)
class Decision:
    """Share of draws in which the machine wins, with the parameter in the lowest and highest quarter of its range."""

    parameter: Uncertain
    wins_low: float
    wins_high: float

    @property
    def weight(self) -> float:
        """How much the parameter moves the odds."""
        return abs(self.wins_high - self.wins_low)


@dataclass(frozen=True)
class Sample:
    """Draws of all parameters, shape (points, parameters) as shares of their ranges, and the answers by metric."""

    shares: Column
    answers: dict[str, Column]
    left_out: int


def tornado(question: Question) -> list[Swing]:
    """Every parameter at both ends of its range, the widest swing first."""
    count = len(question.parameters)
    columns = {}
    for index, parameter in enumerate(question.parameters):
        column = np.full(2 * count, parameter.value)
        column[2 * index : 2 * index + 2] = parameter.low, parameter.high
        columns[parameter.name] = column
    answers = question.answer(columns, 2 * count)
    swings = [
        Swing(parameter, float(answers[2 * i]), float(answers[2 * i + 1]))
        for i, parameter in enumerate(question.parameters)
    ]
    return sorted(swings, key=lambda swing: -swing.factor)


def sample(question: Question, points: int, seed: int) -> Sample:
    """Draw all parameters ``points`` times (a scrambled Sobol sequence) and answer for every metric.

    Draws for which a layer does not fit are left out and counted. Raises :class:`OutputError` if that leaves none.
    """
    shares = sobol_points(len(question.parameters), 0, points, seed)
    draws = {p.name: p.at(share) for p, share in zip(question.parameters, shares.T, strict=True)}
    answers = {metric: question.answer(draws, points, metric) for metric in METRICS}
    fine = np.all([np.isfinite(answer) for answer in answers.values()], axis=0)
    if not fine.any():
        raise OutputError("no draw of the parameters can run the network")
    return Sample(shares[fine], {metric: a[fine] for metric, a in answers.items()}, int((~fine).sum()))


def decisions(question: Question, drawn: Sample) -> list[Decision]:
    """Which parameters decide who wins, the most decisive first."""
    wins = drawn.answers[question.metric] > 1
    found = []
    for parameter, share in zip(question.parameters, drawn.shares.T, strict=True):
        low, high = share < QUARTER, share > 1 - QUARTER
        found.append(
            Decision(
                parameter,
                float(wins[low].mean()) if low.any() else float("nan"),
                float(wins[high].mean()) if high.any() else float("nan"),
            )
        )
    return sorted(found, key=lambda decision: -decision.weight)


def sobol(question: Question, points: int, seed: int) -> dict[str, tuple[float, float]]:
    """(first, total) Sobol index of each parameter for the logarithm of the answer.

    ``points`` is a power of two; ``points * (parameters + 2)`` evaluations. Where nothing varies every index is 0.
    """
    from scipy.stats import sobol_indices, uniform

    def answer(shares: Column) -> Column:
        draws = {p.name: p.at(share) for p, share in zip(question.parameters, shares, strict=True)}
        found = np.log(question.answer(draws, shares.shape[1]))
        if not np.isfinite(found).all():
            raise OutputError("Sobol indices need an answer for every draw; a layer does not fit for some")
        return found

    if np.ptp(answer(sobol_points(len(question.parameters), 0, 64, seed).T)) == 0:
        return {parameter.name: (0.0, 0.0) for parameter in question.parameters}
    if len(question.parameters) == 1:
        # All of the variance is its own (and scipy cannot hold one parameter).
        return {question.parameters[0].name: (1.0, 1.0)}
    dists: Any = [uniform(0, 1)] * len(question.parameters)
    indices = sobol_indices(func=answer, n=points, dists=dists, random_state=np.random.default_rng(seed))
    return {
        parameter.name: (float(first), float(total))
        for parameter, first, total in zip(
            question.parameters, np.ravel(indices.first_order), np.ravel(indices.total_order), strict=True
        )
    }


def crossings(question: Question, parameter: Uncertain) -> list[float]:
    """Values of ``parameter`` inside its range at which machine and baseline tie, the others as stated.

    Found by scanning the range and closing in on every change of the winner; a whole number is the first value at
    which the other one wins.
    """
    shares = np.linspace(0.0, 1.0, SCAN_POINTS)
    answers = question.answer({parameter.name: parameter.at(shares)}, SCAN_POINTS)
    found = []
    for index in np.flatnonzero((answers[:-1] > 1) != (answers[1:] > 1)):
        low, high = float(shares[index]), float(shares[index + 1])
        first = bool(answers[index] > 1)
        for _ in range(REFINEMENTS):
            inner = np.linspace(low, high, SCAN_POINTS)
            changed = (question.answer({parameter.name: parameter.at(inner)}, SCAN_POINTS) > 1) != first
            turn = int(np.argmax(changed))
            low, high = float(inner[turn - 1]), float(inner[turn])
        found.append(float(parameter.at(np.array([high]))[0]))
    return found


@dataclass(frozen=True)
class Sensitivity:
    """Everything asked about one question."""

    question: Question
    swings: list[Swing]
    drawn: Sample
    indices: dict[str, tuple[float, float]]
    decisive: list[Decision]
    ties: dict[str, list[float]]
    asked_ties: list[tuple[Uncertain, list[float]]]

    def intervals(self) -> dict[str, Interval]:
        """Interval of every metric."""
        return {metric: interval(answers) for metric, answers in self.drawn.answers.items()}

    def rows(self) -> list[dict[str, Any]]:
        """One row a parameter, the widest swing first."""
        odds = {decision.parameter.name: decision for decision in self.decisive}
        rows = []
        for swing in self.swings:
            own = swing.parameter
            first, total = self.indices.get(own.name, (None, None))
            decision = odds.get(own.name)
            rows.append(
                {
                    "parameter": own.name,
                    "low": own.low,
                    "value": own.value,
                    "high": own.high,
                    "unit": own.unit,
                    "kind": own.kind,
                    "source": own.source,
                    "at_low": swing.at_low,
                    "nominal": self.question.nominal,
                    "at_high": swing.at_high,
                    "factor": swing.factor,
                    "sobol_first": first,
                    "sobol_total": total,
                    "wins_low": decision.wins_low if decision else None,
                    "wins_high": decision.wins_high if decision else None,
                    "ties_at": self.ties.get(own.name, []),
                }
            )
        return rows

    def frame(self) -> pd.DataFrame:
        """The rows as a data frame, ties as text."""
        rows = [{**row, "ties_at": " ".join(f"{value!r}" for value in row["ties_at"])} for row in self.rows()]
        return pd.DataFrame(rows)

    def to_json(self) -> dict[str, Any]:
        """The document of ``cosim sensitivity --json``."""
        other = self.question.other
        return {
            "schema": 1,
            "machine": self.question.side.machine.name,
            "baseline": other.machine.name if other else None,
            "workload": self.question.network.name,
            "metric": self.question.metric,
            "ratio": other is not None,
            "nominal": self.question.nominal,
            "draws": len(self.drawn.shares),
            "left_out": self.drawn.left_out,
            "intervals": {metric: found.to_json() for metric, found in self.intervals().items()},
            "parameters": self.rows(),
            "ties": [
                {"parameter": own.name, "low": own.low, "high": own.high, "unit": own.unit, "at": values}
                for own, values in self.asked_ties
            ],
        }


def sensitivity(
    question: Question, points: int, seed: int, tie_over: Sequence[Uncertain] = ()
) -> Sensitivity:
    """Tornado, interval, indices and, against a baseline, what decides and where the two tie.

    ``tie_over`` are parameters to be varied beyond their ranges in search of ties.
    """
    drawn = sample(question, points, seed)
    versus = question.other is not None
    return Sensitivity(
        question=question,
        swings=tornado(question),
        drawn=drawn,
        indices=sobol(question, points, seed),
        decisive=decisions(question, drawn) if versus else [],
        ties={p.name: crossings(question, p) for p in question.parameters} if versus else {},
        asked_ties=[(own, crossings(replace(question, parameters=(own,)), own)) for own in tie_over],
    )
