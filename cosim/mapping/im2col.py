"""Convolutions as matrix products (im2col), and what a native convolution reads instead.

A convolution with N images, G groups, K output and C input channels *per group*, P x Q output positions and
an R x S kernel is G products of an (M x K') by a (K' x N') matrix with (eq. 1)

    M = N * P * Q      N' = K      K' = C * R * S

A depthwise convolution is the case K = C = 1 with G channels. The product repeats each input word for every
kernel position that covers it; an accelerator that forms the windows itself reads the distinct words only, so
both word counts are given. Transposed convolutions and products of two computed operands lower differently;
see :meth:`cosim.ir.layer.Layer.gemm`.

Source: Chellapilla et al., "High Performance Convolutional Neural Networks for Document Processing",
IWFHR 2006.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from cosim.mapping.folds import Array, Number, ceil_div


class GemmShape(NamedTuple):
    """``repeats`` products of (m x k) by (k x n); integers or arrays of them."""

    m: Array
    n: Array
    k: Array
    repeats: Array


def conv_output_size(
    size: Number,
    kernel: Number,
    stride: Number = 1,
    dilation: Number = 1,
    pad_before: Number = 0,
    pad_after: Number = 0,
    ceil_mode: bool = False,
) -> Array:
    """Output positions along one axis (eq. 2), integers.

        positions = floor((size + pads - dilation * (kernel - 1) - 1) / stride) + 1            (eq. 2)

    ``ceil_mode`` rounds up instead and lets the last window hang over the edge; SCALE-Sim does so always.
    Raises ValueError where the kernel is larger than the padded input.
    """
    room = np.asarray(size) + pad_before + pad_after - (np.asarray(dilation) * (np.asarray(kernel) - 1) + 1)
    if bool(np.any(room < 0)):
        raise ValueError(
            f"kernel {kernel} (dilation {dilation}) is larger than the padded input "
            f"{size} + {pad_before} + {pad_after}; it must fit inside"
        )
    steps: Array = ceil_div(room, np.asarray(stride)) if ceil_mode else room // np.asarray(stride)
    return steps + 1


def conv_gemm(
    images: Number,
    groups: Number,
    k_per_group: Number,
    c_per_group: Number,
    p: Number,
    q: Number,
    r: Number,
    s: Number,
) -> GemmShape:
    """The matrix products of a convolution (eq. 1); stride, padding and dilation act through P and Q only."""
    wide = [np.asarray(x, dtype=np.int64) for x in (images, groups, k_per_group, c_per_group, p, q, r, s)]
    batch, group, out_channels, in_channels, rows, cols, kernel_rows, kernel_cols = wide
    return GemmShape(
        np.asarray(batch * rows * cols),
        out_channels,
        np.asarray(in_channels * kernel_rows * kernel_cols),
        group,
    )


def im2col_words(shape: GemmShape) -> Array:
    """Words of the unrolled input matrices, all repeats together; padding zeros are counted as words."""
    words: Array = shape.m * shape.k * shape.repeats
    return words


@lru_cache(maxsize=4096)
def touched_positions(
    size: int, kernel: int, outputs: int, stride: int = 1, dilation: int = 1, pad_before: int = 0
) -> int:
    """Distinct input positions along one axis that any window reads, padding left out.

    Without edges the count has a closed form: position i * stride + j * dilation repeats exactly along the
    direction (dilation / g, -stride / g), g = gcd(stride, dilation), so that
    outputs * kernel - max(0, outputs - dilation / g) * max(0, kernel - stride / g) are distinct (eq. 3).
    The edges cut into that irregularly, so the positions are listed.
    """
    positions = np.add.outer(np.arange(outputs) * stride, np.arange(kernel) * dilation) - pad_before
    return int(np.unique(positions[(positions >= 0) & (positions < size)]).size)


def native_ifmap_words(
    images: int,
    groups: int,
    c_per_group: int,
    size: tuple[int, int],
    kernel: tuple[int, int],
    outputs: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    pad_before: tuple[int, int] = (0, 0),
) -> int:
    """Distinct input words that a convolution reads, pairs in the order (rows, columns)."""
    rows, cols = (
        touched_positions(size[a], kernel[a], outputs[a], stride[a], dilation[a], pad_before[a])
        for a in (0, 1)
    )
    return images * groups * c_per_group * rows * cols
