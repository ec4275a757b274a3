"""Write down what every row says now, the table of the page and what reports print: `python -m tests.papers.pin`.

A change belongs in the commit that causes it.
"""

from __future__ import annotations

from pathlib import Path

from cosim.checks.published import write_published
from cosim.cli.reproduce import headline_table, markdown_table
from cosim.papers import papers, rows_of
from cosim.papers.row import PaperRow
from cosim.spec.locate import ROOT

PINNED = Path(__file__).with_name("statuses.txt")
PAGE, README = ROOT / "docs" / "papers.md", ROOT / "README.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->"


def all_rows() -> dict[str, list[PaperRow]]:
    """Rows of every result."""
    return {name: rows_of(name) for name in papers()}


def lines(found: dict[str, list[PaperRow]]) -> list[str]:
    """One line a row: result, quantity, status; for brackets whether they hold."""
    written = []
    for name, rows in found.items():
        for row in rows:
            held = ""
            if row.status == "bracketed":
                held = (
                    " (does not hold)"
                    if row.note.endswith("does not hold the published value")
                    else " (holds)"
                )
            written.append(f"{name} | {row.what} | {row.status}{held}")
    return written


def page_with_table(text: str, table: str) -> str:
    """The page with what is between the two marks replaced."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}{table}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    now = all_rows()
    write_published(now)
    PINNED.write_text("\n".join(lines(now)) + "\n", encoding="utf-8")
    for page, table in ((PAGE, markdown_table(now)), (README, headline_table(now))):
        page.write_text(page_with_table(page.read_text(encoding="utf-8"), table), encoding="utf-8")
