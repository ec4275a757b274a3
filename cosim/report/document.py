"""A report as data: sections of text, tables and figures, written as HTML, Markdown or CSV by other modules."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cosim.report.marks import Marks, placed
from cosim.report.style import new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Digits of the numbers behind a figure; the tables of results hold all of them.
DATA_FORMAT = "%.7g"
MOST_WHOLE = 1e12
MOST_DIGITS = 1e4


@dataclass(frozen=True)
class Shown:
    """A number shown as ``text``; tables sort by the number."""

    value: float
    text: str


Cell = str | int | float | Shown | None


@dataclass(frozen=True)
class TableView:
    """A table: headings and rows of plain values.

    ``folded`` hides it behind its title until asked for; ``groups`` are columns (from 0) that start a group;
    ``sortable`` is off where the order of the rows is the content. ``elsewhere`` says where the rows are found, for a
    page of text that they would be most of.
    """

    title: str
    head: tuple[str, ...]
    rows: list[tuple[Cell, ...]]
    folded: bool = False
    groups: tuple[int, ...] = ()
    sortable: bool = True
    elsewhere: str = ""

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Which columns hold numbers (and perhaps gaps)."""
        return tuple(
            any(isinstance(row[i], int | float | Shown) for row in self.rows) for i in range(len(self.head))
        )


def cell_text(value: Cell) -> str:
    """A value for people: four significant digits, thousands in groups, ``-`` for none."""
    if value is None:
        return "-"
    if isinstance(value, Shown):
        return value.text
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if float(value).is_integer() and abs(value) < MOST_WHOLE:
        return f"{value:,.0f}"
    return f"{value:,.0f}" if MOST_DIGITS <= abs(value) < MOST_WHOLE else f"{value:.4g}"


@dataclass(frozen=True)
class FigureView:
    """A figure: its SVG as Matplotlib writes it, the CSV behind it, and where the rows of the CSV are drawn.

    ``marks`` is written by :func:`cosim.report.marks.placed`; empty for a figure without values under the pointer.
    """

    id: str
    caption: str
    svg: str
    data: str
    marks: str = ""


@dataclass(frozen=True)
class Text:
    """A paragraph; ``soft`` is for remarks, ``on_page`` for those about the HTML page itself."""

    text: str
    soft: bool = False
    on_page: bool = False


HOVER = Text(
    "Point at a mark, or focus a figure and use the arrow keys, for its values.", soft=True, on_page=True
)


@dataclass(frozen=True)
class Bullets:
    """A list, with a heading unless ``title`` is empty."""

    items: tuple[str, ...]
    title: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Code:
    """Preformatted text behind its title."""

    title: str
    text: str


Block = Text | Bullets | Code | TableView | FigureView


@dataclass(frozen=True)
class Section:
    """A part of a report. ``short`` is its name in the contents; ``filter`` asks for a box that filters its tables."""

    id: str
    title: str
    short: str
    blocks: tuple[Block, ...]
    filter: str = ""


@dataclass(frozen=True)
class Document:
    """A report; ``tables`` are further CSV files that go with it, by name.

    Raises ``ValueError`` where two sections or figures have one name: they are the targets of links.
    """

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    tables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [*(section.id for section in self.sections), *(figure.id for figure in self.figures())]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{self.title}: sections or figures of one name: {', '.join(twice)}")

    def figures(self) -> Iterator[FigureView]:
        """Every figure in order."""
        for section in self.sections:
            yield from (block for block in section.blocks if isinstance(block, FigureView))


def figure(
    name: str,
    caption: str,
    frame: pd.DataFrame,
    plot: Callable[[Axes, Marks], Any],
    width: float = 9.0,
    height: float = 3.8,
) -> FigureView:
    """Draw on fresh axes; ``plot`` notes marks by the position of their row in ``frame``."""
    made = new_figure(width, height)
    axes = made.subplots()
    marks: Marks = []
    plot(axes, marks)
    svg = svg_of(made)
    return FigureView(name, caption, svg, csv_of(frame), placed(marks, axes))


def csv_of(frame: pd.DataFrame) -> str:
    """The CSV behind a figure."""
    return frame.to_csv(index=False, lineterminator="\n", float_format=DATA_FORMAT)


def svg_of(made: Figure) -> str:
    """The SVG document of a figure, without a date; ``savefig`` would draw it twice for the same bytes."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    stream = io.StringIO()
    canvas: Any = FigureCanvasSVG(made)
    canvas.print_svg(stream, metadata={"Date": None})
    return stream.getvalue()
