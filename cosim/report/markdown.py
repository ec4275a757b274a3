"""A report as Markdown: the same sections, plain tables, figures and their data as links to files beside it."""

from __future__ import annotations

from collections.abc import Iterator

from cosim.report.document import Block, Bullets, Code, Document, FigureView, TableView, Text, cell_text


def markdown(document: Document, folder: str = "figures", with_data: bool = True) -> str:
    """The page; figures are ``folder/ID.svg``, their data ``folder/ID.csv`` unless those are not written."""
    parts = [f"# {document.title}", document.subtitle]
    for section in document.sections:
        parts.append(f"## {section.title}")
        for block in section.blocks:
            parts += _block(block, folder, with_data)
    return "\n\n".join(part for part in parts if part) + "\n"


def _block(block: Block, folder: str, with_data: bool) -> Iterator[str]:
    if isinstance(block, Text):
        if not block.on_page:
            yield _plain(block.text)
    elif isinstance(block, Bullets):
        if block.title:
            yield f"### {block.title}"
        yield "\n".join(f"- {_plain(item)}" for item in block.items)
    elif isinstance(block, Code):
        yield f"### {block.title}"
        yield f"```\n{block.text}\n```"
    elif isinstance(block, FigureView):
        data = f" [data (CSV)]({folder}/{block.id}.csv)" if with_data else ""
        yield f"![{_plain(block.caption)}]({folder}/{block.id}.svg)"
        yield f"{_plain(block.caption)}{data}"
    else:
        yield f"### {block.title}"
        yield block.elsewhere or _table(block)


def _table(view: TableView) -> str:
    rule = ["---:" if number else "---" for number in view.numeric]
    rows = [[cell_text(value) for value in row] for row in view.rows]
    return "\n".join(
        "| " + " | ".join(_cell(cell) for cell in row) + " |" for row in (view.head, rule, *rows)
    )


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|").replace("\n", " ")


def _plain(text: str) -> str:
    """Text in which ``<b>`` and ``*`` are shown, not obeyed."""
    return text.replace("\\", "\\\\").replace("<", "&lt;").replace("*", "\\*")
