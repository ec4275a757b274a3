"""Structured pruning as a change of widths: every inner layer keeps a share of its channels.

The share applies to the output channels of every convolution and linear layer whose result another such layer
reads; network inputs and the results that leave the network keep their width. Channel counts then follow the
edges, so that concatenations, shortcuts and attention stay consistent. Uniform scaling of all widths is what
pruning before training does to a network (PreCropping: Heo, Fayyazi, Nazemi, Pedram, arXiv 2310.00626; width
multipliers: Howard et al., arXiv 1704.04861, section 3.3).

Dense inner layers cost keep^2 of their multiply-accumulates, depthwise ones and layers at the border keep.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from cosim.ir.layer import Layer
from cosim.ir.ops import OpClass
from cosim.ir.transforms_base import Arguments, TransformError, resized, scaled_vector, times
from cosim.ir.workload import Workload

ONE = Fraction(1)


def prune_channels(workload: Workload, arguments: Arguments) -> tuple[Layer, ...]:
    """``prune_channels:KEEP``: KEEP in (0, 1] of the channels of every inner layer, rounded half up."""
    keep = arguments.share()
    border = _leaving(workload)
    before = {layer.name: layer.y_elems for layer in workload}
    after = dict(before)
    layers = []
    for layer in workload:
        new = _pruned(layer, keep, layer.name in border, before, after)
        after[layer.name] = new.y_elems
        layers.append(new)
    return tuple(layers)


def _leaving(workload: Workload) -> frozenset[str]:
    """Multiply-accumulate layers whose result leaves the network, or is offsets, without passing another one."""
    by_name = {layer.name: layer for layer in workload}
    open_ = list(workload.outputs) or [workload.layers[-1].name]
    # Offsets of a deformable convolution are as many as its taps, whatever the channels.
    open_ += [
        name for layer in workload if layer.op_class is OpClass.DEFORM_CONV for name in layer.inputs[1:]
    ]
    seen: set[str] = set()
    while open_:
        name = open_.pop()
        if name in seen or name not in by_name:
            continue
        seen.add(name)
        if not by_name[name].is_mac:
            open_ += by_name[name].inputs
    return frozenset(name for name in seen if by_name[name].is_mac)


def _factor(layer: Layer, index: int | None, before: Mapping[str, int], after: Mapping[str, int]) -> Fraction:
    """How much an operand of the layer (``None``: all of them together) changed; network inputs did not."""
    names = layer.inputs if index is None else layer.inputs[index : index + 1]
    old = sum(before[name] for name in names if name in before)
    return Fraction(sum(after[name] for name in names if name in after), old) if old else ONE


def _kept(count: int, keep: Fraction) -> int:
    return max(1, int(count * keep + Fraction(1, 2)))


def _pruned(
    layer: Layer, keep: Fraction, border: bool, before: Mapping[str, int], after: Mapping[str, int]
) -> Layer:
    if not layer.is_mac:
        return _vector(layer, keep, before, after)
    if not layer.static_weight:
        return _product(layer, before, after)
    x = _factor(layer, 0 if layer.op_class is OpClass.DEFORM_CONV else None, before, after)
    if layer.op_class is OpClass.DEPTHWISE_CONV or (layer.G > 1 and layer.K == layer.C == 1):
        return resized(layer, G=times(layer.G, x, layer, "channels"))
    kept = layer.K if border else _kept(layer.K, keep)
    return resized(layer, C=times(layer.C, x, layer, "input channels"), K=kept)


def _product(layer: Layer, before: Mapping[str, int], after: Mapping[str, int]) -> Layer:
    """A product of two computed operands: the dimension that both changed is the reduction, else rows or columns."""
    if len(layer.inputs) != 2:
        a = b = _factor(layer, None, before, after)
    else:
        a, b = (_factor(layer, i, before, after) for i in range(2))
    if a == b:
        return resized(layer, C=times(layer.C, a, layer, "reduction"))
    if a == ONE:
        return resized(layer, K=times(layer.K, b, layer, "columns"))
    if b == ONE:
        return resized(layer, P=times(layer.P, a, layer, "rows"), H=times(layer.H, a, layer, "rows"))
    raise TransformError(
        f"layer {layer.name}: its operands scale by {float(a):g} and {float(b):g}; "
        "allowed equal factors, or one of them 1"
    )


def _vector(layer: Layer, keep: Fraction, before: Mapping[str, int], after: Mapping[str, int]) -> Layer:
    if layer.op_class is OpClass.EMBEDDING:
        return scaled_vector(layer, ONE, keep, keep)
    known = [name for name in layer.inputs if name in before]
    if layer.op_class is OpClass.ELEMENTWISE and len(known) == 2:
        first, second = known
        if before[first] == before[second] and after[first] != after[second]:
            raise TransformError(
                f"layer {layer.name}: its operands {first} and {second} would have {after[first]} and "
                f"{after[second]} elements; a shortcut around the border of the network cannot be pruned"
            )
    x = _factor(layer, None, before, after)
    return scaled_vector(layer, x, x, x)
