"""``cosim validate``: every problem of every file at once."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cosim.cli.exit_codes import INVALID

if TYPE_CHECKING:
    from cosim.spec.problems import Problem


# kind of document -> module and the function that reads it with all its checks
READERS = {
    "workload": ("cosim.ir.workload_file", "load_workload"),
    "mapping": ("cosim.mapping.mapping_file", "load_mapping"),
    "sources": ("cosim.spec.sources", "load_sources"),
    "sweep": ("cosim.cli.validate", "check_sweep"),
    "board": ("cosim.components.fpga_board", "load_board"),
    "memory": ("cosim.components.technology", "load_technology"),
    "dram": ("cosim.components.dram_timing", "load_dram"),
    "nest": ("cosim.mapping.nest_arch", "load_nest"),
    "nest_rules": ("cosim.mapping.nest_arch", "check_rules_file"),
    "nest_mapping": ("cosim.mapping.nest_file", "check_nest_mapping"),
}


def check_sweep(path: Path) -> None:
    """A sweep with its machines, networks, paths and columns."""
    from cosim.explore.space import prepare
    from cosim.explore.space_file import load_space

    prepare(load_space(path))


def problems_of(path: Path, strict: bool) -> tuple[str, list[Problem]]:
    """(kind of document, its problems); a document of any other kind is read as a machine."""
    from cosim.spec.problems import SpecError
    from cosim.spec.strict_yaml import load

    try:
        kind = str(load(path).get("kind"))
        if kind in READERS:
            module, function = READERS[kind]
            reader = getattr(import_module(module), function)
            if kind in ("board", "memory", "dram", "nest"):
                reader(path, strict)
            else:
                reader(path)
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
    """Check FILES: machines, boards, memories, DRAM devices, nests, workloads, mappings, sweeps, bibliographies.

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
