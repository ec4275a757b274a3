"""The vectorised path: design points times layers a second, against evaluating the points one by one."""

from __future__ import annotations

import time

import numpy as np

from cosim.components.estimate import price
from cosim.engine import evaluate_points, load_arch, load_workload
from cosim.hardware.load import Machine
from cosim.ir.batch import LayerBatch
from cosim.ir.bench_row import BenchRow
from cosim.mapping.plan import make_plan

POINTS = 100_000
LAYERS = 100
ONE_BY_ONE = 200

# Machine file and the parameter that is swept; any positive factor of it is a legal design.
SWEPT = {
    "optical4f": ("optical4f", "modulator.frame_rate_hz"),
    "systolic": ("systolic_128", "array.clock_hz"),
    "simd_cpu": ("cpu_zen4", "core.clock_hz"),
    "gpu": ("gpu_rtx3090", "memory.bandwidth_bytes_per_s"),
}


def _layers(count: int) -> LayerBatch:
    """``count`` layers of ResNet-50 and ViT-B/16 in turn: convolutions, matrix products and vector layers."""
    pool = [*load_workload("resnet50").layers, *load_workload("vit").layers]
    step = max(1, len(pool) // count)
    return LayerBatch.from_layers(pool[::step][:count])


def measure(kind: str, points: int = POINTS, layers: int = LAYERS) -> BenchRow:
    """Layer evaluations a second of CPU time on one core; the ratio is to one point at a time."""
    name, path = SWEPT[kind]
    machine: Machine = load_arch(name)
    batch = _layers(layers)
    base = float(np.max(machine.params[path]))
    values = base * np.linspace(0.5, 2.0, points)
    plan = make_plan(batch, machine.model.choices)

    start = time.process_time()
    latency = 0.0
    for chunk in evaluate_points(machine.model, batch, machine.params, {path: values}, plan):
        latency += float(chunk.cost.latency_s.sum()) + float(chunk.cost.total_energy_pj.sum())
    vectorised = time.process_time() - start

    start = time.process_time()
    for value in values[:: points // ONE_BY_ONE][:ONE_BY_ONE]:
        params = machine.params.with_values({path: float(value)})
        cost = price(machine.model.estimate(batch, params, plan), machine.model.energies(params))
        latency += float(cost.latency_s.sum()) + float(cost.total_energy_pj.sum())
    one_by_one = (time.process_time() - start) / ONE_BY_ONE
    if not np.isfinite(latency):
        raise ArithmeticError(f"benchmark estimate_{kind}: costs are not finite")
    rate = points * batch.size / vectorised
    return BenchRow(
        f"estimate_{kind}",
        rate / 1e6,
        "million layer evaluations / s of CPU",
        one_by_one / (vectorised / points),
        f"one design point at a time ({points:,} points x {batch.size} layers)",
    )


def optical4f() -> BenchRow:
    """The optical machine."""
    return measure("optical4f")


def systolic() -> BenchRow:
    """The systolic array."""
    return measure("systolic")


def simd_cpu() -> BenchRow:
    """The SIMD CPU."""
    return measure("simd_cpu")


def gpu() -> BenchRow:
    """The GPU."""
    return measure("gpu")
