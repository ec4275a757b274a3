"""Sweep documents: which machines, networks and parameter values, what is wanted and what is allowed.

kind: sweep
name: buffers
archs: [systolic_sram, systolic_mlc_sttram]
workloads: [resnet50, vit]
parameters:
  array.rows: [16, 32, 64]
  dram.bandwidth_bytes_per_s: {log_range: [1 GB/s, 16 GB/s], points: 5}
  dataflow: [os, ws]                     # a choice of the mapping, or a word of the machine file
derived: {array.cols: array.rows}
conditions: ["array.rows * array.cols <= 4096"]
constraints: ["latency_s < 0.5"]
objectives: [latency_s, energy_j]
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cosim.explore.expression import Expression
from cosim.spec.problems import Problem, Refused, SpecError, describe, nearest_hint, one_of
from cosim.spec.strict_yaml import Document, load
from cosim.spec.units import parse

KEYS = (
    *("kind", "name", "description", "archs", "workloads", "batch", "parameters", "derived", "conditions"),
    *("constraints", "objectives", "sampling"),
)
RANGES = ("list", "range", "log_range")
MAX_POINTS = 50_000_000


@dataclass(frozen=True)
class Axis:
    """One swept parameter: numbers in the canonical unit, or words."""

    path: str
    values: tuple[float, ...] | tuple[str, ...]

    @property
    def numeric(self) -> bool:
        """True if the values are numbers."""
        return not isinstance(self.values[0], str)


@dataclass(frozen=True)
class SpaceDoc:
    """A sweep as written; ``document`` is kept for places in messages.

    ``sampling`` is None for the full grid, else (method, points, seed) with method ``sobol``.
    """

    name: str
    archs: tuple[str, ...]
    workloads: tuple[str, ...]
    batches: tuple[int, ...]
    axes: tuple[Axis, ...]
    derived: Mapping[str, Expression]
    conditions: tuple[Expression, ...]
    constraints: tuple[Expression, ...]
    objectives: tuple[str, ...]
    sampling: tuple[str, int, int] | None
    document: Document

    def content(self) -> dict[str, Any]:
        """What the space is, for its hash."""
        return {
            "archs": list(self.archs),
            "workloads": list(self.workloads),
            "batches": list(self.batches),
            "axes": [[axis.path, list(axis.values)] for axis in self.axes],
            "derived": {path: expression.text for path, expression in self.derived.items()},
            "conditions": [c.text for c in self.conditions],
            "constraints": [c.text for c in self.constraints],
            "objectives": list(self.objectives),
            "sampling": list(self.sampling) if self.sampling else None,
        }


class _Reader:
    """Collects every problem of one document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def refuse(self, path: tuple[str | int, ...], found: str, allowed: str, hint: str = "") -> None:
        self.problems.append(self.document.problem(path, found, allowed, hint))

    def words(self, key: str, required: bool) -> tuple[str, ...]:
        raw = self.document.get(key)
        if raw is None and not required:
            return ()
        items = [raw] if isinstance(raw, str) else raw
        if not isinstance(items, list) or not items or not all(isinstance(item, str) for item in items):
            self.refuse((key,), describe(raw), "a name or a list of names")
            return ()
        if len(set(items)) != len(items):
            self.refuse((key,), f"{describe(raw)} with a name twice", "each name once")
        return tuple(items)

    def expressions(self, key: str) -> tuple[Expression, ...]:
        raw = self.document.get(key) or []
        if not isinstance(raw, list):
            self.refuse((key,), describe(raw), "a list of comparisons such as 'latency_s < 0.01'")
            return ()
        found = []
        for index, text in enumerate(raw):
            expression = self.expression((key, index), text)
            if expression is not None:
                found.append(expression)
        return tuple(found)

    def expression(self, path: tuple[str | int, ...], text: Any) -> Expression | None:
        try:
            return Expression(str(text))
        except Refused as error:
            for refusal in error.refusals:
                self.refuse(path, refusal.found, refusal.allowed, refusal.hint)
        return None

    def axis(self, path: str, raw: Any) -> Axis | None:
        suffix = _suffix(path)
        at = ("parameters", path)
        try:
            if isinstance(raw, dict):
                return Axis(path, _range(raw, suffix))
            items = raw if isinstance(raw, list) else [raw]
            if not items:
                self.refuse(at, "an empty list", "at least one value")
                return None
            values = tuple(_value(item, suffix) for item in items)
        except Refused as error:
            for refusal in error.refusals:
                self.refuse(at, refusal.found, refusal.allowed, refusal.hint)
            return None
        if len(set(values)) != len(values):
            self.refuse(at, "a value twice", "each value once")
        if len({isinstance(value, str) for value in values}) > 1:
            self.refuse(at, "numbers and words mixed", "all numbers or all words")
            return None
        return Axis(path, values)  # type: ignore[arg-type]


def _suffix(path: str) -> str | None:
    """Unit of a parameter path, from the end of its last name; None for a count or a word."""
    from cosim.spec.units import scale_of

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
        return float(raw)
    if isinstance(raw, str):
        if suffix is not None and raw[:1] in "0123456789.+-":
            return float(parse(raw, suffix))
        return raw
    from cosim.spec.problems import refuse

    raise refuse(describe(raw), "a number, a number with a unit, or a word")


