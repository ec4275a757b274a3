"""Figures of rates and bounds: roofline, efficiency gap, waterline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cosim.report.marks import Marks, add_box, add_point
from cosim.report.style import MARKERS, PALETTE, colours, log_axis

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def roofline(layers: pd.DataFrame, roofs: pd.DataFrame, axes: Axes, marks: Marks | None = None) -> Axes:
    """Layers as points under every machine's roof; machines differ by colour and by the shape of their points.

    ``layers``: machine, intensity_macs_per_byte, macs_per_s. ``roofs``: machine, peak_macs_per_s,
    bandwidth_bytes_per_s (not-a-number for a machine without an outer memory).
    """
    machines = [str(machine) for machine in roofs["machine"]]
    palette = colours(machines)
    used = layers[layers["macs_per_s"] > 0]
    low = min(0.1, float(used["intensity_macs_per_byte"].min()) / 2) if len(used) else 0.1
    high = max(1e3, float(used["intensity_macs_per_byte"].max()) * 2) if len(used) else 1e3
    for number, row in enumerate(roofs.to_dict("records")):
        machine, bandwidth, peak = (
            machines[number],
            float(row["bandwidth_bytes_per_s"]),
            row["peak_macs_per_s"],
        )
        shape = MARKERS[number % len(MARKERS)]
        bends = [low, high]
        if np.isfinite(bandwidth) and low < peak / bandwidth < high:
            bends = [low, peak / bandwidth, high]
        roof = np.minimum(peak, np.array(bends) * bandwidth) if np.isfinite(bandwidth) else [peak] * 2
        axes.plot(bends, roof, color=palette[machine], linewidth=1.4)
        own = used[used["machine"] == machine]
        axes.scatter(
            own["intensity_macs_per_byte"],
            own["macs_per_s"],
            s=13,
            marker=shape,
            color=palette[machine],
            alpha=0.6,
            linewidths=0,
        )
        axes.plot([], [], color=palette[machine], marker=shape, markersize=4, linewidth=1.4, label=machine)
    for index, x, y in zip(used.index, used["intensity_macs_per_byte"], used["macs_per_s"], strict=True):
        add_point(marks, int(index), x, y)
    rates = [*used["macs_per_s"], *roofs["peak_macs_per_s"]]
    log_axis(axes, "x", high / low)
    log_axis(axes, "y", max(rates) / min(rates))
    axes.set_xlabel("arithmetic intensity [MAC/byte]")
    axes.set_ylabel("rate [MAC/s]")
    axes.grid(True, which="major", color="#999999", alpha=0.25, linewidth=0.6)
    axes.legend(frameon=False, fontsize=8, ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return axes


def efficiency_gap(frame: pd.DataFrame, axes: Axes, marks: Marks | None = None) -> Axes:
    """Ideal, roofline and actual time of every network (Lavin, arXiv 2404.03617), machines in groups.

    ``frame``: network, ideal_s (operations at peak), roofline_s (with bytes), actual_s and, for several
    machines, machine. Left of the tick the gap is the network's (low intensity), right of it the kernels'; on the
    logarithmic axis the length of a bar is the logarithm of 1 / efficiency, which is printed behind it.
    """
    rows = frame.to_dict("records")
    several = "machine" in frame and frame["machine"].nunique() > 1
    labels = [f"{r['network']}, {r['machine']}" if several else str(r["network"]) for r in rows]
    parts = (
        ("ideal_s", "roofline_s", 5, 4.0, "intensity of the network"),
        ("roofline_s", "actual_s", 0, 8.0, "kernels"),
    )
    for index, row in enumerate(rows):
        for left, right, colour, thickness, name in parts:
            axes.plot(
                [row[left], row[right]],
                [index, index],
                color=PALETTE[colour],
                linewidth=thickness,
                solid_capstyle="butt",
                label=name if index == 0 else None,
            )
        axes.plot(
            [row["roofline_s"]],
            [index],
            marker="|",
            markersize=14,
            color=PALETTE[3],
            markeredgewidth=2,
            linestyle="",
            label="roofline" if index == 0 else None,
        )
        end = max(row["actual_s"], row["roofline_s"])
        axes.annotate(
            f"{100 * row['ideal_s'] / row['actual_s']:.2g} %",
            (end, index),
            (7, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
        add_box(marks, index, row["ideal_s"], index - 0.4, end, index + 0.4)
    axes.set_yticks(range(len(rows)), labels)
    log_axis(axes, "x", max(r["actual_s"] for r in rows) / min(r["ideal_s"] for r in rows))
    axes.margins(x=0.1, y=0.02)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel(
        "time [s], from operations at the peak rate to the model's; number: computational efficiency"
    )
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return axes


def waterline(
    frame: pd.DataFrame, ridge_macs_per_byte: float, axes: Axes, marks: Marks | None = None
) -> Axes:
    """Kernels as rectangles of width bytes and height intensity, with the water at the ridge.

    ``frame``: bytes, macs, in execution order (Lavin, arXiv 2404.03617). Axes are linear, so the area of a
    rectangle is its MACs and the area under max(intensity, ridge) the time of a perfectly overlapped sequence
    times the peak rate. Rectangles above six times the ridge are cut, with their share of the MACs said.
    """
    rows = frame[frame["bytes"] > 0]
    width = rows["bytes"].to_numpy() / 1e6
    height = (rows["macs"] / rows["bytes"]).to_numpy()
    edges = np.concatenate([[0.0], np.cumsum(width)])
    top = max(6.0 * ridge_macs_per_byte, 1e-9)
    # One outline for all rectangles: hundreds of separate ones would be most of a report's size.
    axes.stairs(
        np.maximum(height, ridge_macs_per_byte),
        edges,
        baseline=height,
        fill=True,
        color=PALETTE[5],
        alpha=0.45,
        label="water (waiting for the memory)",
    )
    axes.stairs(np.minimum(height, top), edges, fill=True, color=PALETTE[0], label="kernels")
    axes.axhline(ridge_macs_per_byte, color=PALETTE[3], linewidth=1.2)
    work = float(rows["macs"].sum())
    best = work / float((rows["bytes"] * np.maximum(height, ridge_macs_per_byte)).sum()) if work else 0.0
    cut = float(rows["macs"].to_numpy()[height > top].sum()) / work if work else 0.0
    text = f"ridge {ridge_macs_per_byte:.3g} MAC/byte, attainable efficiency {100 * best:.3g} %"
    text += f", {cut:.0%} of the MACs in rectangles that are cut" if cut else ""
    axes.set_title(text, fontsize=8, loc="left")
    axes.set_ylim(0, min(top, 1.05 * max(float(height.max(initial=0.0)), 1.2 * ridge_macs_per_byte)))
    axes.set_xlim(0, edges[-1])
    for place, index in enumerate(rows.index):
        add_box(marks, int(index), edges[place], 0.0, edges[place + 1], top)
    axes.set_xlabel("bytes moved, cumulative [MB]")
    axes.set_ylabel("intensity [MAC/byte]")
    axes.legend(
        frameon=False, fontsize=7.5, ncols=2, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderpad=0
    )
    return axes
