"""``cosim dram``: what a channel of a DRAM device delivers, pattern by pattern."""

from __future__ import annotations

import json
from typing import Any

import click

PATTERNS = ("seq_read", "seq_2read_1write_blocks_of_64", "random_read", "random_blocks_512B_read")


@click.command("dram")
@click.argument("devices", nargs=-1, required=True, metavar="DEVICE...")
@click.option(
    "--pattern", "-p", "patterns", multiple=True, default=PATTERNS, help="Access pattern (repeatable)."
)
@click.option(
    "--mapping", metavar="NAME", help="Address mapping; the usual one of the controller without it."
)
@click.option(
    "--requests", default=20_000, show_default=True, type=click.IntRange(min=100), help="Accesses a pattern."
)
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
def command(
    devices: tuple[str, ...], patterns: tuple[str, ...], mapping: str | None, requests: int, as_json: bool
) -> None:
    """Peak rate, refresh, and the share of the peak that PATTERNS reach on one channel of each DEVICE.

    \b
    cosim dram "DDR4-2400R 8Gb x8" "HBM2-2000 2Gb" -p seq_read -p random_read
    """
    from cosim.components.dram_channel import streaming_efficiency
    from cosim.components.dram_timing import find_device, refresh_of

    rows: list[dict[str, Any]] = []
    for name in devices:
        device = find_device(name)
        interval_ns, duration_ns = refresh_of(device)
        rows.append(
            {
                "device": name,
                "peak_bytes_per_s": device.peak_bytes_per_s,
                "refresh_interval_ns": interval_ns,
                "refresh_ns": duration_ns,
                "efficiency": {p: streaming_efficiency(device, p, mapping, requests) for p in patterns},
            }
        )
    if as_json:
        click.echo(json.dumps({"schema": 1, "mapping": mapping, "rows": rows}, allow_nan=False))
        return
    from rich.table import Table

    from cosim.cli import render

    table = Table(box=None, pad_edge=False)
    for head in ("device", "peak", "refresh", *patterns):
        table.add_column(head, justify="left" if head == "device" else "right")
    for row in rows:
        table.add_row(
            str(row["device"]),
            f"{row['peak_bytes_per_s'] / 1e9:.1f} GB/s",
            f"{row['refresh_ns']:.0f} of {row['refresh_interval_ns']:.0f} ns",
            *(f"{row['efficiency'][p]:.3f}" for p in patterns),
        )
    render.console().print(table)
