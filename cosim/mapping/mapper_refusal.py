"""Why no mapping exists: the level, what it would have to hold, what it can, and the smallest change that fits."""

from __future__ import annotations

import math

import numpy as np

from cosim.mapping.feasibility import Infeasible
from cosim.mapping.mapper_tables import tile_words
from cosim.mapping.mapspace import LevelRule, Rules, shape_of
from cosim.mapping.nest import NestArch, Problem


def why_nothing_fits(
    problem: Problem, arch: NestArch, rules: Rules, complete: bool, budget_s: float | None
) -> Infeasible:
    """The reason, by the smallest tiles that the rules leave: the innermost level that cannot hold its tile."""
    if not complete:
        return Infeasible(
            problem.name, "search time", math.nextafter(budget_s or 0.0, math.inf), budget_s or 0.0, "s",
            "nothing was found in time; give it more",
        )  # fmt: skip
    shape = shape_of(problem)
    extents = np.ones((1, len(shape.dims)), np.int64)
    for level in reversed(arch.levels):
        rule = rules.get(level.name, LevelRule())
        for d, dim in enumerate(shape.dims):
            extents[0, d] *= rule.factors.get(dim, 1) * rule.spatial.get(dim, 1)
            if shape.size[d] % extents[0, d]:
                return Infeasible(
                    problem.name, f"factors of {dim} up to {level.name}", float(extents[0, d]), float(shape.size[d]),
                    "iterations", f"the fixed factors of {dim} must divide its size {shape.size[d]}",
                )  # fmt: skip
        if level.capacity_words is None:
            continue
        bound = math.floor(level.capacity_words / level.multiple_buffering)
        words = {
            space.name: int(tile_words(shape, s, extents)[0])
            for s, space in enumerate(problem.data_spaces)
            if space.name in rule.keep or level is arch.levels[0]
        }
        if sum(words.values()) > bound:
            held = ", ".join(f"{name} {count}" for name, count in words.items())
            need = math.ceil(sum(words.values()) * level.multiple_buffering)
            return Infeasible(
                problem.name, f"{level.name} (smallest tiles: {held})", float(sum(words.values())), float(bound),
                "words",
                f"a capacity of {need} words would fit, or bypassing {max(words, key=lambda name: words[name])} there",
            )  # fmt: skip
    fixed = {
        name: dict(rule.factors) | dict(rule.spatial)
        for name, rule in rules.items()
        if rule.factors or rule.spatial
    }
    return Infeasible(
        problem.name, "rules", float(sum(len(v) for v in fixed.values())), 0.0, "fixed factors",
        f"no tiles satisfy {fixed or 'the limits on trip counts'} together; leave one of them free",
    )  # fmt: skip
