"""NVDLA: the designers' own estimates of ResNet-50 for seven sizes, from multipliers, buffer and memory rate alone.

Boundary: 8-bit inference of one image at 1 GHz; the published figures are estimates, not silicon. A layer takes as long
as the slower of its products and its memory traffic:

    cycles = N P Q R S ceil(C / atomic_c) ceil(K / atomic_k)
    traffic = min(X ceil(W / h) + W, W ceil(X / h) + X) + Y,   h half of the convolution buffer

Half of the buffer for either operand is this project's assumption. The shapes of the multiplier array are those of the
released hardware; for 128 and 32 multipliers nothing was released and two shapes are tried.
Sources: NVDLA primer, github.com/nvdla/doc, doc/primer.rst (estimates); github.com/nvdla/hw, spec/defs (arrays).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from cosim.engine import load_workload
from cosim.ir.batch import LayerBatch
from cosim.mapping.fpga_dpu import DpuEngine, dpu_cycles
from cosim.papers._evidence import ARTEFACT, at
from cosim.papers._figures_hw import pair_bars_figure
from cosim.papers.row import PaperRow, Scenario, bracketed, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER = "nvdla"
WHERE = at("primer, table of estimates", ARTEFACT)
SCENARIO = Scenario(
    title="NVIDIA, NVDLA primer (estimates)",
    machine="32 to 2048 multipliers at 1 GHz with the buffer and memory rate of each size",
    workload="ResNet-50 at 224 pixels, 8 bits, one image",
    mapping="one pixel at a time, input and output channels of the released array shapes; fused activations",
    assumptions=(
        "half of the convolution buffer for weights, half for inputs",
        "no secondary memory, no compression, no sparsity",
        "16 x 8 or 32 x 4 for 128 multipliers, 8 x 4 or 4 x 8 for 32",
    ),
)
CLOCK_HZ = 1e9


@dataclass(frozen=True)
class Size:
    """A row of the table: multipliers, buffer, memory rate, estimate, and array shapes (input, output channels)."""

    macs: int
    buffer_bytes: float
    bytes_per_s: float
    frames_per_s: float
    arrays: tuple[tuple[int, int], ...]


SIZES = (
    Size(2048, 512e3, 20e9, 269.0, ((64, 32),)),
    Size(1024, 256e3, 15e9, 153.0, ((64, 16),)),
    Size(512, 256e3, 10e9, 93.0, ((32, 16),)),
    Size(256, 256e3, 5e9, 46.0, ((32, 8),)),
    Size(128, 256e3, 2e9, 20.0, ((16, 8), (32, 4))),
    Size(64, 128e3, 1e9, 7.3, ((8, 8),)),
    Size(32, 128e3, 0.5e9, 3.6, ((8, 4), (4, 8))),
)


@cache
def _network() -> LayerBatch:
    return LayerBatch.from_layers(load_workload("resnet50").layers)


def traffic_bytes(
    layers: LayerBatch, buffer_bytes: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Bytes through the memory for every layer with products (8-bit operands), 0 for others."""
    x, w, half = layers.x_elems, layers.w_elems, buffer_bytes / 2
    inputs_again = x * np.ceil(w / half) + w
    weights_again = w * np.ceil(x / half) + x
    return np.asarray((np.minimum(inputs_again, weights_again) + layers.y_elems) * layers.is_mac)


def frames_per_s(size: Size, array: tuple[int, int]) -> float:
    """Rate of ResNet-50 on a size with one shape of its array."""
    layers = _network()
    products_s = dpu_cycles(layers, DpuEngine(1, *array)) / CLOCK_HZ
    memory_s = traffic_bytes(layers, size.buffer_bytes) / size.bytes_per_s
    return 1.0 / float(np.maximum(products_s, memory_s).sum())


def ROWS() -> list[PaperRow]:
    """Seven sizes."""
    rows = []
    for size in SIZES:
        what = f"ResNet-50, {size.macs} multipliers"
        rates = sorted(frames_per_s(size, array) for array in size.arrays)
        note = "products and memory traffic, the slower of the two for every layer; nothing fitted"
        if len(rates) > 1:
            note = f"shape of the array not released, two tried; {note}"
            rows.append(bracketed(PAPER, what, WHERE, size.frames_per_s, rates[0], rates[-1], "1/s", note))
        else:
            rows.append(within(PAPER, what, WHERE, size.frames_per_s, rates[0], "1/s", 0.25, note))
    return rows


def figure(rows: list[PaperRow]) -> Figure:
    """The table as bars on a logarithmic axis."""
    names = [str(size.macs) for size in SIZES]
    published = [size.frames_per_s for size in SIZES]
    found = [frames_per_s(size, size.arrays[0]) for size in SIZES]
    result = pair_bars_figure(
        "NVDLA at 1 GHz, ResNet-50", "images a second", names, published, found, log=True
    )
    result.axes[0].set_xlabel("8-bit multipliers")
    return result
