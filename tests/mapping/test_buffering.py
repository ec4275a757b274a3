"""The double-buffer stall model against a plain walk over the tiles, and its bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.mapping.buffering import double_buffered_tiles, double_buffered_uniform, transfer_cycles

cycles = st.integers(0, 1000)
tiles = st.lists(st.tuples(cycles, cycles, cycles), min_size=1, max_size=12)


def _walk(steps: list[tuple[int, int, int]], shared: bool) -> int:
    """Two buffers: while tile i computes, tile i + 1 is fetched and the results of tile i - 1 leave."""
    time = steps[0][1]
    for i, (compute, _, _) in enumerate(steps):
        fetch = steps[i + 1][1] if i + 1 < len(steps) else 0
        leave = steps[i - 1][2] if i > 0 else 0
        time += max(compute, fetch + leave if shared else max(fetch, leave))
    return time + steps[-1][2]


@given(tiles, st.booleans())
def test_unequal_tiles_equal_the_walk(steps: list[tuple[int, int, int]], shared: bool) -> None:
    compute, load, store = np.array(steps).T
    run = double_buffered_tiles(compute, load, store, shared)
    assert run.total_cycles == _walk(steps, shared)
    serial = compute.sum() + load.sum() + store.sum()
    memory = load.sum() + store.sum() if shared else max(load.sum(), store.sum())
    assert max(compute.sum(), memory) <= run.total_cycles <= serial
    parts = run.fill_cycles + run.compute_cycles + run.stall_cycles + run.drain_cycles
    assert parts == run.total_cycles
    assert run.stall_cycles >= 0


@given(st.integers(1, 40), cycles, cycles, cycles, st.booleans())
def test_the_closed_form_of_equal_tiles_equals_the_walk(
    count: int, compute: int, load: int, store: int, shared: bool
) -> None:
    run = double_buffered_uniform(count, compute, load, store, shared)
    assert run.total_cycles == _walk([(compute, load, store)] * count, shared)
    memory = load + store if shared else max(load, store)
    assert count * max(compute, memory) <= run.total_cycles <= count * (compute + load + store)


def test_a_case_by_hand() -> None:
    """Three tiles of 10 cycles, 4 to load and 8 to store: 4 + 10 + max(10, 4 + 8) + 10 + 8."""
    run = double_buffered_uniform(3, 10, 4, 8)
    assert [int(part) for part in run] == [44, 4, 30, 2, 8]


@given(st.lists(st.tuples(st.integers(1, 9), cycles, cycles, cycles), min_size=1, max_size=6))
def test_arrays_equal_single_calls(cases: list[tuple[int, ...]]) -> None:
    together = double_buffered_uniform(*np.array(cases, np.float64).T)
    for i, case in enumerate(cases):
        assert [part[i] for part in together] == list(double_buffered_uniform(*case))


@given(st.integers(1, 9), cycles, cycles, cycles, st.integers(0, 100))
def test_a_slower_memory_never_helps(count: int, compute: int, load: int, store: int, more: int) -> None:
    before = double_buffered_uniform(count, compute, load, store).total_cycles
    assert double_buffered_uniform(count, compute, load + more, store).total_cycles >= before
    assert double_buffered_uniform(count, compute, load, store + more).total_cycles >= before
    assert double_buffered_uniform(count, compute, load, store, shared_channel=False).total_cycles <= before


def test_transfer_cycles() -> None:
    """4096 bytes at 16 bytes a cycle and 80 %: 320 cycles; 64 requests of 100 cycles, 8 in flight: 800 more."""
    assert transfer_cycles(4096, 16, 0.8) == pytest.approx(320)
    assert transfer_cycles(4096, 16, 0.8, requests=64, latency_cycles=100, outstanding=8) == pytest.approx(
        1120
    )
