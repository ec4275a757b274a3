"""Benchmarks run, on small sizes here: they return figures with units and a ratio. Speed itself is never asserted."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from cosim.bench import BENCHES
from cosim.bench.points import SWEPT, measure


@pytest.mark.bench
@pytest.mark.parametrize("kind", SWEPT)
def test_points_bench(kind: str, benchmark: Callable[..., Any]) -> None:
    row = benchmark(measure, kind, points=400, layers=20)
    assert row.unit.startswith("million layer evaluations")
    assert row.value > 0
    assert math.isfinite(row.ratio)
    assert row.ratio > 0


def test_every_bench_target_exists() -> None:
    for name, bench in BENCHES.items():
        module, _, function = bench.target.partition(":")
        assert callable(getattr(import_module(module), function)), name
