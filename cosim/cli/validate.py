"""``cosim validate``: every problem of every file at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cosim.cli.exit_codes import INVALID

if TYPE_CHECKING:
    from cosim.spec.problems import Problem


def problems_of(path: Path, strict: bool) -> tuple[str, list[Problem]]:
    """(kind of document, its problems). A workload, mapping, bibliography or machine file."""
    from cosim.spec.problems import SpecError
    from cosim.spec.strict_yaml import load

    try:
        kind = str(load(path).get("kind"))
        if kind == "workload":
            from cosim.ir.workload_file import load_workload

            load_workload(path)
        elif kind == "mapping":
            from cosim.mapping.mapping_file import load_mapping

            load_mapping(path)
        elif kind == "sources":
            from cosim.spec.sources import load_sources

            load_sources(path)
        else:
            from cosim.hardware.load import load_machine

            load_machine(path, {}, strict=strict)
    except SpecError as error:
        return "invalid", list(error.problems)
    return kind, []


@click.command("validate")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Also refuse physical constants without a source.")
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
def command(files: tuple[Path, ...], strict: bool, as_json: bool) -> None:
    """Check FILES (machines, workloads, mappings, bibliographies).

    \b
    cosim validate --strict arch/*.yaml
    """
    found: list[Problem] = []
    rows = []
    for path in files:
        kind, problems = problems_of(path, strict)
        found += problems
        rows.append({"file": str(path), "kind": kind, "problems": [str(p) for p in problems]})
        if not as_json:
            for problem in problems:
                click.echo(str(problem), err=True)
            if not problems:
                click.echo(f"{path}: valid ({kind})")
    if as_json:
        click.echo(json.dumps({"schema": 1, "files": rows}))
    if found:
        if not as_json:
            click.echo(f"{len(found)} problem{'s' if len(found) > 1 else ''}", err=True)
        raise click.exceptions.Exit(INVALID)
