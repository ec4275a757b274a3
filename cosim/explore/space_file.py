"""Sweep documents: which machines, networks and parameter values, what is wanted and what is allowed.

kind: sweep
name: buffers
archs: [systolic_sram, systolic_mlc_sttram]
workloads: [resnet50, vit]
mappings: [default, mappings/mine.yaml]     # optional; `default` is the machine's own best choice
transforms: [none, prune_channels:0.5]      # optional; what is done to every network first
batch: [1, 8]
parameters:
  array.rows: [16, 32, 64]
  dram.bandwidth_bytes_per_s: {log_range: [1 GB/s, 16 GB/s], points: 5}
  dataflow: [os, ws]                        # a choice of the mapping, or a word of the machine file
derived: {array.cols: array.rows}           # parameters that follow from others
conditions: ["array.rows * array.cols <= 4096"]
columns: {buffer_bytes: buffers.filter.capacity_bytes + buffers.ifmap.capacity_bytes}
constraints: ["latency_s < 0.5"]
objectives: [latency_s, energy_j, buffer_bytes]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.explore.axes import Axis, read_axis
from cosim.explore.expression import Expression
from cosim.explore.transform_axis import KEY as TRANSFORMS
from cosim.explore.transform_axis import Chain, read_chains
from cosim.spec.problems import Problem, Refused, SpecError, describe, nearest_hint, one_of
from cosim.spec.strict_yaml import Document, load

KEYS = (
    *("kind", "name", "description", "archs", "workloads", "mappings", TRANSFORMS, "batch", "parameters"),
    *("derived", "conditions", "columns", "constraints", "objectives", "sampling"),
)
OBJECTIVES = ("latency_s", "energy_j")
NO_MAPPING = "default"
MAX_POINTS = 50_000_000


@dataclass(frozen=True)
class SpaceDoc:
    """A sweep as written; ``document`` is kept for places in messages.

    ``columns`` are further result columns, computed from parameters and results. ``sampling`` is None for the
    full grid, else (method, points, seed) with method ``sobol``. ``transforms`` is None where the sweep has none,
    which leaves its hash and its results as they are without that axis.
    """

    name: str
    archs: tuple[str, ...]
    workloads: tuple[str, ...]
    mappings: tuple[str, ...]
    batches: tuple[int, ...]
    axes: tuple[Axis, ...]
    derived: Mapping[str, Expression]
    conditions: tuple[Expression, ...]
    columns: Mapping[str, Expression]
    constraints: tuple[Expression, ...]
    objectives: tuple[str, ...]
    sampling: tuple[str, int, int] | None
    document: Document
    transforms: tuple[Chain, ...] | None = None

    def content(self) -> dict[str, Any]:
        """What the space is, for its hash."""
        return {
            "archs": list(self.archs),
            "workloads": list(self.workloads),
            "mappings": list(self.mappings),
            **({} if self.transforms is None else {TRANSFORMS: [list(chain) for chain in self.transforms]}),
            "batches": list(self.batches),
            "axes": [axis.content() for axis in self.axes],
            "derived": {path: expression.text for path, expression in self.derived.items()},
            "conditions": [c.text for c in self.conditions],
            "columns": {name: expression.text for name, expression in self.columns.items()},
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

    def refused(self, path: tuple[str | int, ...], error: Refused) -> None:
        for refusal in error.refusals:
            self.refuse((*path, *refusal.at), refusal.found, refusal.allowed, refusal.hint)

    def words(self, key: str, otherwise: tuple[str, ...] | None) -> tuple[str, ...]:
        raw = self.document.get(key)
        if raw is None and otherwise is not None:
            return otherwise
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
        found = [self.expression((key, index), text) for index, text in enumerate(raw)]
        return tuple(expression for expression in found if expression is not None)

    def named(self, key: str) -> dict[str, Expression]:
        raw = self.document.get(key) or {}
        if not isinstance(raw, dict):
            self.refuse((key,), describe(raw), "a mapping of name: expression")
            return {}
        found = {str(name): self.expression((key, name), text) for name, text in raw.items()}
        return {name: expression for name, expression in found.items() if expression is not None}

    def expression(self, path: tuple[str | int, ...], text: Any) -> Expression | None:
        try:
            return Expression(str(text))
        except Refused as error:
            self.refused(path, error)
        return None

    def axes(self) -> tuple[Axis, ...]:
        raw = self.document.get("parameters") or {}
        if not isinstance(raw, dict):
            self.refuse(("parameters",), describe(raw), "a mapping of parameter path: values")
            return ()
        found = []
        for path, values in raw.items():
            try:
                found.append(read_axis(str(path), values))
            except Refused as error:
                self.refused(("parameters", path), error)
        return tuple(found)

    def transforms(self) -> tuple[Chain, ...] | None:
        if TRANSFORMS not in self.document.data:
            return None
        try:
            return read_chains(self.document.get(TRANSFORMS))
        except Refused as error:
            self.refused((TRANSFORMS,), error)
        return None

    def batches(self) -> tuple[int, ...]:
        raw = self.document.get("batch")
        items = [1] if raw is None else raw if isinstance(raw, list) else [raw]
        whole = all(isinstance(b, int) and not isinstance(b, bool) and b >= 1 for b in items)
        if not items or not whole or len(set(items)) != len(items):
            self.refuse(
                ("batch",), describe(raw), "a whole number of at least 1, or a list of them, each once"
            )
            return (1,)
        return tuple(items)

    def sampling(self) -> tuple[str, int, int] | None:
        raw = self.document.get("sampling")
        if raw is None or raw == "grid":
            return None
        if isinstance(raw, dict) and set(raw) <= {"sobol", "seed"}:
            points, seed = raw.get("sobol"), raw.get("seed", 0)
            counts = all(isinstance(n, int) and not isinstance(n, bool) for n in (points, seed))
            if counts and isinstance(points, int) and 1 <= points <= MAX_POINTS and seed >= 0:
                return ("sobol", points, seed)
        self.refuse(("sampling",), describe(raw), f"grid, or {{sobol: 1 to {MAX_POINTS:,} points, seed: n}}")
        return None


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
            reader.problems.append(
                document.problem(
                    (key,), f"unknown key {key!r}", one_of(KEYS), nearest_hint(str(key), KEYS), key=True
                )
            )
    if data.get("kind") != "sweep":
        reader.refuse(("kind",), describe(data.get("kind")), "sweep")
    doc = SpaceDoc(
        name=str(data.get("name", path.stem)),
        archs=reader.words("archs", None),
        workloads=reader.words("workloads", None),
        mappings=reader.words("mappings", (NO_MAPPING,)),
        batches=reader.batches(),
        axes=reader.axes(),
        derived=reader.named("derived"),
        conditions=reader.expressions("conditions"),
        columns=reader.named("columns"),
        constraints=reader.expressions("constraints"),
        objectives=reader.words("objectives", OBJECTIVES),
        sampling=reader.sampling(),
        document=document,
        transforms=reader.transforms(),
    )
    if reader.problems:
        raise SpecError(reader.problems)
    return doc
