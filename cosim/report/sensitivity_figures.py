"""Figures of uncertainty: the tornado."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosim.report.style import PALETTE, log_axis, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cosim.explore.sensitivity import Sensitivity

LOG_FROM = 5.0
VISIBLE = 1.01


def tornado(frame: pd.DataFrame, axes: Axes) -> Axes:
    """Bars from the result at the lowest to that at the highest value of each parameter, the widest on top.

    ``frame`` has a row a parameter with the columns ``parameter``, ``low``, ``high``, ``unit``, ``at_low``,
    ``at_high`` and ``nominal``.
    """
    shown = frame.iloc[::-1]
    nominal = float(shown["nominal"].iloc[0])
    for end, colour in (("low", PALETTE[0]), ("high", PALETTE[1])):
        reach = shown[f"at_{end}"] - nominal
        axes.barh(
            shown["parameter"],
            reach,
            left=nominal,
            color=colour,
            height=0.62,
            label=f"{end} end of the range",
        )
    axes.axvline(nominal, color="#333333", linewidth=0.9)
    ends = [float(shown[["at_low", "at_high"]].min().min()), float(shown[["at_low", "at_high"]].max().max())]
    if ends[0] > 0 and ends[1] > LOG_FROM * ends[0]:
        log_axis(axes, "x", ends[1] / ends[0])
    for index, (_, row) in enumerate(shown.iterrows()):
        text = f" {row['low']:.3g} … {row['high']:.3g} {row['unit']}"
        axes.text(
            max(row["at_low"], row["at_high"], nominal), index, text, va="center", fontsize=7, color="#444444"
        )
    axes.margins(x=0.3, y=0.02)
    # The narrow bars are at the bottom, so the wider side of the line is free there.
    place = float(axes.transAxes.inverted().transform(axes.transData.transform((nominal, 0)))[0])
    axes.legend(frameon=False, fontsize=8, loc="lower left" if place > 0.5 else "lower right")
    return axes


def tornado_figure(found: Sensitivity, rows: int) -> Figure:
    """The widest ``rows`` swings that move the result at all; with a baseline a line at 1, where the two tie."""
    table = found.frame()
    frame = table[(table["factor"] > VISIBLE) | (table.index == 0)].head(rows)
    question = found.question
    figure = new_figure(8.2, 1.3 + 0.26 * len(frame))
    axes = figure.subplots()
    tornado(frame, axes)
    own = question.side.machine.name
    units = {"latency": "s", "energy": "J", "edp": "J s"}
    if question.other is None:
        axes.set_xlabel(f"{question.metric} [{units[question.metric]}]")
        axes.set_title(f"{question.network.name} on {own}, one parameter at a time", loc="left")
    else:
        axes.axvline(1.0, color=PALETTE[3], linewidth=1.0, linestyle="--")
        axes.set_xlabel(
            f"{question.metric} of {question.other.machine.name} over that of {own} (dashed: a tie)"
        )
        axes.set_title(
            f"{question.network.name} on {own} against {question.other.machine.name}, one parameter at a time",
            loc="left",
        )
    return figure
