"""The entry point: references, arguments, inputs, refusals, and the regeneration of committed files."""

from __future__ import annotations

import builtins
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from cosim.frontends.catalogue import CATALOGUE
from cosim.frontends.errors import ExtractError
from cosim.frontends.extract import extract
from cosim.frontends.input_spec import InputSpec, parse_inputs
from cosim.frontends.reference import parse_reference
from cosim.ir.workload_file import load_workload
from cosim.spec.locate import ROOT

RESNET = "cosim.frontends.zoo.resnet:resnet18"


@pytest.mark.parametrize(
    ("text", "kind", "place", "name", "arguments"),
    [
        ("net.py:Net", "file", "net.py", "Net", {}),
        ("a/b.py:Net?width=2,deep=true", "file", "a/b.py", "Net", {"width": 2, "deep": True}),
        ("pkg.mod:build", "module", "pkg.mod", "build", {}),
        (
            "hf:SwinConfig?depths=[2, 2, 6],act='relu',eps=1e-6",
            "hf",
            "",
            "SwinConfig",
            {"depths": [2, 2, 6], "act": "relu", "eps": 1e-6},
        ),
        ("dir/net.onnx", "onnx", "dir/net.onnx", "", {}),
    ],
)
def test_references(text: str, kind: str, place: str, name: str, arguments: dict[str, Any]) -> None:
    reference = parse_reference(text)
    assert (reference.kind, reference.place, reference.name, reference.arguments) == (
        kind,
        place,
        name,
        arguments,
    )
    assert parse_reference(str(reference)) == reference


def test_overrides_win() -> None:
    assert parse_reference("m:f?a=1,b=2", {"b": 3}).arguments == {"a": 1, "b": 3}
    assert parse_reference("m:f?a=1", ["a=2", "c=[1, 2]"]).arguments == {"a": 2, "c": [1, 2]}


@pytest.mark.parametrize(
    ("text", "specs"),
    [
        ("1x3x224x224", [InputSpec("", (1, 3, 224, 224))]),
        ("1x3:float16", [InputSpec("", (1, 3), "float16")]),
        ("ids:1x128:int64, mask:1x128", [InputSpec("ids", (1, 128), "int64"), InputSpec("mask", (1, 128))]),
        (["1x3", "1x4"], [InputSpec("", (1, 3)), InputSpec("", (1, 4))]),
        ((1, 3, 8), [InputSpec("", (1, 3, 8))]),
        (None, []),
        ((), []),
    ],
)
def test_input_forms(text: Any, specs: list[InputSpec]) -> None:
    assert list(parse_inputs(text)) == specs


@pytest.mark.parametrize("text", ["1x0x3", "", "1*3", "a:b:c:d", "1x3:flot32", "a b:1x3", "-1x3"])
def test_bad_inputs_are_refused(text: str) -> None:
    with pytest.raises(ExtractError, match=r"input shape: found"):
        parse_inputs(text)


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        (
            "nonsense",
            None,
            "model: found 'nonsense', allowed path/file.py:Name, package.module:Name, hf:ViTConfig",
        ),
        ("none.py:Net", "1x3", "none.py: no such file"),
        ("no.such:Net", "1x3", "no module named 'no'"),
        ("cosim.frontends.zoo.resnet:resnet81", "1x3", "has no 'resnet81', nearest spelling 'resnet18'"),
        (
            f"{RESNET}?classes=3",
            "1x3",
            "found argument 'classes', allowed num_classes, nearest spelling 'num_classes'",
        ),
        (RESNET, None, "found no input shape, allowed one such as 1x3x224x224"),
        (RESNET, "1x4x64x64", "cannot be traced on the input 1x4x64x64"),
        ("cosim.frontends.zoo.resnet:shortcut", "1x3", "cannot be built: TypeError"),
        ("cosim.frontends.catalogue:ZOO", "1x3", "found a str, allowed a torch.nn.Module or its builder"),
        (
            "cosim.frontends.shapes:is_contiguous?shape=[1],strides=[1]",
            "1x3",
            "built a bool, allowed a torch.nn.Module",
        ),
        ("hf:ViTConfg", None, "transformers has no ViTConfg.*nearest spelling 'ViTConfig'"),
        ("hf:ViTConfig?hidden_siz=3", None, "found argument 'hidden_siz'.*nearest spelling 'hidden_size'"),
        (
            "hf:ViTConfig?num_hidden_layers=1",
            "1x3x225x224",
            "cannot be traced on the input 1x3x225x224: Input image size",
        ),
    ],
)
def test_refusals_name_what_was_found(model: str, shape: str | None, message: str) -> None:
    with pytest.raises(ExtractError, match=message):
        extract(model, shape)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] in ("transformers", "onnx"):
            raise ImportError(name)
        return real(name, *rest, **kwargs)

    for module in [m for m in sys.modules if m.split(".")[0] in ("transformers", "onnx")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        ExtractError, match=r"needs the package transformers: install it with .*cosim\[transformers\]"
    ):
        extract("hf:ViTConfig")
    with pytest.raises(ExtractError, match=r"needs the package onnx: install it with .*cosim\[onnx\]"):
        extract("net.onnx")


