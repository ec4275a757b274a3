"""Workload files, read: a YAML document with one layer a line becomes a :class:`~cosim.ir.workload.Workload`.

Checked by hand rather than by a schema library, because a network of 300 layers is read before every run. All
problems of a file are reported together, each with its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cosim.ir.layer import Layer
from cosim.ir.layer_check import LayerReader
from cosim.ir.workload import CoverageReport, OperatorCoverage, Workload
from cosim.ir.workload_write import dump_workload, save_workload
from cosim.spec.problems import Problem, SpecError, describe, nearest_hint, one_of
from cosim.spec.strict_yaml import Document, load, loads

__all__ = ["dump_workload", "load_workload", "read_workload", "save_workload"]

RULES = (
    "Names are unique, and `inputs` of a layer name earlier layers or inputs of the network.",
    "Multiply-accumulate layers are written by dimensions, all others by element counts; a key of the other sort is "
    "refused.",
    "Input size, kernel, stride, dilation and padding must give the output size that is stated.",
    "Without `inputs` a layer reads the one above it (the first one the first input); without `H` and `W` the input "
    "has the size that gives P and Q exactly.",
    "All problems of a file are reported together, with line, column and nearest spelling.",
)
_KEYS = ("kind", "name", "batch", "origin", "published", "inputs", "outputs", "layers", "coverage")
_TREATMENTS = ("modelled", "alias", "folded", "unknown")
_COVERAGE_KEYS = ("operator", "treatment", "count", "macs", "moved_bytes")


def load_workload(path: Path | str) -> Workload:
    """Read a workload file.

    Raises
    ------
    SpecError
        The file is missing, is not strict YAML, or is not a workload; carries every problem with file, line, column.
    """
    return _Reader(load(path)).workload()


def read_workload(text: str, name: str = "<text>") -> Workload:
    """Read the text of a workload file; ``name`` stands for the file in messages. Raises ``SpecError``."""
    return _Reader(loads(text, name)).workload()


class _Reader:
    """Checks one document, collecting problems."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def workload(self) -> Workload:
        data = self.document.data
        if not isinstance(data, dict):
            raise SpecError(
                [self.document.problem((), describe(data), "a mapping with kind, name and layers")]
            )
        self._known_keys(data, _KEYS, ())
        if data.get("kind") != "workload":
            self.bad(("kind",), describe(data.get("kind")), "workload")
        name = data.get("name")
        if not isinstance(name, str) or not name:
            self.bad(("name",), describe(name), "a name (text)")
        batch = self._positive(("batch",), data.get("batch", 1))
        inputs = self._inputs(data.get("inputs", {}))
        layers = self._layers(data.get("layers"), inputs, batch)
        outputs = self._outputs(data.get("outputs", []), layers, inputs)
        origin = self._texts("origin", data.get("origin", {}))
        published = self._published(data.get("published", {}))
        coverage = self._coverage(data.get("coverage", []))
        if self.problems:
            raise SpecError(self.problems)
        return Workload(str(name), layers, inputs, outputs, origin, published, coverage, batch)

    def bad(
        self, path: tuple[str | int, ...], found: str, allowed: str, hint: str = "", key: bool = False
    ) -> None:
        """Record a problem."""
        self.problems.append(self.document.problem(path, found, allowed, hint, key))

    def _known_keys(
        self, data: Mapping[str, Any], allowed: tuple[str, ...], path: tuple[str | int, ...]
    ) -> None:
        for key in data:
            if key not in allowed:
                self.bad(
                    (*path, key), f"the key '{key}'", one_of(allowed), nearest_hint(key, allowed), key=True
                )

    def _positive(self, path: tuple[str | int, ...], value: Any) -> int:
        if type(value) is not int or value < 1:
            self.bad(path, describe(value), "a whole number of at least 1")
            return 1
        return value

    def _mapping(self, key: str, value: Any) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        self.bad((key,), describe(value), "a mapping")
        return {}

    def _inputs(self, value: Any) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {}
        for name, shape in self._mapping("inputs", value).items():
            if not isinstance(shape, list):
                self.bad(("inputs", name), describe(shape), "a list of sizes")
                continue
            shapes[name] = tuple(self._positive(("inputs", name, i), size) for i, size in enumerate(shape))
        return shapes

    def _layers(self, value: Any, inputs: Mapping[str, tuple[int, ...]], batch: int) -> tuple[Layer, ...]:
        if not isinstance(value, list) or not value:
            self.bad(("layers",), describe(value), "a list of at least one layer")
            return ()
        reader = LayerReader(self.document, self.problems, inputs, batch)
        return tuple(layer for i, row in enumerate(value) if (layer := reader.read(i, row)) is not None)

    def _outputs(self, value: Any, layers: tuple[Layer, ...], inputs: Mapping[str, Any]) -> tuple[str, ...]:
        if not isinstance(value, list):
            self.bad(("outputs",), describe(value), "a list of layer names")
            return ()
        names = [layer.name for layer in layers]
        known = {*names, *inputs}
        for index, name in enumerate(value):
            if name not in known:
                hint = nearest_hint(str(name), names)
                self.bad(("outputs", index), describe(name), "the name of a layer", hint)
        return tuple(str(name) for name in value)

    def _texts(self, key: str, value: Any) -> dict[str, str]:
        texts: dict[str, str] = {}
        for name, text in self._mapping(key, value).items():
            if not isinstance(text, str):
                self.bad((key, name), describe(text), "text", "write it in quotes")
                continue
            texts[name] = text
        return texts

    def _published(self, value: Any) -> dict[str, float | str]:
        figures: dict[str, float | str] = {}
        for name, figure in self._mapping("published", value).items():
            if isinstance(figure, bool) or not isinstance(figure, int | float | str):
                self.bad(("published", name), describe(figure), "a number or text")
                continue
            figures[name] = figure
        return figures

    def _coverage(self, value: Any) -> CoverageReport:
        if not isinstance(value, list):
            self.bad(("coverage",), describe(value), "a list of operators")
            return CoverageReport()
        rows = [row for i, item in enumerate(value) if (row := self._operator(i, item)) is not None]
        return CoverageReport(tuple(rows))

    def _operator(self, index: int, row: Any) -> OperatorCoverage | None:
        path = ("coverage", index)
        if not isinstance(row, dict):
            self.bad(path, describe(row), f"a mapping with {one_of(_COVERAGE_KEYS)}")
            return None
        self._known_keys(row, _COVERAGE_KEYS, path)
        before = len(self.problems)
        operator, treatment = row.get("operator"), row.get("treatment")
        if not isinstance(operator, str):
            self.bad((*path, "operator"), describe(operator), "the name of an operator")
        if treatment not in _TREATMENTS:
            hint = nearest_hint(str(treatment), _TREATMENTS)
            self.bad((*path, "treatment"), describe(treatment), one_of(_TREATMENTS), hint)
        count = self._positive((*path, "count"), row.get("count"))
        numbers = [row.get("macs", 0), row.get("moved_bytes", 0)]
        for key, number in zip(_COVERAGE_KEYS[3:], numbers, strict=True):
            if isinstance(number, bool) or not isinstance(number, int | float) or number < 0:
                self.bad((*path, key), describe(number), "a number of at least 0")
        if len(self.problems) > before:
            return None
        return OperatorCoverage(str(operator), str(treatment), count, int(numbers[0]), float(numbers[1]))
