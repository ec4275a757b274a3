"""Points of a sweep through the vectorised path, reduced to one row each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.components.params import Value
from cosim.engine import PointsChunk, evaluate_points
from cosim.explore.expression import Expression
from cosim.explore.legal import illegal, numbers_of, unit_of
from cosim.explore.outputs import OUTPUTS, SIZES, sizes_of
from cosim.explore.resources import RESOURCES, resource_columns
from cosim.explore.space import Columns, Group, Space, Task
from cosim.explore.transform_axis import KEY as TRANSFORMS
from cosim.hardware.load import Machine
from cosim.ir.batch import LayerBatch
from cosim.ir.workload import Workload
from cosim.mapping.feasibility import violations
from cosim.mapping.plan import Plan, make_plan
from cosim.spec.hashing import canonical_hash

OK, INFEASIBLE, FAILED = "ok", "infeasible", "failed"
NOT_FINITE = "costs are not finite"


@dataclass(frozen=True)
class GroupContext:
    """What all points of a group share; ``key`` stands for all of it in the hash of a point."""

    group: Group
    machine: Machine
    network: Workload
    layers: LayerBatch
    plan: Plan
    key: bytes

    @cached_property
    def numbers(self) -> dict[str, float]:
        """Every numeric parameter of the machine as it stands."""
        return numbers_of(self.machine)

    @cached_property
    def macs(self) -> float:
        """Multiply-accumulates of one execution."""
        return float(self.layers.macs.sum())


@dataclass(frozen=True)
class Words:
    """A text column: ``words[codes]``."""

    codes: NDArray[np.int64]
    words: tuple[str | None, ...]

    @classmethod
    def constant(cls, word: str | None, count: int) -> Words:
        """The same word ``count`` times."""
        return cls(np.zeros(count, dtype=np.int64), (word,))

    @classmethod
    def of(cls, texts: Sequence[str]) -> Words:
        """From a list of texts."""
        known = dict.fromkeys(texts)
        number = {word: index for index, word in enumerate(known)}
        return cls(np.array([number[text] for text in texts], dtype=np.int64), tuple(known))

    def texts(self) -> list[str | None]:
        """The column as a list."""
        return [self.words[code] for code in self.codes]

    @classmethod
    def joined(cls, parts: Sequence[Words]) -> Words:
        """Columns one below the other."""
        words: dict[str | None, int] = {}
        codes = []
        for part in parts:
            own = np.array([words.setdefault(word, len(words)) for word in part.words], dtype=np.int64)
            codes.append(own[part.codes] if len(own) else part.codes)
        return cls(np.concatenate(codes), tuple(words))


Rows = dict[str, NDArray[Any] | Words]


@dataclass(frozen=True)
class Points:
    """Evaluated points of one group: ``values`` holds parameters, results and further columns by name.

    A point that cannot be evaluated has status ``failed`` or ``infeasible``, its reason, and results that are
    not-a-number. ``met`` is true for points that are fine and meet the constraints.
    """

    values: dict[str, NDArray[np.float64]]
    status: list[str]
    reason: list[str]
    met: NDArray[np.bool_]


def context_of(space: Space, group: Group) -> GroupContext:
    """Machine, network and plan of a group."""
    machine = space.machine(group)
    network = space.network(group)
    layers = LayerBatch.from_layers(network.layers)
    plan = make_plan(layers, machine.model.choices, space.mapping(group, machine))
    words = [list(pair) for pair in group.words]
    content: list[Any] = [machine.hash, group.workload, group.mapping, group.batch, words]
    if space.doc.transforms is not None:
        content.append(list(group.chain))
    return GroupContext(group, machine, network, layers, plan, canonical_hash(content).encode())


def rows_of(space: Space, context: Callable[[int], GroupContext], task: Task) -> Rows:
    """Rows of a task; ``context`` gives the context of the group with a number."""
    pieces = []
    for number, start, stop in space.pieces(task):
        own = context(number)
        index = np.arange(start, stop, dtype=np.int64)
        parameters, kept = parameters_of(space, own, index)
        pieces.append(_rows(space, own, evaluate(space, own, parameters, len(kept)), parameters, kept))
    if len(pieces) == 1:
        return pieces[0]
    joined: Rows = {}
    for name in pieces[0]:
        parts: list[Any] = [piece[name] for piece in pieces]
        joined[name] = Words.joined(parts) if isinstance(parts[0], Words) else np.concatenate(parts)
    return joined


def parameters_of(
    space: Space, context: GroupContext, index: NDArray[np.int64]
) -> tuple[Columns, NDArray[np.int64]]:
    """Swept and derived parameters of points ``index`` of a group, for the points that meet the conditions.

    A derived value or a condition that names what this machine does not have does not apply to it.
    """
    columns = space.axis_columns(context.group, index)
    known: dict[str, Any] = {**context.numbers, **columns}
    for path, expression in space.doc.derived.items():
        if path in context.numbers and expression.names <= set(known):
            columns[path] = _column(expression, known, len(index))
    known.update(columns)
    keep = np.ones(len(index), dtype=np.bool_)
    for condition in space.doc.conditions:
        if condition.names <= set(known):
            keep &= _column(condition, known, len(index)).astype(np.bool_)
    return {path: values[keep] for path, values in columns.items()}, index[keep]


def _column(expression: Expression, known: Mapping[str, Any], count: int) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        found = np.asarray(expression(known), dtype=np.float64)
    return np.broadcast_to(found, (count,)).copy()


def evaluate(space: Space, context: GroupContext, parameters: Columns, count: int) -> Points:
    """Evaluate points given by their parameter columns."""
    values = {name: np.full(count, np.nan) for name in OUTPUTS}
    status = np.full(count, OK, dtype=object)
    reason = np.full(count, "", dtype=object)
    _refuse_derived(space, context, parameters, status, reason)
    _evaluate_legal(context, parameters, values, status, reason)
    for name in OUTPUTS:
        values[name][status != OK] = np.nan
    known: dict[str, Any] = {**context.numbers, **parameters, **values}
    if wanted := resources_wanted(space):
        values.update(resource_columns(context.machine, known, wanted, count))
        known.update(values)
    if sizes := sizes_wanted(space):
        of_network = sizes_of(context.network)
        values.update({name: np.full(count, of_network[name]) for name in sizes})
        known.update(values)
    for name, expression in space.doc.columns.items():
        fits = expression.names <= set(known)
        values[name] = _column(expression, known, count) if fits else np.full(count, np.nan)
        known[name] = values[name]
    met = np.asarray(status == OK, dtype=np.bool_)
    for constraint in space.doc.constraints:
        if constraint.names <= set(known):
            met &= _column(constraint, known, count).astype(np.bool_)
    return Points({**parameters, **values}, list(status), list(reason), met)


def resources_wanted(space: Space) -> list[str]:
    """FPGA resource columns that the sweep's objectives, constraints and columns name."""
    return [name for name in RESOURCES if name in _named(space)]


