"""The committed workload files: byte for byte what is written, and equal to the published counts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from cosim.frontends.catalogue import CATALOGUE, conv_count
from cosim.ir.ops import OpClass
from cosim.ir.workload import Workload
from cosim.ir.workload_file import dump_workload, load_workload
from cosim.spec.locate import ROOT
from cosim.spec.sources import load_sources

FOLDER = ROOT / "workloads"
FILES = sorted(p for p in FOLDER.glob("*.yaml") if p.stem != "sources")
RECORDED = json.loads(
    (Path(__file__).parents[1] / "data" / "workloads" / "timm_operator_macs.json").read_text()
)

# Published GMAC with its printed digits, published parameters, where.
PUBLISHED = {
    # torchvision, table of classification weights (docs.pytorch.org/vision, num_params and GFLOPS = GMAC)
    "vit": (17.564, 86_567_656),
    "resnet18": (1.814, 11_689_512),
    "resnet50": (4.089, 25_557_032),
    "mobilenet_v2": (0.301, 3_504_872),
    "vgg16": (15.47, 138_357_544),
    "alexnet": (0.714, 61_100_840),
    "swin_tiny": (4.491, 28_288_354),
    "convnext_tiny": (4.456, 28_589_128),
}


def load(name: str) -> Workload:
    return load_workload(FOLDER / f"{name}.yaml")


def test_every_catalogued_network_is_committed() -> None:
    assert [p.stem for p in FILES] == sorted(CATALOGUE)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_file_is_canonical_and_covered(path: Path) -> None:
    workload = load_workload(path)
    assert dump_workload(workload) == path.read_text(encoding="utf-8")
    assert workload.name == path.stem
    assert workload.coverage.macs_share == 1.0
    assert workload.coverage.unknown == ()
    assert sum(o.macs for o in workload.coverage.operators) == workload.macs
    moved = sum(layer.bytes_moved for layer in workload)
    assert sum(o.moved_bytes for o in workload.coverage.operators) == moved
    assert workload.published["source"] in load_sources(FOLDER / "sources.yaml")
    assert set(workload.outputs) <= {layer.name for layer in workload}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_published_ratios_are_stated_and_near_one(path: Path) -> None:
    """What does not match says so: only Inception's parameters differ by more than 1.5 %, by the classifier that
    training alone uses, and MobileViT's operations, by what its counter adds for norms."""
    workload = load_workload(path)
    found = {"macs": workload.macs, "params": workload.params, "conv_count": conv_count(workload)}
    for key, ours in found.items():
        if key not in workload.published:
            continue
        ratio = ours / float(workload.published[key])
        assert workload.published[f"{key}_ratio"] == round(ratio, 4)
        if (path.stem, key) == ("inception_v3", "params"):
            assert workload.published["params"] - ours == 3_326_696
        elif (path.stem, key) == ("mobilevit_xxs", "macs"):
            per_elem = {"batch_norm": 2, "layer_norm": 5}
            norms = sum(per_elem.get(layer.op, 0) * layer.y_elems for layer in workload.layers)
            assert round((ours + norms) / 1e9, 2) * 1e9 == workload.published["macs"]
        else:
            assert abs(ratio - 1) < 0.015


@pytest.mark.parametrize("name", PUBLISHED)
def test_torchvision_counts_to_the_last_digit(name: str) -> None:
    gmacs, params = PUBLISHED[name]
    workload = load(name)
    digits = len(str(gmacs).partition(".")[2])
    assert workload.params == params
    assert round(workload.macs / 1e9, digits) == gmacs


@pytest.mark.parametrize("name", RECORDED)
def test_operator_by_operator_against_an_independent_record(name: str) -> None:
    """The multiset of MACs over operators, from another library's definition of the same network."""
    recorded = dict(RECORDED[name]["macs"])
    workload = load(name)
    ours = Counter(layer.macs for layer in workload if layer.macs)
    assert workload.params == RECORDED[name]["params"]
    if name == "vit":
        fused = 3 * 197 * 768 * 768
        assert recorded.pop(fused) == 12
        recorded[197 * 768 * 768] += 36
    assert ours == recorded


def test_vit_counts_fused_attention() -> None:
    """Q K^T and the weighted sum: 12 blocks x 12 heads x 2 x 197 x 197 x 64."""
    vit = load("vit")
    products = [layer for layer in vit if layer.op_class is OpClass.MATMUL]
    assert len(products) == 24
    assert sum(layer.macs for layer in products) == 12 * 12 * 2 * 197 * 197 * 64
    assert all(not layer.static_weight and layer.G == 12 for layer in products)
    assert sum(layer.op == "softmax" for layer in vit) == 12
    assert round(vit.macs / 1e9, 2) == 17.56


def test_fatnet_convolution_counts() -> None:
    """1,220,800 and 148,637 (AI 4(2), 2023), the latter without the last 155 -> 1 layer, with it 148,792."""
    assert conv_count(load("fatnet_resnet18")) == 1_220_800
    fatnet = load("fatnet")
    assert conv_count(fatnet) == 148_792
    last = next(layer for layer in fatnet if layer.name == "classifier")
    assert conv_count(fatnet) - last.C * last.K == 148_637


def test_codenet_layers() -> None:
    """Three depthwise deformable convolutions that read their offsets; size as published: 6.06 and 23.2 MiB."""
    for name, mebibytes, digits in (("codenet_b", 6.06, 2), ("codenet_d", 23.2, 1)):
        net = load(name)
        deformable = [layer for layer in net if layer.op_class is OpClass.DEFORM_CONV]
        assert [layer.G for layer in deformable] == [net_width(name), 256, 128]
        assert all(layer.C == layer.K == 1 and len(layer.inputs) == 2 for layer in deformable)
        assert all(layer.x_elems == layer.G * layer.H * layer.W + layer.P * layer.Q for layer in deformable)
        assert round(net.params * 4 / 2**20, digits) == mebibytes


def net_width(name: str) -> int:
    return 1024 if name == "codenet_b" else 2153


def test_convsharevit_kernels_are_shared_by_the_tokens() -> None:
    """145 token images meet the same kernels: the tokens are the batch of each convolution."""
    for name, kernels, size in (("convsharevit", 64, 8), ("convsharevit_same", 1, 7)):
        net = load(name)
        shared = [layer for layer in net if layer.name.endswith("query.conv")]
        assert len(shared) == 8 * 4
        assert {(c.N, c.G, c.K, c.C, c.R, c.S) for c in shared} == {(145, 1, kernels, 1, size, size)}
        assert shared[0].params == kernels * size * size + kernels


def test_gpt2_ties_its_embedding() -> None:
    net = load("gpt2")
    head = next(layer for layer in net if layer.name == "lm_head")
    assert head.shared_params == head.params == 50257 * 768
    assert net.params == 124_439_808


def test_kinds_of_convolution_are_told_apart() -> None:
    ops = {
        name: Counter(layer.op for layer in load(name))
        for name in ("mobilenet_v2", "squeezebert", "convsharevit")
    }
    assert ops["mobilenet_v2"]["depthwise_conv"] == 17
    assert ops["squeezebert"]["grouped_conv"] == 5 * 12
    assert ops["convsharevit"]["transposed_conv"] == 1
