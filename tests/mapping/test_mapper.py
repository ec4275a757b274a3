"""The mapper against every mapping there is, on spaces small enough to walk through."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.mapping.mapper import COUNTS, MapResult, map_problem
from cosim.mapping.mapspace import LevelRule, Rules
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


def conv(K: int, C: int, P: int, R: int, stride: int = 1, dilation: int = 1) -> Problem:
    """A convolution in one direction."""
    return Problem(
        "conv",
        {"K": K, "C": C, "P": P, "R": R},
        (
            DataSpace("Weights", ((AxisTerm("K"),), (AxisTerm("C"),), (AxisTerm("R"),))),
            DataSpace("Inputs", ((AxisTerm("C"),), (AxisTerm("P", stride), AxisTerm("R", dilation)))),
            DataSpace("Outputs", ((AxisTerm("K"),), (AxisTerm("P"),)), read_write=True),
        ),
    )


def hierarchy(
    capacities: tuple[int | None, ...], children: tuple[tuple[int, int], ...], energies: tuple[float, ...],
    *, bandwidth: float | None = None, leak: float = 0.0, row: int = 1, multicast: bool = True,
) -> NestArch:  # fmt: skip
    """Levels outermost first; `children` of every level; reads, writes and updates cost differently."""
    levels, instances, mesh_x = [], 1, 1
    for number, (capacity, (x, y), energy) in enumerate(zip(capacities, children, energies, strict=True)):
        levels.append(
            StorageLevel(
                name=f"L{number}", instances=instances, mesh_x=mesh_x, mesh_y=instances // mesh_x, words_per_row=row,
                capacity_words=capacity, energy_read_pj=energy, energy_write_pj=1.25 * energy,
                energy_update_pj=0.75 * energy, energy_leak_pj_per_cycle=leak, multicast=multicast,
                shared_bandwidth_words_per_cycle=bandwidth if number == 0 else None, link_transfers=False,
            )
        )  # fmt: skip
        instances, mesh_x = instances * x * y, mesh_x * x
    compute = ComputeLevel("MAC", instances, mesh_x, instances // mesh_x, 8, 1.0, leak)
    return NestArch("small", tuple(levels), compute)


def splits(size: int, slots: int) -> Iterator[tuple[int, ...]]:
    """All ways to write `size` as a product of `slots` factors."""
    if slots == 1:
        yield (size,)
        return
    for d in range(1, size + 1):
        if size % d == 0:
            for rest in splits(size // d, slots - 1):
                yield (d, *rest)


def every_mapping(problem: Problem, arch: NestArch, rules: Rules) -> Iterator[NestMapping]:
    """All mappings: per level and dimension a temporal factor and, where there are children, one along x and one
    along y; all orders; all bypasses that the rules leave."""
    names = [space.name for space in problem.data_spaces]
    slots: list[tuple[int, str]] = []
    for level in range(len(arch.levels)):
        slots.append((level, "temporal"))
        x, y = arch.fanout_xy(level)
        slots += [(level, "spatial_x")] * (x > 1) + [(level, "spatial_y")] * (y > 1)
    keeps = []
    for number, level in enumerate(arch.levels):
        rule = rules.get(level.name, LevelRule())
        free = [n for n in names if n not in rule.keep | rule.bypass] if number else []
        base = rule.keep if number else frozenset(names)
        keeps.append(
            [base | frozenset(c) for r in range(len(free) + 1) for c in itertools.combinations(free, r)]
        )
    for factors in itertools.product(*(splits(size, len(slots)) for size in problem.dims.values())):
        loops: list[dict[str, list[Loop]]] = [
            {"temporal": [], "spatial_x": [], "spatial_y": []} for _ in arch.levels
        ]
        for dim, row in zip(problem.dims, factors, strict=True):
            for (level, kind), bound in zip(slots, row, strict=True):
                if bound > 1:
                    loops[level][kind].append(Loop(dim, bound, kind))  # type: ignore[arg-type]
        if any(
            math.prod(p.bound for p in level[kind]) > limit
            for number, level in enumerate(loops)
            for kind, limit in zip(("spatial_x", "spatial_y"), arch.fanout_xy(number), strict=True)
        ):
            continue
        for orders in itertools.product(*(itertools.permutations(level["temporal"]) for level in loops)):
            for keep in itertools.product(*keeps):
                yield NestMapping(
                    tuple(
                        LevelMapping((*order, *level["spatial_y"], *level["spatial_x"]), kept)
                        for order, level, kept in zip(orders, loops, keep, strict=True)
                    )
                )


def best_of_all(problem: Problem, arch: NestArch, rules: Rules) -> dict[str, float]:
    """Least energy, cycles and energy times cycles over every mapping."""
    best = {"energy": math.inf, "latency": math.inf, "edp": math.inf}
    for mapping in every_mapping(problem, arch, rules):
        counts = evaluate(problem, arch, mapping, COUNTS)
        if isinstance(counts, NestCounts):
            best["energy"] = min(best["energy"], counts.energy_pj)
            best["latency"] = min(best["latency"], float(counts.cycles))
            best["edp"] = min(best["edp"], counts.energy_pj * counts.cycles)
    return best


def check(result: MapResult, least: float, *, exact: bool = True) -> None:
    """The bound holds; what is called optimal is; the best is never below the least."""
    value = result.best.value(result.objective)[0]
    assert result.bound <= least * (1 + 1e-9)
    assert value >= least * (1 - 1e-9)
    assert value <= least / (1 - result.gap) * (1 + 1e-9)
    if exact:
        assert result.certificate == "optimal"
        assert value == pytest.approx(least, rel=1e-9)


FREE: Rules = {}
INNER = {"L1": LevelRule(keep=frozenset({"Weights", "Inputs", "Outputs"}))}


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from([(2, 2, 4, 1), (2, 2, 2, 3), (4, 1, 3, 2), (1, 3, 2, 2), (2, 1, 6, 3), (3, 2, 2, 2)]),
    st.integers(1, 3), st.integers(1, 2), st.integers(3, 24), st.sampled_from([1, 2]), st.booleans(),
)  # fmt: skip
def test_two_levels_equal_exhaustive_search(
    sizes: tuple[int, int, int, int], stride: int, dilation: int, capacity: int, across: int, multicast: bool
) -> None:
    problem = conv(*sizes, stride, dilation)
    arch = hierarchy((None, capacity), ((across, 1), (1, 1)), (20.0, 1.0), multicast=multicast)
    best = best_of_all(problem, arch, FREE)
    for objective in ("energy", "latency", "edp"):
        check(map_problem(problem, arch, FREE, objective), best[objective])


@pytest.mark.parametrize(
    ("sizes", "stride", "large", "small"),
    [((2, 2, 2, 2), 1, 9, 6), ((2, 1, 4, 3), 2, 20, 5), ((1, 2, 4, 2), 1, 8, 30)],
)
def test_three_levels_equal_exhaustive_search(
    sizes: tuple[int, int, int, int], stride: int, large: int, small: int
) -> None:
    problem = conv(*sizes, stride)
    arch = hierarchy((None, large, small), ((1, 1), (2, 1), (1, 1)), (50.0, 6.0, 1.0), leak=0.5)
    rules = {
        "L1": LevelRule(bypass=frozenset({"Weights"})),
        "L2": LevelRule(keep=frozenset({"Weights", "Outputs"})),
    }
    best = best_of_all(problem, arch, rules)
    for objective in ("energy", "edp"):
        check(map_problem(problem, arch, rules, objective), best[objective])


@pytest.mark.parametrize("row", [1, 3])
@pytest.mark.parametrize("bandwidth", [0.4, 1.5])
def test_bounds_hold_where_they_need_not_be_reached(row: int, bandwidth: float) -> None:
    problem = conv(2, 2, 4, 3)
    arch = hierarchy((None, 12), ((2, 2), (1, 1)), (20.0, 1.0), bandwidth=bandwidth, leak=0.25, row=row)
    best = best_of_all(problem, arch, FREE)
    for objective in ("energy", "latency", "edp"):
        check(map_problem(problem, arch, FREE, objective), best[objective], exact=False)
