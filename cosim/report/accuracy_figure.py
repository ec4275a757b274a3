"""Accuracy against error rate on a logarithmic axis: mean, its 95 % interval as a band, the smallest trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cosim.report.style import colours, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def accuracy_figure(points: Sequence[dict[str, Any]], title: str, axis: str) -> Figure:
    """One line a protection. ``points``: rows with protection, rate, mean, low, high, minimum; rates above zero."""
    figure = new_figure(7.0, 4.2)
    axes = figure.add_subplot()
    names = list(dict.fromkeys(p["protection"] for p in points))
    for name, colour in colours(names).items():
        rows = sorted(
            (p for p in points if p["protection"] == name and p["rate"] > 0), key=lambda p: p["rate"]
        )
        rates = [p["rate"] for p in rows]
        percent = {k: [100 * p[k] for p in rows] for k in ("mean", "low", "high", "minimum")}
        axes.fill_between(rates, percent["low"], percent["high"], color=colour, alpha=0.2, linewidth=0)
        axes.plot(rates, percent["mean"], color=colour, marker="o", markersize=3, label=name)
        axes.plot(rates, percent["minimum"], color=colour, linestyle=":", linewidth=0.9)
    axes.set_xscale("log")
    axes.set_xlabel(axis)
    axes.set_ylabel("accuracy [%]")
    axes.set_ylim(0, 101)
    axes.grid(True, color="0.9")
    axes.legend(frameon=False, loc="lower left")
    axes.set_title(f"{title}\nband: 95 % interval of the mean; dotted: worst trial", loc="left")
    return figure
