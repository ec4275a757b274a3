"""A DPU (DPUCZDX8G) by its pixel, input and output channel parallelism: least cycles, multipliers, memories.

An engine B<n> multiplies ``pixels`` x ``inputs`` x ``outputs`` in a cycle (n = twice that product):

    cycles = N * P * ceil(Q / pixels) * R * S * ceil(C / inputs) * ceil(K / outputs)          (eq. 1)
    depthwise: N * P * ceil(Q / (pixels / 2)) * R * S * ceil(G / outputs)                     (eq. 2)

Nothing else is in it: no DRAM, no instruction fetch, no pooling, no host. What a board measures lies above.

Multipliers run at twice the clock and do two 8-bit products a slice, so four products a cycle; accumulators in slices
("high DSP usage") are one for each pixel and output channel:

    slices = pixels * inputs * outputs / 4 + 2  (+ pixels * outputs with accumulators)         (eq. 3)

Banks of 2048 words, one byte for each input channel, hold everything: two for each pixel (three with high RAM usage),
one for each output channel's weights, two for biases and depthwise weights:

    blocks = (2 or 3) * pixels + outputs + 2   banks of count18(2048, 8 * inputs) / 2 blocks      (eq. 4)

The 2 of eq. 3 and the numbers of banks in eq. 4 are read off the builds B512, B800 and B1024 of the guide's tables; the
other five builds follow.

Source: AMD PG338 (architecture, depthwise and RAM usage pages; table 9 of version 1.2); the layout of pixels along a
row is this project's reading.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.components.fpga_resources import bram18_count
from cosim.ir.batch import Array, LayerBatch
from cosim.ir.ops import OpClass


@dataclass(frozen=True)
class DpuEngine:
    """Parallelism of an engine."""

    pixels: int
    inputs: int
    outputs: int

    @property
    def macs_per_cycle(self) -> int:
        """Multiply-accumulates a cycle at full use."""
        return self.pixels * self.inputs * self.outputs


ENGINES = {
    "B512": DpuEngine(4, 8, 8),
    "B800": DpuEngine(4, 10, 10),
    "B1024": DpuEngine(8, 8, 8),
    "B1152": DpuEngine(4, 12, 12),
    "B1600": DpuEngine(8, 10, 10),
    "B2304": DpuEngine(8, 12, 12),
    "B3136": DpuEngine(8, 14, 14),
    "B4096": DpuEngine(8, 16, 16),
}


def dpu_cycles(layers: LayerBatch, engine: DpuEngine) -> Array:
    """Cycles of every layer (eq. 1 and 2), 0 for layers that are no convolution with trained weights."""
    depthwise = layers.of_class(OpClass.DEPTHWISE_CONV)
    multiplied = layers.is_mac & layers.static_weight
    taps = layers.N * layers.P * layers.R * layers.S
    dense = np.ceil(layers.Q / engine.pixels) * np.ceil(layers.C / engine.inputs)
    dense = dense * layers.G * np.ceil(layers.K / engine.outputs)
    single = np.ceil(layers.Q / (engine.pixels / 2.0)) * np.ceil(layers.G * layers.K / engine.outputs)
    return np.where(multiplied, taps * np.where(depthwise, single, dense), 0.0)


BANK_WORDS = 2048


def dpu_dsps(engine: DpuEngine, accumulators: bool) -> float:
    """DSP slices of an engine without depthwise unit (eq. 3)."""
    return engine.macs_per_cycle / 4 + 2 + (engine.pixels * engine.outputs if accumulators else 0)


def dpu_bram36s(engine: DpuEngine, high: bool) -> float:
    """Block RAMs of an engine with depthwise unit at low or high RAM usage (eq. 4)."""
    banks = (3 if high else 2) * engine.pixels + engine.outputs + 2
    return banks * bram18_count(BANK_WORDS, 8 * engine.inputs) / 2
