"""Quantities over time from intervals: bandwidth of memories, tiles in buffers, power, busy units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.sim.program import Program, StageRun
from cosim.sim.record import Interval, SimResult

STEPS = 512
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Counter:
    """A quantity of a device over time: ``values`` hold from ``times_s`` on, until the next."""

    device: str
    name: str
    unit: str
    times_s: Floats
    values: Floats


def counters(result: SimResult, programs: Sequence[Program]) -> Iterator[Counter]:
    """Every counter that the intervals of ``result`` allow."""
    spans = result.intervals
    if not spans:
        return
    devices = {name: unit for program in programs for name, unit in program.units.items()}
    end = max(span.end_s for span in spans)
    edges = np.linspace(0.0, end, STEPS + 1)
    rates = _rates(programs)
    for name, unit in devices.items():
        own = [span for span in spans if span.unit == name]
        weights = [rates.get((s.job, s.layer, s.stage, s.unit), 0.0) for s in own]
        if unit.memory and any(weights):
            mean = _mean_over(edges, own, np.array(weights))
            yield Counter(unit.device, f"{name} traffic", "GB/s", edges[:-1], mean / 1e9)
    yield from _buffers(spans, programs)
    for device in dict.fromkeys(unit.device for unit in devices.values()):
        own = [span for span in spans if devices[span.unit].device == device]
        yield Counter(device, "units at work", "1", edges[:-1], _mean_over(edges, own, np.ones(len(own))))
    yield from _power(result, programs)


def _rates(programs: Sequence[Program]) -> dict[tuple[int, int, str, str], float]:
    """Bytes a second of every outer memory, by (job, layer, stage, unit)."""
    found = {}
    for job, program in enumerate(programs):
        for layer in program.layers:
            for stage, _ in layer.all_stages():
                for unit in stage.units:
                    if stage.bytes_per_s and program.units[unit].memory:
                        found[job, layer.number, stage.name, unit] = stage.bytes_per_s
    return found


def _mean_over(edges: Floats, spans: Sequence[Interval], weights: Floats) -> Floats:
    """Mean over each step of the sum of the weights of whatever is at work, exactly."""
    if not spans:
        return np.zeros(edges.size - 1)
    starts = np.array([span.start_s for span in spans])
    ends = np.array([span.end_s for span in spans])
    total = _integral(edges, starts, weights) - _integral(edges, ends, weights)
    width = np.diff(edges)
    return np.asarray(np.diff(total) / np.where(width > 0, width, 1.0))


def _integral(edges: Floats, at: Floats, weights: Floats) -> Floats:
    """Integral from 0 to each edge of a step function that rises by ``weights`` at the times ``at``."""
    order = np.argsort(at, kind="stable")
    times, rise = at[order], weights[order]
    height, moment = np.cumsum(rise), np.cumsum(rise * times)
    place = np.searchsorted(times, edges, side="right")
    height, moment = np.concatenate([[0.0], height]), np.concatenate([[0.0], moment])
    return np.asarray(height[place] * edges - moment[place])


def _buffers(spans: Sequence[Interval], programs: Sequence[Program]) -> Iterator[Counter]:
    """Tiles between two units of a stage: from the start on the first to the end on the second."""
    stages = {
        (job, layer.number, stage.name): stage
        for job, program in enumerate(programs)
        for layer in program.layers
        for stage, _ in layer.all_stages()
    }
    changes: dict[tuple[str, str, str], list[tuple[float, int]]] = {}
    for span in spans:
        stage: StageRun = stages[span.job, span.layer, span.stage]
        program = programs[span.job]
        place = stage.units.index(span.unit)
        device = program.units[span.unit].device
        if place + 1 < len(stage.units):
            key = device, span.unit, stage.units[place + 1]
            changes.setdefault(key, []).append((span.start_s, 1))
        if place > 0:
            key = device, stage.units[place - 1], span.unit
            changes.setdefault(key, []).append((span.end_s, -1))
    for (device, first, second), steps in sorted(changes.items()):
        ordered = np.array(sorted(steps))
        held = np.maximum(np.cumsum(ordered[:, 1]), 0.0)
        last = np.concatenate([np.diff(ordered[:, 0]) > 0, [True]])
        times, held = ordered[last, 0], held[last]
        thin = max(1, times.size // STEPS)
        yield Counter(device, f"tiles between {first} and {second}", "tiles", times[::thin], held[::thin])


def _power(result: SimResult, programs: Sequence[Program]) -> Iterator[Counter]:
    """Mean power of each layer while it runs, of the first image."""
    for job, program in enumerate(programs):
        edges: list[tuple[float, float]] = []
        device = program.layers[0].device if program.layers else program.name
        for layer in program.layers:
            span = result.layer_s.get((job, layer.number))
            if span:
                edges += [(span[0], layer.power_w), (span[1], -layer.power_w)]
        if edges:
            ordered = np.array(sorted(edges))
            yield Counter(device, "power, mean of a layer", "W", ordered[:, 0], np.cumsum(ordered[:, 1]))
