"""Workload transforms: exact counts by hand, edges that stay consistent, refusals that say what is allowed."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.ir.layer import Layer, mac_layer, vector_layer
from cosim.ir.transforms import (
    TRANSFORMS,
    TransformError,
    apply_transforms,
    parse_transform,
    split_reference,
)
from cosim.ir.transforms_tokens import kept_tokens
from cosim.ir.workload import Workload

SAME = (1, 1, 1, 1)


def network(*layers: Layer) -> Workload:
    return Workload(
        "net", layers, inputs={"x": (1, 3, 8, 8)}, outputs=(layers[-1].name,), published={"macs": 1.0}
    )


def small_cnn() -> Workload:
    """Stem, a residual branch with a depthwise convolution, pooling, classifier."""
    return network(
        mac_layer("stem", "conv", C=3, K=16, P=8, Q=8, R=3, S=3, padding=SAME, inputs=("x",)),
        mac_layer("expand", "conv", C=16, K=32, P=8, Q=8, inputs=("stem",), bias=True),
        vector_layer("norm", "batch_norm", x_elems=2048, y_elems=2048, w_elems=64, inputs=("expand",)),
        mac_layer("depth", "depthwise_conv", G=32, P=8, Q=8, R=3, S=3, padding=SAME, inputs=("norm",)),
        mac_layer("shrink", "conv", C=32, K=16, P=8, Q=8, inputs=("depth",)),
        vector_layer("sum", "add", x_elems=2048, y_elems=1024, inputs=("shrink", "stem")),
        vector_layer("pool", "global_avg_pool", x_elems=1024, y_elems=16, inputs=("sum",)),
        mac_layer("head", "linear", C=16, K=10, inputs=("pool",)),
    )


def test_prune_channels_by_hand() -> None:
    """Halved: 3 -> 8 -> 16 -> 8 -> 10; dense inner layers fall to a quarter, borders and depthwise to a half."""
    before, after = small_cnn(), apply_transforms(small_cnn(), ["prune_channels:0.5"])
    share = {new.name: new.macs / old.macs for old, new in zip(before, after, strict=True) if old.macs}
    assert share == {"stem": 0.5, "expand": 0.25, "depth": 0.5, "shrink": 0.25, "head": 0.5}
    by_name = {layer.name: layer for layer in after}
    assert (by_name["norm"].x_elems, by_name["norm"].w_elems, by_name["norm"].simple_ops) == (1024, 32, 2048)
    assert (by_name["sum"].x_elems, by_name["sum"].y_elems) == (1024, 512)
    assert by_name["expand"].w_elems == 8 * 16 + 16
    assert by_name["head"].K == 10
    assert by_name["pool"].simple_ops == 512


def test_prune_channels_keeps_attention_consistent() -> None:
    """Heads stay 4, their width goes from 16 to 8: the reduction of Q K and the columns of the context halve."""
    q = [mac_layer(n, "linear", C=64, K=64, P=10, inputs=("embed",)) for n in ("q", "k", "v")]
    net = network(
        mac_layer("embed", "linear", C=5, K=64, P=10, inputs=("x",)),
        *q,
        mac_layer("scores", "matmul", G=4, C=16, K=10, P=10, static_weight=False, inputs=("q", "k")),
        vector_layer("softmax", "softmax", x_elems=400, y_elems=400, inputs=("scores",)),
        mac_layer("context", "matmul", G=4, C=10, K=16, P=10, static_weight=False, inputs=("softmax", "v")),
        mac_layer("out", "linear", C=64, K=3, P=10, inputs=("context",)),
    )
    layers = {layer.name: layer for layer in apply_transforms(net, ["prune_channels:0.5"])}
    assert (layers["scores"].C, layers["scores"].K, layers["scores"].P) == (8, 10, 10)
    assert layers["softmax"].x_elems == 400
    assert (layers["context"].C, layers["context"].K) == (10, 8)
    assert (layers["out"].C, layers["out"].K) == (32, 3)


def test_prune_channels_counts_concatenated_inputs() -> None:
    net = network(
        mac_layer("a", "conv", C=3, K=6, P=4, Q=4, inputs=("x",)),
        mac_layer("b", "conv", C=3, K=10, P=4, Q=4, inputs=("x",)),
        vector_layer("cat", "concat", x_elems=256, y_elems=256, inputs=("a", "b")),
        mac_layer("c", "conv", C=16, K=8, P=4, Q=4, inputs=("cat",)),
    )
    layers = {layer.name: layer for layer in apply_transforms(net, ["prune_channels:0.3"])}
    assert (layers["a"].K, layers["b"].K, layers["c"].C) == (2, 3, 5)


def test_prune_channels_refuses_widths_that_are_not_whole() -> None:
    net = network(
        mac_layer("a", "conv", C=3, K=6, P=4, Q=4, inputs=("x",)),
        mac_layer("b", "grouped_conv", G=2, C=3, K=5, P=4, Q=4, inputs=("a",)),
        mac_layer("c", "conv", C=10, K=5, P=4, Q=4, inputs=("b",)),
    )
    with pytest.raises(TransformError, match=r"layer b: input channels of 3 .* allowed a whole number"):
        apply_transforms(net, ["prune_channels:0.5"])


@given(st.integers(1, 64), st.integers(1, 64))
def test_pruning_all_or_nothing(inner: int, other: int) -> None:
    """Keeping everything changes no layer; any share leaves at least one channel and never more work."""
    net = network(
        mac_layer("a", "conv", C=3, K=inner, P=4, Q=4, inputs=("x",)),
        mac_layer("b", "conv", C=inner, K=other, P=4, Q=4, inputs=("a",)),
        mac_layer("c", "linear", C=other, K=7, inputs=("b",)),
    )
    assert apply_transforms(net, ["prune_channels:1"]).layers == net.layers
    pruned = apply_transforms(net, ["prune_channels:0.1"])
    assert pruned.layers[0].K >= 1
    assert pruned.macs <= net.macs


def test_partial_conv_by_hand() -> None:
    """A quarter of the channels: 1/16 of the products, 1/4 of the activations read and written, 1/16 of weights."""
    conv = mac_layer("conv", "conv", C=64, K=64, P=14, Q=14, R=3, S=3, padding=SAME, inputs=("x",))
    point = mac_layer("point", "conv", C=64, K=128, P=14, Q=14, inputs=("conv",))
    before, after = network(conv, point), apply_transforms(network(conv, point), ["partial_conv:0.25"])
    old, new = before.layers[0], after.layers[0]
    assert Fraction(new.macs, old.macs) == Fraction(1, 16)
    assert Fraction(new.x_elems + new.y_elems, old.x_elems + old.y_elems) == Fraction(1, 4)
    assert new.x_elems + new.y_elems + new.w_elems == 14 * 14 * 2 * 16 + 9 * 16 * 16
    assert after.layers[1] == before.layers[1]
    with pytest.raises(TransformError, match="no dense spatial convolution"):
        apply_transforms(network(point), ["partial_conv:0.25"])


def attention_block(name: str, tokens: int, source: str) -> list[Layer]:
    d, elems, squares = 16, tokens * 16, 2 * tokens**2
    linear = [mac_layer(f"{name}.{n}", "linear", C=d, K=d, P=tokens, inputs=(source,)) for n in "qkv"]
    return [
        *linear,
        mac_layer(
            f"{name}.scores", "matmul", G=2, C=8, K=tokens, P=tokens, static_weight=False,
            inputs=(f"{name}.q", f"{name}.k"),
        ),
        vector_layer(f"{name}.softmax", "softmax", x_elems=squares, y_elems=squares, inputs=(f"{name}.scores",)),
        mac_layer(
            f"{name}.context", "matmul", G=2, C=tokens, K=8, P=tokens, static_weight=False,
            inputs=(f"{name}.softmax", f"{name}.v"),
        ),
        vector_layer(f"{name}.add", "add", x_elems=2 * elems, y_elems=elems, inputs=(f"{name}.context", source)),
        mac_layer(f"{name}.mlp", "linear", C=d, K=d, P=tokens, inputs=(f"{name}.add",)),
        vector_layer(f"{name}.add2", "add", x_elems=2 * elems, y_elems=elems, inputs=(f"{name}.mlp", f"{name}.add")),
    ]  # fmt: skip


def two_blocks(tokens: int = 11) -> Workload:
    first = mac_layer("embed", "conv", C=3, K=16, P=tokens, inputs=("x",))
    one = attention_block("a", tokens, "embed")
    return network(first, *one, *attention_block("b", tokens, one[-1].name))


def test_prune_tokens_by_hand() -> None:
    """11 tokens, keep 0.5 after block 1: 1 + ceil(5) + 1 = 7; the first MLP and the second block run on 7."""
    after = {layer.name: layer for layer in apply_transforms(two_blocks(), ["prune_tokens:0.5,blocks=1"])}
    assert after["a.context"].P == 11
    assert after["a.mlp"].P == 7
    assert (after["b.scores"].P, after["b.scores"].K, after["b.scores"].C) == (7, 7, 8)
    assert after["b.softmax"].x_elems == 2 * 49
    assert (after["b.context"].P, after["b.context"].C, after["b.context"].K) == (7, 7, 8)
    gather = after["a.add.kept_tokens"]
    assert (gather.op, gather.x_elems, gather.y_elems, gather.simple_ops) == ("gather", 176, 112, 2 * 16 * 5)
    assert after["a.mlp"].inputs == ("a.add.kept_tokens",)
    assert after["a.add2"].inputs == ("a.mlp", "a.add.kept_tokens")


def test_kept_tokens() -> None:
    assert kept_tokens(197, Fraction(7, 10), True) == 1 + 138 + 1
    assert kept_tokens(197, Fraction(7, 10), False) == 1 + 138
    assert kept_tokens(3, Fraction(1), True) == 3


def test_merging_tokens_by_hand() -> None:
    """Three merged in each block: 11, then 8, then 5; no token is added, and the sums are counted."""
    after = {
        layer.name: layer for layer in apply_transforms(two_blocks(), ["prune_tokens:drop=3,blocks=1-2"])
    }
    assert [after[name].P for name in ("a.context", "a.mlp", "b.context", "b.mlp")] == [11, 8, 8, 5]
    assert after["a.add.kept_tokens"].simple_ops == 2 * 16 * 3
    assert apply_transforms(two_blocks(), ["prune_tokens:drop=20,blocks=1"]).layers[-1].y_elems == 16
    with pytest.raises(TransformError, match="allowed beside it is blocks alone"):
        apply_transforms(two_blocks(), ["prune_tokens:0.5,drop=3"])


def test_prune_tokens_refusals() -> None:
    with pytest.raises(TransformError, match="has no attention"):
        apply_transforms(small_cnn(), ["prune_tokens:0.5"])
    with pytest.raises(TransformError, match="allowed numbers from 1 to 2, or ranges"):
        apply_transforms(two_blocks(), ["prune_tokens:0.5,blocks=3"])
    window = replace(two_blocks().layers[4], P=5, K=5)
    layers = tuple(window if layer.name == window.name else layer for layer in two_blocks())
    with pytest.raises(TransformError, match="attends to 5 of the network's tokens"):
        apply_transforms(replace(two_blocks(), layers=layers), ["prune_tokens:0.5"])


def test_convsharevit_valid_is_the_linear_layer() -> None:
    """Width 16 is a 4x4 image: one plane in, 16 kernels of 4x4, the tokens as batch; the products are the same."""
    after = {layer.name: layer for layer in apply_transforms(two_blocks(), ["convsharevit"])}
    q = after["a.q"]
    assert (q.op, q.N, q.C, q.K, q.R, q.S, q.P, q.Q, q.H, q.W) == ("conv", 11, 1, 16, 4, 4, 1, 1, 4, 4)
    assert apply_transforms(network(*two_blocks().layers[1:]), ["convsharevit"]).macs == sum(
        layer.macs for layer in two_blocks().layers[1:]
    )


def test_convsharevit_same_shares_one_kernel() -> None:
    after = {
        layer.name: layer
        for layer in apply_transforms(two_blocks(), ["convsharevit:same,kernel=3"])
        if layer.name == "a.q"
    }
    q = after["a.q"]
    assert (q.N, q.C, q.K, q.R, q.S, q.P, q.Q, q.padding) == (11, 1, 1, 3, 3, 4, 4, SAME)
    assert (q.macs, q.w_elems, q.y_elems) == (11 * 16 * 9, 9, 11 * 16)


def test_convsharevit_refuses_tokens_that_are_no_image() -> None:
    with pytest.raises(TransformError, match="a token of 3 elements is no square image"):
        apply_transforms(network(mac_layer("l", "linear", C=3, K=9, P=4, inputs=("x",))), ["convsharevit"])
    with pytest.raises(TransformError, match="allowed an odd number"):
        apply_transforms(two_blocks(), ["convsharevit:same,kernel=4"])


@pytest.mark.parametrize(("text", "w", "a"), [("bits:w4a8", 4, 8), ("bits:a16w8", 8, 16), ("bits:8", 8, 8)])
def test_bits(text: str, w: int, a: int) -> None:
    after = {layer.name: layer for layer in apply_transforms(two_blocks(), [text])}
    assert (after["a.q"].w_bits, after["a.q"].x_bits, after["a.q"].y_bits) == (w, a, a)
    assert after["a.scores"].w_bits == a
    assert after["a.q"].bytes_moved == (11 * 16 * a + 256 * w + 11 * 16 * a) / 8


def test_share_kernels() -> None:
    """Seven 16x16 layers share one kernel: their parameters count once; fetched once they read nothing again."""
    before, after = two_blocks(), apply_transforms(two_blocks(), ["share_kernels"])
    assert before.params == 3 * 16 + 8 * 256
    assert after.params == 3 * 16 + 256
    assert sum(layer.w_elems for layer in after) == sum(layer.w_elems for layer in before)
    once = apply_transforms(two_blocks(), ["share_kernels:fetch=once"])
    assert sum(x.w_elems for x in before) - sum(x.w_elems for x in once) == 7 * 256
    assert once.macs == before.macs


def test_streaming_by_hand() -> None:
    """Half of 8 rows are new: 4 rows of a 3x3 stride 1 layer read 6 rows; the pooling and the head see all."""
    after = {layer.name: layer for layer in apply_transforms(small_cnn(), ["streaming:0.5"])}
    assert (after["stem"].P, after["stem"].H, after["stem"].macs) == (4, 6, 3 * 16 * 9 * 4 * 8)
    assert (after["expand"].P, after["expand"].H) == (4, 4)
    assert after["norm"].y_elems == 1024
    assert after["sum"].y_elems == 512
    assert after["pool"] == small_cnn().layers[6]
    assert after["head"] == small_cnn().layers[7]


def test_streaming_stops_where_a_full_operand_comes_in() -> None:
    net = network(
        mac_layer("a", "conv", C=3, K=4, P=8, Q=8, inputs=("x",)),
        vector_layer("place", "add", x_elems=256, y_elems=256, w_elems=256, inputs=("a",)),
        mac_layer("b", "conv", C=4, K=4, P=8, Q=8, inputs=("place",)),
    )
    after = apply_transforms(net, ["streaming:0.75"]).layers
    assert [after[0].P, after[2].P] == [2, 8]
    with pytest.raises(TransformError, match="does not start with a convolution"):
        apply_transforms(network(mac_layer("l", "linear", C=3, K=4, inputs=("x",))), ["streaming:0.5"])


def test_composition_is_in_order_and_recorded() -> None:
    both = apply_transforms(small_cnn(), ["prune_channels:0.5", "bits:w4a8"])
    assert both.name == "net+prune_channels:0.5+bits:w4a8"
    assert both.origin["transforms"] == "prune_channels:0.5 bits:w4a8"
    assert both.published == {}
    assert both.coverage.macs_share == 1.0
    assert sum(row.macs for row in both.coverage.operators) == both.macs
    assert both.layers == apply_transforms(small_cnn(), ["bits:w4a8", "prune_channels:0.5"]).layers


def test_references_with_transforms() -> None:
    """The name of a transformed network leads back to it; pluses inside settings and file names stay."""
    assert split_reference("resnet18") == ("resnet18", ())
    assert split_reference("a+b.yaml") == ("a+b.yaml", ())
    assert split_reference("vit+prune_tokens:0.7,blocks=4+7+10+bits:w4a8+share_kernels") == (
        "vit",
        ("prune_tokens:0.7,blocks=4+7+10", "bits:w4a8", "share_kernels"),
    )


@pytest.mark.parametrize("name", TRANSFORMS)
def test_examples_parse_to_themselves(name: str) -> None:
    example = TRANSFORMS[name].example
    assert str(parse_transform(example)) == example


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prune_token:0.5", "nearest: prune_tokens"),
        ("prune_channels", "found '', allowed a number above 0 and at most 1"),
        ("prune_channels:0", "allowed a number above 0"),
        ("prune_channels:1.5", "at most 1"),
        ("prune_channels:half", "found 'half'"),
        ("prune_channels:0.5,keep=2", "found 'keep=2', allowed a value first, then settings: none"),
        ("prune_tokens:0.5,fused=maybe", "allowed yes, no"),
        ("bits:w0a8", "1 to 64 bits"),
        ("bits:eight", "found 'eight'"),
        ("share_kernels:0.5", "allowed none"),
        ("streaming:1", "at most 99/100"),
        ("convsharevit:full", "allowed valid, same"),
        ("convsharevit:same,kernel=x", "allowed a whole number"),
    ],
)
def test_refusals_name_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(TransformError, match=message):
        apply_transforms(two_blocks(), [text])


def test_partial_convolutions_and_streaming_in_either_order() -> None:
    """Channels and rows are different dimensions: 16 of 64 channels, 4 of 8 rows that read 6."""
    net = network(mac_layer("conv", "conv", C=64, K=64, P=8, Q=8, R=3, S=3, padding=SAME, inputs=("x",)))
    one, other = "partial_conv:0.25", "streaming:0.5"
    both = apply_transforms(net, [one, other]).layers
    assert both == apply_transforms(net, [other, one]).layers
    assert (both[0].C, both[0].K, both[0].P, both[0].H) == (16, 16, 4, 6)
    valid = network(mac_layer("conv", "conv", C=64, K=64, P=6, Q=6, R=3, S=3, inputs=("x",)))
    with pytest.raises(TransformError, match="no dense spatial convolution"):
        apply_transforms(valid, [one])
