"""ONNX operators and what they become; knows no onnx, only :class:`~cosim.frontends.onnx_graph.OnnxNode` records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod

from cosim.frontends.attention import attention
from cosim.frontends.graph import GraphBuilder, Kind, Tensor
from cosim.frontends.lower import convolution, deformable, einsum, matrix_product, pool, unknown, vector
from cosim.frontends.onnx_graph import OnnxNode
from cosim.frontends.onnx_tables import FOLDED, VECTOR, VIEWS
from cosim.frontends.shapes import same_padding

Handler = Callable[[GraphBuilder, OnnxNode], Tensor]


def convert(graph: GraphBuilder, node: OnnxNode, uses: Mapping[str, int]) -> tuple[Tensor, ...]:
    """Build the layers of one node; ``uses`` counts the readers of each tensor."""
    name, first = node.op, node.given[0]
    if name in VIEWS or (name == "Transpose" and first.kind is Kind.PARAMETER):
        return tuple(graph.alias(first, o) for o in node.outputs)
    if name in FOLDED:
        return tuple(graph.fold(first, o) for o in node.outputs)
    if name == "DequantizeLinear":
        return (replace(graph.fold(first, node.outputs[0]), bits=first.bits),)
    if name == "Split":
        return tuple(vector(graph, "slice", (replace(first, stored=o.elems),), o) for o in node.outputs)
    if name == "Add" and (joined := _bias(graph, node, uses)) is not None:
        return (joined,)
    if name in HANDLERS:
        done = HANDLERS[name](graph, _trained(node) if name in _WEIGHTED else node)
    elif name in VECTOR:
        done = vector(graph, VECTOR[name], node.given, node.outputs[0])
    else:
        done = unknown(graph, name, node.given, *node.outputs)
    return (done, *(graph.also(o, done) for o in node.outputs[1:]))


def _trained(node: OnnxNode) -> OnnxNode:
    """Operands of a weighted operator that another node fills at load time are its trained parameters."""
    rest = tuple(
        replace(t, kind=Kind.PARAMETER, root=t.name) if t and t.kind is Kind.CONSTANT and t.elems > 1 else t
        for t in node.inputs[1:]
    )
    return replace(node, inputs=(*node.inputs[:1], *rest))


def _bias(graph: GraphBuilder, node: OnnxNode, uses: Mapping[str, int]) -> Tensor | None:
    """An addition of a trained vector to a product that nobody else reads is that layer's bias."""
    a, b = node.tensor(0), node.tensor(1)
    product, bias = (b, a) if a.kind is Kind.PARAMETER else (a, b)
    if bias.kind is not Kind.PARAMETER or not product.runtime or uses.get(product.name, 0) != 1:
        return None
    return graph.absorb_bias(product, bias, node.outputs[0])


# -- products -----------------------------------------------------------------------------------------------------


def _window(node: OnnxNode, x: Tensor, kernel: tuple[int, ...]) -> tuple[list[int], list[int], list[int]]:
    """(strides, pads as top left bottom right, dilations) of a convolution with ``kernel``."""
    dims = len(kernel)
    strides = list(node.attributes.get("strides") or [1] * dims)
    dilations = list(node.attributes.get("dilations") or [1] * dims)
    auto = node.attributes.get("auto_pad", "NOTSET")
    pads = list(node.attributes.get("pads") or [0] * 2 * dims)
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        first = auto == "SAME_LOWER"
        sides = [
            same_padding(x.shape[2 + i], kernel[i], strides[i], dilations[i], extra_first=first)
            for i in range(dims)
        ]
        pads = [s[0] for s in sides] + [s[1] for s in sides]
    if dims == 1:
        pads = [pads[0], 0, pads[1], 0]
    return strides, pads, dilations


def _conv_at(x_at: int, w_at: int, b_at: int | None) -> Handler:
    def handler(graph: GraphBuilder, node: OnnxNode) -> Tensor:
        x, w = node.tensor(x_at), node.tensor(w_at)
        if len(w.shape) > 4:
            return unknown(graph, node.op, node.given, node.outputs[0])
        strides, pads, dilations = _window(node, x, w.shape[2:])
        bias = node.optional(b_at) if b_at is not None else None
        bias = None if bias is not None and bias.fill == 0 else bias
        groups = int(node.attributes.get("group", 1))
        y = node.outputs[0]
        return convolution(
            graph, x, w, bias, y, stride=strides, padding=pads, dilation=dilations, groups=groups
        )

    return handler


