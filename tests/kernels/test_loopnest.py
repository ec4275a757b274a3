"""Loop-nest kernels: jit equals plain Python, closed forms equal walks, small cases worked by hand."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cosim.kernels import loopnest_delta, loopnest_levels, loopnest_network, loopnest_walk

Array = np.ndarray
MODULES = (loopnest_delta, loopnest_network, loopnest_levels, loopnest_walk)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels as ordinary Python functions, helpers included."""
    for module in MODULES:
        for name, item in list(vars(module).items()):
            if hasattr(item, "py_func"):
                monkeypatch.setattr(module, name, item.py_func)


def array(*values: Any) -> Array:
    return np.array(values, np.int64)


# One dimension in one axis with coefficient 2, one with coefficient 1, a third elsewhere.
COEFFICIENTS = array([2, 1, 0], [0, 0, 1])


@st.composite
def loop_lists(draw: st.DrawFn) -> tuple[Array, Array, int, int]:
    """(3, loops) perfect nest innermost first, is_spatial, first loop of the parent, its spatial loops."""
    inner = draw(st.integers(0, 2))
    spread = draw(st.integers(0, 2))
    above = draw(st.integers(1, 4))
    total = inner + spread + above
    dims = [draw(st.integers(0, 2)) for _ in range(total)]
    bounds = [draw(st.sampled_from([1, 2, 3, 4, 5, 7])) for _ in range(total)]
    spatial = [0] * inner + [1] * spread + [0] * above
    return array(dims, bounds, bounds), array(*spatial), inner, spread


def rows_of(weight: Array, table: Array) -> dict[tuple[int, ...], int]:
    """Weights by row, empty deltas and unlinked shifts made equal."""
    out: dict[tuple[int, ...], int] = {}
    for count, row in zip(weight.tolist(), table.tolist(), strict=True):
        words, linked, *rest = row
        if count and words:
            key = (words, linked, *(rest[:2] if linked else (0, 0)))
            out[key] = out.get(key, 0) + count
    return out


def closed(
    nest: Array, spatial: Array, first: int, spread: int, by_stride: int, whole: int
) -> tuple[Array, Array]:
    stride = [int(np.prod(nest[1, :k][nest[0, :k] == nest[0, k]])) for k in range(nest.shape[1])]
    extents = np.ones(2, np.int64)
    for d in range(3):
        size = int(np.prod(nest[1, :first][nest[0, :first] == d]))
        extents += COEFFICIENTS[:, d] * (size - 1)
    loops = [k for k in range(first + spread, nest.shape[1]) if nest[1, k] > 1]
    steps = np.array([COEFFICIENTS[:, nest[0, k]] * stride[k] for k in loops], np.int64).reshape(
        len(loops), 2
    )
    weight, words, linked, shift = loopnest_delta.visits(nest[1, loops], steps, extents, by_stride, whole)
    return weight, np.concatenate((words[:, None], linked[:, None], shift), axis=1)


# A tile of 3 words moves by 1 five times, then back by 1: slices at opposite ends of the tile.
TO_AND_FRO = (array([0, 1, 0, 2], [2, 6, 3, 2], [2, 6, 3, 2]), array(0, 0, 0, 0), 1, 0)


@settings(max_examples=300, deadline=None)
@given(loop_lists(), st.integers(0, 1), st.integers(0, 1))
@example(TO_AND_FRO, 0, 0)
@example(TO_AND_FRO, 1, 0)
def test_closed_form_equals_the_walk(nest: tuple[Array, Array, int, int], by_stride: int, whole: int) -> None:
    table, spatial, first, spread = nest
    weight, rows = closed(table, spatial, first, spread, by_stride, whole)
    walked, steps, _, _ = loopnest_walk.walk(
        table, spatial, COEFFICIENTS, first, spread, whole, by_stride, by_stride
    )
    assert weight.sum() == walked.sum() == np.prod(table[1, first + spread :])
    assert rows_of(weight, rows) == rows_of(walked, steps[:, :4])


