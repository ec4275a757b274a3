"""FatNet 2023: fewer channels and larger kernels for a 4f machine, CIFAR-100.

Boundary: frames alone, one convolution a frame, images of a batch tiled over a square plane of 2160 pixels.
The 2 us a convolution of the preset follow from the printed seconds, so the four cells check the counting and the
batching, not the frame rate. Channels: the released code (github.com/riadibadulla/simulator).
Source: Ibadulla, Chen, Reyes-Aldasoro, AI 4(2) 2023, doi:10.3390/ai4020018.
"""

from __future__ import annotations

from cosim.papers._optics import Channels, frame_time_s, frames, network, preset
from cosim.papers.row import PaperRow, exact, within

PAPER = "fatnet-2023"
RESNET18: Channels = (
    (3, 64), (64, 64), (64, 64), (64, 64), (64, 64), (64, 128), (128, 128), (128, 128), (128, 128),
    (128, 256), (256, 256), (256, 256), (256, 256), (256, 512), (512, 512), (512, 512), (512, 512),
)  # fmt: skip
FATNET: Channels = (
    (3, 64), (64, 64), (64, 64), (64, 64), (64, 64), (64, 82), (82, 82), (82, 82), (82, 82), (82, 78),
    (78, 78), (78, 78), (78, 78), (78, 151), (151, 155), (155, 151), (151, 155),
)  # fmt: skip
SECONDS = {
    ("ResNet-18", 64): 3.815e-2,
    ("ResNet-18", 3136): 7.786e-4,
    ("FatNet", 64): 4.645e-3,
    ("FatNet", 3136): 9.479e-5,
}


def ROWS() -> list[PaperRow]:
    """Convolution counts, the capacity of the plane, and the seconds per sample of both networks."""
    machine = preset("optical4f_fatnet_2023")
    nets = {"ResNet-18": RESNET18, "FatNet": FATNET}
    counts = {name: frames(network(shapes), machine, "none") for name, shapes in nets.items()}
    rows = [
        exact(PAPER, f"convolutions of {name}", "released code", printed, counts[name], "1",
              "sum of C_in * C_out, classifier left out" + ("; without its last layer" if name == "FatNet" else ""))
        for name, printed in (("ResNet-18", 1_220_800.0), ("FatNet", 148_637.0))
    ]  # fmt: skip
    rows.append(
        within(PAPER, "fewer convolutions than ResNet-18", "abstract", 8.2, counts["ResNet-18"] / counts["FatNet"], "1",
               0.005, "8.213")
    )  # fmt: skip
    full = network(((3, 64),), side=32, kernel=7, images=3136)
    fits = [
        frames(full.take([0]), machine, "batch"),
        frames(network(((3, 64),), 32, 7, 3137), machine, "batch"),
    ]
    capacity = 3136.0 if fits[1] == 2 * fits[0] == 2 * 192 else 0.0
    rows.append(
        exact(PAPER, "images of 32 pixels under a kernel of 7 on one plane", "full batch", 3136.0, capacity, "1",
              "floor(2160 / (32 + 7 - 1))^2: the short side of 4K, squared")
    )  # fmt: skip
    for (name, batch), printed in SECONDS.items():
        layers = network(nets[name], side=32, kernel=7, images=batch)
        rows.append(
            within(PAPER, f"seconds per sample, {name}, batch {batch}", "table of inference times", printed,
                   frame_time_s(layers, machine, "batch") / batch, "s", 0.0005,
                   "2 us a convolution, taken from these figures; 2 MHz would be 0.5 us")
        )  # fmt: skip
    return rows