def _conv_transpose(graph: GraphBuilder, node: OnnxNode) -> Tensor:
    """The pads may follow from a stated output size: then they are what the sizes leave, more of them at the end."""
    x, w, y = node.tensor(0), node.tensor(1), node.outputs[0]
    if len(w.shape) > 4:
        return unknown(graph, node.op, node.given, y)
    strides, pads, dilations = _window(node, x, w.shape[2:])
    if node.attributes.get("output_shape") or node.attributes.get("auto_pad", "NOTSET") != "NOTSET":
        totals = [
            max(0, (x.shape[2 + i] - 1) * strides[i] + dilations[i] * (k - 1) + 1 - y.shape[2 + i])
            for i, k in enumerate(w.shape[2:])
        ] + [0] * (4 - len(w.shape))
        pads = [t // 2 for t in totals] + [t - t // 2 for t in totals]
    return convolution(
        graph,
        x,
        w,
        node.optional(2),
        y,
        stride=strides,
        padding=pads,
        dilation=dilations,
        groups=int(node.attributes.get("group", 1)),
        transposed=True,
    )


def _gemm(graph: GraphBuilder, node: OnnxNode) -> Tensor:
    """Gemm(A, B, C): C is a bias if it is a trained vector, else it is added after the product."""
    a, b, c, y = node.tensor(0), node.tensor(1), node.optional(2), node.outputs[0]
    a = replace(a, shape=a.shape[::-1]) if node.attributes.get("transA") else a
    b = replace(b, shape=b.shape[::-1]) if node.attributes.get("transB") else b
    if c is None or (c.kind is Kind.PARAMETER and c.distinct == y.shape[-1]):
        return matrix_product(graph, a, b, c, y)
    partial = matrix_product(graph, a, b, None, replace(y, name=f"{y.name}.product"))
    return vector(graph, "add", (partial, c), y)


def _product_at(a_at: int, b_at: int) -> Handler:
    return lambda graph, node: matrix_product(
        graph, node.tensor(a_at), node.tensor(b_at), None, node.outputs[0]
    )


def _einsum(graph: GraphBuilder, node: OnnxNode) -> Tensor:
    return einsum(graph, str(node.attributes["equation"]), node.given, node.outputs[0])


def _attention(graph: GraphBuilder, node: OnnxNode) -> Tensor:
    """Attention(Q, K, V, mask): (B, heads, L, E), or (B, L, heads * E) with the head counts as attributes."""
    q, k, v, y = node.tensor(0), node.tensor(1), node.tensor(2), node.outputs[0]
    result = y
    if len(q.shape) == 3:
        heads, kv_heads = int(node.attributes["q_num_heads"]), int(node.attributes["kv_num_heads"])
        q, k, v = _heads(q, heads), _heads(k, kv_heads), _heads(v, kv_heads)
        result = _heads(y, heads)
    causal = bool(node.attributes.get("is_causal", 0))
    attention(graph, q, k, v, result, mask=node.optional(3), causal=causal)
    return replace(y, kind=Kind.COMPUTED)


def _heads(tensor: Tensor, heads: int) -> Tensor:
    batch, rows, width = tensor.shape
    return replace(tensor, shape=(batch, heads, rows, width // heads))


def _deform(graph: GraphBuilder, node: OnnxNode) -> Tensor:
    """DeformConv(X, W, offset, B, mask)."""
    x, w = node.tensor(0), node.tensor(1)
    strides, pads, dilations = _window(node, x, w.shape[2:])
    return deformable(
        graph,
        x,
        node.tensor(2),
        w,
        node.optional(3),
        node.outputs[0],
        stride=strides,
        padding=pads,
        dilation=dilations,
        groups=int(node.attributes.get("group", 1)),
        bilinear=True,
        mask=node.optional(4),
    )


# -- norms, pooling, lookups --------------------------------------------------------------------------------------


def _norm_at(op: str, count: int) -> Handler:
    """Only the first ``count`` inputs are read at inference (a batch norm is one scale and one shift)."""
    return lambda graph, node: vector(graph, op, node.given[:count], node.outputs[0])


def _clip(graph: GraphBuilder, node: OnnxNode) -> Tensor:
    low, high = node.optional(1), node.optional(2)
    limits = (
        low.fill if low else node.attributes.get("min"),
        high.fill if high else node.attributes.get("max"),
    )
    op = "relu6" if limits == (0.0, 6.0) else "hardtanh" if limits == (-1.0, 1.0) else "clamp"
    return vector(graph, op, node.given[:1], node.outputs[0])


def _gelu(graph: GraphBuilder, node: OnnxNode) -> Tensor:
    op = "gelu_tanh" if node.attributes.get("approximate") == "tanh" else "gelu"
    return vector(graph, op, node.given, node.outputs[0])


def _pool(op: str) -> Handler:
    def handler(graph: GraphBuilder, node: OnnxNode) -> Tensor:
        return pool(graph, op, node.tensor(0), node.outputs[0], prod(node.attributes["kernel_shape"]))

    return handler


def _global_pool(op: str) -> Handler:
    def handler(graph: GraphBuilder, node: OnnxNode) -> Tensor:
        x = node.tensor(0)
        return pool(graph, op, x, node.outputs[0], prod(x.shape[2:]))

    return handler


def _mean(graph: GraphBuilder, node: OnnxNode) -> Tensor:
    """A mean that keeps images and channels of a 4-D tensor is a global pooling."""
    x, y = node.tensor(0), node.outputs[0]
    plane = len(x.shape) == 4 and x.shape[2] * x.shape[3] > 1 and y.elems == x.shape[0] * x.shape[1]
    return vector(graph, "global_avg_pool" if plane else "mean", (x,), y)


def _gather(graph: GraphBuilder, node: OnnxNode) -> Tensor:
    """Rows of a trained table are an embedding; anything else moves data."""
    table, indices = node.tensor(0), node.tensor(1)
    op = "embedding" if table.kind is Kind.PARAMETER and node.attributes.get("axis", 0) == 0 else "gather"
    return vector(graph, op, (indices, table), node.outputs[0])


def _resize(graph: GraphBuilder, node: OnnxNode) -> Tensor:
    mode = str(node.attributes.get("mode", "nearest"))
    if mode == "cubic":
        return unknown(graph, f"{node.op}_cubic", node.given[:1], node.outputs[0])
    op = "upsample_nearest" if mode == "nearest" else "upsample_bilinear"
    return vector(graph, op, node.given[:1], node.outputs[0])


def _cast(graph: GraphBuilder, node: OnnxNode) -> Tensor:
    x, y = node.tensor(0), node.outputs[0]
    return vector(graph, "cast", (x,), y) if x.bits != y.bits and x.runtime else graph.fold(x, y)


def _expand(graph: GraphBuilder, node: OnnxNode) -> Tensor:
    """A repetition is written out, unless nothing is repeated or a trained tensor can be read again in place."""
    x, y = node.given[0], node.outputs[0]
    if x.elems == y.elems or not x.runtime:
        return graph.alias(x, y)
    return vector(graph, "copy", (x,), y)


def _data(op: str) -> Handler:
    """Only the first input carries data; the others are sizes, pads or axes."""
    return lambda graph, node: vector(graph, op, node.given[:1], node.outputs[0])


_WEIGHTED = frozenset(
    (
        "Conv",
        "ConvInteger",
        "ConvTranspose",
        "DeformConv",
        "Gemm",
        "MatMul",
        "MatMulInteger",
        "BatchNormalization",
    )
)

HANDLERS: dict[str, Handler] = {
    "Conv": _conv_at(0, 1, 2),
    "ConvInteger": _conv_at(0, 1, None),
    "QLinearConv": _conv_at(0, 3, 8),
    "ConvTranspose": _conv_transpose,
    "DeformConv": _deform,
    "Gemm": _gemm,
    "MatMul": _product_at(0, 1),
    "MatMulInteger": _product_at(0, 1),
    "QLinearMatMul": _product_at(0, 3),
    "Einsum": _einsum,
    "Attention": _attention,
    "BatchNormalization": _norm_at("batch_norm", 3),
    "InstanceNormalization": _norm_at("instance_norm", 3),
    "LayerNormalization": _norm_at("layer_norm", 3),
    "GroupNormalization": _norm_at("group_norm", 3),
    "RMSNormalization": _norm_at("rms_norm", 2),
    "Clip": _clip,
    "Gelu": _gelu,
    "MaxPool": _pool("max_pool"),
    "AveragePool": _pool("avg_pool"),
    "LpPool": _pool("avg_pool"),
    "GlobalAveragePool": _global_pool("avg_pool"),
    "GlobalMaxPool": _global_pool("max_pool"),
    "ReduceMean": _mean,
    "Gather": _gather,
    "Resize": _resize,
    "Upsample": _resize,
    "Cast": _cast,
    "Pad": _data("pad"),
    "Slice": _data("slice"),
    "Expand": _expand,
    "Tile": _data("copy"),
    "QuantizeLinear": _data("quantize"),
    "DynamicQuantizeLinear": _data("quantize"),
    **{name: _data("sum") for name in ("ReduceSum", "ReduceProd", "ReduceL1")},
    **{name: _data("max") for name in ("ReduceMax", "ReduceLogSumExp")},
    "ReduceMin": _data("min"),
    **{name: _data("vector_norm") for name in ("ReduceL2", "ReduceSumSquare")},
    "CumSum": _data("cumsum"),
}
