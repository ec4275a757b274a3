"""The mapper: the best mapping of a problem on a hierarchy, with a certificate.

Over the space of `cosim.mapping.mapspace` (perfect factors, every bypass, factorisation, loop order and spatial choice
that the rules allow) the search ends with a proof: nothing dominated is extended and nothing is left out whose lower
bound does not exceed the best mapping found. Every cost reported is that of `nest_evaluate.evaluate`; the bound is the
search's own. Where they differ (rows of several words, stalls from finite bandwidth), the gap says by how much.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cosim.mapping.feasibility import Infeasible, InfeasibleError
from cosim.mapping.mapper_search import Found, Limits, Search
from cosim.mapping.mapper_tables import Prices, energy_prices, used_words
from cosim.mapping.mapspace import (
    Fanout,
    IntArray,
    Rules,
    Shape,
    check_rules,
    fanout_of,
    keep_choices,
    shape_of,
    streams_of,
)
from cosim.mapping.nest import (
    CountOptions,
    LevelMapping,
    Loop,
    NestArch,
    NestCounts,
    NestMapping,
    Problem,
)
from cosim.mapping.nest_evaluate import evaluate

Objective = Literal["energy", "latency", "edp", "pareto"]
OBJECTIVES: tuple[Objective, ...] = ("energy", "latency", "edp", "pareto")

COUNTS = CountOptions(link_transfers=False)
"""How the mapper counts: as the engine does by default, but mesh neighbours hand each other nothing."""

WIDTHS = (5, 100, 2000, None)
"""Labels kept per stage, pass after pass: narrow searches find good mappings, which make the last one short."""

CANDIDATES = 32
TIE = 1e-9


class Stopped(Exception):
    """The time is up."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A mapping and its cost."""

    mapping: NestMapping
    counts: NestCounts

    def value(self, objective: Objective) -> tuple[float, float]:
        """What is minimised, with what decides between equals."""
        energy, cycles = self.counts.energy_pj, float(self.counts.cycles)
        if objective == "latency":
            return cycles, energy
        return (energy * cycles if objective == "edp" else energy), cycles


@dataclass(frozen=True, slots=True)
class MapResult:
    """The best mapping by `objective`, a lower bound of its value over the whole space, and how the search went.

    front: mappings that no other beats in both energy and cycles (objective "pareto"; else the best alone).
    labels: partial mappings made; bypasses: choices of levels that keep data; complete: no time limit cut it short.
    """

    problem: Problem
    objective: Objective
    best: Candidate
    bound: float
    front: tuple[Candidate, ...]
    labels: int
    bypasses: int
    cpu_s: float
    complete: bool

    @property
    def gap(self) -> float:
        """How much of the value could be saved at most, as a fraction of it; 0 is a proof."""
        value = self.best.value(self.objective)[0]
        return max(0.0, 1.0 - self.bound / value) if value > 0 else 0.0

    @property
    def certificate(self) -> str:
        """`optimal`, or the gap."""
        return "optimal" if self.gap <= TIE else f"gap <= {100 * self.gap:.3g} %"


def check_arch(arch: NestArch) -> None:
    """Refuse hierarchies outside the mapper's domain (clusters share rows); InfeasibleError."""
    for level in arch.levels:
        if level.cluster_size > 1:
            reason = Infeasible(
                "all", f"rows of {level.name} shared by a cluster", level.cluster_size, 1, "memories",
                "the mapper needs memories with rows of their own (cluster_size 1)",
            )  # fmt: skip
            raise InfeasibleError((reason,))


def nest_mapping(problem: Problem, arch: NestArch, shape: Shape, keep: IntArray, found: Found) -> NestMapping:
    """The mapping in the words of the engine, outermost level first."""
    names = np.array([space.name for space in problem.data_spaces])
    levels = []
    for level in range(len(arch.levels)):
        loops = [
            Loop(shape.dims[d], int(found.temporal[level, d]))
            for d in reversed(found.order[level])
            if found.temporal[level, d] > 1
        ]
        along_y = found.children[level] // found.along_x[level]
        for counts, kind in ((along_y, "spatial_y"), (found.along_x[level], "spatial_x")):
            loops += [Loop(dim, int(n), kind) for dim, n in zip(shape.dims, counts, strict=True) if n > 1]  # type: ignore[arg-type]
        levels.append(LevelMapping(tuple(loops), frozenset(names[keep[level] == 1].tolist())))
    return NestMapping(tuple(reversed(levels)))


