"""Parameters that are known between two ends only, and what a network costs for many draws of them.

A parameter's range is the one stated with its source in the machine file. It is drawn uniformly between the ends;
log-uniformly where the upper end is ten times the lower one or more, because then not even the decade is known. A
device that appears twice (the baseline that is also the companion of the machine) has one set of parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cosim.components.params import ParameterRow
from cosim.engine import evaluate_points
from cosim.explore.legal import numbers_of, unit_of
from cosim.hardware.load import COMPANION, Machine
from cosim.ir.batch import LayerBatch
from cosim.ir.workload import Workload
from cosim.mapping.plan import MappingDoc, Plan, make_plan
from cosim.results.files import OutputError
from cosim.spec.constant import read_number
from cosim.spec.problems import Refused, nearest_hint

METRICS = ("latency", "energy", "edp")
LOG_FROM = 10.0
BASELINE = "baseline."

Column = NDArray[np.float64]


@dataclass(frozen=True)
class Uncertain:
    """One uncertain parameter; ``machine_paths`` and ``baseline_paths`` are where it is set."""

    name: str
    low: float
    high: float
    value: float
    unit: str
    kind: str
    source: str
    whole: bool
    machine_paths: tuple[str, ...]
    baseline_paths: tuple[str, ...]

    @property
    def logarithmic(self) -> bool:
        """True if it is drawn log-uniformly."""
        return self.low > 0 and self.high >= LOG_FROM * self.low

    def at(self, share: Column) -> Column:
        """Values at shares from 0 (lowest) to 1 (highest) of the range."""
        if self.logarithmic:
            found = self.low * np.exp(share * np.log(self.high / self.low))
        else:
            found = self.low + share * (self.high - self.low)
        return np.asarray(np.round(found) if self.whole else found)


@dataclass(frozen=True)
class Side:
    """A machine with a network laid out on it."""

    machine: Machine
    layers: LayerBatch
    plan: Plan

    def cost(self, columns: Mapping[str, Column], count: int) -> tuple[Column, Column]:
        """(seconds, joules) of the network for each of ``count`` points; not-a-number where a layer does not fit."""
        model, params = self.machine.model, self.machine.params
        if not columns:
            path = next(iter(params.values))
            columns = {path: np.full(count, np.max(params[path]))}
        seconds, joules = np.empty(count), np.empty(count)
        try:
            for chunk in evaluate_points(model, self.layers, params, columns, self.plan):
                rows = slice(chunk.start, chunk.start + chunk.count)
                seconds[rows], joules[rows] = chunk.latency_s, chunk.energy_j
                shape = (chunk.count, chunk.repeats.size)
                for limit in chunk.cost.limits:
                    seconds[rows][np.broadcast_to(limit.violated, shape).any(axis=1)] = np.nan
        except ValueError as error:
            raise OutputError(f"{self.machine.name}: no cost somewhere in its ranges ({error})") from error
        return seconds, joules


@dataclass(frozen=True)
class Question:
    """How a network fares on a machine, or on a machine against a baseline, whatever the parameters are.

    ``metric`` is one of :data:`METRICS`. The answer is the cost, or with a baseline the ratio of the baseline's
    cost to the machine's: above 1 the machine wins.
    """

    network: Workload
    side: Side
    other: Side | None
    metric: str
    parameters: tuple[Uncertain, ...]

    def answer(self, draws: Mapping[str, Column], count: int, metric: str | None = None) -> Column:
        """The answer for ``count`` draws; ``draws`` maps names of parameters to columns, the rest stay as they are."""
        chosen = metric or self.metric
        costs = [_cost_of(chosen, *cost) for cost in self.costs(draws, count)]
        return np.asarray(costs[1] / costs[0]) if self.other is not None else costs[0]

    def costs(self, draws: Mapping[str, Column], count: int) -> list[tuple[Column, Column]]:
        """(seconds, joules) of the machine, then of the baseline if there is one, each of shape (count,)."""
        found = [self.side.cost(self._columns(draws, True), count)]
        if self.other is not None:
            found.append(self.other.cost(self._columns(draws, False), count))
        return found

    def _columns(self, draws: Mapping[str, Column], machine: bool) -> dict[str, Column]:
        found = {}
        for parameter in self.parameters:
            if parameter.name in draws:
                for path in parameter.machine_paths if machine else parameter.baseline_paths:
                    found[path] = draws[parameter.name]
        return found

    @cached_property
    def nominal(self) -> float:
        """The answer with every parameter as stated."""
        return float(self.answer({}, 1)[0])


def _cost_of(metric: str, seconds: Column, joules: Column) -> Column:
    return {"latency": seconds, "energy": joules, "edp": seconds * joules}[metric]


def ask(
    machine: Machine,
    network: Workload,
    baseline: Machine | None = None,
    metric: str = "latency",
    mapping: MappingDoc | None = None,
    only: Sequence[str] = (),
) -> Question:
    """A question about ``network``, with every parameter that states a range.

    ``only`` keeps the parameters that one of these shell patterns matches. Raises :class:`OutputError` for an
    unknown metric or where no parameter is left.
    """
    if metric not in METRICS:
        raise OutputError(f"found the metric {metric!r}, allowed {', '.join(METRICS)}")
    layers = LayerBatch.from_layers(network.layers)
    side = Side(machine, layers, make_plan(layers, machine.model.choices, mapping))
    other = None
    if baseline is not None:
        other = Side(baseline, layers, make_plan(layers, baseline.model.choices))
    parameters = tuple(_parameters(machine, baseline))
    if only:
        from fnmatch import fnmatchcase

        parameters = tuple(p for p in parameters if any(fnmatchcase(p.name, pattern) for pattern in only))
    if not parameters:
        of = machine.name if baseline is None else f"{machine.name} and {baseline.name}"
        raise OutputError(
            f"{of}: found no parameter with a range{' that is asked for' if only else ''}, allowed at least one"
        )
    return Question(network, side, other, metric, parameters)


def spanning(machine: Machine, baseline: Machine, path: str, low: str, high: str) -> Uncertain:
    """A parameter of the machine between two ends of one's own choice, whatever range its file states.

    Raises :class:`OutputError` for an unknown path (nearest spelling) or ends that are not legal values in order.
    """
    known = numbers_of(machine)
    unit = unit_of(machine, path)
    if path not in known or unit is None:
        raise OutputError(
            f"{machine.name}: found no parameter {path!r} with a unit, {nearest_hint(path, known)}".rstrip(
                ", "
            )
        )
    try:
        first, last = (float(read_number(_number(end), unit.suffix, unit.limits)) for end in (low, high))
    except Refused as error:
        raise OutputError(f"{machine.name}: {path}: {error}") from error
    if not first < last:
        raise OutputError(f"{machine.name}: {path}: found {low} to {high}, allowed the lower end first")
    device = _device(machine, path)
    others = tuple(row.path for row in baseline.parameters if _device(baseline, row.path) == device)
    return Uncertain(
        name=path,
        low=first,
        high=last,
        value=known[path],
        unit=unit.suffix,
        kind="",
        source="",
        whole=unit.whole,
        machine_paths=(path,),
        baseline_paths=others,
    )


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _parameters(machine: Machine, baseline: Machine | None) -> list[Uncertain]:
    """Parameters with a range; one that both machines have by way of the same device is one parameter."""
    found: dict[tuple[str, str], Uncertain] = {}
    sides = [(machine, "", True)] + ([(baseline, BASELINE, False)] if baseline is not None else [])
    for owner, prefix, own in sides:
        for row in owner.parameters:
            if row.range is None or not row.range[0] < row.range[1]:
                continue
            key = _device(owner, row.path)
            before = found.get(key)
            if before is None:
                found[key] = _uncertain(owner, row, prefix, own)
            elif not own:
                found[key] = Uncertain(
                    **{**before.__dict__, "baseline_paths": (*before.baseline_paths, row.path)}
                )
    return list(found.values())


def _device(owner: Machine, path: str) -> tuple[str, str]:
    """(device, path inside it)."""
    if path.startswith(f"{COMPANION}."):
        return owner.params.parts[COMPANION].name, path.removeprefix(f"{COMPANION}.")
    return owner.name, path


def _uncertain(owner: Machine, row: ParameterRow, prefix: str, own: bool) -> Uncertain:
    assert row.range is not None
    unit = unit_of(owner, row.path)
    paths = (row.path,)
    return Uncertain(
        name=prefix + row.path,
        low=row.range[0],
        high=row.range[1],
        value=float(row.value),
        unit=row.unit,
        kind=row.kind,
        source=row.source,
        whole=unit is not None and unit.whole,
        machine_paths=paths if own else (),
        baseline_paths=() if own else paths,
    )
