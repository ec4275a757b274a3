"""Lower bound of a DPU (DPUCZDX8G): products of its pixel, input and output channel parallelism.

An engine B<n> multiplies ``pixels`` x ``inputs`` x ``outputs`` in a cycle (n = twice that product):

    cycles = N * P * ceil(Q / pixels) * R * S * ceil(C / inputs) * ceil(K / outputs)          (eq. 1)
    depthwise: N * P * ceil(Q / (pixels / 2)) * R * S * ceil(G / outputs)                     (eq. 2)

Nothing else is in it: no DRAM, no instruction fetch, no pooling, no host. What a board measures lies above.

Source: AMD PG338 (architecture and depthwise pages); the layout of pixels along a row is this project's reading.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
