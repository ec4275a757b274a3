"""The mapper over a whole workload: equal shapes once, a time budget, a state that a later run goes on from."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cosim.ir.layer import Layer
from cosim.mapping.layer_nest import layer_problem
from cosim.mapping.mapper import COUNTS, Candidate, MapResult, Objective, map_problem
from cosim.mapping.mapspace import Rules
from cosim.mapping.nest import NestArch, NestCounts, NestMapping, Problem
from cosim.mapping.nest_arch import NestMachine, RuleBook
from cosim.mapping.nest_evaluate import evaluate
from cosim.mapping.nest_file import (
    MappedLayer,
    NestMappingDoc,
    load_nest_mapping,
    mapping_text,
    write_atomically,
)

Progress = Callable[[str, int, int, float, float | None], None]
"""Called with layer, shapes done, shapes in all, share of this search done, seconds left (None: unknown)."""


@dataclass(frozen=True, slots=True)
class Job:
    """A shape to map, and the layers that have it."""

    problem: Problem
    rules: Rules
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LayerMap:
    """What was found for one shape."""

    job: Job
    best: Candidate
    bound: float
    certificate: str
    result: MapResult | None
    """None where it was taken from the state."""


def jobs(layers: Sequence[Layer], machine: NestMachine, book: RuleBook) -> list[Job]:
    """The multiply-accumulate layers, those of equal shape and rules together, in order of the first of each."""
    found: dict[str, Job] = {}
    for layer in layers:
        if not layer.is_mac:
            continue
        problem, rules = layer_problem(layer), book.of(layer.name, machine.rules)
        key = repr((tuple(problem.dims.items()), problem.data_spaces, sorted(rules.items())))
        old = found.get(key)
        found[key] = (
            Job(problem, rules, (layer.name,))
            if old is None
            else Job(old.problem, old.rules, (*old.layers, layer.name))
        )
    return list(found.values())


def space_hash(machine: NestMachine, book: RuleBook, objective: Objective) -> str:
    """Identifies what a state belongs to."""
    return hashlib.sha256(
        repr((machine.arch, sorted(machine.rules.items()), book, objective)).encode()
    ).hexdigest()[:16]


def document(name: str, arch: str, workload: str, objective: str, maps: Sequence[LayerMap]) -> NestMappingDoc:
    """The mappings found as a document."""
    layers: dict[str, MappedLayer] = {}
    for one in maps:
        counts = one.best.counts
        entry = MappedLayer(one.best.mapping, counts.energy_pj, counts.cycles, one.bound, one.certificate)
        layers.update(dict.fromkeys(one.job.layers, entry))
    return NestMappingDoc(name, arch, workload, objective, layers)


def known_layers(state: Path | None, machine: NestMachine, tag: str) -> Mapping[str, MappedLayer]:
    """Layers of a state that belongs to the same search (`tag`); nothing where there is none or it is another's."""
    if state is None or not state.exists():
        return {}
    doc = load_nest_mapping(state, machine.arch)
    return doc.layers if doc.name == tag else {}


def map_jobs(
    work: Sequence[Job],
    machine: NestMachine,
    objective: Objective,
    *,
    budget_s: float | None = None,
    known: Mapping[str, MappedLayer] | None = None,
    progress: Progress | None = None,
) -> Iterator[LayerMap]:
    """Map every shape; each gets an equal part of what is left of the budget, and what it saves goes to the next.

    known: results of an earlier run: proven ones are taken as they are, others are where the search starts.
    Raises InfeasibleError where a shape has no mapping.
    """
    begun = time.monotonic()
    for number, job in enumerate(work):
        old = (known or {}).get(job.layers[0])
        start = _again(job, machine.arch, old)
        if old is not None and start is not None and old.certificate == "optimal":
            yield LayerMap(job, start, old.bound, old.certificate, None)
            continue
        left = None if budget_s is None else max(0.0, budget_s - (time.monotonic() - begun))
        share = None if left is None else left / (len(work) - number)
        result = map_problem(
            job.problem, machine.arch, job.rules, objective, budget_s=share,
            tick=_ticker(job, number, len(work), begun, progress), start=None if start is None else start.mapping,
        )  # fmt: skip
        yield LayerMap(job, result.best, result.bound, result.certificate, result)


def _again(job: Job, arch: NestArch, old: MappedLayer | None) -> Candidate | None:
    """A mapping of an earlier run with its cost now; None where there is none or it does not fit."""
    if old is None:
        return None
    counts = evaluate(job.problem, arch, old.mapping, COUNTS)
    return Candidate(old.mapping, counts) if isinstance(counts, NestCounts) else None


def _ticker(
    job: Job, number: int, count: int, begun: float, progress: Progress | None
) -> Callable[[float], None] | None:
    if progress is None:
        return None

    def tick(share: float) -> None:
        spent = time.monotonic() - begun
        left = spent / number * (count - number) if number else None
        progress(job.layers[0], number, count, share, left)

    return tick


def write_state(
    path: Path, tag: str, machine: NestMachine, workload: str, objective: str, maps: Sequence[LayerMap]
) -> None:
    """Keep what was found, atomically."""
    doc = document(tag, machine.arch.name, workload, objective, maps)
    write_atomically(path, mapping_text(doc, machine.arch))


def read_back(problem: Problem, arch: NestArch, mapping: NestMapping) -> NestCounts:
    """Cost of a mapping from a file; ValueError where the hierarchy cannot run it."""
    counts = evaluate(problem, arch, mapping, COUNTS)
    if not isinstance(counts, NestCounts):
        raise ValueError(f"{problem.name}: {counts.reason}")
    return counts
