"""From recorded operators to the kernels that a framework launches on a GPU.

A recorded network says which operators run and how many elements they touch. What a GPU executes is longer:
automatic mixed precision casts weights on every call and activations where an operator wants another width
(matrix products FP16; softmax, norms and sums FP32), results of FP16 and FP32 operands are FP32, attention is one
kernel without its score matrix, normalised weights do not grow with the batch. These rules are PyTorch's
(operator lists of torch.amp, "Automatic Mixed Precision package"; fused attention of
torch.nn.functional.scaled_dot_product_attention) and hold for any network.

The record has no edges. A tensor is found again by its element count: an operand is the latest tensor of that
many elements.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cosim.checks.gpu_records import ConvShape, RecordedNetwork, RecordedOp
from cosim.ir.layer import Layer, mac_layer, vector_layer
from cosim.ir.ops import OPS

# ATen name -> operator of this program. A trailing underscore (in place) is dropped before the look-up.
NAMES = {
    "native_batch_norm": "batch_norm",
    "native_layer_norm": "layer_norm",
    "native_group_norm": "group_norm",
    "_softmax": "softmax",
    "_safe_softmax": "softmax",
    "cat": "concat",
    "stack": "concat",
    "clone": "copy",
    "copy": "copy",
    "repeat": "copy",
    "im2col": "copy",
    "col2im": "scatter",
    "index": "gather",
    "constant_pad_nd": "pad",
    "reflection_pad2d": "pad",
    "avg_pool2d": "avg_pool",
    "max_pool2d_with_indices": "max_pool",
    "adaptive_max_pool2d": "max_pool",
    "_adaptive_avg_pool2d": "global_avg_pool",
    "upsample_nearest2d": "upsample_nearest",
    "upsample_bilinear2d": "upsample_bilinear",
    "upsample_bicubic2d": "upsample_bilinear",
    "_to_copy": "cast",
    "maximum": "compare",
    "bitwise_not": "compare",
    "rsub": "sub",
    "addcmul": "add",
    "clamp_min": "clamp",
    "linalg_vector_norm": "vector_norm",
    "amax": "max",
    "zeros": "fill",
    "arange": "fill",
    "eye": "fill",
    "hardtanh": "hardtanh",
}
_BINARY = frozenset({"add", "sub", "mul", "div", "maximum", "rsub", "addcmul", "pow"})
# Operators that mixed precision runs in FP32: with a cast before them, or casting as they read.
_FP32_CAST = frozenset({"native_layer_norm", "native_group_norm"})
_FP32_READ = frozenset({"_softmax", "sum", "pow", "rsqrt", "linalg_vector_norm", "cumsum"})
_SOURCES = frozenset({"arange", "eye", "zeros"})
_NARROW, _WIDE = 16, 32


@dataclass(frozen=True, slots=True)
class Tensor:
    """What is remembered of a tensor: bits, whether channels are innermost, and whether every image has its own."""

    bits: int
    channels_last: bool
    per_image: bool = True


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel and the layout that its operands have."""

    layer: Layer
    nchw: bool


@dataclass(slots=True)
class _Stream:
    """Kernels of one network as they are launched."""

    batch: int
    amp: bool
    channels_last: bool
    kernels: list[Kernel]
    tensors: dict[int, Tensor]
    branches: dict[int, Tensor]
    seen: Counter[int]
    last: Tensor

    def launch(self, layer: Layer, per_image: bool = True, nchw: bool = False) -> None:
        made = layer.with_batch(self.batch) if per_image and self.batch > 1 else layer
        self.kernels.append(Kernel(replace(made, name=f"k{len(self.kernels)}"), nchw))

    def vector(
        self,
        op: str,
        reads: int,
        writes: int,
        bits: tuple[int, int],
        per_image: bool = True,
        second: tuple[int, int] = (0, 0),
    ) -> None:
        """An elementwise kernel: ``bits`` of what it reads and writes, ``second`` (elements, bits) of an operand."""
        layer = vector_layer("k", op, x_elems=reads, y_elems=writes)
        layer = replace(
            layer,
            x_bits=bits[0],
            y_bits=bits[1],
            w_elems=second[0],
            w_bits=second[1] or bits[0],
            static_weight=not per_image,
        )
        self.launch(layer, per_image)

    def narrow(self, elems: int) -> Tensor:
        """The tensor of ``elems`` elements as a matrix product reads it; casts it first where it is wide."""
        found = self.tensors.get(elems, self.last)
        if self.amp and found.bits == _WIDE:
            self.vector("cast", elems, elems, (_WIDE, _NARROW), found.per_image)
            found = replace(found, bits=_NARROW)
        return found

    def weights(self, elems: int) -> None:
        """Mixed precision casts the weights anew in every forward pass."""
        if self.amp:
            self.vector("cast", elems, elems, (_WIDE, _NARROW), per_image=False)

    def put(self, elems: int, tensor: Tensor) -> None:
        """Remember a result; the first one of its size is where a residual branch starts.

        Parameters do not displace an activation of the same size.
        """
        self.last = tensor
        if not tensor.per_image and elems in self.tensors and self.tensors[elems].per_image:
            return
        self.tensors[elems] = tensor
        self.branches.setdefault(elems, tensor)
        self.seen[elems] += 1

    @property
    def product_bits(self) -> int:
        return _NARROW if self.amp else _WIDE


