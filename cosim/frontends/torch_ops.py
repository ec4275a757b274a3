"""ATen operators and what they become; knows no torch, only :class:`~cosim.frontends.call.Call` records.

:func:`convert` is the only entry. A call whose operands are all constants is folded: it is computed once, not in
each execution. An operator that no table names becomes an ``unknown`` layer.
"""

from __future__ import annotations

from collections.abc import Callable

from cosim.frontends.attention import attention
from cosim.frontends.call import Call, ints
from cosim.frontends.graph import GraphBuilder, Kind, Tensor
from cosim.frontends.lower import (
    convolution,
    copy_or_alias,
    deformable,
    matrix_product,
    pool,
    unknown,
    vector,
)
from cosim.frontends.shapes import adaptive_taps, same_padding, view_fits
from cosim.frontends.torch_tables import FOLDED, PARTS, VECTOR, VIEWS

Handler = Callable[[GraphBuilder, Call], Tensor]


def convert(graph: GraphBuilder, call: Call) -> tuple[Tensor, ...]:
    """Build the layers of one call and return its outputs with their kind filled in."""
    with graph.operator(call.operator, call.module):
        if not any(t.runtime or t.kind is Kind.PARAMETER for t in call.tensors):
            return tuple(graph.constant(o, o.fill) for o in call.outputs)
        name = call.name
        if name in VIEWS or name in PARTS:
            return tuple(graph.alias(call.tensors[0], o, part=name in PARTS) for o in call.outputs)
        if name in FOLDED:
            return tuple(graph.fold(call.tensors[0], o) for o in call.outputs)
        if name in HANDLERS:
            first = HANDLERS[name](graph, call)
        elif name in VECTOR:
            first = vector(graph, VECTOR[name], call.tensors, call.output)
        else:
            first = unknown(graph, name, call.tensors, *call.outputs)
        return (first, *(graph.also(o, first) for o in call.outputs[1:]))


# -- products -----------------------------------------------------------------------------------------------------


def _conv(graph: GraphBuilder, call: Call) -> Tensor:
    """conv1d/conv2d(input, weight, bias, stride, padding, dilation, groups); padding may be a word."""
    x, weight = call.tensor(0, "input"), call.tensor(1, "weight")
    dims = len(x.shape) - 2
    if dims > 2:
        return unknown(graph, call.name, call.tensors, call.output)
    stride, dilation = ints(call.get(3, "stride", 1), dims), ints(call.get(5, "dilation", 1), dims)
    return convolution(
        graph,
        x,
        weight,
        call.optional(2, "bias"),
        call.output,
        stride=stride,
        padding=_conv_padding(call, dims, stride, dilation),
        dilation=dilation,
        groups=int(call.get(6, "groups", 1)),
    )


def _conv_padding(call: Call, dims: int, stride: list[int], dilation: list[int]) -> list[int]:
    """(top, left, bottom, right); torch pads more at the end for an uneven ``same``."""
    value = call.get(4, "padding", 0)
    if isinstance(value, str):
        x, kernel = call.tensor(0, "input").shape[2:], call.tensor(1, "weight").shape[2:]
        if value == "valid":
            return [0, 0, 0, 0]
        pairs = [same_padding(x[i], kernel[i], stride[i], dilation[i]) for i in range(dims)]
    else:
        pairs = [(p, p) for p in ints(value, dims)]
    pairs += [(0, 0)] * (2 - dims)
    return [pairs[0][0], pairs[1][0], pairs[0][1], pairs[1][1]]


def _conv_transpose(graph: GraphBuilder, call: Call) -> Tensor:
    """conv_transpose2d(input, weight, bias, stride, padding, output_padding, groups, dilation)."""
    x, weight = call.tensor(0, "input"), call.tensor(1, "weight")
    return _transposed(graph, call, x, weight, dilation_at=7, groups_at=6)


def _transposed(
    graph: GraphBuilder, call: Call, x: Tensor, weight: Tensor, dilation_at: int, groups_at: int
) -> Tensor:
    dims = len(x.shape) - 2
    if dims > 2:
        return unknown(graph, call.name, call.tensors, call.output)
    pad = ints(call.get(4, "padding", 0), dims) + [0] * (2 - dims)
    return convolution(
        graph,
        x,
        weight,
        call.optional(2, "bias"),
        call.output,
        stride=ints(call.get(3, "stride", 1), dims),
        padding=[*pad, *pad],
        dilation=ints(call.get(dilation_at, "dilation", 1), dims),
        groups=int(call.get(groups_at, "groups", 1)),
        transposed=True,
    )