class Mapper:
    """One problem on one hierarchy. `tick` gets the share of the work done and may raise to stop the search."""

    def __init__(
        self, problem: Problem, arch: NestArch, rules: Rules, objective: Objective,
        tick: Callable[[float], None] | None = None, start: NestMapping | None = None,
    ) -> None:  # fmt: skip
        check_arch(arch)
        self.problem, self.arch, self.rules, self.objective = problem, arch, rules, objective
        self.tick = tick or (lambda _: None)
        self.shape = shape_of(problem)
        check_rules(problem, arch, rules)
        self.fanouts = [self._fanout(level) for level in range(len(arch.levels))]
        self.keeps = list(keep_choices(problem, arch, rules))
        self.searches: dict[tuple[str, int], Search] = {}
        self.front: list[Candidate] = []
        self.labels = 0
        self.share = 0.0
        if start is not None:
            counts = evaluate(problem, arch, start, COUNTS)
            if isinstance(counts, NestCounts):
                self._offer(Candidate(start, counts))

    def _fanout(self, level: int) -> Fanout:
        if math.prod(self.arch.fanout_xy(len(self.arch.levels) - 1 - level)) > 1:
            return fanout_of(self.shape, self.arch, level, self.rules)
        ones = np.ones((1, len(self.shape.dims)), np.int64)
        return Fanout(ones, ones)

    # -- what is known ------------------------------------------------------------------------------------------

    def best(self, objective: Objective) -> Candidate | None:
        """Best candidate so far."""
        return min(self.front, key=lambda c: c.value(objective), default=None)

    def _value(self, objective: Objective) -> float:
        best = self.best(objective)
        return math.inf if best is None else best.value(objective)[0]

    def _offer(self, new: Candidate) -> None:
        """Keep a candidate unless another is as good in energy and in cycles."""
        energy, cycles = new.counts.energy_pj, new.counts.cycles
        if any(c.counts.energy_pj <= energy and c.counts.cycles <= cycles for c in self.front):
            return
        self.front = [c for c in self.front if c.counts.energy_pj < energy or c.counts.cycles < cycles] + [
            new
        ]

    # -- searches -----------------------------------------------------------------------------------------------

    def _search(self, name: str, prices: Prices, number: int) -> Search:
        key = (name, number)
        if key not in self.searches:
            keep = self.keeps[number]
            self.searches[key] = Search(
                self.shape, self.arch, keep, streams_of(keep), self.fanouts, prices, self.rules
            )
        return self.searches[key]

    def _run(
        self, search: Search, number: int, limits: Limits, width: int | None
    ) -> tuple[list[Found], bool]:
        """Labels of one bypass choice, the best of them evaluated; whether none was cut by `width`."""
        found, made, whole = search.run(limits, width, self.tick)
        self.labels += made
        for one in found[:CANDIDATES]:
            mapping = nest_mapping(self.problem, self.arch, self.shape, self.keeps[number], one)
            counts = evaluate(self.problem, self.arch, mapping, COUNTS)
            if not isinstance(counts, NestCounts):
                raise ArithmeticError(
                    f"{self.problem.name}: the engine refuses a mapping found: {counts.reason}"
                )
            self._offer(Candidate(mapping, counts))
        return found, whole

    def _sweep(
        self, name: str, prices: Prices, limits: Callable[[], Limits], value: Callable[[Found], float],
        known: Callable[[], float],
    ) -> float:  # fmt: skip
        """Search every bypass choice, narrowly first; returns the lower bound of `value` over all of them.

        limits and known are asked before each search: what must be beaten, and the value of the best candidate.
        """
        promise = dict.fromkeys(range(len(self.keeps)), 0.0)
        done: dict[int, float] = {}
        for width in WIDTHS:
            for n in sorted(promise.keys() - done.keys(), key=lambda n: promise[n]):
                search, limit = self._search(name, prices, n), limits()
                if limit.plain and search.floor >= limit.cost:
                    done[n] = math.inf
                    continue
                found, whole = self._run(search, n, limit, width)
                promise[n] = min((value(f) for f in found), default=math.inf)
                if whole:
                    done[n] = promise[n]
        return min([known(), *done.values()])

    def by_energy(self) -> float:
        """Bound of the energy."""
        prices = energy_prices(self.arch, len(self.problem.data_spaces))
        return self._sweep(
            "energy", prices, lambda: Limits(cost=self._value("energy")), lambda f: f.cost,
            lambda: self._value("energy"),
        )  # fmt: skip

    def by_latency(self) -> float:
        """Bound of the cycles: the most parallelism possible, and the least traffic over every limited bandwidth."""
        spaces = len(self.problem.data_spaces)
        free = _no_prices(len(self.arch.levels), spaces)
        shares: list[float] = []

        def share(found: Found) -> float:
            shares.append(found.share)
            return found.share

        least = self._sweep(
            "free", free, lambda: Limits(share=min(shares, default=2.0), parallel=True), share,
            lambda: min(shares, default=math.inf),
        )  # fmt: skip
        if not shares:
            return math.inf
        slack = least * (1 + TIE)
        bounds = [math.ceil(self.shape.volume * least * (1 - TIE))]
        for number, prices in enumerate(bandwidth_prices(self.arch, spaces)):
            bounds.append(self._least_traffic(number, prices))
        energy = energy_prices(self.arch, spaces)
        self._sweep(
            "energy", energy, lambda: Limits(share=slack, parallel=True), lambda f: f.cost, lambda: math.inf
        )
        return float(max(bounds))

    def _least_traffic(self, number: int, prices: Prices) -> int:
        """Bound of the cycles from one limited bandwidth."""
        values: list[float] = []

        def value(found: Found) -> float:
            values.append(found.cost)
            return found.cost

        bound = self._sweep(
            f"bandwidth{number}", prices, lambda: Limits(cost=min(values, default=math.inf) * (1 + TIE)), value,
            lambda: min(values, default=math.inf),
        )  # fmt: skip
        return math.ceil(bound * (1 - TIE))

    def by_edp(self) -> float:
        """Bound of energy times cycles."""
        self.by_energy()
        cycles = self.by_latency()
        prices = energy_prices(self.arch, len(self.problem.data_spaces))
        volume = self.shape.volume
        return self._sweep(
            "energy", prices, lambda: Limits(product=self._value("edp") / volume, parallel=True),
            lambda f: f.cost * max(volume * f.share, cycles), lambda: self._value("edp"),
        )  # fmt: skip

    def by_both(self) -> float:
        """All mappings that none beats in energy and parallelism; returns the bound of the energy."""
        bound = self.by_energy()
        self.by_latency()
        fastest = self.best("latency")
        prices = energy_prices(self.arch, len(self.problem.data_spaces))
        cost = math.inf if fastest is None else fastest.counts.energy_pj * (1 + TIE)
        self._sweep(
            "energy", prices, lambda: Limits(cost=cost, parallel=True), lambda f: f.cost, lambda: math.inf
        )
        return bound


