"""The event simulation on the command line: its options, its files, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cosim.cli.quantity import quantity

if TYPE_CHECKING:
    from rich.table import Table

    from cosim.sim.events import Options
    from cosim.sim.report import Simulation
    from cosim.sim.server import Refresh

TRACE_CAP = 200_000
SHOWN_LAYERS = 5
NEGLIGIBLE = 1e-6

_NAMES = (
    *("images", "in_flight", "order", "buffers", "arbitration", "refresh", "channels", "max_tiles"),
    *("contention", "shortcuts"),
)
Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--images", default=1, show_default=True, type=click.IntRange(min=1), help="Passes to simulate."
    ),
    click.option(
        "--in-flight", default=1, show_default=True, type=click.IntRange(min=1), help="Passes at once."
    ),
    click.option(
        "--order",
        default="serial",
        show_default=True,
        type=click.Choice(("serial", "dataflow")),
        help="Layers one after another, or each as soon as its inputs are there.",
    ),
    click.option(
        "--buffers", metavar="TILES", type=click.IntRange(min=1), help="Tiles of buffer between units (2 by default)."
    ),
    click.option(
        "--arbitration",
        default="fcfs",
        show_default=True,
        type=click.Choice(("fcfs", "round_robin", "priority")),
        help="Who is served next where machines compete.",
    ),
    click.option(
        "--refresh",
        metavar="DEVICE|INTERVAL,DURATION",
        help='Refresh of the outer memory, e.g. "DDR4-2400R 8Gb x8" or "3.9 us,350 ns".'
    ),
    click.option(
        "--channels", default=1, show_default=True, type=click.IntRange(min=1), help="Channels that refresh in turn."
    ),
    click.option(
        "--max-tiles",
        default=128,
        show_default=True,
        type=click.IntRange(min=1),
        help="Most tiles of a stage where stages compete; neighbours are joined.",
    ),
    click.option("--contention/--no-contention", default=True, help="Without, units are neither shared nor chained."),
    click.option("--shortcuts/--no-shortcuts", default=True, help="Without, every tile of every image is an event."),
)  # fmt: skip


def refuse_unused(context: click.Context) -> None:
    """Options of the simulation without a simulation are a mistake, not to be ignored."""
    given = [
        f"--{name.replace('_', '-')}"
        for name in _NAMES
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(
            f"{', '.join(given)}: found no simulation, allowed with --simulate, --trace or --gantt"
        )


def simulation_options(command: Command) -> Command:
    """Decorator: the options of the event simulation."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def chosen_options(values: dict[str, Any]) -> Options:
    """The simulation's options from those of the command line; takes them out of ``values``."""
    from cosim.sim.events import Options

    return Options(
        room=values.pop("buffers"),
        most_tiles=values.pop("max_tiles"),
        order=values.pop("order"),
        arbitration=values.pop("arbitration"),
        refresh=_refresh(values.pop("refresh"), values.pop("channels")),
        contention=values.pop("contention"),
        shortcuts=values.pop("shortcuts"),
    )


def _refresh(text: str | None, channels: int) -> Refresh | None:
    from cosim.sim.server import Refresh

    if text is None:
        if channels > 1:
            raise click.BadParameter("--channels: found no --refresh, allowed with one")
        return None
    interval, comma, duration = text.partition(",")
    if comma:
        times = [quantity(part.strip(), "s", "--refresh") for part in (interval, duration)]
    else:
        times = _device_refresh_s(text)
    try:
        return Refresh(times[0], times[1], channels)
    except ValueError as error:
        raise click.BadParameter(f"--{error}") from None


def _device_refresh_s(device: str) -> list[float]:
    """Interval and duration of a DRAM device by name (``cosim list dram``)."""
    from cosim.components.dram_timing import DramError, refresh_of

    try:
        return [time_ns * 1e-9 for time_ns in refresh_of(device)]
    except DramError as error:
        raise click.BadParameter(
            f'--refresh: found neither an interval and a duration, as in "3.9 us,350 ns", nor a DRAM device; {error}'
        ) from None


def check_names(trace: Path | None, gantt: Path | None) -> None:
    """Refuse endings that nothing is written for."""
    if trace is not None and not trace.name.endswith((".json", ".json.gz")):
        raise click.BadParameter(f"--trace: found {trace.name!r}, allowed a name ending in .json or .json.gz")
    if gantt is not None and gantt.suffix not in (".svg", ".png", ".pdf"):
        raise click.BadParameter(f"--gantt: found the ending {gantt.suffix!r}, allowed .svg, .png, .pdf")