def kernels_of(network: RecordedNetwork, batch: int, channels_last: bool, amp: bool = True) -> list[Kernel]:
    """Kernels of one forward pass of ``batch`` images.

    ``channels_last``: images and convolution weights lie with the channel innermost. ``amp``: automatic mixed
    precision to FP16; otherwise everything is FP32. Operators without a known meaning count their bytes only.
    """
    first = Tensor(_WIDE, channels_last)
    stream = _Stream(batch, amp, channels_last, [], {}, {}, Counter(), first)
    fused = _attention(network.ops)
    for index, op in enumerate(network.ops):
        role = fused.get(index)
        if role == "inside":
            continue
        if op.conv is not None:
            _convolution(stream, op.conv)
        elif op.product is not None:
            _product(stream, op, role)
        elif op.op in _SOURCES:
            continue
        elif op.op == "native_batch_norm" and _normalises_weights(op, network.ops[index + 1 : index + 4]):
            stream.vector("batch_norm", op.in_elems, op.in_elems, (_WIDE, _WIDE), per_image=False)
        else:
            _pointwise(stream, op, *_around(network.ops, index))
    return stream.kernels


def _around(ops: Sequence[RecordedOp], index: int) -> tuple[RecordedOp | None, RecordedOp | None]:
    """The operators before and after one."""
    before = ops[index - 1] if index > 0 else None
    return before, ops[index + 1] if index + 1 < len(ops) else None


def _normalises_weights(op: RecordedOp, following: Sequence[RecordedOp]) -> bool:
    """True for a normalisation of a convolution's weights: as many elements as one of the next kernels."""
    weights = [(c.weights, c.outputs) for c in (o.conv for o in following) if c is not None]
    return any(op.in_elems in (count, count + channels) for count, channels in weights)


def _attention(ops: Sequence[RecordedOp]) -> dict[int, str]:
    """Roles of the operators that fused attention replaces: scores, values, or inside (not launched)."""
    roles: dict[int, str] = {}
    products = [i for i, op in enumerate(ops) if op.op == "bmm"]
    for index, op in enumerate(ops):
        if op.op != "_safe_softmax":
            continue
        before = [i for i in products if index - 5 <= i < index]
        after = [i for i in products if index < i <= index + 4]
        if not before or not after:
            continue
        scores, values = before[-1], after[0]
        roles |= {scores: "scores", values: "values"}
        roles |= dict.fromkeys(range(scores + 1, values), "inside")
        # Both operands are scaled by the fourth root of the head width in the unfused form only.
        roles |= {i: "inside" for i in range(max(0, scores - 2), scores) if ops[i].op == "mul"}
    return roles


def _convolution(stream: _Stream, conv: ConvShape) -> None:
    image = stream.narrow(conv.x_elems)
    stream.weights(conv.weights)
    depthwise = conv.groups > 1 and conv.groups == conv.inputs
    op = "depthwise_conv" if depthwise else ("grouped_conv" if conv.groups > 1 else "conv")
    layer = mac_layer(
        "k",
        op,
        N=conv.images,
        G=conv.groups,
        K=conv.outputs // conv.groups,
        C=conv.inputs // conv.groups,
        P=conv.result[0],
        Q=conv.result[1],
        R=conv.kernel[0],
        S=conv.kernel[1],
        H=conv.image[0],
        W=conv.image[1],
        stride=conv.stride,
        bits=stream.product_bits,
    )
    stream.launch(layer, image.per_image, nchw=not image.channels_last)
    stream.put(conv.y_elems, Tensor(stream.product_bits, image.channels_last, image.per_image))


def _product(stream: _Stream, op: RecordedOp, role: str | None) -> None:
    assert op.product is not None
    heads, rows, cols, depth = op.product
    bits = stream.product_bits
    if op.op in ("addmm", "mm"):
        stream.narrow(rows * depth)
        stream.weights(depth * cols)
        stream.launch(mac_layer("k", "linear", P=rows, C=depth, K=cols, bits=bits))
        stream.put(rows * cols, Tensor(bits, True))
        return
    stream.narrow(heads * rows * depth)
    layer = mac_layer("k", "matmul", G=heads, P=rows, C=depth, K=cols, static_weight=False, bits=bits)
    if role == "scores":
        info = OPS["softmax"]
        scores = heads * rows * cols
        layer = replace(
            layer,
            y_elems=0,
            simple_ops=round(info.simple_ops * scores),
            special_ops=round(info.special_ops * scores),
        )
    elif role == "values":
        layer = replace(layer, x_elems=0)
    stream.launch(layer)
    stream.put(heads * rows * cols, Tensor(bits, True))


