"""A checked design space: groups of discrete choices, each with a grid (or sample) of numbers.

Points are never listed. They are numbered through all groups; a task is a range of numbers, and its points are
computed from them.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from cosim.engine import load_arch
from cosim.explore.axes import Axis
from cosim.explore.checks import Parts, check, load_parts
from cosim.explore.legal import applies, unit_of, words_of
from cosim.explore.space_file import MAX_POINTS, NO_MAPPING, SpaceDoc
from cosim.explore.transform_axis import Chain, label
from cosim.hardware.load import Machine
from cosim.ir.workload import Workload
from cosim.mapping.mapping_file import load_mapping
from cosim.mapping.plan import MappingDoc
from cosim.results.manifest import workload_hash
from cosim.spec.hashing import canonical_hash
from cosim.spec.locate import find_document
from cosim.spec.problems import SpecError

TASK_POINTS = 8192
MAX_GROUPS = 200_000

Columns = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Group:
    """One machine with its words set, one mapping, network and batch; the numeric axes that the machine has.

    Its points are numbered from ``start``; ``size`` of them. ``chain``: the transforms of the network, in order.
    """

    arch: str
    mapping: str
    workload: str
    batch: int
    words: tuple[tuple[str, str], ...]
    axes: tuple[Axis, ...]
    start: int
    size: int
    chain: Chain = ()

    @property
    def design(self) -> tuple[str, str, Chain, tuple[tuple[str, str], ...]]:
        """What is being designed, as opposed to what it is tried on (network and batch)."""
        return self.arch, self.mapping, self.chain, self.words

    @property
    def transforms(self) -> str:
        """The transforms of the network as the results show them."""
        return label(self.chain)


@dataclass(frozen=True)
class Task:
    """Points ``start`` to ``stop`` of the space, possibly of several groups."""

    index: int
    start: int
    stop: int


@dataclass(frozen=True)
class Space:
    """A sweep whose machines, networks, paths and columns all exist."""

    doc: SpaceDoc
    groups: tuple[Group, ...]
    hash: str
    parts: Parts = field(repr=False)
    _with_words: dict[tuple[str, tuple[tuple[str, str], ...]], Machine] = field(
        default_factory=dict, repr=False
    )

    @cached_property
    def size(self) -> int:
        """Points before conditions."""
        return sum(group.size for group in self.groups)

    @cached_property
    def _starts(self) -> list[int]:
        return [group.start for group in self.groups]

    @property
    def task_count(self) -> int:
        """Number of tasks."""
        return -(-self.size // TASK_POINTS)

    def tasks(self) -> Iterator[Task]:
        """The space cut into tasks, always in the same way."""
        for index in range(self.task_count):
            yield Task(index, index * TASK_POINTS, min((index + 1) * TASK_POINTS, self.size))

    def pieces(self, task: Task) -> Iterator[tuple[int, int, int]]:
        """(group, start, stop) of a task, with indices inside the group."""
        number = bisect_right(self._starts, task.start) - 1
        while number < len(self.groups) and self.groups[number].start < task.stop:
            group = self.groups[number]
            yield (
                number,
                max(task.start - group.start, 0),
                min(task.stop - group.start, group.size),
            )
            number += 1

    def machine(self, group: Group) -> Machine:
        """The group's machine with its words set."""
        machine = self.parts.machines[group.arch]
        own = words_of(machine)
        settings = tuple((path, word) for path, word in group.words if path in own)
        if not settings:
            return machine
        key = (group.arch, settings)
        if key not in self._with_words:
            self._with_words[key] = load_arch(group.arch, dict(settings))
        return self._with_words[key]

    def mapping(self, group: Group, machine: Machine) -> MappingDoc | None:
        """The group's mapping: its document, with the swept choices as defaults; None where it makes none."""
        document = (
            None if group.mapping == NO_MAPPING else load_mapping(find_document(group.mapping, "mappings"))
        )
        own = words_of(machine)
        chosen = {p: w for p, w in group.words if p in machine.model.choices and p not in own}
        if document is None:
            return MappingDoc("sweep", chosen) if chosen else None
        return MappingDoc(document.name, {**document.defaults, **chosen}, document.rules)

    def network(self, group: Group) -> Workload:
        """The group's network, transformed, with its batch."""
        return self.parts.variants[group.workload, group.chain].with_batch(group.batch)

    def axis_columns(self, group: Group, index: NDArray[np.int64]) -> Columns:
        """Values of the group's axes at points ``index`` of the group, each of shape (len(index),)."""
        if self.doc.sampling is not None:
            return self._sampled(group, index)
        if not group.axes:
            return {}
        digits = np.unravel_index(index, tuple(len(axis.values) for axis in group.axes))
        return {axis.path: axis.numbers()[digit] for axis, digit in zip(group.axes, digits, strict=True)}

    def _sampled(self, group: Group, index: NDArray[np.int64]) -> Columns:
        """Points ``index`` (consecutive) of a scrambled Sobol sequence; the same sequence in every group."""
        assert self.doc.sampling is not None
        if not group.axes or not len(index):
            return {axis.path: np.zeros(0) for axis in group.axes}
        unit = sobol_points(len(group.axes), int(index[0]), len(index), self.doc.sampling[2])
        machine = self.parts.machines[group.arch]
        columns: Columns = {}
        for axis, draws in zip(group.axes, unit.T, strict=True):
            known = unit_of(machine, axis.path)
            columns[axis.path] = axis.between(draws, known is not None and known.whole)
        return columns


