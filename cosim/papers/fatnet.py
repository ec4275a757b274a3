"""FatNet 2023: fewer channels and larger kernels for a 4f machine, CIFAR-100.

Boundary: frames alone, one convolution a frame, images of a batch tiled over a square plane of 2160 pixels.
The 2 us a convolution of the preset follow from the printed seconds, so the four cells check the counting and the
batching, not the frame rate. Channels: the released code (github.com/riadibadulla/simulator).
Source: Ibadulla, Chen, Reyes-Aldasoro, AI 4(2) 2023, doi:10.3390/ai4020018.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosim.papers._figures import bars_figure
from cosim.papers._optics import Channels, frame_time_s, frames, network, preset
from cosim.papers.row import PaperRow, Scenario, exact, fitted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER = "fatnet-2023"
SCENARIO = Scenario(
    title="Ibadulla, Chen, Reyes-Aldasoro, FatNet, AI 4(2) 2023",
    machine="optical4f_fatnet_2023",
    workload="ResNet-18 and FatNet by their channels, tiles of 32 + 7 - 1 pixels",
    mapping="batch tiling on a square plane of 2160 pixels",
    assumptions=(
        "2 us a convolution, fitted to one of the four printed times",
        "readout and sign passes left out",
    ),
)
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
FITTED_CELL = ("ResNet-18", 64)
GPU_SECONDS = {
    ("ResNet-18", 64): 1.350e-4,
    ("ResNet-18", 3136): 1.167e-4,
    ("FatNet", 64): 4.565e-4,
    ("FatNet", 3136): 7.942e-4,
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
        exact(PAPER, "fewer convolutions than ResNet-18", "abstract", 8.2, counts["ResNet-18"] / counts["FatNet"], "1",
              digits=2)
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
        what, where = f"seconds per sample, {name}, batch {batch}", "table of inference times"
        found = frame_time_s(layers, machine, "batch") / batch
        if (name, batch) == FITTED_CELL:
            note = (
                "2 us a convolution fitted to this cell (2 MHz is 0.5 us); the three cells left out are exact"
            )
            rows.append(fitted(PAPER, what, where, printed, found, "s", note))
        else:
            note = "2 us a convolution from the cell of ResNet-18, batch 64"
            rows.append(exact(PAPER, what, where, printed, found, "s", note, digits=4))
    return rows


def figure(rows: list[PaperRow]) -> Figure:
    """Seconds per sample: printed GPU, printed optics, simulated optics."""
    found = {row.what: row.simulated or 0.0 for row in rows}
    names = [f"{name}, batch {batch}" for name, batch in SECONDS]
    series = {
        "GPU (published)": list(GPU_SECONDS.values()),
        "optics (published)": list(SECONDS.values()),
        "optics (simulated)": [found[f"seconds per sample, {name}"] for name in names],
    }
    result = bars_figure("FatNet: seconds per sample", "s", names, series)
    result.axes[0].set_yscale("log")
    return result
