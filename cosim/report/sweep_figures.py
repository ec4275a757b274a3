"""Figures of sweeps: fronts, many columns at once, two parameters, and what a search reached.

Each figure is a function from a data frame (or a front) to axes; the frame's CSV holds the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cosim.explore.outputs import label, readable, short_names
from cosim.report.style import PALETTE, colours, log_axis, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cosim.explore.fronts import Front

FAINT = "#999999"
DECADES = 1.0
KNEE_LINES = 6


def pareto_front(front: Front, axes: Axes) -> Axes:
    """First two objectives: other points faint, the front, the knee named; a third objective is the colour."""
    x, y = (name.removeprefix("-") for name in front.objectives[:2])
    axes.scatter(
        front.cloud[:, 0],
        front.cloud[:, 1],
        s=4,
        color=FAINT,
        alpha=0.25,
        linewidths=0,
        label="dominated",
        rasterized=True,
    )
    xs = np.array([row[x] for row in front.rows], dtype=np.float64)
    ys = np.array([row[y] for row in front.rows], dtype=np.float64)
    if len(front.objectives) == 2:
        axes.step(xs, ys, where="post", color=PALETTE[0], linewidth=1.2)
        axes.scatter(xs, ys, s=14, color=PALETTE[0], zorder=3, label=f"front ({len(xs)} points)")
    else:
        _third_objective(front, xs, ys, axes)
    best = front.rows[front.knee]
    axes.scatter(
        [best[x]], [best[y]], s=70, facecolors="none", edgecolors=PALETTE[3], linewidths=1.8, zorder=4
    )
    _scale(axes, front.cloud[:, 0], "x")
    _scale(axes, front.cloud[:, 1], "y")
    _name_the_knee(front, axes)
    axes.set_xlabel(label(x))
    axes.set_ylabel(label(y))
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    return axes


def _third_objective(front: Front, xs: np.ndarray, ys: np.ndarray, axes: Axes) -> None:
    from matplotlib.colors import LogNorm

    third = front.objectives[2].removeprefix("-")
    values = np.array([row[third] for row in front.rows], dtype=np.float64)
    norm = LogNorm() if values.min() > 0 and values.max() > 10 * values.min() else None
    drawn = axes.scatter(xs, ys, s=22, c=values, cmap="viridis", norm=norm, zorder=3)
    if axes.figure is not None:
        axes.figure.colorbar(drawn, ax=axes, label=label(third))


def _scale(axes: Axes, values: np.ndarray, which: str) -> None:
    """Logarithmic where the values span more than a decade and none is zero."""
    low, high = float(values.min()), float(values.max())
    if low > 0 and high > 10**DECADES * low:
        log_axis(axes, which, high / low)


def _name_the_knee(front: Front, axes: Axes) -> None:
    best = front.rows[front.knee]
    x, y = (name.removeprefix("-") for name in front.objectives[:2])
    plain = {name.removeprefix("-") for name in front.objectives}
    names = [n for n in front.varying() if n not in plain and best.get(n) is not None]
    short = short_names(names)
    lines = [f"{short[n]} = {readable(n, best[n])}" for n in names]
    text = "\n".join(["knee", *lines[:KNEE_LINES], *(["…"] if len(lines) > KNEE_LINES else [])])
    axes.annotate(
        text,
        (best[x], best[y]),
        xytext=(0.97, 0.97),
        textcoords="axes fraction",
        fontsize=7.5,
        ha="right",
        va="top",
        multialignment="left",
        arrowprops={"arrowstyle": "-", "color": PALETTE[3], "linewidth": 0.8},
        bbox={"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": "#cccccc", "linewidth": 0.6},
        zorder=5,
    )


def front_figure(front: Front) -> Figure:
    """The front of a sweep in its first two objectives; raises ``ValueError`` for fewer than two."""
    if len(front.objectives) < 2:
        raise ValueError(f"a picture of a front needs two objectives, found {list(front.objectives)}")
    figure = new_figure(6.8, 4.6)
    axes = figure.subplots()
    pareto_front(front, axes)
    kind = "points" if front.tried_on == 1 else "designs"
    axes.set_title(f"{len(front.rows)} of {front.considered:,} {kind} are not dominated", loc="left")
    return figure


def parallel_coordinates(frame: pd.DataFrame, columns: Sequence[str], by: str, axes: Axes) -> Axes:
    """One line a row of ``frame`` across ``columns``, each on its own scale, coloured by the column ``by``.

    Words are spread in order of appearance; numbers that span over a decade are on a logarithmic scale.
    """
    positions = np.column_stack([_positions(frame[name]) for name in columns])
    order = np.argsort(frame[by].to_numpy(), kind="stable")[::-1]
    # By rank: a single slow design would leave one colour for all others.
    shades = _shades(frame[by].rank(pct=True).to_numpy(dtype=np.float64))
    # Lines of equal words and numbers lie on each other; a small fixed shift keeps them apart.
    shift = np.random.default_rng(0).uniform(-0.008, 0.008, positions.shape)
    for row in order:
        axes.plot(
            range(len(columns)), positions[row] + shift[row], color=shades[row], linewidth=0.9, alpha=0.75
        )
    short = short_names(list(columns))
    for index, name in enumerate(columns):
        axes.axvline(index, color="#666666", linewidth=0.8, zorder=0)
        _write_scale(frame[name], index, axes)
    axes.set_xticks(range(len(columns)), [short[name] for name in columns], rotation=20, ha="right")
    axes.set_yticks([])
    axes.set_xlim(-0.3, len(columns) - 0.2)
    axes.set_ylim(-0.07, 1.07)
    axes.spines["left"].set_visible(False)
    return axes


def _shades(positions: np.ndarray) -> np.ndarray:
    from matplotlib import colormaps

    return np.asarray(colormaps["viridis"](0.92 * positions))


def _positions(values: pd.Series) -> np.ndarray:
    """Places of the values on an axis from 0 to 1."""
    if values.dtype.kind not in "fiu":
        texts = _texts(values)
        words = list(dict.fromkeys(texts))
        return np.array([words.index(text) for text in texts]) / max(1, len(words) - 1)
    numbers = values.to_numpy(dtype=np.float64)
    low, high = np.nanmin(numbers), np.nanmax(numbers)
    if low > 0 and high > 10**DECADES * low:
        numbers, low, high = np.log(numbers), np.log(low), np.log(high)
    if high == low:
        return np.full(len(numbers), 0.5)
    return np.asarray(np.nan_to_num((numbers - low) / (high - low), nan=-0.05))


def _texts(values: pd.Series) -> list[str]:
    """Words of a column; a dash where a machine has none."""
    return [str(value) if isinstance(value, str) else "–" for value in values]


def _write_scale(values: pd.Series, at: float, axes: Axes) -> None:
    style: dict[str, Any] = {"fontsize": 7, "va": "center", "ha": "left", "color": "#222222", "zorder": 5}
    style["bbox"] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.6}
    if values.dtype.kind not in "fiu":
        words = list(dict.fromkeys(_texts(values)))
        for index, word in enumerate(words):
            axes.text(at + 0.04, index / max(1, len(words) - 1), word, **style)
        return
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    axes.text(at + 0.04, 1.04, readable(str(values.name), high), **style)
    axes.text(at + 0.04, -0.04, readable(str(values.name), low), **style)


def parallel_figure(front: Front) -> Figure:
    """The designs of a front across what differs between them and their objectives."""
    columns = front.varying()
    figure = new_figure(max(6.8, 1.15 * len(columns)), 4.4)
    axes = figure.subplots()
    first = front.objectives[0].removeprefix("-")
    parallel_coordinates(front.frame(), columns, first, axes)
    axes.set_title(
        f"{len(front.rows)} designs that are not dominated, coloured by {label(first)}", loc="left"
    )
    return figure


def heat_map(frame: pd.DataFrame, x: str, y: str, value: str, axes: Axes) -> Axes:
    """The best (lowest) ``value`` for each pair of ``x`` and ``y``; the best cell of all is marked.

    ``frame`` has those three columns; both parameters are shown as categories in ascending order.
    """
    from matplotlib.colors import LogNorm

    table = frame.pivot_table(index=y, columns=x, values=value, aggfunc="min")
    cells = table.to_numpy(dtype=np.float64)
    low, high = np.nanmin(cells), np.nanmax(cells)
    norm = LogNorm(low, high) if low > 0 and high > 10**DECADES * low else None
    drawn = axes.imshow(cells, origin="lower", aspect="auto", cmap="viridis_r", norm=norm)
    row, column = np.unravel_index(np.nanargmin(cells), cells.shape)
    axes.scatter([column], [row], marker="*", s=90, color="white", edgecolors="black", linewidths=0.8)
    for index, names in ((0, table.columns), (1, table.index)):
        texts = [readable((x, y)[index], n) for n in names]
        (axes.set_xticks if index == 0 else axes.set_yticks)(range(len(texts)), texts)
    axes.tick_params(axis="x", labelrotation=45)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    if axes.figure is not None:
        axes.figure.colorbar(drawn, ax=axes, label=f"lowest {label(value)}")
    return axes


def heat_map_figure(frame: pd.DataFrame, x: str, y: str, value: str) -> Figure:
    """A heat map of two parameters on its own."""
    figure = new_figure(6.4, 4.4)
    axes = figure.subplots()
    heat_map(frame, x, y, value, axes)
    axes.set_title("the best over everything else; the star is the best of all", loc="left", fontsize=9)
    return figure


def hypervolume_curves(frame: pd.DataFrame, axes: Axes) -> Axes:
    """Share of the hypervolume against evaluations: the mean over seeds as a line, their spread as a band.

    ``frame`` has the columns ``method``, ``seed``, ``evaluations`` and ``hypervolume``.
    """
    methods = list(dict.fromkeys(frame["method"]))
    palette = colours(methods)
    for method in methods:
        part = frame[frame["method"] == method].groupby("evaluations")["hypervolume"]
        mean, low, high = part.mean(), part.min(), part.max()
        axes.plot(mean.index, mean, color=palette[method], linewidth=1.5, label=method)
        axes.fill_between(mean.index, low, high, color=palette[method], alpha=0.18, linewidth=0)
    axes.axhline(1.0, color="#666666", linewidth=0.8, linestyle="--")
    log_axis(axes, "x", frame["evaluations"].max() / frame["evaluations"].min())
    axes.set_xlabel("evaluations")
    axes.set_ylabel("hypervolume, share of the front's")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return axes


def hypervolume_figure(frame: pd.DataFrame, exact: bool) -> Figure:
    """What each search reached; ``exact`` if the share is of the true front."""
    figure = new_figure(6.4, 4.2)
    axes = figure.subplots()
    hypervolume_curves(frame, axes)
    of = "of the whole space" if exact else "of everything looked at"
    axes.set_title(f"dashed: the front {of}", loc="left", fontsize=9)
    return figure
