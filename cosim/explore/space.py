"""A checked design space: groups of discrete choices, each with a grid (or sample) of numbers.

Points are never listed: a task names a group and a range of indices, and its points are computed from them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.engine import load_arch, load_workload, workload_hash
from cosim.explore.expression import Expression
from cosim.explore.space_file import MAX_POINTS, Axis, SpaceDoc
from cosim.hardware.load import Machine
from cosim.ir.workload import Workload
from cosim.mapping.plan import MappingDoc
from cosim.spec.hashing import canonical_hash
from cosim.spec.problems import Problem, Refused, SpecError, nearest_hint, one_of

OUTPUTS = ("latency_s", "energy_j", "edp_js", "images_per_s", "average_power_w", "macs_per_j", "utilization")
TASK_POINTS = 8192
CHECKED_VALUES = 256

Columns = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Group:
    """One machine with its words set, one network and batch; the numeric axes that apply to the machine."""

    arch: str
    workload: str
    batch: int
    words: tuple[tuple[str, str], ...]
    axes: tuple[Axis, ...]
    size: int


@dataclass(frozen=True)
class Task:
    """Points ``start`` to ``stop`` of a group; ``index`` numbers the tasks of the space."""

    index: int
    group: int
    start: int
    stop: int


@dataclass(frozen=True)
class Space:
    """A sweep whose machines, networks, paths and columns all exist."""

    doc: SpaceDoc
    groups: tuple[Group, ...]
    hash: str

    @cached_property
    def size(self) -> int:
        """Points before conditions."""
        return sum(group.size for group in self.groups)

    def tasks(self) -> Iterator[Task]:
        """The space cut into tasks, always in the same way."""
        index = 0
        for number, group in enumerate(self.groups):
            for start in range(0, group.size, TASK_POINTS):
                yield Task(index, number, start, min(start + TASK_POINTS, group.size))
                index += 1

    def machine(self, group: Group) -> Machine:
        """The group's machine with its words set."""
        machine = load_arch(group.arch)
        settings = {path: word for path, word in group.words if path in machine.params.options}
        return load_arch(group.arch, settings) if settings else machine

    def mapping(self, group: Group, machine: Machine) -> MappingDoc | None:
        """The group's choices as a mapping, or None where it makes none."""
        chosen = {path: word for path, word in group.words if path in machine.model.choices}
        return MappingDoc("sweep", chosen) if chosen else None

    def network(self, group: Group) -> Workload:
        """The group's network with its batch."""
        return load_workload(group.workload).with_batch(group.batch)

    def columns(self, group: Group, start: int, stop: int) -> tuple[Columns, NDArray[np.int64]]:
        """Parameter columns (axes and derived values) and indices of the points that meet the conditions."""
        index = np.arange(start, stop, dtype=np.int64)
        columns = self._sampled(group, index) if self.doc.sampling else self._grid(group, index)
        known = set(columns)
        derived = {p: e for p, e in self.doc.derived.items() if e.names <= known}
        for path, expression in derived.items():
            columns[path] = np.broadcast_to(
                np.asarray(expression(columns), dtype=np.float64), index.shape
            ).copy()
        keep = np.ones(index.shape, dtype=np.bool_)
        for condition in self.doc.conditions:
            if condition.names <= set(columns):
                keep &= np.asarray(condition(columns), dtype=np.bool_)
        return {path: values[keep] for path, values in columns.items()}, index[keep]

    def _grid(self, group: Group, index: NDArray[np.int64]) -> Columns:
        shape = tuple(len(axis.values) for axis in group.axes)
        if not shape:
            return {}
        digits = np.unravel_index(index, shape)
        return {
            axis.path: np.asarray(axis.values, dtype=np.float64)[digit]
            for axis, digit in zip(group.axes, digits, strict=True)
        }

    def _sampled(self, group: Group, index: NDArray[np.int64]) -> Columns:
        from scipy.stats import qmc

        assert self.doc.sampling is not None
        if not group.axes:
            return {}
        sampler = qmc.Sobol(len(group.axes), seed=self.doc.sampling[2])
        sampler.fast_forward(int(index[0]))
        unit = sampler.random(len(index))
        columns: Columns = {}
        for number, axis in enumerate(group.axes):
            values = np.asarray(axis.values, dtype=np.float64)
            columns[axis.path] = values[
                np.minimum((unit[:, number] * len(values)).astype(np.int64), len(values) - 1)
            ]
        return columns


def prepare(doc: SpaceDoc) -> Space:
    """Check a sweep against the machines and networks it names.

    Raises :class:`SpecError` with every unknown machine, network, path, word, value and column, and for an
    empty or unreasonably large space.
    """
    problems: list[Problem] = []
    machines = {arch: m for arch in doc.archs if (m := _attempt(problems, load_arch, arch)) is not None}
    networks = {w: n for w in doc.workloads if (n := _attempt(problems, load_workload, w)) is not None}
    if problems:
        raise SpecError(problems)
    _check_axes(doc, machines, problems)
    _check_names(doc, problems)
    if problems:
        raise SpecError(problems)
    groups = tuple(_groups(doc, machines, networks))
    size = sum(group.size for group in groups)
    if not 1 <= size <= MAX_POINTS:
        found = f"a space of {size:,} points"
        raise SpecError([doc.document.problem(("parameters",), found, f"1 to {MAX_POINTS:,} points")])
    content = {
        "cosim": version("cosim"),
        "space": doc.content(),
        "archs": {arch: machine.hash for arch, machine in machines.items()},
        "workloads": {name: workload_hash(network) for name, network in networks.items()},
    }
    return Space(doc, groups, canonical_hash(content))


