"""Figures that set machines side by side: speed-ups, stacks of time and energy, utilisation, memory traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cosim.report.marks import Marks, add_box
from cosim.report.style import HATCHES, PALETTE, colours, log_axis
from cosim.results.text import si

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

OTHER = "other"
OTHER_COLOUR = "#BBBBBB"
# Width of a letter at the size of the labels inside bars, as a share of the bar of a figure 9 inches wide.
LETTER = 0.011
HATCH_WIDTH = 0.5


def speedup_bars(frame: pd.DataFrame, baseline: str, axes: Axes, marks: Marks | None = None) -> Axes:
    """Speed-up over the baseline per workload and as geometric mean: bars from the tie at 1, up or down.

    ``frame``: machine, workload, speedup and optionally low, high (an interval, drawn as a line; the stated
    value may lie outside it).
    """
    workloads = list(dict.fromkeys(frame["workload"]))
    machines = list(dict.fromkeys(frame["machine"]))
    palette = colours(machines)
    width = 0.8 / len(machines)
    place = {
        (machine, workload): column + (row - (len(machines) - 1) / 2) * width
        for row, machine in enumerate(machines)
        for column, workload in enumerate(workloads)
    }
    lowest, highest = (float(f(frame[["speedup", "low", "high"]].stack())) for f in (np.min, np.max))
    log_axis(axes, "y", max(highest, 1.0) / min(lowest, 1.0))
    for number, machine in enumerate(machines):
        own = frame[frame["machine"] == machine]
        axes.bar(
            [place[machine, workload] for workload in own["workload"]],
            own["speedup"] - 1.0,
            width,
            bottom=1.0,
            color=palette[machine],
            hatch=_hatch(number),
            edgecolor="#FFFFFF",
            linewidth=HATCH_WIDTH,
            label=machine,
        )
    for index, row in enumerate(frame.to_dict("records")):
        middle = place[row["machine"], row["workload"]]
        ends = sorted((1.0, row["speedup"]))
        if "low" in frame and np.isfinite(row["low"]):
            axes.plot(
                [middle] * 2,
                [row["low"], row["high"]],
                color="#000000",
                linewidth=1.1,
                marker="_",
                markersize=4,
            )
            ends = [min(ends[0], row["low"]), max(ends[1], row["high"])]
        add_box(marks, index, middle - width / 2, ends[0], middle + width / 2, ends[1])
    axes.axhline(1.0, color="#000000", linewidth=0.8)
    if workloads[-1] == "geometric mean" and len(workloads) > 1:
        axes.axvline(len(workloads) - 1.5, color="#999999", linewidth=0.8, linestyle=":")
    axes.set_xticks(np.arange(len(workloads)), workloads, rotation=12 if len(workloads) > 4 else 0)
    axes.set_xlim(-0.5, len(workloads) - 0.5)
    axes.set_ylabel(f"speed-up over {baseline}")
    axes.legend(frameon=False, fontsize=8, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return axes


def _hatch(number: int) -> str:
    return HATCHES[number % len(HATCHES)]


def energy_stack(frame: pd.DataFrame, axes: Axes, marks: Marks | None = None) -> Axes:
    """Shares of the energy by component, one bar a machine; ``frame``: machine, component, energy_j, share."""
    totals = {machine: si(joules, "J") for machine, joules in _totals(frame, "energy_j").items()}
    _stack(frame, "component", totals, axes, marks)
    axes.set_xlabel("share of the energy")
    return axes


def time_stack(frame: pd.DataFrame, axes: Axes, marks: Marks | None = None) -> Axes:
    """Shares of the time by what bounds the layers, one bar a machine; ``frame``: machine, bound, latency_s, share."""
    totals = {machine: si(seconds, "s") for machine, seconds in _totals(frame, "latency_s").items()}
    _stack(frame, "bound", totals, axes, marks)
    axes.set_xlabel("share of the time")
    return axes


def _totals(frame: pd.DataFrame, value: str) -> dict[str, float]:
    return {str(m): float(total) for m, total in frame.groupby("machine", sort=False)[value].sum().items()}


def _stack(frame: pd.DataFrame, part: str, totals: dict[str, str], axes: Axes, marks: Marks | None) -> None:
    """Bars of ``share`` in the order of the rows; parts are told apart by colour, hatching and, if wide, their name."""
    machines = list(dict.fromkeys(frame["machine"]))
    names = [name for name in dict.fromkeys(frame[part]) if name != OTHER]
    palette = {**colours(names), OTHER: OTHER_COLOUR}
    hatch = {name: _hatch(number // len(PALETTE)) for number, name in enumerate(names)} | {OTHER: ""}
    left = dict.fromkeys(machines, 0.0)
    labelled: set[str] = set()
    for index, row in enumerate(frame.to_dict("records")):
        machine, name, share = str(row["machine"]), str(row[part]), float(row["share"])
        place, start = machines.index(machine), left[machine]
        axes.barh(
            place,
            share,
            left=start,
            color=palette[name],
            hatch=hatch[name],
            edgecolor="#FFFFFF",
            linewidth=HATCH_WIDTH,
            label=None if name in labelled else name,
        )
        labelled.add(name)
        add_box(marks, index, start, place - 0.4, start + share, place + 0.4)
        if (len(name) + 1) * LETTER < share:
            axes.text(
                start + share / 2,
                place,
                f"{name}\n{share:.0%}",
                ha="center",
                va="center",
                fontsize=7,
                bbox={"facecolor": "#FFFFFF", "edgecolor": "none", "alpha": 0.85, "pad": 1.2},
            )
        left[machine] = start + share
    axes.set_yticks(range(len(machines)), [f"{machine}\n{totals[machine]}" for machine in machines])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter("{x:.0%}")
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    shown = [*(name for name in handles if name != OTHER), *([OTHER] if OTHER in handles else [])]
    axes.legend(
        [handles[name] for name in shown],
        shown,
        frameon=False,
        fontsize=7.5,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
    )


def utilization_map(frame: pd.DataFrame, axes: Axes, marks: Marks | None = None) -> Axes:
    """Utilisation of MAC layers, machines down, layers across; ``frame``: machine, layer, utilization."""
    from matplotlib.ticker import MaxNLocator

    machines = list(dict.fromkeys(frame["machine"]))
    table = frame.pivot_table(index="machine", columns="layer", values="utilization", sort=False).loc[
        machines
    ]
    image = axes.imshow(
        100 * table.to_numpy(), aspect="auto", cmap="cividis", vmin=0, vmax=100, interpolation="nearest"
    )
    for index, row in enumerate(frame.to_dict("records")):
        place = machines.index(row["machine"])
        add_box(marks, index, row["layer"] - 0.5, place - 0.5, row["layer"] + 0.5, place + 0.5)
    axes.set_yticks(range(len(machines)), machines)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("layers with multiply-accumulates, in execution order")
    if axes.figure is not None:
        axes.figure.colorbar(image, ax=axes, fraction=0.03).set_label("utilisation [%]")
    return axes


def traffic_by_level(frame: pd.DataFrame, axes: Axes, marks: Marks | None = None) -> Axes:
    """Bytes read and written per memory level; ``frame``: machine, level, bytes. Levels without traffic have no bar."""
    machines = list(dict.fromkeys(frame["machine"]))
    used = frame[frame["bytes"] > 0]
    levels = [level for level in dict.fromkeys(frame["level"]) if level in set(used["level"])]
    palette = colours(levels)
    width = 0.8 / max(len(levels), 1)
    log_axis(axes, "y", float(used["bytes"].max() / used["bytes"].min()) if len(used) else 1.0)
    floor = 10.0 ** np.floor(np.log10(float(used["bytes"].min()) / 1e6)) if len(used) else 1.0
    for number, level in enumerate(levels):
        rows = used[used["level"] == level]
        places = [machines.index(m) + (number - (len(levels) - 1) / 2) * width for m in rows["machine"]]
        axes.bar(
            places,
            rows["bytes"] / 1e6,
            width,
            color=palette[level],
            hatch=_hatch(number),
            edgecolor="#FFFFFF",
            linewidth=HATCH_WIDTH,
            label=level,
        )
        for place, (index, row) in zip(places, rows.iterrows(), strict=True):
            add_box(marks, int(str(index)), place - width / 2, floor, place + width / 2, row["bytes"] / 1e6)
    axes.set_xticks(np.arange(len(machines)), machines)
    axes.set_ylim(bottom=floor)
    axes.set_ylabel("traffic [MB]")
    axes.legend(frameon=False, fontsize=8, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return axes
