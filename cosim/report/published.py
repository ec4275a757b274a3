"""Published results beside simulated ones: counts by status, every row, and the two values against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cosim.checks.published import read_published
from cosim.papers.row import STATUS_MEANINGS
from cosim.report.document import Block, Bullets, Cell, Document, FigureView, Section, TableView, Text, figure
from cosim.report.marks import Marks, add_point
from cosim.report.style import PALETTE, log_axis

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

# Shape and colour of each status; an open mark is a result that does not hold.
LOOKS: dict[str, tuple[str, str]] = {
    "exact": ("o", PALETTE[2]),
    "within": ("s", PALETTE[0]),
    "fitted": ("^", PALETTE[1]),
    "bracketed": ("D", PALETTE[5]),
    "not reproduced": ("X", PALETTE[3]),
}
TEXT = (
    "Published figures of systems that these models can express, recomputed (`cosim reproduce`). Each row states its "
    "ratio, whether or not it comes out:"
)
FACTOR = 2.0
OPEN = 3.0


def published_blocks(document: Mapping[str, Any] | None = None) -> tuple[Block, ...]:
    """What a report says about published results; nothing without a registry."""
    found = document or read_published()
    rows: list[dict[str, Any]] = found["rows"]
    if not rows:
        return ()
    meanings = tuple(f"{kind}: {text}" for kind, text in STATUS_MEANINGS.items())
    return (
        Text(TEXT),
        Bullets(meanings),
        counts_table(found["results"], rows),
        scatter_figure(rows),
        rows_table(rows),
    )


def published_document(document: Mapping[str, Any] | None = None) -> Document:
    """A page of published results alone, with the scenarios they are computed in."""
    found = document or read_published()
    head = ("result", "publication", "machine", "workload", "mapping", "assumptions")
    scenarios: list[tuple[Cell, ...]] = [
        (
            *(str(row[key]) for key in ("result", "title", "machine", "workload", "mapping")),
            "; ".join(row["assumptions"]),
        )
        for row in found["results"]
    ]
    subtitle = f"{len(found['rows'])} figures of {len(found['results'])} publications"
    sections = (
        Section(
            "results", "Published results", "Results", published_blocks(found), filter="e.g. fpga energy"
        ),
        Section(
            "scenarios",
            "Scenarios",
            "Scenarios",
            (TableView("What each result is computed in", head, scenarios),),
        ),
    )
    return Document("Published results, and what the models give", subtitle, sections)


def counts_table(results: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> TableView:
    """How many rows of each result have each status."""
    head = ("result", "publication", *STATUS_MEANINGS)
    body: list[tuple[Cell, ...]] = []
    for result in results:
        own = [row["kind"] for row in rows if row["result"] == result["result"]]
        counts = (own.count(kind) or None for kind in STATUS_MEANINGS)
        body.append((str(result["result"]), str(result["title"]), *counts))
    kinds = [row["kind"] for row in rows]
    body.append(("all", "", *(kinds.count(kind) for kind in STATUS_MEANINGS)))
    return TableView("Rows by result and status", head, body)


def rows_table(rows: Sequence[Mapping[str, Any]]) -> TableView:
    """Every row."""
    keys = ("result", "what", "where", "published", "simulated", "unit", "ratio", "status", "note")
    body: list[tuple[Cell, ...]] = [tuple(row[key] for key in keys) for row in rows]
    printed = "`cosim reproduce --all --notes` prints them; the HTML page holds them."
    return TableView(f"All {len(body)} rows", keys, body, folded=True, elsewhere=printed)


def published_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows with two positive values; the ends of a bracket where there is one."""
    import pandas as pd

    names = ["result", "what", "published", "simulated", "unit", "ratio", "status", "kind", "low", "high"]
    both = [row for row in rows if (row["published"] or 0) > 0 and (row["simulated"] or 0) > 0]
    body = [
        {**row, **dict(zip(("low", "high"), row["interval"] or (None, None), strict=True))} for row in both
    ]
    return pd.DataFrame(body, columns=names).astype({"low": float, "high": float})


def scatter_figure(rows: Sequence[Mapping[str, Any]]) -> FigureView:
    """Modelled against published."""
    frame = published_frame(rows)
    return figure(
        "published",
        f"Modelled against published, {len(frame)} figures, each in its own unit; lines are intervals over what the "
        "publication leaves open (cut where open upwards), dotted is a factor of two.",
        frame,
        lambda axes, marks: modelled_against_published(frame, axes, marks),
        height=5.4,
    )


def modelled_against_published(frame: pd.DataFrame, axes: Axes, marks: Marks | None = None) -> Axes:
    """Simulated over published values on logarithmic axes; shape and colour by status.

    ``frame``: published, simulated, kind, low, high (not-a-number without an interval or for an open end).
    """
    ends = [
        float(frame[["published", "simulated"]].min().min()),
        float(frame[["published", "simulated"]].max().max()),
    ]
    line = (ends[0] / 3, ends[1] * 3)
    axes.plot(line, line, color="#000000", linewidth=0.8, zorder=0)
    for factor in (FACTOR, 1 / FACTOR):
        axes.plot(line, [value * factor for value in line], ":", color="#777777", linewidth=0.8, zorder=0)
    bracket = frame[frame["low"].notna()]
    open_end = OPEN * bracket[["published", "simulated"]].max(axis=1)
    tops = bracket["high"].fillna(open_end)
    axes.vlines(
        bracket["published"],
        bracket["low"].clip(lower=line[0]),
        tops,
        color=LOOKS["bracketed"][1],
        linewidth=1.0,
    )
    for kind, (shape, colour) in LOOKS.items():
        own = frame[frame["kind"] == kind]
        axes.scatter(
            own["published"],
            own["simulated"],
            s=26,
            marker=shape,
            color=colour,
            linewidths=0,
            alpha=0.85,
            label=f"{kind} ({len(own)})",
        )
    for index, row in enumerate(frame.to_dict("records")):
        add_point(marks, index, row["published"], row["simulated"])
    log_axis(axes, "x", line[1] / line[0])
    log_axis(axes, "y", line[1] / line[0])
    axes.set_xlim(line)
    axes.set_ylim(line)
    axes.set_xlabel("published value [unit of the row]")
    axes.set_ylabel("modelled value [unit of the row]")
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    return axes
