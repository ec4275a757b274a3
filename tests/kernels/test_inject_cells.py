"""Cell errors by thinning: against a plain python walk, exact limits, chunks, and the copy of the random streams."""

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.kernels import inject_bits, inject_cells
from tests.kernels.test_inject_bits import keep, walk

SHIFTS16 = np.arange(14, -1, -2, dtype=np.int64)


def confused(words: np.ndarray, table: np.ndarray, seed: int, first: int) -> tuple[np.ndarray, int]:
    """What the errors do, cell by cell: visit at the worst rate, then let one draw decide whether and where to."""
    off = table * (1 - np.eye(4))
    rate, out, count = off.sum(axis=1).max(), words.copy(), 0
    for slot in walk(rate, seed, first * 8, (first + words.size) * 8) if rate else []:
        place, cell = divmod(slot, 8)
        state = int(words[place - first]) >> (14 - 2 * cell) & 3
        draw = keep(seed, slot) * rate
        for target in range(4):
            draw -= off[state, target]
            if draw < 0:
                out[place - first] ^= np.uint16((state ^ target) << (14 - 2 * cell))
                count += 1
                break
    return out, count


TABLES = {
    "one pair": np.array([[1, 0, 0, 0], [0.1, 0.7, 0, 0.2], [0.3, 0, 0.6, 0.1], [0, 0, 0, 1]]),
    "all": np.full((4, 4), 0.01) + 0.96 * np.eye(4),
    "none": np.eye(4),
    "always": np.roll(np.eye(4), 1, axis=1),
}


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=12, deadline=None)
@given(words=st.integers(1, 400), first=st.integers(0, 977), seed=st.integers(0, 100))
def test_cells_follow_the_table(name: str, words: int, first: int, seed: int) -> None:
    data = np.random.default_rng(seed).integers(0, 65536, words, dtype=np.uint16)
    expected, count = confused(data, TABLES[name], seed, first)
    found = data.copy()
    assert inject_cells.confuse_cells(found, SHIFTS16, TABLES[name], np.uint64(seed), first) == count
    np.testing.assert_array_equal(found, expected)


def test_certain_error_moves_every_cell() -> None:
    words = np.array([0b00_01_10_11_00_01_10_11], np.uint16)
    inject_cells.confuse_cells(words, SHIFTS16, TABLES["always"], np.uint64(0), 0)
    assert words[0] == 0b01_10_11_00_01_10_11_00


def test_filler_cells_are_left_alone() -> None:
    words = np.zeros(100, np.uint8)
    shifts = np.array([6, -1, 2, -1], np.int64)
    assert inject_cells.confuse_cells(words, shifts, TABLES["always"], np.uint64(0), 0) == 200
    assert (words == 0b01_00_01_00).all()


@pytest.mark.parametrize(("bits", "shifts"), [(1, np.arange(7, -1, -1)), (4, np.array([4, 0]))])
def test_other_cell_sizes(bits: int, shifts: np.ndarray) -> None:
    table = np.roll(np.eye(1 << bits), 1, axis=1)
    words = np.array([0x3F], np.uint8)
    inject_cells.confuse_cells(words, shifts.astype(np.int64), table, np.uint64(0), 0)
    assert words[0] == (0xC0 if bits == 1 else 0x40)


def test_compiled_and_python_agree() -> None:
    data = np.random.default_rng(4).integers(0, 65536, 97, dtype=np.uint16)
    fast, slow = data.copy(), data.copy()
    count = inject_cells.confuse_cells(fast, SHIFTS16, TABLES["one pair"], np.uint64(8), 3)
    with np.errstate(over="ignore"):
        assert (
            inject_cells.confuse_cells.py_func(slow, SHIFTS16, TABLES["one pair"], np.uint64(8), 3) == count
        )
    np.testing.assert_array_equal(fast, slow)


@settings(max_examples=15, deadline=None)
@given(cut=st.integers(0, 3000))
def test_chunks_make_the_whole(cut: int) -> None:
    data = np.random.default_rng(1).integers(0, 65536, 3000, dtype=np.uint16)
    whole, parts = data.copy(), data.copy()
    inject_cells.confuse_cells(whole, SHIFTS16, TABLES["all"], np.uint64(6), 0)
    inject_cells.confuse_cells(parts[cut:], SHIFTS16, TABLES["all"], np.uint64(6), cut)
    inject_cells.confuse_cells(parts[:cut], SHIFTS16, TABLES["all"], np.uint64(6), 0)
    np.testing.assert_array_equal(parts, whole)


@pytest.mark.parametrize("name", ["mix64", "slot_uniform", "fill_gaps", "block_slots", "block_candidates"])
def test_the_two_copies_of_the_streams_are_one(name: str) -> None:
    bits, cells = getattr(inject_bits, name).py_func, getattr(inject_cells, name).py_func
    assert inspect.getsource(bits) == inspect.getsource(cells)
    for constant in (
        "BATCH",
        "ERRORS_PER_BLOCK",
        "SLOT_BUFFER",
        "LONGEST_BLOCK_SLOTS",
        "GOLDEN",
        "ACCEPT_SALT",
    ):
        assert getattr(inject_bits, constant) == getattr(inject_cells, constant)