def _operand(stream: _Stream, op: RecordedOp) -> tuple[int, Tensor]:
    """(elements, tensor) of the main operand: the largest known tensor that the operator can have read."""
    for elems in (op.out_elems, op.in_elems):
        if elems in stream.tensors:
            return elems, stream.tensors[elems]
    known = [elems for elems in stream.tensors if elems <= op.in_elems]
    if known:
        elems = max(known)
        return elems, stream.tensors[elems]
    return op.out_elems, stream.last


def _pointwise(stream: _Stream, op: RecordedOp, before: RecordedOp | None, after: RecordedOp | None) -> None:
    in_place = op.op.endswith("_")
    name = op.op.rstrip("_") if in_place else op.op
    target = NAMES.get(name, name)
    target = target if target in OPS else "unknown"
    if name in _BINARY:
        _binary(stream, op, name, target, in_place or _adds_bias(op, before))
        return
    if name in _FP32_CAST or name in ("native_batch_norm",):
        known = [elems for elems in stream.tensors if elems <= op.in_elems]
        elems = max(known, default=op.in_elems)
        source = stream.tensors.get(elems, stream.last)
        if stream.amp and name in _FP32_CAST:
            if source.bits == _NARROW:
                stream.vector("cast", elems, elems, (_NARROW, _WIDE), source.per_image)
            source = replace(
                source, bits=_WIDE, channels_last=source.channels_last or name == "native_layer_norm"
            )
        stream.vector(target, elems, elems, (source.bits, source.bits), source.per_image)
        stream.put(elems, source)
        return
    source = stream.tensors.get(op.in_elems) or stream.tensors.get(op.out_elems) or stream.last
    if name == "index" and op.in_elems not in stream.tensors:
        # A table of parameters (position biases): read once whatever the batch.
        source = Tensor(_WIDE, True, False)
    if before is not None and before.op == "index" and before.out_elems == op.in_elems:
        source = stream.last
    bits = source.bits
    wide = stream.amp and name in _FP32_READ
    result = replace(source, bits=_WIDE if wide else bits)
    if name == "clone":
        # Before a matrix product a copy gathers tokens, elsewhere planes.
        result = replace(result, channels_last=after is not None and after.product is not None)
    reads = op.in_elems if not in_place else op.out_elems
    if name.startswith("upsample_bi"):
        _interpolation(stream, op, replace(source, channels_last=stream.last.channels_last))
    else:
        stream.vector(target, reads, op.out_elems, (bits, result.bits), source.per_image)
    stream.put(op.out_elems, result)


def _interpolation(stream: _Stream, op: RecordedOp, source: Tensor) -> None:
    """Bilinear or bicubic; with channels outermost the plane's size follows from an earlier convolution's channels."""
    layer = vector_layer("k", "upsample_bilinear", x_elems=op.in_elems, y_elems=op.out_elems)
    if not source.channels_last:
        made = [k.layer.K * k.layer.G for k in stream.kernels if k.layer.is_mac and k.layer.op != "matmul"]
        side = next((s for c in reversed(made) if (s := _side(op, c))), 1)
        layer = replace(layer, P=side, Q=side)
    stream.launch(replace(layer, x_bits=source.bits, y_bits=source.bits), source.per_image)


def _side(op: RecordedOp, channels: int) -> int:
    """Rows of the square output plane with that many channels, or 0 where input and output are not square planes."""
    sides = [math.isqrt(elems // channels) for elems in (op.in_elems, op.out_elems)]
    fits = all(s * s * channels == e for s, e in zip(sides, (op.in_elems, op.out_elems), strict=True))
    return sides[1] if fits else 0


def _adds_bias(op: RecordedOp, before: RecordedOp | None) -> bool:
    """True for the bias of a linear layer that is added apart: it was cast with the other operands."""
    if before is None or before.op != "mm" or before.product is None or op.op != "add":
        return False
    return op.in_elems == op.out_elems + before.product[2]


def _binary(stream: _Stream, op: RecordedOp, name: str, target: str, keeps_bits: bool) -> None:
    """Two operands: a pair of activations, or one and a gate or parameter that is broadcast over it.

    The result has the wider of their widths, unless it is stored in place.
    """
    elems = op.out_elems
    main = stream.tensors.get(elems, stream.last)
    extra = op.in_elems - elems
    if extra == elems:
        # Without a second tensor of this size the other operand is a parameter (position embedding).
        parameter = stream.seen[elems] <= 1
        other = Tensor(_WIDE, True, False) if parameter else stream.branches[elems]
    elif extra > 0:
        gate = stream.tensors.get(extra)
        other = gate if gate is not None else Tensor(_WIDE, main.channels_last, False)
    else:
        other = main
    wide = stream.amp and name == "pow"
    bits = main.bits if keeps_bits else max(main.bits, other.bits if extra > 0 else main.bits)
    result = replace(main, bits=_WIDE if wide else bits)
    second = (extra if other.per_image else 0, other.bits) if extra > 0 else (0, 0)
    stream.vector(target, elems, elems, (main.bits, result.bits), main.per_image, second)
    stream.put(elems, result)
    if name == "add":
        stream.branches[elems] = result