def sizes_wanted(space: Space) -> list[str]:
    """Sizes of the network that the sweep's objectives, constraints and columns name."""
    return [name for name in SIZES if name in _named(space)]


def _named(space: Space) -> set[str]:
    named = {name.removeprefix("-") for name in space.doc.objectives}
    for expression in (*space.doc.constraints, *space.doc.columns.values()):
        named |= expression.names
    return named


def _refuse_derived(
    space: Space,
    context: GroupContext,
    parameters: Columns,
    status: NDArray[np.object_],
    reason: NDArray[np.object_],
) -> None:
    """Derived values are not known before they are computed, so they are checked here."""
    for path in space.doc.derived:
        unit = unit_of(context.machine, path)
        if path not in parameters or unit is None:
            continue
        for point in np.flatnonzero(illegal(parameters[path], unit)):
            status[point] = FAILED
            reason[point] = f"derived {path} = {parameters[path][point]:g}, allowed {unit.describe()}"


def _evaluate_legal(
    context: GroupContext,
    parameters: Columns,
    values: dict[str, NDArray[np.float64]],
    status: NDArray[np.object_],
    reason: NDArray[np.object_],
) -> None:
    legal = np.flatnonzero(status == OK)
    if len(legal) == len(status):
        _fill(context, parameters, values, status, reason, 0, len(status))
        return
    part = {path: column[legal] for path, column in parameters.items()}
    own = {name: np.full(len(legal), np.nan) for name in values}
    own_status, own_reason = status[legal], reason[legal]
    _fill(context, part, own, own_status, own_reason, 0, len(legal))
    status[legal], reason[legal] = own_status, own_reason
    for name, column in own.items():
        values[name][legal] = column


def _fill(
    context: GroupContext,
    parameters: Columns,
    values: dict[str, NDArray[np.float64]],
    status: NDArray[np.object_],
    reason: NDArray[np.object_],
    start: int,
    stop: int,
) -> None:
    """Evaluate points ``start`` to ``stop``; where one spoils its chunk, halve until it stands alone."""
    if start == stop:
        return
    part = {path: column[start:stop] for path, column in parameters.items()}
    try:
        # Numbers that overflow end as "not finite" below, with their row; a warning would name no point.
        with np.errstate(all="ignore"):
            for chunk in _chunks(context, part, stop - start):
                rows = slice(start + chunk.start, start + chunk.start + chunk.count)
                _reduce(context, chunk, values, status, reason, rows)
    except (ArithmeticError, ValueError, KeyError, IndexError) as error:
        if stop - start == 1:
            status[start], reason[start] = FAILED, f"{type(error).__name__}: {error}"
            return
        middle = (start + stop) // 2
        _fill(context, parameters, values, status, reason, start, middle)
        _fill(context, parameters, values, status, reason, middle, stop)


