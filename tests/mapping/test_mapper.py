"""The mapper against every mapping there is, on spaces small enough to walk through."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.mapping import mapper, mapper_search
from cosim.mapping.feasibility import InfeasibleError
from cosim.mapping.mapper import COUNTS, MapResult, Objective, Stopped, map_problem
from cosim.mapping.mapper_evaluate import exhaustive
from cosim.mapping.mapspace import LevelRule, MapSpaceError, Rules, keep_choices
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


def all_costs(problem: Problem, arch: NestArch, rules: Rules) -> set[tuple[float, int]]:
    """Energy and cycles of every mapping, by the engine."""
    every = (evaluate(problem, arch, mapping, COUNTS) for mapping in every_mapping(problem, arch, rules))
    return {(c.energy_pj, c.cycles) for c in every if isinstance(c, NestCounts)}


def best_of_all(problem: Problem, arch: NestArch, rules: Rules) -> dict[str, float]:
    """Least energy, cycles and energy times cycles over every mapping, by the exhaustive kernel."""
    best = np.full(3, np.inf)
    for keep in keep_choices(problem, arch, rules):
        space = exhaustive(problem, arch, keep)
        space.run(np.arange(space.tilings))
        best = np.minimum(best, space.best)
    return dict(zip(("energy", "latency", "edp"), best.tolist(), strict=True))


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


@pytest.mark.parametrize("sizes", [(2, 2, 2, 2), (1, 2, 4, 3)])
def test_two_levels_equal_the_engine_on_every_mapping(sizes: tuple[int, int, int, int]) -> None:
    problem = conv(*sizes)
    arch = hierarchy((None, 9), ((2, 1), (1, 1)), (20.0, 1.0), bandwidth=1.0)
    rules = {"L1": LevelRule(bypass=frozenset({"Weights"}))}
    costs = all_costs(problem, arch, rules)
    best = best_of_all(problem, arch, rules)
    assert best["energy"] == pytest.approx(min(e for e, _ in costs), rel=1e-12)
    assert best["latency"] == min(c for _, c in costs)
    assert best["edp"] == pytest.approx(min(e * c for e, c in costs), rel=1e-12)
    check(map_problem(problem, arch, rules, "energy"), best["energy"])


def test_front_is_the_front_of_all_mappings() -> None:
    """Children along K read the same inputs one by one, so that speed costs energy."""
    problem = conv(4, 1, 4, 1)
    arch = hierarchy((None, 9), ((4, 1), (1, 1)), (20.0, 1.0), multicast=False)
    rules = {"L0": LevelRule(spatial_x=("K",)), "L1": LevelRule(keep=frozenset({"Inputs", "Weights"}))}
    along_k = (
        m
        for m in every_mapping(problem, arch, rules)
        if all(p.dim == "K" for p in m.levels[0].loops if p.spatial)
    )
    every = (evaluate(problem, arch, mapping, COUNTS) for mapping in along_k)
    costs = {(c.energy_pj, c.cycles) for c in every if isinstance(c, NestCounts)}
    front = {(e, c) for e, c in costs if not any(a <= e and b <= c and (a, b) != (e, c) for a, b in costs)}
    found = map_problem(problem, arch, rules, "pareto").front
    assert {(c.counts.energy_pj, c.counts.cycles) for c in found} == front
    assert len(front) > 1


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([(2, 2, 4, 1), (2, 2, 2, 3), (4, 1, 3, 2), (1, 3, 2, 2), (2, 1, 6, 3), (4, 4, 4, 3)]),
    st.integers(1, 3), st.integers(1, 2), st.integers(3, 24), st.sampled_from([1, 2, 4]), st.booleans(),
    st.sampled_from(["energy", "latency", "edp"]),
)  # fmt: skip
def test_two_levels_equal_exhaustive_search(
    sizes: tuple[int, int, int, int], stride: int, dilation: int, capacity: int, across: int, multicast: bool,
    objective: Objective,
) -> None:  # fmt: skip
    problem = conv(*sizes, stride, dilation)
    arch = hierarchy((None, capacity), ((across, 1), (1, 1)), (20.0, 1.0), multicast=multicast)
    check(map_problem(problem, arch, FREE, objective), best_of_all(problem, arch, FREE)[objective])


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from([(2, 2, 2, 2), (2, 1, 4, 3), (1, 2, 4, 2), (3, 2, 4, 1), (2, 2, 4, 3)]), st.integers(1, 2),
    st.integers(7, 40), st.integers(3, 12), st.sampled_from([((1, 1), (2, 1), (1, 1)), ((2, 1), (1, 2), (1, 1))]),
    st.sampled_from([0.0, 0.5]), st.sampled_from(["energy", "edp"]),
)  # fmt: skip
def test_three_levels_equal_exhaustive_search(
    sizes: tuple[int, int, int, int], stride: int, large: int, small: int, children: tuple[tuple[int, int], ...],
    leak: float, objective: Objective,
) -> None:  # fmt: skip
    problem = conv(*sizes, stride)
    arch = hierarchy((None, large, small), children, (50.0, 6.0, 1.0), leak=leak)
    rules = {"L2": LevelRule(keep=frozenset({"Weights"}))}
    check(map_problem(problem, arch, rules, objective), best_of_all(problem, arch, rules)[objective])


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([1, 3]), st.sampled_from([0.4, 1.5]), st.sampled_from(["energy", "latency", "edp"]))
def test_bounds_hold_where_they_need_not_be_reached(row: int, bandwidth: float, objective: Objective) -> None:
    problem = conv(2, 2, 4, 3)
    arch = hierarchy((None, 12), ((2, 2), (1, 1)), (20.0, 1.0), bandwidth=bandwidth, leak=0.25, row=row)
    check(
        map_problem(problem, arch, FREE, objective), best_of_all(problem, arch, FREE)[objective], exact=False
    )


def test_two_dimensional_windows() -> None:
    """Both axes of the input slide; a bound that lets one loop be free twice would call too much optimal."""
    problem = Problem(
        "conv2d",
        {"C": 2, "P": 4, "Q": 2, "R": 3, "S": 3},
        (
            DataSpace("Weights", ((AxisTerm("C"),), (AxisTerm("R"),), (AxisTerm("S"),))),
            DataSpace("Inputs", ((AxisTerm("C"),), (AxisTerm("P"), AxisTerm("R")), (AxisTerm("Q"), AxisTerm("S")))),
            DataSpace("Outputs", ((AxisTerm("C"),), (AxisTerm("P"),), (AxisTerm("Q"),)), read_write=True),
        ),
    )  # fmt: skip
    arch = hierarchy((None, 60, 14), ((1, 1), (2, 1), (1, 1)), (40.0, 5.0, 1.0))
    rules = {
        "L1": LevelRule(bypass=frozenset({"Weights"})),
        "L2": LevelRule(keep=frozenset({"Inputs", "Outputs"})),
    }
    check(map_problem(problem, arch, rules), best_of_all(problem, arch, rules)["energy"])


def test_rules_are_kept() -> None:
    problem = conv(4, 4, 8, 3)
    arch = hierarchy((None, 60, 20), ((1, 1), (4, 2), (1, 1)), (50.0, 6.0, 1.0))
    rules = {
        "L0": LevelRule(factors={"C": 2}),
        "L1": LevelRule(
            keep=frozenset({"Inputs"}), bypass=frozenset({"Weights"}), spatial={"K": 4}, spatial_y=("R", "P"),
            most_spatial={"P": 1}, order=("C", "P"), most={"P": 2},
        ),
    }  # fmt: skip
    result = map_problem(problem, arch, rules)
    outer, middle, _ = result.best.mapping.levels
    assert [loop.bound for loop in outer.loops if loop.dim == "C"] == [2]
    assert "Inputs" in middle.keep
    assert "Weights" not in middle.keep
    assert math.prod(p.bound for p in middle.loops if p.spatial and p.dim == "K") == 4
    assert not [p for p in middle.loops if p.spatial and p.dim == "P"]
    assert all(p.dim in ("R", "P") for p in middle.loops if p.kind == "spatial_y")
    inward = [p.dim for p in reversed(middle.loops) if not p.spatial]
    assert inward[: len({"C", "P"} & set(inward))] == [d for d in ("C", "P") if d in inward]
    assert all(p.bound <= 2 for p in middle.loops if p.dim == "P" and not p.spatial)
    free = map_problem(problem, arch, FREE)
    assert free.best.counts.energy_pj <= result.best.counts.energy_pj


def test_same_search_same_result_and_a_start_changes_nothing() -> None:
    problem = conv(4, 4, 8, 3)
    arch = hierarchy((None, 60, 20), ((1, 1), (4, 2), (1, 1)), (50.0, 6.0, 1.0))
    first, second = map_problem(problem, arch, FREE), map_problem(problem, arch, FREE)
    assert first.best.mapping == second.best.mapping
    assert first.labels == second.labels
    again = map_problem(problem, arch, FREE, start=first.best.mapping)
    assert again.best.counts.energy_pj == first.best.counts.energy_pj
    assert again.bound == pytest.approx(first.bound, rel=1e-9)
    assert again.labels < first.labels


def test_a_stopped_search_says_what_it_knows() -> None:
    problem = conv(8, 8, 16, 3)
    arch = hierarchy((None, 300, 40), ((1, 1), (4, 4), (1, 1)), (50.0, 6.0, 1.0))
    proven = map_problem(problem, arch, FREE)
    shares: list[float] = []

    def stop(share: float) -> None:
        shares.append(share)
        if len(shares) == 120:
            raise Stopped

    result = map_problem(problem, arch, FREE, tick=stop)
    assert not result.complete
    assert 0.0 < result.bound <= proven.best.counts.energy_pj * (1 + 1e-9)
    assert result.best.counts.energy_pj >= proven.best.counts.energy_pj * (1 - 1e-9)
    assert all(0.0 <= share <= 1.0 for share in shares)


def test_what_does_not_fit_names_level_demand_bound_and_remedy() -> None:
    problem = conv(4, 4, 8, 3)
    arch = hierarchy((None, 2), ((1, 1), (1, 1)), (20.0, 1.0))
    rules = {"L1": LevelRule(keep=frozenset({"Weights", "Inputs", "Outputs"}))}
    with pytest.raises(InfeasibleError) as caught:
        map_problem(problem, arch, rules)
    (reason,) = caught.value.reasons
    assert reason.resource.startswith("L1")
    assert (reason.demand, reason.bound, reason.unit) == (3.0, 2.0, "words")
    assert "capacity of 3 words" in reason.remedy
    enough = hierarchy((None, 3), ((1, 1), (1, 1)), (20.0, 1.0))
    assert map_problem(problem, enough, rules).certificate == "optimal"


def test_outside_the_domain_is_refused() -> None:
    arch = hierarchy((None, 9), ((2, 1), (1, 1)), (20.0, 1.0))
    with pytest.raises(MapSpaceError, match=r"factor 3 does not divide K = 4.*nearest is 2"):
        map_problem(conv(4, 4, 8, 3), arch, {"L1": LevelRule(factors={"K": 3})})
    with pytest.raises(MapSpaceError, match="no dimension"):
        map_problem(conv(4, 4, 8, 3), arch, {"L1": LevelRule(factors={"Z": 2})})
    with pytest.raises(MapSpaceError, match="outermost level keeps everything"):
        map_problem(conv(4, 4, 8, 3), arch, {"L0": LevelRule(bypass=frozenset({"Weights"}))})
    slid = Problem(
        "up", {"P": 4, "R": 3}, (DataSpace("Z", ((AxisTerm("P"), AxisTerm("R")),), read_write=True),)
    )
    with pytest.raises(MapSpaceError, match="sliding window"):
        map_problem(slid, arch, FREE)


def test_a_bound_that_is_too_high_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison with exhaustive search can fail: bounds raised by half lose the best mapping."""
    original = mapper_search.Search._ahead

    def raised(search: mapper_search.Search) -> list[np.ndarray]:
        return [1.5 * table if table.size else table for table in original(search)]

    problem = conv(4, 4, 4, 3)
    arch = hierarchy((None, 40, 9), ((1, 1), (2, 1), (1, 1)), (50.0, 6.0, 1.0))
    rules = {"L1": LevelRule(keep=frozenset({"Inputs"})), "L2": LevelRule(keep=frozenset({"Weights"}))}
    least = best_of_all(problem, arch, rules)["energy"]
    monkeypatch.setattr(mapper, "WIDTHS", (1, None))
    check(map_problem(problem, arch, rules), least)
    monkeypatch.setattr(mapper_search.Search, "_ahead", raised)
    with pytest.raises((AssertionError, InfeasibleError)):
        check(map_problem(problem, arch, rules), least)
