"""Operators with known shapes to layers: the part of the conversion that torch and ONNX graphs share.

Each function emits the layers of one operator through a :class:`~cosim.frontends.graph.GraphBuilder` and returns the
output tensor, now known to be computed. Operand tensors may be parameters; the parameters of a layer are counted in
``w_elems``, everything else that it reads in ``x_elems``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from cosim.frontends.graph import GraphBuilder, Kind, Tensor
from cosim.ir.layer import Layer, mac_layer, vector_layer


def vector(
    graph: GraphBuilder,
    op: str,
    operands: Sequence[Tensor],
    output: Tensor,
    *,
    taps: int = 1,
    hint: str = "",
) -> Tensor:
    """A layer that is not a multiply-accumulate: reads every operand once, writes ``output``.

    ``x_bits`` is the width of the operand that carries most bits (an index or mask beside it has another width).
    """
    reads = list({t.name: t for t in operands if t.kind is not Kind.PARAMETER and not _is_scalar(t)}.values())
    parameters = list({t.root: t for t in operands if t.kind is Kind.PARAMETER}.values())
    widest = max(reads, key=lambda t: t.distinct * t.bits, default=output)
    layer = vector_layer(
        op,
        op,
        x_elems=sum(t.distinct for t in reads),
        y_elems=output.elems,
        w_elems=sum(t.distinct for t in parameters),
        taps=taps,
        N=graph.batch,
    )
    w_bits = parameters[0].bits if parameters else output.bits
    layer = replace(layer, x_bits=widest.bits, w_bits=w_bits, y_bits=output.bits)
    return graph.emit(layer, operands, output, hint=hint, parameters=parameters)


def _is_scalar(tensor: Tensor) -> bool:
    """A constant of one element is part of the instruction, not of the traffic."""
    return tensor.kind is Kind.CONSTANT and tensor.elems == 1


def unknown(graph: GraphBuilder, short_name: str, operands: Sequence[Tensor], *outputs: Tensor) -> Tensor:
    """An operator without a model: its bytes are counted, its name survives as the last part of the layer's name."""
    whole = replace(outputs[0], shape=(sum(o.elems for o in outputs),))
    done = vector(graph, "unknown", operands, whole, hint=short_name)
    return replace(outputs[0], kind=done.kind)


def conv_name(groups: int, channels: int, transposed: bool) -> str:
    """Operator name of a convolution over ``channels`` input channels in ``groups`` groups."""
    if transposed:
        return "transposed_conv"
    if groups > 1 and groups == channels:
        return "depthwise_conv"
    return "grouped_conv" if groups > 1 else "conv"


def convolution(
    graph: GraphBuilder,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    y: Tensor,
    *,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    transposed: bool = False,
) -> Tensor:
    """1-D or 2-D convolution. ``x`` (N, channels, H[, W]), ``weight`` (out, in/groups, R[, S]) or, transposed,
    (in, out/groups, R[, S]); ``padding`` (top, left, bottom, right). A 1-D convolution has W = Q = S = 1.
    """
    plane, kernel, result = _two(x.shape[2:]), _two(weight.shape[2:]), _two(y.shape[2:])
    layer = mac_layer(
        "conv",
        conv_name(groups, x.shape[1], transposed),
        N=x.shape[0],
        G=groups,
        K=y.shape[1] // groups,
        C=x.shape[1] // groups,
        P=result[0],
        Q=result[1],
        R=kernel[0],
        S=kernel[1],
        H=plane[0],
        W=plane[1],
        stride=_two(stride),
        dilation=_two(dilation),
        padding=_four(padding),
        static_weight=not weight.runtime,
        bias=bias is not None,
    )
    return _emit_mac(graph, layer, x, weight, bias, y)


def matrix_product(
    graph: GraphBuilder, x: Tensor, weight: Tensor, bias: Tensor | None, y: Tensor, *, hint: str = ""
) -> Tensor:
    """``x`` (..., rows, inner) times ``weight`` (..., inner, columns), vectors allowed as in torch.matmul.

    A trained operand on either side makes a ``linear`` layer, two run-time operands a ``matmul`` with one group for
    each independent product.
    """
    if weight.kind is not Kind.PARAMETER and x.kind is Kind.PARAMETER:
        columns = 1 if weight.shape[-1:] == weight.shape else weight.shape[-1]
        inner, rows = x.shape[-1], (x.shape[-2] if len(x.shape) > 1 else 1)
        return linear(
            graph, weight, x, bias, y, inner=inner, outer=rows, rows=columns * prod(weight.shape[:-2])
        )
    inner = x.shape[-1]
    columns = weight.shape[-1] if len(weight.shape) > 1 else 1
    groups = prod(weight.shape[:-2])
    if not weight.runtime:
        return linear(
            graph, x, weight, bias, y, inner=inner, outer=columns, rows=x.elems // inner, groups=groups
        )
    rows = x.shape[-2] if len(x.shape) > 1 else 1
    products = prod(y.shape[:-2]) if groups > 1 else 1
    if groups == 1:
        rows = x.elems // inner
    images, per_image = _split(graph.batch, products)
    layer = mac_layer(
        "matmul", "matmul", N=images, G=per_image, K=columns, C=inner, P=rows, static_weight=False, bias=False
    )
    return _emit_mac(graph, layer, x, weight, bias, y, hint=hint)