def _convolution(graph: GraphBuilder, call: Call) -> Tensor:
    """convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups)."""
    x, weight = call.tensor(0, "input"), call.tensor(1, "weight")
    if call.get(6, "transposed", False):
        return _transposed(graph, call, x, weight, dilation_at=5, groups_at=8)
    plain = Call(call.operator, (*call.args[:6], call.get(8, "groups", 1)), call.outputs, {}, call.module)
    return _conv(graph, plain)


def _linear(graph: GraphBuilder, call: Call) -> Tensor:
    """linear(input, weight, bias) with weight (out, in)."""
    weight = call.tensor(1, "weight")
    return matrix_product(
        graph, call.tensor(0, "input"), _turned(weight), call.optional(2, "bias"), call.output
    )


def _turned(weight: Tensor) -> Tensor:
    return Tensor(
        weight.name,
        weight.shape[::-1],
        weight.bits,
        weight.kind,
        weight.stored,
        None,
        weight.root,
        weight.fill,
    )


def _product(graph: GraphBuilder, call: Call) -> Tensor:
    """matmul, mm, bmm, mv, dot (a, b)."""
    return matrix_product(graph, call.tensor(0, "self"), call.tensor(1, "other"), None, call.output)


def _product_plus(graph: GraphBuilder, call: Call) -> Tensor:
    """addmm, baddbmm (c, a, b): a bias vector is folded into the product, a run-time matrix is added after it."""
    added, a, b = call.tensor(0, "self"), call.tensor(1, "mat1"), call.tensor(2, "mat2")
    if added.kind is Kind.PARAMETER and added.distinct == call.output.shape[-1]:
        return matrix_product(graph, a, b, added, call.output)
    partial = Tensor(f"{call.output.name}.product", call.output.shape, call.output.bits)
    return vector(graph, "add", (matrix_product(graph, a, b, None, partial), added), call.output)


def _sdpa(graph: GraphBuilder, call: Call) -> Tensor:
    """scaled_dot_product_attention(query, key, value, attn_mask, dropout_p, is_causal)."""
    q, k, v = call.tensor(0, "query"), call.tensor(1, "key"), call.tensor(2, "value")
    mask, causal = call.optional(3, "attn_mask"), bool(call.get(5, "is_causal", False))
    return attention(graph, q, k, v, call.output, mask=mask, causal=causal)


def _deform(graph: GraphBuilder, call: Call) -> Tensor:
    """cosim::deform_conv2d(x, offset, weight, bias, stride, padding, dilation, groups, bilinear)."""
    if call.operator.startswith("torchvision"):
        return _deform_torchvision(graph, call)
    padding = ints(call.get(5, "padding"), 2)
    return deformable(
        graph,
        call.tensor(0, "x"),
        call.tensor(1, "offset"),
        call.tensor(2, "weight"),
        call.optional(3, "bias"),
        call.output,
        stride=ints(call.get(4, "stride"), 2),
        padding=[*padding, *padding],
        dilation=ints(call.get(6, "dilation"), 2),
        groups=int(call.get(7, "groups")),
        bilinear=bool(call.get(8, "bilinear")),
    )


def _deform_torchvision(graph: GraphBuilder, call: Call) -> Tensor:
    """torchvision::deform_conv2d(input, weight, offset, mask, bias, stride_h, stride_w, pad_h, pad_w, dilation_h,
    dilation_w, groups, offset_groups, use_mask)."""
    sizes = [int(call.get(i, "")) for i in range(5, 12)]
    return deformable(
        graph,
        call.tensor(0, "input"),
        call.tensor(2, "offset"),
        call.tensor(1, "weight"),
        call.optional(4, "bias"),
        call.output,
        stride=sizes[0:2],
        padding=[*sizes[2:4], *sizes[2:4]],
        dilation=sizes[4:6],
        groups=sizes[6],
        bilinear=True,
        mask=call.optional(3, "mask") if call.get(13, "use_mask", False) else None,
    )


# -- norms, pooling, lookups, data --------------------------------------------------------------------------------


def _batch_norm(graph: GraphBuilder, call: Call) -> Tensor:
    """(input, weight, bias, running_mean, ...): at inference one scale and one shift per channel are read."""
    operands = [call.tensor(0, "input"), call.optional(1, "weight"), call.optional(2, "bias")]
    if operands[1] is None:
        operands += [call.optional(3, "running_mean"), call.optional(4, "running_var")]
    return vector(graph, "batch_norm", [t for t in operands if t is not None], call.output)


