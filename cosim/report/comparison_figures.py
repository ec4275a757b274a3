"""Figures that set machines side by side: roofline, energy stacks, speed-ups, efficiency gap, waterline, heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cosim.report.style import PALETTE, colours

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SMALL = 0.02


def roofline(layers: pd.DataFrame, roofs: pd.DataFrame, axes: Axes) -> Axes:
    """Layers as points under every machine's roof.

    ``layers``: machine, intensity_macs_per_byte, macs_per_s. ``roofs``: machine, peak_macs_per_s,
    bandwidth_bytes_per_s (not-a-number for a machine without an outer memory).
    """
    palette = colours(list(roofs["machine"]))
    used = layers[layers["macs_per_s"] > 0]
    low = min(0.1, float(used["intensity_macs_per_byte"].min()) / 2) if len(used) else 0.1
    high = max(1e3, float(used["intensity_macs_per_byte"].max()) * 2) if len(used) else 1e3
    x = np.geomspace(low, high, 200)
    for row in roofs.to_dict("records"):
        machine, bandwidth = str(row["machine"]), float(row["bandwidth_bytes_per_s"])
        roof = np.full_like(x, float(row["peak_macs_per_s"]))
        if np.isfinite(bandwidth):
            roof = np.minimum(roof, x * bandwidth)
        axes.plot(x, roof, color=palette[machine], linewidth=1.4, label=machine)
        own = used[used["machine"] == machine]
        axes.scatter(
            own["intensity_macs_per_byte"],
            own["macs_per_s"],
            s=9,
            color=palette[machine],
            alpha=0.6,
            linewidths=0,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("arithmetic intensity [MAC/byte]")
    axes.set_ylabel("rate [MAC/s]")
    axes.legend(frameon=False, fontsize=7, loc="lower right")
    return axes


def energy_stack(frame: pd.DataFrame, axes: Axes) -> Axes:
    """Shares of the energy by component, one bar a machine; ``frame``: machine, component, energy_j."""
    totals = frame.groupby("machine", sort=False)["energy_j"].sum()
    share = frame.assign(share=frame["energy_j"] / frame["machine"].map(totals))
    small = share.groupby("component")["share"].max() < SMALL
    share["component"] = share["component"].where(~share["component"].map(small), "other")
    table = share.pivot_table(index="machine", columns="component", values="share", aggfunc="sum", sort=False)
    table = table.loc[list(totals.index)].fillna(0.0)
    names = [c for c in table.columns if c != "other"] + (["other"] if "other" in table.columns else [])
    palette = colours(names)
    hatches = ("", "///", "...", "xxx")
    left = np.zeros(len(table))
    labels = [f"{machine}\n{totals[machine]:.3g} J" for machine in table.index]
    for number, name in enumerate(names):
        axes.barh(
            labels,
            table[name],
            left=left,
            color="#BBBBBB" if name == "other" else palette[name],
            hatch=hatches[number // len(PALETTE) % len(hatches)],
            edgecolor="white",
            linewidth=0.4,
            label=name,
        )
        left = left + table[name].to_numpy()
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of the energy")
    axes.legend(frameon=False, fontsize=7, ncols=1, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return axes


def speedup_bars(frame: pd.DataFrame, baseline: str, axes: Axes) -> Axes:
    """Speed-up over the baseline per workload and as geometric mean.

    ``frame``: machine, workload, speedup and optionally low, high (an uncertainty interval).
    """
    workloads = list(dict.fromkeys(frame["workload"]))
    machines = list(dict.fromkeys(frame["machine"]))
    palette = colours(machines)
    width = 0.8 / len(machines)
    for number, machine in enumerate(machines):
        own = frame[frame["machine"] == machine].set_index("workload").reindex(workloads)
        position = np.arange(len(workloads)) + (number - (len(machines) - 1) / 2) * width
        error = None
        if "low" in own and own["low"].notna().any():
            error = np.vstack([own["speedup"] - own["low"], own["high"] - own["speedup"]])
        axes.bar(position, own["speedup"], width, yerr=error, color=palette[machine], label=machine)
    axes.axhline(1.0, color="black", linewidth=0.8)
    axes.set_yscale("log")
    axes.set_xticks(np.arange(len(workloads)), workloads, rotation=20, ha="right")
    axes.set_ylabel(f"speed-up over {baseline}")
    axes.legend(frameon=False, fontsize=7)
    return axes


def efficiency_gap(frame: pd.DataFrame, axes: Axes) -> Axes:
    """Ideal, roofline and actual time of every network (Lavin, arXiv 2404.03617), machines in groups.

    ``frame``: network, ideal_s (operations at peak), roofline_s (with bytes), actual_s and, for several
    machines, machine. Left of the tick the gap is the network's (low intensity), right of it the kernels'; on the
    logarithmic axis the length of a bar is the logarithm of 1 / efficiency, which is printed behind it.
    """
    rows = frame.to_dict("records")
    several = "machine" in frame and frame["machine"].nunique() > 1
    labels = [f"{r['network']}, {r['machine']}" if several else str(r["network"]) for r in rows]
    parts = (
        ("ideal_s", "roofline_s", 5, "intensity of the network"),
        ("roofline_s", "actual_s", 0, "kernels"),
    )
    for index, row in enumerate(rows):
        for left, right, colour, name in parts:
            axes.plot(
                [row[left], row[right]],
                [index, index],
                color=PALETTE[colour],
                linewidth=5,
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
        text = f" {row['ideal_s'] / row['actual_s']:.0%}"
        axes.annotate(text, (max(row["actual_s"], row["roofline_s"]), index), va="center", fontsize=8)
    axes.set_yticks(range(len(rows)), labels)
    axes.set_xscale("log")
    axes.margins(x=0.1)
    axes.invert_yaxis()
    axes.set_xlabel(
        "time [s], from operations at the peak rate to the model's; number: computational efficiency"
    )
    axes.legend(frameon=False, fontsize=7, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return axes


def waterline(frame: pd.DataFrame, ridge_macs_per_byte: float, axes: Axes) -> Axes:
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
        label="water",
    )
    axes.stairs(np.minimum(height, top), edges, fill=True, color=PALETTE[0])
    axes.axhline(ridge_macs_per_byte, color=PALETTE[3], linewidth=1.2)
    work = float(rows["macs"].sum())
    best = work / float((rows["bytes"] * np.maximum(height, ridge_macs_per_byte)).sum()) if work else 0.0
    cut = float(rows["macs"].to_numpy()[height > top].sum()) / work if work else 0.0
    text = f"ridge {ridge_macs_per_byte:.3g} MAC/byte, attainable efficiency {best:.1%}"
    text += f", {cut:.0%} of the MACs in rectangles that are cut" if cut else ""
    axes.set_title(text, fontsize=8, loc="left")
    axes.set_ylim(0, min(top, 1.05 * max(float(height.max(initial=0.0)), 1.2 * ridge_macs_per_byte)))
    axes.set_xlabel("bytes moved, cumulative [MB]")
    axes.set_ylabel("intensity [MAC/byte]")
    return axes


def utilization_map(frame: pd.DataFrame, axes: Axes) -> Axes:
    """Utilisation of MAC layers, machines down, layers across; ``frame``: machine, layer, utilization."""
    machines = list(dict.fromkeys(frame["machine"]))
    table = frame.pivot_table(index="machine", columns="layer", values="utilization", sort=False).loc[
        machines
    ]
    image = axes.imshow(
        table.to_numpy(), aspect="auto", cmap="cividis", vmin=0, vmax=1, interpolation="nearest"
    )
    axes.set_yticks(range(len(machines)), machines)
    axes.set_xlabel("layers with multiply-accumulates, in execution order")
    bar = axes.figure.colorbar(image, ax=axes, fraction=0.03)
    bar.set_label("utilisation")
    return axes


def traffic_by_level(frame: pd.DataFrame, axes: Axes) -> Axes:
    """Bytes read and written per memory level; ``frame``: machine, level, bytes."""
    table = (
        frame.pivot_table(index="machine", columns="level", values="bytes", aggfunc="sum", sort=False) / 1e6
    )
    palette = colours(list(table.columns))
    width = 0.8 / len(table.columns)
    for number, level in enumerate(table.columns):
        position = np.arange(len(table)) + (number - (len(table.columns) - 1) / 2) * width
        axes.bar(position, table[level], width, color=palette[str(level)], label=level)
    axes.set_xticks(np.arange(len(table)), list(table.index), rotation=15, ha="right")
    axes.set_yscale("log")
    axes.set_ylabel("traffic [MB]")
    axes.legend(frameon=False, fontsize=8)
    return axes