def einsum(graph: GraphBuilder, equation: str, operands: Sequence[Tensor], y: Tensor) -> Tensor:
    """A contraction of two operands is a batched matrix product; any other einsum stays unknown.

    Indices in both operands and the result count the products, those in both operands only are summed over.
    """
    terms, _, result = equation.replace(" ", "").partition("->")
    names = terms.split(",")
    plain = len(operands) == len(names) == 2 and "." not in equation and "->" in equation
    if not plain or any(
        len(n) != len(t.shape) or len(set(n)) != len(n) for n, t in zip(names, operands, strict=True)
    ):
        return unknown(graph, "einsum", operands, y)
    size = dict(zip("".join(names), (n for t in operands for n in t.shape), strict=True))
    first, second, kept = (set(part) for part in (*names, result))
    if (first ^ second) - kept:
        return unknown(graph, "einsum", operands, y)
    products = prod(size[i] for i in first & second & kept)
    inner, rows, columns = (
        prod(size[i] for i in part) for part in ((first & second) - kept, first - second, second - first)
    )
    a = replace(operands[0], shape=(products, rows, inner))
    b = replace(operands[1], shape=(products, inner, columns))
    return matrix_product(graph, a, b, None, replace(y, shape=(products, rows, columns)))


def linear(
    graph: GraphBuilder,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    y: Tensor,
    *,
    inner: int,
    outer: int,
    rows: int,
    groups: int = 1,
) -> Tensor:
    """``rows`` input vectors of ``inner`` elements to ``outer`` elements each, with trained weights."""
    images, per_image = _split(graph.batch, rows // groups)
    layer = mac_layer(
        "linear", "linear", N=images, G=groups, K=outer, C=inner, P=per_image, bias=bias is not None
    )
    return _emit_mac(graph, layer, x, weight, bias, y)


def _split(batch: int, total: int) -> tuple[int, int]:
    """(images, rest) with images * rest = total: the batch if it divides, else one."""
    return (batch, total // batch) if total % batch == 0 else (1, total)


def _emit_mac(
    graph: GraphBuilder,
    layer: Layer,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    y: Tensor,
    hint: str = "",
) -> Tensor:
    """Emit a multiply-accumulate layer with the operands' widths; an operand expanded in memory is read once."""
    weights = (weight,) if bias is None else (weight, bias)
    layer = replace(
        layer,
        x_elems=min(layer.x_elems, x.distinct),
        w_elems=min(layer.w_elems, sum(t.distinct for t in weights)),
        x_bits=x.bits,
        w_bits=weight.bits,
        y_bits=y.bits,
    )
    parameters = [t for t in weights if t.kind is Kind.PARAMETER]
    return graph.emit(layer, (x, *weights), y, hint=hint, parameters=parameters)


def deformable(
    graph: GraphBuilder,
    x: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    y: Tensor,
    *,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    bilinear: bool,
    mask: Tensor | None = None,
) -> Tensor:
    """Deformable convolution: the regular one plus the offsets it reads and the sampling it does.

    ``simple_ops`` counts the sampling: with bilinear interpolation 4 multiplications and 3 additions for each
    sampled element (Dai et al., ICCV 2017, eq. 3, four neighbours); with integer offsets none. Per sampling
    position, shared by the channels, 2 coordinate additions and, bilinear, 8 operations for the four weights, or 2
    roundings.
    """
    plain = mac_layer(
        "deform_conv",
        "deform_conv",
        N=x.shape[0],
        G=groups,
        K=y.shape[1] // groups,
        C=x.shape[1] // groups,
        P=y.shape[2],
        Q=y.shape[3],
        R=weight.shape[2],
        S=weight.shape[3],
        H=x.shape[2],
        W=x.shape[3],
        stride=_two(stride),
        dilation=_two(dilation),
        padding=_four(padding),
        bias=bias is not None,
    )
    positions = x.shape[0] * weight.shape[2] * weight.shape[3] * y.shape[2] * y.shape[3]
    sampled = positions * x.shape[1]
    extra = [offset] if mask is None else [offset, mask]
    layer = replace(
        plain,
        x_elems=plain.x_elems + sum(t.distinct for t in extra),
        simple_ops=(7 * sampled + 10 * positions) if bilinear else 4 * positions,
        x_bits=x.bits,
        w_bits=weight.bits,
        y_bits=y.bits,
    )
    weights = [weight] if bias is None else [weight, bias]
    parameters = [t for t in weights if t.kind is Kind.PARAMETER]
    return graph.emit(layer, (x, *extra, *weights), y, parameters=parameters)


def pool(graph: GraphBuilder, op: str, x: Tensor, y: Tensor, taps: int) -> Tensor:
    """Pooling with ``taps`` window elements for each output element; a window over the whole plane is global."""
    if op == "avg_pool" and prod(y.shape[2:]) == 1 and taps == prod(x.shape[2:]):
        return vector(graph, "global_avg_pool", (x,), y)
    return vector(graph, op, (x,), y, taps=taps)


def copy_or_alias(graph: GraphBuilder, x: Tensor, y: Tensor, *, copied: bool) -> Tensor:
    """A reshape or layout request: a copy layer if elements have to move, else an alias."""
    return vector(graph, "copy", (x,), y) if copied and x.runtime else graph.alias(x, y)


def _two(values: Sequence[int]) -> tuple[int, int]:
    """(rows, columns) of a size given for one or two dimensions."""
    if len(values) not in (1, 2):
        raise ValueError(f"found {len(values)} spatial dimensions, allowed 1 or 2")
    return (int(values[0]), int(values[1])) if len(values) == 2 else (int(values[0]), 1)


def _four(values: Sequence[int]) -> tuple[int, int, int, int]:
    top, left, bottom, right = (int(v) for v in values)
    return (top, left, bottom, right)
