"""FPGA resources: block RAM tilings by hand, packing, boards, and the builds that the ranges must contain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.components.fpga_board import board_names, load_board
from cosim.components.fpga_resources import (
    BRAM18_BITS,
    DoesNotFitError,
    MemoryArray,
    Products,
    Range,
    bram18_count,
    bram18_range,
    design_use,
    dsp_range,
    dsps_per_product,
    fit,
    require_fit,
    uram_count,
)

# (name, width, elements in a word, PEs, OUT, weight depth) -> built (LUT, DSP, BRAM18) on a ZU3EG; CNNA reports.
BUILDS = {
    "CNNA16": ((16, 8, 8, 3, 800), (42465, 360, 277)),
    "CNNA8_1": ((8, 16, 16, 1, 798), (44007, 245, 193)),
    "CNNA8_2": ((8, 16, 8, 3, 546), (51957, 359, 249)),
}


def memories(width: int, lanes: int, pes: int, out: int, depth: int) -> list[MemoryArray]:
    return [
        MemoryArray("weights", depth, lanes * out * width, pes),
        MemoryArray("lines", 512 * 64 // lanes, 128, 3),
        MemoryArray("window", -(-512 * 3 // lanes), 128),
        MemoryArray("pooling", 1024, 128),
    ]


@pytest.mark.parametrize(
    ("depth", "width", "count"),
    [
        (16384, 1, 1),
        (1024, 18, 1),
        (1025, 18, 2),
        (512, 36, 1),
        (4096, 128, 30),
        (800, 384, 22),
        (2048, 9, 1),
        (33, 512, 15),
    ],
)
def test_block_ram_tilings_by_hand(depth: int, width: int, count: int) -> None:
    """4096 x 128: 2048x9 takes 2 * 15 = 30, 4096x4 would take 32. 800 x 384: 1024x18 takes 22, 512x36 as many."""
    assert bram18_count(depth, width) == count


def test_small_memories_go_to_logic() -> None:
    assert bram18_count(32, 512) == 0
    assert bram18_count(100, 10) == 0
    assert bram18_count(128, 8) == 1


@given(st.integers(33, 40000), st.integers(1, 600))
def test_tilings_hold_the_bits_and_grow_with_both_sides(depth: int, width: int) -> None:
    if depth * width < 1024:
        return
    count = bram18_count(depth, width)
    assert count * BRAM18_BITS >= depth * width
    assert bram18_count(depth + 1, width) >= count
    assert bram18_count(depth, width + 1) >= count


def test_uram_blocks() -> None:
    assert uram_count(4096, 72) == 1
    assert uram_count(4097, 73) == 4


@pytest.mark.parametrize(
    ("a", "w", "slices"),
    [(16, 16, 1), (18, 27, 1), (27, 18, 1), (8, 8, 0.5), (4, 8, 0.5), (4, 4, 0.25), (32, 32, 4), (19, 16, 1)],
)
def test_products_in_a_slice(a: int, w: int, slices: float) -> None:
    assert dsps_per_product(a, w) == slices


@pytest.mark.parametrize("name", BUILDS)
def test_ranges_contain_the_builds(name: str) -> None:
    (width, lanes, pes, out, depth), (luts, dsps, brams) = BUILDS[name]
    use = design_use([Products(pes * lanes * out, width, width)], memories(width, lanes, pes, out, depth))
    assert use.luts.low <= luts <= use.luts.high
    assert use.dsps.low <= dsps <= use.dsps.high
    assert use.bram18s.low <= brams <= use.bram18s.high


@pytest.mark.parametrize(("name", "tiled"), [("CNNA16", 278), ("CNNA8_1", 185), ("CNNA8_2", 233)])
def test_tilings_alone_are_within_seven_per_cent_of_the_builds(name: str, tiled: int) -> None:
    (width, lanes, pes, out, depth), (_, _, built) = BUILDS[name]
    found = sum(
        m.copies * bram18_count(m.depth, m.width_bits) for m in memories(width, lanes, pes, out, depth)
    )
    assert found == tiled
    assert abs(found / built - 1) < 0.07


# The authors' own estimate for 64 filters, elements 4 .. 64 (design-space data of the artefact): width, OUT.
ESTIMATES = {
    (16, 3): (364, 370, 381, 403, 449),
    (16, 1): (358, 360, 364, 371, 387),
    (8, 3): (187, 192, 204, 226, 272),
    (8, 1): (181, 183, 187, 194, 210),
    (32, 3): (717, 723, 735, 756, 802),
}


@pytest.mark.parametrize("key", ESTIMATES)
def test_bits_alone_agree_with_the_authors_estimate(key: tuple[int, int]) -> None:
    """Their formula divides all bits by 18,000; ours rounds up each element's own memory, which counts for more
    the more elements there are.
    """
    width, out = key
    lanes = 128 // width
    for pes, estimate in zip((4, 8, 16, 32, 64), ESTIMATES[key], strict=True):
        depth = -(-9 * 512 * 64 // (pes * lanes * out)) + 64
        low = bram18_range(memories(width, lanes, pes, out, depth)).low
        surplus = pes / estimate
        assert 0.96 <= low / estimate <= 1.03 + surplus, pes


def test_design_that_cannot_fit_is_refused_with_the_reason() -> None:
    use = design_use([Products(16384, 16, 16)], [MemoryArray("weights", 4096, 4096, 4)])
    with pytest.raises(
        DoesNotFitError, match=r"does not fit ultra96 .*dsps: needs 16,384 to 30,720, .*360: refused"
    ) as error:
        require_fit(use, load_board("ultra96"))
    assert "bram18s: needs" in str(error.value)
    assert {row.resource: row.verdict for row in fit(use, load_board("u250"))}["dsps"] == "refused"


def test_verdicts_between_the_ends() -> None:
    rows = {row.resource: row for row in fit(design_use([Products(300, 16, 16)], []), load_board("ultra96"))}
    assert rows["dsps"].verdict == "may fail"
    assert rows["luts"].verdict == "fits"
    assert rows["urams"].verdict == "fits"


def test_boards_are_sourced_and_known_by_name() -> None:
    for name in board_names():
        assert load_board(name, strict=True).name == name
    assert int(load_board("ultra96").device.bram36s) * 2 == 432
    with pytest.raises(KeyError, match="ultra96"):
        load_board("ultra69")


def test_ranges_are_ordered_and_add() -> None:
    assert Range(1, 2) + Range(3, 5) == Range(4, 7)
    with pytest.raises(ValueError, match="low <= high"):
        Range(2, 1)
    assert dsp_range(Products(256, 8, 8)).low == 128
    assert bram18_range([]) == Range(0, 0)
