"""Write down what every row says now: `python -m tests.papers.pin`. A change belongs in the commit that causes it."""

from __future__ import annotations

from pathlib import Path

from cosim.papers import papers, rows_of

PINNED = Path(__file__).with_name("statuses.txt")


def lines() -> list[str]:
    """One line a row: result, quantity, status; for brackets whether they hold."""
    found = []
    for name in papers():
        for row in rows_of(name):
            held = ""
            if row.status == "bracketed":
                held = (
                    " (does not hold)"
                    if row.note.endswith("does not hold the published value")
                    else " (holds)"
                )
            found.append(f"{name} | {row.what} | {row.status}{held}")
    return found


if __name__ == "__main__":
    PINNED.write_text("\n".join(lines()) + "\n", encoding="utf-8")
