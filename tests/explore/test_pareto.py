"""Pareto front against its definition, in any number of objectives, with ties and duplicates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cosim.explore.pareto import hypervolume, knee, naive_mask, pareto_mask
from cosim.kernels.pareto import front_mask, staircase_mask

# Few distinct values, so that ties and duplicates are the rule.
CLOUDS = st.tuples(st.integers(1, 40), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.sampled_from([0.0, 1.0, 2.0, 3.0, 5.0]))
)


@given(CLOUDS)
@settings(max_examples=300, deadline=None)
def test_mask_is_the_definition(points: np.ndarray) -> None:
    assert (pareto_mask(points) == naive_mask(points)).all()


@given(arrays(np.float64, st.tuples(st.integers(1, 30), st.just(3)), elements=st.integers(0, 4).map(float)))
@settings(max_examples=100, deadline=None)
def test_jit_py_func_and_the_general_kernel_agree(points: np.ndarray) -> None:
    ranked = points[np.lexsort(points.T[::-1])]
    stairs = staircase_mask(ranked)
    assert (stairs == staircase_mask.py_func(ranked)).all()
    assert (stairs == front_mask(ranked)).all()
    assert (stairs == front_mask.py_func(ranked)).all()


def test_hand_worked() -> None:
    points = np.array([[1.0, 5.0], [2.0, 3.0], [2.0, 4.0], [4.0, 1.0], [2.0, 3.0], [5.0, 1.0]])
    assert pareto_mask(points).tolist() == [True, True, False, True, True, False]


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        pareto_mask(np.array([[1.0, np.nan]]))


def test_knee_of_a_right_angle_is_its_corner() -> None:
    front = np.array([[0.0, 10.0], [1.0, 1.0], [10.0, 0.0]])
    assert knee(front) == 1


def test_knee_counts_factors_where_an_objective_spans_decades() -> None:
    # On y = 1/x every point trades one factor for another; the middle one is nearest to the corner of logarithms.
    front = np.array([[10.0**k, 10.0**-k] for k in range(-3, 4)])
    assert knee(front) == 3
    # One objective maximised: the same front with its second column turned round.
    assert knee(np.column_stack([front[:, 0], -1.0 / front[:, 1]])) == 3


def test_hypervolume_of_boxes() -> None:
    # Two boxes of 3x1 and 1x3 that share 1x1: 3 + 3 - 1.
    assert hypervolume(np.array([[0.0, 2.0], [2.0, 0.0]]), (3.0, 3.0)) == pytest.approx(5.0)
    assert hypervolume(np.array([[1.0, 1.0, 1.0]]), (2.0, 3.0, 4.0)) == pytest.approx(1 * 2 * 3)
    assert hypervolume(np.array([[4.0, 4.0]]), (3.0, 3.0)) == 0.0


@given(arrays(np.float64, st.tuples(st.integers(1, 8), st.just(3)), elements=st.integers(0, 4).map(float)))
@settings(max_examples=60, deadline=None)
def test_hypervolume_counts_unit_cubes(points: np.ndarray) -> None:
    side = 5
    cells = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    counted = sum((points <= cell).all(axis=1).any() for cell in cells)
    assert hypervolume(points, (side,) * 3) == pytest.approx(counted)
