"""Accuracy against error rate on a logarithmic axis: mean, its 95 % interval as a band, the smallest trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cosim.report.marks import Marks, add_point
from cosim.report.style import MARKERS, colours, log_axis, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def accuracy_figure(points: Sequence[dict[str, Any]], title: str, axis: str) -> Figure:
    """The figure on its own; see :func:`accuracy_axes`."""
    figure = new_figure(7.0, 4.2)
    axes = accuracy_axes(points, axis, figure.add_subplot())
    axes.set_title(f"{title}\nband: 95 % interval of the mean; dotted: worst trial", loc="left")
    return figure


def accuracy_axes(
    points: Sequence[dict[str, Any]], axis: str, axes: Axes, marks: Marks | None = None
) -> Axes:
    """One line a protection. ``points``: rows with protection, rate, mean, low, high, minimum; rates above zero."""
    names = list(dict.fromkeys(p["protection"] for p in points))
    for number, (name, colour) in enumerate(colours(names).items()):
        rows = sorted(
            (p for p in points if p["protection"] == name and p["rate"] > 0), key=lambda p: p["rate"]
        )
        rates = [p["rate"] for p in rows]
        percent = {k: [100 * p[k] for p in rows] for k in ("mean", "low", "high", "minimum")}
        axes.fill_between(rates, percent["low"], percent["high"], color=colour, alpha=0.2, linewidth=0)
        shape = MARKERS[number % len(MARKERS)]
        axes.plot(rates, percent["mean"], color=colour, marker=shape, markersize=4, label=name)
        axes.plot(rates, percent["minimum"], color=colour, linestyle=":", linewidth=0.9)
    for index, point in enumerate(points):
        if point["rate"] > 0:
            add_point(marks, index, point["rate"], 100 * point["mean"])
    log_axis(axes, "x", _ratio([p["rate"] for p in points if p["rate"] > 0]))
    axes.set_xlabel(axis)
    axes.set_ylabel("accuracy [%]")
    axes.set_ylim(0, 101)
    axes.grid(True, color="#999999", alpha=0.3)
    axes.legend(frameon=False, loc="lower left")
    return axes


def _ratio(rates: Sequence[float]) -> float:
    return max(rates) / min(rates) if rates else 1.0
