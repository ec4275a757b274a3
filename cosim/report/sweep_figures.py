"""Figures of sweeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cosim.ir.columns import COLUMNS
from cosim.report.style import PALETTE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cosim.explore.fronts import Front

UNITS = {"edp_js": "Js", "images_per_s": "images/s", "average_power_w": "W", "macs_per_j": "MAC/J"}
CLOUD_POINTS = 20_000


def _label(name: str) -> str:
    unit = UNITS.get(name) or (COLUMNS[name].unit if name in COLUMNS else "")
    return f"{name} [{unit}]"


def pareto_front(front: Front, axes: Axes) -> Axes:
    """First two objectives: dominated points faint, the front as a stair, the knee named."""
    x, y = (name.removeprefix("-") for name in front.objectives[:2])
    cloud = front.cloud
    if len(cloud) > CLOUD_POINTS:
        cloud = cloud[np.random.default_rng(0).choice(len(cloud), CLOUD_POINTS, replace=False)]
    axes.scatter(cloud[:, 0], cloud[:, 1], s=4, color="#999999", alpha=0.25, linewidths=0, label="dominated")
    xs, ys = [row[x] for row in front.rows], [row[y] for row in front.rows]
    if len(front.objectives) == 2:
        axes.step(xs, ys, where="post", color=PALETTE[0], linewidth=1.2)
    axes.scatter(xs, ys, s=14, color=PALETTE[0], zorder=3, label=f"front ({len(xs)} points)")
    best = front.rows[front.knee]
    axes.scatter(
        [best[x]], [best[y]], s=60, facecolors="none", edgecolors=PALETTE[3], linewidths=1.6, zorder=4
    )
    names = [n for n in front.varying() if n not in (x, y)][:6]
    text = "knee\n" + "\n".join(
        f"{n} = {best[n]:g}" if isinstance(best[n], float) else f"{n} = {best[n]}" for n in names
    )
    axes.annotate(text, (best[x], best[y]), xytext=(14, 14), textcoords="offset points", fontsize=7)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(_label(x))
    axes.set_ylabel(_label(y))
    axes.legend(frameon=False, fontsize=8, loc="upper right")
    return axes


def front_figure(front: Front) -> Figure:
    """The front of a sweep in its first two objectives; raises ``ValueError`` for fewer than two."""
    if len(front.objectives) < 2:
        raise ValueError(f"a picture of a front needs two objectives, found {list(front.objectives)}")
    figure = new_figure(6.4, 4.6)
    axes = figure.subplots()
    pareto_front(front, axes)
    axes.set_title(f"{len(front.rows)} of {front.considered:,} points are not dominated", loc="left")
    return figure
