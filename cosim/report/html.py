"""A report as one self-contained HTML file: readable without a script, offline, in light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from urllib.parse import quote

from jinja2 import Environment
from markupsafe import Markup, escape

from cosim.hardware.load import Machine
from cosim.report.document import (
    Block,
    Bullets,
    Cell,
    Code,
    Document,
    FigureView,
    Shown,
    TableView,
    Text,
    cell_text,
)
from cosim.report.evaluated import comparison_document
from cosim.report.svg import compact
from cosim.report.views import machine_view
from cosim.results.comparison import Comparison

# Left as they are in a data URI: everything that CSV needs often and an attribute can hold.
UNQUOTED = ",;:.+-_/()[]*!=@|"
MOST_COLUMNS = 40


def comparison_html(
    comparison: Comparison,
    machines: Sequence[Machine],
    title: str,
    validation: TableView | None = None,
    timelines: Mapping[str, FigureView] | None = None,
) -> str:
    """The report of a comparison; the same bytes for the same results. See :func:`comparison_document`."""
    views = [machine_view(machine) for machine in machines]
    return render(comparison_document(comparison, views, title, validation, timelines))


def render(document: Document) -> str:
    """The page of a document."""
    templates = files("cosim.report").joinpath("templates")
    env = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    env.globals["show"] = _block
    template = env.from_string(templates.joinpath("report.html.j2").read_text("utf-8"))
    return template.render(
        document=document,
        style=Markup(templates.joinpath("report.css").read_text("utf-8") + "".join(_column_rules())),
        script=Markup(templates.joinpath("report.js").read_text("utf-8")),
    )


def _column_rules() -> Iterable[str]:
    """Alignment of numbers and rules between groups by column: a class on the table, not one on every cell."""
    for column in range(1, MOST_COLUMNS + 1):
        cell = f":nth-child({column})"
        yield f".n{column} :is(td,th){cell}{{text-align:right}}.n{column} td{cell}{{white-space:nowrap}}\n"
        yield f".g{column} :is(td,th){cell}{{border-left:1px solid var(--line)}}\n"


def _block(block: Block) -> Markup:
    if isinstance(block, Text):
        return Markup('<p class="soft">{}</p>' if block.soft else "<p>{}</p>").format(_prose(block.text))
    if isinstance(block, Bullets):
        items = Markup("").join(Markup("<li>{}</li>").format(_prose(item)) for item in block.items)
        head = Markup("<h3>{}</h3>").format(block.title) if block.title else ""
        return Markup("{}<ul>{}</ul>").format(head, items)
    if isinstance(block, Code):
        return Markup("<details><summary>{}</summary><pre class=wide tabindex=0>{}</pre></details>").format(
            block.title, block.text
        )
    if isinstance(block, FigureView):
        return _figure(block)
    if block.folded:
        return Markup(
            "<details><summary>{} <span class=count></span></summary>"
            "<div class='wide tall' tabindex=0>{}</div></details>"
        ).format(block.title, table(block))
    return Markup("<h3>{}</h3><div class=wide tabindex=0>{}</div>").format(block.title, table(block))


def _prose(text: str) -> Markup:
    """Text with its commands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def table(view: TableView) -> Markup:
    """HTML of a table."""
    classes = [f"n{index + 1}" for index, number in enumerate(view.numeric) if number]
    classes += [f"g{index + 1}" for index in view.groups] + (["sort"] if view.sortable else [])
    classes += ["long"] if view.groups else []
    head = "".join(f"<th>{escape(name)}" for name in view.head)
    # Closing tags of cells and rows may be left out in HTML; with thousands of rows that is a third of the file.
    body = "".join("<tr>" + "".join(_cell(value) for value in row) for row in view.rows)
    return Markup(f'<table class="{" ".join(classes)}"><thead><tr>{head}<tbody>{body}</table>')


def _cell(value: Cell) -> str:
    sort = f" data-v={value.value:.6g}" if isinstance(value, Shown) else ""
    return f"<td{sort}>{escape(cell_text(value))}"


def _figure(view: FigureView) -> Markup:
    """The figure with its data as a link; its marks are for the script."""
    data = f"data:text/csv;charset=utf-8,{quote(view.data, safe=UNQUOTED)}"
    marks = Markup(' data-marks="{}"').format(view.marks) if view.marks else ""
    return Markup(
        '<figure id="{id}"{marks}><div class=plot tabindex=0>{svg}</div>'
        '<figcaption>{caption} <a download="{id}.csv" href="{data}">data (CSV)</a></figcaption></figure>'
    ).format(
        id=view.id,
        marks=marks,
        svg=Markup(compact(view.svg, view.id, view.caption, theme=True)),
        caption=view.caption,
        data=data,
    )