def test_a_module_in_a_file(tmp_path: Path) -> None:
    """A class that reads tensor values while it is built falls back from the meta device to memory."""
    path = tmp_path / "mine.py"
    path.write_text(
        "import torch\n"
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, width=4):\n"
        "        super().__init__()\n"
        "        self.rates = [r.item() for r in torch.linspace(0, 1, 3)]\n"
        "        self.fc = nn.Linear(8, width)\n"
        "    def forward(self, x):\n"
        "        return self.fc(x)\n"
        "ready = Net(2)\n"
        "broken = 1 / 1\n"
    )
    net = extract(f"{path}:Net?width=6", "5x8", name="mine")
    assert (net.name, net.batch, net.macs, net.params) == ("mine", 5, 5 * 8 * 6, 54)
    assert extract(f"{path}:ready", "1x8").macs == 16
    with pytest.raises(ExtractError, match="built already"):
        extract(f"{path}:ready?width=3", "1x8")
    path.write_text("raise OSError('disk')\n")
    with pytest.raises(ExtractError, match="fails on import: OSError: disk"):
        extract(f"{path}:Net", "1x8")


def test_origin_says_how_to_do_it_again() -> None:
    net = extract("cosim.frontends.zoo.alexnet:alexnet", "1x3x224x224", {"num_classes": 10}, "small")
    assert net.origin["model"] == "cosim.frontends.zoo.alexnet:alexnet?num_classes=10"
    words = shlex.split(net.origin["command"])
    assert words[:2] == ["cosim", "extract"]
    again = extract(words[2], words[words.index("--input-shape") + 1], name=words[words.index("--name") + 1])
    assert again == net
    assert net.published == {}


def test_token_ids_take_their_type_from_the_model() -> None:
    pytest.importorskip("transformers")
    net = extract(
        "hf:BertConfig?num_hidden_layers=1,hidden_size=64,num_attention_heads=2,intermediate_size=96", "2x16"
    )
    table = next(layer for layer in net if layer.name.endswith("word_embeddings"))
    assert (table.op, table.x_elems, table.x_bits, net.batch) == ("embedding", 32, 64, 2)
    heads = [layer for layer in net if layer.op == "matmul"]
    assert [(m.N, m.G, m.P) for m in heads] == [(2, 2, 16), (2, 2, 16)]


def test_grouped_keys_of_a_causal_model() -> None:
    """Four query heads on two key heads: the products are counted for every query head."""
    pytest.importorskip("transformers")
    net = extract(
        "hf:LlamaConfig?num_hidden_layers=1,hidden_size=64,num_attention_heads=4,num_key_value_heads=2,"
        "intermediate_size=96,vocab_size=100",
        "1x16",
    )
    products = [layer for layer in net if layer.op == "matmul" and layer.K * layer.C == 16 * 16]
    assert [(m.G, m.P, m.macs) for m in products] == [(4, 16, 4 * 16 * 16 * 16)] * 2
    assert net.coverage.unknown == ()


@pytest.mark.parametrize("name", ["vit", "swin_tiny", "mobilenet_v2", "codenet_b", "convsharevit_same"])
def test_a_committed_file_is_what_its_command_writes(name: str, tmp_path: Path) -> None:
    """Byte for byte, through the function that ``make workloads`` calls."""
    from cosim.frontends.regenerate import regenerate

    (written,) = regenerate([name], tmp_path)
    assert written.read_text() == (ROOT / "workloads" / f"{name}.yaml").read_text()


def test_regenerate_refuses_a_name_it_does_not_know() -> None:
    from cosim.frontends.regenerate import regenerate

    with pytest.raises(ExtractError, match=r"vitt: no such shipped network.*nearest spelling 'vit'"):
        regenerate(["vitt"])


@pytest.mark.parametrize("name", CATALOGUE)
def test_stored_command_names_this_network(name: str) -> None:
    """The command in the file: this model, this input, this file."""
    words = shlex.split(load_workload(ROOT / "workloads" / f"{name}.yaml").origin["command"])
    entry = CATALOGUE[name]
    assert words[:5] == ["cosim", "extract", entry.model, "--input-shape", entry.input_shape]
    assert words[words.index("--name") + 1] == name
    assert words[-2:] == ["--out", f"workloads/{name}.yaml"]
