"""Figures of published hardware results; published and simulated values differ by shape and hatching, not by colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cosim.report.style import PALETTE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PUBLISHED, SIMULATED = "published", "simulated"
_HATCHES = ("", "xx", "..", "\\\\\\")


def pair_bars(
    axes: Axes,
    names: Sequence[str],
    published: Sequence[float | None],
    simulated: Mapping[str, Sequence[float | None]],
    unit: str,
    log: bool = False,
    slant: bool | None = None,
) -> None:
    """Published values as hatched outlines, one filled bar beside each for every simulated series.

    ``None`` leaves a gap; ``slant``: labels at an angle, by their length if not stated.
    Raises ``ValueError`` for series of different lengths.
    """
    for label, values in {PUBLISHED: published, **simulated}.items():
        if len(values) != len(names):
            raise ValueError(f"{label}: found {len(values)} values, allowed {len(names)}, one for each name")
    count = 1 + len(simulated)
    width = 0.8 / count
    first = -0.5 * (count - 1) * width
    axes.bar(
        *_shown(published, first), width, label=PUBLISHED, facecolor="white", edgecolor="black", hatch="////",
        linewidth=0.8,
    )  # fmt: skip
    for number, (label, values) in enumerate(simulated.items()):
        axes.bar(
            *_shown(values, first + (number + 1) * width), width, label=label, color=PALETTE[number],
            edgecolor="black", linewidth=0.5, hatch=_HATCHES[number % len(_HATCHES)],
        )  # fmt: skip
    slanted = max(len(name) for name in names) * len(names) > 60 if slant is None else slant
    axes.set_xticks(
        range(len(names)), list(names), rotation=35 if slanted else 0, ha="right" if slanted else "center",
        rotation_mode="anchor" if slanted else "default", fontsize=8,
    )  # fmt: skip
    if log:
        axes.set_yscale("log")
    axes.set_ylabel(unit)
    axes.legend(frameon=False, fontsize=8)


def _shown(values: Sequence[float | None], offset: float) -> tuple[list[float], list[float]]:
    """Places and heights of the bars that are there."""
    there = [(i + offset, value) for i, value in enumerate(values) if value is not None]
    return [place for place, _ in there], [value for _, value in there]


def pair_bars_figure(
    title: str,
    unit: str,
    names: Sequence[str],
    published: Sequence[float | None],
    simulated: Sequence[float | None],
    log: bool = False,
    width_in: float = 7.0,
) -> Figure:
    """One panel of :func:`pair_bars`."""
    figure = new_figure(width_in, 3.6)
    axes = figure.add_subplot()
    pair_bars(axes, names, published, {SIMULATED: simulated}, unit, log)
    axes.set_title(title)
    return figure


def pair_points(
    axes: Axes,
    published: Sequence[tuple[float, float]],
    simulated: Sequence[tuple[float, float]],
    colour: str,
    marker: str = "o",
    label: str = "",
) -> None:
    """Published points as hollow marks, simulated ones as filled marks, a thin line between the two of a pair."""
    for (x_a, y_a), (x_b, y_b) in zip(published, simulated, strict=True):
        axes.plot((x_a, x_b), (y_a, y_b), color=colour, linewidth=0.6, alpha=0.7, zorder=1)
    x, y = zip(*published, strict=True)
    axes.plot(x, y, marker, mfc="white", mec=colour, mew=1.2, markersize=6, zorder=2)
    x, y = zip(*simulated, strict=True)
    axes.plot(x, y, marker, mfc=colour, mec="black", mew=0.4, markersize=4.5, zorder=3, label=label or None)


def pair_legend(axes: Axes, loc: str = "best", outside: bool = False) -> None:
    """A legend that starts with what hollow and filled marks mean; ``outside``: to the right of the axes."""
    axes.plot([], [], "o", mfc="white", mec="black", mew=1.2, markersize=6, label=PUBLISHED)
    axes.plot([], [], "o", mfc="black", mec="black", markersize=4.5, label=SIMULATED)
    handles, labels = axes.get_legend_handles_labels()
    order = [*range(len(handles) - 2, len(handles)), *range(len(handles) - 2)]
    where = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)} if outside else {"loc": loc}
    axes.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        frameon=False,
        fontsize=7,
        **where,
    )


def interval_figure(
    title: str,
    label: str,
    names: Sequence[str],
    intervals: Sequence[tuple[float, float]],
    published: float,
    published_label: str,
) -> Figure:
    """A horizontal bar from low to high for each interval on a logarithmic axis, the published value as a line."""
    figure = new_figure(7.0, 1.5 + 0.29 * len(names))
    axes = figure.add_subplot()
    for place, (low, high) in enumerate(reversed(intervals)):
        holds = low <= published <= high
        axes.barh(
            place, high - low, left=low, height=0.5, color=PALETTE[5] if holds else PALETTE[3], edgecolor="black",
            linewidth=0.6, hatch="" if holds else "xx",
        )  # fmt: skip
        for x, side in ((low, "right"), (high, "left")):
            axes.annotate(
                f"{x:.0f}" if x >= 10 else f"{x:.2g}", (x, place), (-3 if side == "right" else 3, 0),
                textcoords="offset points", ha=side, va="center", fontsize=7,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            )  # fmt: skip
    axes.axvline(published, color="black", linestyle="--", linewidth=1.2, label=published_label)
    axes.set_xscale("log")
    low, high = min(low for low, _ in intervals), max(high for _, high in intervals)
    low, high = min(low, published), max(high, published)
    margin = (high / low) ** 0.17
    axes.set_xlim(low / margin, high * margin)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_yticks(range(len(names)), list(reversed(names)), fontsize=8)
    axes.set_xlabel(label)
    axes.set_title(title, loc="right", fontsize=10)
    figure.legend(frameon=False, fontsize=8, loc="outside lower left")
    return figure


def spread_figure(
    title: str,
    label: str,
    names: Sequence[str],
    spreads: Sequence[tuple[float, float]],
    published: Sequence[float],
    simulated: Sequence[tuple[float | None, float | None]],
    labels: tuple[str, str, str],
) -> Figure:
    """On a logarithmic axis: a grey bar for the published spread, a hollow mark for the value, filled marks simulated.

    ``simulated``: the ends of an interval, twice the same for a single value; ``labels`` of bar, hollow, filled marks.
    """
    figure = new_figure(7.0, 1.6 + 0.34 * len(names))
    axes = figure.add_subplot()
    places = [len(names) - 1 - i for i in range(len(names))]
    lows, highs = zip(*spreads, strict=True)
    widths = [high - low for low, high in spreads]
    axes.barh(places, widths, left=lows, height=0.55, color="#D9D9D9", edgecolor="grey", label=labels[0])
    axes.plot(
        published, places, "D", mfc="white", mec="black", mew=1.2, markersize=7, linestyle="", label=labels[1]
    )
    first = True
    for place, ends in zip(places, simulated, strict=True):
        known = [end for end in ends if end is not None]
        axes.plot(
            known, [place] * len(known), "o-", color=PALETTE[0], markersize=5, linewidth=2,
            label=labels[2] if first else None,
        )  # fmt: skip
        first = False
    axes.axvline(1.0, color="black", linewidth=0.6)
    axes.set_xscale("log")
    axes.set_xlim(0.5 * min(lows), 2.0 * max(highs))
    axes.set_yticks(places, list(names), fontsize=8)
    axes.set_xlabel(label)
    axes.set_title(title, loc="right", fontsize=10)
    figure.legend(frameon=False, fontsize=8, loc="outside lower left", ncols=2)
    return figure