def _range(raw: Mapping[str, Any], suffix: str | None) -> tuple[float, ...]:
    """``{range: [a, b], step|points: n}`` or ``{log_range: [a, b], points: n}`` (both ends included)."""
    from cosim.spec.problems import refuse

    kinds = [key for key in raw if key in RANGES]
    unknown = [key for key in raw if key not in (*RANGES, "points", "step")]
    if unknown or len(kinds) != 1:
        found = f"the keys {one_of(raw)}"
        raise refuse(found, "{range: [a, b], points|step: n} or {log_range: [a, b], points: n}")
    kind = kinds[0]
    ends = raw[kind]
    if kind == "list":
        return tuple(float(v) if not isinstance(v := _value(x, suffix), str) else _no_word(v) for x in ends)
    if not isinstance(ends, list) or len(ends) != 2:
        raise refuse(describe(ends), "[lowest, highest]")
    low, high = (_value(end, suffix) for end in ends)
    if isinstance(low, str) or isinstance(high, str) or not low < high:
        raise refuse(f"{low} to {high}", "two numbers, the lower one first")
    if "step" in raw and kind == "range":
        step = raw["step"]
        step = _value(step, suffix)
        if isinstance(step, str) or step <= 0 or (high - low) / step > 1e6:
            raise refuse(describe(raw["step"]), "a positive step that gives at most a million values")
        return tuple(float(v) for v in low + step * np.arange(math.floor((high - low) / step + 1e-9) + 1))
    points = raw.get("points")
    if not isinstance(points, int) or isinstance(points, bool) or not 2 <= points <= 1_000_000:
        raise refuse(f"points: {describe(points)}", "a whole number from 2 to a million")
    if kind == "log_range":
        if low <= 0:
            raise refuse(f"a lower end of {low:g}", "a positive number in a log_range")
        spaced = np.geomspace(low, high, points)
    else:
        spaced = np.linspace(low, high, points)
    whole = suffix in (None, "count", "bytes", "bits")
    return tuple(dict.fromkeys(float(round(v) if whole else v) for v in spaced))


def _no_word(word: str) -> float:
    from cosim.spec.problems import refuse

    raise refuse(f"'{word}'", "a number in a range")


def load_space(path: Path) -> SpaceDoc:
    """Read a sweep document; raises :class:`SpecError` with every problem of the file.

    Whether its machines, networks, paths and columns exist is checked by :func:`cosim.explore.space.prepare`.
    """
    document = load(path)
    data = document.data
    if not isinstance(data, dict):
        raise SpecError([document.problem((), describe(data), "a sweep document")])
    reader = _Reader(document)
    for key in data:
        if key not in KEYS:
            problem = document.problem(
                (key,), f"unknown key {key!r}", one_of(KEYS), nearest_hint(key, KEYS), key=True
            )
            reader.problems.append(problem)
    if data.get("kind") != "sweep":
        reader.refuse(("kind",), describe(data.get("kind")), "sweep")
    archs, workloads = reader.words("archs", True), reader.words("workloads", True)
    raw_axes = data.get("parameters") or {}
    axes: list[Axis] = []
    if isinstance(raw_axes, dict):
        axes = [axis for name, raw in raw_axes.items() if (axis := reader.axis(name, raw)) is not None]
    else:
        reader.refuse(("parameters",), describe(raw_axes), "a mapping of parameter path: values")
    derived: dict[str, Expression] = {}
    for name, text in (data.get("derived") or {}).items():
        expression = reader.expression(("derived", name), text)
        if expression is not None:
            derived[name] = expression
    sampling = _sampling(reader, data.get("sampling"))
    batches = _batches(reader, data.get("batch", 1))
    doc = SpaceDoc(
        name=str(data.get("name", path.stem)),
        archs=archs,
        workloads=workloads,
        batches=batches,
        axes=tuple(axes),
        derived=derived,
        conditions=reader.expressions("conditions"),
        constraints=reader.expressions("constraints"),
        objectives=reader.words("objectives", False) or ("latency_s", "energy_j"),
        sampling=sampling,
        document=document,
    )
    if reader.problems:
        raise SpecError(reader.problems)
    return doc


def _batches(reader: _Reader, raw: Any) -> tuple[int, ...]:
    items = raw if isinstance(raw, list) else [raw]
    if not items or not all(isinstance(b, int) and not isinstance(b, bool) and b >= 1 for b in items):
        reader.refuse(("batch",), describe(raw), "a whole number of at least 1, or a list of them")
        return (1,)
    return tuple(items)


def _sampling(reader: _Reader, raw: Any) -> tuple[str, int, int] | None:
    if raw is None or raw == "grid":
        return None
    if isinstance(raw, dict) and set(raw) <= {"sobol", "seed"} and isinstance(raw.get("sobol"), int):
        points, seed = raw["sobol"], raw.get("seed", 0)
        if 1 <= points <= MAX_POINTS and isinstance(seed, int):
            return ("sobol", points, seed)
    reader.refuse(("sampling",), describe(raw), "grid, or {sobol: points, seed: n}")
    return None
