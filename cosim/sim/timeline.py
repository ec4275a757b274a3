"""Timelines: Chrome trace events that Perfetto opens, and the figures' interval table.

Format: Google, "Trace Event Format" (2016); times in microseconds, one process per device, one thread per unit.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cosim.sim.events import Interval
from cosim.sim.report import Simulation

COMPANION = "companion."
COUNTER_STEPS = 512


def device_of(unit: str, machine: str) -> str:
    """The device that a unit belongs to: the machine or its companion."""
    return f"{machine} companion" if unit.startswith(COMPANION) else machine


def trace_events(
    found: Simulation, machine: str, layers: tuple[str, ...], power_w: tuple[float, ...]
) -> Iterator[dict[str, Any]]:
    """Metadata, one complete event for every interval, and counters of busy units and power over time.

    ``power_w`` is the mean power of every layer while it runs.
    """
    units = list(found.result.busy_s)
    devices = list(dict.fromkeys(device_of(unit, machine) for unit in units))
    for number, device in enumerate(devices, start=1):
        yield {"ph": "M", "pid": number, "name": "process_name", "args": {"name": device}}
    place = {unit: (devices.index(device_of(unit, machine)) + 1, i + 1) for i, unit in enumerate(units)}
    for unit, (process, thread) in place.items():
        yield {"ph": "M", "pid": process, "tid": thread, "name": "thread_name", "args": {"name": unit}}
    for span in found.result.intervals:
        process, thread = place[span.unit]
        yield {
            "ph": "X",
            "pid": process,
            "tid": thread,
            "name": layers[span.layer],
            "cat": span.stage,
            "ts": span.start_s * 1e6,
            "dur": (span.end_s - span.start_s) * 1e6,
            "args": {"image": span.image, "stage": span.stage},
        }
    yield from _busy_counters(found.result.intervals)
    for layer, (start, end) in sorted(found.result.layer_s.items()):
        yield {"ph": "C", "pid": 1, "name": "power [W]", "ts": start * 1e6, "args": {"W": power_w[layer]}}
        yield {"ph": "C", "pid": 1, "name": "power [W]", "ts": end * 1e6, "args": {"W": 0.0}}


def _busy_counters(intervals: list[Interval]) -> Iterator[dict[str, Any]]:
    """Units at work over time, at most ``COUNTER_STEPS`` samples."""
    edges = sorted([(i.start_s, 1) for i in intervals] + [(i.end_s, -1) for i in intervals])
    step = max(1, len(edges) // COUNTER_STEPS)
    busy = 0
    for number, (time_s, change) in enumerate(edges):
        busy += change
        if number % step == 0 or number == len(edges) - 1:
            yield {"ph": "C", "pid": 1, "name": "units at work", "ts": time_s * 1e6, "args": {"units": busy}}


def write_trace(
    path: Path, found: Simulation, machine: str, layers: tuple[str, ...], power_w: tuple[float, ...]
) -> int:
    """Write the trace (gzip if the name ends in .gz) and return the number of events.

    The gzip header carries no time, so equal runs give equal files.
    """
    events = list(trace_events(found, machine, layers, power_w))
    text = json.dumps({"traceEvents": events, "displayTimeUnit": "ns"}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
    return len(events)
