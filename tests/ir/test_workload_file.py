"""Workload files: round trip, defaults, every refusal with its place, speed and import budget."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.ir.layer import Layer, mac_layer, vector_layer
from cosim.ir.ops import MAC_CLASSES, OPS, OpClass
from cosim.ir.workload import CoverageReport, OperatorCoverage, Workload
from cosim.ir.workload_file import dump_workload, load_workload, read_workload, save_workload
from cosim.spec.locate import ROOT
from cosim.spec.problems import SpecError

HEAD = "kind: workload\nname: net\ninputs: {x: [1, 3, 8, 8]}\nlayers:\n"


def problems(text: str) -> list[str]:
    """The messages that reading ``text`` gives, without the file name."""
    with pytest.raises(SpecError) as caught:
        read_workload(text, "net.yaml")
    return [str(p).removeprefix("net.yaml:") for p in caught.value.problems]


def one(row: str) -> str:
    """The only problem of a one-layer file."""
    (message,) = problems(f"{HEAD}  - {row}\n")
    return message


SMALL = st.integers(1, 9)
MAC_OPS = sorted(
    name for name, info in OPS.items() if info.op_class in MAC_CLASSES and name != "transposed_conv"
)
OTHER_OPS = sorted(name for name, info in OPS.items() if info.op_class not in MAC_CLASSES)
NAMES = st.one_of(
    st.text(st.sampled_from("abz019_./-: #'\"{}[]é"), min_size=1, max_size=6),
    st.sampled_from(("true", "null", "no", "1e3", "007", "~", "N", ".inf", "<<")),
)


@st.composite
def mac_layers(draw: st.DrawFn) -> Layer:
    pads = tuple(draw(st.integers(0, 2)) for _ in range(4))
    size = {key: draw(SMALL) for key in ("N", "G", "K", "C", "P", "Q")}
    kernel = {"R": draw(st.integers(5, 9)), "S": draw(st.integers(5, 9))}
    layer = mac_layer(
        "m",
        draw(st.sampled_from(MAC_OPS)),
        **size,
        **kernel,
        stride=(draw(SMALL), draw(SMALL)),
        dilation=(draw(SMALL), draw(SMALL)),
        padding=(pads[0], pads[1], pads[2], pads[3]),
        static_weight=draw(st.booleans()),
        bias=draw(st.booleans()),
        bits=draw(st.sampled_from((4, 8, 16, 32))),
    )
    return replace(
        layer, x_elems=layer.x_elems + draw(st.integers(0, 3)), w_bits=draw(st.sampled_from((2, 8, 32)))
    )


@st.composite
def other_layers(draw: st.DrawFn) -> Layer:
    return vector_layer(
        "v",
        draw(st.sampled_from(OTHER_OPS)),
        x_elems=draw(st.integers(0, 99)),
        y_elems=draw(st.integers(1, 99)),
        w_elems=draw(st.integers(0, 9)),
        taps=draw(SMALL),
        bits=draw(st.sampled_from((8, 32))),
    )


@given(
    layers=st.lists(st.one_of(mac_layers(), other_layers()), min_size=1, max_size=4),
    names=st.lists(NAMES, min_size=5, max_size=5, unique=True),
    module=NAMES,
    back=st.integers(0, 3),
    batch=st.integers(1, 3),
)
def test_what_is_written_is_read_back(
    layers: list[Layer], names: list[str], module: str, back: int, batch: int
) -> None:
    """Any layers, names with every awkward character, edges to any earlier layer."""
    known = [names[4]]
    rows = []
    for index, (layer, name) in enumerate(zip(layers, names, strict=False)):
        source = known[max(0, index - back)]
        rows.append(replace(layer, name=name, inputs=(source,), module=module if index % 2 else name))
        known.append(name)
    coverage = CoverageReport(
        (OperatorCoverage("aten.x", "unknown", 2, 5, 12.0), OperatorCoverage("y", "alias", 1))
    )
    workload = Workload(
        names[0],
        tuple(rows),
        {names[4]: (1, 2)},
        (known[-1],),
        {"model": module},
        {"macs": 5, "n": "a: b"},
        coverage,
        batch,
    )
    text = dump_workload(workload)
    again = read_workload(text)
    assert again == workload
    assert dump_workload(again) == text


@pytest.mark.parametrize("name", ["true", "False", "null", "1e3", "007", "~", ".inf", "0x1F", "-"])
def test_a_name_that_looks_like_something_else_stays_text(name: str) -> None:
    workload = Workload(name, (vector_layer(name, "relu", x_elems=1, y_elems=1, module=name),))
    assert read_workload(dump_workload(workload)) == workload


def test_defaults_follow_from_the_rest() -> None:
    net = read_workload(
        f"{HEAD}  - {{name: a, op: conv, K: 4, C: 3, P: 8, Q: 8, R: 3, S: 3, padding: 1}}\n"
        "  - {name: b, op: relu, x_elems: 256}\n"
        "  - {name: c, op: matmul, K: 8, C: 4, P: 8, inputs: [b, a]}\n"
    )
    conv, relu, product = net.layers
    assert (conv.inputs, conv.module, conv.H, conv.W) == (("x",), "a", 8, 8)
    assert (conv.x_elems, conv.padding) == (192, (1, 1, 1, 1))
    assert (relu.inputs, relu.y_elems, relu.simple_ops) == (("a",), 256, 256)
    assert (product.inputs, product.static_weight, product.params) == (("b", "a"), False, 0)


def test_every_problem_is_reported_at_once_with_its_place() -> None:
    found = problems(
        "kind: worklod\nname: 7\ncolour: red\ninputs: {x: [1, 0]}\nlayers:\n"
        "  - {name: a, op: cnv, K: 4}\n"
        "  - {name: a, op: relu, x_elems: 1.5, tap: 2}\n"
        "  - {name: b, op: relu, x_elems: -1, inputs: [c]}\n"
    )
    assert found == [
        "1:7  kind: found 'worklod' (text), allowed workload",
        "2:7  name: found 7 (whole number), allowed a name (text)",
        "3:1  colour: found the key 'colour', allowed kind, name, batch, origin, published, inputs, outputs, layers, "
        "coverage",
        "4:17  inputs.x.1: found 0 (whole number), allowed a whole number of at least 1",
        "6:19  layers.0.op: found 'cnv' (text), allowed an operator such as conv, grouped_conv, depthwise_conv, "
        f"transposed_conv, deform_conv, linear, matmul, softmax and {len(OPS) - 8} more, nearest spelling 'conv'",
        "7:12  layers.1.name: found the name 'a' a second time, first layer 1 (line 6), allowed a unique name",
        "7:34  layers.1.x_elems: found 1.5 (number), allowed a whole number of at least 0",
        "7:39  layers.1.tap: found the key 'tap', allowed name, op, N, G, K, C, P, Q, R, S, H, W, stride, dilation, "
        "padding, static_weight, bias, x_elems, y_elems, w_elems, taps, simple_ops, special_ops, shared_params, bits, "
        "x_bits, w_bits, y_bits, inputs, module, nearest spelling 'taps'",
        "8:34  layers.2.x_elems: found -1 (whole number), allowed a whole number of at least 0",
        "8:46  layers.2.inputs: found 'c' (text), allowed an earlier layer or a network input",
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "{name: a, op: conv, K: 0}",
            "layers.0.K: found 0 (whole number), allowed a whole number of at least 1",
        ),
        (
            "{name: a, op: conv, K: true}",
            "layers.0.K: found true (true/false), allowed a whole number of at least 1",
        ),
        (
            "{name: a, op: conv, K: four}",
            "layers.0.K: found 'four' (text), allowed a whole number of at least 1",
        ),
        (
            "{name: a, op: conv, stride: [1, 2, 3]}",
            "layers.0.stride: found a list of 3, allowed 1 or 2 whole numbers",
        ),
        (
            "{name: a, op: conv, padding: -1}",
            "layers.0.padding: found -1 (whole number), allowed 1 or 2 or 4 whole",
        ),
        ("{name: a, op: conv, bias: 1}", "layers.0.bias: found 1 (whole number), allowed true or false"),
        (
            "{name: a, op: conv, taps: 2}",
            "layers.0.taps: found the key 'taps' in a multiply-accumulate layer (conv)",
        ),
        (
            "{name: a, op: relu, x_elems: 4, K: 2}",
            "layers.0.K: found the key 'K' in a layer without multiply",
        ),
        ("{name: a, op: relu}", "layers.0: found a relu layer without x_elems, allowed x_elems"),
        ("{op: relu, x_elems: 4}", "layers.0.name: found nothing (null), allowed a name (text)"),
        ("{name: x, op: relu, x_elems: 4}", "found the name 'x' a second time, first a network input"),
        (
            "{name: a, op: relu, x_elems: 4, inputs: a}",
            "layers.0.inputs: found 'a' (text), allowed an earlier layer",
        ),
        ("{name: a, op: relu, x_elems: 4, inputs: xx}", "nearest spelling 'x'"),
        ("{name: a, op: relu, x_elems: 4, x_bits: 0}", "layers.0.x_bits: found 0 (whole number)"),
        ("7", "layers.0: found 7 (whole number), allowed a mapping with name, op and sizes"),
        (
            "{name: a, op: conv, P: 8, R: 3, H: 8}",
            "layers.0.P: found P: 8 for H: 8, kernel 3, stride 1, padding 0 in all, allowed P: 6",
        ),
        (
            "{name: a, op: conv, P: 1, R: 1, padding: [1, 0]}",
            "layers.0.P: found P: 1, which needs H: -1, allowed sizes that leave an input",
        ),
        (
            "{name: a, op: transposed_conv, P: 12, H: 4, R: 2, stride: [2, 1]}",
            "layers.0.P: found P: 12 for H: 4, kernel 2, stride 2, padding 0 in all, allowed P: 8 to 9, or H: 6",
        ),
    ],
)
def test_refusals(row: str, message: str) -> None:
    assert message in one(row)


@pytest.mark.parametrize(
    "row",
    [
        "{name: a, op: conv, Q: 4, S: 3, W: 8, stride: [1, 2], padding: [0, 1]}",
        "{name: a, op: conv, Q: 4, S: 3, W: 9, stride: [1, 2], padding: [0, 1, 0, 0]}",
        "{name: a, op: transposed_conv, P: 9, H: 4, R: 2, stride: [2, 1]}",
        "{name: a, op: linear, K: 10, C: 64, P: 5}",
    ],
)
def test_consistent_sizes_pass(row: str) -> None:
    """A convolution may leave input rows unused, a transposed one may have output padding."""
    assert len(read_workload(f"{HEAD}  - {row}\n")) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1\n", "found a list of 1, allowed a mapping with kind, name and layers"),
        (
            "kind: workload\nname: a\nlayers: []\n",
            "layers: found a list of 0, allowed a list of at least one layer",
        ),
        (
            f"{HEAD}  - {{name: a, op: relu, x_elems: 1}}\noutputs: [b]\n",
            "outputs.0: found 'b' (text), allowed the name",
        ),
        (
            f"{HEAD}  - {{name: a, op: relu, x_elems: 1}}\norigin: {{torch: 2.13}}\n",
            "origin.torch: found 2.13 (number)",
        ),
        (
            f"{HEAD}  - {{name: a, op: relu, x_elems: 1}}\ncoverage: [{{operator: x}}]\n",
            "coverage.0.treatment: found",
        ),
        (
            f"{HEAD}  - {{name: a, op: relu, x_elems: 1}}\nbatch: 0\n",
            "batch: found 0 (whole number), allowed a whole",
        ),
        (
            f"{HEAD}  - {{name: a, op: relu, x_elems: 1}}\npublished: {{macs: [1]}}\n",
            "published.macs: found a list of 1",
        ),
    ],
)
def test_header_refusals(text: str, message: str) -> None:
    assert any(message in p for p in problems(text))


def test_missing_file_names_the_nearest(tmp_path: Path) -> None:
    save_workload(Workload("a", (vector_layer("r", "relu", x_elems=1, y_elems=1),)), tmp_path / "resnet.yaml")
    with pytest.raises(SpecError, match=r"no such file, allowed a YAML file, nearest spelling 'resnet.yaml'"):
        load_workload(tmp_path / "resent.yaml")


def test_an_unknown_operator_keeps_its_bytes() -> None:
    net = read_workload(f"{HEAD}  - {{name: fft, op: unknown, x_elems: 10, y_elems: 30}}\n")
    (layer,) = net.unknown_layers
    assert layer.op_class is OpClass.UNKNOWN
    assert layer.bytes_moved == 160


def test_reading_needs_neither_torch_nor_pydantic() -> None:
    code = (
        "import sys; from cosim.ir.workload_file import load_workload; load_workload('workloads/vit.yaml');"
        "sys.exit(bool({'torch', 'pydantic', 'numba', 'pandas', 'numpy', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
