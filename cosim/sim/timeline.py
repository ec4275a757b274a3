"""Timelines: Chrome trace events that Perfetto opens.

Format: Google, "Trace Event Format" (2016); times in microseconds, one process for each device, one thread for each of
its units, a counter track for each quantity of :mod:`cosim.sim.counters`.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cosim.sim.counters import counters
from cosim.sim.events import Job
from cosim.sim.report import Simulation

# Tiles of a stage that joining for a timeline starts and ends with.
FINEST, COARSEST = 4096, 4


def fitting(jobs: Sequence[Job], most: int) -> tuple[tuple[Job, ...], int | None]:
    """The jobs with their tiles joined so far that at most ``most`` intervals show all of them.

    Returns them with the most tiles of a stage, None where nothing had to be joined; the coarsest if nothing fits.
    """
    if sum(job.program.services * job.images for job in jobs) <= most:
        return tuple(jobs), None
    joined, tiles = tuple(jobs), FINEST
    while tiles >= COARSEST:
        joined = tuple(replace(job, program=job.program.joined(tiles)) for job in jobs)
        if sum(job.program.services * job.images for job in joined) <= most:
            break
        tiles //= 2
    return joined, max(tiles, COARSEST)


def trace_events(found: Simulation) -> Iterator[dict[str, Any]]:
    """Metadata, one complete event for every interval, and the counters."""
    programs = [job.program for job in found.jobs]
    units = {name: unit for program in programs for name, unit in program.units.items()}
    devices = list(dict.fromkeys(unit.device for unit in units.values()))
    for number, device in enumerate(devices, start=1):
        yield {"ph": "M", "pid": number, "name": "process_name", "args": {"name": device}}
    place: dict[str, tuple[int, int]] = {}
    for thread, (name, unit) in enumerate(units.items(), start=1):
        process = devices.index(unit.device) + 1
        place[name] = process, thread
        for what, value in (("thread_name", {"name": name}), ("thread_sort_index", {"sort_index": thread})):
            yield {"ph": "M", "pid": process, "tid": thread, "name": what, "args": value}
    for span in found.result.intervals:
        process, thread = place[span.unit]
        layer = programs[span.job].layers[span.layer]
        yield {
            "ph": "X",
            "pid": process,
            "tid": thread,
            "name": layer.name,
            "cat": span.stage,
            "ts": span.start_s * 1e6,
            "dur": (span.end_s - span.start_s) * 1e6,
            "args": {
                "network": programs[span.job].name,
                "image": span.image,
                "stage": span.stage,
                "tile": span.tile,
            },
        }
    for counter in counters(found.result, programs):
        process = devices.index(counter.device) + 1 if counter.device in devices else 1
        for time_s, value in zip(counter.times_s.tolist(), counter.values.tolist(), strict=True):
            yield {
                "ph": "C",
                "pid": process,
                "name": f"{counter.name} [{counter.unit}]",
                "ts": time_s * 1e6,
                "args": {counter.unit: value},
            }


def write_trace(path: Path, found: Simulation) -> int:
    """Write the trace (gzip if the name ends in .gz) and return the number of events.

    The gzip header carries no time, so equal runs give equal files.
    """
    events = list(trace_events(found))
    text = json.dumps({"traceEvents": events, "displayTimeUnit": "ns"}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
    return len(events)
