"""Batches of mappings against the one-by-one engine: counts equal, energy to rounding, refusals alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from cosim.kernels import loopnest_batch, loopnest_links, loopnest_price, loopnest_tiles
from cosim.mapping.nest import (
    AxisTerm,
    ComputeLevel,
    CountOptions,
    DataSpace,
    Infeasible,
    LevelMapping,
    Loop,
    LoopKind,
    NestArch,
    NestMapping,
    Problem,
    StorageLevel,
)
from cosim.mapping.nest_batch import STATUS, NestEvaluator, access_array, pack, unpack
from cosim.mapping.nest_evaluate import evaluate


def conv(sizes: dict[str, int], stride: int = 1, dilation: int = 1) -> Problem:
    """Convolution with a shared axis per image side."""

    def axes(*names: str) -> tuple[tuple[AxisTerm, ...], ...]:
        return tuple((AxisTerm(name),) for name in names)

    windows = tuple((AxisTerm(p, stride), AxisTerm(r, dilation)) for p, r in (("P", "R"), ("Q", "S")))
    return Problem(
        "conv",
        sizes,
        (
            DataSpace("Weights", axes("C", "K", "R", "S")),
            DataSpace("Inputs", (*axes("N", "C"), *windows)),
            DataSpace("Outputs", axes("N", "K", "P", "Q"), read_write=True),
        ),
    )


def level(name: str, x: int = 1, y: int = 1, **fields: Any) -> StorageLevel:
    return StorageLevel(
        name,
        x * y,
        x,
        y,
        energy_read_pj=5.0 + x,
        energy_write_pj=3.0,
        energy_update_pj=7.0,
        energy_leak_pj_per_cycle=0.01,
        **fields,
    )


MACHINES = (
    NestArch(
        "grid",
        (
            level("Memory", words_per_row=8, read_bandwidth_words_per_cycle=4.0),
            level("Buffer", words_per_row=6, write_bandwidth_words_per_cycle=3.0, capacity_words=600),
            level("Scratch", 4, 4, multiple_buffering=2.0, capacity_words=90),
            level("Register", 4, 4, shared_bandwidth_words_per_cycle=2.0, cluster_size=4),
        ),
        ComputeLevel("MAC", 16, 4, 4, energy_compute_pj=1.0, energy_leak_pj_per_cycle=0.003),
    ),
    NestArch(
        "tree", (level("Memory"), level("Bank", 2, 2), level("Scratch", 8, 2)), ComputeLevel("MAC", 64, 16, 4)
    ),
    NestArch("flat", (level("Memory"), level("Buffer")), ComputeLevel("MAC", 64, 16, 4)),
)


def prime_factors(number: int) -> Iterator[int]:
    divisor = 2
    while number > 1:
        while number % divisor == 0:
            yield divisor
            number //= divisor
        divisor += 1


def random_mapping(rng: np.random.Generator, problem: Problem, arch: NestArch) -> NestMapping:
    """Prime factors anywhere, spatial where the fan-out allows, orders and bypass at random."""
    kinds: tuple[LoopKind, ...] = ("temporal", "spatial_y", "spatial_x")
    parts: list[dict[LoopKind, dict[str, int]]] = [{kind: {} for kind in kinds} for _ in arch.levels]
    for dim, size in problem.dims.items():
        for factor in prime_factors(size):
            at = int(rng.integers(len(parts)))
            room = dict(zip(("spatial_x", "spatial_y"), arch.fanout_xy(at), strict=True))
            kind: LoopKind = kinds[int(rng.integers(3))]
            if kind != "temporal" and np.prod([*parts[at][kind].values(), factor]) > room[kind]:
                kind = "temporal"
            parts[at][kind][dim] = parts[at][kind].get(dim, 1) * factor
    levels = []
    for at, part in enumerate(parts):
        loops = []
        for kind in kinds:
            items = list(part[kind].items())
            loops += [Loop(items[k][0], items[k][1], kind) for k in rng.permutation(len(items))]
        kept = [s.name for s in problem.data_spaces if at == 0 or rng.random() < 0.8]
        levels.append(LevelMapping(tuple(loops), frozenset(kept)))
    return NestMapping(tuple(levels))


def random_problem(rng: np.random.Generator) -> Problem:
    choices = {
        "N": (1, 2),
        "C": (2, 3, 4),
        "K": (4, 6),
        "P": (4, 6, 8),
        "Q": (1, 4),
        "R": (1, 2, 3),
        "S": (1, 3),
    }
    sizes = {dim: int(rng.choice(values)) for dim, values in choices.items()}
    return conv(sizes, int(rng.integers(1, 4)), int(rng.integers(1, 3)))


@pytest.mark.parametrize("arch", MACHINES, ids=lambda arch: arch.name)
@pytest.mark.parametrize("links", [True, False])
def test_batch_equals_one_by_one(arch: NestArch, links: bool) -> None:
    rng = np.random.default_rng(7)
    fitting = 0
    for _ in range(12):
        problem = random_problem(rng)
        mappings = [random_mapping(rng, problem, arch) for _ in range(30)]
        costs = NestEvaluator(problem, arch, link_transfers=links)(
            pack(problem, arch, mappings), accesses=True
        )
        assert costs.general == 0
        for row, mapping in enumerate(mappings):
            counts = evaluate(problem, arch, mapping, CountOptions(link_transfers=links))
            if isinstance(counts, Infeasible):
                assert STATUS[costs.status[row]] == "too many words"
                assert np.isinf(costs.energy_pj[row])
                continue
            fitting += 1
            assert STATUS[costs.status[row]] == "fits"
            assert costs.accesses[row].tolist() == access_array(problem, arch, counts.accesses).tolist()
            assert costs.cycles[row] == counts.cycles
            assert costs.energy_pj[row] == pytest.approx(counts.energy_pj, rel=1e-12)
    assert fitting > 100


def test_jit_equals_python(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    problem = random_problem(rng)
    mappings = [random_mapping(rng, problem, MACHINES[1]) for _ in range(25)]
    rows = pack(problem, MACHINES[1], mappings)
    compiled = NestEvaluator(problem, MACHINES[1])(rows, accesses=True)
    for module in (loopnest_batch, loopnest_links, loopnest_price, loopnest_tiles):
        for name, item in list(vars(module).items()):
            if hasattr(item, "py_func"):
                monkeypatch.setattr(module, name, item.py_func)
                monkeypatch.setattr(f"cosim.mapping.nest_batch.{name}", item.py_func, raising=False)
    python = NestEvaluator(problem, MACHINES[1])(rows, accesses=True)
    assert np.array_equal(compiled.accesses, python.accesses)
    assert np.array_equal(compiled.energy_pj, python.energy_pj)


def test_rows_hold_the_mapping() -> None:
    rng = np.random.default_rng(5)
    problem = random_problem(rng)
    mappings = [random_mapping(rng, problem, MACHINES[0]) for _ in range(20)]
    rows = pack(problem, MACHINES[0], mappings)
    assert len(rows) == 20
    assert [unpack(problem, rows, row) for row in range(20)] == mappings
    loop = Loop("K", 4, last_bound=3)
    odd = NestMapping(tuple(LevelMapping((loop,)) if at == 0 else LevelMapping() for at in range(4)))
    with pytest.raises(ValueError, match="leaves a remainder"):
        pack(problem, MACHINES[0], [odd])


def test_what_the_kernels_do_not_cover_takes_the_general_path() -> None:
    # K addresses two axes, each together with another dimension
    term = AxisTerm
    problem = Problem(
        "diagonal",
        {"M": 4, "K": 4, "N": 2},
        (
            DataSpace("A", ((term("M"), term("K")), (term("N"), term("K")))),
            DataSpace("Z", ((term("M"),), (term("N"),)), read_write=True),
        ),
    )
    rng = np.random.default_rng(2)
    arch = MACHINES[0]
    mappings = [random_mapping(rng, problem, arch) for _ in range(10)]
    costs = NestEvaluator(problem, arch)(pack(problem, arch, mappings), accesses=True)
    assert costs.general == (costs.status == 0).sum() > 0
    counts = evaluate(problem, arch, mappings[0])
    assert not isinstance(counts, Infeasible)
    assert costs.accesses[0].tolist() == access_array(problem, arch, counts.accesses).tolist()


@pytest.mark.parametrize(
    ("n", "a", "m", "b"), [(3, 1, 4, 1), (3, 2, 5, 3), (4, 6, 7, 4), (1, 5, 6, 2), (5, 1, 5, 7)]
)
def test_sums_of_progressions(n: int, a: int, m: int, b: int) -> None:
    expected = len({i * a + j * b for i in range(n) for j in range(m)})
    assert loopnest_batch.distinct_sums(n, a, m, b) == expected
    assert loopnest_batch.distinct_sums.py_func(n, a, m, b) == expected


def test_too_many_instances_are_told() -> None:
    problem = conv({"N": 1, "C": 8, "K": 4, "P": 4, "Q": 1, "R": 1, "S": 1})
    loops = (Loop("K", 4), Loop("P", 4), Loop("C", 8, "spatial_y"))
    names = frozenset(("Weights", "Inputs", "Outputs"))
    mapping = NestMapping((LevelMapping((), names), LevelMapping(loops, names)))
    costs = NestEvaluator(problem, MACHINES[2])(pack(problem, MACHINES[2], [mapping]))
    assert STATUS[costs.status[0]] == "too many instances"
