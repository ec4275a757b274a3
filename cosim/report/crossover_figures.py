"""Figures of crossovers and of accuracy on an analogue machine; each draws on the axes that it is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cosim.report.style import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cosim.explore.crossover import Crossover
    from cosim.noise.optical_accuracy import AccuracyRow

_LABELS = {"latency_s": "time [s]", "energy_j": "energy [J]", "edp_js": "energy-delay product [J s]"}


def crossover(found: Crossover, machine: str, baseline: str, axes: Axes) -> Axes:
    """Metric of both machines over the varied quantity, crossings marked."""
    axes.loglog(found.values, found.machine, color=PALETTE[0], label=machine)
    axes.loglog(found.values, found.baseline, color=PALETTE[1], label=baseline)
    for at in found.crossings:
        axes.axvline(at, color=PALETTE[7], linewidth=0.8, linestyle=":")
        axes.annotate(f"{at:.3g}", (at, axes.get_ylim()[0]), rotation=90, va="bottom", ha="right")
    axes.set_xlabel(found.path)
    axes.set_ylabel(_LABELS[found.metric])
    axes.legend(frameon=False)
    return axes


def accuracy(rows: Sequence[AccuracyRow], varied: str, axes: Axes) -> Axes:
    """Accuracy over one varied quantity with its 95 % intervals, and the exact network as a line.

    Raises ``ValueError`` if no row varies ``varied``.
    """
    points = [row for row in rows if row.varied == varied]
    if not points:
        raise ValueError(f"varied: found {varied!r}, allowed {sorted({row.varied for row in rows})}")
    at = [row.at for row in points]
    axes.fill_between(
        at, [row.low for row in points], [row.high for row in points], color=PALETTE[0], alpha=0.2
    )
    axes.plot(at, [row.accuracy for row in points], color=PALETTE[0], marker="o", label="on the machine")
    for row in rows:
        if row.varied == "exact":
            axes.axhline(
                row.accuracy, color=PALETTE[7], linewidth=0.8, linestyle=":", label="exact arithmetic"
            )
    if varied == "electrons":
        axes.set_xscale("log")
    axes.set_xlabel(varied)
    axes.set_ylabel("accuracy")
    axes.set_ylim(0.0, 1.0)
    axes.legend(frameon=False)
    return axes
