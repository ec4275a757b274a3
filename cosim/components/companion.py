"""An electronic machine inside another one: what it is given, and how its estimate joins.

The host machine keeps some layers for itself and leaves the rest to its companion. On the layers it keeps, the
companion may still have to add something up (partial sums, sign passes); that work reaches it as an elementwise
layer, so that nothing electronic is free.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cosim.components.estimate import Action, EnergyTable, Estimate, Stage
from cosim.components.params import Value
from cosim.ir.batch import Array, LayerBatch, Mask
from cosim.ir.ops import OpClass
from cosim.mapping.plan import Choices, Plan

PREFIX = "companion."


def default_plan(layers: LayerBatch, choices: Choices) -> Plan:
    """Every choice of the companion at its default."""
    return Plan({name: np.zeros(layers.size, dtype=np.int64) for name in choices}, choices)


def companion_layers(
    layers: LayerBatch, kept: Mask, added_ops: Array, read_elems: Array, written_elems: Array
) -> LayerBatch:
    """The layers as the companion sees them.

    Where ``kept`` holds, the host computes the layer and the companion an elementwise one of ``added_ops``
    operations that reads ``read_elems`` and writes ``written_elems``; elsewhere it computes the layer itself.
    Arrays of shape (L,) or (points, L).
    """
    ones: dict[str, Any] = {name: np.where(kept, 1.0, getattr(layers, name)) for name in "NGKCPQRSHW"}
    zeros: dict[str, Any] = {
        name: np.where(kept, 0.0, getattr(layers, name))
        for name in ("gemm_g", "gemm_m", "gemm_n", "gemm_k", "macs", "w_elems", "special_ops")
    }
    return replace(
        layers,
        ops=tuple("add" if k else op for op, k in zip(layers.ops, kept, strict=True)),
        op_class=np.where(kept, int(OpClass.ELEMENTWISE), layers.op_class),
        is_mac=layers.is_mac & ~kept,
        x_elems=np.where(kept, read_elems, layers.x_elems),
        y_elems=np.where(kept, written_elems, layers.y_elems),
        simple_ops=np.where(kept, added_ops, layers.simple_ops),
        **ones,
        **zeros,
    )


def prefixed_stages(estimate: Estimate) -> tuple[Stage, ...]:
    """The companion's stages under its prefix; they follow those of the host."""
    return tuple(
        Stage(PREFIX + stage.name, {PREFIX + name: busy for name, busy in stage.resources.items()})
        for stage in estimate.stages
    )


def prefixed_actions(estimate: Estimate) -> dict[Action, Any]:
    """The companion's actions under its prefix."""
    return {(PREFIX + component, action): n for (component, action), n in estimate.actions.items()}


def prefixed_energies(table: EnergyTable) -> tuple[dict[Action, Value], dict[str, Value]]:
    """The companion's energies per action and static power under its prefix."""
    actions = {(PREFIX + component, action): pj for (component, action), pj in table.action_pj.items()}
    return actions, {PREFIX + component: mw for component, mw in table.static_mw.items()}


def latency_s(stages: tuple[Stage, ...]) -> Array:
    """Stages add, resources of a stage overlap."""
    total: Array = np.zeros(())
    for stage in stages:
        values = iter(stage.resources.values())
        longest: Any = next(values)
        for busy in values:
            longest = np.maximum(longest, busy)
        total = total + longest
    return total
