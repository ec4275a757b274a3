"""Results as HTML for notebooks: styles inline, no script, colours taken from the notebook's own theme."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from cosim.ir.columns import COLUMNS
from cosim.results.text import better_or_worse, heading, si, times_between

if TYPE_CHECKING:
    from cosim.results.comparison import Comparison
    from cosim.results.outcome import Outcome

LAYER_NAMES = ("name", "op", "shape", "latency_s", "energy_j", "utilization", "bound")
SMALL = 0.005
MOST_PARTS = 8
_NUMBER = "padding:0 .5em;text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap"
_WORDS = "padding:0 .5em;text-align:left"


def result_block(result: Outcome) -> str:
    """Totals, bars of time and energy, coverage; the layer table folds away."""
    totals = result.totals()
    head = (
        f"<b>{escape(result.workload.name)}</b> on <b>{escape(result.machine)}</b>, batch {totals['batch']}: "
        f"{si(totals['latency_s'], 's')}, {si(totals['energy_j'], 'J')}, EDP {si(totals['edp_js'], 'Js')}, "
        f"{totals['images_per_s']:.4g} images/s, {si(totals['macs_per_j'], 'MAC/J')}"
    )
    lines = [f"<div>{head}</div>"]
    ratios = result.speedup
    if ratios is not None:
        lines.append(
            f"<div>against {escape(ratios.baseline)}: "
            f"{better_or_worse(ratios.speedup, 'faster', 'slower')}, "
            f"{better_or_worse(ratios.energy_ratio, 'less energy', 'more energy')}</div>"
        )
    lines.append(_bars("energy by component", result.energy_by_component_j, "J", result.energy_j))
    lines.append(_bars("busy time by resource", result.busy_by_resource_s, "s", result.latency_s))
    coverage = result.workload.coverage
    unknown = f"; not modelled: {', '.join(coverage.unknown)}" if coverage.unknown else ""
    lines.append(
        f"<div>coverage: {coverage.macs_share:.2%} of MACs and {coverage.bytes_share:.2%} of bytes are modelled"
        f"{escape(unknown)}</div>"
    )
    rows = [[_cell(row[name]) for name in LAYER_NAMES] for row in result.layers]
    names = [heading(name, COLUMNS[name].unit) for name in LAYER_NAMES]
    numeric = [bool(COLUMNS[name].unit) for name in LAYER_NAMES]
    lines.append(f"<details><summary>{len(rows)} layers</summary>{_table(names, rows, numeric)}</details>")
    return "<div>" + "".join(lines) + "</div>"


def comparison_block(comparison: Comparison) -> str:
    """The table with speed-ups as bars, geometric means, and what could not be run."""
    names = [
        "machine",
        "network",
        "time",
        "energy",
        "images/s",
        "speed-up",
        "energy ratio",
        "1/1000 to 1000x",
    ]
    rows = []
    for row in comparison.rows():
        if row["latency_s"] is None:
            rows.append([escape(row["machine"]), escape(row["workload"]), "not run", *[""] * 5])
            continue
        figures = (si(row["latency_s"], "s"), si(row["energy_j"], "J"), f"{row['images_per_s']:.4g}")
        rows.append([escape(row["machine"]), escape(row["workload"]), *figures, *_ratios(row)])
    for row in comparison.means():
        label = f"geometric mean of {row['workloads']}"
        rows.append([escape(row["machine"]), label, "", "", "", *_ratios(row)])
    numeric = [False, False, True, True, True, True, True, False]
    failures = "".join(
        f"<div>{escape(machine)} cannot run {escape(workload)}: {escape(reason.splitlines()[0])}</div>"
        for (machine, workload), reason in comparison.failures.items()
    )
    title = f"<div>against <b>{escape(comparison.baseline)}</b></div>"
    return f"<div>{title}{_table(names, rows, numeric)}{failures}</div>"


def _ratios(row: Mapping[str, Any]) -> list[str]:
    texts = [
        times_between(row[key], row[f"{key}_low"], row[f"{key}_high"]) for key in ("speedup", "energy_ratio")
    ]
    return [*texts, _decades(row["speedup"])]


def _decades(speedup: float | None) -> str:
    """A bar on a logarithmic scale from 1/1000 to 1000, growing from the tie in the middle."""
    if speedup is None:
        return ""
    from math import log10

    reach = 50 * min(max(log10(speedup) / 3, -1.0), 1.0)
    left, width = (50 + min(reach, 0.0), abs(reach))
    inner = (
        f"position:absolute;height:100%;left:{left:.1f}%;width:{max(width, 0.8):.1f}%;background:currentColor"
    )
    outer = "position:relative;width:8em;height:.7em;border-left:1px solid;border-right:1px solid"
    return f'<div style="{outer};opacity:.6"><div style="{inner}"></div></div>'


def _bars(title: str, parts: Mapping[str, float], unit: str, total: float) -> str:
    """Bars of the largest parts; what is below 0.5 % of ``total`` is left out."""
    shown = [(name, value) for name, value in parts.items() if total and value / total >= SMALL][:MOST_PARTS]
    rows = "".join(
        f'<tr><td style="{_WORDS}">{escape(name)}</td><td style="{_NUMBER}">{si(value, unit)}</td>'
        f'<td style="{_NUMBER}">{value / total:.1%}</td><td style="width:12em;{_WORDS}">'
        f'<div style="height:.7em;background:currentColor;opacity:.6;width:{min(100 * value / total, 100.0):.1f}%">'
        "</div></td></tr>"
        for name, value in shown
    )
    return f'<div style="margin-top:.4em">{title}</div><table><tbody>{rows}</tbody></table>'


def _table(names: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[bool]) -> str:
    """A table of cells that are HTML already."""
    styles = [_NUMBER if number else _WORDS for number in numeric]
    head = "".join(
        f'<th style="{style}">{escape(name)}</th>' for name, style in zip(names, styles, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f'<td style="{style}">{cell}</td>' for cell, style in zip(row, styles, strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else escape(str(value))
