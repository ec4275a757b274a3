"""``cosim pareto``: the front of a finished sweep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cosim.explore.fronts import Front


def _draw(
    folder: Path,
    front: Front,
    where: str,
    plot: Path | None,
    parallel: Path | None,
    heat: tuple[str, str, str] | None,
) -> None:
    """Draw what was asked for; the numbers of each picture lie beside it as CSV."""
    if plot is None and parallel is None and heat is None:
        return
    from cosim.explore.fronts import pairs_of
    from cosim.report import sweep_figures as figures
    from cosim.report.style import save_with_csv

    made = []
    if plot is not None:
        made.append((figures.front_figure(front), front.frame(), plot))
    if parallel is not None:
        made.append((figures.parallel_figure(front), front.frame(), parallel))
    if heat is not None:
        x, y, target = heat
        value = front.objectives[0].removeprefix("-")
        frame = pairs_of(folder, x, y, value, where)
        made.append((figures.heat_map_figure(frame, x, y, value), frame, Path(target)))
    for figure, frame, path in made:
        for written in save_with_csv(figure, frame, path):
            click.echo(f"wrote {written}", err=True)


@click.command("pareto")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--objective", "objectives", multiple=True, help="Column to minimise (repeatable; -column maximises)."
)
@click.option("--where", default="", help="SQL condition on the rows, e.g. \"workload = 'vit'\".")
@click.option(
    "--plot", metavar="FILE", type=click.Path(path_type=Path), help="Draw the front (.svg, .png, .pdf)."
)
@click.option(
    "--parallel",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Draw the front in parallel coordinates.",
)
@click.option(
    "--heat-map",
    "heat",
    nargs=3,
    metavar="X Y FILE",
    help="Draw the best first objective for each pair of two columns.",
)
@click.option(
    "--csv", "csv_path", metavar="FILE", type=click.Path(path_type=Path), help="Write the front as CSV."
)
@click.option("--rows", default=30, show_default=True, type=click.IntRange(min=1), help="Rows to print.")
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
def command(
    folder: Path,
    objectives: tuple[str, ...],
    where: str,
    plot: Path | None,
    parallel: Path | None,
    heat: tuple[str, str, str] | None,
    csv_path: Path | None,
    rows: int,
    as_json: bool,
) -> None:
    """Points of the sweep in FOLDER that no other point dominates, and the knee among them.

    Where several networks or batches are left, a design counts by the geometric mean over them.

    \b
    cosim pareto out/systolic_buffers --where "workload = 'resnet50'"
    """
    from cosim.explore.fronts import front_of
    from cosim.results.files import to_csv, write_atomic

    front = front_of(folder, objectives, where)
    if csv_path is not None:
        write_atomic(csv_path, to_csv(front.rows, list(front.rows[0])))
        click.echo(f"wrote {csv_path}", err=True)
    _draw(folder, front, where, plot, parallel, heat)
    if as_json:
        click.echo(json.dumps(front.to_json(), allow_nan=False))
        return
    from rich.table import Table

    from cosim.cli import render
    from cosim.explore.outputs import readable, short_names

    kind = "points" if front.tried_on == 1 else "designs"
    of = "" if front.tried_on == 1 else f", geometric means over {front.tried_on} networks and batches"
    title = f"{len(front.rows)} of {front.considered:,} {kind} are not dominated"
    console = render.console()
    console.print(f"{title} in {', '.join(front.objectives)}{of}")
    table = Table(box=None, pad_edge=False)
    shown = front.varying()
    short = short_names(shown)
    for name in shown:
        table.add_column(short[name])
    table.add_column("")
    # Evenly along the front, with both ends and the knee.
    step = max(1, -(-len(front.rows) // rows))
    for index, row in enumerate(front.rows):
        if index % step and index not in (front.knee, len(front.rows) - 1):
            continue
        cells = [readable(n, row[n], 5) for n in shown]
        more = f"(+ {row['equal_points'] - 1} equal) " if row["equal_points"] > 1 else ""
        table.add_row(*cells, more + ("<- knee" if index == front.knee else ""))
    console.print(table)
    if step > 1:
        console.print(f"one row in {step} is shown; all of them with --csv FILE or --json")
