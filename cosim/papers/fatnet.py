"""FatNet 2023: fewer channels and larger kernels for a 4f machine, CIFAR-100.

Boundary: optics are frames alone, one convolution a frame, images of a batch tiled over a square plane of 2160 pixels;
the GPU runs every layer. The 2 us a convolution of the preset follow from the printed seconds, so the four cells check
the counting and the batching, not the frame rate. The board is not stated: the timing script of the released code is
a hosted notebook in single precision, so three boards such notebooks had are tried.
Source: Ibadulla, Chen, Reyes-Aldasoro, AI 4(2) 2023, doi:10.3390/ai4020018; layers and script:
github.com/riadibadulla/simulator. The seconds are second hand, from a digest of the paper.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from cosim.engine import load_workload
from cosim.ir.ops import OpClass
from cosim.papers._evidence import ABSTRACT, SECOND_HAND, at
from cosim.papers._figures_hw import pair_bars
from cosim.papers._machines import latency_s, machine
from cosim.papers._optics import Channels, frame_time_s, frames, images_on_plane, network, preset, same_conv
from cosim.papers.row import PaperRow, Scenario, bracketed, exact, fitted, missing
from cosim.report.style import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER = "fatnet-2023"
# Boards of hosted notebooks and the arithmetic their library uses for convolutions of single-precision numbers.
BOARDS = (("gpu_t4", "fp32"), ("gpu_v100", "fp32"), ("gpu_a100", "tf32"))
SCENARIO = Scenario(
    title="Ibadulla, Chen, Reyes-Aldasoro, FatNet, AI 4(2) 2023",
    machine=f"optical4f_fatnet_2023; {', '.join(name for name, _ in BOARDS)} for the GPU",
    workload="fatnet_resnet18 and fatnet: convolutions on the optics (tiles of 32 + 7 - 1 pixels), all layers on a GPU",
    mapping="batch tiling on a square plane of 2160 pixels",
    assumptions=(
        "2 us a convolution, fitted to one of the four printed times",
        "readout and sign passes left out",
        "FatNet's last convolution, to one channel, is not counted",
        "GPU: single precision, one of three boards; kernels one after the other",
    ),
)
WORKLOADS = {"ResNet-18": "fatnet_resnet18", "FatNet": "fatnet"}
CONVOLUTIONS = {"ResNet-18": 1_220_800.0, "FatNet": 148_637.0}
CELLS = tuple((name, batch) for name in WORKLOADS for batch in (64, 3136))
SECONDS = dict(zip(CELLS, (3.815e-2, 7.786e-4, 4.645e-3, 9.479e-5), strict=True))
GPU_SECONDS = dict(zip(CELLS, (1.350e-4, 1.167e-4, 4.565e-4, 7.942e-4), strict=True))
FITTED_CELL = CELLS[0]
TABLE = at("table of inference times", SECOND_HAND)


@cache
def channels(name: str) -> Channels:
    """Input and output channels of a network's convolutions, without FatNet's last one."""
    found = tuple(
        (layer.C, layer.K) for layer in load_workload(WORKLOADS[name]) if layer.op_class is OpClass.CONV
    )
    return found[:-1] if name == "FatNet" else found


@cache
def gpu_s(board: str, precision: str, name: str, batch: int) -> float:
    """Time of one image of a batch, all layers of the network."""
    layers = [layer.with_batch(batch) for layer in load_workload(WORKLOADS[name])]
    return latency_s(machine(board, f"datapath.precision={precision}"), layers) / batch


def ROWS() -> list[PaperRow]:
    """Convolution counts, the capacity of the plane, and the seconds per sample on optics and GPU."""
    optics = preset("optical4f_fatnet_2023")
    counts = {name: frames(network(channels(name)), optics, "none") for name in WORKLOADS}
    rows = [
        exact(PAPER, f"convolutions of {name}", at("table of convolutions", SECOND_HAND), printed, counts[name], "1",
              "frames of the workload extracted from the authors' module, one a pair of channels")
        for name, printed in CONVOLUTIONS.items()
    ]  # fmt: skip
    rows.append(
        exact(PAPER, "fewer convolutions than ResNet-18", at("abstract", ABSTRACT), 8.2,
              counts["ResNet-18"] / counts["FatNet"], "1", digits=2)
    )  # fmt: skip
    rows.append(
        exact(PAPER, "images of 32 pixels under a kernel of 7 on one plane", at("full batch", SECOND_HAND), 3136.0,
              float(images_on_plane(same_conv("first", 3, 64, 32, 7), optics)), "1",
              "the most images that need no frame more than one image; floor(2160 / (32 + 7 - 1))^2 by hand")
    )  # fmt: skip
    return rows + _optics_rows() + _gpu_rows() + _accuracy_rows()


def _optics_rows() -> list[PaperRow]:
    """The four cells of the optics; one of them gives the frame time."""
    optics, rows = preset("optical4f_fatnet_2023"), []
    for (name, batch), printed in SECONDS.items():
        what = f"seconds per sample, {name}, batch {batch}"
        layers = network(channels(name), side=32, kernel=7, images=batch)
        found = frame_time_s(layers, optics, "batch") / batch
        if (name, batch) == FITTED_CELL:
            note = (
                "2 us a convolution fitted to this cell (2 MHz are 0.5 us; the factor of 4 was searched for in stored "
                "pages of the paper, the code and the authors' later papers and not found); the three cells left out "
                "are exact"
            )
            rows.append(fitted(PAPER, what, TABLE, printed, found, "s", note))
        else:
            note = "2 us a convolution from the cell of ResNet-18, batch 64"
            rows.append(exact(PAPER, what, TABLE, printed, found, "s", note, digits=4))
    return rows


def _gpu_rows() -> list[PaperRow]:
    """The four cells of the GPU over three boards."""
    rows = []
    for (name, batch), printed in GPU_SECONDS.items():
        found = {board: gpu_s(board, precision, name, batch) for board, precision in BOARDS}
        low, high = min(found.values()), max(found.values())
        ratios = ", ".join(f"{board[4:]} {seconds / printed:.2f}" for board, seconds in found.items())
        note = (
            "missing: the board (searched for in the stored pages of the paper and in the authors' repositories); "
            f"ratios {ratios}; K80 and P100, which such notebooks also had, have no machine file"
        )
        what = f"seconds per sample on the GPU, {name}, batch {batch}"
        rows.append(bracketed(PAPER, what, TABLE, printed, low, high, "s", note))
    return rows


def _accuracy_rows() -> list[PaperRow]:
    """Accuracies that need the training data."""
    return [
        missing(PAPER, f"accuracy on CIFAR-100, {name}", at("table of accuracies", SECOND_HAND), value, "1",
                "trained weights (none in the authors' repositories) and CIFAR-100, which is not shipped")
        for name, value in (("ResNet-18", 0.66), ("FatNet", 0.60))
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """Seconds per sample of both networks and batches: on the GPU, on the optics."""
    found = {row.what: row.simulated for row in rows}
    names = [f"{name}\nbatch {batch}" for name, batch in CELLS]
    result = new_figure(7.0, 3.4)
    left, right = result.subplots(1, 2, sharey=True)
    t4 = [gpu_s(*BOARDS[0], *cell) for cell in CELLS]
    a100 = [gpu_s(*BOARDS[2], *cell) for cell in CELLS]
    pair_bars(
        left,
        names,
        list(GPU_SECONDS.values()),
        {"T4, FP32": t4, "A100, TF32": a100},
        "s a sample",
        log=True,
        slant=False,
    )
    left.set_title("GPU (board not published)")
    light = [found[f"seconds per sample, {name}, batch {batch}"] for name, batch in CELLS]
    pair_bars(right, names, list(SECONDS.values()), {"simulated": light}, "", log=True, slant=False)
    right.set_title("4f optics, 2 us a convolution")
    for axes in (left, right):
        axes.tick_params(axis="x", labelsize=7)
    return result
