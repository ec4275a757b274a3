"""Which points no other point dominates, in any number of objectives, all of them minimised.

A point dominates another if it is at most as large in every objective and smaller in one. Equal points do not
dominate each other, so duplicates of a front point are all on the front.

In lexicographic order every dominator precedes what it dominates (Kung, Luccio and Preparata, "On Finding the
Maxima of a Set of Vectors", J. ACM 22(4), 1975, doi:10.1145/321906.321910), so one pass suffices.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def staircase_mask(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Front of points of shape (n, 3) in lexicographic order, as a mask.

    Keeps the staircase of the second and third objective of the points seen: sorted by the second, with the
    third falling. A point is dominated if the last step at or before its second objective is not above its third.
    """
    n = points.shape[0]
    mask = np.zeros(n, dtype=np.bool_)
    steps = np.empty(n, dtype=np.int64)
    count = 0
    for i in range(n):
        y, z = points[i, 1], points[i, 2]
        low, high = 0, count
        while low < high:
            middle = (low + high) // 2
            if points[steps[middle], 1] <= y:
                low = middle + 1
            else:
                high = middle
        if low > 0:
            other = steps[low - 1]
            if points[other, 2] <= z:
                same = points[other, 0] == points[i, 0] and points[other, 1] == y and points[other, 2] == z
                mask[i] = same
                continue
        mask[i] = True
        first = low
        if first > 0 and points[steps[first - 1], 1] == y:
            first -= 1
        last = low
        while last < count and points[steps[last], 2] >= z:
            last += 1
        removed = last - first
        if removed == 0:
            for j in range(count, first, -1):
                steps[j] = steps[j - 1]
        elif removed > 1:
            for j in range(last, count):
                steps[j - removed + 1] = steps[j]
        steps[first] = i
        count += 1 - removed
    return mask


@njit(cache=True)
def front_mask(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Front of points of shape (n, d) in lexicographic order, as a mask, for any d.

    Every point is held against the front found so far; the member that dominates moves to the head of the list,
    because it will most likely dominate the next one too.
    """
    n, d = points.shape
    mask = np.zeros(n, dtype=np.bool_)
    front = np.empty(n, dtype=np.int64)
    count = 0
    for i in range(n):
        dominated = False
        for j in range(count):
            other = front[j]
            no_worse = True
            better = False
            for k in range(d):
                if points[other, k] > points[i, k]:
                    no_worse = False
                    break
                if points[other, k] < points[i, k]:
                    better = True
            if no_worse and better:
                dominated = True
                for m in range(j, 0, -1):
                    front[m] = front[m - 1]
                front[0] = other
                break
        if not dominated:
            mask[i] = True
            front[count] = i
            count += 1
    return mask
