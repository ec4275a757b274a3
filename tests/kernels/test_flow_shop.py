"""Tiles through units: hand-worked schedules, the flow-shop formula, a plain recurrence, refresh by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.kernels.flow_shop import pass_tiles, service_end

TIMES = st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 7.0])


@dataclass
class Passed:
    end: float
    sums: np.ndarray
    spans: np.ndarray
    skipped: int


def run(
    function: Any,
    counts: list[int],
    seconds: list[list[float]],
    repeats: int = 1,
    room: int = 2,
    streams: bool = False,
    skip: bool = True,
    refresh: tuple[float, float, float] = (0.0, 0.0, 1.0),
    memory: list[bool] | None = None,
    keep: int = 0,
    begin: float = 0.0,
) -> Passed:
    table = np.array(seconds, dtype=np.float64)
    units = table.shape[1]
    end = np.full((units, room + 1), begin)
    sums, spans = np.zeros((5, units)), np.zeros((keep, 4))
    refreshing = np.array(memory or [False] * units)
    _, kept, skipped = function(
        np.array(counts), table, repeats, room, streams, refreshing, np.array(refresh), begin, skip, end, -1, sums,
        spans, 0,
    )  # fmt: skip
    return Passed(float(end.max()), sums, spans[:kept], int(skipped))


def naive(tiles: list[list[float]], room: int, streams: bool) -> float:
    """Eq. 1 and 2 of the module over lists of every start and end."""
    end: list[list[float]] = []
    for k, works in enumerate(tiles):
        row: list[float] = []
        for u, work in enumerate(works):
            bounds = [0.0]
            if k:
                bounds.append(end[k - 1][u])
            first = streams and u == 1 and k == 0
            if u and not first:
                bounds.append(row[u - 1])
            if u + 1 < len(works) and k >= room:
                bounds.append(end[k - room][u + 1])
            stop = max(bounds) + work
            row.append(max(stop, row[u - 1]) if first else stop)
        end.append(row)
    return max(map(max, end))


def test_two_units_three_tiles_by_hand() -> None:
    """Unit a: 0-1, 1-2, then it waits for room until 3: 3-4. Unit b takes 2 a tile: 1-3, 3-5, 5-7."""
    found = run(pass_tiles, [3], [[1.0, 2.0]], keep=6)
    assert found.end == 7.0
    # Two places behind a: the tile that b works on holds one until it ends at 3.
    assert found.spans.tolist() == [
        [0, 0, 0, 1], [1, 0, 1, 3], [0, 1, 1, 2], [1, 1, 3, 5], [0, 2, 3, 4], [1, 2, 5, 7],
    ]  # fmt: skip
    busy, queued, starved, blocked, refreshing = found.sums.tolist()
    assert busy == [3.0, 6.0]
    assert queued == [0.0, 1.0 + 1.0]  # tile 1 came at 2 and waited until 3, tile 2 at 4 until 5
    assert starved == [0.0, 1.0]
    assert blocked == [1.0, 0.0]
    assert refreshing == [0.0, 0.0]


def test_a_single_buffer_alternates() -> None:
    """With one place the first unit may not work while the second does: 3 * (1 + 2)."""
    assert run(pass_tiles, [3], [[1.0, 2.0]], room=1).end == 9.0


def test_the_first_tile_streams_in() -> None:
    """Array of 2 s a tile behind a memory of 3 s: tile 0 together 0-3, then the memory is the bottleneck: 6+2, ...

    Memory ends at 3, 6, 9. Array: tile 0 ends at 3 with its operands, tile 1 runs 6-8, tile 2 runs 9-11.
    """
    found = run(pass_tiles, [3], [[3.0, 2.0]], streams=True)
    assert found.end == 11.0
    assert run(pass_tiles, [3], [[1.0, 2.0]], streams=True).end == 6.0, "as if the memory were not there"


@given(
    st.lists(st.tuples(st.integers(1, 9), st.lists(TIMES, min_size=3, max_size=3)), min_size=1, max_size=3),
    st.integers(1, 4),
    st.integers(1, 3),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_compiled_plain_and_naive_agree(
    kinds: list[tuple[int, list[float]]], repeats: int, room: int, streams: bool
) -> None:
    counts, seconds = [count for count, _ in kinds], [times for _, times in kinds]
    tiles = [times for count, times in kinds for _ in range(count)] * repeats
    wanted = naive(tiles, room, streams)
    for function in (pass_tiles, pass_tiles.py_func):
        for skip in (True, False):
            found = run(function, counts, seconds, repeats, room, streams, skip)
            assert found.end == pytest.approx(wanted, rel=1e-12)
            np.testing.assert_allclose(found.sums[0], np.sum(tiles, axis=0), rtol=1e-12)


@given(st.lists(TIMES, min_size=1, max_size=4), st.integers(1, 40), st.integers(2, 4))
@settings(max_examples=80, deadline=None)
def test_equal_tiles_follow_the_flow_shop_formula(times: list[float], tiles: int, room: int) -> None:
    """sum_u t_u + (T - 1) max_u t_u, whatever the room from two places on."""
    wanted = sum(times) + (tiles - 1) * max(times)
    assert run(pass_tiles, [tiles], [times], room=room).end == pytest.approx(wanted, rel=1e-12)


@given(
    st.lists(st.tuples(st.integers(1, 60), st.lists(TIMES, min_size=2, max_size=2)), min_size=1, max_size=3),
    st.integers(1, 60),
    st.integers(1, 3),
)
@settings(max_examples=80, deadline=None)
def test_skipping_periods_changes_nothing(
    kinds: list[tuple[int, list[float]]], repeats: int, room: int
) -> None:
    counts, seconds = [count for count, _ in kinds], [times for _, times in kinds]
    fast, slow = (run(pass_tiles, counts, seconds, repeats, room, skip=skip) for skip in (True, False))
    assert fast.end == pytest.approx(slow.end, rel=1e-12)
    np.testing.assert_allclose(fast.sums, slow.sums, rtol=1e-9, atol=1e-9)


def test_a_million_equal_tiles_are_skipped() -> None:
    found = run(pass_tiles.py_func, [1_000_000], [[1.0, 2.0, 0.5]])
    assert found.skipped > 999_900
    assert found.end == 3.5 + 999_999 * 2.0


def test_refresh_by_hand() -> None:
    """Every 10 s the first 2 s are lost. Begun at 0: 2-10 serves 8, 12-14 the other 2. Begun at 5: 5-10, 12-17."""
    assert service_end(0.0, 10.0, 10.0, 2.0, 1) == 14.0
    assert service_end(5.0, 10.0, 10.0, 2.0, 1) == 17.0
    assert service_end(3.0, 4.0, 10.0, 2.0, 1) == 7.0
    assert service_end(4.0, 6.0, 10.0, 2.0, 1) == 10.0, "ends where the refresh begins"
    assert service_end(1.0, 1.0, 10.0, 2.0, 1) == 3.0
    # Two channels, the second half an interval later: its refresh stands at 5-7.
    assert service_end(3.0, 4.0, 10.0, 2.0, 2) == 9.0


@given(st.floats(0.0, 50.0), st.floats(0.01, 100.0))
@settings(max_examples=200, deadline=None)
def test_refresh_takes_its_share(start: float, work: float) -> None:
    """Work touches at most ceil(w / (i - d)) + 1 refreshes, and half after half ends where the whole does."""
    interval, duration = 7.8, 0.35
    end = service_end(start, work, interval, duration, 1)
    usable = interval - duration
    assert end - start >= work - 1e-12
    assert end - start <= work + duration * (np.ceil(work / usable) + 1) + 1e-9
    half = service_end(start, work / 2, interval, duration, 1)
    assert service_end(half, work / 2, interval, duration, 1) == pytest.approx(end, abs=1e-9)


def test_only_memories_refresh() -> None:
    still = run(pass_tiles, [4], [[2.0, 1.0]], refresh=(10.0, 2.0, 1.0), memory=[False, False])
    assert still.end == 9.0
    held = run(pass_tiles, [4], [[2.0, 1.0]], refresh=(10.0, 2.0, 1.0), memory=[True, False])
    assert held.end == 11.0, "the memory starts at 2"
    assert held.sums[4].tolist() == [2.0, 0.0]
