"""One measured speed with the ratio to a naive form of the same work, measured in the same run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BenchRow:
    """``value`` in ``unit``; ``ratio`` says how many times better than ``against`` (the naive form) it is."""

    name: str
    value: float
    unit: str
    ratio: float
    against: str
