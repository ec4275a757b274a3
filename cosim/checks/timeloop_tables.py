"""CSV tables of a reference folder: read with the columns that are needed, refused with file, row and column named."""

from __future__ import annotations

import csv
import difflib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cosim.checks.metrics import CheckInputError


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line of a CSV file; access by column, errors say where the value stands."""

    file: Path
    line: int
    cells: dict[str, str]

    def text(self, column: str) -> str:
        """Cell as written, blanks stripped."""
        return self.cells[column]

    def has(self, column: str) -> bool:
        """Whether the column exists and the cell is filled."""
        return bool(self.cells.get(column))

    def error(self, column: str, problem: str) -> CheckInputError:
        """Error that names file, line and column."""
        return CheckInputError(f"{self.file.name}, line {self.line}, column {column}: {problem}")

    def integer(self, column: str) -> int:
        """Cell as an integer; CheckInputError where it is none."""
        try:
            return int(self.cells[column])
        except ValueError:
            raise self.error(column, f"{self.cells[column]!r} is not an integer") from None

    def number(self, column: str) -> float:
        """Cell as a number; CheckInputError where it is none."""
        try:
            return float(self.cells[column])
        except ValueError:
            raise self.error(column, f"{self.cells[column]!r} is not a number") from None

    def optional_number(self, column: str) -> float | None:
        """Number, or None where the cell is empty."""
        return self.number(column) if self.cells[column] else None


def read_table(folder: Path, name: str, columns: Sequence[str]) -> list[TableRow]:
    """Rows of `folder`/`name`. CheckInputError where the file or one of `columns` is missing."""
    path = folder / name
    if not path.is_file():
        present = sorted(p.name for p in folder.glob("*.csv")) if folder.is_dir() else []
        found = ", ".join(present) if present else "no CSV file"
        raise CheckInputError(f"{folder}: {name} is missing (found {found})")
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        header = list(reader.fieldnames or ())
        for column in columns:
            if column not in header:
                near = difflib.get_close_matches(column, header, n=1)
                hint = f"; nearest is {near[0]!r}" if near else ""
                raise CheckInputError(f"{path}: column {column!r} is missing{hint}; columns are {header}")
        rows = []
        for record in reader:
            if None in record or any(value is None for value in record.values()):
                raise CheckInputError(
                    f"{path}, line {reader.line_num}: has another number of cells than the {len(header)} columns"
                )
            cells = {key: value.strip() for key, value in record.items()}
            rows.append(TableRow(path, reader.line_num, cells))
    return rows


def grouped(rows: Iterable[TableRow], *columns: str) -> dict[tuple[str, ...], list[TableRow]]:
    """Rows by the values of `columns`, order kept."""
    groups: dict[tuple[str, ...], list[TableRow]] = defaultdict(list)
    for row in rows:
        groups[tuple(row.text(column) for column in columns)].append(row)
    return dict(groups)


def pairs(row: TableRow, column: str) -> dict[str, int]:
    """Cell of the form "P=16 R=3" as a dictionary; CheckInputError where it is not."""
    values: dict[str, int] = {}
    for item in row.text(column).split():
        name, _, value = item.partition("=")
        try:
            values[name] = int(value)
        except ValueError:
            raise row.error(column, f"{item!r} is not NAME=INTEGER") from None
    return values


def agrees(value: float, printed: str) -> bool:
    """Whether `value` prints as `printed`: equal for integers, within half of the last printed digit otherwise."""
    _, _, decimals = printed.partition(".")
    reference = float(printed)
    if not decimals:
        return value == reference
    return abs(value - reference) <= 0.5 * 10.0 ** -len(decimals) + 1e-12 * abs(reference)
