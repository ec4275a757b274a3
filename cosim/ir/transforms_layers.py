"""Transforms that change layers one by one: partial convolution, shared convolutions, widths, streaming."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from fractions import Fraction

from cosim.ir.layer import Layer
from cosim.ir.ops import OpClass
from cosim.ir.transforms_base import Arguments, TransformError, resized, scaled_vector, times
from cosim.ir.workload import Workload

ONE = Fraction(1)
_WIDTHS = re.compile(r"^(?:w(?P<w1>\d+)a(?P<a1>\d+)|a(?P<a2>\d+)w(?P<w2>\d+)|(?P<both>\d+))$")


def partial_conv(workload: Workload, arguments: Arguments) -> tuple[Layer, ...]:
    """``partial_conv:SHARE``: dense spatial convolutions of equal width work on SHARE of their channels.

    The other channels pass untouched, without being read or written. With a share of 1/4, a convolution costs 1/16
    of its multiply-accumulates and moves 1/4 of its activations (Chen et al., CVPR 2023, arXiv 2303.03667, Eq. 1
    to 3: h w k^2 c_p^2 and h w 2 c_p + k^2 c_p^2).
    """
    share = arguments.share()
    chosen = [layer for layer in workload if _same_size(layer)]
    if not chosen:
        raise TransformError(
            f"{arguments}: {workload.name} has no dense spatial convolution of stride 1 with as many output as input "
            "channels"
        )
    names = {layer.name for layer in chosen}
    return tuple(_partial(layer, share) if layer.name in names else layer for layer in workload)


def _same_size(layer: Layer) -> bool:
    spatial = layer.op_class is OpClass.CONV and layer.G == 1 and layer.R * layer.S > 1
    # A streamed convolution has fewer rows than it reads; its columns still tell whether it keeps the size.
    rows = layer.P == layer.H or layer.S > 1
    return spatial and layer.stride == (1, 1) and layer.K == layer.C and layer.Q == layer.W and rows


def _partial(layer: Layer, share: Fraction) -> Layer:
    channels = times(layer.C, share, layer, "channels")
    return resized(layer, K=channels, C=channels)


def convsharevit(workload: Workload, arguments: Arguments) -> tuple[Layer, ...]:
    """``convsharevit[:valid|same][,kernel=7]``: linear layers on tokens become convolutions of token images.

    A token of d elements is an image of sqrt(d) x sqrt(d). ``valid``: the kernel is as large as the image, so that
    every kernel gives one number; that is the linear layer itself, with as many multiply-accumulates. ``same``: one
    kernel of ``kernel`` x ``kernel`` for every pair of input and output image. All tokens share the kernels, which
    makes them the batch of the convolution (Ibadulla et al., arXiv 2504.11517).
    """
    padding, kernel = arguments.word("value", ("valid", "same")), arguments.whole("kernel", 7)
    if padding == "same" and kernel % 2 == 0:
        raise TransformError(
            f"{arguments}: kernel: found {kernel}, allowed an odd number, which keeps the size"
        )
    linear = [layer for layer in workload if _on_tokens(layer)]
    if not linear:
        raise TransformError(f"{arguments}: {workload.name} has no linear layer on more than one token")
    width = min(layer.C for layer in linear)
    side = math.isqrt(width)
    if side * side != width:
        raise TransformError(
            f"{arguments}: a token of {width} elements is no square image; allowed widths are squares "
            f"({side**2} and {(side + 1) ** 2} are the nearest)"
        )
    return tuple(_shared(layer, side, padding, kernel) if _on_tokens(layer) else layer for layer in workload)


def _on_tokens(layer: Layer) -> bool:
    return layer.op_class is OpClass.LINEAR and layer.static_weight and layer.P * layer.Q > 1 and layer.G == 1


def _shared(layer: Layer, side: int, padding: str, kernel: int) -> Layer:
    area = side * side
    tokens = layer.N * layer.P * layer.Q
    images_in = times(layer.C, Fraction(1, area), layer, "input width over the image")
    conv = replace(layer, op="conv", N=tokens, C=images_in, H=side, W=side)
    if padding == "valid":
        return resized(conv, K=layer.K, P=1, Q=1, R=side, S=side)
    images_out = times(layer.K, Fraction(1, area), layer, "output width over the image")
    half = kernel // 2
    padded = replace(conv, padding=(half, half, half, half))
    return resized(padded, K=images_out, P=side, Q=side, R=kernel, S=kernel)


def bits(workload: Workload, arguments: Arguments) -> tuple[Layer, ...]:
    """``bits:w4a8`` (or ``bits:8``): stored width of weights, and of activations in and out.

    The second operand of a product of two activations has the width of activations. Machines compute with the
    widths of their data paths; stored widths count where a machine moves operands as stored.
    """
    match = _WIDTHS.match(arguments.value)
    groups = match.groupdict() if match else {}
    w = int(groups.get("w1") or groups.get("w2") or groups.get("both") or 0)
    a = int(groups.get("a1") or groups.get("a2") or groups.get("both") or 0)
    if not (1 <= w <= 64 and 1 <= a <= 64):
        raise TransformError(
            f"bits: found {arguments.value!r}, allowed wWaA or a number, 1 to 64 bits: bits:w4a8, bits:8"
        )
    return tuple(
        replace(layer, x_bits=a, y_bits=a, w_bits=w if layer.static_weight or not layer.is_mac else a)
        for layer in workload
    )


def share_kernels(workload: Workload, arguments: Arguments) -> tuple[Layer, ...]:
    """``share_kernels[:fetch=once]``: layers with weights of equal shape use those of the first of them.

    The parameters of the others are no longer their own. ``fetch=once`` also takes their weights from where the
    first left them, as accelerators with frozen weights do: only their biases are read.
    """
    arguments.no_value()
    once = arguments.word("fetch", ("each", "once")) == "once"
    seen: set[tuple[object, ...]] = set()
    layers = []
    for layer in workload:
        weights = layer.G * layer.K * layer.C * layer.R * layer.S
        if not layer.is_mac or not layer.static_weight:
            layers.append(layer)
            continue
        shape = (layer.op, layer.G, layer.K, layer.C, layer.R, layer.S)
        if shape in seen:
            shared = max(weights, layer.shared_params)
            layer = replace(layer, shared_params=shared, w_elems=layer.w_elems - (weights if once else 0))
        seen.add(shape)
        layers.append(layer)
    return tuple(layers)


def streaming(workload: Workload, arguments: Arguments) -> tuple[Layer, ...]:
    """``streaming:OVERLAP``: of windows that overlap by OVERLAP of their rows only the new rows are computed.

    Convolutions and pooling compute ceil((1 - OVERLAP) P) rows and read those rows' receptive field; layers up to
    the first that mixes all rows follow. Rows at the border of a window are taken as if the window before had
    computed them the same way, which holds for networks without padding along the rows (causal ones). Adding a table
    of positions ends the reuse, since positions move with the window.
    """
    fresh = 1 - arguments.share(Fraction(99, 100))
    rows = dict.fromkeys(workload.inputs, ONE)
    sizes = {name: math.prod(shape) for name, shape in workload.inputs.items()}
    sizes |= {layer.name: layer.y_elems for layer in workload}
    layers = []
    for layer in workload:
        # A smaller operand is broadcast (a gate per channel): the largest ones decide.
        known = [name for name in layer.inputs if name in rows]
        largest = max((sizes[name] for name in known), default=0)
        factor = max((rows[name] for name in known if sizes[name] == largest), default=ONE)
        first = any(name in workload.inputs for name in layer.inputs)
        new = _fresh_rows(layer, fresh, first, factor if factor != ONE else None)
        rows[layer.name] = Fraction(new.y_elems, layer.y_elems)
        layers.append(new)
    if all(new == old for new, old in zip(layers, workload.layers, strict=True)):
        raise TransformError(f"{arguments}: {workload.name} does not start with a convolution over rows")
    return tuple(layers)


def _fresh_rows(layer: Layer, fresh: Fraction, first: bool, factor: Fraction | None) -> Layer:
    if factor is None and not first:
        return layer
    if layer.op_class in (OpClass.CONV, OpClass.DEPTHWISE_CONV) and layer.P > 1:
        rows = math.ceil(fresh * layer.P)
        reach = (rows - 1) * layer.stride[0] + layer.dilation[0] * (layer.R - 1) + 1
        return resized(layer, P=rows, H=min(reach, layer.H))
    if factor is not None and layer.op_class is OpClass.LINEAR and layer.P > 1:
        rows = math.ceil(factor * layer.P)
        return resized(layer, P=rows, H=rows)
    placed = layer.op_class is OpClass.ELEMENTWISE and layer.w_elems == layer.y_elems
    if factor is None or layer.is_mac or placed or layer.op in ("global_avg_pool", "mean", "softmax"):
        return layer
    # Pooling shrinks rows by its stride; the share of fresh rows stays that of the layer before.
    y = Fraction(math.ceil(layer.y_elems * factor), layer.y_elems)
    x = Fraction(math.ceil(layer.x_elems * factor), layer.x_elems)
    return scaled_vector(layer, x, y, ONE)
