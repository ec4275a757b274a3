"""InceptionNeXt: throughput of InceptionNeXt-T, ResNet-50, ConvNeXt-T, and of ConvNeXt-T with other depthwise kernels.

Boundary: A100, batch 128, inference, FP32 tensors (benchmark.py, default precision) under PyTorch 1.13 of the container
nvcr.io/nvidia/pytorch:22.08. Convolutions then run in TF32, PyTorch's default for cuDNN; products of linear layers run
in FP32 by PyTorch's default since 1.12 and in TF32 where the container allows it, so everything with ConvNeXt's linear
layers is bracketed between the two. ResNet-50 and InceptionNeXt have convolutions only.
Source: Yu et al., CVPR 2024, arXiv 2303.16900; README, benchmark.py, docker/Dockerfile and models/inceptionnext.py of
github.com/sail-sg/inceptionnext; defaults: pull request 79537 of pytorch/pytorch.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache
from math import sqrt
from typing import TYPE_CHECKING

from cosim.engine import load_workload
from cosim.ir.layer import Layer, mac_layer, vector_layer
from cosim.ir.ops import OpClass
from cosim.ir.transforms_base import resized
from cosim.papers._machines import latency_s, machine
from cosim.papers.row import PaperRow, Scenario, bracketed, exact, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Yu et al., InceptionNeXt, CVPR 2024",
    machine="gpu_a100, host ahead of the device; convolutions in TF32",
    workload="resnet50, convnext_tiny and variants of it, InceptionNeXt-T made from it",
    mapping="one kernel for each operator",
    assumptions=("linear layers in FP32 or TF32", "no fusion of operators"),
)
BATCH = 128
# kernel side and share of the channels that the depthwise convolutions work on: images per second.
VARIANTS: dict[tuple[int, Fraction], int] = {
    (7, Fraction(1)): 2413, (5, Fraction(1)): 2704, (3, Fraction(1)): 2802, (3, Fraction(1, 2)): 2740,
    (3, Fraction(3, 8)): 2762, (3, Fraction(1, 4)): 2808, (3, Fraction(1, 8)): 2833, (3, Fraction(1, 16)): 2846,
}  # fmt: skip
WHOLE = (7, Fraction(1))
RESNET50_HZ, INCEPTIONNEXT_T_HZ = 3149, 2900
LINEAR = ("fp32", "tf32")


def variant(kernel: int, share: Fraction) -> list[Layer]:
    """ConvNeXt-T with other depthwise convolutions; the other channels pass untouched."""
    layers = []
    for layer in load_workload("convnext_tiny"):
        if layer.op_class is OpClass.DEPTHWISE_CONV:
            half = kernel // 2
            layer = replace(layer, padding=(half, half, half, half))
            layer = resized(layer, R=kernel, S=kernel, G=int(layer.G * share))
        layers.append(layer)
    return layers


def inceptionnext_t() -> list[Layer]:
    """ConvNeXt-T with depthwise branches of 3 x 3, 1 x 11 and 11 x 1 on an eighth of the channels each.

    Batch in place of layer normalisation, 1 x 1 convolutions in place of linear layers, three times the width inside
    the last stage, and a head with one hidden layer of three times the width (models/inceptionnext.py).
    """
    layers: list[Layer] = []
    for layer in load_workload("convnext_tiny"):
        if layer.name.startswith(("convnext.layernorm", "classifier")):
            continue
        if layer.op_class is OpClass.DEPTHWISE_CONV:
            layers += _branches(layer)
        elif layer.op == "layer_norm":
            layers.append(replace(layer, op="batch_norm"))
        elif layer.op_class is OpClass.LINEAR:
            layers.append(_narrower(replace(layer, op="conv")) if "stages.3.layers" in layer.name else
                          replace(layer, op="conv"))  # fmt: skip
        elif layer.op == "gelu" and "stages.3.layers" in layer.name:
            layers.append(vector_layer(layer.name, "gelu", x_elems=layer.x_elems * 3 // 4,
                                       y_elems=layer.y_elems * 3 // 4, inputs=layer.inputs))  # fmt: skip
        else:
            layers.append(layer)
    width = 768
    return [
        *layers,
        mac_layer("head.fc1", "linear", C=width, K=3 * width, bias=True),
        vector_layer("head.act", "gelu", x_elems=3 * width, y_elems=3 * width),
        vector_layer("head.norm", "layer_norm", x_elems=3 * width, y_elems=3 * width),
        mac_layer("head.fc2", "linear", C=3 * width, K=1000, bias=True),
    ]


def _branches(layer: Layer) -> list[Layer]:
    branches = []
    for rows, columns in ((3, 3), (1, 11), (11, 1)):
        padded = replace(layer, name=f"{layer.name}.{rows}x{columns}",
                         padding=(rows // 2, rows // 2, columns // 2, columns // 2))  # fmt: skip
        branches.append(resized(padded, R=rows, S=columns, G=layer.G // 8))
    joined = vector_layer(f"{layer.name}.cat", "concat", x_elems=layer.y_elems, y_elems=layer.y_elems)
    return [*branches, joined]


def _narrower(layer: Layer) -> Layer:
    """A layer of the last stage's MLP with three times the width inside."""
    return resized(layer, K=layer.K * 3 // 4) if layer.K > layer.C else resized(layer, C=layer.C * 3 // 4)


def _per_s(layers: list[Layer], linear: str) -> float:
    """Throughput with the linear layers in one precision and everything else in TF32."""
    batch = [layer.with_batch(BATCH) for layer in layers]
    dense = [layer for layer in batch if layer.op_class is OpClass.LINEAR]
    rest = [layer for layer in batch if layer.op_class is not OpClass.LINEAR]
    time_s = 0.0
    for part, precision in ((dense, linear), (rest, "tf32")):
        if part:
            board = machine("gpu_a100", f"datapath.precision={precision}", "host.mode=stream")
            time_s += latency_s(board, part)
    return BATCH / time_s


@cache
def images_per_s(kernel: int, share: Fraction, linear: str) -> float:
    """Throughput of a variant of ConvNeXt-T."""
    return _per_s(variant(kernel, share), linear)


@cache
def convolutional_per_s(name: str) -> float:
    """Throughput of ResNet-50 or InceptionNeXt-T, whose classifiers are the only linear layers."""
    layers = inceptionnext_t() if name == "InceptionNeXt-T" else list(load_workload("resnet50"))
    return _per_s(layers, "tf32")


def ROWS() -> list[PaperRow]:
    """Throughput of the networks, ratios between them and of variants to ConvNeXt-T."""
    key, where = "inceptionnext-2024", "README, A100"
    macs = sum(layer.macs for layer in inceptionnext_t()) * 1e-9
    rows = [exact(key, "InceptionNeXt-T, multiply-accumulates", where, 4.2, macs, "G", digits=2)]
    whole = [images_per_s(*WHOLE, linear) for linear in LINEAR]
    note = "missing: whether linear layers ran in TF32; convolutions in TF32"
    for name, published in (("ResNet-50", RESNET50_HZ), ("InceptionNeXt-T", INCEPTIONNEXT_T_HZ)):
        found = convolutional_per_s(name)
        rows.append(within(key, f"{name}, throughput", where, published, found, "1/s", 0.25, "TF32"))
        ratios = [found / value for value in whole]
        rows.append(
            bracketed(key, f"{name} over ConvNeXt-T", where, published / VARIANTS[WHOLE], min(ratios), max(ratios),
                      "1", note)
        )  # fmt: skip
    rows.append(
        bracketed(key, "ConvNeXt-T, throughput", where, VARIANTS[WHOLE], min(whole), max(whole), "1/s", note)
    )
    for (kernel, share), published in VARIANTS.items():
        if (kernel, share) == WHOLE:
            continue
        ratio = images_per_s(kernel, share, "tf32") / whole[1]
        part = "all" if share == 1 else str(share)
        what = f"ConvNeXt-T, depthwise {kernel} x {kernel}, {part} of the channels, over 7 x 7"
        rows.append(within(key, what, where, published / VARIANTS[WHOLE], ratio, "1", 0.25, "TF32"))
    return rows


def figure(rows: list[PaperRow]) -> Figure:
    """Throughput of networks and variants as printed and as simulated, FP32 to TF32 in the linear layers."""
    from cosim.papers._figures_sw import paired_bars
    from cosim.report.style import new_figure

    result = new_figure(9.6, 4.2)
    axes = result.subplots()
    networks = {"ResNet-50": RESNET50_HZ, "InceptionNeXt-T": INCEPTIONNEXT_T_HZ}
    names = [*networks, *(f"ConvNeXt-T, {k} x {k}, {share}" for k, share in VARIANTS)]
    spans: list[tuple[float, float] | None] = [None, None]
    spans += [(images_per_s(*case, "fp32"), images_per_s(*case, "tf32")) for case in VARIANTS]
    found = [*(convolutional_per_s(name) for name in networks), *(sqrt(s[0] * s[1]) for s in spans if s)]
    paired_bars(axes, names, [*networks.values(), *VARIANTS.values()], found, spans)
    axes.set_ylabel("images/s, A100, batch 128")
    axes.set_title("whiskers: linear layers in FP32 (low) and TF32 (high)", loc="left", fontsize=9)
    return result
