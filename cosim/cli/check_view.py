"""Terminal form of a check report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table


def _figure(value: Any, suffix: str = "") -> str:
    if value is None:
        return "-"
    return f"{value:.4g}{suffix}" if isinstance(value, float) else f"{value}{suffix}"


def _deviation(row: dict[str, Any]) -> float:
    reference, predicted = row["reference"], row["predicted"]
    if not isinstance(reference, int | float) or not isinstance(predicted, int | float):
        return 0.0 if reference == predicted else float("inf")
    if reference == 0:
        return 0.0 if predicted == 0 else float("inf")
    return abs(predicted / reference - 1)


def tables(document: dict[str, Any], worst: int) -> Iterator[Table]:
    """Summary by class, then the rows that deviate most."""
    summary = Table(title=f"check {document['kind']}", title_justify="left", box=None, pad_edge=False)
    for name in ("class", "cases", "exact", "MAPE", "median APE", "Spearman", "within 2x"):
        summary.add_column(name, justify="left" if name == "class" else "right")
    for name, part in [("all", document), *document["by_class"].items()]:
        summary.add_row(
            name,
            _figure(part.get("cases")),
            _figure(part.get("exact")),
            _figure(part.get("mape_pct"), " %"),
            _figure(part.get("median_ape_pct"), " %"),
            _figure(part.get("spearman")),
            _figure(part.get("within_2x")),
        )
    yield summary
    rows = sorted(document["rows"], key=_deviation, reverse=True)
    off = [row for row in rows if _deviation(row) > 0][:worst]
    if off:
        detail = Table(title="rows that deviate most", title_justify="left", box=None, pad_edge=False)
        for name in ("case", "predicted", "reference", "unit", "deviation"):
            detail.add_column(name, justify="left" if name in ("case", "unit") else "right")
        for row in off:
            detail.add_row(
                str(row["case"]),
                _figure(row["predicted"]),
                _figure(row["reference"]),
                row["unit"],
                f"{_deviation(row):.2%}",
            )
        yield detail
