"""Block sizes of a matrix product from the geometry of the caches, and how often blocks are read again.

The loops of Goto and van de Geijn (ACM TOMS 2008, doi 10.1145/1356052.1356053) keep a panel of one operand in the
first level, a block of the other in the second and a panel of the first in the third. Low et al., "Analytical
modeling is enough for high-performance BLIS" (ACM TOMS 2016, doi 10.1145/2925987) give the sizes for a register
tile of m_r x n_r and caches of W ways and N sets of 64-byte lines:

    k_c = C_A * N_1 * 64 / (m_r * bytes),  C_A = floor((W_1 - 1) / (1 + n_r / m_r))             (Eq. 1)
    m_c = (W_2 - 1 - ceil(n_r * k_c * bytes / (N_2 * 64))) * N_2 * 64 / (k_c * bytes)            (Eq. 2)
    n_c = (W_3 - 1 - ceil(m_c * k_c * bytes / (N_3 * 64))) * N_3 * 64 / (k_c * bytes)            (Eq. 3)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.components.params import Params, Value
from cosim.ir.batch import Array

LINE_BYTES = 64.0


@dataclass(frozen=True)
class Blocks:
    """Elements of the reduction, rows and columns that a block covers."""

    k_c: Value
    m_c: Value
    n_c: Value

    def sum_passes(self, depth: Array) -> Array:
        """How often the sums are stored (and, but for the last time, loaded again)."""
        return np.asarray(np.ceil(depth / self.k_c))

    def left_reads(self, cols: Array) -> Array:
        """How often the left operand passes through the second level: once per panel of columns."""
        return np.asarray(np.ceil(cols / self.n_c))

    def right_reads(self, rows: Array) -> Array:
        """How often the right operand is read: once per block of rows."""
        return np.asarray(np.ceil(rows / self.m_c))


def reduction_block(
    tile_long: Value, tile_short: Value, elem_bytes: float, l1_bytes: Value, ways: Value
) -> Value:
    """Eq. 1, with the longer side of the tile as m_r; at least one way holds the panel."""
    held = np.maximum(np.floor((ways - 1.0) / (1.0 + tile_short / tile_long)), 1.0)
    return np.floor(held * l1_bytes / ways / (tile_long * elem_bytes))


def row_block(tile_cols: Value, k_c: Value, elem_bytes: float, l2_bytes: Value, ways: Value) -> Value:
    """Eq. 2, also Eq. 3 with the block of rows in place of the tile's columns; at least one row."""
    way_bytes = l2_bytes / ways
    held = ways - 1.0 - np.ceil(tile_cols * k_c * elem_bytes / np.maximum(way_bytes, 1.0))
    return np.maximum(np.floor(np.maximum(held, 1.0) * way_bytes / (k_c * elem_bytes)), 1.0)


def blocks_of(
    params: Params, tile_rows: Value, tile_cols: Value, elem_bytes: float, fixed_k: float
) -> Blocks:
    """Block sizes for a machine and register tile.

    ``fixed_k``: the reduction block that a library is built with, 0 to compute it. A machine without a third level
    streams the right operand from memory: its panel is as wide as the second level allows.
    """
    long, short = np.maximum(tile_rows, tile_cols), np.minimum(tile_rows, tile_cols)
    l1, l2, l3 = (params[f"caches.l{level}_bytes"] for level in (1, 2, 3))
    k_c = fixed_k or reduction_block(long, short, elem_bytes, l1, params["caches.l1_ways"])
    m_c = row_block(tile_cols, k_c, elem_bytes, l2, params["caches.l2_ways"])
    outer = np.maximum(l3, l2)
    n_c = row_block(m_c, k_c, elem_bytes, outer, params["caches.l3_ways"])
    return Blocks(k_c, m_c, n_c)