def _attempt(problems: list[Problem], load: Any, ref: str) -> Any:
    try:
        return load(ref)
    except SpecError as error:
        problems.extend(error.problems)
    return None


def _applies(axis: Axis, machine: Machine) -> bool:
    if axis.numeric:
        return machine.params.has(axis.path) or _in_part(axis.path, machine)
    return axis.path in machine.params.options or axis.path in machine.model.choices


def _in_part(path: str, machine: Machine) -> bool:
    head, _, rest = path.partition(".")
    return head in machine.params.parts and machine.params.parts[head].has(rest)


def _check_axes(doc: SpaceDoc, machines: Mapping[str, Machine], problems: list[Problem]) -> None:
    for axis in doc.axes:
        using = [machine for machine in machines.values() if _applies(axis, machine)]
        if not using:
            known = sorted({path for m in machines.values() for path in _paths(m)})
            kind = "numbers for" if axis.numeric else "words for"
            found = f"{kind} the unknown path {axis.path!r}"
            hint = nearest_hint(axis.path, known)
            problems.append(
                doc.document.problem(("parameters", axis.path), found, "a path of its machines", hint)
            )
        for machine in using:
            _check_values(doc, axis, machine, problems)
    for path in doc.derived:
        if not any(machine.params.has(path) or _in_part(path, machine) for machine in machines.values()):
            known = sorted({p for m in machines.values() for p in m.params.values})
            hint = nearest_hint(path, known)
            problems.append(
                doc.document.problem(("derived", path), f"the unknown path {path!r}", "a path", hint)
            )


def _paths(machine: Machine) -> set[str]:
    return {*machine.params.values, *machine.params.options, *machine.model.choices}


def _check_values(doc: SpaceDoc, axis: Axis, machine: Machine, problems: list[Problem]) -> None:
    """Every value must be one that the machine file could hold (a sample of them where there are very many)."""
    step = max(1, len(axis.values) // CHECKED_VALUES)
    for value in (*axis.values[::step], axis.values[-1]):
        if axis.path in machine.model.choices and axis.path not in machine.params.options:
            allowed = machine.model.choices[axis.path]
            if value not in allowed:
                problem = doc.document.problem(
                    ("parameters", axis.path),
                    f"{value!r}",
                    one_of(allowed),
                    nearest_hint(str(value), allowed),
                )
                problems.append(problem)
            continue
        text = value if isinstance(value, str) else repr(int(value) if value == int(value) else value)
        try:
            load_arch(machine.path, {axis.path: text})
        except SpecError as error:
            for found in error.problems:
                problems.append(
                    doc.document.problem(
                        ("parameters", axis.path), f"{text}: {found.found}", found.allowed, found.hint
                    )
                )
            return


def _check_names(doc: SpaceDoc, problems: list[Problem]) -> None:
    inputs = {axis.path for axis in doc.axes} | set(doc.derived)

    def check(expression: Expression, at: tuple[str | int, ...], known: set[str]) -> None:
        for name in sorted(expression.names - known):
            hint = nearest_hint(name, known)
            problems.append(
                doc.document.problem(at, f"the unknown name {name!r}", one_of(sorted(known)), hint)
            )

    for path, expression in doc.derived.items():
        check(expression, ("derived", path), {axis.path for axis in doc.axes})
    for index, condition in enumerate(doc.conditions):
        check(condition, ("conditions", index), inputs)
    for index, constraint in enumerate(doc.constraints):
        check(constraint, ("constraints", index), inputs | set(OUTPUTS))
    for index, name in enumerate(doc.objectives):
        if name not in OUTPUTS:
            hint = nearest_hint(name, OUTPUTS)
            problems.append(
                doc.document.problem(
                    ("objectives", index), f"the unknown column {name!r}", one_of(OUTPUTS), hint
                )
            )


def _groups(
    doc: SpaceDoc, machines: Mapping[str, Machine], networks: Mapping[str, Workload]
) -> Iterator[Group]:
    for arch, machine in machines.items():
        axes = [axis for axis in doc.axes if _applies(axis, machine)]
        numeric = tuple(axis for axis in axes if axis.numeric)
        words = [axis for axis in axes if not axis.numeric]
        size = (
            doc.sampling[1] if doc.sampling and numeric else math.prod(len(axis.values) for axis in numeric)
        )
        for chosen in itertools.product(*(axis.values for axis in words)):
            pairs = tuple((axis.path, str(value)) for axis, value in zip(words, chosen, strict=True))
            for workload in networks:
                for batch in doc.batches:
                    yield Group(arch, workload, batch, pairs, numeric, size)


def with_sampling(doc: SpaceDoc, points: int, seed: int) -> SpaceDoc:
    """The same space sampled by a Sobol sequence instead of its full grid."""
    return replace(doc, sampling=("sobol", points, seed))


def refusal_text(error: Refused) -> str:
    """Reasons of a refusal in one line."""
    return "; ".join(f"found {r.found}, allowed {r.allowed}" for r in error.refusals)
