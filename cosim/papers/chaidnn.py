"""CHaiDNN v2 on a ZU9: measured frame rates under the bound of its multipliers.

Boundary: frames a second of the convolutional part, fully connected layers left out as in the table; multipliers run at
twice the clock, with two products a slice at 6 bits and one at 8. The engine computes 8 or 16 filters for as many
pixels as its multipliers allow, four input channels at a time; the table does not say which, so the faster one bounds.
Source: Xilinx, github.com/Xilinx/CHaiDNN, docs/PERFORMANCE_SNAPSHOT.md and docs/CONFIGURABLE_PARAMS.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from cosim.engine import load_workload
from cosim.ir.batch import LayerBatch
from cosim.ir.layer import mac_layer
from cosim.ir.ops import OpClass
from cosim.mapping.fpga_dpu import DpuEngine, dpu_cycles
from cosim.papers._evidence import ARTEFACT, at
from cosim.papers._figures_hw import SIMULATED, pair_bars
from cosim.papers.row import PaperRow, Scenario, below
from cosim.report.style import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER = "chaidnn"
WHERE = at("performance on ZU9", ARTEFACT)
SCENARIO = Scenario(
    title="Xilinx, CHaiDNN v2, performance on ZU9",
    machine="128 to 1024 multipliers at 600 or 500 MHz, 6 and 8 bits, products only",
    workload="convolutions of VGG16, ResNet-50 and AlexNet (grouped, 227 pixels), one image",
    mapping="8 or 16 filters times pixels along a row, four input channels a cycle; the faster of the two",
    assumptions=(
        "filters and pixels of each build are not stated; at 6 bits twice as many filters or channels",
        "memory, pooling and host take no time",
    ),
)


@dataclass(frozen=True)
class Build:
    """Multipliers, core clock (multipliers run at twice that), frames a second at 6 and 8 bits for each network."""

    dsps: int
    core_hz: float
    frames_per_s: dict[str, tuple[float, float]]


BUILDS = (
    Build(128, 300e6, {"VGG16": (5.69, 2.88), "ResNet-50": (17.49, 9.4), "AlexNet": (124.94, 64.01)}),
    Build(256, 300e6, {"VGG16": (11.06, 5.67), "ResNet-50": (30.44, 17.38), "AlexNet": (237.72, 124.6)}),
    Build(512, 300e6, {"VGG16": (20.84, 10.97), "ResNet-50": (47.7, 30.03), "AlexNet": (436.5, 236.59)}),
    Build(1024, 250e6, {"VGG16": (35.73, 19.3), "ResNet-50": (62.78, 43.09), "AlexNet": (606.46, 390.27)}),
)
BITS = (6, 8)


@cache
def convolutions(network: str) -> LayerBatch:
    """Dense and grouped convolutions of a network (AlexNet: Krizhevsky et al. 2012, figure 2)."""
    if network == "AlexNet":
        shapes = (
            (1, 3, 96, 55, 11),
            (2, 48, 128, 27, 5),
            (1, 256, 384, 13, 3),
            (2, 192, 192, 13, 3),
            (2, 192, 128, 13, 3),
        )
        return LayerBatch.from_layers(
            mac_layer(f"conv{i}", "conv", G=g, C=c, K=k, P=side, Q=side, R=r, S=r)
            for i, (g, c, k, side, r) in enumerate(shapes)
        )
    name = {"VGG16": "vgg16", "ResNet-50": "resnet50"}[network]
    return LayerBatch.from_layers(layer for layer in load_workload(name) if layer.op_class is OpClass.CONV)


def engines(dsps: int, bits: int) -> tuple[DpuEngine, ...]:
    """Layouts of a build: 8 or 16 filters, pixels to match, products of 6 bits doubled in channels or filters."""
    found = []
    for filters in (8, 16):
        pixels = dsps // (2 * filters)
        if bits == 8:
            found.append(DpuEngine(pixels, 4, filters))
        else:
            found += [DpuEngine(pixels, 8, filters), DpuEngine(pixels, 4, 2 * filters)]
    return tuple(found)


def bound_ms(build: Build, network: str, bits: int) -> float:
    """Least time of the convolutions of one image over the layouts of a build."""
    layers = convolutions(network)
    return (
        min(float(dpu_cycles(layers, engine).sum()) for engine in engines(build.dsps, bits))
        / build.core_hz
        * 1e3
    )


def ROWS() -> list[PaperRow]:
    """Every build, network and width: time of a frame."""
    note = "products only; no DRAM, pooling or host; layout of the multipliers not stated, the fastest taken"
    return [
        below(PAPER, f"{network}, {build.dsps} multipliers, {bits} bits, time of a frame", WHERE, 1e3 / rates[number],
              bound_ms(build, network, bits), "ms", note)
        for build in BUILDS
        for network, rates in build.frames_per_s.items()
        for number, bits in enumerate(BITS)
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """Frames a second over the multipliers, one panel for each network, both widths."""
    result = new_figure(9.0, 3.4)
    panels = result.subplots(1, 3)
    names = [f"{build.dsps}, {bits} bit" for build in BUILDS for bits in BITS]
    for axes, network in zip(panels, BUILDS[0].frames_per_s, strict=True):
        published = [rate for build in BUILDS for rate in build.frames_per_s[network]]
        bound = [1e3 / bound_ms(build, network, bits) for build in BUILDS for bits in BITS]
        pair_bars(axes, names, published, {f"{SIMULATED} upper bound": bound}, "frames a second")
        axes.set_title(f"CHaiDNN, {network}")
        axes.set_xlabel("multipliers, width")
    for axes in panels[1:]:
        axes.set_ylabel("")
        axes.get_legend().remove()
    return result