def _chunks(context: GroupContext, part: Columns, count: int) -> Iterator[PointsChunk]:
    model, params = context.machine.model, context.machine.params
    if not part:
        # No numeric axis: the machine as it stands; any of its numbers serves as the column of one value.
        path = next(iter(params.values))
        part = {path: np.full(count, params[path])}
    return evaluate_points(model, context.layers, params, part, context.plan)


def _reduce(
    context: GroupContext,
    chunk: PointsChunk,
    values: dict[str, NDArray[np.float64]],
    status: NDArray[np.object_],
    reason: NDArray[np.object_],
    rows: slice,
) -> None:
    cost, repeats = chunk.cost, chunk.repeats
    shape = (chunk.count, repeats.size)

    def total(parts: Value) -> NDArray[np.float64]:
        # Not a matrix product: a threaded one may add up in another order on another machine.
        return np.asarray(np.einsum("pl,l->p", np.broadcast_to(parts, shape), repeats))

    latency = total(cost.latency_s)
    energy = sum((total(part) for part in cost.energy_pj.values()), np.zeros(chunk.count)) / 1e12
    values["latency_s"][rows] = latency
    values["energy_j"][rows] = energy
    values["edp_js"][rows] = latency * energy
    values["images_per_s"][rows] = context.network.batch / latency
    values["average_power_w"][rows] = energy / latency
    values["macs_per_j"][rows] = context.macs / energy
    values["utilization"][rows] = total(cost.utilization * cost.latency_s) / latency
    finite = np.isfinite(latency) & np.isfinite(energy) & (latency > 0)
    for point in np.flatnonzero(~finite):
        status[rows.start + point], reason[rows.start + point] = FAILED, NOT_FINITE
    for limit in cost.limits:
        violated = limit.violated
        if not violated.any():
            continue
        for point in np.flatnonzero(np.broadcast_to(violated, shape).any(axis=1)):
            if status[rows.start + point] == OK:
                status[rows.start + point] = INFEASIBLE
                reason[rows.start + point] = _why_infeasible(chunk, int(point))


def _why_infeasible(chunk: PointsChunk, point: int) -> str:
    shape = (chunk.count, chunk.repeats.size)
    at_point = tuple(
        replace(
            limit,
            demand=np.broadcast_to(limit.demand, shape)[point],
            bound=np.broadcast_to(limit.bound, shape)[point],
        )
        for limit in chunk.cost.limits
    )
    found = violations(at_point, chunk.layers.names)
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{found[0]}{more}"


def _rows(
    space: Space, context: GroupContext, points: Points, parameters: Columns, index: NDArray[np.int64]
) -> Rows:
    """The columns of a group's rows, in the same order and of the same type for every group."""
    group, count = context.group, len(index)
    words = dict(group.words)
    rows: Rows = {
        "point": index + group.start,
        "hash": np.array(_hashes(context.key, parameters, count), dtype="U16"),
        "arch": Words.constant(group.arch, count),
        "mapping": Words.constant(group.mapping, count),
        "workload": Words.constant(group.workload, count),
        "batch": np.full(count, group.batch, dtype=np.int64),
    }
    if space.doc.transforms is not None:
        rows[TRANSFORMS] = Words.constant(group.transforms, count)
    for axis in space.doc.axes:
        if axis.numeric:
            rows[axis.path] = parameters.get(axis.path, np.full(count, np.nan))
        else:
            rows[axis.path] = Words.constant(words.get(axis.path), count)
    for path in space.doc.derived:
        rows[path] = parameters.get(path, np.full(count, np.nan))
    for name in (*OUTPUTS, *resources_wanted(space), *sizes_wanted(space), *space.doc.columns):
        rows[name] = points.values[name]
    rows["meets_constraints"] = points.met
    rows["status"] = Words.of(points.status)
    rows["reason"] = Words.of(points.reason)
    return rows


def _hashes(key: bytes, columns: Columns, count: int) -> list[str]:
    """Content hash of every point: its group and its numbers."""
    base = hashlib.blake2b(key, digest_size=8)
    if not columns:
        return [base.hexdigest()] * count
    names = sorted(columns)
    base.update("|".join(names).encode())
    width = 8 * len(names)
    table = np.ascontiguousarray(np.column_stack([columns[name] for name in names]), dtype="<f8").tobytes()
    hashes = []
    for start in range(0, width * count, width):
        own = base.copy()
        own.update(table[start : start + width])
        hashes.append(own.hexdigest())
    return hashes
