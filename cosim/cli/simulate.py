"""``cosim run --simulate``: the event simulation of a result, and its timeline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cosim.results.result import Result
    from cosim.sim.report import Simulation

TRACE_CAP = 200_000


def simulate_result(
    result: Result, images: int, in_flight: int, max_tiles: int, trace: Path | None
) -> tuple[Simulation, tuple[Path, ...]]:
    """Simulate the layers of ``result``; with ``trace``, also write its timeline (capped, with a notice)."""
    from cosim.sim.events import Options
    from cosim.sim.program import program_of
    from cosim.sim.report import simulation

    if trace is not None and not trace.name.endswith((".json", ".json.gz")):
        raise click.BadParameter(f"--trace: found {trace.name!r}, allowed a name ending in .json or .json.gz")
    names = tuple(layer.name for layer in result.workload.layers)
    program = program_of(result.workload.name, names, result.cost, max_tiles)
    keep = TRACE_CAP if trace is not None else 0
    found = simulation(program, Options(images=images, in_flight=in_flight, keep=keep))
    if trace is None:
        return found, ()
    from cosim.sim.timeline import write_trace

    power = tuple(row["energy_j"] / row["latency_s"] if row["latency_s"] else 0.0 for row in result.layers)
    write_trace(trace, found, result.machine, names, power)
    if found.result.dropped:
        click.echo(
            f"{trace}: the first {TRACE_CAP:,} intervals; {found.result.dropped:,} more left out", err=True
        )
    return found, (trace,)
