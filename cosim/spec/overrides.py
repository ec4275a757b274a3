"""`--set path=value`: values that the command line puts in place of a file's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cosim.spec.problems import Path, Problem, SpecError, describe, nearest_hint, one_of
from cosim.spec.strict_yaml import Document, loads


def with_overrides(document: Document, overrides: Mapping[str, str]) -> Document:
    """A document with values replaced: `with_overrides(document, {"array.rows": "256"})`.

    The text of a value is read as YAML, so `256`, `1.2 GHz`, `true` and `[3, 3]` mean what they mean in a file.
    All of a path but its last step must exist; whether a last step that the file lacks is a field is for `parse`
    to say, which knows the fields that have defaults. A constant set here has the source "command line".

    Raises
    ------
    SpecError
        With every path that leads nowhere and every value that is not YAML.
    """
    data, problems = document.data, []
    applied: dict[Path, Any] = dict(document.overrides)
    for dotted_path, text in overrides.items():
        place = f"command line (--set {dotted_path}={text})"
        try:
            value = loads(text, place).data
            data, path = _replace(data, tuple(dotted_path.split(".")), value, (), place)
        except SpecError as error:
            problems.extend(error.problems)
        else:
            applied[path] = value
    if problems:
        raise SpecError(problems)
    return Document(document.name, data, document.root, applied)


def _replace(data: Any, steps: tuple[str, ...], value: Any, done: Path, place: str) -> tuple[Any, Path]:
    """A copy of `data` with the value at the end of a path, and the path with list positions as numbers."""
    step, rest = steps[0], steps[1:]
    if isinstance(data, dict):
        if step not in data and (rest or not step):
            raise _nowhere(place, done, f"the unknown key '{step}'", one_of(data), nearest_hint(step, data))
        inner, path = (
            _replace(data[step], rest, value, (*done, step), place) if rest else (value, (*done, step))
        )
        return {**data, step: inner}, path
    if isinstance(data, list):
        if not step.isdecimal() or int(step) >= len(data):
            allowed = f"a position from 0 to {len(data) - 1}" if data else "nothing, the list is empty"
            raise _nowhere(place, done, f"'{step}' as a position in a list of {len(data)}", allowed)
        index = int(step)
        inner, path = (
            _replace(data[index], rest, value, (*done, index), place) if rest else (value, (*done, index))
        )
        return [*data[:index], inner, *data[index + 1 :]], path
    raise _nowhere(place, done, f"'{step}' below {describe(data)}", "a path to a key of the file")


def _nowhere(place: str, path: Path, found: str, allowed: str, hint: str = "") -> SpecError:
    return SpecError([Problem(place, 0, 0, ".".join(map(str, path)), found, allowed, hint)])
