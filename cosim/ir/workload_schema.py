"""JSON Schema of a workload file, for editors; the reader's own checks go further (names, edges, sizes)."""

from __future__ import annotations

from typing import Any

from cosim.ir.layer_fields import BITS, COUNTS, DIMS, KEYS
from cosim.ir.ops import OPS

_SIZE = {"type": "integer", "minimum": 1}
_COUNT = {"type": "integer", "minimum": 0}
_TEXT = {"type": "string"}


def _sizes(least: int, most_items: int) -> dict[str, Any]:
    one = {"type": "integer", "minimum": least}
    return {"oneOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": most_items}]}


_LAYER: dict[str, dict[str, Any]] = {
    "name": {**_TEXT, "minLength": 1, "description": "unique name"},
    "op": {"enum": list(OPS), "description": "operator"},
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

_COVERAGE = {
    "operator": _TEXT,
    "treatment": {"enum": ["modelled", "alias", "folded", "unknown"]},
    "count": _SIZE,
    "macs": {"type": "number", "minimum": 0},
    "moved_bytes": {"type": "number", "minimum": 0},
}


def _record(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def workload_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a workload document."""
    layer = _record({key: _LAYER[key] for key in KEYS}, ["name", "op"])
    document = _record(
        {
            "kind": {"const": "workload"},
            "name": {**_TEXT, "minLength": 1},
            "batch": _SIZE,
            "origin": {"type": "object", "additionalProperties": _TEXT},
            "published": {"type": "object", "additionalProperties": {"type": ["number", "string"]}},
            "inputs": {"type": "object", "additionalProperties": {"type": "array", "items": _SIZE}},
            "outputs": {"type": "array", "items": _TEXT},
            "layers": {"type": "array", "items": layer, "minItems": 1},
            "coverage": {"type": "array", "items": _record(_COVERAGE, ["operator", "treatment", "count"])},
        },
        ["kind", "name", "layers"],
    )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "cosim workload", **document}
