"""Everything about a sweep that can be refused before it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from cosim.engine import load_arch, load_workload
from cosim.explore.axes import Axis
from cosim.explore.expression import Expression
from cosim.explore.legal import applies, illegal, numbers_of, unit_of, words_of
from cosim.explore.outputs import OUTPUTS, SIZES
from cosim.explore.resources import resources_of
from cosim.explore.space_file import NO_MAPPING, SpaceDoc
from cosim.explore.transform_axis import Chain, label, variants
from cosim.hardware.load import Machine
from cosim.ir.batch import LayerBatch
from cosim.ir.transforms import TransformError
from cosim.ir.workload import Workload
from cosim.mapping.mapping_file import load_mapping
from cosim.mapping.plan import MappingDoc, MappingError, make_plan
from cosim.spec.locate import find_document
from cosim.spec.problems import Problem, SpecError, nearest_hint, one_of

T = TypeVar("T")
Place = tuple[str | int, ...]

# Values of an axis that are also tried in the machine file itself, which may relate several numbers.
TRIED_VALUES = 5


@dataclass(frozen=True)
class Parts:
    """Machines, networks and mappings of a sweep, by the names it uses.

    ``variants`` are the networks transformed; ``refused`` holds what is wrong with transforms, for :func:`check`.
    """

    machines: dict[str, Machine]
    networks: dict[str, Workload]
    mappings: dict[str, MappingDoc | None]
    variants: dict[tuple[str, Chain], Workload]
    refused: tuple[Problem, ...]


def load_parts(doc: SpaceDoc) -> Parts:
    """Read what the sweep names; raises :class:`SpecError` with the problems of all of it."""
    problems: list[Problem] = []

    def attempt(key: str, load: Callable[[str], T], refs: Iterable[str]) -> dict[str, T]:
        found: dict[str, T] = {}
        for index, ref in enumerate(refs):
            try:
                found[ref] = load(ref)
            except SpecError as error:
                problems.extend(error.problems)
            except TransformError as error:
                allowed = "a network and transforms that apply to it"
                problems.append(doc.document.problem((key, index), f"{ref!r} ({error})", allowed))
        return found

    machines = attempt("archs", load_arch, doc.archs)
    networks = attempt("workloads", load_workload, doc.workloads)
    mappings = attempt("mappings", _mapping, doc.mappings)
    refused: list[Problem] = []
    changed = variants(doc.document, networks, doc.transforms or ((),), refused)
    if problems:
        raise SpecError([*problems, *refused])
    return Parts(machines, networks, mappings, changed, tuple(refused))


def _mapping(ref: str) -> MappingDoc | None:
    return None if ref == NO_MAPPING else load_mapping(find_document(ref, "mappings"))


def check(doc: SpaceDoc, parts: Parts) -> None:
    """Raise :class:`SpecError` with every unknown path, word, value, name and column of the sweep."""
    problems = list(parts.refused)
    for axis in doc.axes:
        _check_axis(doc, axis, parts.machines.values(), problems)
    _check_derived(doc, parts, problems)
    _check_names(doc, parts, problems)
    _check_mappings(doc, parts, problems)
    if problems:
        raise SpecError(problems)


def _check_axis(doc: SpaceDoc, axis: Axis, machines: Iterable[Machine], problems: list[Problem]) -> None:
    at = ("parameters", axis.path)
    using = [machine for machine in machines if applies(axis, machine)]
    if not using:
        known = sorted({path for machine in machines for path in _paths(machine)})
        kind = "numbers" if axis.numeric else "words"
        found = f"{kind} for the unknown path {axis.path!r}"
        if axis.path in known:
            found = f"{kind} for {axis.path!r}, which takes {'words' if axis.numeric else 'numbers'}"
        hint = nearest_hint(axis.path, known) if axis.path not in known else ""
        problems.append(doc.document.problem(at, found, "a path of its machines", hint))
    for machine in using:
        problem = _wrong_number(doc, axis, machine) if axis.numeric else _wrong_word(doc, axis, machine)
        problem = problem or _tried(doc, axis, machine)
        if problem is not None:
            problems.append(problem)


def _paths(machine: Machine) -> set[str]:
    return {*numbers_of(machine), *words_of(machine), *machine.model.choices}


def _wrong_number(doc: SpaceDoc, axis: Axis, machine: Machine) -> Problem | None:
    unit = unit_of(machine, axis.path)
    if unit is None:
        return None
    values = (axis.rounded() if unit.whole else axis).numbers()
    wrong = values[illegal(values, unit)]
    if not len(wrong):
        return None
    more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return doc.document.problem(("parameters", axis.path), f"{wrong[0]:g}{more}", unit.describe())


def _wrong_word(doc: SpaceDoc, axis: Axis, machine: Machine) -> Problem | None:
    if axis.path in words_of(machine):
        return None
    allowed = machine.model.choices[axis.path]
    for value in axis.values:
        if value not in allowed:
            hint = nearest_hint(str(value), allowed)
            return doc.document.problem(("parameters", axis.path), f"{value!r}", one_of(allowed), hint)
    return None


def _tried(doc: SpaceDoc, axis: Axis, machine: Machine) -> Problem | None:
    """The machine file with the axis' values, one at a time: its ends, and some between (all of its words)."""
    if not axis.numeric and axis.path not in words_of(machine):
        return None
    unit = unit_of(machine, axis.path) if axis.numeric else None
    values = (axis.rounded() if unit is not None and unit.whole else axis).values
    step = max(1, len(values) // TRIED_VALUES) if axis.numeric else 1
    for value in dict.fromkeys((*values[::step], values[-1])):
        text = value if isinstance(value, str) else repr(int(value) if value == int(value) else value)
        try:
            load_arch(machine.path, {axis.path: text})
        except SpecError as error:
            found = error.problems[0]
            return doc.document.problem(
                ("parameters", axis.path), f"{text}: {found.found}", found.allowed, found.hint
            )
    return None


def _check_derived(doc: SpaceDoc, parts: Parts, problems: list[Problem]) -> None:
    known = sorted({path for machine in parts.machines.values() for path in numbers_of(machine)})
    swept = {axis.path for axis in doc.axes}
    for path in doc.derived:
        if path in swept:
            found = f"{path!r}, which is swept as well"
            problems.append(doc.document.problem(("derived", path), found, "one or the other"))
        elif path not in known:
            found = f"the unknown path {path!r}"
            hint = nearest_hint(path, known)
            problems.append(doc.document.problem(("derived", path), found, "a path of its machines", hint))


def _check_names(doc: SpaceDoc, parts: Parts, problems: list[Problem]) -> None:
    machines = parts.machines.values()
    numbers = {path for machine in machines for path in numbers_of(machine)}
    resources = {name for machine in machines for name in resources_of(machine)}
    results = {*OUTPUTS, *SIZES, *resources}
    swept = {axis.path for axis in doc.axes if axis.numeric} | set(doc.derived)

    def names(expression: Expression, at: Place, known: set[str], what: str) -> None:
        for name in sorted(expression.names - known):
            hint = nearest_hint(name, known)
            problems.append(doc.document.problem(at, f"the unknown name {name!r}", what, hint))

    parameter = "a numeric parameter of its machines"
    result = f"a parameter, a column of the sweep, or {one_of(sorted(results))}"
    for path, expression in doc.derived.items():
        names(expression, ("derived", path), numbers, parameter)
    for index, condition in enumerate(doc.conditions):
        names(condition, ("conditions", index), numbers, parameter)
    for name, expression in doc.columns.items():
        if name in numbers | results:
            problem = doc.document.problem(("columns", name), f"{name!r}, which exists already", "a new name")
            problems.append(problem)
        names(expression, ("columns", name), numbers | results, result)
    for index, constraint in enumerate(doc.constraints):
        names(constraint, ("constraints", index), numbers | results | set(doc.columns), result)
    ranked = {*results, *doc.columns, *swept}
    for index, name in enumerate(doc.objectives):
        if name.removeprefix("-") not in ranked:
            hint = nearest_hint(name.removeprefix("-"), ranked)
            found = f"the unknown column {name!r}"
            problems.append(doc.document.problem(("objectives", index), found, one_of(sorted(ranked)), hint))
    if not problems:
        _check_objectives_everywhere(doc, parts, problems)


def _check_objectives_everywhere(doc: SpaceDoc, parts: Parts, problems: list[Problem]) -> None:
    """An objective that one machine cannot have would silently leave that machine out of every front."""
    for index, objective in enumerate(doc.objectives):
        name = objective.removeprefix("-")
        needs = doc.columns[name].names if name in doc.columns else {name}
        for arch, machine in parts.machines.items():
            has = {*OUTPUTS, *SIZES, *numbers_of(machine), *resources_of(machine)}
            for missing in sorted(needs - has):
                found = f"{name!r}, which needs {missing!r}; machine {arch} has none"
                allowed = "an objective that every machine of the sweep has"
                problems.append(doc.document.problem(("objectives", index), found, allowed))


def _check_mappings(doc: SpaceDoc, parts: Parts, problems: list[Problem]) -> None:
    batches = {
        f"{name}+{label(chain)}" if chain else name: LayerBatch.from_layers(network.layers)
        for (name, chain), network in parts.variants.items()
    }
    for index, (ref, mapping) in enumerate(parts.mappings.items()):
        for arch, machine in parts.machines.items():
            for network, layers in batches.items():
                try:
                    make_plan(layers, machine.model.choices, mapping)
                except MappingError as error:
                    found = f"{ref!r}, which does not suit {arch} and {network} ({error})"
                    allowed = "mappings that suit every machine and network of the sweep"
                    problems.append(doc.document.problem(("mappings", index), found, allowed))
