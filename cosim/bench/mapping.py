"""The mapper: exact mapping evaluations a second, and every shape of ResNet-50 and ViT-B/16 to a proof."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from cosim.engine import load_workload
from cosim.ir.bench_row import BenchRow
from cosim.mapping.mapper import COUNTS
from cosim.mapping.mapper_evaluate import exhaustive
from cosim.mapping.mapper_workload import jobs, map_jobs
from cosim.mapping.nest import (
    AxisTerm,
    ComputeLevel,
    DataSpace,
    LevelMapping,
    Loop,
    NestArch,
    NestMapping,
    Problem,
    StorageLevel,
)
from cosim.mapping.nest_arch import NO_RULES, NestMachine, RuleBook, load_nest
from cosim.mapping.nest_evaluate import evaluate
from cosim.spec.locate import find_document

TILINGS = 40_000
ENGINE = 100

# AccelForge, measured with the wheel 1.0.467 (2026) on a shared 2-core x86-64 machine: CPU seconds for the energy
# optimum of the first convolution of AlexNet on its Eyeriss-like machine.
ACCELFORGE_ONE_LAYER_CPU_S = 437.0


def four_levels() -> tuple[Problem, NestArch]:
    """A 3 x 3 convolution of ResNet-50 on four levels with 16 processing elements and a finite memory bandwidth."""
    problem = Problem(
        "conv",
        {"K": 64, "C": 64, "P": 56, "Q": 56, "R": 3, "S": 3},
        (
            DataSpace("Weights", tuple((AxisTerm(dim),) for dim in "KCRS")),
            DataSpace("Inputs", ((AxisTerm("C"),), (AxisTerm("P"), AxisTerm("R")), (AxisTerm("Q"), AxisTerm("S")))),
            DataSpace("Outputs", tuple((AxisTerm(dim),) for dim in "KPQ"), read_write=True),
        ),
    )  # fmt: skip

    def level(name: str, capacity: int | None, energy_pj: float, instances: int) -> StorageLevel:
        return StorageLevel(
            name, instances, instances, capacity_words=capacity, energy_read_pj=energy_pj, energy_write_pj=energy_pj,
            energy_update_pj=energy_pj, link_transfers=False,
        )  # fmt: skip

    levels = (
        replace(level("Memory", None, 200.0, 1), shared_bandwidth_words_per_cycle=8.0),
        level("Global", 131_072, 6.0, 1),
        level("Local", 512, 2.0, 16),
        level("Register", 16, 1.0, 16),
    )
    return problem, NestArch("four levels", levels, ComputeLevel("MAC", 16, 16, energy_compute_pj=1.0))


def _engine_rate(problem: Problem, arch: NestArch, found: np.ndarray) -> float:
    """Evaluations a second of the general engine, on the best tiling with its loops in a fixed order."""
    dims, levels = list(problem.dims), len(arch.levels)
    parts = []
    for level in range(levels - 1, -1, -1):
        loops = [Loop(dim, int(n)) for dim, n in zip(dims, found[level], strict=True) if n > 1]
        loops += [
            Loop(dim, int(n), "spatial_x")
            for dim, n in zip(dims, found[levels + level], strict=True)
            if n > 1
        ]
        parts.append(LevelMapping(tuple(loops), frozenset(space.name for space in problem.data_spaces)))
    mapping = NestMapping(tuple(parts))
    evaluate(problem, arch, mapping, COUNTS)
    start = time.process_time()
    for _ in range(ENGINE):
        evaluate(problem, arch, mapping, COUNTS)
    return ENGINE / (time.process_time() - start)


def mapping_evaluations() -> BenchRow:
    """Energy and cycles of mappings that a walk over tilings and distinct loop orders really visits.

    Tilings are drawn evenly from all of them; those that do not fit cost time but are not counted.
    """
    problem, arch = four_levels()
    space = exhaustive(problem, arch, np.ones((4, 3), np.int64))
    numbers = np.random.default_rng(0).integers(0, space.tilings, TILINGS)
    space.run(numbers[:10])
    start = time.process_time()
    evaluated = space.run(numbers)
    rate = evaluated / (time.process_time() - start)
    return BenchRow(
        "mapping_evaluations",
        rate / 1e6,
        "million exact mapping evaluations / s of CPU",
        rate / _engine_rate(problem, arch, space.found),
        "the general loop-nest engine, mapping by mapping",
    )


def _machine() -> NestMachine:
    return load_nest(find_document("eyeriss", "arch/nests"))


def mapper_resnet50() -> BenchRow:
    """CPU seconds to the proven least energy of every shape of ResNet-50 and ViT-B/16 on the Eyeriss hierarchy."""
    machine, book = _machine(), RuleBook(NO_RULES)
    layers = [*load_workload("resnet50").layers, *load_workload("vit").layers]
    work = jobs(layers, machine, book)
    list(map_jobs(work[-1:], machine, "energy"))  # compiled code is read from its cache
    start = time.process_time()
    maps = list(map_jobs(work, machine, "energy"))
    own = time.process_time() - start
    worst = max(one.result.gap if one.result else 0.0 for one in maps)
    if worst > 0.01:
        raise ArithmeticError(f"mapper_resnet50: a gap of {worst:.2%} is left")
    return BenchRow(
        "mapper_resnet50",
        own,
        f"s of CPU for {len(maps)} shapes, largest gap {100 * worst:.2g} %",
        ACCELFORGE_ONE_LAYER_CPU_S / (own / len(maps)),
        "AccelForge on one AlexNet layer (recorded, CPU s per shape)",
    )
