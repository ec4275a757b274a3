"""Axes of a design space: listed values, or a range with its spacing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cosim.spec.problems import describe, one_of, refuse
from cosim.spec.units import parse, scale_of

RANGES = ("list", "range", "log_range")
MAX_VALUES = 1_000_000

Spacing = Literal["listed", "linear", "log"]


@dataclass(frozen=True)
class Axis:
    """One swept parameter: numbers in the canonical unit, or words.

    ``spacing`` tells listed values from a range: a sampler draws from a range between its ends, and from a list
    its members. A grid takes ``values`` either way.
    """

    path: str
    values: tuple[float, ...] | tuple[str, ...]
    spacing: Spacing = "listed"

    @property
    def numeric(self) -> bool:
        """True if the values are numbers."""
        return not isinstance(self.values[0], str)

    def numbers(self) -> NDArray[np.float64]:
        """The values as an array."""
        return np.asarray(self.values, dtype=np.float64)

    def rounded(self) -> Axis:
        """The axis of a parameter that takes whole numbers: a spaced range is rounded, a list is left as written."""
        if self.spacing == "listed":
            return self
        return replace(self, values=tuple(dict.fromkeys(float(round(float(v))) for v in self.values)))

    def between(self, unit: NDArray[np.float64], whole: bool) -> NDArray[np.float64]:
        """Values for draws from [0, 1): between the ends of a range, or members of a list."""
        values = self.numbers()
        if self.spacing == "listed":
            return values[np.minimum((unit * len(values)).astype(np.int64), len(values) - 1)]
        low, high = values[0], values[-1]
        log = self.spacing == "log"
        drawn: NDArray[np.float64] = (
            low * np.exp(unit * np.log(high / low)) if log else low + unit * (high - low)
        )
        return np.round(drawn) if whole else drawn

    def content(self) -> list[Any]:
        """What the axis is, for the hash of the space."""
        return [self.path, self.spacing, list(self.values)]


def read_axis(path: str, raw: Any) -> Axis:
    """An axis from what the file holds; raises :class:`cosim.spec.problems.Refused`."""
    suffix = _suffix(path)
    if isinstance(raw, dict):
        return _range(path, raw, suffix)
    return _listed(path, raw if isinstance(raw, list) else [raw], suffix)


def _listed(path: str, items: list[Any], suffix: str | None) -> Axis:
    if not items:
        raise refuse("an empty list", "at least one value")
    values = tuple(_value(item, suffix) for item in items)
    if len(set(values)) != len(values):
        raise refuse("a value twice", "each value once")
    if len({isinstance(value, str) for value in values}) > 1:
        raise refuse("numbers and words mixed", "all numbers or all words")
    return Axis(path, values)  # type: ignore[arg-type]


def _suffix(path: str) -> str | None:
    """Unit of a parameter path, from the end of its last name; None for a count or a word."""
    parts = path.rsplit(".", 1)[-1].split("_")
    for start in range(1, len(parts)):
        suffix = "_".join(parts[start:])
        try:
            scale_of(suffix)
        except KeyError:
            continue
        return suffix
    return None


def _value(raw: Any, suffix: str | None) -> float | str:
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int | float):
        if not math.isfinite(raw):
            raise refuse(describe(raw), "a finite number")
        return float(raw)
    if isinstance(raw, str):
        if suffix is not None and raw[:1] in "0123456789.+-":
            return float(parse(raw, suffix))
        return raw
    raise refuse(describe(raw), "a number, a number with a unit, or a word")


def _number(raw: Any, suffix: str | None) -> float:
    value = _value(raw, suffix)
    if isinstance(value, str):
        raise refuse(f"'{value}'", "a number in a range")
    return value


def _range(path: str, raw: Mapping[str, Any], suffix: str | None) -> Axis:
    """``{range: [a, b], step|points: n}`` or ``{log_range: [a, b], points: n}`` (both ends included)."""
    kinds = [key for key in raw if key in RANGES]
    unknown = [key for key in raw if key not in (*RANGES, "points", "step")]
    if unknown or len(kinds) != 1:
        raise refuse(
            f"the keys {one_of(raw)}", "{range: [a, b], points|step: n} or {log_range: [a, b], points: n}"
        )
    kind = kinds[0]
    ends = raw[kind]
    if kind == "list":
        if not isinstance(ends, list):
            raise refuse(describe(ends), "a list of values")
        return _listed(path, ends, suffix)
    if not isinstance(ends, list) or len(ends) != 2:
        raise refuse(describe(ends), "[lowest, highest]")
    low, high = (_number(end, suffix) for end in ends)
    if not low < high:
        raise refuse(f"{low:g} to {high:g}", "two numbers, the lower one first")
    if "step" in raw:
        return Axis(path, _steps(low, high, raw, kind, suffix))
    points = raw.get("points")
    if not isinstance(points, int) or isinstance(points, bool) or not 2 <= points <= MAX_VALUES:
        raise refuse(f"points: {describe(points)}", "a whole number from 2 to a million")
    if kind == "log_range":
        if low <= 0:
            raise refuse(f"a lower end of {low:g}", "a positive number in a log_range")
        return Axis(path, tuple(np.geomspace(low, high, points).tolist()), "log")
    return Axis(path, tuple(np.linspace(low, high, points).tolist()), "linear")


def _steps(
    low: float, high: float, raw: Mapping[str, Any], kind: str, suffix: str | None
) -> tuple[float, ...]:
    step = _number(raw["step"], suffix)
    if kind != "range" or "points" in raw or step <= 0 or (high - low) / step > MAX_VALUES:
        raise refuse(
            f"step: {describe(raw['step'])}",
            "a positive step of a range, that gives at most a million values",
        )
    count = math.floor((high - low) / step + 1e-9) + 1
    return tuple((low + step * np.arange(count)).tolist())