def _no_prices(levels: int, spaces: int) -> Prices:
    nothing = np.zeros((levels, spaces))
    return Prices(nothing, nothing, nothing, np.zeros(levels), 0.0)


def bandwidth_prices(arch: NestArch, spaces: int) -> Iterator[Prices]:
    """Prices whose cost is a lower bound of the cycles that one limited bandwidth takes, for every one."""
    levels = list(reversed(arch.levels))
    for number, level in enumerate(levels):
        shared = level.shared_bandwidth_words_per_cycle
        for limit, reads, writes in (
            (level.read_bandwidth_words_per_cycle, 1, 0),
            (level.write_bandwidth_words_per_cycle, 0, 1),
            (shared, 1, 1),
        ):
            if limit is None:
                continue
            price = np.zeros((len(levels), spaces))
            price[number] = 1.0 / (limit * level.instances)
            yield Prices(price * reads, price * writes, price * writes, np.zeros(len(levels)), 0.0)


def map_problem(
    problem: Problem,
    arch: NestArch,
    rules: Rules,
    objective: Objective = "energy",
    *,
    budget_s: float | None = None,
    tick: Callable[[float], None] | None = None,
    start: NestMapping | None = None,
) -> MapResult:
    """The best mapping of `problem` on `arch` under `rules`, with its certificate.

    budget_s: wall time after which the search stops with what it has (the bound is then that of whole bypass choices).
    tick: called with the share done of the current search. start: a mapping known before.
    Deterministic: nothing is drawn at random. Raises InfeasibleError where no mapping exists, MapSpaceError where the
    problem, the hierarchy or a rule is outside the mapper's domain.
    """
    begun, cpu = time.monotonic(), time.process_time()

    def watch(share: float) -> None:
        if tick is not None:
            tick(share)
        if budget_s is not None and time.monotonic() - begun > budget_s:
            raise Stopped

    mapper = Mapper(problem, arch, rules, objective, watch, start)
    searches = {
        "energy": mapper.by_energy,
        "latency": mapper.by_latency,
        "edp": mapper.by_edp,
        "pareto": mapper.by_both,
    }
    goal: Objective = "energy" if objective == "pareto" else objective
    complete = True
    try:
        bound = searches[objective]()
    except Stopped:
        complete, bound = False, _stopped_bound(mapper, goal)
    best = mapper.best(goal)
    if best is None:
        from cosim.mapping.mapper_refusal import why_nothing_fits

        raise InfeasibleError((why_nothing_fits(problem, arch, rules, complete, budget_s),))
    front = tuple(sorted(mapper.front, key=lambda c: c.value("energy"))) if objective == "pareto" else (best,)
    return MapResult(
        problem, objective, best, min(bound, best.value(goal)[0]), front, mapper.labels, len(mapper.keeps),
        time.process_time() - cpu, complete,
    )  # fmt: skip


def _stopped_bound(mapper: Mapper, objective: Objective) -> float:
    """Lower bound from the searches begun; for others every word once through the outermost level."""
    prices = energy_prices(mapper.arch, len(mapper.problem.data_spaces))
    begun = [search for (name, _), search in mapper.searches.items() if name == "energy"]
    energy = min((search.progress_bound() for search in begun), default=math.inf)
    if len(begun) < len(mapper.keeps):
        once = mapper.shape.volume * prices.compute
        for s, output in enumerate(mapper.shape.output):
            once += used_words(mapper.shape, s) * (prices.update if output else prices.read)[-1, s]
        energy = min(energy, float(once))
    cycles = math.ceil(mapper.shape.volume / mapper.arch.compute.instances)
    return {"energy": energy, "latency": float(cycles)}.get(objective, energy * cycles)
