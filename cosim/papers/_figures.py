"""Figures of published results: bars, lines, and simulated over published for every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cosim.papers.row import PaperRow
from cosim.report.style import PALETTE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = {
    "exact": PALETTE[2],
    "within": PALETTE[0],
    "fitted": PALETTE[1],
    "bracketed": PALETTE[5],
    "not reproduced": PALETTE[3],
}


def ratio_figure(title: str, rows: Sequence[PaperRow]) -> Figure:
    """Simulated over published, a mark for every row on a logarithmic axis; intervals as lines."""
    shown = [row for row in rows if row.ratio is not None and row.ratio > 0]
    figure = new_figure(8.0, 1.4 + 0.22 * max(len(shown), 1))
    axes = figure.add_subplot()
    for place, row in enumerate(reversed(shown)):
        colour = _COLOURS[row.kind]
        if row.interval is not None:
            low, high = row.interval
            published = row.published or 1.0
            ends = (low / published, 10.0 if high is None else high / published)
            axes.plot(ends, (place, place), color=colour, linewidth=3, alpha=0.5, solid_capstyle="butt")
        axes.plot([row.ratio or 0.0], [place], "o", color=colour, markersize=5)
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(range(len(shown)), [row.what for row in reversed(shown)], fontsize=7)
    axes.set_xlabel("simulated / published")
    axes.set_title(title)
    used = {row.kind for row in shown}
    for kind, colour in _COLOURS.items():
        if kind in used:
            axes.plot([], [], "o", color=colour, label=kind)
    axes.legend(frameon=False, fontsize=7)
    return figure


def bars_figure(title: str, unit: str, names: Sequence[str], series: Mapping[str, Sequence[float]]) -> Figure:
    """Grouped bars: one group for each name, one colour for each series."""
    figure = new_figure(max(5.0, 0.5 * len(names) * max(len(series), 1)), 3.6)
    axes = figure.add_subplot()
    width = 0.8 / max(len(series), 1)
    for number, (label, values) in enumerate(series.items()):
        places = [i + (number - (len(series) - 1) / 2) * width for i in range(len(names))]
        axes.bar(places, list(values), width, label=label, color=PALETTE[number % len(PALETTE)])
    axes.set_xticks(range(len(names)), list(names), rotation=30, ha="right", fontsize=8)
    axes.set_ylabel(unit)
    axes.set_title(title)
    axes.legend(frameon=False, fontsize=8)
    return figure


def lines_figure(
    title: str,
    x: tuple[str, Sequence[float]],
    y_label: str,
    series: Mapping[str, Sequence[float]],
    log: str = "",
) -> Figure:
    """Lines with marks over a common axis; ``log`` contains ``x`` and ``y`` for logarithmic axes."""
    figure = new_figure(6.0, 3.8)
    axes = figure.add_subplot()
    for number, (label, values) in enumerate(series.items()):
        style = "o--" if label.startswith("published") else "s-"
        axes.plot(x[1], list(values), style, label=label, color=PALETTE[number % len(PALETTE)], markersize=4)
    if "x" in log:
        axes.set_xscale("log")
    if "y" in log:
        axes.set_yscale("log")
    axes.set_xlabel(x[0])
    axes.set_ylabel(y_label)
    axes.set_title(title)
    axes.legend(frameon=False, fontsize=8)
    return figure
