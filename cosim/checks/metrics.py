"""Agreement between predictions and references: the report that every check returns.

Errors are relative to the reference: APE = |predicted - reference| / |reference| in per cent. A reference of 0 that
was predicted as 0 counts 0 %, one that was not counts 100 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class CheckInputError(ValueError):
    """A folder that cannot be checked: names the file, and the column or row where there is one."""


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One compared figure. `exact` says whether the case agrees as its kind of check demands (None: not asked)."""

    case: str
    predicted: float
    reference: float
    unit: str
    category: str = ""
    exact: bool | None = None
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Row as the report prints it; empty fields left out."""
        row: dict[str, Any] = {
            "case": self.case,
            "predicted": self.predicted,
            "reference": self.reference,
            "unit": self.unit,
        }
        extra = {"class": self.category, "exact": self.exact, "note": self.note}
        return row | {key: value for key, value in extra.items() if value not in ("", None)}


@dataclass(frozen=True, slots=True)
class Agreement:
    """Error measures over rows. `spearman` is None where ranks are undefined; `within_2x` is a fraction of rows."""

    mape_pct: float
    median_ape_pct: float
    spearman: float | None
    within_2x: float


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Outcome of one check: `cases` compared, `exact` of them equal in everything that is asked to be equal."""

    kind: str
    cases: int
    exact: int
    overall: Agreement
    worst: CheckRow
    by_class: dict[str, dict[str, Any]]
    rows: tuple[CheckRow, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The document of `cosim check --json`."""
        document: dict[str, Any] = {
            "schema": 1,
            "kind": self.kind,
            "cases": self.cases,
            "exact": self.exact,
            "mape_pct": self.overall.mape_pct,
            "median_ape_pct": self.overall.median_ape_pct,
            "spearman": self.overall.spearman,
            "within_2x": self.overall.within_2x,
            "worst": {
                "case": self.worst.case,
                "predicted": self.worst.predicted,
                "reference": self.worst.reference,
                "unit": self.worst.unit,
            },
            "by_class": self.by_class,
            "rows": [row.to_json() for row in self.rows],
        }
        return document | ({"notes": list(self.notes)} if self.notes else {})


def absolute_percentage_errors(predicted: FloatArray, reference: FloatArray) -> FloatArray:
    """APE of every pair in per cent, shape (rows,)."""
    zero = reference == 0
    safe = np.where(zero, 1.0, np.abs(reference))
    errors = 100.0 * np.abs(predicted - reference) / safe
    return np.where(zero, np.where(predicted == 0, 0.0, 100.0), errors)


def _ranks(values: FloatArray) -> FloatArray:
    """Ranks from 1, ties at their mean."""
    unique, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    mean_rank = ends - (counts - 1) / 2.0
    return np.asarray(mean_rank[inverse.reshape(values.shape)], np.float64) if unique.size else values


def spearman(predicted: FloatArray, reference: FloatArray) -> float | None:
    """Rank correlation with ties at mean ranks; None for fewer than two rows or a constant side."""
    if predicted.size < 2 or np.ptp(predicted) == 0 or np.ptp(reference) == 0:
        return None
    return round(float(np.corrcoef(_ranks(predicted), _ranks(reference))[0, 1]), 12)


def agreement(rows: Sequence[CheckRow]) -> Agreement:
    """Error measures of `rows`; ValueError without rows."""
    if not rows:
        raise ValueError("no rows to compare")
    predicted = np.array([row.predicted for row in rows], np.float64)
    reference = np.array([row.reference for row in rows], np.float64)
    errors = absolute_percentage_errors(predicted, reference)
    near = (predicted <= 2 * reference) & (reference <= 2 * predicted)
    return Agreement(
        mape_pct=float(errors.mean()),
        median_ape_pct=float(np.median(errors)),
        spearman=spearman(predicted, reference),
        within_2x=float(near.mean()),
    )


def _verdicts(rows: Sequence[CheckRow]) -> dict[str, bool]:
    """Per case whether all its rows are exact."""
    verdicts: dict[str, bool] = {}
    for row in rows:
        verdicts[row.case] = verdicts.get(row.case, True) and row.exact is True
    return verdicts


def _class_summary(rows: Sequence[CheckRow]) -> dict[str, Any]:
    measures = agreement(rows)
    verdicts = _verdicts(rows)
    return {
        "cases": len(verdicts),
        "exact": sum(verdicts.values()),
        "mape_pct": measures.mape_pct,
        "median_ape_pct": measures.median_ape_pct,
        "spearman": measures.spearman,
        "within_2x": measures.within_2x,
    }


def build_report(kind: str, rows: Sequence[CheckRow], notes: Sequence[str] = ()) -> CheckReport:
    """Report over `rows`; several rows may share a case, which is exact when none of them is inexact.

    Raises CheckInputError without rows.
    """
    if not rows:
        raise CheckInputError(f"check {kind}: the folder holds no case to compare")
    verdicts = _verdicts(rows)
    errors = absolute_percentage_errors(
        np.array([row.predicted for row in rows], np.float64),
        np.array([row.reference for row in rows], np.float64),
    )
    classes = sorted({row.category for row in rows if row.category})
    return CheckReport(
        kind=kind,
        cases=len(verdicts),
        exact=sum(verdicts.values()),
        overall=agreement(rows),
        worst=rows[int(np.argmax(errors))],
        by_class={name: _class_summary([row for row in rows if row.category == name]) for name in classes},
        rows=tuple(rows),
        notes=tuple(notes),
    )
