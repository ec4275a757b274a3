"""The vectorised path: design points times layers a second, against evaluating the points one by one."""

from __future__ import annotations

import time

import numpy as np

from cosim.components.estimate import price
from cosim.engine import evaluate_points, load_arch, load_workload
from cosim.hardware.load import Machine
from cosim.ir.batch import Array, LayerBatch
from cosim.ir.bench_row import BenchRow
from cosim.mapping.plan import make_plan

POINTS = 100_000
LAYERS = 100
ONE_BY_ONE = 200

# Machine file and the parameters that are swept together, each by factors of 0.5 to 2.
SWEPT = {
    "optical4f": (
        "optical4f",
        ("plane.columns", "input.frame_s", "camera.rate_px_per_s", "converters.adc_pj", "detector.electrons"),
    ),
    "systolic": (
        "systolic_128",
        (
            "array.rows",
            "array.cols",
            "array.clock_hz",
            "dram.bandwidth_bytes_per_s",
            "buffers.filter.capacity_bytes",
        ),
    ),
    "simd_cpu": (
        "cpu_zen4",
        ("core.clock_hz", "memory.core_bytes_per_s", "caches.l2_bytes", "energy.dram_pj_per_byte"),
    ),
    "gpu": (
        "gpu_rtx3090",
        ("multiprocessors.count", "clock.boost_hz", "memory.dram_bytes_per_s", "memory.l2_bytes_per_s"),
    ),
}


def _swept(machine: Machine, paths: tuple[str, ...], points: int) -> dict[str, Array]:
    """Columns of independent factors, rounded where the parameter is a whole number."""
    rng = np.random.default_rng(0)
    columns = {}
    for path in paths:
        base = float(np.max(machine.params[path]))
        values = base * 2.0 ** rng.uniform(-1.0, 1.0, points)
        columns[path] = np.maximum(1.0, np.round(values)) if base == int(base) and base < 1e7 else values
    return columns


def _layers(count: int) -> LayerBatch:
    """``count`` layers of ResNet-50 and ViT-B/16 in turn: convolutions, matrix products and vector layers."""
    pool = [*load_workload("resnet50").layers, *load_workload("vit").layers]
    step = max(1, len(pool) // count)
    return LayerBatch.from_layers(pool[::step][:count])


def measure(kind: str, points: int = POINTS, layers: int = LAYERS) -> BenchRow:
    """Layer evaluations a second of CPU time on one core; the ratio is to one point at a time."""
    name, paths = SWEPT[kind]
    machine: Machine = load_arch(name)
    batch = _layers(layers)
    columns = _swept(machine, paths, points)
    plan = make_plan(batch, machine.model.choices)

    start = time.process_time()
    latency = 0.0
    distinct = 0
    for chunk in evaluate_points(machine.model, batch, machine.params, columns, plan):
        latency += float(chunk.latency_s.sum()) + float(chunk.energy_j.sum())
        distinct = chunk.layers.size
    vectorised = time.process_time() - start

    start = time.process_time()
    alone = min(ONE_BY_ONE, points)
    for point in range(alone):
        params = machine.params.with_values({path: float(values[point]) for path, values in columns.items()})
        cost = price(machine.model.estimate(batch, params, plan), machine.model.energies(params))
        latency += float(cost.latency_s.sum()) + float(cost.total_energy_pj.sum())
    one_by_one = (time.process_time() - start) / alone
    if not np.isfinite(latency):
        raise ArithmeticError(f"benchmark estimate_{kind}: costs are not finite")
    rate = points * batch.size / vectorised
    return BenchRow(
        f"estimate_{kind}",
        rate / 1e6,
        "million layer evaluations / s of CPU",
        one_by_one / (vectorised / points),
        f"one design point at a time ({points:,} points x {batch.size} layers, {distinct} of them distinct)",
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
