"""How one layer is written in a workload file: which keys, their defaults, and what follows from the rest.

A multiply-accumulate layer is its dimensions; any other layer is its element counts. Everything that
:func:`~cosim.ir.layer.mac_layer` and :func:`~cosim.ir.layer.vector_layer` derive is left out of the file unless it
differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cosim.ir.layer import Layer, mac_layer, vector_layer
from cosim.ir.ops import MAC_CLASSES, OPS, OpClass

DIMS = ("N", "G", "K", "C", "P", "Q", "R", "S", "H", "W")
COUNTS = ("x_elems", "w_elems", "y_elems", "simple_ops", "special_ops", "shared_params")
BITS = ("bits", "x_bits", "w_bits", "y_bits")
MAC_ONLY = frozenset((*DIMS[1:], "stride", "dilation", "padding", "static_weight", "bias"))
VECTOR_ONLY = frozenset({"taps"})
KEYS = (
    "name",
    "op",
    *DIMS,
    "stride",
    "dilation",
    "padding",
    "static_weight",
    "bias",
    "x_elems",
    "y_elems",
    "w_elems",
    "taps",
    "simple_ops",
    "special_ops",
    "shared_params",
    *BITS,
    "inputs",
    "module",
)


def is_mac_op(op: str) -> bool:
    """True if the operator of this name is written by its dimensions."""
    return OPS[op].op_class in MAC_CLASSES


def layer_from_fields(fields: Mapping[str, Any], inputs: tuple[str, ...], batch: int) -> Layer:
    """The layer that checked ``fields`` stand for (keys of :data:`KEYS`, pairs and quads already expanded).

    ``inputs`` and ``batch`` are the defaults of ``inputs`` and ``N``. Raises ``KeyError`` for a missing key.
    """
    op = fields["op"]
    bits = fields.get("bits", 32)
    if OPS[op].op_class in MAC_CLASSES:
        static = fields.get("static_weight", OPS[op].op_class is not OpClass.MATMUL)
        layer = mac_layer(
            fields["name"],
            op,
            N=fields.get("N", batch),
            static_weight=static,
            bits=bits,
            **{key: fields[key] for key in _MAC_PLAIN if key in fields},
        )
    else:
        layer = vector_layer(
            fields["name"],
            op,
            x_elems=fields["x_elems"],
            y_elems=fields.get("y_elems", fields["x_elems"]),
            w_elems=fields.get("w_elems", 0),
            taps=fields.get("taps", 1),
            N=fields.get("N", batch),
            bits=bits,
        )
    stated = {key: fields[key] for key in _STATED if key in fields}
    return replace(
        layer, inputs=fields.get("inputs", inputs), module=fields.get("module", fields["name"]), **stated
    )


_MAC_PLAIN = ("G", "K", "C", "P", "Q", "R", "S", "H", "W", "stride", "dilation", "padding", "bias")
_STATED = (
    "x_elems",
    "w_elems",
    "y_elems",
    "simple_ops",
    "special_ops",
    "shared_params",
    "x_bits",
    "w_bits",
    "y_bits",
)


def fields_of(layer: Layer, inputs: tuple[str, ...], batch: int) -> dict[str, Any]:
    """The shortest fields from which :func:`layer_from_fields` gives back ``layer``, in the order of the file."""
    fields: dict[str, Any] = {"name": layer.name, "op": layer.op}
    if batch != layer.N:
        fields["N"] = layer.N
    if is_mac_op(layer.op):
        _mac_fields(layer, fields)
    else:
        fields["x_elems"] = layer.x_elems
        _vector_fields(layer, fields)
    if layer.x_bits == layer.w_bits == layer.y_bits != 32:
        fields["bits"] = layer.x_bits
    if layer.inputs != inputs:
        fields["inputs"] = layer.inputs
    if layer.module != layer.name:
        fields["module"] = layer.module
    derived = layer_from_fields(fields, inputs, batch)
    for key in _STATED:
        if getattr(derived, key) != getattr(layer, key):
            fields[key] = getattr(layer, key)
    return {key: fields[key] for key in KEYS if key in fields}


def _mac_fields(layer: Layer, fields: dict[str, Any]) -> None:
    for key in ("G", "K", "C", "P", "Q", "R", "S"):
        if getattr(layer, key) != 1:
            fields[key] = getattr(layer, key)
    if layer.stride != (1, 1):
        fields["stride"] = layer.stride
    if layer.dilation != (1, 1):
        fields["dilation"] = layer.dilation
    if layer.padding != (0, 0, 0, 0):
        fields["padding"] = layer.padding
    if layer.static_weight != (layer.op_class is not OpClass.MATMUL):
        fields["static_weight"] = layer.static_weight
    if layer.bias:
        fields["bias"] = True
    derived = layer_from_fields(fields, (), 1)
    for key in ("H", "W"):
        if getattr(derived, key) != getattr(layer, key):
            fields[key] = getattr(layer, key)


def _vector_fields(layer: Layer, fields: dict[str, Any]) -> None:
    if layer.y_elems != layer.x_elems:
        fields["y_elems"] = layer.y_elems
    if layer.w_elems:
        fields["w_elems"] = layer.w_elems
    once = layer_from_fields(fields, (), 1)
    counts = [(layer.simple_ops, once.simple_ops), (layer.special_ops, once.special_ops)]
    ratios = {found // one for found, one in counts if one and found % one == 0}
    if len(ratios) == 1 and all(found == one * max(ratios) for found, one in counts) and ratios != {1}:
        fields["taps"] = ratios.pop()
