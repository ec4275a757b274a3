"""The report of a finished sweep, from its shards alone: the front, what differs along it, and the space."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosim.explore.fronts import Front, front_of, manifest_of
from cosim.explore.outputs import UNITS, label, readable
from cosim.explore.space import TASK_POINTS
from cosim.explore.store import done_tasks, query
from cosim.report.document import (
    HOVER,
    Block,
    Bullets,
    Cell,
    Code,
    Document,
    FigureView,
    Section,
    Shown,
    TableView,
    Text,
    csv_of,
    svg_of,
)
from cosim.report.marks import Marks, add_point, placed
from cosim.report.sweep_figures import front_figure, parallel_figure
from cosim.results.files import OutputError, to_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_VALUES = 8


def sweep_document(folder: Path) -> Document:
    """The report of the sweep in ``folder``; raises :class:`OutputError` unless all its tasks are done."""
    manifest = manifest_of(folder)
    tasks, done = -(-int(manifest["points"]) // TASK_POINTS), len(done_tasks(folder))
    if done < tasks:
        raise OutputError(
            f"{folder}: found {done} of {tasks} tasks, allowed a finished sweep; run `cosim sweep` again"
        )
    front = front_of(folder)
    counts = query(folder, "SELECT status, count(*) AS points FROM results GROUP BY ALL ORDER BY ALL")
    statuses: list[tuple[Cell, ...]] = [
        (str(status), int(points)) for status, points in zip(counts["status"], counts["points"], strict=True)
    ]
    top: list[Block] = [
        Text(_summary(front)),
        TableView("Points by what became of them", ("status", "points"), statuses),
    ]
    sections = (
        Section("headline", "Headline", "Headline", tuple(top)),
        Section("designs", "The front", "Front", tuple(_front_blocks(front)), filter="e.g. os"),
        Section("space", "The space", "Space", tuple(_space_blocks(manifest["space"]))),
        Section(
            "manifest",
            "Manifest",
            "Manifest",
            (Code("What was swept (JSON)", json.dumps(manifest, indent=1)),),
        ),
    )
    subtitle = f"{manifest['points']:,} points before conditions, {', '.join(front.objectives)}"
    return Document(
        f"Sweep {manifest['name']}",
        subtitle,
        sections,
        {"front.csv": to_csv(front.rows, list(front.rows[0]))},
    )


def _summary(front: Front) -> str:
    kind = "points" if front.tried_on == 1 else "designs"
    of = (
        ""
        if front.tried_on == 1
        else f" Objectives are geometric means over {front.tried_on} networks and batches."
    )
    best = front.rows[front.knee]
    knee = ", ".join(f"{name} {readable(name, best[name])}".strip() for name in front.varying())
    return (
        f"{len(front.rows)} of {front.considered:,} {kind} are not dominated in {', '.join(front.objectives)}.{of} "
        f"The knee, closest to the best of every objective: {knee}."
    )


def _front_blocks(front: Front) -> Iterator[Block]:
    yield HOVER
    if len(front.objectives) > 1:
        first, second = (name.removeprefix("-") for name in front.objectives[:2])
        made = front_figure(front)
        caption = (
            f"{label(first)} and {label(second)} of the front and of the other points; the knee is circled."
        )

        def place(marks: Marks) -> None:
            for index, row in enumerate(front.rows):
                add_point(marks, index, row[first], row[second])

        yield _figure("front", caption, made, front, place)
    names = front.varying()
    if len(front.rows) > 1 and len(names) > 1:
        caption = "Every design of the front across what differs between them; each axis has its own scale."
        yield _figure("parallel", caption, parallel_figure(front), front)
    rows = [tuple(_shown(name, row[name]) for name in names) for row in front.rows]
    yield TableView(
        f"The front, {len(rows)} rows", tuple(_head(name) for name in names), rows, folded=len(rows) > 30
    )


def _head(name: str) -> str:
    return label(name) if name in UNITS else name


def _shown(name: str, value: Any) -> Cell:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None if value is None else str(value)
    return Shown(float(value), readable(name, value))


def _figure(
    name: str, caption: str, made: Figure, front: Front, place: Callable[[Marks], None] | None = None
) -> FigureView:
    svg = svg_of(made)
    marks: Marks = []
    if place is not None:
        place(marks)
    return FigureView(name, caption, svg, csv_of(front.frame()), placed(marks, made.axes[0]))


def _space_blocks(space: Mapping[str, Any]) -> Iterator[Block]:
    what: list[tuple[Cell, ...]] = [
        (name, ", ".join(str(value) for value in space[name]))
        for name in ("archs", "workloads", "mappings", "batches")
    ]
    yield TableView("What was combined", ("what", "values"), what, sortable=False)
    axes: list[tuple[Cell, ...]] = [
        (name, how, len(values), _values(name, values)) for name, how, values in space["axes"]
    ]
    yield TableView("Parameters", ("parameter", "how", "values", "which"), axes)
    for key, title in (
        ("derived", "Parameters that follow from others"),
        ("conditions", "Conditions on the points"),
        ("columns", "Further columns"),
        ("constraints", "Constraints on the results"),
    ):
        found = space.get(key)
        if found:
            texts = (
                [f"{name} = {rule}" for name, rule in found.items()]
                if isinstance(found, dict)
                else [str(rule) for rule in found]
            )
            yield Bullets(tuple(texts), title)


def _values(name: str, values: list[Any]) -> str:
    texts = [readable(name, value) for value in values]
    if len(texts) > MOST_VALUES:
        texts = [*texts[:2], "…", texts[-1]]
    return ", ".join(texts)
