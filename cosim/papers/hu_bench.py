"""Hu et al. 2022: a bench of two micromirror devices and a camera; its tiles, spectral zone and operations per joule.

Boundary: camera and modulator boards, 29.6 W; light and memory are left out, as in the paper. Operations are those that
a digital machine would need, either as a Fourier transform (eq. 4) or as a sliding window (eq. 5); the base of the
logarithms is not stated (2 here), and the text gives frame rates of 100 Hz (its software) and 2 kHz (its camera).
Accuracies are measured ones of a mask trained in the Fourier domain and are not simulated.
Source: Laser & Photonics Reviews 2022, doi:10.1002/lpor.202200213, sections 3, 4 and 5; training notebook in
github.com/nanocad-lab/Optical-NN.
"""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING

import numpy as np

from cosim.components.estimate import price
from cosim.components.optics import fourier_zone_m
from cosim.hardware.optical4f import MODEL
from cosim.mapping.plan import MappingDoc, make_plan
from cosim.papers._evidence import PRIMARY, at
from cosim.papers._figures_hw import PUBLISHED, SIMULATED
from cosim.papers._optics import network, preset
from cosim.papers.row import PaperRow, Scenario, bracketed, exact, missing
from cosim.report.style import PALETTE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER = "hu-2022"
SCENARIO = Scenario(
    title="Hu et al., High-throughput multichannel parallelized diffraction CNN accelerator, 2022",
    machine="optical4f_dmd_bench",
    workload="images of 28 x 28 pixels, super-pixels of 3, as much padding as image",
    mapping="no tiling over kernels",
    assumptions=(
        "logarithms of base 2",
        "frame rate of 100 Hz to 2 kHz now, 15 kHz projected",
        "projected images of 28 x 28 in 64 tiles, or one of 1920 x 1080",
    ),
)
RATES_HZ = (100.0, 2000.0)
# Generation: images, kernels, frame rate.
GENERATIONS = {"1.1": (49, 1, 2000.0), "1.2": (49, 2, 2000.0), "1.3": (64, 24, 15e3)}


def bench_w() -> float:
    """Power of the bench's boards."""
    return float(preset("optical4f_dmd_bench")["bench.static_mw"]) / 1e3


def tiles(side: int) -> float:
    """Images of a side on one plane, by the machine model."""
    machine, one = preset("optical4f_dmd_bench"), network(((1, 1),), side=side)
    plan = make_plan(one, MODEL.choices, MappingDoc(defaults={"tiling": "none"}))
    cost = price(MODEL.estimate(one, machine, plan), MODEL.energies(machine))
    return float(np.ravel(cost.columns["tiles"])[0])


def fourier_ops_per_j(
    rows: int, cols: int, images: int, kernels: int, rate_hz: float, taps: int = 9
) -> float:
    """Eq. 4: [10 M log((2 i - 1) M) N log N + m n] i k f / P."""
    transform = 10 * rows * log2((2 * images - 1) * rows) * cols * log2(cols) + taps
    return transform * images * kernels * rate_hz / bench_w()


def window_ops_per_j(rows: int, cols: int, images: int, kernels: int, rate_hz: float, taps: int = 9) -> float:
    """Eq. 5: M N m n i f k / P."""
    return rows * cols * taps * images * kernels * rate_hz / bench_w()


def ROWS() -> list[PaperRow]:
    """Tiles of 28-pixel images, width of the spectral zone, operations per joule."""
    zone_px = fourier_zone_m(450e-9, 0.1, 7.6e-6) / 7.6e-6
    images, kernels, _ = GENERATIONS["1.2"]
    low, high = (fourier_ops_per_j(28, 28, images, kernels, hz) / 1e9 for hz in RATES_HZ)
    images_13, kernels_13, rate_13 = GENERATIONS["1.3"]
    small = fourier_ops_per_j(28, 28, images_13, kernels_13, rate_13) / 1e12
    whole = fourier_ops_per_j(1920, 1080, 1, kernels_13, rate_13) / 1e12
    return [
        exact(PAPER, "images of 28 pixels on one plane", at("section 5.3", PRIMARY), 66.0, tiles(28), "1",
              "floor(1920 / 168) * floor(1080 / 168); 49 were shown; the text once says 11 x 19, once 11 x 6"),
        exact(PAPER, "width of the spectral zone", at("section 5.1", PRIMARY), 779.0, zone_px, "px",
              "lambda f / pitch = 5.921 mm; the formula in print gives half of it", digits=3),
        bracketed(PAPER, "operations per joule of the bench", at("section 4, 'about 1'", PRIMARY), 1.0, low, high,
                  "GOP/J", "eq. 4 for 49 images and 2 kernels at the 100 Hz reached and the 2 kHz of the camera"),
        bracketed(PAPER, "operations per joule, projected", at("section 4, 'exceeding 1'", PRIMARY), 1.0, small, whole,
                  "TOP/J", "eq. 4 at 15 kHz and 24 kernels, 64 images of 28 x 28 or one of 1920 x 1080"),
        missing(PAPER, "accuracy on CIFAR-10", at("table 1", PRIMARY), 0.45, "1",
                "the pictures; the training notebook of the binary mask in the Fourier domain was found and is public"),
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """Capacity of the plane, and operations per joule of the generations as in figure 4."""
    result = new_figure(8.6, 3.6)
    left, right = result.subplots(1, 2)
    sides = list(range(8, 65, 4))
    left.step(sides, [tiles(side) for side in sides], where="mid", color=PALETTE[0], label=SIMULATED)
    left.plot([28], [66], "o", mfc="white", mec="black", mew=1.3, label=f"{PUBLISHED}, fits")
    left.plot([28], [49], "s", mfc="white", mec="black", mew=1.3, label=f"{PUBLISHED}, shown")
    left.set_yscale("log")
    left.set_xlabel("side of an image, pixels")
    left.set_ylabel("images on one plane")
    left.legend(frameon=False, fontsize=8)
    left.set_title("Hu et al., 1920 x 1080 mirrors")
    names = list(GENERATIONS)
    for shift, law, colour, hatch, label in (
        (-0.2, fourier_ops_per_j, PALETTE[0], "", f"{SIMULATED}, as Fourier transforms"),
        (0.2, window_ops_per_j, PALETTE[1], "xx", f"{SIMULATED}, as sliding windows"),
    ):
        heights = [law(28, 28, *GENERATIONS[name]) / 1e9 for name in names]
        places = [i + shift for i in range(len(names))]
        right.bar(
            places, heights, 0.38, color=colour, hatch=hatch, edgecolor="black", linewidth=0.5, label=label
        )
    right.axhline(1.0, color="black", linestyle="--", linewidth=1, label=f"{PUBLISHED}, bench")
    right.axhline(1e3, color="black", linestyle=":", linewidth=1, label=f"{PUBLISHED}, projected")
    right.set_yscale("log")
    right.set_ylim(1e-2, 1e5)
    right.set_xticks(range(len(names)), names)
    right.set_xlabel("generation")
    right.set_ylabel("GOP/J")
    right.legend(frameon=False, fontsize=7)
    right.set_title("28 x 28 images")
    return result
