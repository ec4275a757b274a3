"""Layers: counts by hand, the lowering to matrix products, batches, tied weights."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.ir.layer import Layer, input_size, mac_layer, output_size, vector_layer
from cosim.ir.ops import MAC_CLASSES, OPS, OpClass, op_class
from cosim.ir.workload import Workload

SIZES = st.integers(1, 17)


def test_convolution_by_hand() -> None:
    """ResNet's first layer: 64 x 3 x 7 x 7 weights, each used on 112 x 112 outputs."""
    layer = mac_layer(
        "c", "conv", K=64, C=3, P=112, Q=112, R=7, S=7, H=224, W=224, stride=(2, 2), padding=(3, 3, 3, 3)
    )
    assert layer.macs == 64 * 147 * 12544 == 118_013_952
    assert layer.params == 9408
    assert (layer.x_elems, layer.w_elems, layer.y_elems) == (150_528, 9408, 802_816)
    assert layer.gemm() == (1, 12544, 64, 147)
    assert layer.bytes_moved == 4 * (150_528 + 9408 + 802_816)


def test_depthwise_is_one_product_per_channel() -> None:
    layer = mac_layer("d", "depthwise_conv", G=32, P=7, Q=7, R=3, S=3, padding=(1, 1, 1, 1))
    assert layer.macs == 32 * 49 * 9
    assert layer.gemm() == (32, 49, 1, 9)
    assert layer.params == 288


def test_transposed_convolution_counts_input_positions() -> None:
    """2x upsampling with a 2x2 kernel: each of the 4x4 inputs meets the whole kernel once."""
    layer = mac_layer("t", "transposed_conv", K=3, C=5, P=8, Q=8, R=2, S=2, stride=(2, 2))
    assert (layer.H, layer.W) == (4, 4)
    assert layer.macs == 3 * 5 * 16 * 4
    assert layer.gemm() == (1, 16, 3 * 4, 5)


def test_attention_product_has_a_group_per_head() -> None:
    layer = mac_layer("s", "matmul", N=2, G=3, K=49, C=64, P=49, static_weight=False)
    assert layer.macs == 2 * 3 * 49 * 49 * 64
    assert layer.params == 0
    assert layer.w_elems == 2 * 3 * 49 * 64
    assert layer.gemm() == (6, 49, 49, 64)


def test_embedding_touches_only_the_rows_it_reads() -> None:
    layer = vector_layer("e", "embedding", x_elems=7, y_elems=7 * 16, w_elems=50_000 * 16)
    assert layer.w_touched == 112
    assert layer.bytes_moved == 4 * (7 + 112 + 112)
    assert layer.params == 800_000


def test_pooling_counts_taps_and_reductions_count_inputs() -> None:
    assert vector_layer("p", "max_pool", x_elems=64, y_elems=16, taps=9).simple_ops == 144
    assert vector_layer("g", "global_avg_pool", x_elems=490, y_elems=10).simple_ops == 490


@given(P=SIZES, R=SIZES, stride=SIZES, dilation=SIZES, pad=st.integers(0, 9))
def test_input_size_gives_the_output_size_back(P: int, R: int, stride: int, dilation: int, pad: int) -> None:
    assert output_size(input_size(P, R, stride, dilation, pad), R, stride, dilation, pad) == P


@given(H=SIZES, R=SIZES, stride=SIZES, dilation=SIZES)
def test_transposed_input_size_inverts_its_output(H: int, R: int, stride: int, dilation: int) -> None:
    out = (H - 1) * stride + dilation * (R - 1) + 1
    assert input_size(out, R, stride, dilation, 0, transposed=True) == H


@given(N=SIZES, G=SIZES, K=SIZES, C=SIZES, P=SIZES, R=SIZES, batch=SIZES, static=st.booleans())
def test_batch_scales_work_and_not_parameters(
    N: int, G: int, K: int, C: int, P: int, R: int, batch: int, static: bool
) -> None:
    layer = mac_layer("l", "conv", N=N, G=G, K=K, C=C, P=P, R=R, static_weight=static, bias=static)
    many = layer.with_batch(batch)
    assert many.macs == batch * layer.macs
    assert many.params == layer.params
    assert (many.x_elems, many.y_elems) == (batch * layer.x_elems, batch * layer.y_elems)
    groups, m, n, k = many.gemm()
    assert groups * m * n * k == many.macs


def test_batch_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="found 0, allowed an integer of at least 1"):
        vector_layer("r", "relu", x_elems=1, y_elems=1).with_batch(0)


def test_tied_weights_count_once() -> None:
    table = vector_layer("wte", "embedding", x_elems=4, y_elems=4 * 8, w_elems=100 * 8)
    head = mac_layer("head", "linear", K=100, C=8, P=4)
    tied = Layer(**{**{f: getattr(head, f) for f in Layer.__dataclass_fields__}, "shared_params": 800})
    assert Workload("w", (table, tied)).params == 800
    assert Workload("w", (table, head)).params == 1600


def test_every_operator_has_a_class_and_costs() -> None:
    for name, info in OPS.items():
        assert name == info.name
        assert op_class(name) is info.op_class
        free = info.op_class in MAC_CLASSES or info.op_class in (
            OpClass.DATA,
            OpClass.EMBEDDING,
            OpClass.UNKNOWN,
        )
        assert (info.simple_ops + info.special_ops == 0) is free


def test_workload_refuses_a_name_twice() -> None:
    layer = vector_layer("a", "relu", x_elems=1, y_elems=1)
    with pytest.raises(ValueError, match="two layers are named 'a'"):
        Workload("w", (layer, layer))
