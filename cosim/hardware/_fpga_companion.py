"""The processor beside an FPGA engine: it runs the layers that the engine leaves."""

from __future__ import annotations

import numpy as np

from cosim.components import companion as inner
from cosim.components.estimate import EnergyTable, Estimate, Stage
from cosim.components.params import Params
from cosim.components.tiling import Tilings
from cosim.hardware.base import model_of
from cosim.ir.batch import LayerBatch, Mask


def leftover(layers: LayerBatch, params: Params, kept: Mask) -> Estimate | None:
    """The companion's estimate of what the engine leaves, nothing for the rest."""
    part = params.parts.get("companion")
    if part is None:
        return None
    _, found = _seen(layers, part, kept)
    left = 1.0 - kept
    return Estimate(
        stages=tuple(
            Stage(
                stage.name,
                {name: np.multiply(seconds, left) for name, seconds in stage.resources.items()},
            )
            for stage in found.stages
        ),
        actions={action: np.multiply(count, left) for action, count in found.actions.items()},
        utilization=found.utilization,
    )


def leftover_tilings(layers: LayerBatch, params: Params, kept: Mask, own: Tilings) -> Tilings:
    """The engine's tilings with those of its companion."""
    part = params.parts.get("companion")
    if part is None:
        return own
    model = model_of(part.kind)
    seen, found = _seen(layers, part, kept)
    return own.with_companion(
        model.tilings(seen, part, inner.default_plan(seen, model.choices), found), inner.PREFIX
    )


def _seen(layers: LayerBatch, part: Params, kept: Mask) -> tuple[LayerBatch, Estimate]:
    """What the companion is given, and its estimate."""
    nothing = np.zeros(layers.size)
    model = model_of(part.kind)
    seen = inner.companion_layers(layers, kept, nothing, nothing, nothing)
    return seen, model.estimate(seen, part, inner.default_plan(seen, model.choices))


def with_companion(table: EnergyTable, params: Params) -> EnergyTable:
    """The engine's energies and those of its companion, if it names one."""
    part = params.parts.get("companion")
    if part is None:
        return table
    actions, static = inner.prefixed_energies(model_of(part.kind).energies(part))
    return EnergyTable({**table.action_pj, **actions}, {**table.static_mw, **static})
