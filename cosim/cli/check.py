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
    "zigzag": ("cosim.checks.zigzag", "check_zigzag"),
    "cpu": ("cosim.checks.cpu", "check_cpu"),
    "gpu": ("cosim.checks.gpu", "check_gpu"),
    "dram": ("cosim.checks.dram", "check_dram"),
}


@click.command("check")
@click.argument("kind", type=click.Choice(list(CHECKS)))
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
@click.option("--worst", "worst", default=10, show_default=True, help="Rows to show, worst first.")
@click.option("--arch", metavar="ARCH", help="Machine to hold against the data (cpu and gpu).")
def command(kind: str, path: Path, as_json: bool, worst: int, arch: str | None) -> None:
    """Compare the model with the reference data in PATH (a folder in the documented format).

    \b
    cosim check timeloop golden/timeloop
    """
    module, function = CHECKS[kind]
    if arch is not None and kind not in ("cpu", "gpu"):
        raise click.UsageError(f"--arch: found with kind {kind!r}, allowed with cpu and gpu")
    chosen = (arch,) if arch is not None else ()
    report = getattr(import_module(module), function)(path, *chosen)
    document = report.to_json()
    if as_json:
        click.echo(json.dumps(document, allow_nan=False))
        return
    from cosim.cli import render
    from cosim.cli.check_view import tables

    console = render.console()
    for table in tables(document, worst):
        console.print(table)
    for note in document.get("notes", ()):
        console.print(f"note: {note}")
