"""``cosim pareto``: the front of a finished sweep."""

from __future__ import annotations

import json
from pathlib import Path

import click


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
    "--csv", "csv_path", metavar="FILE", type=click.Path(path_type=Path), help="Write the front as CSV."
)
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
def command(
    folder: Path,
    objectives: tuple[str, ...],
    where: str,
    plot: Path | None,
    csv_path: Path | None,
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
    if plot is not None:
        from cosim.report.style import save
        from cosim.report.sweep_figures import front_figure

        save(front_figure(front), plot)
        click.echo(f"wrote {plot}", err=True)
    if as_json:
        click.echo(json.dumps(front.to_json(), allow_nan=False))
        return
    from rich.table import Table

    from cosim.cli import render
    from cosim.explore.outputs import short_names

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
    for index, row in enumerate(front.rows):
        cells = [f"{row[n]:.5g}" if isinstance(row[n], float) else str(row[n]) for n in shown]
        more = f"(+ {row['equal_points'] - 1} equal) " if row["equal_points"] > 1 else ""
        table.add_row(*cells, more + ("<- knee" if index == front.knee else ""))
    console.print(table)