def sobol_points(dimensions: int, start: int, count: int, seed: int) -> NDArray[np.float64]:
    """``count`` points from number ``start`` on of the scrambled Sobol sequence, shape (count, dimensions)."""
    import warnings

    from scipy.stats import qmc

    sampler = qmc.Sobol(dimensions, seed=seed)
    if start:
        sampler.fast_forward(start)
    with warnings.catch_warnings():
        # A sweep takes as many points as it is asked for; the note about powers of two is in the manual.
        warnings.simplefilter("ignore", UserWarning)
        return np.asarray(sampler.random(count))


def prepare(doc: SpaceDoc) -> Space:
    """Check a sweep against the machines and networks it names.

    Raises :class:`SpecError` with every unknown machine, network, mapping, path, word, value and column, and for
    an empty or unreasonably large space.
    """
    parts = load_parts(doc)
    check(doc, parts)
    size, count = _extent(doc, parts)
    if not 1 <= size <= MAX_POINTS or count > MAX_GROUPS:
        found = f"a space of {size:,} points in {count:,} combinations of words, networks and batches"
        allowed = f"1 to {MAX_POINTS:,} points in at most {MAX_GROUPS:,} combinations"
        raise SpecError([doc.document.problem(("parameters",), found, allowed)])
    groups = tuple(_groups(doc, parts))
    content = {
        "cosim": version("cosim"),
        "space": doc.content(),
        "archs": {arch: machine.hash for arch, machine in parts.machines.items()},
        "workloads": {name: workload_hash(network) for name, network in parts.networks.items()},
        "mappings": {
            name: None if found is None else [found.defaults, [[r.pattern, r.values] for r in found.rules]]
            for name, found in parts.mappings.items()
        },
    }
    if doc.transforms is not None:
        content["transformed"] = {
            f"{name} {label(chain)}": workload_hash(network)
            for (name, chain), network in parts.variants.items()
        }
    return Space(doc, groups, canonical_hash(content), parts)


def _axes(doc: SpaceDoc, machine: Machine) -> tuple[tuple[Axis, ...], tuple[Axis, ...]]:
    """(numeric axes, axes of words) that the machine has."""
    axes = [_whole(axis, machine) for axis in doc.axes if applies(axis, machine)]
    return tuple(a for a in axes if a.numeric), tuple(a for a in axes if not a.numeric)


def _size(doc: SpaceDoc, numeric: tuple[Axis, ...]) -> int:
    return doc.sampling[1] if doc.sampling and numeric else math.prod(len(axis.values) for axis in numeric)


def _extent(doc: SpaceDoc, parts: Parts) -> tuple[int, int]:
    """Points and groups, without listing either."""
    tried = len(parts.mappings) * len(parts.variants) * len(doc.batches)
    points = groups = 0
    for machine in parts.machines.values():
        numeric, words = _axes(doc, machine)
        number = tried * math.prod(len(axis.values) for axis in words)
        groups += number
        points += number * _size(doc, numeric)
    return points, groups


def _groups(doc: SpaceDoc, parts: Parts) -> Iterator[Group]:
    start = 0
    for arch, machine in parts.machines.items():
        numeric, words = _axes(doc, machine)
        size = _size(doc, numeric)
        for chosen in itertools.product(*(axis.values for axis in words)):
            pairs = tuple((axis.path, str(value)) for axis, value in zip(words, chosen, strict=True))
            for mapping, chain, workload, batch in itertools.product(
                parts.mappings, doc.transforms or ((),), parts.networks, doc.batches
            ):
                yield Group(arch, mapping, workload, batch, pairs, numeric, start, size, chain)
                start += size


def _whole(axis: Axis, machine: Machine) -> Axis:
    unit = unit_of(machine, axis.path) if axis.numeric else None
    return axis.rounded() if unit is not None and unit.whole else axis