def _gelu(graph: GraphBuilder, call: Call) -> Tensor:
    op = "gelu_tanh" if call.kwargs.get("approximate", "none") == "tanh" else "gelu"
    return vector(graph, op, call.tensors, call.output)


def _hardtanh(graph: GraphBuilder, call: Call) -> Tensor:
    limits = (call.get(1, "min_val", -1), call.get(2, "max_val", 1))
    return vector(graph, "relu6" if limits == (0.0, 6.0) else "hardtanh", call.tensors, call.output)


def _window_pool(op: str) -> Handler:
    def handler(graph: GraphBuilder, call: Call) -> Tensor:
        x = call.tensor(0, "self")
        dims = int(call.name.partition("pool")[2][0])
        taps = 1
        for size in ints(call.get(1, "kernel_size"), dims):
            taps *= size
        return pool(graph, op, x, call.output, taps)

    return handler


def _adaptive_pool(op: str) -> Handler:
    def handler(graph: GraphBuilder, call: Call) -> Tensor:
        x, y = call.tensor(0, "self"), call.output
        dims = int(call.name.partition("pool")[2][0])
        return pool(graph, op, x, y, adaptive_taps(x.shape[-dims:], y.shape[-dims:]))

    return handler


def _embedding(graph: GraphBuilder, call: Call) -> Tensor:
    """embedding(weight, indices): the indices are read, the table is the parameter."""
    return vector(graph, "embedding", (call.tensor(1, "indices"), call.tensor(0, "weight")), call.output)


def _mean(graph: GraphBuilder, call: Call) -> Tensor:
    """A mean over both planes of an image is a global pooling."""
    x, dims = call.tensor(0, "self"), call.get(1, "dim")
    plane = dims is not None and len(x.shape) == 4 and sorted(d % 4 for d in ints(dims, 1)) == [2, 3]
    return vector(graph, "global_avg_pool" if plane else "mean", (x,), call.output)


def _reshape(graph: GraphBuilder, call: Call) -> Tensor:
    x, y = call.tensors[0], call.output
    copied = x.strides is not None and not view_fits(x.shape, x.strides, y.shape)
    return copy_or_alias(graph, x, y, copied=copied)


def _layout(graph: GraphBuilder, call: Call) -> Tensor:
    """contiguous(): free if the elements already are in the order asked for."""
    x, y = call.tensors[0], call.output
    return copy_or_alias(graph, x, y, copied=x.strides is not None and x.strides != y.strides)


def _pad(graph: GraphBuilder, call: Call) -> Tensor:
    """pad(input, widths): widths of zero change nothing."""
    x, y = call.tensors[0], call.output
    return graph.fold(x, y) if x.shape == y.shape else vector(graph, "pad", (x,), y)


def _cast(graph: GraphBuilder, call: Call) -> Tensor:
    """to(), type_as(): a width change is a pass over the elements, anything else is free here."""
    x, y = call.tensors[0], call.output
    return vector(graph, "cast", (x,), y) if x.bits != y.bits and x.runtime else graph.fold(x, y)


HANDLERS: dict[str, Handler] = {
    "conv1d": _conv,
    "conv2d": _conv,
    "conv3d": _conv,
    "conv_transpose1d": _conv_transpose,
    "conv_transpose2d": _conv_transpose,
    "convolution": _convolution,
    "deform_conv2d": _deform,
    "linear": _linear,
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot"), _product),
    **dict.fromkeys(("addmm", "baddbmm"), _product_plus),
    "scaled_dot_product_attention": _sdpa,
    **dict.fromkeys(("batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm"), _batch_norm),
    "gelu": _gelu,
    "hardtanh": _hardtanh,
    **dict.fromkeys(
        ("max_pool1d", "max_pool2d", "max_pool3d", "max_pool2d_with_indices"), _window_pool("max_pool")
    ),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d"), _window_pool("avg_pool")),
    **dict.fromkeys(
        ("adaptive_avg_pool1d", "adaptive_avg_pool2d", "_adaptive_avg_pool2d"), _adaptive_pool("avg_pool")
    ),
    **dict.fromkeys(("adaptive_max_pool1d", "adaptive_max_pool2d"), _adaptive_pool("max_pool")),
    "embedding": _embedding,
    "mean": _mean,
    **dict.fromkeys(("reshape", "flatten", "_reshape_copy", "reshape_as"), _reshape),
    "contiguous": _layout,
    **dict.fromkeys(("pad", "constant_pad_nd"), _pad),
    **dict.fromkeys(("to", "_to_copy", "type_as", "float", "half", "bfloat16"), _cast),
}
