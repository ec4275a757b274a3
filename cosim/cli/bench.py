"""``cosim bench``: the program's own speed."""

from __future__ import annotations

import json
from dataclasses import asdict

import click


@click.command("bench")
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
@click.option("--list", "only_list", is_flag=True, help="List the benchmarks.")
def command(names: tuple[str, ...], as_json: bool, only_list: bool) -> None:
    """Measure NAMES (all of them without any), each with the ratio to its naive form in the same run.

    \b
    cosim bench estimate_systolic run_vit
    """
    from cosim.bench import BENCHES, run

    if only_list:
        for name, bench in BENCHES.items():
            click.echo(f"{name:28} {bench.what}")
        return
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        from difflib import get_close_matches

        close = get_close_matches(unknown[0], BENCHES, n=1)
        hint = f"; nearest: {close[0]}" if close else ""
        raise click.BadParameter(f"no benchmark {unknown[0]!r}{hint}; `cosim bench --list` shows them")
    rows = []
    for name in names or BENCHES:
        row = run(name)
        rows.append(row)
        if not as_json:
            click.echo(f"{row.name}: {row.value:.4g} {row.unit}, {row.ratio:.3g} x {row.against}")
    if as_json:
        click.echo(json.dumps({"schema": 1, "results": [asdict(row) for row in rows]}))
