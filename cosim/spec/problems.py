"""What is wrong with an input, and where.

A `Refusal` knows what was found and what is allowed but not the file; a `Problem` also knows file, line and
column; a `SpecError` carries every problem of a document so that a user mends them in one go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input; line and column count from 1, and are 0 where there is no text."""

    file: str
    line: int
    column: int
    path: str
    found: str
    allowed: str
    hint: str = ""

    def __str__(self) -> str:
        """`file:line:column  path: found ..., allowed ..., hint`."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        parts = [f"found {self.found}"]
        if self.allowed:
            parts.append(f"allowed {self.allowed}")
        if self.hint:
            parts.append(self.hint)
        where = f"{self.path}: " if self.path else ""
        return f"{place}  {where}{', '.join(parts)}"


class SpecError(Exception):
    """An input that cannot be used, with all its problems in the order of the text."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Sort by place and drop repetitions."""
        unique = dict.fromkeys(problems)
        self.problems: list[Problem] = sorted(unique, key=lambda p: (p.file, p.line, p.column))
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reason to refuse a value; `at` is the path below it, `key` asks to point at the key there."""

    found: str
    allowed: str
    hint: str = ""
    at: Path = ()
    key: bool = False


class Refused(ValueError):
    """Raised by a validator; the place is added by whoever knows the document."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        """Carry one or more refusals."""
        self.refusals = tuple(refusals)
        super().__init__("; ".join(f"found {r.found}, allowed {r.allowed}" for r in self.refusals))


def refuse(found: str, allowed: str, hint: str = "", at: Path | str = ()) -> Refused:
    """What a spec's own validator raises: `raise refuse("3 ports", "an even number", at="ports")`."""
    return Refused([Refusal(found, allowed, hint, (at,) if isinstance(at, str) else at)])


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice spelled most like `word`, else the only one that begins with it; letter case counts last."""
    from difflib import get_close_matches

    known = list(choices)
    folded: dict[str, str] = {}
    for choice in known:
        folded.setdefault(choice.casefold(), choice)
    if word.casefold() in folded:
        return folded[word.casefold()]
    close = get_close_matches(word.casefold(), list(folded), n=1, cutoff=0.6)
    if not close and len(word) > 2:
        close = [choice for choice in folded if choice.startswith(word.casefold())]
    return folded[close[0]] if len(close) == 1 else None


def nearest_hint(word: str, choices: Iterable[str]) -> str:
    """`nearest spelling 'x'`, or nothing where no choice is close."""
    match = nearest(word, choices)
    return f"nearest spelling '{match}'" if match is not None else ""


def one_of(choices: Iterable[str], limit: int = 20) -> str:
    """A readable list of alternatives, cut after `limit`."""
    known = list(choices)
    shown = ", ".join(known[:limit])
    return f"{shown} and {len(known) - limit} more" if len(known) > limit else shown


def describe(value: Any) -> str:
    """A value as the user wrote it, with the type it was read as."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return f"{str(value).lower()} (true/false)"
    if isinstance(value, int):
        return f"{int(value)} (whole number)"
    if isinstance(value, float):
        return f"{float(value)!r} (number)"
    if isinstance(value, str):
        text = value if len(value) <= 60 else f"{value[:57]}..."
        return f"'{text}' (text)"
    if isinstance(value, dict):
        return f"a mapping with {one_of(map(str, value), 6)}" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return f"a {type(value).__name__}"


def dotted(path: Path) -> str:
    """`("array", "rows", 0)` as `array.rows.0`."""
    return ".".join(str(step) for step in path)
