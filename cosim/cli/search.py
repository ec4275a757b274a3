"""``cosim search``: guided search of a design space, and how fast each method gets to the front."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cosim.cli.progress import Progress, interrupted

if TYPE_CHECKING:
    from cosim.explore.search_study import Study

METHODS = ("nsga2", "tpe", "sobol", "random", "exhaustive")


@click.command("search")
@click.argument("sweep", type=click.Path(path_type=Path))
@click.option(
    "--method", "methods", multiple=True, type=click.Choice(METHODS), help="Repeatable; default nsga2."
)
@click.option(
    "--evaluations", default=500, show_default=True, type=click.IntRange(min=1), help="Of each method."
)
@click.option(
    "--repeats", default=1, show_default=True, type=click.IntRange(min=1), help="Seeds of each method."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="The first seed.")
@click.option(
    "--out", metavar="DIR", type=click.Path(path_type=Path), help="Keep a journal there, and go on from it."
)
@click.option(
    "--true-front", is_flag=True, help="Evaluate the whole space too, and measure against its front."
)
@click.option(
    "--plot", metavar="FILE", type=click.Path(path_type=Path), help="Draw hypervolume against evaluations."
)
@click.option("--csv", "csv_path", metavar="FILE", type=click.Path(path_type=Path), help="Write that as CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
def command(
    sweep: Path,
    methods: tuple[str, ...],
    evaluations: int,
    repeats: int,
    seed: int,
    out: Path | None,
    true_front: bool,
    plot: Path | None,
    csv_path: Path | None,
    as_json: bool,
) -> None:
    """Look for the Pareto front of SWEEP without evaluating all of it.

    A design counts by the geometric mean of each objective over the networks and batches of the sweep.

    \b
    cosim search arch/sweeps/systolic_buffers.yaml --method nsga2 --evaluations 500 --out out/search
    cosim search arch/sweeps/systolic_buffers.yaml --method nsga2 --method sobol --true-front --plot front.svg
    """
    from cosim.explore.search_study import study
    from cosim.results.files import to_csv, write_atomic

    with Progress("designs", quiet=as_json) as bar:
        try:
            found = study(
                sweep, methods or ("nsga2",), evaluations, repeats, seed, out, true_front, bar.update
            )
        except KeyboardInterrupt:
            interrupted(
                f"designs of guided searches are kept in {out}" if out else "nothing is kept without --out"
            )
    if csv_path is not None:
        rows = found.rows()
        write_atomic(csv_path, to_csv(rows, list(rows[0])))
        click.echo(f"wrote {csv_path}", err=True)
    if plot is not None:
        from cosim.report.style import save_with_csv
        from cosim.report.sweep_figures import hypervolume_figure

        figure = hypervolume_figure(found.frame(), found.true_front)
        for path in save_with_csv(figure, found.frame(), plot):
            click.echo(f"wrote {path}", err=True)
    if as_json:
        click.echo(json.dumps(found.to_json(), allow_nan=False))
    else:
        show(found)


def show(found: Study) -> None:
    """Print a search for people."""
    from rich.table import Table

    from cosim.cli import render
    from cosim.explore.outputs import readable, short_names

    console = render.console()
    against = "the front of the whole space" if found.true_front else "the front of everything looked at"
    console.print(f"{found.space}: {found.designs:,} designs; hypervolume as a share of that of {against}")
    table = Table(box=None, pad_edge=False)
    for name in ("method", "evaluations", "hypervolume", "lowest", "highest"):
        table.add_column(name, justify="left" if name == "method" else "right")
    for row in found.summary():
        shares = [f"{row[name]:.2%}" for name in ("hypervolume", "lowest", "highest")]
        table.add_row(row["method"], f"{row['evaluations']:,}", *shares)
    console.print(table)
    console.print()
    console.print(f"front of {found.best_method}, seed {found.best_seed}:")
    shown = Table(box=None, pad_edge=False)
    varying = found.varying()
    for short in short_names(varying).values():
        shown.add_column(short)
    for front_row in found.front:
        shown.add_row(*(readable(name, front_row.get(name), 5) for name in varying))
    console.print(shown)
