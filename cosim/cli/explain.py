"""``cosim explain``: where a number comes from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from cosim.cli.crossover import command as crossover
from cosim.cli.run import parse_settings

if TYPE_CHECKING:
    from cosim.components.params import ParameterRow


@click.group("explain")
def command() -> None:
    """Explain a parameter, a layer's cost, a column, or where a machine overtakes another."""


@command.command("param")
@click.argument("arch")
@click.argument("path", required=False)
@click.option("--set", "settings", multiple=True, metavar="PATH=VALUE", help="Change a machine parameter.")
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
def param(arch: str, path: str | None, settings: tuple[str, ...], as_json: bool) -> None:
    """A machine's parameter with its source and who set it (all of them without PATH).

    \b
    cosim explain param optical4f camera.pixel_rate_px_per_s
    """
    from dataclasses import asdict

    from cosim.engine import load_arch
    from cosim.spec.problems import Problem, SpecError, nearest_hint
    from cosim.spec.sources import sources_for

    machine = load_arch(arch, parse_settings(settings))
    rows = [
        row
        for row in machine.parameters
        if path is None or row.path == path or row.path.startswith(f"{path}.")
    ]
    if not rows:
        known = [row.path for row in machine.parameters]
        raise SpecError(
            [
                Problem(
                    str(arch),
                    0,
                    0,
                    str(path),
                    "no such parameter",
                    "a path of this machine",
                    nearest_hint(str(path), known),
                )
            ]
        )
    if as_json:
        click.echo(json.dumps({"schema": 1, "parameters": [asdict(row) for row in rows]}))
        return
    bibliography = sources_for(machine.path)
    for row in rows:
        _show_parameter(row, str(bibliography[row.source]) if row.source in bibliography else "")


def _show_parameter(row: ParameterRow, source: str) -> None:
    value = row.value if isinstance(row.value, str) else f"{row.value:g}"
    click.echo(f"{row.path} = {value} {row.unit}".rstrip())
    if row.source or row.kind:
        click.echo(
            f"    {row.kind}, source {row.source}: {source}"
            if source
            else f"    {row.kind} {row.source}".rstrip()
        )
    if row.range:
        click.echo(f"    range {row.range[0]:g} to {row.range[1]:g} {row.unit}")
    if row.note:
        click.echo(f"    {row.note}")
    click.echo(f"    set by {row.set_by}")


@command.command("layer")
@click.argument("arch")
@click.argument("workload")
@click.argument("layer")
@click.option("--batch", default=1, show_default=True, type=click.IntRange(min=1), help="Images at once.")
@click.option("--mapping", metavar="FILE", help="Mapping document.")
@click.option("--set", "settings", multiple=True, metavar="PATH=VALUE", help="Change a machine parameter.")
def layer_(
    arch: str, workload: str, layer: str, batch: int, mapping: str | None, settings: tuple[str, ...]
) -> None:
    """The cost of one LAYER as equations with their numbers, and what the model leaves out.

    \b
    cosim explain layer systolic_128 resnet50 layer1.0.conv1
    """
    from cosim.engine import explain_layer

    for line in explain_layer(
        arch, workload, layer, mapping, batch=batch, overrides=parse_settings(settings)
    ):
        click.echo(line)


@command.command("column")
@click.argument("name")
def column(name: str) -> None:
    """What a result column means, and its unit."""
    from difflib import get_close_matches

    from cosim.ir.columns import COLUMNS

    if name not in COLUMNS:
        close = get_close_matches(name, COLUMNS, n=1)
        hint = f"; nearest: {close[0]}" if close else ""
        raise click.BadParameter(f"no column {name!r}{hint}; `cosim list columns` shows them all")
    found = COLUMNS[name]
    click.echo(f"{found.name} [{found.unit or 'text'}]: {found.meaning}")


command.add_command(crossover)
