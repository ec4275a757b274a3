"""Figures of one result: where the time and the energy of a network go, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosim.report.style import colours, new_figure
from cosim.results.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMALL = 0.01


def latency_per_layer(frame: pd.DataFrame, axes: Axes) -> Axes:
    """Bars of ``latency_s`` in execution order, coloured by ``bound``.

    ``frame`` has one row a layer with the columns ``name``, ``latency_s`` and ``bound``.
    """
    by_bound = frame.groupby("bound")["latency_s"].sum().sort_values(ascending=False)
    total = float(frame["latency_s"].sum())
    palette = colours(list(by_bound.index))
    scale, unit = _unit(float(frame["latency_s"].max()), "s")
    for bound, seconds in by_bound.items():
        rows = frame["bound"] == bound
        axes.bar(
            frame.index[rows],
            frame.loc[rows, "latency_s"] * scale,
            width=1.0,
            color=palette[str(bound)],
            label=f"{bound} ({seconds / total:.1%})",
        )
    axes.set_xlim(-0.5, len(frame) - 0.5)
    axes.set_xlabel("layer, in execution order")
    axes.set_ylabel(f"time [{unit}]")
    axes.legend(title="bound by (share of the time)", frameon=False, fontsize=8)
    return axes


def energy_by_component(energy_j: dict[str, float], axes: Axes) -> Axes:
    """Horizontal bars of energy by component, largest on top; parts below 1 % are summed as ``other``."""
    total = sum(energy_j.values())
    shown = {name: value for name, value in energy_j.items() if value >= SMALL * total}
    rest = total - sum(shown.values())
    if rest > 0:
        shown["other"] = rest
    names = list(shown)[::-1]
    scale, unit = _unit(max(shown.values()), "J")
    bars = axes.barh(names, [shown[n] * scale for n in names], color="#0072B2")
    axes.bar_label(bars, labels=[f"{shown[n] / total:.1%}" for n in names], padding=3, fontsize=8)
    axes.margins(x=0.18)
    axes.set_xlabel(f"energy [{unit}]")
    return axes


def result_figure(result: Result) -> Figure:
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
