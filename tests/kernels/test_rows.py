"""Rows copied, compared and summed: compiled, as plain Python, and as NumPy says."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.kernels import rows

SIDES = st.sampled_from([1, 2, 3, 5, 7])


def numbers(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-9, 9, shape)


@settings(deadline=None)
@given(SIDES, SIDES, SIDES, st.integers(0, 2), st.integers(0, 99))
def test_copies_leave_what_is_beyond_alone(n: int, m: int, k: int, beyond: int, seed: int) -> None:
    for kernel, shape in ((rows.copy_row, (n,)), (rows.copy_rows, (n, m)), (rows.copy_table, (n, m, k))):
        # A table is written whole; of the others the first axis may be longer.
        length = n if kernel is rows.copy_table else n + beyond
        source, before = numbers(seed, *shape), numbers(seed + 1, length, *shape[1:])
        compiled, plain, expected = before.copy(), before.copy(), before.copy()
        kernel(compiled, source)
        kernel.py_func(plain, source)
        expected[:n] = source
        np.testing.assert_array_equal(compiled, expected)
        np.testing.assert_array_equal(plain, expected)


@settings(deadline=None)
@given(st.lists(st.integers(-2, 2), min_size=1, max_size=7), st.integers(0, 6), st.integers(-1, 1))
def test_rows_are_the_same_if_every_value_is(values: list[int], at: int, by: int) -> None:
    a = np.array(values)
    b = a.copy()
    b[at % len(values)] += by
    assert rows.same_row(a, b) == rows.same_row.py_func(a, b) == bool((a == b).all())


@settings(deadline=None)
@given(SIDES, st.integers(0, 99))
def test_sums(n: int, seed: int) -> None:
    a, b = numbers(seed, n), numbers(seed + 1, n)
    assert rows.dot(a, b) == rows.dot.py_func(a, b) == int((a * b).sum())
    values = a.astype(np.float64)
    for count in range(n + 1):
        assert rows.total(values, count) == rows.total.py_func(values, count) == values[:count].sum()
