"""JSON Schema of a workload file, for editors; the reader's own checks go further (names, edges, sizes)."""

from __future__ import annotations

from typing import Any

from cosim.ir.layer_fields import BITS, COUNTS, DIMS, KEYS
from cosim.ir.ops import OPS

_SIZE = {"type": "integer", "minimum": 1}
_COUNT = {"type": "integer", "minimum": 0}
_TEXT = {"type": "string"}


_MEANINGS = {
    "name": "unique name",
    "op": "operator; `cosim list ops` says what each counts",
    "N": "images; the batch of the workload if not given",
    "G": "groups",
    "K": "output channels of a group",
    "C": "input channels of a group",
    "P": "output rows; tokens of a linear layer, rows of a matrix product",
    "Q": "output columns",
    "R": "kernel rows",
    "S": "kernel columns",
    "H": "input rows before padding",
    "W": "input columns before padding",
    "stride": "rows and columns, or one number for both",
    "dilation": "rows and columns, or one number for both",
    "padding": "top, left, bottom, right; or rows and columns; or one number for all",
    "static_weight": "the second operand is a trained constant; false where it is computed at run time",
    "bias": "a bias of G * K elements is added",
    "x_elems": "elements read; needed for layers without multiply-accumulates",
    "y_elems": "elements written; as many as are read if not given",
    "w_elems": "parameter elements",
    "taps": "window of a pooling layer, which multiplies its operations",
    "simple_ops": "scalar operations; from the operator table if not given",
    "special_ops": "divisions, roots and transcendental functions; from the operator table if not given",
    "shared_params": "parameters that an earlier layer holds, or that are fixed",
    "bits": "width of every element as stored; 32 if not given",
    "x_bits": "width of an input element as stored",
    "w_bits": "width of an element of the second operand as stored",
    "y_bits": "width of a result element as stored",
    "inputs": "earlier layers or inputs of the network that are read; the layer above if not given",
    "module": "path of the module in the original network; the name if not given",
}


def _sizes(least: int, most_items: int) -> dict[str, Any]:
    one = {"type": "integer", "minimum": least}
    return {"oneOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": most_items}]}


_LAYER: dict[str, dict[str, Any]] = {
    "name": {**_TEXT, "minLength": 1},
    "op": {"enum": list(OPS)},
    **{key: dict(_SIZE) for key in (*DIMS, *BITS, "taps")},
    **{key: dict(_COUNT) for key in COUNTS},
    "stride": _sizes(1, 2),
    "dilation": _sizes(1, 2),
    "padding": _sizes(0, 4),
    "static_weight": {"type": "boolean"},
    "bias": {"type": "boolean"},
    "inputs": {"oneOf": [_TEXT, {"type": "array", "items": _TEXT}]},
    "module": _TEXT,
}

_AMOUNT = {"type": "number", "minimum": 0}
_COVERAGE = {
    "operator": {**_TEXT, "description": "operator of the original graph"},
    "treatment": {
        "enum": ["modelled", "alias", "folded", "unknown"],
        "description": "a layer of its own, no work, part of another layer, or not modelled",
    },
    "count": {**_SIZE, "description": "how often it occurs"},
    "macs": {**_AMOUNT, "description": "its multiply-accumulates"},
    "moved_bytes": {**_AMOUNT, "description": "bytes that it reads and writes"},
}


def _record(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def workload_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a workload document."""
    layer = _record({key: {**_LAYER[key], "description": _MEANINGS[key]} for key in KEYS}, ["name", "op"])
    numbers = {"type": "object", "additionalProperties": {"type": ["number", "string"]}}
    shapes = {"type": "object", "additionalProperties": {"type": "array", "items": _SIZE}}
    coverage = _record(_COVERAGE, ["operator", "treatment", "count"])
    parts: dict[str, tuple[dict[str, Any], str]] = {
        "kind": ({"const": "workload"}, "kind of document"),
        "name": ({**_TEXT, "minLength": 1}, "name of the network"),
        "batch": (_SIZE, "images at once; 1 if not given"),
        "origin": (
            {"type": "object", "additionalProperties": _TEXT},
            "where the network comes from: model, input, command, versions",
        ),
        "published": (numbers, "published counts and their source, for comparison"),
        "inputs": (shapes, "shape of each input of the network, by name"),
        "outputs": ({"type": "array", "items": _TEXT}, "layers that the network returns"),
        "layers": ({"type": "array", "items": layer, "minItems": 1}, "the layers in execution order"),
        "coverage": (
            {"type": "array", "items": coverage},
            "operators of the original graph and what became of them",
        ),
    }
    document = _record(
        {key: {**schema, "description": meaning} for key, (schema, meaning) in parts.items()},
        ["kind", "name", "layers"],
    )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "cosim workload", **document}