@settings(max_examples=15, deadline=None, suppress_health_check=[])
@given(loop_lists(), st.integers(0, 2), st.integers(0, 1))
def test_walk_jit_equals_python(nest: tuple[Array, Array, int, int], visiting: int, by_stride: int) -> None:
    table, spatial, first, spread = nest
    compiled = loopnest_walk.walk(table, spatial, COEFFICIENTS, first, spread, 0, visiting, by_stride)
    with pytest.MonkeyPatch.context() as patch:
        for name, item in list(vars(loopnest_walk).items()):
            if hasattr(item, "py_func"):
                patch.setattr(loopnest_walk, name, item.py_func)
        python = loopnest_walk.walk(table, spatial, COEFFICIENTS, first, spread, 0, visiting, by_stride)
    for a, b in zip(compiled, python, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.usefixtures("plain")
def test_hand_worked_window() -> None:
    # tile of 6 words, 4 steps of 4 words inside 3 steps of 16: 6, then 4 each; a jump back of 12 + 16 shares nothing
    weight, words, _, _ = loopnest_delta.visits(array(4, 3), array([4], [16]), array(6), 0, 0)
    assert (weight * words).sum() == 6 + 3 * 3 * 4 + 2 * (6 - 2)
    # timeloop-model takes the tile at the second step for the last one: the move back to the next 16 is 12, not 4
    weight, words, _, _ = loopnest_delta.visits(array(4, 3), array([4], [16]), array(6), 1, 0)
    assert (weight * words).sum() == 6 + 3 * 3 * 4 + 2 * 6


@pytest.mark.usefixtures("plain")
def test_rewind_that_stands_still() -> None:
    # a 3-tap loop inside a loop over positions, one word held: every step wants another word than the one held
    weight, words, _, _ = loopnest_delta.visits(array(3, 16), array([1], [1]), array(1), 0, 0)
    assert (weight * words).sum() == 48
    # timeloop-model sees the taps 0 and 1 only, so that the next position seems to want the word that is there
    weight, words, _, _ = loopnest_delta.visits(array(3, 16), array([1], [1]), array(1), 1, 0)
    assert (weight * words).sum() == 33


@pytest.mark.parametrize("jit", [True, False])
def test_traffic_of_a_diagonal(jit: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not jit:
        for name, item in list(vars(loopnest_network).items()):
            if hasattr(item, "py_func"):
                monkeypatch.setattr(loopnest_network, name, item.py_func)
    # filter rows along x, output rows along y: child (x, y) wants input row x + y; 3 x 3 children, 5 distinct rows
    table = array([10, 0, 0, 1, 1, 3, 3])
    entries, links = loopnest_network.traffic(
        array(7), table, array([3, 3], [1, 0]), array([1], [1]), (3, 3), 0, 1, 0, 1
    )
    # factors 1, 2, 3 with 2, 2, 1 groups, each read 10 words 7 times
    assert entries[:, :3].tolist() == [[1, 2, 140], [2, 2, 140], [3, 1, 70]]
    assert links == 0
    # hops: corner (0,0): 1 up; corner (2,2): 2 right, 1 down; mean 2
    assert entries[0, 3] / entries[0, 2] == 2.0


@pytest.mark.parametrize("torus", [0, 1])
def test_links_move_a_ring_on(torus: int) -> None:
    # four children in a row hold words 0..3; each step all want the word of their left neighbour (move of -1)
    table = array([1, 1, -1, 4, 4])
    entries, links = loopnest_network.traffic(
        array(5), table, array([4], [1]), array([1]), (4, 1), 0, 1, torus, 1
    )
    assert (entries[:, 2].sum(), links) == (5 * 1, 5 * 3)  # the end of the row needs the parent


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.lists(st.integers(0, 3), min_size=6, max_size=6),
    st.integers(0, 1),
)
def test_groups_equal_counting(counts: list[int], moves: list[int], multicast: int) -> None:
    steps = np.array(moves[: 2 * len(counts)], np.int64).reshape(len(counts), 2)
    offset, place = loopnest_network.children(
        np.array(counts), np.array(counts), np.ones(len(counts), np.int64), steps, 64, 0
    )
    wanted = [
        tuple(sum(np.array(index[::-1])[:, None] * steps))
        for index in itertools.product(*map(range, counts[::-1]))
    ]
    assert [tuple(row) for row in offset] == wanted
    assert place[:, 0].tolist() == list(range(len(wanted)))
    nobody = np.zeros(len(wanted), np.bool_)
    count, _, total = loopnest_network.groups(offset, place, nobody, 64, 1, multicast)
    sizes = [wanted.count(key) for key in set(wanted)] if multicast else [1] * len(wanted)
    assert count.tolist() == [sizes.count(size) for size in range(len(wanted) + 1)]
    assert total == len(sizes)


def test_boxes_subtract_like_sets() -> None:
    rng = np.random.default_rng(1)
    for _ in range(60):
        low = rng.integers(0, 5, (2, 3))
        boxes = np.stack((low, low + rng.integers(1, 5, (2, 3))), axis=2)
        pieces = loopnest_walk.subtract(boxes[0], boxes[1])
        sets = [set(itertools.product(*(range(a, b) for a, b in box.tolist()))) for box in (*boxes, *pieces)]
        assert sum(len(piece) for piece in sets[2:]) == len(sets[0] - sets[1])
        assert set().union(*sets[2:]) == sets[0] - sets[1]


@pytest.mark.usefixtures("plain")
def test_energy_counts_whole_rows_and_shares_clusters() -> None:
    energy = np.array([29.0, 31.0, 37.0])
    counts = np.array([17.0, 8.0, 1.0, 0.0])
    # rows of 8 words: 3 reads, 1 fill, 1 update
    assert loopnest_levels.level_energy(counts, 8, energy, 1.0, 1.0, 1.0) == 3 * 29 + 31 + 37
    # 16 instances in 4 clusters: four rows are paid
    assert loopnest_levels.level_energy(counts, 8, energy, 16.0, 16.0, 4.0) == 4 * (3 * 29 + 31 + 37)


@pytest.mark.usefixtures("plain")
def test_slowdown_is_the_tightest_port() -> None:
    counts = np.array([[100.0, 20.0, 0.0, 0.0], [60.0, 0.0, 80.0, 0.0]])
    free = float("inf")
    assert loopnest_levels.slowdown(counts, 4.0, 4.0, 100.0, free, free, free) == 1.0
    assert loopnest_levels.slowdown(counts, 4.0, 4.0, 100.0, 0.8, free, free) == 0.5  # 1.6 reads a cycle
    assert loopnest_levels.slowdown(counts, 4.0, 4.0, 100.0, 0.8, 0.25, free) == 0.25  # 1.0 writes a cycle
    assert loopnest_levels.slowdown(counts, 4.0, 4.0, 100.0, 0.8, 0.25, 0.52) == pytest.approx(0.2)


@pytest.mark.parametrize("jit", [True, False])
def test_bypass_hands_accesses_on(jit: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not jit:
        for name, item in list(vars(loopnest_levels).items()):
            if hasattr(item, "py_func"):
                monkeypatch.setattr(loopnest_levels, name, item.py_func)
    # registers of 4 words below a buffer of 16 below a memory of 64; the buffer passes the data space by
    entries = np.array([[1.0, 1.0, 640.0, 0.0], [1.0, 1.0, 320.0, 0.0], [1.0, 1.0, 64.0, 0.0]])
    counts = loopnest_levels.accesses(
        array(4, 16, 64), array(64, 64, 64), np.zeros(3), entries, array(0, 1, 2, 3), array(1, 1, 1),
        array(1, 1, 1), array(1, 0, 1), 0, 1, 0, 1,
    )  # fmt: skip
    assert counts[:, :3].tolist() == [[640, 320, 0], [0, 0, 0], [320, 0, 0]]
