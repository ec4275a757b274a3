"""Search of a design space where its grid is too large: NSGA-II, TPE, Sobol and random sampling, or all of it.

All methods choose among the points of the same grid and evaluate them in batches through the vectorised path, so
their results can be held against the exhaustive front. A design is one machine with its words, mapping and
numbers; it is tried on every network and batch of the sweep, and its objectives are geometric means over them.

NSGA-II: Deb et al., "A Fast and Elitist Multiobjective Genetic Algorithm", IEEE TEVC 6(2), 2002,
doi:10.1109/4235.996017. TPE: Ozaki et al., "Multiobjective Tree-Structured Parzen Estimator", JAIR 73, 2022,
doi:10.1613/jair.1.13188. Both as implemented in Optuna.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.explore.evaluate import GroupContext, context_of, evaluate, parameters_of
from cosim.explore.pareto import pareto_mask
from cosim.explore.space import Space, sobol_points
from cosim.explore.transform_axis import KEY as TRANSFORMS
from cosim.results.files import OutputError

METHODS = ("nsga2", "tpe", "sobol", "random", "exhaustive")
BATCH = 50
EXHAUSTIVE_DESIGNS = 2_000_000
EXHAUSTIVE_BATCH = 4096
ASKED_AT_MOST = 10

Points = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Designs:
    """The designs of a space, numbered: discrete variants times the grid of each.

    ``variants[v]`` lists the groups (one for each network and batch) of variant ``v``; ``looked_at`` is told how many
    designs were evaluated, batch by batch.
    """

    space: Space
    variants: tuple[tuple[int, ...], ...]
    starts: Index
    looked_at: Callable[[int], None] | None = None
    _contexts: dict[int, GroupContext] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, space: Space) -> Designs:
        """The designs of a space; raises :class:`OutputError` for one that is sampled instead of a grid."""
        if space.doc.sampling is not None:
            raise OutputError("a search chooses among the points of a grid: remove `sampling` from the sweep")
        by_design: dict[Any, list[int]] = {}
        for number, group in enumerate(space.groups):
            by_design.setdefault(group.design, []).append(number)
        variants = tuple(tuple(groups) for groups in by_design.values())
        sizes = [space.groups[groups[0]].size for groups in variants]
        return cls(space, variants, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))

    @property
    def size(self) -> int:
        """Number of designs."""
        return int(self.starts[-1])

    @property
    def objectives(self) -> tuple[str, ...]:
        """The sweep's objectives."""
        return self.space.doc.objectives

    def evaluate(self, numbers: Index) -> Points:
        """Objectives to minimise of designs ``numbers``, shape (n, d).

        The natural logarithm of each objective (negative for one that is maximised); not-a-number where a design
        does not meet the conditions or constraints, or fails, on any network and batch.
        """
        found = np.full((len(numbers), len(self.objectives)), np.nan)
        variant = np.searchsorted(self.starts, numbers, side="right") - 1
        for v in np.unique(variant):
            rows = np.flatnonzero(variant == v)
            found[rows] = self._evaluate_variant(int(v), numbers[rows] - self.starts[v])
        if self.looked_at is not None:
            self.looked_at(len(numbers))
        return found

    def _evaluate_variant(self, variant: int, index: Index) -> Points:
        total = np.zeros((len(index), len(self.objectives)))
        for number in self.variants[variant]:
            if number not in self._contexts:
                self._contexts[number] = context_of(self.space, self.space.groups[number])
            context = self._contexts[number]
            order = np.arange(len(index), dtype=np.int64)
            parameters, kept = self._kept(context, index, order)
            points = evaluate(self.space, context, parameters, len(kept))
            own = np.full_like(total, np.nan)
            own[kept] = self._logarithms(points.values, points.met)
            total += own
        return total / len(self.variants[variant])

    def _kept(self, context: GroupContext, index: Index, order: Index) -> tuple[dict[str, Points], Index]:
        """Parameters of the designs that meet the conditions, and their positions in ``index``."""
        parameters, kept = parameters_of(self.space, context, index)
        if len(kept) == len(index):
            return parameters, order
        # Positions, not grid indices: a search may ask for the same design twice in one batch.
        return parameters, order[np.isin(index, kept)]

    def _logarithms(self, values: dict[str, Points], met: NDArray[np.bool_]) -> Points:
        columns = []
        for name in self.objectives:
            column = np.where(met, values[name.removeprefix("-")], np.nan)
            if (column <= 0).any():
                raise OutputError(f"objective {name!r}: found values of 0 or less, allowed positive ones")
            columns.append(-np.log(column) if name.startswith("-") else np.log(column))
        return np.column_stack(columns)

    def describe(self, number: int) -> dict[str, Any]:
        """A design in words and numbers."""
        variant = int(np.searchsorted(self.starts, number, side="right")) - 1
        context = context_of(self.space, self.space.groups[self.variants[variant][0]])
        index = np.array([number - self.starts[variant]], dtype=np.int64)
        parameters, _ = parameters_of(self.space, context, index)
        group = context.group
        mapping = {} if len(self.space.doc.mappings) == 1 else {"mapping": group.mapping}
        transforms = {} if self.space.doc.transforms is None else {TRANSFORMS: group.transforms}
        numbers = {path: float(values[0]) for path, values in parameters.items()}
        return {"arch": group.arch, **mapping, **transforms, **dict(group.words), **numbers}


