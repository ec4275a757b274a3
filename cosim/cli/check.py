"""``cosim check``: the models held against a folder of reference data."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import click

# kind -> module and function that reads the folder and returns a CheckReport
CHECKS = {
    "timeloop": ("cosim.checks.timeloop", "check_timeloop"),
    "scalesim": ("cosim.checks.scalesim", "check_scalesim"),
    "cpu": ("cosim.checks.cpu", "check_cpu"),
    "gpu": ("cosim.checks.gpu", "check_gpu"),
}


@click.command("check")
@click.argument("kind", type=click.Choice(list(CHECKS)))
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
@click.option("--worst", "worst", default=10, show_default=True, help="Rows to show, worst first.")
def command(kind: str, path: Path, as_json: bool, worst: int) -> None:
    """Compare the model with the reference data in PATH (a folder in the documented format).

    \b
    cosim check timeloop golden/timeloop
    """
    module, function = CHECKS[kind]
    report = getattr(import_module(module), function)(path)
    document = report.to_json()
    if as_json:
        click.echo(json.dumps(document, allow_nan=False))
        return
    from cosim.cli import render
    from cosim.cli.check_view import tables

    console = render.console()
    for table in tables(document, worst):
        console.print(table)
