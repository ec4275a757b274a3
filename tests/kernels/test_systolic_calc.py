"""Read and write buffers of SCALE-Sim's CALC mode against a literal replay of the demand, and against the tool."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.kernels.systolic_calc import arrivals, drained_writes, stationary_misses, streamed_misses
from cosim.mapping.scalesim_calc import ScaleSimLayer, calc_report

WITH_AND_WITHOUT_JIT = pytest.mark.parametrize("python", [False, True], ids=["jit", "python"])


def body(kernel: Any, python: bool) -> Callable[..., Any]:
    return kernel.py_func if python else kernel


def _replay(demand: Iterator[int], capacity: int) -> tuple[int, int]:
    """Fetches and flushes of a buffer that forgets everything at ``capacity`` distinct addresses."""
    held: set[int] = set()
    misses = flushes = 0
    for address in demand:
        if address in held:
            continue
        held.add(address)
        misses += 1
        if len(held) == capacity:
            held.clear()
            flushes += 1
    return misses, flushes


def _streamed(
    lanes: list[int], steps: list[int], width: int, outer: int, inner: int, missing: set[int]
) -> Iterator[int]:
    for _ in range(outer):
        for first in range(0, len(lanes), width):
            fold = lanes[first : first + width]
            for _ in range(inner):
                for line in range(len(steps) + len(fold) - 1):
                    for i, lane in enumerate(fold):
                        if 0 <= line - i < len(steps) and lane + steps[line - i] not in missing:
                            yield lane + steps[line - i]


def _stationary(down: list[int], across: list[int], rows: int, cols: int, missing: set[int]) -> Iterator[int]:
    for first_col in range(0, len(across), cols):
        for first_row in range(0, len(down), rows):
            for row in reversed(down[first_row : first_row + rows]):
                for col in across[first_col : first_col + cols]:
                    if row + col not in missing:
                        yield row + col


tables = st.lists(st.integers(0, 12), min_size=1, max_size=11)
absent = st.sets(st.integers(0, 24), max_size=4)


def _stamps(missing: set[int]) -> np.ndarray:
    stamps = np.zeros(25, np.int64)
    stamps[list(missing)] = np.iinfo(np.int64).max
    return stamps


@WITH_AND_WITHOUT_JIT
@settings(deadline=None)
@given(
    down=tables,
    across=tables,
    width=st.integers(1, 5),
    outer=st.integers(1, 3),
    inner=st.integers(1, 3),
    capacity=st.integers(1, 30),
    missing=absent,
)
def test_streamed_reads_equal_the_replay(
    python: bool,
    down: list[int],
    across: list[int],
    width: int,
    outer: int,
    inner: int,
    capacity: int,
    missing: set[int],
) -> None:
    lanes, steps = np.array(down, np.int64), np.array(across, np.int64)
    kernel = body(streamed_misses, python)
    found = kernel(lanes, steps, width, outer, inner, _stamps(missing), capacity)
    assert found == _replay(_streamed(down, across, width, outer, inner, missing), capacity)


@WITH_AND_WITHOUT_JIT
@settings(deadline=None)
@given(
    down=tables,
    across=tables,
    rows=st.integers(1, 5),
    cols=st.integers(1, 5),
    capacity=st.integers(1, 30),
    missing=absent,
)
def test_stationary_reads_equal_the_replay(
    python: bool, down: list[int], across: list[int], rows: int, cols: int, capacity: int, missing: set[int]
) -> None:
    row_address, col_address = np.array(down, np.int64), np.array(across, np.int64)
    found = body(stationary_misses, python)(row_address, col_address, rows, cols, _stamps(missing), capacity)
    assert found == _replay(_stationary(down, across, rows, cols, missing), capacity)


def _results(rows: int, cols: int, down: int, across: int, stream: int, os: bool) -> list[int]:
    """Results that leave the array in every line, placed one by one."""
    fold_lines = stream + rows + cols - 2 + (0 if os else rows)
    lines = []
    for first_col in range(0, across, cols):
        for first_row in range(0, down, rows):
            fold = [0] * fold_lines
            used_rows, used_cols = min(rows, down - first_row), min(cols, across - first_col)
            for j in range(used_cols):
                if os:
                    for i in range(used_rows):
                        fold[stream - 1 + rows - used_rows + i + j] += 1
                else:
                    for step in range(stream):
                        fold[2 * rows - 1 + step + j] += 1
            lines += fold
    return lines


def _drain(lines: list[int], cols: int, size: int) -> tuple[int, int, int, int]:
    """The write buffer as a queue of words, each its number or None for padding."""
    half = size - (size + 1) // 2
    batch = max(1, -(-half // cols))
    closed: deque[int] = deque()
    open_words = pending = words = busy_until = 0
    first = None
    for cycle, count in enumerate(lines):
        for _ in range(count):
            open_words += 1
            pending += 1
            full = pending > half and cycle >= busy_until
            if full or open_words == cols:
                closed.append(open_words)
                open_words = 0
            if full:
                leaving = [closed.popleft() for _ in range(min(batch, len(closed)))]
                counted = cols * (len(leaving) - 1) + leaving[-1]
                words += counted
                pending -= counted
                first = cycle if first is None else first
                busy_until = cycle + len(leaving)
    cycle = len(lines) - 1
    first = cycle if first is None else first
    if open_words:
        closed.append(open_words)
    while closed:
        leaving = [closed.popleft() for _ in range(min(batch, len(closed)))]
        words += cols * (len(leaving) - 1) + leaving[-1]
        cycle += len(leaving)
    return words, first, cycle - 1, busy_until


@WITH_AND_WITHOUT_JIT
@settings(deadline=None)
@given(
    rows=st.integers(1, 5),
    cols=st.integers(1, 7),
    down=st.integers(1, 13),
    across=st.integers(1, 13),
    stream=st.integers(1, 13),
    output_stationary=st.booleans(),
    size=st.integers(2, 60),
)
def test_writes_equal_the_replay(
    python: bool,
    rows: int,
    cols: int,
    down: int,
    across: int,
    stream: int,
    output_stationary: bool,
    size: int,
) -> None:
    lines = _results(rows, cols, down, across, stream, output_stationary)
    found = body(drained_writes, python)(rows, cols, down, across, stream, output_stationary, size)
    assert found == _drain(lines, cols, size)
    assert found[0] >= sum(lines)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 9), st.booleans())
def test_arrivals_of_a_fold(rows: int, cols: int, stream: int, output_stationary: bool) -> None:
    lines = _results(rows, cols, rows, cols, stream, output_stationary)
    for kernel in (arrivals, arrivals.py_func):
        assert [kernel(t, rows, cols, rows, stream, output_stationary) for t in range(len(lines))] == lines


def test_a_report_by_hand() -> None:
    """2 x 3 x 4 on 2 x 3, output stationary: one fold of 4 + 2 + 3 - 2 = 7 lines, every word fetched once.

    1 KiB holds sets of 10 words; 8 ifmap words are one set, 12 filter words two: fetched from cycle -1 and -2.
    The six results wait for the end (line 6) and leave in two lines of three words.
    """
    report = calc_report(ScaleSimLayer.from_gemm(2, 3, 4), 2, 3, "os", 1, 1, 1)
    assert report.total_cycles == 6
    assert (report.dram_ifmap_reads, report.dram_filter_reads, report.dram_ofmap_writes) == (8, 12, 6)
    assert (report.ifmap_start_cycle, report.filter_start_cycle) == (-1, -2)
    assert (report.ofmap_start_cycle, report.ofmap_stop_cycle) == (6, 7)
    assert report.prefetch_total_cycles == 7 + 2


def test_windows_over_the_edge_are_not_fetched() -> None:
    """5 x 5 x 2 with 2 x 2 filters and stride 2: the third window of each axis hangs over, 25 pixels exist."""
    layer = ScaleSimLayer(5, 5, 2, 2, 2, 3, (2, 2))
    assert layer.gemm() == (9, 3, 8)
    for flow in ("os", "ws", "is"):
        assert calc_report(layer, 4, 4, flow, 64, 64, 64).dram_ifmap_reads == 5 * 5 * 2


def test_sizes_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match=r"cols is 0; filter KiB is -1: each must be 1 or more"):
        calc_report(ScaleSimLayer.from_gemm(2, 3, 4), 2, 0, "os", 1, -1, 1)
    with pytest.raises(ValueError, match="larger than the padded input"):
        calc_report(ScaleSimLayer(3, 3, 5, 5, 1, 1), 2, 2, "os", 1, 1, 1)
