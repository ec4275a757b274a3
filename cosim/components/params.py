"""A machine lowered to plain numbers: what cost formulas read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

import numpy as np

from cosim.ir.batch import Array

Value = float | Array


@dataclass(frozen=True)
class Params:
    """Numbers and choices of one machine, or of many design points of it at once.

    Attributes
    ----------
    kind:     kind of machine, the name of its module in :mod:`cosim.hardware`
    name:     name of the machine
    values:   dotted parameter path -> number in the canonical unit of its suffix; a design-space sweep puts
              an array of shape (points, 1) in place of a number, and the same formulas serve both
    options:  dotted path -> discrete choice (dataflow, technology, precision, tiling mode)
    parts:    machines inside this one (an electronic companion), by role
    """

    kind: str
    name: str
    values: Mapping[str, Value]
    options: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, Params] = field(default_factory=dict)

    def __getitem__(self, path: str) -> Value:
        try:
            return self.values[path]
        except KeyError:
            close = get_close_matches(path, self.values, n=1)
            hint = f"; nearest: {close[0]!r}" if close else ""
            raise KeyError(f"machine {self.name} ({self.kind}) has no parameter {path!r}{hint}") from None

    def option(self, path: str) -> str:
        """A discrete choice; raises ``KeyError`` naming the machine if it has no such choice."""
        if path not in self.options:
            raise KeyError(
                f"machine {self.name} ({self.kind}) has no choice {path!r}; it has {sorted(self.options)}"
            )
        return self.options[path]

    def has(self, path: str) -> bool:
        """True if the machine states a number at ``path``."""
        return path in self.values

    def with_values(self, changes: Mapping[str, Value]) -> Params:
        """The same machine with other numbers; a path ``part.path`` reaches into a part.

        Raises ``KeyError`` for a path that the machine does not have.
        """
        own: dict[str, Value] = dict(self.values)
        parts = dict(self.parts)
        for path, value in changes.items():
            head, _, rest = path.partition(".")
            if path in own:
                own[path] = value
            elif head in parts:
                parts[head] = parts[head].with_values({rest: value})
            else:
                self[path]  # raises with the nearest spelling
        return replace(self, values=own, parts=parts)

    def scaled_rates(self, factor: float) -> Params:
        """Every rate times ``factor`` and every duration divided by it, in this machine and its parts.

        Rates are the paths that end in ``_hz`` or ``_per_s``; durations end in ``_s``, ``_ns`` or ``_us``.
        Doubling all of them halves every time: an invariant that the conformance tests hold machines to.
        """

        def scaled(path: str, value: Value) -> Value:
            if path.endswith(("_hz", "_per_s")):
                return value * factor
            if path.endswith(("_s", "_ns", "_us")):
                return value / factor
            return value

        return replace(
            self,
            values={path: scaled(path, value) for path, value in self.values.items()},
            parts={role: part.scaled_rates(factor) for role, part in self.parts.items()},
        )


@dataclass(frozen=True)
class ParameterRow:
    """One effective parameter: its value in ``unit``, where it comes from and who set it."""

    path: str
    value: float | str
    unit: str
    source: str
    kind: str
    set_by: str
    note: str = ""
    range: tuple[float, float] | None = None


def points_of(params: Params) -> int:
    """Number of design points that ``params`` stands for (1 if every value is a number)."""
    sizes = {np.shape(v)[0] for v in params.values.values() if np.ndim(v) > 0}
    sizes |= {points_of(part) for part in params.parts.values()} - {1}
    if len(sizes) > 1:
        raise ValueError(f"parameter columns of different lengths: {sorted(sizes)}")
    return sizes.pop() if sizes else 1
