"""Figures of one result: where the time and the energy of a network go, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cosim.report.marks import Marks, add_box
from cosim.report.style import colours, new_figure
from cosim.results.outcome import Outcome, bound_shares

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMALL = 0.01
LANES = 7
LANE = 0.06
OTHER = "other"
OTHER_COLOUR = "#999999"


def latency_per_layer(frame: pd.DataFrame, axes: Axes, marks: Marks | None = None) -> Axes:
    """Bars of ``latency_s`` in execution order, coloured by ``bound``, with a lane a bound below them.

    ``frame`` has one row a layer with the columns ``name``, ``latency_s`` and ``bound``. The lanes say without
    colour what bounds a layer; beyond seven bounds the smallest share one lane.
    """
    shares = bound_shares(frame["bound"], frame["latency_s"])
    lanes = list(shares) if len(shares) <= LANES else [*list(shares)[: LANES - 1], OTHER]
    bounds = frame["bound"].where(frame["bound"].isin(lanes), OTHER).to_numpy()
    palette = {**colours(lanes), OTHER: OTHER_COLOUR}
    scale, unit = _unit(float(frame["latency_s"].max()), "s")
    seconds = frame["latency_s"].to_numpy() * scale
    top = float(seconds.max()) or 1.0
    places = np.arange(len(frame))
    for number, lane in enumerate(lanes):
        own = places[bounds == lane]
        # One outline a bound: hundreds of bars would be most of a report's size and time.
        heights = np.where(bounds == lane, seconds, np.nan)
        axes.stairs(heights, np.arange(len(frame) + 1) - 0.5, fill=True, color=palette[lane])
        floor = -LANE * top * (number + 1)
        axes.broken_barh(list(_runs(own)), (floor, 0.75 * LANE * top), color=palette[lane], linewidth=0)
        share = shares.get(lane, 1.0 - sum(shares.get(name, 0.0) for name in lanes))
        text = f"{lane} ({share:.1%})"
        axes.annotate(
            text,
            (1.005, floor + 0.375 * LANE * top),
            xycoords=axes.get_yaxis_transform(),
            fontsize=7.5,
            va="center",
        )
    axes.annotate(
        "bound by (share of the time)",
        (1.005, 0.35 * LANE * top),
        xycoords=axes.get_yaxis_transform(),
        fontsize=7.5,
        va="bottom",
        style="italic",
    )
    floor = -LANE * top * (len(lanes) + 0.4)
    for row in places:
        add_box(marks, int(row), row - 0.5, floor, row + 0.5, 1.05 * top)
    axes.axhline(0.0, linewidth=0.6, color="#000000")
    axes.set_xlim(-0.5, len(frame) - 0.5)
    axes.set_ylim(floor, 1.05 * top)
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= 1.05 * top])
    axes.set_xlabel("layer, in execution order")
    axes.set_ylabel(f"time [{unit}]")
    return axes


def _runs(places: Sequence[int] | np.ndarray) -> Iterator[tuple[float, float]]:
    """(start, length) of the runs of neighbours."""
    parts = np.split(np.asarray(places), np.flatnonzero(np.diff(places) > 1) + 1)
    for part in parts:
        if len(part):
            yield float(part[0]) - 0.5, float(len(part))


def energy_by_component(energy_j: dict[str, float], axes: Axes, marks: Marks | None = None) -> Axes:
    """Horizontal bars of energy by component, largest on top; parts below 1 % are summed as ``other``.

    Marks count the components as they are given; ``other`` has none.
    """
    total = sum(energy_j.values())
    shown = {name: value for name, value in energy_j.items() if value >= SMALL * total}
    rest = total - sum(shown.values())
    if rest > 0:
        shown[OTHER] = rest
    names = list(shown)[::-1]
    scale, unit = _unit(max(shown.values()), "J")
    bars = axes.barh(names, [shown[n] * scale for n in names], color="#0072B2")
    axes.bar_label(bars, labels=[f"{shown[n] / total:.1%}" for n in names], padding=3, fontsize=8)
    order = list(energy_j)
    for place, name in enumerate(names):
        if name in energy_j:
            add_box(marks, order.index(name), 0.0, place - 0.4, shown[name] * scale, place + 0.4)
    axes.margins(x=0.18)
    axes.set_xlabel(f"energy [{unit}]")
    return axes


def result_figure(result: Outcome) -> Figure:
    """Time per layer on the left, energy by component on the right."""
    figure = new_figure(11.0, 4.2)
    left, right = figure.subplots(1, 2, width_ratios=(2.2, 1))
    latency_per_layer(result.to_pandas(), left)
    energy_by_component(result.energy_by_component_j, right)
    totals = result.totals()
    scale, unit = _unit(totals["latency_s"], "s")
    joules, joule_unit = _unit(totals["energy_j"], "J")
    left.set_title(
        f"{result.workload.name} on {result.machine}, batch {totals['batch']}: "
        f"{totals['latency_s'] * scale:.3g} {unit}",
        loc="left",
    )
    right.set_title(f"{totals['energy_j'] * joules:.3g} {joule_unit}", loc="left")
    return figure


def _unit(largest: float, unit: str) -> tuple[float, str]:
    for scale, prefix in ((1.0, ""), (1e3, "m"), (1e6, "µ"), (1e9, "n")):
        if largest * scale >= 1:
            return scale, prefix + unit
    return 1e12, "p" + unit
