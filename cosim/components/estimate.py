"""What a machine model returns, and the one place where action counts become energy.

A model counts: seconds per resource, grouped in stages, and actions per component. Everything else (latency,
the bound, energy, leakage, energy-delay product) follows here, the same way for every machine.

    latency = sum over stages of max over the stage's resources                              (Eq. 1)
    energy  = sum over (component, action) of count * energy per action
              + sum over components of static power * latency                                (Eq. 2)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cosim.components.params import Value
from cosim.ir.batch import Array
from cosim.mapping.feasibility import Limit

Action = tuple[str, str]


@dataclass(frozen=True)
class Stage:
    """Resources that work at the same time; stages follow one another.

    ``resources`` maps a resource name to the seconds it is busy, broadcastable to (points, L). How the work is cut
    into tiles is no matter of the closed form: see :mod:`cosim.components.tiling`.
    """

    name: str
    resources: Mapping[str, Value]


@dataclass(frozen=True)
class Estimate:
    """Counts of one machine on a batch of layers; every array broadcasts to (points, L) or (L,).

    Attributes
    ----------
    stages:      times by resource, see Eq. 1
    actions:     (component, action) -> count; actions without an energy entry are refused in :func:`price`
    utilization: share of the peak multiply-accumulate rate that is used, in [0, 1]; 0 for non-MAC layers
    columns:     further columns of this kind of machine, declared in :mod:`cosim.ir.columns`
    labels:      column name -> words of its integer codes (the chosen mode or kernel)
    limits:      demands that must not exceed their bounds; where one does, the layer does not fit
    """

    stages: tuple[Stage, ...]
    actions: Mapping[Action, Value]
    utilization: Value
    columns: Mapping[str, Value] = field(default_factory=dict)
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True)
class EnergyTable:
    """Energy per action in pJ and static power in mW per component; numbers or (points, 1) arrays."""

    action_pj: Mapping[Action, Value]
    static_mw: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class CostTable:
    """Priced estimate. Arrays have shape (points, L), or (L,) for a single design point.

    ``energy_pj`` maps a component to its energy (its actions plus its static power over the latency).
    """

    latency_s: Array
    resource_names: tuple[str, ...]
    resource_s: Mapping[str, Value]
    stage_of: Mapping[str, str]
    stages: tuple[Stage, ...]
    stage_s: Mapping[str, Value]
    energy_pj: Mapping[str, Array]
    static_pj: Mapping[str, Value]
    action_counts: Mapping[Action, Value]
    utilization: Value
    columns: Mapping[str, Value]
    labels: Mapping[str, tuple[str, ...]]
    limits: tuple[Limit, ...]

    @property
    def total_energy_pj(self) -> Array:
        """Energy of every layer, all components."""
        total = np.zeros_like(self.latency_s)
        for part in self.energy_pj.values():
            total = total + part
        return total

    @cached_property
    def bound(self) -> NDArray[np.int64]:
        """Index into ``resource_names`` of the longest resource of the longest stage."""
        return _bound(self.stages, list(self.stage_s.values()), self.latency_s.shape)

    def bound_names(self) -> list[str]:
        """The bound of every layer by name (single design point)."""
        return [self.resource_names[i] for i in np.ravel(self.bound)]


def _bound(stages: tuple[Stage, ...], stage_s: list[Value], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Index of the longest resource of the longest stage, over the resources in stage order."""
    bound = np.zeros(shape, dtype=np.int64)
    longest = np.full(shape, -1.0)
    offset = 0
    for stage, seconds in zip(stages, stage_s, strict=True):
        wins = np.broadcast_to(seconds > longest, shape)
        longest = np.where(wins, seconds, longest)
        best = np.full(shape, -1.0)
        for index, value in enumerate(stage.resources.values()):
            better = wins & (value > best)
            best = np.where(better, value, best)
            bound = np.where(better, offset + index, bound)
        offset += len(stage.resources)
    return bound


def price(estimate: Estimate, energies: EnergyTable) -> CostTable:
    """Latency, bound and energy of an estimate (Eqs. 1 and 2).

    Raises ``KeyError`` when an action has no energy, or a stage no resource: a missing number is never zero.
    """
    missing = [action for action in estimate.actions if action not in energies.action_pj]
    if missing:
        raise KeyError(f"no energy per action for {missing}; known: {sorted(energies.action_pj)}")
    stage_s: list[Value] = []
    for stage in estimate.stages:
        if not stage.resources:
            raise KeyError(f"stage {stage.name!r} has no resource")
        values = iter(stage.resources.values())
        longest = next(values)
        for value in values:
            longest = np.maximum(longest, value)
        stage_s.append(longest)
    latency: Value = stage_s[0]
    for seconds in stage_s[1:]:
        latency = latency + seconds

    static_pj = {name: latency * power * 1e9 for name, power in energies.static_mw.items()}
    energy: dict[str, Value] = dict(static_pj)
    for (component, action), count in estimate.actions.items():
        part = count * energies.action_pj[component, action]
        energy[component] = energy[component] + part if component in energy else part
    shape = np.broadcast_shapes(np.shape(latency), *(np.shape(e) for e in energy.values()))
    resources = {r: t for stage in estimate.stages for r, t in stage.resources.items()}
    return CostTable(
        latency_s=np.broadcast_to(latency, shape),
        resource_names=tuple(resources),
        resource_s=resources,
        stage_of={r: stage.name for stage in estimate.stages for r in stage.resources},
        stages=estimate.stages,
        stage_s={stage.name: s for stage, s in zip(estimate.stages, stage_s, strict=True)},
        energy_pj={name: np.broadcast_to(value, shape) for name, value in energy.items()},
        static_pj=static_pj,
        action_counts=estimate.actions,
        utilization=estimate.utilization,
        columns=estimate.columns,
        labels=estimate.labels,
        limits=estimate.limits,
    )
