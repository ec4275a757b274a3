"""Rendering of results in a terminal: numbers with units, tables that fit, bars."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from cosim.results.text import better_or_worse
from cosim.results.text import si as si

if TYPE_CHECKING:
    from cosim.results.result import Result


def console(width: int | None = None) -> Console:
    """Console on stdout. Piped output keeps full names: it is 140 columns wide and has no colour."""
    if width is None and not sys.stdout.isatty():
        width = 140
    return Console(width=width, highlight=False, soft_wrap=False)


def bar(share: float, width: int = 12) -> str:
    """A bar of ``width`` cells for a share in [0, 1]."""
    cells = min(max(share, 0.0), 1.0) * width
    full = int(cells)
    part = " ▏▎▍▌▋▊▉"[int((cells - full) * 8)] if full < width else ""
    return ("█" * full + part).ljust(width)


def layer_table(result: Result) -> Table:
    """Per layer: operator, shape, cycles, time, energy, utilisation and what bounds it."""
    table = Table(
        title=f"{result.workload.name} on {result.machine}", title_justify="left", box=None, pad_edge=False
    )
    table.add_column("layer", overflow="fold", max_width=44)
    table.add_column("op")
    table.add_column("shape", overflow="fold", max_width=34)
    for name in ("cycles", "time", "energy", "util"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("bound", no_wrap=True)
    with_mode = "mode" in result.layers[0]
    if with_mode:
        table.add_column("mode", no_wrap=True)
    for row in result.layers:
        cells = [
            row["name"],
            row["op"],
            row["shape"],
            f"{row['cycles']:,.0f}",
            si(row["latency_s"], "s"),
            si(row["energy_j"], "J"),
            f"{row['utilization']:.1%}" if row["macs"] else "-",
            row["bound"],
        ]
        table.add_row(*cells, *([str(row["mode"])] if with_mode else []))
    return table


def totals_lines(result: Result) -> list[str]:
    """Totals in words and numbers."""
    t = result.totals()
    lines = [
        f"batch {t['batch']}: {si(t['macs'], 'MAC')}, {si(t['latency_s'], 's')}, {si(t['energy_j'], 'J')}, "
        f"EDP {si(t['edp_js'], 'Js')}, {t['images_per_s']:.4g} images/s, {si(t['macs_per_j'], 'MAC/J')}, "
        f"{si(t['average_power_w'], 'W')} on average",
        f"one cycle is {result.cycle} ({si(result.cycle_hz, 'Hz')})",
    ]
    return lines


def breakdown_table(title: str, parts: dict[str, float], unit: str, total: float) -> Table:
    """Parts with bars; shares are of ``total``."""
    table = Table(title=title, title_justify="left", box=None, show_header=False, pad_edge=False)
    table.add_column("part")
    table.add_column("value", justify="right")
    table.add_column("share", justify="right")
    table.add_column("bar")
    for name, value in parts.items():
        share = value / total if total else 0.0
        if share >= 0.0005:
            table.add_row(name, si(value, unit), f"{share:.1%}", bar(share))
    return table


def speedup_line(result: Result) -> str | None:
    """The comparison with the baseline, in words, or None without one."""
    ratios = result.speedup
    if ratios is None or result.baseline is None:
        return None

    return (
        f"against {ratios.baseline} ({si(result.baseline.latency_s, 's')}, {si(result.baseline.energy_j, 'J')}): "
        f"{better_or_worse(ratios.speedup, 'faster', 'slower')}, "
        f"{better_or_worse(ratios.energy_ratio, 'less energy', 'more energy')}, "
        f"EDP {better_or_worse(ratios.edp_ratio, 'lower', 'higher')}"
    )
