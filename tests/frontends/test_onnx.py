"""ONNX files: the graphs that the onnx package ships, small hand-made ones, and ResNet-50 through both front ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper  # noqa: E402

from cosim.frontends.errors import ExtractError  # noqa: E402
from cosim.frontends.extract import extract  # noqa: E402
from cosim.ir.layer import Layer  # noqa: E402
from cosim.ir.workload import Workload  # noqa: E402

OPSETS = [helper.make_opsetid("", 20), helper.make_opsetid("acme", 1)]
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


@pytest.mark.parametrize(
    ("name", "gmacs", "params"),
    [
        # torchvision's counts of the same networks; the SqueezeNet paper's own figure is 1.2 M parameters
        ("resnet50", 4.089, 25_557_032),
        ("vgg19", 19.632, 143_667_240),
        ("squeezenet", 0.349, 1_235_496),
        # grouped two-column AlexNet (Krizhevsky et al., NeurIPS 2012): 61 M parameters
        ("bvlc_alexnet", 0.655, 60_965_224),
        ("densenet121", 2.834, 7_979_112),
    ],
)
def test_shipped_graphs(name: str, gmacs: float, params: int) -> None:
    net = extract(str(LIGHT / f"light_{name}.onnx"))
    assert round(net.macs / 1e9, 3) == gmacs
    assert net.params == params
    assert net.coverage.unknown == ()
    assert net.coverage.macs_share == 1.0


def test_shufflenet_has_grouped_and_depthwise_convolutions() -> None:
    ops = [layer.op for layer in extract(str(LIGHT / "light_shufflenet.onnx"))]
    assert {"grouped_conv", "depthwise_conv", "conv", "permute"} <= set(ops)


def shape_of(layer: Layer) -> tuple[Any, ...]:
    plain = (
        "name",
        "op",
        "N",
        "G",
        "K",
        "C",
        "P",
        "Q",
        "R",
        "S",
        "H",
        "W",
        "stride",
        "dilation",
        "padding",
        "bias",
    )
    return tuple(getattr(layer, f) for f in (*plain, "x_elems", "w_elems", "y_elems", "inputs", "module"))


def test_resnet50_is_the_same_through_torch_and_onnx(tmp_path: Path) -> None:
    """Layer by layer: names, shapes, edges; and with that MACs and parameters."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    from cosim.frontends.zoo.resnet import resnet50

    path = tmp_path / "resnet50.onnx"
    image = torch.zeros(1, 3, 224, 224)
    program = torch.onnx.export(
        resnet50().eval(), (image,), dynamo=True, optimize=False, verbose=False, external_data=False
    )
    program.save(str(path))
    through_onnx = extract(str(path))
    through_torch = extract("cosim.frontends.zoo.resnet:resnet50", "1x3x224x224")
    assert (through_onnx.macs, through_onnx.params) == (through_torch.macs, through_torch.params)
    assert [shape_of(a) for a in through_onnx] == [shape_of(b) for b in through_torch]
    assert (through_onnx.inputs, through_onnx.outputs) == (through_torch.inputs, through_torch.outputs)


# -- hand-made graphs ---------------------------------------------------------------------------------------------


def save(
    tmp_path: Path, nodes: list[Any], shape: list[Any], weights: dict[str, tuple[int, list[int]]]
) -> str:
    """A model with one input ``x`` and one output ``y``; weights are (type, dims), filled with ones."""
    held = []
    for name, (kind, dims) in weights.items():
        count = 1
        for size in dims:
            count *= size
        held.append(helper.make_tensor(name, kind, dims, [1] * count))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        held,
    )
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=OPSETS), str(path))
    return str(path)


def single(tmp_path: Path, node: Any, shape: list[Any], weights: dict[str, tuple[int, list[int]]]) -> Layer:
    (layer,) = extract(save(tmp_path, [node], shape, weights)).layers
    return layer


FLOAT, INT8, INT64 = TensorProto.FLOAT, TensorProto.INT8, TensorProto.INT64


