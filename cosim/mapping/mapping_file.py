"""Mapping documents: ``{kind: mapping, name, defaults: {...}, layers: {pattern: {...}}}``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cosim.mapping.plan import MappingDoc, Rule
from cosim.spec.problems import Problem, SpecError, describe, nearest_hint, one_of
from cosim.spec.strict_yaml import Document, load

KEYS = ("cosim", "kind", "name", "description", "arch", "defaults", "layers")


def load_mapping(path: Path) -> MappingDoc:
    """Read a mapping document; whether its choices exist is checked against the machine when it is applied.

    Raises :class:`SpecError` with every problem of the file.
    """
    document = load(path)
    data = document.data
    problems: list[Problem] = []
    if not isinstance(data, dict):
        raise SpecError([document.problem((), describe(data), "a mapping document")])
    for key in data:
        if key not in KEYS:
            problems.append(
                document.problem(
                    (key,), f"unknown key {key!r}", one_of(KEYS), nearest_hint(key, KEYS), key=True
                )
            )
    if data.get("kind") != "mapping":
        problems.append(document.problem(("kind",), describe(data.get("kind")), "mapping"))
    defaults = _choices(document, ("defaults",), data.get("defaults", {}), problems)
    layers = data.get("layers", {})
    rules: list[Rule] = []
    if not isinstance(layers, dict):
        problems.append(
            document.problem(("layers",), describe(layers), "layer name pattern: {choice: value}")
        )
    else:
        rules = [
            Rule(name, _choices(document, ("layers", name), values, problems))
            for name, values in layers.items()
        ]
    if problems:
        raise SpecError(problems)
    return MappingDoc(name=str(data.get("name", path.stem)), defaults=defaults, rules=tuple(rules))


def _choices(
    document: Document, path: tuple[str, ...], values: Any, problems: list[Problem]
) -> dict[str, str]:
    if not isinstance(values, dict):
        problems.append(document.problem(path, describe(values), "a mapping of choice: value"))
        return {}
    chosen: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, str):
            chosen[key] = value
        else:
            problems.append(document.problem((*path, key), describe(value), "a word"))
    return chosen
