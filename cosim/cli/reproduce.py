"""``cosim reproduce``: published figures against simulated ones."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from cosim.cli.progress import Progress


@click.command("reproduce")
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All published results.")
@click.option("--list", "only_list", is_flag=True, help="Names of the published results.")
@click.option("--notes/--no-notes", default=False, help="Print the note of every row.")
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
def command(names: tuple[str, ...], everything: bool, only_list: bool, notes: bool, as_json: bool) -> None:
    """Recompute published figures: value, ratio and an honest status.

    \b
    cosim reproduce cnna
    cosim reproduce --all --json
    """
    from cosim.papers import papers, rows_of

    known = papers()
    if only_list:
        click.echo("\n".join(known))
        return
    unknown = [name for name in names if name not in known]
    if unknown:
        from difflib import get_close_matches

        close = get_close_matches(unknown[0], known, n=1)
        hint = f"; nearest: {close[0]}" if close else ""
        raise click.BadParameter(f"no published result {unknown[0]!r}{hint}; --list shows them")
    if not names and not everything:
        raise click.UsageError("name a published result, or give --all; --list shows them")
    chosen = known if everything else names
    rows = []
    with Progress("results", quiet=as_json) as bar:
        for number, name in enumerate(chosen, start=1):
            rows += rows_of(name)
            bar.update(number, len(chosen))
    if as_json:
        click.echo(json.dumps({"schema": 1, "rows": [asdict(row) for row in rows]}, allow_nan=False))
        return
    from rich.table import Table

    from cosim.cli import render

    table = Table(box=None, pad_edge=False)
    for title in ("paper", "what", "where", "published", "simulated", "unit", "ratio", "status"):
        table.add_column(title, justify="right" if title in ("published", "simulated", "ratio") else "left")
    for row in rows:
        simulated = "-" if row.simulated is None else f"{row.simulated:.5g}"
        share = "-" if row.ratio is None else f"{row.ratio:.4g}"
        table.add_row(
            row.paper, row.what, row.where, f"{row.published:.5g}", simulated, row.unit, share, row.status
        )
        if notes and row.note:
            table.add_row("", f"  {row.note}", "", "", "", "", "", "")
    render.console().print(table)
