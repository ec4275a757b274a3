"""``cosim sensitivity``: what the uncertainty of a machine's parameters does to its result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cosim.cli.run import parse_settings

if TYPE_CHECKING:
    from cosim.explore.sensitivity import Sensitivity


@click.command("sensitivity")
@click.argument("arch")
@click.argument("workload")
@click.option("--baseline", metavar="ARCH", help="Machine to compare with; the result is the ratio to it.")
@click.option("--batch", default=1, show_default=True, type=click.IntRange(min=1), help="Images at once.")
@click.option(
    "--metric",
    default="latency",
    show_default=True,
    type=click.Choice(("latency", "energy", "edp")),
    help="What the parameters act on.",
)
@click.option(
    "--set", "settings", multiple=True, metavar="PATH=VALUE", help="Change a machine parameter (repeatable)."
)
@click.option("--only", multiple=True, metavar="PATTERN", help="Only these parameters (shell pattern).")
@click.option(
    "--tie",
    "ties",
    nargs=3,
    multiple=True,
    metavar="PATH LOW HIGH",
    help="Where do the two tie if this parameter goes from LOW to HIGH? Repeatable.",
)
@click.option(
    "--draws", default=1024, show_default=True, type=click.IntRange(min=16), help="Of all parameters at once."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Seed of the draws.")
@click.option(
    "--rows", default=15, show_default=True, type=click.IntRange(min=1), help="Parameters to print."
)
@click.option(
    "--plot", metavar="FILE", type=click.Path(path_type=Path), help="Draw the tornado (.svg, .png, .pdf)."
)
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
def command(
    arch: str,
    workload: str,
    baseline: str | None,
    batch: int,
    metric: str,
    settings: tuple[str, ...],
    only: tuple[str, ...],
    ties: tuple[tuple[str, str, str], ...],
    draws: int,
    seed: int,
    rows: int,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Ranges of ARCH's parameters (and of the baseline's) against the result on WORKLOAD.

    \b
    cosim sensitivity systolic_sram resnet50
    cosim sensitivity optical4f vit --baseline gpu_rtx3090 --plot tornado.svg
    """
    from cosim.engine import load_arch, load_workload
    from cosim.explore.sensitivity import sensitivity
    from cosim.explore.uncertain import ask, spanning

    if draws & (draws - 1):
        raise click.BadParameter(
            f"--draws: found {draws}, allowed a power of two, e.g. {1 << draws.bit_length()}"
        )
    machine, other = load_arch(arch, parse_settings(settings)), load_arch(baseline) if baseline else None
    if ties and other is None:
        raise click.BadParameter("--tie: found no baseline, allowed with --baseline ARCH")
    question = ask(machine, load_workload(workload).with_batch(batch), other, metric, only=only)
    over = [spanning(machine, other, *tie) for tie in ties if other is not None]
    found = sensitivity(question, draws, seed, over)
    if plot is not None:
        from cosim.report.sensitivity_figures import tornado_figure
        from cosim.report.style import save_with_csv

        for path in save_with_csv(tornado_figure(found, rows), found.frame(), plot):
            click.echo(f"wrote {path}", err=True)
    if as_json:
        click.echo(json.dumps(found.to_json(), allow_nan=False))
    else:
        show(found, rows)


def show(found: Sensitivity, rows: int) -> None:
    """Print a sensitivity for people."""
    from rich.table import Table

    from cosim.cli import render

    console = render.console()
    question = found.question
    other = question.other
    title = f"{question.network.name} on {question.side.machine.name}"
    console.print(title + (f" against {other.machine.name}" if other else ""))
    units = {"latency": "s", "energy": "J", "edp": "J s"}
    for metric, own in found.intervals().items():
        if other:
            text = f"{own.low:.3g} to {own.high:.3g} times as good as the baseline, median {own.median:.3g}"
            wins = f"; better in {own.wins:.0%} of the draws"
        else:
            unit = units[metric]
            text = f"{render.si(own.low, unit)} to {render.si(own.high, unit)}, median {render.si(own.median, unit)}"
            wins = ""
        console.print(f"{metric}: {text}{wins}")
    console.print(
        f"(5 % to 95 % of {len(found.drawn.shares):,} draws of {len(question.parameters)} parameters; as stated the "
        f"{question.metric} {'ratio ' if other else ''}is {question.nominal:.4g})"
    )
    table = Table(box=None, pad_edge=False)
    heads = ["parameter", "range", "kind", "at low", "at high", "Sobol total"]
    for head in (*heads, *(["wins low", "wins high", "tie at"] if other else [])):
        table.add_column(head, justify="left" if head in heads[:3] else "right")
    for row in found.rows()[:rows]:
        span = f"{row['low']:.4g} .. {row['high']:.4g} {row['unit']}"
        cells = [row["parameter"], span, row["kind"], f"{row['at_low']:.4g}", f"{row['at_high']:.4g}"]
        cells.append(f"{row['sobol_total']:.3f}")
        if other:
            cells += [f"{row['wins_low']:.0%}", f"{row['wins_high']:.0%}"]
            cells.append(", ".join(f"{value:.4g}" for value in row["ties_at"]))
        table.add_row(*cells)
    console.print(table)
    if len(found.swings) > rows:
        console.print(f"{len(found.swings) - rows} parameters that matter less: --rows {len(found.swings)}")
    for over, values in found.asked_ties:
        ends = f"{over.name} from {over.low:.4g} to {over.high:.4g} {over.unit}"
        at = " and ".join(f"{value:.4g}" for value in values)
        console.print(f"{ends}: " + (f"the two tie at {at} {over.unit}" if at else "the two do not tie"))
    if other:
        console.print(_verdict(found))


def _verdict(found: Sensitivity) -> str:
    own = found.intervals()[found.question.metric]
    if own.wins in (0.0, 1.0):
        who = "always" if own.wins else "never"
        return f"the machine {who} wins, whatever the parameters are inside their ranges"
    most = found.decisive[0]
    return (
        f"{most.parameter.name} decides most: the machine wins {most.wins_low:.0%} of the draws with it in the lowest "
        f"quarter of its range and {most.wins_high:.0%} in the highest"
    )
