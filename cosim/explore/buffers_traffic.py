"""Bits read and written in every memory of a machine, and what that wears, forgets and costs to keep."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cosim.components.memory import is_multi_level
from cosim.explore.buffers_content import component_of, cost_of
from cosim.hardware.load import Machine
from cosim.ir.batch import LayerBatch
from cosim.ir.workload import Workload
from cosim.noise.lifetime import SECONDS_A_YEAR, lifetime_s, rewrites_per_inference, upkeep
from cosim.noise.placement import levels


@dataclass(frozen=True)
class LevelTraffic:
    """One memory on one network, an inference; None where the machine's file or the record does not say."""

    workload: str
    memory: str
    technology: str
    read_bytes: float
    written_bytes: float
    capacity_bytes: float | None
    rewrites_per_inference: float | None
    lifetime_years: float | None
    upkeep_mw: float | None


def level_traffic(machine: Machine, network: Workload) -> list[LevelTraffic]:
    """Traffic of every memory that states a technology; wear for those that name a record.

    Raises ``InfeasibleError`` where a layer does not fit.
    """
    layers, params = LayerBatch.from_layers(network.layers), machine.params
    cost, _ = cost_of(machine, params, layers)
    inference_s = float(np.broadcast_to(cost.latency_s, (layers.size,)).sum())
    rows = []
    for path, level in levels(params).items():
        component = component_of(path)
        bits = {"read": 0.0, "write": 0.0}
        word = 2.0 if is_multi_level(params, path) else float(np.ravel(params[f"{path}.word_bits"])[0])
        for (name, action), count in cost.action_counts.items():
            if name == component and action.split("_")[0] in bits:
                bits[action.split("_")[0]] += float(np.broadcast_to(count, (layers.size,)).sum()) * word
        capacity = (
            float(np.ravel(params[f"{path}.capacity_bytes"])[0])
            if params.has(f"{path}.capacity_bytes")
            else None
        )
        rewrites = None if capacity is None else rewrites_per_inference(bits["write"], capacity * 8.0)
        record, years, power = level.record, None, None
        if record is not None and capacity is not None and rewrites is not None:
            if record.reliability.endurance_writes is not None:
                seconds = lifetime_s(float(record.reliability.endurance_writes), rewrites, inference_s)
                years = seconds / SECONDS_A_YEAR if math.isfinite(seconds) else None
            banks = float(np.ravel(params[f"{path}.banks"])[0])
            keep = upkeep(record, capacity / banks)
            power = 0.0 if keep is None else keep.power_mw * banks
        rows.append(
            LevelTraffic(
                network.name,
                path,
                level.technology,
                bits["read"] / 8,
                bits["write"] / 8,
                capacity,
                rewrites,
                years,
                power,
            )
        )
    return rows
