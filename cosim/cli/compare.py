"""``cosim compare``: several machines times several workloads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cosim.hardware.load import Machine
    from cosim.ir.workload import Workload
    from cosim.results.comparison import Comparison

# cosim.results.intervals.DEFAULT_DRAWS; kept here so that --help imports nothing.
DRAWS_OF_A_REPORT = 256


@click.command("compare")
@click.argument("archs", nargs=-1, required=True)
@click.option("--workload", "-w", "workloads", multiple=True, required=True, help="Workload (repeatable).")
@click.option(
    "--baseline", metavar="ARCH", help="Machine that the others are held against (default: the first)."
)
@click.option("--batch", default=1, show_default=True, type=click.IntRange(min=1), help="Images at once.")
@click.option(
    "--draws",
    type=click.IntRange(min=0),
    help="Draws of all parameters with a range, for intervals; a power of two, 0 for none "
    f"(default: {DRAWS_OF_A_REPORT} with --out, else none).",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="Seed of the draws, recorded in the manifests.",
)
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write comparison.csv, .json and the report.",
)
@click.option(
    "--format",
    "formats",
    default="html,md,csv",
    show_default=True,
    help="What to write of the report, separated by commas.",
)
def command(
    archs: tuple[str, ...],
    workloads: tuple[str, ...],
    baseline: str | None,
    batch: int,
    draws: int | None,
    seed: int,
    as_json: bool,
    out: Path | None,
    formats: str,
) -> None:
    """Evaluate every machine in ARCHS on every workload, with speed-ups and geometric means.

    \b
    cosim compare optical4f systolic_128 cpu_zen4 -w vit -w resnet50 --baseline gpu_rtx3090
    """
    count = (DRAWS_OF_A_REPORT if out is not None else 0) if draws is None else draws
    if count & (count - 1):
        raise click.BadParameter(
            f"--draws: found {count}, allowed a power of two, e.g. {1 << count.bit_length()}"
        )
    if out is not None:
        from cosim.report.write import formats_of

        chosen = formats_of(formats)
    from cosim.engine import compare, load_arch, load_workload

    refs = list(dict.fromkeys((*archs, *((baseline,) if baseline else ()))))
    machines, networks = [load_arch(ref) for ref in refs], [load_workload(ref) for ref in workloads]
    comparison = compare(machines, networks, machines[-1] if baseline else None, batch=batch, seed=seed)
    batched = [network.with_batch(batch) for network in networks]
    if count:
        from cosim.explore.intervals import ratio_intervals

        comparison = replace(
            comparison, uncertainty=ratio_intervals(comparison, machines, batched, count, seed)
        )
    if out is not None:
        inputs = {"archs": refs, "workloads": list(workloads), "batch": batch, "seed": seed, "draws": count}
        write(comparison, machines, batched, batch, out, inputs, chosen)
    if as_json:
        click.echo(json.dumps(comparison.to_json(), allow_nan=False))
        return
    show(comparison, batch)


def write(
    comparison: Comparison,
    machines: list[Machine],
    networks: list[Workload],
    batch: int,
    out: Path,
    inputs: dict[str, object],
    formats: tuple[str, ...],
) -> None:
    """Write the totals, then the report."""
    from cosim.report.compared import compared_document
    from cosim.report.write import write_report
    from cosim.results.files import write_comparison

    for path in write_comparison(comparison, out, inputs):
        click.echo(f"wrote {path}", err=True)
    document = compared_document(comparison, machines, networks, batch)
    for path in write_report(document, out, formats):
        if path.parent == out:
            click.echo(f"wrote {path}", err=True)


def show(comparison: Comparison, batch: int) -> None:
    """Print the table of a comparison, its geometric means and what could not be run."""
    from rich.table import Table

    from cosim.cli import render
    from cosim.results.text import times_between

    def ratios(row: dict[str, float | None]) -> list[str]:
        names = ("speedup", "energy_ratio")
        return [times_between(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in names]

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
        figures = (render.si(row["latency_s"], "s"), render.si(row["energy_j"], "J"))
        table.add_row(row["machine"], row["workload"], *figures, f"{row['images_per_s']:.4g}", *ratios(row))
    for row in comparison.means() if len(comparison.workloads) > 1 else ():
        label = f"geometric mean of {row['workloads']}"
        table.add_row(row["machine"], label, "", "", "", *ratios(row))
    console.print(table)
    for (machine, workload), reason in comparison.failures.items():
        first, *more = reason.splitlines()
        tail = f" (and {len(more)} more layers)" if more else ""
        console.print(f"{machine} cannot run {workload}: {first}{tail}")
    show_intervals(comparison)


def show_intervals(comparison: Comparison) -> None:
    """Say what the brackets are, and which machines have none."""
    drawn = comparison.uncertainty
    if drawn is None:
        return
    if drawn.ratios:
        click.echo(
            f"in brackets: 5 % to 95 % of {drawn.draws:,} draws (seed {drawn.seed}) of the parameters with a range; "
            "a stated value may lie outside"
        )
    for machine, reason in drawn.without.items():
        click.echo(f"{machine} has no interval: {reason}")
    for machine, lost in drawn.left_out.items():
        if lost:
            click.echo(f"{machine}: {lost} draws are left out because a layer does not fit")
