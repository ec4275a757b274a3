"""``cosim efficiency``: efficiency gap and waterline of machines and networks."""

from __future__ import annotations

import json
from pathlib import Path

import click

FUSIONS = ("none", "pointwise", "residual")


@click.command("efficiency")
@click.argument("archs", nargs=-1, required=True)
@click.option("--workload", "-w", "workloads", multiple=True, required=True, help="Workload (repeatable).")
@click.option(
    "--fuse", "fusion", type=click.Choice(FUSIONS), default="none", show_default=True, help="Blocks."
)
@click.option("--batch", default=1, show_default=True, type=click.IntRange(min=1), help="Images at once.")
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write the figures (SVG) and their CSV files.",
)
def command(
    archs: tuple[str, ...],
    workloads: tuple[str, ...],
    fusion: str,
    batch: int,
    as_json: bool,
    out: Path | None,
) -> None:
    """Where the time of WORKLOADS on ARCHS goes: peak rate, memory, kernels (Lavin 2024).

    \b
    cosim efficiency gpu_rtx3090 systolic_128 -w resnet50 -w convnext_tiny --fuse residual
    """
    from cosim.engine import load_arch
    from cosim.report.efficiency import efficiency_row, evaluated

    machines = [load_arch(arch) for arch in dict.fromkeys(archs)]
    pairs = [(m, *evaluated(m, w, fusion, batch)) for m in machines for w in dict.fromkeys(workloads)]
    rows = [efficiency_row(result, machine, left) | {"fusion": fusion} for machine, result, left in pairs]
    if out is not None:
        from cosim.report.efficiency_files import write_efficiency

        for path in write_efficiency(pairs, rows, out):
            click.echo(f"wrote {path}", err=True)
    if as_json:
        click.echo(json.dumps({"schema": 1, "fusion": fusion, "rows": rows}, allow_nan=False))
        return
    from rich.table import Table

    from cosim.cli import render

    table = Table(title=f"batch {batch}, fusion {fusion}", title_justify="left", box=None, pad_edge=False)
    for name in ("machine", "network"):
        table.add_column(name)
    for name in ("ideal", "roofline", "model", "E", "E max", "rate", "of peak"):
        table.add_column(name, justify="right")
    for row in rows:
        seconds = [render.si(row[key], "s") for key in ("ideal_s", "roofline_s", "actual_s")]
        best = "-" if row["efficiency_max"] is None else f"{row['efficiency_max']:.1%}"
        rate = render.si(row["flops_per_s"], "FLOP/s")
        share = f"{row['flops_per_s'] / row['peak_flops_per_s']:.1%}"
        table.add_row(row["machine"], row["network"], *seconds, f"{row['efficiency']:.1%}", best, rate, share)
    render.console().print(table)
