"""The timeline of an event simulation as a figure: a track for each unit, stretches of work along the time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cosim.report.marks import Marks, add_box
from cosim.report.style import PALETTE, new_figure
from cosim.sim.record import Interval
from cosim.sim.report import Simulation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Stretches closer than this share of the whole are one, and none is drawn narrower: a printed page resolves no more.
MERGE = 1 / 2000
# A name stands in a stretch of this share of the width at least, and only if it fits: so many letters are a line.
LABEL, LETTERS = 0.02, 150
# Narrower stretches are no target for a pointer.
POINTED = 1 / 300
COLUMNS = ("device", "unit", "network", "image", "layer", "start_s", "end_s", "tiles")


def gantt_frame(found: Simulation, merge: float = MERGE) -> pd.DataFrame:
    """One row for a stretch of work of a unit on one layer of one image.

    Neighbouring tiles less than ``merge`` of the whole apart are one stretch.
    """
    programs = [job.program for job in found.jobs]
    units = {name: unit for program in programs for name, unit in program.units.items()}
    gap_s = merge * max((span.end_s for span in found.result.intervals), default=0.0)
    rows = []
    for name, unit in units.items():
        own = sorted((s for s in found.result.intervals if s.unit == name), key=lambda s: s.start_s)
        for first, end_s, tiles in _stretches(own, gap_s):
            program = programs[first.job]
            layer = program.layers[first.layer].name
            rows.append((unit.device, name, program.name, first.image, layer, first.start_s, end_s, tiles))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _stretches(spans: list[Interval], gap_s: float) -> Iterator[tuple[Interval, float, int]]:
    """(first interval, end, tiles) of neighbouring intervals of one layer and image."""
    start = 0
    for place in range(1, len(spans) + 1):
        before = spans[place - 1]
        if place < len(spans):
            span = spans[place]
            same = (span.job, span.image, span.layer) == (before.job, before.image, before.layer)
            if same and span.start_s - before.end_s <= gap_s:
                continue
        yield spans[start], before.end_s, place - start
        start = place


def gantt(frame: pd.DataFrame, axes: Axes, marks: Marks | None = None) -> Axes:
    """Tracks of units over time; ``frame`` as :func:`gantt_frame` makes it.

    One image: neighbouring layers differ in colour, every second one is hatched, long stretches carry the layer's name.
    Several images or networks: a colour for each of them.
    """
    units = list(dict.fromkeys(frame["unit"]))
    passes = [
        f"{network}, image {image}" for network, image in zip(frame["network"], frame["image"], strict=True)
    ]
    shown = list(dict.fromkeys(passes))
    whole = float(frame["end_s"].max()) if len(frame) else 1.0
    scale, unit_name = _scale(whole)
    if len(shown) > 1:
        number = {name: index for index, name in enumerate(shown)}
        group = np.array([number[name] for name in passes])
    else:
        layers = list(dict.fromkeys(frame.sort_values("start_s", kind="stable")["layer"]))
        place = {layer: index for index, layer in enumerate(layers)}
        group = frame["layer"].map(place).to_numpy()
    starts = frame["start_s"].to_numpy() * scale
    widths = (frame["end_s"] - frame["start_s"]).to_numpy() * scale
    track = frame["unit"].map({unit: index for index, unit in enumerate(units)}).to_numpy()
    for number_, index in enumerate(np.unique(group)):
        for unit_track in range(len(units)):
            own = (group == index) & (track == unit_track)
            _bars(axes, starts[own], np.maximum(widths[own], MERGE * whole * scale), unit_track, int(index),
                  hatched=len(shown) == 1 and number_ % 2 == 1)  # fmt: skip
    if len(shown) == 1:
        _labels(axes, frame["layer"], starts, widths, track, whole * scale)
    elif len(shown) <= len(PALETTE):
        for index, name in enumerate(shown):
            axes.plot([], [], color=PALETTE[index], linewidth=6, label=name)
        axes.legend(frameon=False, fontsize=7, ncols=4, loc="lower left", bbox_to_anchor=(0.0, 1.0))
    for row, (start, width, place_) in enumerate(zip(starts, widths, track, strict=True)):
        if width > POINTED * whole * scale:
            add_box(marks, row, start, place_ - 0.4, start + width, place_ + 0.4)
    axes.set_ylim(len(units) - 0.4, -0.6)
    axes.set_yticks(range(len(units)), [unit.replace("companion.", "companion: ") for unit in units])
    axes.set_xlim(0, whole * scale)
    axes.set_xlabel(f"time [{unit_name}]")
    return axes


def _bars(axes: Axes, starts: Any, widths: Any, track: int, colour: int, hatched: bool) -> None:
    """All stretches of one colour on one track as a single outline: thousands of rectangles would be megabytes."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    if not starts.size:
        return
    corners = np.empty((starts.size, 5, 2))
    corners[:, :, 0] = starts[:, None] + widths[:, None] * np.array([0, 1, 1, 0, 0])
    corners[:, :, 1] = track + np.array([-0.4, -0.4, 0.4, 0.4, -0.4])
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * starts.size
    axes.add_patch(
        PathPatch(
            Path(corners.reshape(-1, 2), codes),
            facecolor=PALETTE[colour % (len(PALETTE) - 1)],
            hatch="////" if hatched else None,
            edgecolor="white" if hatched else "none",
            linewidth=0.0,
        )
    )


def _labels(axes: Axes, layers: Any, starts: Any, widths: Any, tracks: Any, whole: float) -> None:
    """Names of layers in the stretches that are wide enough for a few letters."""
    for layer, start, width, track in zip(layers, starts, widths, tracks, strict=True):
        parts = str(layer).split(".")
        endings = [".".join(parts[place:]) for place in range(len(parts))]
        fitting = [text for text in endings if len(text) <= width / whole * LETTERS]
        if width > LABEL * whole and fitting:
            axes.text(
                start + width / 2, track, fitting[0], ha="center", va="center", fontsize=6,
                bbox={"facecolor": "white", "alpha": 0.8, "pad": 0.6, "edgecolor": "none"},
            )  # fmt: skip


def _scale(largest_s: float) -> tuple[float, str]:
    for scale, prefix in ((1.0, ""), (1e3, "m"), (1e6, "µ")):
        if largest_s * scale >= 1:
            return scale, prefix + "s"
    return 1e9, "ns"


def gantt_figure(frame: pd.DataFrame, title: str = "") -> Figure:
    """A page-wide figure of :func:`gantt`."""
    figure = new_figure(11.0, 1.2 + 0.34 * max(1, frame["unit"].nunique()))
    axes = figure.subplots()
    gantt(frame, axes)
    if title:
        axes.set_title(title, loc="left")
    return figure
