"""Fusing consecutive layers: which layers run as one kernel, and what such a block still moves.

The intermediates of a block stay on chip, so a block moves

    bytes = inputs from outside + results used outside + weights, each counted once          (Eq. 1)

(Lavin, "On the efficiency of convolutional neural networks", arXiv 2404.03617, block fusion). Whether the
intermediates fit on chip is a matter of the kernel, which works on tiles of them; it is not decided here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches

from cosim.ir.layer import Layer
from cosim.ir.ops import OpClass
from cosim.ir.workload import Workload

MODES = ("none", "pointwise", "residual")
_POINTWISE = (OpClass.ACTIVATION, OpClass.ELEMENTWISE)
_PER_ELEMENT_NORMS = ("batch_norm",)


@dataclass(frozen=True)
class Block:
    """Layers ``start`` to ``stop - 1`` of a workload, run as one kernel.

    Element counts are of Eq. 1: ``x_elems`` from outside, ``w_elems`` weights, ``y_elems`` used outside.
    """

    name: str
    start: int
    stop: int
    x_elems: float
    w_elems: float
    y_elems: float

    @property
    def layers(self) -> int:
        """How many layers the block joins."""
        return self.stop - self.start

    def moved_bytes(self, bits: Mapping[str, float]) -> float:
        """Bytes of Eq. 1 with elements of ``x_bits``, ``w_bits`` and ``y_bits``."""
        return (
            self.x_elems * bits["x_bits"] + self.w_elems * bits["w_bits"] + self.y_elems * bits["y_bits"]
        ) / 8


def fuse(workload: Workload, mode: str) -> tuple[Block, ...]:
    """Blocks that cover the workload in order.

    ``none``: every layer by itself. ``pointwise``: activations, elementwise operators and inference batch norm
    join the layer whose result they change, as compilers fuse them. ``residual``: a block runs up to and
    including the addition that closes a residual connection, with the activation behind it.
    Raises ``ValueError`` for another mode, and for a workload without edges.
    """
    if mode not in MODES:
        close = get_close_matches(mode, MODES, n=1)
        hint = f"; nearest: {close[0]!r}" if close else ""
        raise ValueError(f"fusion: found {mode!r}, allowed {list(MODES)}{hint}")
    layers = workload.layers
    if mode == "none":
        starts = list(range(len(layers)))
    else:
        _needs_edges(workload)
        starts = _pointwise_starts(layers) if mode == "pointwise" else _residual_starts(layers)
    stops = [*starts[1:], len(layers)]
    return tuple(block(workload, start, stop) for start, stop in zip(starts, stops, strict=True))


def _needs_edges(workload: Workload) -> None:
    """A layer without inputs reads parameters; a network without any edge says nothing about its data flow."""
    if len(workload) > 1 and not any(layer.inputs for layer in workload.layers):
        raise ValueError(f"workload {workload.name}: fusing needs the inputs of its layers, and none has any")


def _is_pointwise(layer: Layer) -> bool:
    if layer.op in _PER_ELEMENT_NORMS:
        return True
    same = layer.y_elems > 0 and layer.x_elems % layer.y_elems == 0
    return layer.op_class in _POINTWISE and same


def _pointwise_starts(layers: tuple[Layer, ...]) -> list[int]:
    """A pointwise layer joins the block before it if that block has just made one of its operands."""
    starts = [0]
    for index in range(1, len(layers)):
        layer = layers[index]
        joins = _is_pointwise(layer) and layers[index - 1].name in layer.inputs
        if not joins:
            starts.append(index)
    return starts


def _residual_starts(layers: tuple[Layer, ...]) -> list[int]:
    """A block ends behind an addition of two results (and the activation of that sum)."""
    starts = [0]
    for index in range(1, len(layers)):
        before = layers[index - 1]
        closes = before.op == "add" and len(before.inputs) > 1
        if before.op_class is OpClass.ACTIVATION and index > 1:
            summed = layers[index - 2]
            closes = summed.op == "add" and len(summed.inputs) > 1 and summed.name in before.inputs
        activates = layers[index].op_class is OpClass.ACTIVATION and before.name in layers[index].inputs
        if closes and not (activates and before.op == "add"):
            starts.append(index)
    return starts


def block(workload: Workload, start: int, stop: int) -> Block:
    """The block of layers ``start`` to ``stop - 1``; a single layer keeps its own counts."""
    members = workload.layers[start:stop]
    if stop - start == 1:
        only = members[0]
        return Block(only.name, start, stop, only.x_elems, only.w_touched, only.y_elems)
    inside = {layer.name for layer in members}
    produced = {layer.name: layer.y_elems for layer in workload.layers} | _input_elems(workload)
    sources: dict[str, int] = {}
    for layer in members:
        if not layer.inputs:
            sources[layer.name] = layer.x_elems
        for name in (name for name in layer.inputs if name not in inside):
            sources[name] = max(sources.get(name, 0), _read(layer, name, produced.get(name)))
    used = {name for layer in (*workload.layers[:start], *workload.layers[stop:]) for name in layer.inputs}
    leaves = [layer for layer in members if layer.name in used or layer.name in workload.outputs]
    results = leaves or [members[-1]]
    return Block(
        f"{members[0].name} .. {members[-1].name}",
        start,
        stop,
        float(sum(sources.values())),
        float(sum(_weights(layer) for layer in members)),
        float(sum(layer.y_elems for layer in results)),
    )


def _input_elems(workload: Workload) -> dict[str, int]:
    """Elements of the network's inputs for the images that the layer sizes stand for; the first size counts images."""
    return {name: workload.batch * math.prod(shape[1:]) for name, shape in workload.inputs.items()}


