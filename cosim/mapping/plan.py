"""Per-layer choices of a mapping: which dataflow, tiling mode, kernel or placement each layer takes.

A machine declares its choices as ``{"dataflow": ("auto", "os", "ws", "is")}``; the first value is the default.
A mapping file, or nothing at all, becomes one integer code per layer and choice: the columns that cost and
value models read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from cosim.ir.batch import LayerBatch

Choices = Mapping[str, tuple[str, ...]]


class MappingError(ValueError):
    """A mapping that names a choice, a value or a layer that does not exist."""


@dataclass(frozen=True)
class Rule:
    """``pattern`` is a shell wildcard on layer names; later rules win over earlier ones."""

    pattern: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class MappingDoc:
    """A mapping document: defaults for every layer, then rules by layer name."""

    name: str = "default"
    defaults: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Codes of shape (L,) per choice: the index of the chosen value in the machine's tuple for that choice."""

    codes: Mapping[str, NDArray[np.int64]]
    choices: Choices

    def __getitem__(self, choice: str) -> NDArray[np.int64]:
        return self.codes[choice]

    def is_value(self, choice: str, value: str) -> NDArray[np.bool_]:
        """Mask of the layers whose ``choice`` is ``value``."""
        return np.asarray(self.codes[choice] == self.choices[choice].index(value))

    def take(self, index: Sequence[int] | NDArray[np.int64]) -> Plan:
        """The plan of the layers at ``index``."""
        return Plan({name: code[np.asarray(index)] for name, code in self.codes.items()}, self.choices)


def _code(choices: Choices, choice: str, value: str, where: str) -> int:
    if choice not in choices:
        close = get_close_matches(choice, choices, n=1)
        hint = f", nearest: {close[0]!r}" if close else ""
        raise MappingError(f"{where}: found choice {choice!r}, allowed {sorted(choices)}{hint}")
    if value not in choices[choice]:
        close = get_close_matches(value, choices[choice], n=1)
        hint = f", nearest: {close[0]!r}" if close else ""
        raise MappingError(f"{where}.{choice}: found {value!r}, allowed {list(choices[choice])}{hint}")
    return choices[choice].index(value)


def make_plan(layers: LayerBatch, choices: Choices, mapping: MappingDoc | None = None) -> Plan:
    """One code per layer and choice; raises :class:`MappingError` for unknown names and unmatched patterns."""
    chosen = mapping or MappingDoc()
    codes = {name: np.zeros(layers.size, dtype=np.int64) for name in choices}
    for choice, value in chosen.defaults.items():
        codes_value = _code(choices, choice, value, f"mapping {chosen.name}: defaults")
        codes[choice][:] = codes_value
    for rule in chosen.rules:
        hits = [i for i, name in enumerate(layers.names) if fnmatchcase(name, rule.pattern)]
        if not hits:
            close = get_close_matches(rule.pattern, layers.names, n=1)
            hint = f", nearest: {close[0]!r}" if close else ""
            raise MappingError(f"mapping {chosen.name}: pattern {rule.pattern!r} matches no layer{hint}")
        for choice, value in rule.values.items():
            code = _code(choices, choice, value, f"mapping {chosen.name}: {rule.pattern}")
            codes[choice][hits] = code
    return Plan(codes, choices)
