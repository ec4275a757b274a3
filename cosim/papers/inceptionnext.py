"""InceptionNeXt: throughput of ResNet-50 and ConvNeXt-T, and of ConvNeXt-T with smaller and partial depthwise kernels.

Boundary: A100, FP32 as printed (convolutions may run in TF32), batch 128, inference. Ratios between rows; the absolute
figure is bracketed over FP32, TF32 and FP16.
Source: Yu et al., CVPR 2024, arXiv 2303.16900; README of the authors' repository (github.com/sail-sg/inceptionnext).
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

from cosim.engine import load_workload
from cosim.ir.layer import Layer
from cosim.ir.ops import OpClass
from cosim.ir.transforms_base import resized
from cosim.papers._figures import bars_figure
from cosim.papers._machines import latency_s, machine
from cosim.papers.row import PaperRow, Scenario, bracketed, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Yu et al., InceptionNeXt, CVPR 2024",
    machine="gpu_a100, host ahead of the device",
    workload="resnet50, convnext_tiny; convnext_tiny with depthwise kernels of 5 and 3 and on a share of the channels",
    mapping="one kernel for each operator",
    assumptions=("FP32 or TF32 convolutions", "no fusion of operators"),
)
BATCH = 128
# kernel side and share of the channels that the depthwise convolutions work on: images per second.
VARIANTS: dict[tuple[int, Fraction], int] = {
    (7, Fraction(1)): 2413, (5, Fraction(1)): 2704, (3, Fraction(1)): 2802, (3, Fraction(1, 2)): 2740,
    (3, Fraction(3, 8)): 2762, (3, Fraction(1, 4)): 2808, (3, Fraction(1, 8)): 2833, (3, Fraction(1, 16)): 2846,
}  # fmt: skip
RESNET50_HZ = 3149


def variant(kernel: int, share: Fraction) -> list[Layer]:
    """ConvNeXt-T with other depthwise convolutions; the other channels pass untouched."""
    layers = []
    for layer in load_workload("convnext_tiny"):
        if layer.op_class is OpClass.DEPTHWISE_CONV:
            half = kernel // 2
            layer = replace(layer, padding=(half, half, half, half))
            layer = resized(layer, R=kernel, S=kernel, G=int(layer.G * share))
        layers.append(layer.with_batch(BATCH))
    return layers


@cache
def images_per_s(kernel: int, share: Fraction, precision: str) -> float:
    """Throughput of a variant."""
    board = machine("gpu_a100", f"datapath.precision={precision}", "host.mode=stream")
    return BATCH / latency_s(board, variant(kernel, share))


def resnet_per_s(precision: str) -> float:
    """Throughput of ResNet-50."""
    board = machine("gpu_a100", f"datapath.precision={precision}", "host.mode=stream")
    return BATCH / latency_s(board, load_workload("resnet50").with_batch(BATCH).layers)


def ROWS() -> list[PaperRow]:
    """Absolute brackets, ratios of variants to ConvNeXt-T."""
    key, where, whole = "inceptionnext-2024", "README, A100", (7, Fraction(1))
    precisions = ("fp32", "tf32", "fp16")
    rows = []
    for name, published, found in (
        ("ResNet-50", RESNET50_HZ, [resnet_per_s(p) for p in precisions]),
        ("ConvNeXt-T", VARIANTS[whole], [images_per_s(*whole, p) for p in precisions]),
    ):
        rows.append(
            bracketed(key, f"{name}, throughput", where, published, min(found), max(found), "1/s",
                      "missing: whether FP32 convolutions ran in TF32", simulated=found[1])
        )  # fmt: skip
    rows.append(
        within(key, "ResNet-50 over ConvNeXt-T", where, RESNET50_HZ / VARIANTS[whole],
               resnet_per_s("tf32") / images_per_s(*whole, "tf32"), "1", 0.25, "TF32")
    )  # fmt: skip
    for (kernel, share), published in VARIANTS.items():
        if (kernel, share) == whole:
            continue
        found_ratio = images_per_s(kernel, share, "tf32") / images_per_s(*whole, "tf32")
        part = "all" if share == 1 else str(share)
        what = f"ConvNeXt-T, depthwise {kernel} x {kernel}, {part} of the channels, over 7 x 7"
        rows.append(within(key, what, where, published / VARIANTS[whole], found_ratio, "1", 0.25, "TF32"))
    return rows


def figure(rows: list[PaperRow]) -> Figure:
    """Throughput of the variants as printed and as simulated in TF32."""
    names = [f"k{kernel} {share}" for kernel, share in VARIANTS]
    series = {
        "published": [float(value) for value in VARIANTS.values()],
        "simulated, TF32": [images_per_s(kernel, share, "tf32") for kernel, share in VARIANTS],
    }
    return bars_figure("ConvNeXt-T with other depthwise convolutions, A100", "images/s", names, series)
