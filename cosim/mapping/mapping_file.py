"""Mapping documents: ``{kind: mapping, name, defaults: {...}, layers: {pattern: {...}}}``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cosim.mapping.plan import MappingDoc, Rule
from cosim.spec.keys import Key
from cosim.spec.problems import Problem, SpecError, describe, nearest_hint, one_of
from cosim.spec.strict_yaml import Document, load

KEYS: Mapping[str, Key] = {
    "kind": Key("`mapping`", "kind of document", True),
    "name": Key("text", "name, shown in results; that of the file if not given"),
    "description": Key("text", "what the mapping is for; not read"),
    "cosim": Key("text", "version that it was written for; not read"),
    "arch": Key("text", "machine that it was written for; not read, the machine is named when it is used"),
    "defaults": Key("choice: value", "choices of every layer"),
    "layers": Key("pattern: {choice: value}", "choices by layer name or shell wildcard"),
}
RULES = (
    "A pattern must match a layer; where several match, later ones win.",
    "Choices and values are those of the machine's kind (its page, or `cosim list kinds`); the nearest spelling is "
    "named. Both are checked when the mapping meets a machine and a network.",
    "A choice that a layer cannot take (a kernel for another operator, a tiling that the mask cannot hold) is "
    "refused with the layer and the reason.",
)


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
