"""Vocabulary, refusals and conventions of the loop-nest engine on cases worked by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from cosim.mapping.nest import (
    TIMELOOP,
    AxisTerm,
    ComputeLevel,
    CountOptions,
    DataSpace,
    Infeasible,
    LevelMapping,
    Loop,
    NestArch,
    NestCounts,
    NestMapping,
    Problem,
    StorageLevel,
)
from cosim.mapping.nest_evaluate import evaluate

ALL = frozenset(("Weights", "Inputs", "Outputs"))
CONV1D = Problem(
    "conv1d",
    {"R": 3, "P": 16},
    (
        DataSpace("Weights", ((AxisTerm("R"),),)),
        DataSpace("Inputs", ((AxisTerm("R"), AxisTerm("P")),)),
        DataSpace("Outputs", ((AxisTerm("P"),),), read_write=True),
    ),
)
GEMM = Problem(
    "gemm",
    {"M": 8, "N": 6, "K": 4},
    (
        DataSpace("A", ((AxisTerm("M"),), (AxisTerm("K"),))),
        DataSpace("B", ((AxisTerm("K"),), (AxisTerm("N"),))),
        DataSpace("Z", ((AxisTerm("M"),), (AxisTerm("N"),)), read_write=True),
    ),
)
TWO = NestArch("two", (StorageLevel("Memory"), StorageLevel("Buffer")), ComputeLevel("MAC"))


def mapping(*levels: list[Loop], keep: frozenset[str] = ALL) -> NestMapping:
    return NestMapping(tuple(LevelMapping(tuple(loops), keep) for loops in levels))


def counted(
    problem: Problem, arch: NestArch, plan: NestMapping, options: CountOptions | None = None
) -> NestCounts:
    result = evaluate(problem, arch, plan, options)
    assert isinstance(result, NestCounts), result
    return result


def refused(problem: Problem, arch: NestArch, plan: NestMapping) -> Infeasible:
    result = evaluate(problem, arch, plan)
    assert isinstance(result, Infeasible), result
    return result


def test_words_of_a_strided_dilated_window() -> None:
    space = DataSpace("Inputs", ((AxisTerm("P", 2), AxisTerm("R", 3)), (AxisTerm("C"),)))
    assert space.words({"P": 4, "R": 3, "C": 5}) == (1 + 2 * 3 + 3 * 2) * 5
    assert space.words({}) == 1
    assert space.dims == {"P", "R", "C"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AxisTerm("P", 0), "coefficient of P is 0"),
        (lambda: Loop("P", 0), "bound 0, must be 1 or more"),
        (lambda: Loop("P", 4, last_bound=5), r"last_bound 5, must lie in 1\.\.4"),
        (lambda: replace(CONV1D, dims={"R": 3}), r"Inputs uses \['P'\]"),
        (lambda: replace(CONV1D, dims={"R": 3, "P": 0}), "size of P is 0"),
        (lambda: replace(GEMM, data_spaces=(*GEMM.data_spaces, GEMM.data_spaces[0])), "names repeat"),
        (lambda: NestArch("none", (), ComputeLevel("MAC")), "no storage level"),
        (lambda: NestArch("odd", (StorageLevel("S", 3, 3),), ComputeLevel("MAC", 4, 4)), "not a multiple"),
        (lambda: GEMM.space("Q"), "no data space 'Q'"),
        (lambda: evaluate(CONV1D, TWO, mapping([])), "mapping has 1 levels, two has 2"),
        (lambda: evaluate(CONV1D, TWO, mapping([Loop("Z", 2)], [])), "no dimension 'Z'"),
        (lambda: evaluate(CONV1D, TWO, mapping([], [], keep=ALL | {"X"})), r"keeps \['X'\]"),
        (
            lambda: evaluate(CONV1D, TWO, mapping([Loop("P", 2, "spatial_x"), Loop("R", 3)], [])),
            "temporal loop over R inside a spatial one",
        ),
    ],
)
def test_what_makes_no_sense_is_an_error(make: Any, message: str) -> None:
    with pytest.raises((ValueError, KeyError), match=message):
        make()


def test_refusals_name_level_demand_and_bound() -> None:
    small = replace(
        TWO, levels=(TWO.levels[0], replace(TWO.levels[1], capacity_words=40, multiple_buffering=2.0))
    )
    plan = mapping([], [Loop("P", 16), Loop("R", 3)])
    found = refused(CONV1D, small, plan)
    assert (found.level, found.what, found.demand, found.bound) == ("Buffer", "words", 3 + 18 + 16, 20)
    wide = NestArch(
        "wide", (StorageLevel("Memory"), StorageLevel("Buffer", 4, 2, 2)), ComputeLevel("MAC", 4, 2, 2)
    )
    across = mapping([Loop("P", 4), Loop("R", 3), Loop("P", 4, "spatial_x")], [])
    found = refused(CONV1D, wide, across)
    assert (found.level, found.what, found.demand, found.bound) == ("MAC", "instances along x", 4, 2)
    found = refused(CONV1D, wide, mapping([Loop("P", 16, "spatial_x")], [Loop("R", 3)]))
    assert (found.level, found.what, found.demand, found.bound) == ("MAC", "instances", 16, 4)
    found = refused(CONV1D, TWO, mapping([Loop("P", 16, "spatial_x")], [Loop("R", 3)]))
    assert (found.level, found.what) == ("Memory", "fan-out")
    found = refused(CONV1D, TWO, mapping([Loop("P", 4)], [Loop("R", 3)]))
    assert (found.level, found.what, found.demand, found.bound) == ("mapping", "factors of P", 4, 16)
    found = refused(
        CONV1D, TWO, mapping([Loop("P", 16)], [Loop("R", 3)], keep=frozenset(("Inputs", "Outputs")))
    )
    assert found.what == "levels that keep Weights"


def test_a_spatial_remainder_needs_an_outer_loop() -> None:
    row = NestArch(
        "row", (StorageLevel("Memory"), StorageLevel("Buffer", 16, 16)), ComputeLevel("MAC", 16, 16)
    )
    plan = mapping([Loop("R", 3), Loop("P", 16, "spatial_x", 15)], [])
    found = refused(replace(CONV1D, dims={"R": 3, "P": 15}), row, plan)
    assert found.what == "remainder of P"


def test_output_stationary_gemm_by_hand() -> None:
    # Z held in the buffer over K: A and B pass once per use, Z once
    plan = mapping([Loop("M", 8), Loop("N", 6)], [Loop("K", 4)], keep=frozenset("ABZ"))
    counts = counted(GEMM, TWO, plan)
    a, b, z = (counts.access("Memory", name) for name in "ABZ")
    assert (a.reads, b.reads) == (8 * 4, 8 * 6 * 4)  # the row of A stays while N runs
    assert (z.reads, z.updates) == (0, 8 * 6)
    held = counts.access("Buffer", "Z")
    assert (held.updates, held.reads, held.fills) == (192, 192 - 48, 0)
    assert counts.cycles == counts.computes == 192
    assert counts.utilization == 1.0


def test_first_sums_are_read_only_where_asked() -> None:
    plan = mapping([Loop("K", 4)], [Loop("M", 8), Loop("N", 6)], keep=frozenset("ABZ"))
    z = counted(GEMM, TWO, plan).access("Memory", "Z")
    assert (z.updates, z.reads) == (48, 0)  # the buffer holds all of Z
    z = counted(GEMM, TWO, plan, CountOptions(first_read_elision=False)).access("Memory", "Z")
    assert (z.updates, z.reads) == (48, 48)


def test_rewinding_taps_differ_by_convention() -> None:
    # 16 positions outside 3 taps, one word held: the next position wants the second word of this one
    plan = mapping([Loop("P", 16), Loop("R", 3)], [])
    assert counted(CONV1D, TWO, plan).access("Memory", "Inputs").reads == 48
    assert counted(CONV1D, TWO, plan, TIMELOOP).access("Memory", "Inputs").reads == 33
    walked = replace(TIMELOOP, visited_iterations="all")
    assert counted(CONV1D, TWO, plan, walked).access("Memory", "Inputs").reads == 48


def test_bypass_equals_a_machine_without_the_level() -> None:
    three = NestArch("three", (*TWO.levels, StorageLevel("Register")), ComputeLevel("MAC"))
    loops = ([Loop("M", 2), Loop("K", 2)], [Loop("N", 6), Loop("M", 2)], [Loop("K", 2), Loop("M", 2)])
    space = frozenset("ABZ")
    plan = NestMapping(
        tuple(
            LevelMapping(tuple(part), space if level != 1 else space - {"A"})
            for level, part in enumerate(loops)
        )
    )
    merged = mapping(loops[0] + loops[1], loops[2], keep=space)
    with_level, without = counted(GEMM, three, plan), counted(GEMM, TWO, merged)
    assert with_level.access("Memory", "A").reads == without.access("Memory", "A").reads
    assert with_level.access("Register", "A").fills == without.access("Buffer", "A").fills


def test_multicast_and_links_can_be_taken_away() -> None:
    def row(**fields: Any) -> NestArch:
        top = StorageLevel("Memory", **fields)
        return NestArch("row", (top, StorageLevel("Buffer", 8, 8)), ComputeLevel("MAC", 8, 8))

    # 8 neighbours hold one input word each and slide by one: 7 of 8 words come from the neighbour
    plan = mapping([Loop("P", 2), Loop("R", 3), Loop("P", 8, "spatial_x")], [])
    inputs = {
        name: next(
            n for n in counted(CONV1D, arch, plan).networks if n.inner == "Buffer" and n.data_space == name
        )
        for arch in (row(),)
        for name in ALL
    }
    assert (inputs["Inputs"].ingresses, inputs["Inputs"].link_transfers) == (2 * (8 + 2), 2 * 2 * 7)
    assert (inputs["Weights"].ingresses, inputs["Weights"].multicast_factor) == (6, 8)
    alone = counted(CONV1D, row(link_transfers=False, multicast=False), plan)
    networks = {n.data_space: n for n in alone.networks if n.inner == "Buffer"}
    assert (networks["Inputs"].ingresses, networks["Inputs"].link_transfers) == (48, 0)
    assert (networks["Weights"].ingresses, networks["Weights"].multicast_factor) == (48, 1)


def test_peers_share_the_links_of_their_own_parent() -> None:
    # two parents of four children each; every parent moves 2 * 3 words over links
    arch = NestArch(
        "two rows",
        (StorageLevel("Memory"), StorageLevel("Bank", 2, 1, 2), StorageLevel("Cell", 8, 4, 2)),
        ComputeLevel("MAC", 8, 4, 2),
    )
    problem = replace(CONV1D, dims={"R": 3, "P": 8})
    plan = mapping([Loop("P", 2, "spatial_y")], [Loop("R", 3), Loop("P", 4, "spatial_x")], [])
    ours, theirs = counted(problem, arch, plan), counted(problem, arch, plan, TIMELOOP)
    cell = ours.access("Cell", "Inputs")
    # each cell sees three words: of the 4 + 2 from the bank and 6 from peers, a quarter each
    assert cell.fills == 3
    assert theirs.access("Cell", "Inputs").fills == math.floor(6 / 4 + 6 / 8)


def test_narrow_rows_tear_apart_when_packed() -> None:
    # 2 columns of a 4-wide mesh, 2 rows; taps along x, positions along y, sliding in P: words move along both
    arch = NestArch(
        "mesh", (StorageLevel("Memory"), StorageLevel("Cell", 16, 4, 4)), ComputeLevel("MAC", 16, 4, 4)
    )
    problem = replace(CONV1D, dims={"R": 2, "P": 8})
    plan = mapping([Loop("P", 4), Loop("P", 2, "spatial_y"), Loop("R", 2, "spatial_x")], [])
    ours = {n.data_space: n for n in counted(problem, arch, plan).networks if n.inner == "Cell"}
    packed = CountOptions(placement="packed")
    torn = {n.data_space: n for n in counted(problem, arch, plan, packed).networks if n.inner == "Cell"}
    # outputs: two rows, each reduced over two columns: one column away, and 1.5 or 0.5 rows from the middle
    assert ours["Outputs"].mean_hops == 1 + ((1.5 + 1.5) + (0.5 + 0.5)) / 2
    # packed puts all four in row 0: columns 0, 1 and 2, 3
    assert torn["Outputs"].mean_hops == ((1 + 1.5 * 2) + (3 + 1.5 * 2)) / 2


def test_bandwidth_stalls_and_leakage() -> None:
    memory = StorageLevel("Memory", read_bandwidth_words_per_cycle=0.5, energy_leak_pj_per_cycle=2.0)
    arch = NestArch("slow", (memory, StorageLevel("Buffer")), ComputeLevel("MAC"))
    plan = mapping([Loop("M", 8), Loop("N", 6)], [Loop("K", 4)], keep=frozenset("ABZ"))
    counts = counted(GEMM, arch, plan)
    assert counts.cycles == (8 * 4 + 8 * 6 * 4) / 0.5  # 224 words at half a word a cycle, 192 cycles of work
    assert counts.energy_leakage_pj == 2.0 * counts.cycles


def test_a_walk_that_would_not_end_is_refused() -> None:
    problem = replace(GEMM, dims={"M": 8191, "N": 8191, "K": 4})
    loops = [Loop("M", 4096), Loop("N", 8191)]
    plan = mapping(loops, [Loop("M", 2, last_bound=1), Loop("K", 4)], keep=frozenset("ABZ"))
    with pytest.raises(ValueError, match=r"would walk 3\.36e\+07 steps, the limit is 3e\+07"):
        evaluate(problem, TWO, plan)
    assert counted(problem, TWO, plan, TIMELOOP).computes == problem.macs
