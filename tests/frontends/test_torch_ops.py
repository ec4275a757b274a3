"""ATen calls built by hand, without torch: what each becomes and what it costs."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest

from cosim.frontends.call import Call
from cosim.frontends.graph import GraphBuilder, Kind, Tensor
from cosim.frontends.shapes import adaptive_taps, is_contiguous, same_padding, view_fits
from cosim.frontends.torch_ops import convert
from cosim.ir.layer import Layer, output_size
from cosim.ir.ops import OpClass
from cosim.ir.workload import Workload


def param(name: str, *shape: int) -> Tensor:
    return Tensor(name, shape, kind=Kind.PARAMETER, root=name)


def constant(name: str, *shape: int, fill: float | None = None, bits: int = 32) -> Tensor:
    return Tensor(name, shape, bits, Kind.CONSTANT, fill=fill)


class Graph:
    """A graph with inputs, to which calls are added one by one."""

    def __init__(self, *inputs: Tensor, batch: int = 1) -> None:
        self.builder = GraphBuilder(batch=batch)
        self.last: tuple[Tensor, ...] = inputs
        for tensor in inputs:
            self.builder.input(tensor)

    def call(
        self, operator: str, *args: Any, out: Tensor | None = None, shape: tuple[int, ...] = (), **kwargs: Any
    ) -> Tensor:
        output = out or Tensor(f"t{len(self.builder.drafts)}{operator}", shape)
        self.last = convert(self.builder, Call(f"aten.{operator}.default", args, (output,), kwargs, "block"))
        return self.last[0]

    def finish(self) -> Workload:
        return self.builder.finish("net", self.last, {})


def image(*shape: int) -> Tensor:
    return Tensor("x", shape, kind=Kind.INPUT)


def single(operator: str, x: Tensor, *args: Any, shape: tuple[int, ...], **kwargs: Any) -> Layer:
    """The only layer of a one-call graph."""
    graph = Graph(x, batch=x.shape[0])
    graph.call(operator, x, *args, shape=shape, **kwargs)
    (layer,) = graph.finish().layers
    return layer


def test_this_module_needs_no_torch() -> None:
    assert not any(name.startswith("torch") for name in vars(sys.modules["cosim.frontends.torch_ops"]))


@pytest.mark.parametrize(
    ("weight", "groups", "dilation", "op", "macs"),
    [
        ((8, 6, 3, 3), 1, 1, "conv", 8 * 6 * 9 * 36),
        ((8, 3, 3, 3), 2, 1, "grouped_conv", 8 * 3 * 9 * 36),
        ((6, 1, 3, 3), 6, 1, "depthwise_conv", 6 * 9 * 36),
        ((12, 1, 3, 3), 6, 1, "depthwise_conv", 12 * 9 * 36),
        ((8, 6, 3, 3), 1, 2, "conv", 8 * 6 * 9 * 16),
    ],
)
def test_convolutions_are_told_apart(
    weight: tuple[int, ...], groups: int, dilation: int, op: str, macs: int
) -> None:
    side = output_size(8, 3, 1, dilation, 0)
    layer = single(
        "conv2d",
        image(1, 6, 8, 8),
        param("w", *weight),
        None,
        1,
        0,
        dilation,
        groups,
        shape=(1, weight[0], side, side),
    )
    assert (layer.op, layer.macs, layer.dilation) == (op, macs, (dilation, dilation))
    assert layer.params == weight[0] * weight[1] * 9
    assert (groups, 6 // groups, weight[0] // groups) == (layer.G, layer.C, layer.K)


@pytest.mark.parametrize(("size", "kernel"), [(8, 3), (8, 4), (7, 10), (1, 5)])
def test_same_padding_puts_the_odd_row_last(size: int, kernel: int) -> None:
    layer = single(
        "conv2d",
        image(1, 1, size, size),
        param("w", 1, 1, kernel, kernel),
        None,
        1,
        "same",
        shape=(1, 1, size, size),
    )
    top, left, bottom, right = layer.padding
    assert top + bottom == left + right == kernel - 1
    assert bottom - top in (0, 1)
    assert output_size(layer.H, layer.R, 1, 1, top + bottom) == size


def test_transposed_convolution() -> None:
    layer = single(
        "conv_transpose2d", image(1, 3, 5, 5), param("w", 3, 2, 4, 4), None, 2, 1, 0, 1, shape=(1, 2, 10, 10)
    )
    assert (layer.op, layer.macs) == ("transposed_conv", 25 * 3 * 2 * 16)
    assert (layer.H, layer.P, layer.C, layer.K) == (5, 10, 3, 2)


def test_aten_convolution_carries_the_transposed_flag() -> None:
    layer = single(
        "convolution",
        image(1, 4, 5, 5),
        param("w", 4, 1, 2, 2),
        None,
        [2, 2],
        [0, 0],
        [1, 1],
        True,
        [0, 0],
        4,
        shape=(1, 4, 10, 10),
    )
    assert (layer.op, layer.G, layer.C, layer.K) == ("transposed_conv", 4, 1, 1)


def test_conv1d_has_one_column() -> None:
    layer = single(
        "conv1d", image(1, 8, 128), param("w", 8, 2, 1), param("b", 8), 1, 0, 1, 4, shape=(1, 8, 128)
    )
    assert (layer.op, layer.P, layer.Q, layer.R, layer.S) == ("grouped_conv", 128, 1, 1, 1)
    assert (layer.macs, layer.params) == (8 * 2 * 128, 8 * 2 + 8)


def test_linear_has_a_row_per_token() -> None:
    layer = single("linear", image(2, 7, 16), param("w", 24, 16), param("b", 24), shape=(2, 7, 24))
    assert (layer.op, layer.N, layer.P, layer.K, layer.C, layer.bias) == ("linear", 2, 7, 24, 16, True)
    assert (layer.macs, layer.params) == (2 * 7 * 24 * 16, 24 * 16 + 24)


def test_matrix_product_with_a_trained_operand_on_either_side_is_linear() -> None:
    right = single("matmul", image(1, 5, 4), param("w", 4, 6), shape=(1, 5, 6))
    graph = Graph(x := image(1, 4, 5))
    graph.call("matmul", param("w", 6, 4), x, shape=(1, 6, 5))
    (left,) = graph.finish().layers
    for layer in (left, right):
        assert (layer.op, layer.static_weight, layer.macs, layer.params) == ("linear", True, 120, 24)


def test_run_time_product_has_a_group_per_matrix() -> None:
    a, b = image(2, 3, 5, 4), Tensor("y", (2, 3, 4, 6), kind=Kind.INPUT)
    graph = Graph(a, b, batch=2)
    graph.call("matmul", a, b, shape=(2, 3, 5, 6))
    (layer,) = graph.finish().layers
    assert (layer.op, layer.N, layer.G, layer.P, layer.C, layer.K) == ("matmul", 2, 3, 5, 4, 6)
    assert (layer.w_elems, layer.params, layer.inputs) == (144, 0, ("x", "y"))


def test_addmm_folds_a_bias_and_adds_a_matrix() -> None:
    x = image(3, 4)
    graph = Graph(x)
    graph.call("addmm", param("b", 5), x, param("w", 4, 5), shape=(3, 5))
    (biased,) = graph.finish().layers
    assert (biased.op, biased.bias, biased.params) == ("linear", True, 25)
    graph = Graph(x, y := Tensor("y", (3, 5), kind=Kind.INPUT))
    graph.call("addmm", y, x, param("w", 4, 5), shape=(3, 5))
    product, added = graph.finish().layers
    assert (product.op, added.op, added.inputs) == ("linear", "add", (product.name, "y"))


def qkv() -> tuple[Tensor, Tensor, Tensor]:
    q = Tensor("q", (1, 2, 5, 4), kind=Kind.INPUT)
    return q, replace(q, name="k", shape=(1, 2, 7, 4)), replace(q, name="v", shape=(1, 2, 7, 3))


@pytest.mark.parametrize(
    ("mask", "causal", "ops"),
    [
        (None, False, ["matmul", "softmax", "matmul"]),
        (None, True, ["matmul", "select", "softmax", "matmul"]),
        (constant("m", 5, 7, fill=1.0, bits=8), False, ["matmul", "softmax", "matmul"]),
        (constant("m", 5, 7, bits=8), False, ["matmul", "select", "softmax", "matmul"]),
        (constant("m", 5, 7, fill=0.0), False, ["matmul", "softmax", "matmul"]),
        (constant("m", 5, 7, fill=1.0), False, ["matmul", "add", "softmax", "matmul"]),
    ],
)
def test_fused_attention_is_taken_apart(mask: Tensor | None, causal: bool, ops: list[str]) -> None:
    q, k, v = qkv()
    graph = Graph(q, k, v)
    graph.call("scaled_dot_product_attention", q, k, v, mask, 0.0, causal, shape=(1, 2, 5, 3))
    net = graph.finish()
    assert [layer.op for layer in net] == ops
    scores, context = net.layers[0], net.layers[-1]
    assert (scores.name, scores.inputs, scores.macs) == ("block.scores", ("q", "k"), 2 * 5 * 7 * 4)
    assert (context.name, context.inputs[-1], context.macs) == ("block.context", "v", 2 * 5 * 7 * 3)
    assert net.outputs == ("block.context",)
    (row,) = net.coverage.operators
    assert (row.treatment, row.count, row.macs) == ("modelled", 1, net.macs)


def test_views_move_nothing_and_copies_do() -> None:
    x = replace(image(1, 2, 3, 4), strides=(24, 12, 4, 1))
    graph = Graph(x)
    turned = graph.call("transpose", x, 1, 2, out=Tensor("t", (1, 3, 2, 4), strides=(24, 4, 12, 1)))
    flat = graph.call("reshape", turned, [1, 24], out=Tensor("f", (1, 24), strides=(24, 1)))
    graph.call("view", flat, [24], out=Tensor("v", (24,), strides=(1,)))
    net = graph.finish()
    assert [(layer.op, layer.inputs, layer.bytes_moved) for layer in net] == [("copy", ("x",), 192.0)]
    assert {(o.operator, o.treatment) for o in net.coverage.operators} == {
        ("aten.transpose.default", "alias"),
        ("aten.reshape.default", "modelled"),
        ("aten.view.default", "alias"),
    }


def test_an_expanded_operand_is_read_once() -> None:
    graph = Graph(x := image(1, 1, 8))
    wide = graph.call("expand", x, [1, 5, 8], out=Tensor("e", (1, 5, 8), strides=(8, 0, 1)))
    graph.call("relu", wide, shape=(1, 5, 8))
    (layer,) = graph.finish().layers
    assert (layer.x_elems, layer.y_elems) == (8, 40)


def test_a_shared_key_is_read_once_by_all_heads() -> None:
    q, k, _ = qkv()
    graph = Graph(q, one := replace(k, shape=(1, 1, 7, 4)))
    wide = graph.call("expand", one, [1, 2, 7, 4], out=Tensor("e", (1, 2, 7, 4), strides=(28, 0, 4, 1)))
    turned = graph.call("transpose", wide, 2, 3, out=Tensor("t", (1, 2, 4, 7), strides=(28, 0, 1, 4)))
    graph.call("matmul", q, turned, shape=(1, 2, 5, 7))
    (layer,) = graph.finish().layers
    assert (layer.macs, layer.x_elems, layer.w_elems) == (2 * 5 * 4 * 7, 40, 28)


def test_constants_are_folded_and_do_not_become_layers() -> None:
    graph = Graph(x := image(1, 4))
    mask = graph.call("tril", constant("ones", 4, 4), shape=(4, 4))
    graph.call("mul", x, mask, shape=(4, 4))
    net = graph.finish()
    assert [(layer.op, layer.x_elems, layer.w_elems, layer.inputs) for layer in net] == [
        ("mul", 4 + 16, 0, ("x",))
    ]
    assert net.coverage.operators[0].treatment == "folded"


def test_trained_operands_count_as_parameters() -> None:
    layer = single("add", image(1, 9, 4), param("position", 1, 9, 4), shape=(1, 9, 4))
    assert (layer.x_elems, layer.w_elems, layer.params) == (36, 36, 36)


def test_embedding_reads_indices() -> None:
    graph = Graph(ids := replace(image(1, 5), bits=64))
    graph.call("embedding", param("table", 100, 8), ids, shape=(1, 5, 8))
    (layer,) = graph.finish().layers
    assert (layer.op, layer.x_elems, layer.x_bits, layer.w_elems, layer.w_bits, layer.y_elems) == (
        "embedding",
        5,
        64,
        800,
        32,
        40,
    )


def test_weights_used_twice_are_shared_and_slices_are_not() -> None:
    graph = Graph(x := image(1, 4, 4))
    w = param("w", 4, 4)
    y = graph.call("matmul", x, w, shape=(1, 4, 4))
    graph.call("matmul", y, w, shape=(1, 4, 4))
    assert [layer.shared_params for layer in graph.finish()] == [0, 16]
    graph = Graph(x := image(1, 4, 4))
    packed = param("packed", 8, 4)
    halves = convert(
        graph.builder,
        Call("aten.chunk.default", (packed, 2), (Tensor("h0", (4, 4)), Tensor("h1", (4, 4))), {}, "block"),
    )
    y = graph.call("linear", x, halves[0], shape=(1, 4, 4))
    graph.call("linear", y, halves[1], shape=(1, 4, 4))
    assert graph.finish().params == 32


def test_batch_norm_is_a_scale_and_a_shift() -> None:
    stats = (constant("mean", 6), constant("var", 6))
    layer = single(
        "batch_norm", image(1, 6, 4, 4), param("g", 6), param("b", 6), *stats, False, shape=(1, 6, 4, 4)
    )
    assert (layer.op, layer.w_elems, layer.params, layer.simple_ops) == ("batch_norm", 12, 12, 192)


@pytest.mark.parametrize(
    ("operator", "args", "shape", "op", "simple"),
    [
        ("max_pool2d", ([3, 3], [2, 2]), (1, 2, 3, 3), "max_pool", 18 * 9),
        ("avg_pool2d", (2,), (1, 2, 4, 4), "avg_pool", 32 * 4),
        ("adaptive_avg_pool2d", ([1, 1],), (1, 2, 1, 1), "global_avg_pool", 128),
        ("adaptive_avg_pool2d", ([4, 4],), (1, 2, 4, 4), "avg_pool", 32 * 4),
        ("adaptive_avg_pool2d", ([5, 5],), (1, 2, 5, 5), "avg_pool", 50 * 9),
        ("mean", ([2, 3],), (1, 2), "global_avg_pool", 128),
        ("mean", ([1],), (1, 8, 8), "mean", 128),
        ("hardtanh", (0.0, 6.0), (1, 2, 8, 8), "relu6", 256),
        ("relu_", (), (1, 2, 8, 8), "relu", 128),
    ],
)
def test_pooling_and_activations(
    operator: str, args: tuple[Any, ...], shape: tuple[int, ...], op: str, simple: int
) -> None:
    layer = single(operator, image(1, 2, 8, 8), *args, shape=shape)
    assert (layer.op, layer.simple_ops) == (op, simple)


def test_gelu_forms_differ() -> None:
    assert single("gelu", image(1, 8), shape=(1, 8)).op == "gelu"
    assert single("gelu", image(1, 8), shape=(1, 8), approximate="tanh").op == "gelu_tanh"


def test_an_unknown_operator_is_named_and_its_bytes_counted() -> None:
    graph = Graph(x := image(1, 8))
    outputs = (Tensor("a", (1, 4)), Tensor("b", (1, 4)))
    graph.last = convert(graph.builder, Call("my.fancy_sort.default", (x,), outputs, {}, "block"))
    graph.call("add", *graph.last, shape=(1, 4))
    net = graph.finish()
    odd, after = net.layers
    assert (odd.name, odd.op, odd.x_elems, odd.y_elems) == ("block.fancy_sort", "unknown", 8, 8)
    assert after.inputs == ("block.fancy_sort", "block.fancy_sort")
    assert net.coverage.unknown == ("my.fancy_sort.default",)
    assert net.coverage.bytes_share == pytest.approx(48 / 112)


def test_deformable_convolution_reads_its_offsets() -> None:
    x, offset = image(1, 6, 8, 8), Tensor("o", (1, 18, 8, 8), kind=Kind.INPUT)
    graph = Graph(x, offset)
    call = Call(
        "cosim.deform_conv2d.default",
        (x, offset, param("w", 4, 6, 3, 3), None, [1, 1], [1, 1], [1, 1], 1, True),
        (Tensor("y", (1, 4, 8, 8)),),
    )
    graph.last = convert(graph.builder, call)
    (layer,) = graph.finish().layers
    assert (layer.op_class, layer.macs, layer.inputs) == (OpClass.DEFORM_CONV, 4 * 6 * 9 * 64, ("x", "o"))
    assert layer.x_elems == 6 * 64 + 18 * 64
    assert layer.simple_ops == 9 * 64 * (7 * 6 + 10)


def test_layer_names_follow_the_modules() -> None:
    """A leaf with one kind of operation lends its path; elsewhere, and for repetitions, the name says which."""
    builder = GraphBuilder()
    x = image(1, 4)
    builder.input(x)
    for index, (operator, module) in enumerate(
        [("relu", "a.act"), ("relu", "a.act"), ("add", "a"), ("relu", "b"), ("tanh", "b"), ("relu", "")]
    ):
        args = (x, x) if operator == "add" else (x,)
        (x,) = convert(
            builder, Call(f"aten.{operator}.default", args, (Tensor(f"t{index}", (1, 4)),), {}, module)
        )
    names = [layer.name for layer in builder.finish("net", (x,), {})]
    assert names == ["a.act", "a.act_2", "a.add", "b.relu", "b.tanh", "relu"]


def test_views_that_fit() -> None:
    assert view_fits((2, 3, 4), (12, 4, 1), (6, 4))
    assert view_fits((2, 3, 4), (12, 4, 1), (2, 1, 12))
    assert not view_fits((3, 2, 4), (4, 12, 1), (6, 4))
    assert not view_fits((3, 2, 4), (4, 12, 1), (24,))
    assert view_fits((3, 2, 4), (4, 12, 1), (3, 2, 2, 2))
    assert is_contiguous((2, 1, 4), (4, 99, 1))
    assert not is_contiguous((2, 4), (1, 2))


def test_window_arithmetic() -> None:
    assert same_padding(5, 3, 2, 1) == (1, 1)
    assert same_padding(6, 3, 2, 1) == (0, 1)
    assert same_padding(6, 3, 2, 1, extra_first=True) == (1, 0)
    assert adaptive_taps((16, 16), (10, 10)) == 9
    assert adaptive_taps((8,), (4,)) == 2
