"""Operations against operations per second: fewer operations help only as far as the rate holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cosim.report.style import colours

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def operations_and_rate(frame: pd.DataFrame, axes: Axes) -> Axes:
    """Every network as a point (operations, operations per second); along a dotted line the latency is the same.

    ``frame``: machine, network, ops, flops_per_s. Latency = operations / rate, so a point to the left of another
    (fewer operations) is faster only if it is not as far below it (Chen et al., "Run, don't walk", CVPR 2023,
    figure 1 and equation 1).
    """
    palette = colours(list(dict.fromkeys(frame["machine"])))
    for machine, own in frame.groupby("machine", sort=False):
        axes.scatter(own["ops"], own["flops_per_s"], s=28, color=palette[str(machine)], label=str(machine))
        for row in own.to_dict("records"):
            axes.annotate(
                str(row["network"]),
                (row["ops"], row["flops_per_s"]),
                (4, 3),
                textcoords="offset points",
                fontsize=7,
            )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.margins(0.15)
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    decades = range(int(np.floor(np.log10(left / top))), int(np.ceil(np.log10(right / bottom))) + 1)
    for seconds in (10.0**d for d in decades):
        axes.plot(
            [left, right], [left / seconds, right / seconds], ":", color="#BBBBBB", linewidth=0.8, zorder=0
        )
        x = min(right, top * seconds)
        if left < x and bottom < x / seconds:
            axes.annotate(
                f"{seconds:g} s", (x, x / seconds), ha="right", va="top", fontsize=7, color="#777777"
            )
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.set_xlabel("operations of the network [FLOP]")
    axes.set_ylabel("rate reached [FLOP/s]")
    axes.legend(frameon=False, fontsize=7, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return axes
