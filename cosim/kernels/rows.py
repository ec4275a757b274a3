"""Rows of arrays set and copied element by element, for kernels that do little else.

An assignment to a slice allows for broadcasting, views that overlap and a message about shapes; each of them costs
the compiler several seconds where a loop costs it nothing, and runs no faster. What is written to may
be longer than what is copied, never shorter.
"""

from __future__ import annotations

import numpy as np
from numba import njit

NDArray = np.ndarray


@njit(cache=True)
def copy_row(to: NDArray, row: NDArray) -> None:
    """The first n values of to = row (n,)."""
    for i in range(row.shape[0]):
        to[i] = row[i]


@njit(cache=True)
def copy_rows(to: NDArray, rows: NDArray) -> None:
    """The first n rows of to (.., m) = rows (n, m)."""
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            to[i, j] = rows[i, j]


@njit(cache=True)
def copy_table(to: NDArray, table: NDArray) -> None:
    """to (n, m, k) = table (n, m, k)."""
    for i in range(to.shape[0]):
        for j in range(to.shape[1]):
            for k in range(to.shape[2]):
                to[i, j, k] = table[i, j, k]


@njit(cache=True)
def same_row(a: NDArray, b: NDArray) -> bool:
    """Whether a (n,) equals b (n,)."""
    same = True
    for i in range(a.shape[0]):
        same = same and a[i] == b[i]
    return bool(same)


@njit(cache=True)
def dot(a: NDArray, b: NDArray) -> int:
    """Sum of a (n,) times b (n,)."""
    result = 0
    for i in range(a.shape[0]):
        result += a[i] * b[i]
    return result


@njit(cache=True)
def total(row: NDArray, count: int) -> float:
    """Sum of the first `count` values."""
    result = 0.0
    for i in range(count):
        result += row[i]
    return result
