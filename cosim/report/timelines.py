"""Timelines of a comparison: one image of one network on every machine, as the event simulation runs it."""

from __future__ import annotations

from collections.abc import Sequence

from cosim.engine import lay_out
from cosim.hardware.load import Machine
from cosim.ir.workload import Workload
from cosim.report.document import FigureView, figure
from cosim.report.gantt import gantt, gantt_frame
from cosim.results.comparison import Comparison
from cosim.results.text import si
from cosim.sim.build import program_of
from cosim.sim.events import Job, Options
from cosim.sim.report import Simulation, simulation
from cosim.sim.timeline import fitting

# Intervals of a drawing, and how close stretches are joined: both keep a page with five machines small.
KEPT, MERGE = 20_000, 1 / 300


def timelines(
    comparison: Comparison, machines: Sequence[Machine], networks: Sequence[Workload]
) -> dict[str, FigureView]:
    """A figure for each machine, of the smallest network that every machine ran, or else of one that most ran.

    ``networks`` are those of the comparison, with their batch.
    """
    ran = {n.name: sum((m.name, n.name) in comparison.results for m in machines) for n in networks}
    if not any(ran.values()):
        return {}
    chosen = min(
        (n for n in networks if ran[n.name] == max(ran.values())), key=lambda network: len(network.layers)
    )
    found = {}
    for machine in machines:
        if (machine.name, chosen.name) in comparison.results:
            found[machine.name] = timeline(
                Job(program_of(lay_out(machine, chosen))), machine.name, chosen.name
            )
    return found


def timeline(job: Job, machine: str, network: str) -> FigureView:
    """The figure of one job, with what its simulation says against the closed form."""
    done = simulation(job)
    shown, joined = fitting([job], KEPT)
    frame = gantt_frame(simulation(shown, Options(keep=KEPT)), MERGE)
    caption = (
        f"Event simulation of {network} on {machine}: {si(done.result.makespan_s, 's')}, {done.ratio:.4g} times the "
        f"closed form ({si(done.analytic_s, 's')}); {_busiest(done)}."
    )
    if joined:
        caption += f" Drawn with tiles joined to at most {joined} a stage."
    return figure(
        f"timeline-{machine}",
        caption,
        frame,
        lambda axes, marks: gantt(frame, axes, marks),
        height=1.1 + 0.27 * frame["unit"].nunique(),
    )


def _busiest(done: Simulation) -> str:
    busy = done.result.busy_s
    unit = max(busy, key=lambda name: busy[name])
    text = f"busiest unit {unit}, {busy[unit] / done.result.makespan_s:.0%} of the time"
    starved = done.result.by_unit("starved")[unit]
    if starved > 0.001 * done.result.makespan_s:
        text += f", which waits {starved / done.result.makespan_s:.1%} of it for tiles"
    return text
