"""Pareto front, knee and hypervolume of design points; all objectives are minimised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def pareto_mask(points: Points) -> NDArray[np.bool_]:
    """Mask of the non-dominated rows of ``points`` of shape (n, d), d >= 1; duplicates of a front point stay.

    Raises ``ValueError`` for other shapes or values that are not finite: a point without a cost has no rank.
    """
    values = np.ascontiguousarray(points, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 1:
        raise ValueError(f"points of shape {values.shape}, allowed (n, d) with d of at least 1")
    if not np.isfinite(values).all():
        raise ValueError("points with values that are not finite; leave failed points out first")
    n, d = values.shape
    if n == 0:
        return np.zeros(0, dtype=np.bool_)
    if d == 1:
        return np.asarray(values[:, 0] == values[:, 0].min())
    from cosim.kernels.pareto import front_mask, staircase_mask

    order = np.lexsort(values.T[::-1])
    ranked = values[order]
    if d == 2:
        ranked = np.column_stack([ranked[:, 0], ranked[:, 0], ranked[:, 1]])
    mask = np.zeros(n, dtype=np.bool_)
    mask[order] = staircase_mask(ranked) if d <= 3 else front_mask(ranked)
    return mask


def knee(points: Points) -> int:
    """Index of the front point closest to the ideal corner, with every objective scaled to its range on the front.

    ``points`` of shape (n, d) is a front. An objective that does not vary on the front does not count; one that
    spans more than a decade is scaled by its logarithm, because steps in it are factors.
    """
    if len(points) == 0:
        raise ValueError("an empty front has no knee")
    scaled = np.column_stack([_scaled(column) for column in points.T])
    return int(np.argmin((scaled**2).sum(axis=1)))


def _scaled(column: Points) -> Points:
    """An objective from 0 (best) to 1 (worst); a maximised one comes with a minus sign."""
    for sign in (1.0, -1.0):
        sizes = sign * column
        if sizes.min() > 0 and sizes.max() > 10.0 * sizes.min():
            column = sign * np.log(sizes)
            break
    low, high = column.min(), column.max()
    return np.asarray((column - low) / (high - low if high > low else 1.0))


def hypervolume(points: Points, reference: Sequence[float] | Points) -> float:
    """Volume dominated by ``points`` (n, d) and bounded by ``reference``, by slicing along the last objective.

    Exact; meant for fronts of up to a few hundred points. Points beyond the reference do not count.
    """
    corner = np.asarray(reference, dtype=np.float64)
    inside = points[(points < corner).all(axis=1)]
    if len(inside) == 0:
        return 0.0
    if inside.shape[1] == 1:
        return float(corner[0] - inside.min())
    levels = np.unique(inside[:, -1])
    volume = 0.0
    for level, above in zip(levels, [*levels[1:], corner[-1]], strict=True):
        slab = inside[inside[:, -1] <= level][:, :-1]
        volume += hypervolume(slab[pareto_mask(slab)], corner[:-1]) * float(above - level)
    return volume


def naive_mask(points: Points) -> NDArray[np.bool_]:
    """The definition, pair by pair: the reference of tests and of the benchmark."""
    keep = np.ones(len(points), dtype=np.bool_)
    for i, point in enumerate(points):
        dominators = (points <= point).all(axis=1) & (points < point).any(axis=1)
        keep[i] = not dominators.any()
    return keep
