"""Convolutions as products: output sizes, operand sizes and touched words against plain enumeration."""

from __future__ import annotations

from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.ir.layer import mac_layer
from cosim.mapping.im2col import (
    conv_gemm,
    conv_output_size,
    im2col_words,
    native_ifmap_words,
    touched_positions,
)

axis = st.tuples(
    st.integers(1, 25),
    st.integers(1, 5),
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(0, 3),
    st.integers(0, 3),
)


@given(axis)
def test_output_size_counts_the_windows_that_fit(case: tuple[int, ...]) -> None:
    size, kernel, stride, dilation, before, after = case
    span = dilation * (kernel - 1) + 1
    starts = [s for s in range(0, size + before + after, stride) if s + span <= size + before + after]
    if not starts:
        with pytest.raises(ValueError, match="larger than the padded input"):
            conv_output_size(size, kernel, stride, dilation, before, after)
        return
    assert conv_output_size(size, kernel, stride, dilation, before, after) == len(starts)
    hanging = starts[-1] + span < size + before + after
    assert (
        conv_output_size(size, kernel, stride, dilation, before, after, ceil_mode=True)
        == len(starts) + hanging
    )


@given(axis, st.integers(1, 9))
def test_touched_positions_are_distinct_input_positions(case: tuple[int, ...], outputs: int) -> None:
    size, kernel, stride, dilation, before, _ = case
    reached = {i * stride + j * dilation - before for i in range(outputs) for j in range(kernel)}
    inside = {position for position in reached if 0 <= position < size}
    assert touched_positions(size, kernel, outputs, stride, dilation, before) == len(inside)
    g = gcd(stride, dilation)
    repeated = max(0, outputs - dilation // g) * max(0, kernel - stride // g)
    assert len(reached) == outputs * kernel - repeated


def test_product_of_unrolled_windows_is_the_grouped_convolution() -> None:
    """A strided, dilated, padded convolution in two groups, written as loops and as two products."""
    images, groups, out_channels, in_channels, size, kernel, stride, dilation, pad = 2, 2, 3, 2, 9, 3, 2, 2, 1
    rng = np.random.default_rng(3)
    x = rng.integers(-5, 6, (images, groups, in_channels, size, size))
    w = rng.integers(-5, 6, (groups, out_channels, in_channels, kernel, kernel))
    side = int(conv_output_size(size, kernel, stride, dilation, pad, pad))
    padded = np.pad(x, ((0, 0), (0, 0), (0, 0), (pad, pad), (pad, pad)))
    shape = conv_gemm(images, groups, out_channels, in_channels, side, side, kernel, kernel)
    assert shape == (images * side * side, out_channels, in_channels * kernel * kernel, groups)
    expected = np.zeros((images, groups, out_channels, side, side), np.int64)
    for p, q, r, s in np.ndindex(side, side, kernel, kernel):
        seen = padded[:, :, :, p * stride + r * dilation, q * stride + s * dilation]
        expected[:, :, :, p, q] += np.einsum("ngc,gkc->ngk", seen, w[:, :, :, r, s])
    taps = np.arange(kernel) * dilation
    for g in range(groups):
        windows = [
            padded[image, g][:, p * stride + taps[:, None], q * stride + taps].reshape(-1)
            for image in range(images)
            for p in range(side)
            for q in range(side)
        ]
        unrolled = np.stack(windows)
        assert unrolled.shape == (shape.m, shape.k)
        product = unrolled @ w[g].reshape(out_channels, -1).T
        found = product.reshape(images, side, side, out_channels).transpose(0, 3, 1, 2)
        np.testing.assert_array_equal(found, expected[:, g])
    assert im2col_words(shape) == groups * unrolled.size


def test_columns_of_layers_and_the_layer_itself_agree() -> None:
    layers = [
        mac_layer("a", "conv", N=2, K=64, C=3, P=112, Q=112, R=7, S=7, stride=(2, 2), padding=(3, 3, 3, 3)),
        mac_layer("dw", "depthwise_conv", G=32, P=14, Q=14, R=3, S=3, padding=(1, 1, 1, 1)),
    ]
    columns = (np.array([getattr(layer, name) for layer in layers]) for name in "NGKCPQRS")
    shape = conv_gemm(*columns)
    found = np.stack([shape.repeats, shape.m, shape.n, shape.k]).T.tolist()
    assert found == [list(layer.gemm()) for layer in layers]


def test_native_convolution_reads_each_word_once() -> None:
    """3 x 3, stride 1, padding 1 touches the whole image; 1 x 1 with stride 2 a quarter of it."""
    assert native_ifmap_words(2, 1, 5, (14, 14), (3, 3), (14, 14), pad_before=(1, 1)) == 2 * 5 * 14 * 14
    assert native_ifmap_words(1, 1, 5, (14, 14), (1, 1), (7, 7), stride=(2, 2)) == 5 * 7 * 7
