"""Where the rows of a figure's data are drawn, so that a page can show the values under the pointer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS_PER_INCH = 72.0


@dataclass(frozen=True)
class Mark:
    """Rectangle of row ``row`` of the data, in data coordinates; a point has equal ends."""

    row: int
    x0: float
    y0: float
    x1: float
    y1: float


Marks = list[Mark]


def add_point(marks: Marks | None, row: int, x: float, y: float) -> None:
    """Note a point, if anybody asked for marks."""
    add_box(marks, row, x, y, x, y)


def add_box(marks: Marks | None, row: int, x0: float, y0: float, x1: float, y1: float) -> None:
    """Note a rectangle, if anybody asked for marks."""
    if marks is not None:
        marks.append(Mark(row, x0, y0, x1, y1))


def placed(marks: Marks, axes: Axes) -> str:
    """Marks in points from the upper left corner of a drawn figure: ``row x y width height`` joined by semicolons.

    Parts outside the axes are cut off; a mark that is outside altogether is left out.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    scale = POINTS_PER_INCH / figure.dpi
    height = figure.get_figheight() * POINTS_PER_INCH
    box = axes.get_window_extent()
    texts = []
    for mark in marks:
        ends = axes.transData.transform([(mark.x0, mark.y0), (mark.x1, mark.y1)])
        left, right = sorted(ends[:, 0])
        low, high = sorted(ends[:, 1])
        if right < box.x0 or left > box.x1 or high < box.y0 or low > box.y1:
            continue
        left, right = max(left, box.x0), min(right, box.x1)
        low, high = max(low, box.y0), min(high, box.y1)
        numbers = (left * scale, height - high * scale, (right - left) * scale, (high - low) * scale)
        texts.append(" ".join([str(mark.row), *(f"{value:.1f}".removesuffix(".0") for value in numbers)]))
    return ";".join(texts)
