"""The mapper's incremental evaluator against the loop-nest engine, which works out every mapping anew."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.checks.timeloop_cases import read_cases
from cosim.kernels import mapper_evaluate as kernel
from cosim.kernels import mapper_tiling as tiling
from cosim.mapping.mapper import COUNTS
from cosim.mapping.mapper_evaluate import (
    Factors,
    distinct_orders,
    evaluate_factors,
    exhaustive,
    factors_of,
)
from cosim.mapping.mapspace import MapSpaceError, shape_of
from cosim.mapping.nest import (
    AxisTerm,
    ComputeLevel,
    DataSpace,
    LevelMapping,
    Loop,
    NestArch,
    NestCounts,
    NestMapping,
    Problem,
    StorageLevel,
)
from cosim.mapping.nest_evaluate import evaluate

GOLDEN = Path(__file__).parents[1] / "data" / "timeloop"
KINDS = ("temporal", "spatial_y", "spatial_x")


def same_as_engine(problem: Problem, arch: NestArch, mapping: NestMapping) -> bool:
    """Whether both accept the mapping; asserts that they agree in every access count, energy and cycles."""
    counts = evaluate(problem, arch, mapping, COUNTS)
    energy, cycles, words = evaluate_factors(problem, arch, factors_of(problem, arch, mapping))
    if not isinstance(counts, NestCounts):
        assert math.isinf(energy)
        return False
    assert cycles == counts.cycles
    assert energy == pytest.approx(counts.energy_pj, rel=1e-12)
    names = [level.name for level in reversed(arch.levels)]
    spaces = [space.name for space in problem.data_spaces]
    for row in counts.accesses:
        found = words[names.index(row.level), spaces.index(row.data_space)]
        assert found.tolist() == [row.reads, row.fills, row.updates], (row, found)
    return True


def test_recorded_nests() -> None:
    agreed, outside = 0, 0
    for case in read_cases(GOLDEN):
        if not isinstance(evaluate(case.problem, case.arch, case.mapping, COUNTS), NestCounts):
            continue
        try:
            agreed += same_as_engine(case.problem, case.arch, case.mapping)
        except MapSpaceError:
            outside += 1
    assert agreed >= 100
    assert outside <= 90


@st.composite
def nests(draw: st.DrawFn) -> tuple[Problem, NestArch, NestMapping]:
    """A convolution in two directions on two to four levels, with bypass, fan-outs, rows, bandwidths and leakage."""
    levels = draw(st.integers(2, 4))
    stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    primes = st.sampled_from([1, 1, 2, 3, 5])
    dims = ("K", "C", "P", "Q", "R", "S")
    loops: list[list[Loop]] = []
    meshes: list[tuple[int, int]] = []
    size = dict.fromkeys(dims, 1)
    for _ in range(levels):
        own: list[Loop] = []
        for kind in KINDS:
            for dim in draw(st.permutations(dims)):
                bound = draw(primes) if kind == "temporal" or draw(st.integers(0, 4)) == 0 else 1
                if bound > 1 and math.prod(size.values()) * bound <= 4000:
                    size[dim] *= bound
                    own.append(Loop(dim, bound, kind))
        across = {kind: math.prod(loop.bound for loop in own if loop.kind == kind) for kind in KINDS}
        spare = draw(st.integers(1, 2))
        meshes.append((across["spatial_x"] * spare, across["spatial_y"]))
        loops.append(own)
    problem = Problem(
        "conv",
        size,
        (
            DataSpace("Weights", tuple((AxisTerm(d),) for d in "KCRS")),
            DataSpace(
                "Inputs",
                ((AxisTerm("C"),), (AxisTerm("P", stride), AxisTerm("R", dilation)), (AxisTerm("Q"), AxisTerm("S"))),
            ),
            DataSpace("Outputs", tuple((AxisTerm(d),) for d in "KPQ"), read_write=True),
        ),
    )  # fmt: skip
    parts, mapped = [], []
    instances, mesh_x = 1, 1
    words = st.one_of(st.none(), st.floats(0.3, 4.0))
    for number, (own, (x, y)) in enumerate(zip(loops, meshes, strict=True)):
        parts.append(
            StorageLevel(
                f"L{number}", instances, mesh_x, instances // mesh_x, 8, draw(st.sampled_from([1, 4])),
                capacity_words=draw(st.sampled_from([None, None, 400])), energy_read_pj=draw(st.floats(0.5, 9)),
                energy_write_pj=draw(st.floats(0.5, 9)), energy_update_pj=draw(st.floats(0.5, 9)),
                energy_leak_pj_per_cycle=draw(st.sampled_from([0.0, 0.5])), multicast=draw(st.booleans()),
                read_bandwidth_words_per_cycle=draw(words), write_bandwidth_words_per_cycle=draw(words),
                shared_bandwidth_words_per_cycle=draw(words),
            )
        )  # fmt: skip
        instances, mesh_x = instances * x * y, mesh_x * x
        keep = (
            draw(st.sets(st.sampled_from(["Weights", "Inputs", "Outputs"])))
            if number
            else {"Weights", "Inputs", "Outputs"}
        )
        mapped.append(LevelMapping(tuple(own), frozenset(keep)))
    compute = ComputeLevel("MAC", instances, mesh_x, instances // mesh_x, 8, 1.0, 0.25)
    return problem, NestArch("drawn", tuple(parts), compute), NestMapping(tuple(mapped))


@settings(max_examples=150, deadline=None)
@given(nests())
def test_drawn_nests(nest: tuple[Problem, NestArch, NestMapping]) -> None:
    same_as_engine(*nest)


def small() -> tuple[Problem, NestArch]:
    """A convolution on three levels with two fan-outs."""
    problem = Problem(
        "conv",
        {"K": 4, "C": 2, "P": 4, "R": 3},
        (
            DataSpace("Weights", ((AxisTerm("K"),), (AxisTerm("C"),), (AxisTerm("R"),))),
            DataSpace("Inputs", ((AxisTerm("C"),), (AxisTerm("P"), AxisTerm("R")))),
            DataSpace("Outputs", ((AxisTerm("K"),), (AxisTerm("P"),)), read_write=True),
        ),
    )
    levels = (
        StorageLevel("Far", energy_read_pj=40, energy_write_pj=50, energy_update_pj=45, link_transfers=False),
        StorageLevel("Mid", 2, 2, capacity_words=40, energy_read_pj=5, energy_write_pj=6, energy_update_pj=7),
        StorageLevel(
            "Near", 4, 2, 2, capacity_words=12, energy_read_pj=1, energy_write_pj=1.5, energy_update_pj=2
        ),
    )
    return problem, NestArch("small", levels, ComputeLevel("MAC", 4, 2, 2, 8, 1.0))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 10_000_000), min_size=1, max_size=3), st.booleans())
def test_walked_orders_are_all_orders(numbers: list[int], bypass: bool) -> None:
    """The least costs of a tiling over the orders that are told apart are those over all orders, one by one."""
    problem, arch = small()
    keep = np.ones((3, 3), np.int64)
    keep[1, 1] = 0 if bypass else 1
    for number in numbers:
        space = exhaustive(problem, arch, keep)
        at = number % space.tilings
        evaluated = space.run(np.array([at]))
        if not evaluated:
            continue
        shape = shape_of(problem)
        least = [math.inf] * 3
        perms = [np.array(p) for p in itertools.permutations(range(len(shape.dims)))]
        loops = [[p for p in perms if is_canonical(p, space.found[level])] for level in range(3)]
        for orders in itertools.product(*loops):
            energy, cycles, _ = evaluate_factors(
                problem, arch, Factors(keep, space.found[:3], space.found[3:], np.array(orders))
            )
            least = [min(a, b) for a, b in zip(least, (energy, cycles, energy * cycles), strict=True)]
        assert space.best.tolist() == pytest.approx(least, rel=1e-12)
        assert evaluated <= math.prod(len(perm) for perm in loops)


def is_canonical(order: np.ndarray, counts: np.ndarray) -> bool:
    """Whether loops of one iteration come last, in order."""
    idle = [i for i, d in enumerate(order) if counts[d] == 1]
    return idle == list(range(len(order) - len(idle), len(order))) and all(np.diff(order[idle]) > 0)


def test_orders_told_apart_for_a_matrix_product() -> None:
    """Each of the three tensors has one loop that leaves it alone, and that loop may be innermost: three orders."""
    problem = Problem(
        "product",
        {"M": 4, "N": 4, "K": 4},
        (
            DataSpace("A", ((AxisTerm("M"),), (AxisTerm("K"),))),
            DataSpace("B", ((AxisTerm("K"),), (AxisTerm("N"),))),
            DataSpace("Z", ((AxisTerm("M"),), (AxisTerm("N"),)), read_write=True),
        ),
    )
    orders, spans = distinct_orders(shape_of(problem))
    first, rows = spans[0b111]
    assert rows == 3
    assert {int(row[0]) for row in orders[first : first + rows]} == {0, 1, 2}


def test_compiled_equals_python() -> None:
    problem, arch = small()
    space = exhaustive(problem, arch, np.ones((3, 3), np.int64))
    temporal, across, _ = space.factors(np.arange(0, space.tilings, 97))
    nest, machine, results = space.nest, space.machine, []
    for lay, walk in (
        (tiling.lay_out, kernel.walk_tilings),
        (tiling.lay_out.py_func, kernel.walk_tilings.py_func),
    ):
        laid = lay(nest, machine[2], machine[5], space.table, temporal, across)
        best, found = np.full(3, np.inf), np.zeros(1, np.int64)
        count = walk(nest, machine, space.table, temporal, laid, space.orders, space.by_loops, best, found)
        results.append((count, best.tolist(), found.tolist()))
    assert results[0] == results[1]
    assert results[0][0] > 20


def test_remainders_are_refused() -> None:
    problem, arch = small()
    parts = [LevelMapping((Loop("P", 3, last_bound=1),), frozenset({"Weights", "Inputs", "Outputs"}))]
    with pytest.raises(MapSpaceError, match="remainder"):
        factors_of(problem, arch, NestMapping((*parts, LevelMapping(), LevelMapping())))
