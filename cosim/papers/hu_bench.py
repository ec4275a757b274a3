"""Hu et al. 2022: a bench of two micromirror devices and a camera; its tiles, power and frame energy.

Source: Laser & Photonics Reviews 2022, doi:10.1002/lpor.202200213. Accuracies are measured ones of a mask trained in
the Fourier domain and are not simulated.
"""

from __future__ import annotations

import numpy as np

from cosim.components.estimate import price
from cosim.components.optics import fourier_zone_m
from cosim.hardware.optical4f import MODEL
from cosim.mapping.plan import MappingDoc, make_plan
from cosim.papers._optics import network, preset
from cosim.papers.row import PaperRow, Scenario, exact, missing, within

PAPER = "hu-2022"
SCENARIO = Scenario(
    title="Hu et al., High-throughput multichannel parallelized diffraction CNN accelerator, 2022",
    machine="optical4f_dmd_bench",
    workload="images of 28 x 28 pixels, super-pixels of 3, as much padding as image",
    mapping="no tiling over kernels",
)


def ROWS() -> list[PaperRow]:
    """Tiles of 28-pixel images, power, energy of a frame, width of the spectral zone."""
    machine = preset("optical4f_dmd_bench")
    one = network(((1, 1),), side=28)
    plan = make_plan(one, MODEL.choices, MappingDoc(defaults={"tiling": "none"}))
    cost = price(MODEL.estimate(one, machine, plan), MODEL.energies(machine))
    frames = float(np.ravel(cost.columns["frames"])[0])
    own_s = sum(
        float(np.ravel(s)[0]) for name, s in cost.stage_s.items() if not name.startswith("companion.")
    )
    power_w = float(machine["bench.static_mw"]) / 1e3
    zone_px = fourier_zone_m(450e-9, 0.1, 7.6e-6) / 7.6e-6
    return [
        exact(PAPER, "images of 28 pixels on one plane", "section 2", 66.0,
              float(np.ravel(cost.columns["tiles"])[0]), "1",
              "floor(1920 / 168) * floor(1080 / 168); 49 were shown"),
        exact(PAPER, "power of camera and modulator boards", "section 3", 29.6, power_w, "W", "17 W + 2 * 6.3 W"),
        within(PAPER, "energy of a frame at 2 kHz", "power over frame rate", 14.8e-3, power_w * own_s / frames, "J",
               0.005, "static power of the bench over one frame"),
        exact(PAPER, "width of the spectral zone", "section 2", 779.0, zone_px, "px",
              "lambda f / pitch = 5.921 mm; the formula in print gives half of it", digits=3),
        missing(PAPER, "accuracy on CIFAR-10", "table 1", 0.45, "1",
                "training code of the binary mask in the Fourier domain"),
    ]  # fmt: skip
