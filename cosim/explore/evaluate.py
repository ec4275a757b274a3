"""One task of a sweep: its points through the vectorised path, reduced to one row each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.components.estimate import CostTable
from cosim.engine import PointsChunk, evaluate_points
from cosim.explore.space import OUTPUTS, Columns, Group, Space, Task
from cosim.hardware.load import Machine
from cosim.ir.batch import LayerBatch
from cosim.ir.workload import Workload
from cosim.mapping.feasibility import violations
from cosim.mapping.plan import Plan, make_plan
from cosim.spec.hashing import canonical_hash

OK, INFEASIBLE, FAILED = "ok", "infeasible", "failed"


@dataclass(frozen=True)
class GroupContext:
    """What all points of a group share."""

    group: Group
    machine: Machine
    network: Workload
    layers: LayerBatch
    plan: Plan
    key: bytes


def context_of(space: Space, group: Group) -> GroupContext:
    """Machine, network and plan of a group; ``key`` stands for all of it in the hash of a point."""
    machine = space.machine(group)
    network = space.network(group)
    layers = LayerBatch.from_layers(network.layers)
    mapping = space.mapping(group, machine)
    plan = make_plan(layers, machine.model.choices, mapping)
    content = [machine.hash, group.workload, group.batch, [list(pair) for pair in group.words]]
    return GroupContext(group, machine, network, layers, plan, canonical_hash(content).encode())


def rows_of(space: Space, context: GroupContext, task: Task) -> dict[str, Any]:
    """Columns of the task's rows: identity, parameters, outputs, status and reason.

    A point that cannot be evaluated is a row with status ``failed`` or ``infeasible`` and its reason; its
    outputs are not-a-number.
    """
    columns, index = space.columns(context.group, task.start, task.stop)
    count = len(index)
    outputs = {name: np.full(count, np.nan) for name in OUTPUTS}
    status = np.full(count, OK, dtype=object)
    reason = np.full(count, "", dtype=object)
    if count:
        _fill(context, columns, outputs, status, reason, slice(0, count))
    met = _constraints(space, columns, outputs, status)
    everywhere = {axis.path for axis in space.doc.axes} | set(space.doc.derived)
    words = dict(context.group.words)
    return {
        "task": np.full(count, task.index, dtype=np.int64),
        "point": index,
        "hash": _hashes(context.key, columns, count),
        "arch": [context.group.arch] * count,
        "workload": [context.group.workload] * count,
        "batch": np.full(count, context.group.batch, dtype=np.int64),
        **{path: _parameter(path, columns, words, count) for path in sorted(everywhere)},
        **outputs,
        "meets_constraints": met,
        "status": list(status),
        "reason": list(reason),
    }


def _parameter(path: str, columns: Columns, words: Mapping[str, str], count: int) -> Any:
    if path in columns:
        return columns[path]
    return [words.get(path)] * count


def _fill(
    context: GroupContext,
    columns: Columns,
    outputs: dict[str, NDArray[np.float64]],
    status: NDArray[np.object_],
    reason: NDArray[np.object_],
    rows: slice,
) -> None:
    """Evaluate the points of ``rows``; where a point spoils the whole chunk, halve it until the point stands alone."""
    part = {path: values[rows] for path, values in columns.items()}
    count = rows.stop - rows.start
    try:
        for chunk in _chunks(context, part, count):
            begin = rows.start + chunk.start
            _reduce(context, chunk, outputs, status, reason, slice(begin, begin + chunk.count))
    except (ArithmeticError, ValueError, KeyError, IndexError) as error:
        if count == 1:
            status[rows], reason[rows] = FAILED, f"{type(error).__name__}: {error}"
            return
        middle = rows.start + count // 2
        _fill(context, columns, outputs, status, reason, slice(rows.start, middle))
        _fill(context, columns, outputs, status, reason, slice(middle, rows.stop))


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
    outputs: dict[str, NDArray[np.float64]],
    status: NDArray[np.object_],
    reason: NDArray[np.object_],
    rows: slice,
) -> None:
    cost = chunk.cost
    shape = (chunk.count, chunk.layers.size)
    latency, energy = chunk.latency_s, chunk.energy_j
    macs = float(context.layers.macs.sum())
    outputs["latency_s"][rows] = latency
    outputs["energy_j"][rows] = energy
    outputs["edp_js"][rows] = latency * energy
    outputs["images_per_s"][rows] = context.network.batch / latency
    outputs["average_power_w"][rows] = energy / latency
    outputs["macs_per_j"][rows] = macs / energy
    outputs["utilization"][rows] = chunk.total(cost.utilization * cost.latency_s) / latency
    finite = np.isfinite(latency) & np.isfinite(energy)
    status[rows][~finite] = FAILED
    reason[rows][~finite] = "costs are not finite"
    for limit in cost.limits:
        violated = np.broadcast_to(limit.violated, shape)
        for point in np.flatnonzero(violated.any(axis=1)):
            if status[rows][point] == OK:
                status[rows.start + point] = INFEASIBLE
                reason[rows.start + point] = _why_infeasible(chunk.layers.names, cost, int(point), shape)
                for values in outputs.values():
                    values[rows.start + point] = np.nan


def _why_infeasible(names: tuple[str, ...], cost: CostTable, point: int, shape: tuple[int, int]) -> str:
    at_point = tuple(
        replace(
            limit,
            demand=np.broadcast_to(limit.demand, shape)[point],
            bound=np.broadcast_to(limit.bound, shape)[point],
        )
        for limit in cost.limits
    )
    found = violations(at_point, names)
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{found[0]}{more}"


def _constraints(
    space: Space, columns: Columns, outputs: dict[str, NDArray[np.float64]], status: NDArray[np.object_]
) -> NDArray[np.bool_]:
    met = np.asarray(status == OK, dtype=np.bool_)
    known: dict[str, Any] = {**columns, **outputs}
    for constraint in space.doc.constraints:
        if constraint.names <= set(known):
            met &= np.asarray(constraint(known), dtype=np.bool_)
    return met


def _hashes(key: bytes, columns: Columns, count: int) -> list[str]:
    """Content hash of every point: its group and its numbers."""
    base = hashlib.blake2b(key, digest_size=8)
    if not columns:
        return [base.hexdigest()] * count
    names = sorted(columns)
    base.update("|".join(names).encode())
    table = np.column_stack([columns[name] for name in names])
    hashes = []
    for row in table:
        own = base.copy()
        own.update(row.tobytes())
        hashes.append(own.hexdigest())
    return hashes
