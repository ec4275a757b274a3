"""Cutting a layer into register tiles of a SIMD core, remainders included.

A matrix product of M rows by V vectors of outputs is covered by full tiles of ``rows x vectors``, and the
remainders by smaller tiles, as hand-written kernels do: a remainder of rows is split into tiles of 3, 2 and 1
rows, a remainder of vectors is one narrower tile. A direct convolution tiles along an output row instead; the
outputs whose window hangs over the left or right edge are computed one by one (the organisation of blocked-layout
convolutions: Georganas et al., SC 2018, doi 10.1109/SC.2018.00069).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.components.cpu_kernels import Kernel, Ports
from cosim.components.params import Value
from cosim.ir.batch import Array, LayerBatch


@dataclass(frozen=True)
class TileOverhead:
    """Cycles beside the steps: entering and leaving a tile, starting a row of tiles."""

    tile_cycles: Value
    row_cycles: Value


@dataclass(frozen=True)
class RowTiles:
    """How many tiles of each height cover the rows; arrays of shape (L,)."""

    full: Array
    three: Array
    two: Array
    one: Array


def split_rows(rows: Array, tile_rows: float) -> RowTiles:
    """Full tiles, and the remainder as tiles of 3, 2 and 1 rows (exact for tiles of up to 6 rows)."""
    if tile_rows <= 1.0:
        zero = np.zeros_like(rows)
        return RowTiles(np.ceil(rows), zero, zero, zero)
    full = np.floor(rows / tile_rows)
    rest = rows - full * tile_rows
    three = np.floor(rest / 3)
    rest = rest - 3 * three
    two = np.floor(rest / 2)
    return RowTiles(full, three, two, rest - 2 * two)


def tiled_cycles(
    tiles: RowTiles,
    vectors: Array,
    steps: Array,
    passes: Array,
    kernel: Kernel,
    ports: Ports,
    overhead: TileOverhead,
) -> Array:
    """Cycles of all tiles of one product.

    ``vectors`` is the number of accumulator vectors across the outputs, ``steps`` the steps along the
    reduction, and ``passes`` how often a tile's accumulators are stored and loaded again because the reduction
    is blocked. All arrays broadcast to (points, L).
    """
    tile_rows, tile_vectors = ports.tile(kernel)
    wide = np.floor(vectors / tile_vectors)
    narrow = vectors - wide * tile_vectors
    total: Array = np.zeros(1)
    for height, count in ((tile_rows, tiles.full), (3.0, tiles.three), (2.0, tiles.two), (1.0, tiles.one)):
        if not np.any(count):
            continue
        for width, number in ((tile_vectors, wide), (narrow, narrow > 0)):
            step = ports.step_cycles(kernel, height, width)
            store = height * width * (1.0 / ports.store + 1.0 / ports.vector_load)
            total = total + count * number * (steps * step + passes * (store + overhead.tile_cycles))
    return total


def edge_columns(layers: LayerBatch) -> tuple[Array, Array]:
    """(interior, edge) output columns: those whose window lies inside the input row, and the others."""
    span = layers.dilation_w * (layers.S - 1) + 1
    inside = np.maximum(np.floor((layers.W - span) / layers.stride_w) + 1, 0.0)
    left = np.floor(layers.pad_w / 2)
    # The first window starts `left` columns before the row, so an interior window may be lost to alignment.
    skipped = np.ceil(left / layers.stride_w)
    last = np.floor((layers.W - span + left) / layers.stride_w)
    inside = np.clip(np.minimum(last - skipped + 1, inside), 0.0, layers.Q)
    return inside, layers.Q - inside


def valid_tap_share(layers: LayerBatch) -> Array:
    """Share of (output row, kernel row) pairs whose input row exists; padding rows are skipped, not computed."""
    top = np.floor(layers.pad_h / 2)
    share = np.zeros(layers.size)
    for tap in range(int(layers.R.max(initial=1.0))):
        offset = tap * layers.dilation_h - top
        first = np.maximum(np.ceil(-offset / layers.stride_h), 0.0)
        last = np.minimum(np.floor((layers.H - 1 - offset) / layers.stride_h), layers.P - 1)
        share = share + np.where(tap < layers.R, np.maximum(last - first + 1, 0.0), 0.0)
    return share / (layers.R * layers.P)


def gemm_cycles(
    layers: LayerBatch, kernel: Kernel, ports: Ports, overhead: TileOverhead, k_block: Value
) -> Array:
    """Cycles of the layers as matrix products; see :func:`tiled_cycles`."""
    tile_rows, _ = ports.tile(kernel)
    vectors = np.ceil(layers.gemm_n / ports.outputs_per_vector(kernel))
    steps = np.ceil(layers.gemm_k / ports.products_per_step(kernel))
    passes = np.ceil(layers.gemm_k / k_block)
    tiles = split_rows(layers.gemm_m, tile_rows)
    return layers.gemm_g * tiled_cycles(tiles, vectors, steps, passes, kernel, ports, overhead)


def direct_cycles(layers: LayerBatch, kernel: Kernel, ports: Ports, overhead: TileOverhead) -> Array:
    """Cycles of dense convolutions in a channel-blocked layout.

    Pointwise convolutions of stride 1 tile the whole plane and block the reduction by 128 channels; others tile
    each output row and block it by one vector of channels (all channels if there are fewer).
    """
    tile_rows, _ = ports.tile(kernel)
    lanes = ports.outputs_per_vector(kernel)
    vectors = np.ceil(layers.K / lanes)
    narrow_input = lanes > layers.C
    channels = np.where(narrow_input, layers.C, np.ceil(layers.C / lanes) * lanes)
    pointwise = (layers.R * layers.S == 1) & (layers.stride_h * layers.stride_w == 1)
    inside, edge = edge_columns(layers)
    block = np.where(layers.R * layers.S == 1, 128.0, lanes)
    passes = np.ceil(channels / block)
    steps = channels * layers.R * layers.S * valid_tap_share(layers)
    rows = np.where(pointwise, layers.P * layers.Q, inside)
    repeats = layers.N * layers.G * np.where(pointwise, 1.0, layers.P)
    tiles = split_rows(rows, tile_rows)
    tiles = RowTiles(tiles.full, tiles.three, tiles.two, tiles.one + np.where(pointwise, 0.0, edge))
    cycles = tiled_cycles(tiles, vectors, steps, passes, kernel, ports, overhead)
    groups_of_vectors = np.ceil(vectors / ports.tile(kernel)[1])
    return repeats * (cycles + passes * groups_of_vectors * overhead.row_cycles)


def depthwise_cycles(layers: LayerBatch, kernel: Kernel, ports: Ports, overhead: TileOverhead) -> Array:
    """Cycles of depthwise convolutions: channels across the lanes, a few output columns at a time.

    Every tap loads one vector of weights for the tile and one vector of input per output column, so loads and
    multiplies are nearly equal in number; an edge column is a single accumulator bound by its latency.
    """
    lanes = ports.outputs_per_vector(kernel)
    vectors = np.ceil(layers.G * layers.K / lanes)
    taps = layers.R * layers.S * valid_tap_share(layers)
    inside, edge = edge_columns(layers)
    tiles = split_rows(inside, 6.0)
    issued = kernel.multiplies + kernel.alu
    total: Array = np.zeros(1)
    for height, count in ((6.0, tiles.full), (3.0, tiles.three), (2.0, tiles.two), (1.0, tiles.one + edge)):
        work = np.maximum(height * issued / ports.vector, height * kernel.multiplies / ports.multiply)
        step = np.maximum(np.maximum(work, (height + 1.0) / ports.vector_load), ports.multiply_latency_cycles)
        total = total + count * (taps * step + height / ports.store + overhead.tile_cycles)
    return layers.N * layers.P * vectors * (total + overhead.row_cycles)


def sliding_cycles(layers: LayerBatch, kernel: Kernel, ports: Ports, overhead: TileOverhead) -> Array:
    """Cycles of row filters that shift registers instead of loading again (Snytsar, arXiv 2310.05218).

    Per kernel row and vector of outputs along the width: S multiplies, S - 1 slides on the shuffle pipe and
    1 + (S - 1) / lanes loads. Channels are independent for depthwise layers and summed for dense ones.
    """
    lanes = ports.outputs_per_vector(kernel)
    vectors = np.ceil(layers.Q / lanes) * layers.stride_w
    loads = (1.0 + (layers.S - 1) / lanes) / ports.vector_load
    slides = (layers.S - 1) / ports.shuffle
    work = np.maximum(layers.S / ports.multiply, (2.0 * layers.S - 1) / ports.vector)
    step = np.maximum(np.maximum(loads, slides), work)
    rows = layers.N * layers.G * layers.K * layers.P
    per_row = vectors * layers.C * layers.R * valid_tap_share(layers) * step
    return rows * (per_row + vectors / ports.store + overhead.tile_cycles)


def winograd_cycles(
    layers: LayerBatch, kernel: Kernel, ports: Ports, overhead: TileOverhead, k_block: Value
) -> Array:
    """Cycles of F(2x2, 3x3): sixteen products over quarter-size planes, and the transforms.

    Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016, arXiv 1509.09308, section 4:
    32 additions for a 4x4 input tile, 24 for a 2x2 output tile; weights are transformed beforehand.
    """
    tile_rows, _ = ports.tile(kernel)
    lanes = ports.outputs_per_vector(kernel)
    tiles = layers.N * np.ceil(layers.P / 2) * np.ceil(layers.Q / 2)
    vectors = np.ceil(layers.K / lanes)
    passes = np.ceil(layers.C / k_block)
    products = 16.0 * tiled_cycles(
        split_rows(tiles, tile_rows), vectors, layers.C, passes, kernel, ports, overhead
    )
    moved = 16.0 / ports.vector_load + 16.0 / ports.store
    before = tiles * np.ceil(layers.C / lanes) * np.maximum(32.0 / ports.vector, moved)
    after = tiles * vectors * np.maximum(24.0 / ports.vector, 16.0 / ports.vector_load + 4.0 / ports.store)
    return layers.G * (products + before + after)
