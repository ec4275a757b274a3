"""Li and Gupta 2022: a 4K, 2 MHz 4f machine against a GTX 2080 Ti, convolutions only.

Boundary: frames of the modulator; readout, sign passes, memory and electronics are left out, as in the paper.
Channel tiling counts one kernel block for every pair of channels on a square 4096 plane, which matches the printed
VGG16 column; sizes of the other networks are not printed.
Source: Proc. SPIE 12019, 120190B (2022), doi:10.1117/12.2614731, table 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosim.ir.batch import LayerBatch
from cosim.papers._figures import bars_figure
from cosim.papers._optics import VGG16, Channels, frame_time_s, network, preset, same_conv
from cosim.papers.row import PaperRow, Scenario, exact, fitted, missing, not_reproduced, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER = "li-gupta-2022"
SCENARIO = Scenario(
    title="Li and Gupta, 4F optical neural network acceleration, Proc. SPIE 12019 (2022)",
    machine="optical4f_li_gupta_2022; channel tiling on 4096 x 4096",
    workload="VGG16 at 32 and 224 pixels, AlexNet without groups: convolutions by channels and maps",
    mapping="none, and channel tiling with one kernel block for every pair of channels",
    assumptions=("the square plane of channel tiling is fitted to VGG16, ImageNet",),
)
WHERE = "table 2"
ALEXNET: Channels = ((3, 96), (96, 256), (256, 384), (384, 384), (384, 256))
# GPU, channel tiling, no tiling [s]; printed speed-up of channel tiling over the GPU.
TABLE = {
    "VGG16, CIFAR-10": (5.07e-5, 6e-6, 8.17e-1, 8.45),
    "VGG16, ImageNet": (1.41e-3, 6e-5, 8.17e-1, 23.5),
    "AlexNet": (1.31e-4, 7e-6, 1.84e-1, 18.71),
    "VGG16, SpaceNet7": (1.79e-2, 1.06e-3, 8.17e-1, 16.89),
    "DeconvNet": (3.76e-4, 8e-6, 1.02e-2, 47.0),
    "SRCNN": (1.48e-3, 2.4e-5, 2.88e-4, 61.67),
}


def vgg16(side: int) -> LayerBatch:
    """The thirteen convolutions at their sizes for images of ``side`` pixels."""
    halvings = (0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4)
    return LayerBatch.from_layers(
        same_conv(f"conv{i}", c, k, side >> h)
        for i, ((c, k), h) in enumerate(zip(VGG16, halvings, strict=True))
    )


def alexnet() -> LayerBatch:
    """The five convolutions without groups, at their output sizes for 227 pixels."""
    sizes = ((55, 11), (27, 5), (13, 3), (13, 3), (13, 3))
    return LayerBatch.from_layers(
        same_conv(f"conv{i}", c, k, m, r)
        for i, ((c, k), (m, r)) in enumerate(zip(ALEXNET, sizes, strict=True))
    )


def ROWS() -> list[PaperRow]:
    """Untiled and channel-tiled times, and the speed-ups that follow from the printed times."""
    machine = preset("optical4f_li_gupta_2022")
    square = machine.with_values({"plane.rows": 4096.0, "plane.columns": 4096.0})
    rows = [
        exact(PAPER, f"time without tiling, {name}", WHERE, TABLE[name][2], frame_time_s(layers, machine, "none"), "s",
              "sum of C_in * C_out over 2 MHz", digits=3)
        for name, layers in (("VGG16, ImageNet", network(VGG16)), ("AlexNet", network(ALEXNET)))
    ]  # fmt: skip
    rows.append(
        fitted(PAPER, "time with channel tiling, VGG16, ImageNet", WHERE, TABLE["VGG16, ImageNet"][1],
               frame_time_s(vgg16(224), square, "channel"), "s",
               "a square plane of 4096 fitted to this time (3840 x 2160 gives 120.5 us); VGG16 on CIFAR-10, left out, "
               "is 8 % off, AlexNet 36 %")
    )  # fmt: skip
    rows += [
        within(PAPER, f"time with channel tiling, {name}", WHERE, TABLE[name][1],
               frame_time_s(layers, square, "channel"), "s", tolerance, note)
        for name, layers, tolerance, note in (
            ("VGG16, CIFAR-10", vgg16(32), 0.1, "6.5 us; all printed entries are whole microseconds"),
            ("AlexNet", alexnet(), 0.1, "handling of its stride and input size is not printed"),
        )
    ]  # fmt: skip
    for name, layers, tolerance, note in (
        ("VGG16, CIFAR-10", vgg16(32), 0.1, "printed GPU time over the computed 6.5 us, printed as 6 us"),
        ("AlexNet", alexnet(), 0.1, "printed GPU time over the computed time; see its row above"),
    ):
        ratio = TABLE[name][0] / frame_time_s(layers, square, "channel")
        rows.append(
            within(
                PAPER, f"speed-up over the GPU, {name}", WHERE, TABLE[name][3], ratio, "1", tolerance, note
            )
        )
    rows += [
        missing(PAPER, f"time with channel tiling, {name}", WHERE, TABLE[name][1], "s", "layer list and image size")
        for name in ("VGG16, SpaceNet7", "DeconvNet", "SRCNN")
    ]  # fmt: skip
    seen = machine.with_values({"camera.rate_px_per_s": 77.824e9})
    limited = type(seen)(
        seen.kind, seen.name, seen.values, {**seen.options, "camera.ideal_readout": "false"}, seen.parts
    )
    read_s, printed = frame_time_s(vgg16(224), limited, "channel"), TABLE["VGG16, ImageNet"][1]
    rows.append(
        not_reproduced(PAPER, "channel tiling and a real camera, VGG16, ImageNet", WHERE, printed, read_s, "s",
                       "outside the published boundary: the fastest camera found reads a plane in 107 us")
    )  # fmt: skip
    return rows


def figure(rows: list[PaperRow]) -> Figure:
    """GPU and channel tiling as printed, channel tiling as simulated, for the networks that can be laid out."""
    found = {row.what: row.simulated or 0.0 for row in rows}
    names = ["VGG16, CIFAR-10", "VGG16, ImageNet", "AlexNet"]
    series = {
        "GPU (published)": [TABLE[n][0] for n in names],
        "channel tiling (published)": [TABLE[n][1] for n in names],
        "channel tiling (simulated)": [found[f"time with channel tiling, {n}"] for n in names],
    }
    result = bars_figure("Li and Gupta, table 2: seconds per input", "s", names, series)
    result.axes[0].set_yscale("log")
    return result