def write_timelines(found: Simulation, trace: Path | None, gantt: Path | None) -> tuple[Path, ...]:
    """Write the files that were asked for; a run too long for them is shown with joined tiles, which is said."""
    if trace is None and gantt is None:
        return ()
    from dataclasses import replace

    from cosim.sim.report import simulation
    from cosim.sim.timeline import fitting, write_trace

    jobs, joined = fitting(found.jobs, TRACE_CAP)
    shown = simulation(jobs, replace(found.options, keep=TRACE_CAP))
    written: tuple[Path, ...] = ()
    if trace is not None:
        write_trace(trace, shown)
        written += (trace,)
    if gantt is not None:
        from cosim.report.gantt import gantt_figure, gantt_frame
        from cosim.report.style import save_with_csv

        frame = gantt_frame(shown)
        written += save_with_csv(gantt_figure(frame), frame, gantt)
    if joined:
        click.echo(f"{written[0]}: tiles joined to at most {joined} a stage, to show the whole run", err=True)
    if shown.result.dropped:
        click.echo(
            f"{written[0]}: the first {len(shown.result.intervals):,} intervals; "
            f"{shown.result.dropped:,} more left out",
            err=True,
        )
    return written


def show_simulation(found: Simulation) -> None:
    """Closed form, event simulation and serial sum side by side, what waited, and where the difference is."""
    from cosim.cli import render

    console = render.console()
    data = found.to_json()
    for job in data["jobs"]:
        rhythm = f", one every {render.si(job['interval_s'], 's')}" if job["interval_s"] else ""
        console.print(f"{job['name']}: {job['images']:,} image(s), {job['in_flight']} in flight{rhythm}")
    parts = [
        f"event simulation {render.si(data['event_s'], 's')}",
        f"{data['ratio']:.4g} x the closed form ({render.si(data['analytic_s'], 's')})",
        f"serial sum {render.si(data['serial_s'], 's')}",
    ]
    if data["joined_error_s"] > NEGLIGIBLE * data["event_s"]:
        parts.append(f"joined tiles add {render.si(data['joined_error_s'], 's')} to the stages on their own")
    console.print("; ".join(parts))
    console.print()
    console.print(_unit_table(data, found.in_order))
    rows = [row for row in data["layers"] if row["event_s"] > row["analytic_s"]][:SHOWN_LAYERS]
    if rows:
        console.print()
        console.print("layers furthest above the closed form")
        for row in rows:
            console.print(
                f"  {row['layer']}: +{render.si(row['event_s'] - row['analytic_s'], 's')} "
                f"({row['event_s'] / row['analytic_s']:.3f} x), {_reason(row)}"
            )


def _unit_table(data: dict[str, Any], in_order: bool) -> Table:
    """Units with their work; what they waited for where layers follow one another, else how many tiles queued."""
    from rich.table import Table

    from cosim.cli import render

    table = Table(box=None, pad_edge=False)
    table.add_column("unit")
    waits = [("starved_s", "no tile"), ("blocked_s", "no room"), ("refreshing_s", "refresh")]
    columns = waits if in_order else [*waits[2:], ("queued_s", "tiles in its queue")]
    shown = [(key, title) for key, title in columns if data[key] or key == "queued_s"]
    for title in ("works", "of the time", *(title for _, title in shown)):
        table.add_column(title, justify="right")
    for unit, busy in data["busy_s"].items():
        cells = []
        for key, _ in shown:
            value = data[key].get(unit, 0.0)
            cells.append(
                f"{value / data['event_s']:.2f}"
                if key == "queued_s"
                else render.si(value, "s")
                if value
                else ""
            )
        table.add_row(unit, render.si(busy, "s"), f"{busy / data['event_s']:.1%}", *cells)
    return table


def _reason(row: dict[str, Any]) -> str:
    words = {
        "queued": "tiles queued for {}",
        "starved": "{} waited for tiles",
        "blocked": "{} waited for room",
        "refreshing": "{} waited for refresh",
        "filled": "the pipeline behind {} filled and drained",
    }
    return words[row["reason"]].format(row["unit"])
