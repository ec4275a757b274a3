"""Parts of figures in which published and simulated values differ by more than their colour.

Published: hollow and hatched bars, open circles on dashed lines. Simulated: full bars, filled marks on full lines;
an interval is a whisker. Every function draws into axes, so that a figure can have several panels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cosim.report.style import PALETTE

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

Span = tuple[float, float]
PUBLISHED, SIMULATED = "published", "simulated"
_MARKS = ("s", "^", "D", "v", "P", "X")
_HATCHES = ("", "..", "xx", "++")


def paired_bars(
    axes: Axes,
    names: Sequence[str],
    published: Sequence[float | None],
    simulated: Sequence[float | None],
    spans: Sequence[Span | None] = (),
) -> None:
    """Two bars a name; ``spans`` are the intervals of the simulated ones. None leaves a bar out."""
    width = 0.38
    for place, (printed, found) in enumerate(zip(published, simulated, strict=True)):
        if printed is not None:
            axes.bar(
                place - width / 2, printed, width, facecolor="white", edgecolor="black", hatch="////",
                label=PUBLISHED,
            )  # fmt: skip
        if found is not None:
            axes.bar(place + width / 2, found, width, color=PALETTE[0], label=SIMULATED)
    for place, span in enumerate(spans):
        if span is not None:
            _whisker(axes, place + width / 2, span)
    _names(axes, names)
    one_legend(axes)


def solid_bars(axes: Axes, names: Sequence[str], series: Mapping[str, Sequence[float]]) -> None:
    """Simulated values in groups: one group for each name, one colour and edge for each series."""
    width = 0.8 / max(len(series), 1)
    for number, (label, values) in enumerate(series.items()):
        places = [i + (number - (len(series) - 1) / 2) * width for i in range(len(names))]
        axes.bar(
            places, list(values), width, color=PALETTE[number % len(PALETTE)], edgecolor="white", linewidth=0,
            hatch=_HATCHES[number % len(_HATCHES)], label=label,
        )  # fmt: skip
    _names(axes, names)
    one_legend(axes)


def ranges(
    axes: Axes,
    names: Sequence[str],
    published: Sequence[float | None],
    spans: Sequence[Span | None],
    simulated: Sequence[float | None],
) -> None:
    """One line a name, the first on top: the simulated interval with a mark, and the published value as a circle."""
    for place, (printed, span, found) in enumerate(
        zip(reversed(published), reversed(spans), reversed(simulated), strict=True)
    ):
        if span is not None:
            axes.plot(span, [place, place], color=PALETTE[5], linewidth=6, solid_capstyle="butt", zorder=1)
        if found is not None:
            axes.plot(
                [found], [place], "s", color=PALETTE[0], markersize=5, label=f"{SIMULATED}, with interval"
            )
        if printed is not None:
            axes.plot(
                [printed], [place], "o", markerfacecolor="none", markeredgecolor="black", markersize=9,
                markeredgewidth=1.5, label=PUBLISHED,
            )  # fmt: skip
    axes.set_yticks(range(len(names)), list(reversed(names)), fontsize=8)
    axes.set_ylim(-0.6, len(names) - 0.4)
    one_legend(axes)


def curves(
    axes: Axes,
    x: Sequence[float],
    published: Mapping[str, Sequence[float | None]],
    simulated: Mapping[str, Sequence[float]],
) -> None:
    """Lines over common places: dashed with open circles, full with filled marks; a colour for each name."""
    names = list(dict.fromkeys((*published, *simulated)))
    colour = {name: PALETTE[number % (len(PALETTE) - 2)] for number, name in enumerate(names)}
    for name, values in published.items():
        kept = [(place, value) for place, value in zip(x, values, strict=True) if value is not None]
        axes.plot(
            [place for place, _ in kept], [value for _, value in kept], "o--", markerfacecolor="white",
            markersize=6, color=colour[name], label=f"{name}, {PUBLISHED}" if name else PUBLISHED,
        )  # fmt: skip
    for number, (name, found) in enumerate(simulated.items()):
        axes.plot(
            list(x), list(found), f"{_MARKS[number % len(_MARKS)]}-", markersize=5, color=colour[name],
            label=f"{name}, {SIMULATED}" if name else SIMULATED,
        )  # fmt: skip
    one_legend(axes)


def one_legend(axes: Axes, columns: int = 1, where: Any = "best") -> None:
    """A legend with every label once."""
    handles: dict[str, Artist] = {}
    for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
        handles.setdefault(label, handle)
    if handles:
        axes.legend(
            list(handles.values()),
            list(handles),
            frameon=False,
            fontsize=7.5,
            ncols=columns,
            loc=where,
        )


def _whisker(axes: Axes, place: float, span: Span) -> None:
    axes.plot([place, place], list(span), color="black", linewidth=1.0)
    for end in span:
        axes.plot([place - 0.07, place + 0.07], [end, end], color="black", linewidth=1.0)


def _names(axes: Axes, names: Sequence[str]) -> None:
    longest = max((len(line) for name in names for line in name.split("\n")), default=0)
    axes.set_xticks(range(len(names)), list(names), fontsize=8)
    if longest * len(names) > 60:
        for label in axes.get_xticklabels():
            label.set(rotation=30, horizontalalignment="right", rotation_mode="anchor")