def test_asymmetric_padding_and_auto_pad(tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], strides=[2, 2], pads=[0, 1, 1, 2])
    layer = single(tmp_path, node, [1, 3, 8, 8], {"w": (FLOAT, [4, 3, 3, 3])})
    assert (layer.padding, layer.P, layer.Q) == ((0, 1, 1, 2), 4, 5)
    node = helper.make_node("Conv", ["x", "w"], ["y"], strides=[2, 2], auto_pad="SAME_LOWER")
    layer = single(tmp_path, node, [1, 3, 8, 8], {"w": (FLOAT, [4, 3, 3, 3])})
    assert (layer.padding, layer.P, layer.Q) == ((1, 1, 0, 0), 4, 4)


def test_transposed_convolution(tmp_path: Path) -> None:
    node = helper.make_node(
        "ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]
    )
    layer = single(tmp_path, node, [1, 6, 5, 5], {"w": (FLOAT, [6, 4, 3, 3])})
    assert (layer.op, layer.P, layer.macs) == ("transposed_conv", 10, 25 * 6 * 4 * 9)


def test_gemm_and_bias_after_a_product(tmp_path: Path) -> None:
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)
    gemm = single(tmp_path, node, [2, 8], {"w": (FLOAT, [5, 8]), "b": (FLOAT, [5])})
    nodes = [helper.make_node("MatMul", ["x", "w"], ["p"]), helper.make_node("Add", ["b", "p"], ["y"])]
    joined = extract(save(tmp_path, nodes, [2, 8], {"w": (FLOAT, [8, 5]), "b": (FLOAT, [5])}))
    (product,) = joined.layers
    for layer in (gemm, product):
        assert (layer.op, layer.bias, layer.K, layer.C, layer.N, layer.params) == (
            "linear",
            True,
            5,
            8,
            2,
            45,
        )
    assert joined.outputs == (product.name,)
    assert {o.operator: o.treatment for o in joined.coverage.operators} == {
        "MatMul": "modelled",
        "Add": "folded",
    }


def test_a_product_that_others_read_keeps_its_addition(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"]),
        helper.make_node("Add", ["p", "b"], ["a"]),
        helper.make_node("Mul", ["a", "p"], ["y"]),
    ]
    net = extract(save(tmp_path, nodes, [2, 8], {"w": (FLOAT, [8, 5]), "b": (FLOAT, [5])}))
    assert [(layer.op, layer.bias, layer.params) for layer in net] == [
        ("linear", False, 40),
        ("add", False, 5),
        ("mul", False, 0),
    ]


def test_quantised_operands_have_their_own_width(tmp_path: Path) -> None:
    """Weights stored as 8-bit integers and widened by DequantizeLinear are read as 8 bits."""
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["wide"]),
        helper.make_node("Conv", ["x", "wide"], ["y"]),
    ]
    net = extract(save(tmp_path, nodes, [1, 3, 8, 8], {"w": (INT8, [4, 3, 3, 3]), "s": (FLOAT, [])}))
    (layer,) = net.layers
    assert (layer.op, layer.x_bits, layer.w_bits, layer.y_bits, layer.params) == ("conv", 32, 8, 32, 108)


def test_embedding_and_gather(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["i"], to=INT64),
        helper.make_node("Gather", ["table", "i"], ["e"]),
        helper.make_node("Gather", ["e", "first"], ["y"], axis=1),
    ]
    weights = {"table": (FLOAT, [100, 16]), "first": (INT64, [1])}
    net = extract(save(tmp_path, nodes, [1, 7], weights))
    assert [(layer.op, layer.w_elems) for layer in net] == [("cast", 0), ("embedding", 1600), ("gather", 0)]


def test_einsum_of_two_operands(tmp_path: Path) -> None:
    node = helper.make_node("Einsum", ["x", "w"], ["y"], equation="bhd,hde->bhe")
    layer = single(tmp_path, node, [2, 3, 4], {"w": (FLOAT, [3, 4, 5])})
    assert layer.macs == 2 * 3 * 4 * 5