def _read(layer: Layer, name: str, produced: int | None) -> int:
    """Elements of the operand ``name`` that a layer reads: all of it, but no more than the layer reads at all."""
    dynamic = 0 if layer.static_weight or not layer.is_mac else layer.w_elems
    at_most = layer.x_elems + dynamic
    return at_most if produced is None else min(produced, at_most)


def _weights(layer: Layer) -> int:
    """Parameter elements that one execution reads; operands computed at run time are not among them."""
    return layer.w_touched if layer.static_weight or not layer.is_mac else 0


def merged(workload: Workload) -> Workload:
    """The workload with every pointwise block as one layer: its work added up, its bytes those of Eq. 1.

    For machines whose kernels apply such operators as they store a result, and whose models charge
    ``simple_ops`` and ``special_ops`` of every layer (GPUs). Edges and coverage stay complete.
    Raises ``ValueError`` for a workload without edges.
    """
    blocks = fuse(workload, "pointwise")
    owner = {
        layer.name: workload.layers[found.start].name
        for found in blocks
        for layer in workload.layers[found.start : found.stop]
    }
    layers = []
    for found in blocks:
        members = workload.layers[found.start : found.stop]
        inside = {layer.name for layer in members}
        outside = [owner.get(n, n) for layer in members for n in layer.inputs if n not in inside]
        lead = replace(members[0], inputs=tuple(dict.fromkeys(outside)))
        if len(members) > 1:
            dynamic = lead.is_mac and not lead.static_weight
            lead = replace(
                lead,
                x_elems=int(found.x_elems) - (lead.w_elems if dynamic else 0),
                w_elems=int(found.w_elems) + (lead.w_elems if dynamic else 0),
                y_elems=int(found.y_elems),
                simple_ops=sum(layer.simple_ops for layer in members),
                special_ops=sum(layer.special_ops for layer in members),
            )
        layers.append(lead)
    outputs = tuple(dict.fromkeys(owner.get(name, name) for name in workload.outputs))
    return replace(workload, layers=tuple(layers), outputs=outputs)
