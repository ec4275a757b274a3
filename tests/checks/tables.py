"""Tables of reference data, read and written line by line."""

from __future__ import annotations

import csv
from pathlib import Path


def read_lines(path: Path) -> list[dict[str, str]]:
    """Lines of a table by column."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def write_lines(path: Path, lines: list[dict[str, str]]) -> Path:
    """The lines as a table; returns its folder."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    return path.parent
