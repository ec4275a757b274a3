"""Matrix products on a GPU's multiprocessors: thread-block tiles, waves, and the traffic that tiles cause.

A product of M x N outputs with reduction K is cut into thread blocks of Tm x Tn outputs. One multiprocessor
works on one block at a time, so the last, partly filled wave takes as long as a full one:

    blocks = groups * ceil(M / Tm) * ceil(N / Tn)                                            (Eq. 1)
    cycles = ceil(blocks / multiprocessors) * Tm * Tn * K / (MACs per cycle * efficiency)    (Eq. 2)

Smaller blocks fill the machine better and reuse operands less, which costs issue slots; their efficiency is
below one. References: Kerr et al., "CUTLASS: fast linear algebra in CUDA C++", NVIDIA technical blog (2017);
wave quantisation: NVIDIA, "Matrix multiplication background user's guide", DU-09799-001, sections 3 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.components.params import Value
from cosim.ir.batch import Array


@dataclass(frozen=True)
class Tile:
    """One shape of thread block and the share of the multiplier rate that its inner loop reaches."""

    name: str
    rows: int
    cols: int
    efficiency: float


# Efficiencies relative to the largest block (Kerr et al. 2017 explain why: operand loads per multiply grow as
# 1/Tm + 1/Tn). The figures are rounded assumptions, not fitted to any device.
TILES: tuple[Tile, ...] = (
    Tile("256x128", 256, 128, 1.0),
    Tile("128x128", 128, 128, 1.0),
    Tile("128x64", 128, 64, 0.9),
    Tile("64x64", 64, 64, 0.75),
    Tile("32x32", 32, 32, 0.4),
)


@dataclass(frozen=True)
class TileCost:
    """Cycles, waves and L2 traffic of the products under one tile; arrays broadcast to (points, L)."""

    cycles: Array
    waves: Array
    l2_bytes: Array


def tile_cost(
    tile: Tile,
    gemm: tuple[Array, Array, Array, Array],
    multiprocessors: Value,
    macs_per_cycle: Value,
    elem_bytes: Value,
    k_step: int,
) -> TileCost:
    """Cost of (groups, M, N, K) products under one tile; zero where a layer has no product.

    ``macs_per_cycle`` is the rate of one multiprocessor. ``k_step`` is the reduction length of one matrix
    instruction: a shorter reduction is padded to it.
    """
    groups, rows, cols, depth = gemm
    row_tiles = np.ceil(rows / tile.rows)
    col_tiles = np.ceil(cols / tile.cols)
    padded = np.ceil(depth / k_step) * k_step
    waves = np.ceil(groups * row_tiles * col_tiles / multiprocessors)
    cycles = waves * (tile.rows * tile.cols / tile.efficiency * padded) / macs_per_cycle
    # Every block column reads the whole left operand once, every block row the whole right operand.
    reads = groups * depth * (col_tiles * rows + row_tiles * cols) + groups * rows * cols
    return TileCost(np.asarray(cycles), np.asarray(waves), np.asarray(reads * elem_bytes))
