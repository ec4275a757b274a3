"""One row of a workload file: its keys, types and sizes checked, then made a layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cosim.ir.layer import Layer, input_size, output_size
from cosim.ir.layer_fields import (
    BITS,
    COUNTS,
    DIMS,
    KEYS,
    MAC_ONLY,
    VECTOR_ONLY,
    is_mac_op,
    layer_from_fields,
)
from cosim.ir.ops import OPS, OpClass
from cosim.spec.problems import Problem, describe, nearest_hint, one_of
from cosim.spec.strict_yaml import Document

_KEY_SET = frozenset(KEYS)
_AT_LEAST = {**dict.fromkeys((*DIMS, *BITS, "taps", "x_elems", "y_elems"), 1), **dict.fromkeys(COUNTS, 0)}
_AT_LEAST.update(x_elems=0, y_elems=1, w_elems=0)
_SIZES = {"stride": (2, 1), "dilation": (2, 1), "padding": (4, 0)}
_WORDS = {"static_weight": bool, "bias": bool, "module": str}


class LayerReader:
    """Reads rows in order; knows which names may be referred to so far."""

    def __init__(
        self, document: Document, problems: list[Problem], inputs: Mapping[str, tuple[int, ...]], batch: int
    ) -> None:
        self.document = document
        self.problems = problems
        self.batch = batch
        self.names: dict[str, int] = dict.fromkeys(inputs, -1)
        self.previous: tuple[str, ...] = tuple(inputs)[:1]
        self.index = 0

    def read(self, index: int, row: Any) -> Layer | None:
        """The layer of row ``index``, or None after recording what is wrong with it."""
        self.index = index
        before = len(self.problems)
        if not isinstance(row, dict):
            self.bad((), describe(row), "a mapping with name, op and sizes")
            return None
        self._name(row)
        fields = self._fields(row)
        if len(self.problems) > before:
            return None
        layer = layer_from_fields(fields, self.previous, self.batch)
        if layer.is_mac:
            self._consistent(layer, row)
        self.previous = (layer.name,)
        return layer

    def bad(
        self, path: tuple[str | int, ...], found: str, allowed: str, hint: str = "", key: bool = False
    ) -> None:
        """Record a problem with this row."""
        self.problems.append(self.document.problem(("layers", self.index, *path), found, allowed, hint, key))

    def _name(self, row: Mapping[str, Any]) -> None:
        name, op = row.get("name"), row.get("op")
        if not isinstance(name, str) or not name:
            self.bad(("name",), describe(name), "a name (text)")
        elif name in self.names:
            at = self.names[name]
            other = "a network input" if at < 0 else f"layer {at + 1} (line {self._line(at)})"
            self.bad(("name",), f"the name '{name}' a second time, first {other}", "a unique name")
        else:
            self.names[name] = self.index
        if not isinstance(op, str) or op not in OPS:
            self.bad(
                ("op",), describe(op), f"an operator such as {one_of(OPS, 8)}", nearest_hint(str(op), OPS)
            )

    def _line(self, index: int) -> int:
        return self.document.mark(("layers", index)).line

    def _fields(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Checked values with pairs and quads expanded."""
        op = row.get("op")
        known_op = isinstance(op, str) and op in OPS
        mac = known_op and is_mac_op(str(op))
        fields: dict[str, Any] = {}
        for key, value in row.items():
            if key not in _KEY_SET:
                self.bad((key,), f"the key '{key}'", one_of(KEYS, 40), nearest_hint(key, KEYS), key=True)
            elif known_op and key in (VECTOR_ONLY if mac else MAC_ONLY):
                kind = "multiply-accumulate layer" if mac else "layer without multiply-accumulates"
                self.bad(
                    (key,), f"the key '{key}' in a {kind} ({op})", "keys that this operator has", key=True
                )
            else:
                fields[key] = self._value(key, value)
        if known_op and not mac and "x_elems" not in row:
            self.bad((), f"a {op} layer without x_elems", "x_elems, the number of elements read")
        return fields

    def _value(self, key: str, value: Any) -> Any:
        if key in _AT_LEAST:
            if type(value) is not int or value < _AT_LEAST[key]:
                self.bad((key,), describe(value), f"a whole number of at least {_AT_LEAST[key]}")
        elif key in _SIZES:
            return self._sizes(key, value)
        elif key == "inputs":
            return self._inputs(value)
        elif key in _WORDS and not isinstance(value, _WORDS[key]):
            self.bad((key,), describe(value), "true or false" if _WORDS[key] is bool else "text")
        return value

    def _sizes(self, key: str, value: Any) -> tuple[int, ...]:
        """stride and dilation (rows, columns); padding (top, left, bottom, right), also as one number or two."""
        length, least = _SIZES[key]
        values = value if isinstance(value, list) else [value]
        lengths = (1, 2, 4) if length == 4 else (1, 2)
        if len(values) not in lengths or any(type(v) is not int or v < least for v in values):
            forms = " or ".join(str(n) for n in lengths)
            self.bad((key,), describe(value), f"{forms} whole numbers of at least {least}")
            return (least,) * length
        return tuple(values) if len(values) == length else tuple(values) * (length // len(values))

    def _inputs(self, value: Any) -> tuple[str, ...]:
        values = value if isinstance(value, list) else [value]
        own = {name for name, at in self.names.items() if at == self.index}
        for source in values:
            if not isinstance(source, str) or source not in self.names or source in own:
                known = [name for name in self.names if name not in own]
                hint = nearest_hint(str(source), known)
                self.bad(("inputs",), describe(source), "an earlier layer or a network input", hint)
        return tuple(str(v) for v in values)

    def _consistent(self, layer: Layer, row: Mapping[str, Any]) -> None:
        """Input size, kernel, stride and padding give the output size that is stated."""
        pads = (layer.padding[0] + layer.padding[2], layer.padding[1] + layer.padding[3])
        sides = (
            ("P", layer.P, "H", layer.H, layer.R, layer.stride[0], layer.dilation[0], pads[0]),
            ("Q", layer.Q, "W", layer.W, layer.S, layer.stride[1], layer.dilation[1], pads[1]),
        )
        transposed = layer.op_class is OpClass.TRANSPOSED_CONV
        for out, size, into, given, kernel, stride, dilation, pad in sides:
            if given < 1:
                self.bad((out,), f"{out}: {size}, which needs {into}: {given}", "sizes that leave an input")
            elif transposed:
                self._transposed(out, size, into, given, (kernel, stride, dilation, pad))
            elif (expected := output_size(given, kernel, stride, dilation, pad)) != size:
                found = f"{out}: {size} for {into}: {given}, kernel {kernel}, stride {stride}, padding {pad} in all"
                self.bad((out if out in row else into,), found, f"{out}: {expected}")

    def _transposed(
        self, out: str, size: int, into: str, given: int, window: tuple[int, int, int, int]
    ) -> None:
        """A transposed convolution may add up to max(stride, dilation) - 1 rows (output padding)."""
        kernel, stride, dilation, pad = window
        least = (given - 1) * stride + dilation * (kernel - 1) + 1 - pad
        most = least + max(stride, dilation) - 1
        if not least <= size <= most:
            needs = input_size(size, kernel, stride, dilation, pad, transposed=True)
            found = (
                f"{out}: {size} for {into}: {given}, kernel {kernel}, stride {stride}, padding {pad} in all"
            )
            self.bad((out,), found, f"{out}: {least} to {most}", f"or {into}: {needs}")