def test_shape_arithmetic_is_folded(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"], start=0, end=1),
        helper.make_node("Concat", ["s", "rest"], ["t"], axis=0),
        helper.make_node("Reshape", ["x", "t"], ["r"]),
        helper.make_node("Relu", ["r"], ["y"]),
    ]
    graph = save(tmp_path, nodes, [2, 3, 4], {"rest": (INT64, [1])})
    model = onnx.load(graph)
    model.graph.initializer[0].CopyFrom(helper.make_tensor("rest", INT64, [1], [-1]))
    onnx.save(model, graph)
    net = extract(graph)
    assert [(layer.op, layer.inputs) for layer in net] == [("relu", ("x",))]
    assert {o.operator: o.treatment for o in net.coverage.operators} == {
        "Shape": "folded",
        "Concat": "folded",
        "Reshape": "alias",
        "Relu": "modelled",
    }


def test_relu6_is_a_clip_between_constants(tmp_path: Path) -> None:
    node = helper.make_node("Clip", ["x", "low", "high"], ["y"])
    graph = save(tmp_path, [node], [1, 8], {"low": (FLOAT, []), "high": (FLOAT, [])})
    model = onnx.load(graph)
    for held, value in zip(model.graph.initializer, (0.0, 6.0), strict=True):
        held.CopyFrom(helper.make_tensor(held.name, FLOAT, [], [value]))
    onnx.save(model, graph)
    (layer,) = extract(graph).layers
    assert (layer.op, layer.x_elems, layer.w_elems) == ("relu6", 8, 0)


def test_an_unknown_operator_is_named(tmp_path: Path) -> None:
    net: Workload = extract(save(tmp_path, [helper.make_node("Det", ["x"], ["y"])], [4, 3, 3], {}))
    assert net.coverage.unknown == ("Det",)
    assert [(layer.op, layer.x_elems, layer.y_elems) for layer in net] == [("unknown", 36, 4)]


def test_a_foreign_operator_with_a_stated_shape_is_named(tmp_path: Path) -> None:
    nodes = [helper.make_node("Mystery", ["x"], ["m"], domain="acme"), helper.make_node("Relu", ["m"], ["y"])]
    path = save(tmp_path, nodes, [1, 3], {})
    model = onnx.load(path)
    model.graph.value_info.append(helper.make_tensor_value_info("m", FLOAT, [1, 5]))
    onnx.save(model, path)
    net = extract(path)
    assert net.coverage.unknown == ("acme.Mystery",)
    assert [(layer.op, layer.y_elems) for layer in net] == [("unknown", 5), ("relu", 5)]


def test_open_sizes_are_asked_for_and_filled_in(tmp_path: Path) -> None:
    path = save(
        tmp_path, [helper.make_node("Conv", ["x", "w"], ["y"])], ["n", 3, 8, 8], {"w": (FLOAT, [4, 3, 3, 3])}
    )
    with pytest.raises(ExtractError, match=r"input x: found the open shape nx3x8x8, allowed fixed sizes"):
        extract(path)
    with pytest.raises(ExtractError, match=r"input x: found 1x4x8x8, allowed nx3x8x8"):
        extract(path, "1x4x8x8")
    with pytest.raises(ExtractError, match=r"has no input 'xx', allowed x, nearest spelling 'x'"):
        extract(path, "xx:1x3x8x8")
    net = extract(path, "5x3x8x8")
    assert (net.batch, net.layers[0].N) == (5, 5)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExtractError, match="no such file"):
        extract(str(tmp_path / "none.onnx"))
    (tmp_path / "text.onnx").write_text("not a model")
    with pytest.raises(ExtractError, match=r"is not an ONNX model|found the open shape|cannot be"):
        extract(str(tmp_path / "text.onnx"))
    custom = helper.make_node("Mystery", ["x"], ["y"], domain="acme")
    with pytest.raises(ExtractError, match=r"acme.Mystery: the shape of its output 'y' cannot be inferred"):
        extract(save(tmp_path, [custom], [1, 3], {}))
