"""Gather kernels: compiled = interpreted = a reference written another way."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cosim.kernels.deform_gather import bank_cycles, cache_misses, outside_window

Rows = NDArray[np.int64]


def naive_cycles(rows: Rows, banks: int, ports: int) -> list[int]:
    return [-(-max(Counter(int(r) % banks for r in group).values()) // ports) for group in rows]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 13), st.integers(1, 36), st.integers(1, 17), st.integers(1, 4), st.integers(0, 2**31))
def test_bank_cycles(groups: int, samples: int, banks: int, ports: int, seed: int) -> None:
    rows = np.random.default_rng(seed).integers(-20, 60, (groups, samples))
    expected = naive_cycles(rows, banks, ports)
    assert bank_cycles(rows, banks, ports).tolist() == expected
    assert bank_cycles.py_func(rows, banks, ports).tolist() == expected


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 13), st.integers(1, 36), st.integers(0, 9), st.integers(0, 9), st.integers(0, 2**31))
def test_outside_window(groups: int, samples: int, above: int, below: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    rows, centre = random.integers(-9, 40, (groups, samples)), random.integers(0, 30, groups)
    step = rows - centre[:, None]
    expected = np.sum((step < -above) | (step > below), axis=1).tolist()
    assert outside_window(rows, centre, above, below).tolist() == expected
    assert outside_window.py_func(rows, centre, above, below).tolist() == expected


def test_square_pattern_takes_three_cycles_and_two_with_two_ports() -> None:
    """Three rows of three samples each in 15 row banks; nine samples in one bank take nine cycles."""
    square = np.repeat(np.array([[4, 7, 10]]), 3, axis=1)
    assert bank_cycles(square, 15, 1).tolist() == [3]
    assert bank_cycles(square, 15, 2).tolist() == [2]
    assert bank_cycles(np.full((1, 9), 5), 15, 1).tolist() == [9]
    assert bank_cycles(square, 1, 2).tolist() == [5]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(1, 4), st.integers(1, 60), st.integers(0, 2**31))
def test_cache_compiled_equals_interpreted(sets: int, ways: int, span: int, seed: int) -> None:
    lines = np.random.default_rng(seed).integers(0, span, 300)
    with np.errstate(over="ignore"):
        assert cache_misses(lines, sets, ways, seed) == cache_misses.py_func(lines, sets, ways, seed)


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 2**31))
def test_cache_that_holds_everything_misses_each_line_once(sets: int, ways: int, seed: int) -> None:
    lines = np.random.default_rng(seed).integers(0, sets * ways, 500)
    assert cache_misses(lines, sets, ways, 1) == len(set(lines.tolist()))


def test_direct_mapped_cache_by_hand() -> None:
    """Two sets of one way: 0 2 0 2 fight for set 0, 1 1 1 misses once."""
    assert cache_misses(np.array([0, 2, 0, 2, 1, 1, 1]), 2, 1, 3) == 5


def test_random_replacement_misses_as_often_as_its_theory() -> None:
    """Independent references to n equally likely lines in one set of w ways hit with probability w / n."""
    lines = np.random.default_rng(0).integers(0, 64, 200_000)
    assert cache_misses(lines, 1, 16, 7) / lines.size == pytest.approx(1 - 16 / 64, abs=0.005)