@dataclass(frozen=True)
class Trace:
    """What a search looked at, in order: design numbers (n,) and their objectives (n, d), see Designs.evaluate."""

    method: str
    seed: int
    numbers: Index
    values: Points

    def front(self) -> tuple[Index, Points]:
        """(numbers, values) of the non-dominated designs that meet everything, each once."""
        fine = np.isfinite(self.values).all(axis=1)
        numbers, first = np.unique(self.numbers[fine], return_index=True)
        values = self.values[fine][first]
        mask = pareto_mask(values)
        return numbers[mask], values[mask]


def sampled(designs: Designs, method: str, count: int, seed: int) -> Trace:
    """``count`` different designs of a scrambled Sobol sequence, or drawn at random."""
    count = min(count, designs.size)
    if method == "random":
        numbers = np.random.default_rng(seed).choice(designs.size, count, replace=False).astype(np.int64)
    else:
        numbers = _sobol(designs, count, seed)
    parts = np.array_split(numbers, math.ceil(len(numbers) / EXHAUSTIVE_BATCH))
    return Trace(method, seed, numbers, np.concatenate([designs.evaluate(part) for part in parts]))


def _sobol(designs: Designs, count: int, seed: int) -> Index:
    """The first different designs of the sequence, whose first dimension is the variant and each other one an axis.

    A coarse grid makes many points of the sequence one design; after ``ASKED_AT_MOST`` times the count that is all.
    """
    dimensions = 1 + max(len(designs.space.groups[v[0]].axes) for v in designs.variants)
    unit = sobol_points(dimensions, 0, ASKED_AT_MOST * count, seed)
    variants = np.minimum((unit[:, 0] * len(designs.variants)).astype(np.int64), len(designs.variants) - 1)
    found: dict[int, None] = {}
    for variant, draws in zip(variants, unit[:, 1:], strict=True):
        found[designs_number(designs, int(variant), draws)] = None
        if len(found) == count:
            break
    return np.array(list(found), dtype=np.int64)


def designs_number(designs: Designs, variant: int, unit: Points) -> int:
    """Number of the design of ``variant`` whose axes sit at shares ``unit`` of their values."""
    axes = designs.space.groups[designs.variants[variant][0]].axes
    if not axes:
        return int(designs.starts[variant])
    shape = tuple(len(axis.values) for axis in axes)
    digits = [min(int(u * n), n - 1) for u, n in zip(unit, shape, strict=False)]
    return int(designs.starts[variant] + np.ravel_multi_index(digits, shape))


def exhaustive(designs: Designs) -> Iterator[tuple[Index, Points]]:
    """Every design, in batches; raises :class:`OutputError` where there are too many."""
    if designs.size > EXHAUSTIVE_DESIGNS:
        raise OutputError(
            f"found {designs.size:,} designs, allowed {EXHAUSTIVE_DESIGNS:,} for the exhaustive method; "
            "use nsga2, tpe or sobol, or run `cosim sweep`"
        )
    for start in range(0, designs.size, EXHAUSTIVE_BATCH):
        numbers = np.arange(start, min(start + EXHAUSTIVE_BATCH, designs.size), dtype=np.int64)
        yield numbers, designs.evaluate(numbers)


def true_front(designs: Designs) -> tuple[Index, Points]:
    """(numbers, values) of the front of all designs."""
    best_numbers = np.zeros(0, dtype=np.int64)
    best = np.zeros((0, len(designs.objectives)))
    for numbers, values in exhaustive(designs):
        fine = np.isfinite(values).all(axis=1)
        merged = np.concatenate([best, values[fine]])
        mask = pareto_mask(merged)
        best, best_numbers = merged[mask], np.concatenate([best_numbers, numbers[fine]])[mask]
    if not len(best):
        raise OutputError("no design of the space meets the conditions and constraints")
    return best_numbers, best


def search(designs: Designs, method: str, evaluations: int, seed: int, journal: str | None = None) -> Trace:
    """Look at ``evaluations`` different designs (fewer if there are not as many) by one of :data:`METHODS`.

    ``journal`` is a file in which NSGA-II and TPE keep every design they looked at; a search that finds one goes
    on from there. Raises :class:`OutputError` for an unknown method.
    """
    if method in ("nsga2", "tpe"):
        from cosim.explore.search_optuna import guided

        return guided(designs, method, evaluations, seed, journal)
    if method in ("sobol", "random"):
        return sampled(designs, method, evaluations, seed)
    if method == "exhaustive":
        parts = list(exhaustive(designs))
        return Trace(
            method, seed, np.concatenate([n for n, _ in parts]), np.concatenate([v for _, v in parts])
        )
    raise OutputError(f"found the method {method!r}, allowed {', '.join(METHODS)}")


def checkpoints(evaluations: int, count: int = 40) -> Sequence[int]:
    """About ``count`` numbers of evaluations, spaced by a constant factor, the last one included."""
    start = min(BATCH, evaluations)
    spaced = np.unique(np.round(np.geomspace(start, evaluations, count)).astype(int))
    return [int(n) for n in spaced]
