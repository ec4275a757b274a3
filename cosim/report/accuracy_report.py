"""What ``cosim accuracy --out`` found, for a report of its own or beside a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cosim.report.accuracy_figure import accuracy_axes
from cosim.report.document import HOVER, Block, Cell, Document, Section, Shown, TableView, Text, figure

POINTS = ("protection", "rate", "mean", "low", "high", "quantile_5", "minimum", "loss_probability")
HEAD = (
    *("protection", "rate", "mean [%]", "low [%]", "high [%]"),
    *("5 % quantile [%]", "worst trial [%]", "chance to lose over 1 %"),
)


def accuracy_blocks(document: Mapping[str, Any], number: int = 0) -> tuple[Block, ...]:
    """Sentence, figure and tables of one campaign; ``number`` tells several apart."""
    import pandas as pd

    axis = "age [s]" if document["errors"] == "retention" else f"error rate ({document['errors']})"
    name = f"accuracy-over-rate-{number}" if number else "accuracy-over-rate"
    keys = [key for key in document["points"][0] if key not in ("losses",)]
    frame = pd.DataFrame([{key: row[key] for key in keys} for row in document["points"]])
    blocks: list[Block] = [Text(summary(document)), HOVER]
    if (frame["rate"] > 0).any():
        caption = (
            f"Accuracy of {document['model']} on {document['machine']} over the {axis.partition(' ')[0]} "
            f"{'' if document['errors'] == 'retention' else 'rate'}".rstrip()
            + "; bands: 95 % interval of the mean, dotted: worst trial."
        )
        blocks.append(
            figure(
                name,
                caption,
                frame,
                lambda axes, marks: accuracy_axes(document["points"], axis, axes, marks),
                height=4.2,
            )
        )
    return (*blocks, points_table(document), *layer_tables(document))


def summary(document: Mapping[str, Any]) -> str:
    """The campaign in words."""
    needed = ", ".join(
        f"{count:,} for a margin of {margin}" for margin, count in document["single_faults_needed"].items()
    )
    return (
        f"{document['model']} reaches {document['exact']:.2%} with exact tensors. Here its {document['tensors']} are "
        f"held as {document['storage']} in {document['memory']} of {document['machine']} ({document['technology']}), "
        f"with {document['errors']} errors, {document['persistence']}; {document['trials']} paired trials from seed "
        f"{document['seed']} on {document['images']} images. Single faults that stand for all of them (95 % "
        f"confidence): {needed}."
    )


def points_table(document: Mapping[str, Any]) -> TableView:
    """Every protection at every rate."""
    rows: list[tuple[Cell, ...]] = []
    for point in document["points"]:
        shares = (_percent(point[key]) for key in POINTS[2:-1])
        rows.append((point["protection"], point["rate"], *shares, point["loss_probability"]))
    title = f"{document['model']} on {document['machine']}, {document['errors']} errors"
    return TableView(title, HEAD, rows)


def _percent(value: float) -> Shown:
    return Shown(value, f"{100 * value:.2f}")


def layer_tables(document: Mapping[str, Any]) -> tuple[TableView, ...]:
    """What storing costs each tensor before any error."""
    rows: Sequence[Mapping[str, Any]] = document["layers"]
    if not rows:
        return ()
    names = tuple(rows[0])
    body: list[tuple[Cell, ...]] = [tuple(_plain(row[name]) for name in names) for row in rows]
    return (TableView(f"Tensors of {document['model']} as stored", names, body, folded=True),)


def _plain(value: Any) -> Cell:
    return value if value is None or isinstance(value, int | float) else str(value)


def accuracy_document(documents: Sequence[Mapping[str, Any]]) -> Document:
    """A report of accuracy campaigns alone."""
    sections = tuple(
        Section(
            f"accuracy-{number}" if number else "campaign",
            f"{document['model']} on {document['machine']}",
            f"{document['model']} on {document['machine']}",
            accuracy_blocks(document, number),
        )
        for number, document in enumerate(documents)
    )
    names = ", ".join(dict.fromkeys(str(document["model"]) for document in documents))
    return Document(f"Accuracy of {names} under errors", f"{len(documents)} campaigns", sections)
