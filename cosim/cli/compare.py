"""``cosim compare``: several machines times several workloads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cosim.results.comparison import Comparison


@click.command("compare")
@click.argument("archs", nargs=-1, required=True)
@click.option("--workload", "-w", "workloads", multiple=True, required=True, help="Workload (repeatable).")
@click.option(
    "--baseline", metavar="ARCH", help="Machine that the others are held against (default: the first)."
)
@click.option("--batch", default=1, show_default=True, type=click.IntRange(min=1), help="Images at once.")
@click.option("--seed", default=0, show_default=True, help="Seed, recorded in the manifests.")
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
@click.option(
    "--out", metavar="DIR", type=click.Path(path_type=Path), help="Write comparison.csv and comparison.json."
)
def command(
    archs: tuple[str, ...],
    workloads: tuple[str, ...],
    baseline: str | None,
    batch: int,
    seed: int,
    as_json: bool,
    out: Path | None,
) -> None:
    """Evaluate every machine in ARCHS on every workload, with speed-ups and geometric means.

    \b
    cosim compare optical4f systolic_128 cpu_zen4 -w vit -w resnet50 --baseline gpu_rtx3090
    """
    from cosim.engine import compare, load_arch

    machines = [load_arch(arch) for arch in dict.fromkeys((*archs, *((baseline,) if baseline else ())))]
    base = machines[-1] if baseline else None
    comparison = compare(machines, workloads, base, batch=batch, seed=seed)
    if out is not None:
        from cosim.report.html import comparison_html
        from cosim.results.files import write_atomic, write_comparison

        for path in write_comparison(comparison, out):
            click.echo(f"wrote {path}", err=True)
        page = comparison_html(comparison, machines, f"{', '.join(comparison.workloads)}, batch {batch}")
        write_atomic(out / "report.html", page)
        click.echo(f"wrote {out / 'report.html'}", err=True)
    if as_json:
        click.echo(json.dumps(comparison.to_json(), allow_nan=False))
        return
    show(comparison, batch)


def show(comparison: Comparison, batch: int) -> None:
    """Print the table of a comparison, its geometric means and what could not be run."""
    from rich.table import Table

    from cosim.cli import render

    console = render.console()
    table = Table(
        title=f"batch {batch}, against {comparison.baseline}", title_justify="left", box=None, pad_edge=False
    )
    for name in ("machine", "workload"):
        table.add_column(name)
    for name in ("time", "energy", "images/s", "speed-up", "energy ratio"):
        table.add_column(name, justify="right")
    for row in comparison.rows():
        if row["latency_s"] is None:
            table.add_row(row["machine"], row["workload"], "not run", "", "", "", "")
            continue
        table.add_row(
            row["machine"],
            row["workload"],
            render.si(row["latency_s"], "s"),
            render.si(row["energy_j"], "J"),
            f"{row['images_per_s']:.4g}",
            _times(row["speedup"]),
            _times(row["energy_ratio"]),
        )
    for row in comparison.means():
        label = f"geometric mean of {row['workloads']}"
        table.add_row(row["machine"], label, "", "", "", _times(row["speedup"]), _times(row["energy_ratio"]))
    console.print(table)
    for (machine, workload), reason in comparison.failures.items():
        first, *more = reason.splitlines()
        tail = f" (and {len(more)} more layers)" if more else ""
        console.print(f"{machine} cannot run {workload}: {first}{tail}")


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}x"
