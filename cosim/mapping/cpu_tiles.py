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
from cosim.ir.batch import Array, LayerBatch, Mask

# Instructions to load and compare the six pointers of a tile for one tap.
POINTER_INSTRUCTIONS = 30.0


@dataclass(frozen=True)
class TileOverhead:
    """Cycles beside the steps: entering and leaving a tile, starting a row of tiles.

    ``tiles_in_flight`` independent tiles overlap their latencies (one on an in-order core); scalar loops retire
    ``sustained_ipc`` instructions a cycle, straight kernel code is dispatched at ``dispatch`` a cycle.
    """

    tile_cycles: Value
    row_cycles: Value
    sustained_ipc: Value
    tiles_in_flight: Value
    dispatch: Value


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
            store = height * width * (passes / ports.store + (passes - 1.0) / ports.vector_load)
            total = total + count * number * (steps * step + store + passes * overhead.tile_cycles)
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


def _valid_share(
    taps: Array, outputs: Array, inputs: Array, stride: Array, dilation: Array, pad: Array
) -> Array:
    """Share of (output, tap) pairs along one dimension whose input exists."""
    tap = np.arange(float(taps.max(initial=1.0)))[:, np.newaxis]
    offset = tap * dilation - np.floor(pad / 2)
    first = np.maximum(np.ceil(-offset / stride), 0.0)
    last = np.minimum(np.floor((inputs - 1 - offset) / stride), outputs - 1)
    valid = np.maximum(last - first + 1, 0.0) * (tap < taps)
    return np.asarray(valid.sum(axis=0) / (taps * outputs))


def valid_row_taps(layers: LayerBatch) -> Array:
    """Kernel rows whose input row exists, mean over the output rows; padding rows are skipped, not computed."""
    share = _valid_share(layers.R, layers.P, layers.H, layers.stride_h, layers.dilation_h, layers.pad_h)
    return layers.R * share


def edge_column_taps(layers: LayerBatch, inside: Array) -> Array:
    """Taps along the width whose input exists, summed over the edge columns of one output row."""
    share = _valid_share(layers.S, layers.Q, layers.W, layers.stride_w, layers.dilation_w, layers.pad_w)
    return np.maximum(layers.S * (layers.Q * share - inside), 0.0)


def gemm_cycles(
    layers: LayerBatch, kernel: Kernel, ports: Ports, overhead: TileOverhead, k_block: Value, turned: Mask
) -> Array:
    """Cycles of the layers as matrix products; see :func:`tiled_cycles`.

    Where ``turned``, the rows of the left operand run along the vectors (a channels-first plane) and the output
    channels along the tile's rows.
    """
    tile_rows, _ = ports.tile(kernel)
    across = np.where(turned, layers.gemm_m, layers.gemm_n)
    vectors = np.ceil(across / ports.outputs_per_vector(kernel))
    steps = np.ceil(layers.gemm_k / ports.products_per_step(kernel))
    passes = np.ceil(layers.gemm_k / k_block)
    tiles = split_rows(np.where(turned, layers.gemm_n, layers.gemm_m), tile_rows)
    return layers.gemm_g * tiled_cycles(tiles, vectors, steps, passes, kernel, ports, overhead)


def direct_cycles(layers: LayerBatch, kernel: Kernel, ports: Ports, overhead: TileOverhead) -> Array:
    """Cycles of dense convolutions in a channel-blocked layout.

    Pointwise convolutions of stride 1 tile the whole plane and block the reduction by 128 channels; others tile
    each output row and block it by one vector of channels (all channels if there are fewer).
    """
    tile_rows, tile_vectors = ports.tile(kernel)
    lanes = ports.outputs_per_vector(kernel)
    vectors = np.ceil(layers.K / lanes)
    channels = np.where(lanes > layers.C, layers.C, np.ceil(layers.C / lanes) * lanes)
    pointwise = (layers.R * layers.S == 1) & (layers.stride_h * layers.stride_w == 1)
    passes = np.ceil(channels / np.where(layers.R * layers.S == 1, 128.0, lanes))
    inside, edge = edge_columns(layers)
    tiles = split_rows(np.where(pointwise, layers.P * layers.Q, inside), tile_rows)
    steps = channels * valid_row_taps(layers)
    cycles = tiled_cycles(tiles, vectors, steps * layers.S, passes, kernel, ports, overhead)
    edge = np.where(pointwise, 0.0, edge)
    if np.any(edge):
        zero = np.zeros_like(edge)
        taps = edge_column_taps(layers, inside) / np.maximum(edge, 1.0)
        single = RowTiles(zero, zero, zero, edge)
        cycles = cycles + tiled_cycles(single, vectors, steps * taps, passes, kernel, ports, overhead)
    repeats = layers.N * layers.G * np.where(pointwise, 1.0, layers.P)
    return np.asarray(repeats * (cycles + passes * np.ceil(vectors / tile_vectors) * overhead.row_cycles))


def depthwise_cycles(
    layers: LayerBatch, kernel: Kernel, ports: Ports, overhead: TileOverhead, columns: float
) -> Array:
    """Cycles of depthwise convolutions: channels across the lanes, a few output columns at a time.

    Every tap loads one vector of weights for the tile and one vector of input per output column, so loads and
    multiplies are nearly equal in number. ``columns`` outputs share a load of the weights. Edge columns go one
    by one and test every tap against the border: seven instructions for a tap inside, five for one skipped; they
    overlap with the loads. Leaving a tile takes about twenty instructions, twelve for a single column.
    """
    vectors = np.ceil(layers.G * layers.K / ports.outputs_per_vector(kernel))
    if kernel.x_bits < 16:
        return _indirect_depthwise(layers, kernel, ports, overhead, vectors)
    rows = valid_row_taps(layers)
    inside, edge = edge_columns(layers)
    tiles = split_rows(inside, columns)
    total: Array = np.zeros(1)
    for height, count in ((columns, tiles.full), (3.0, tiles.three), (2.0, tiles.two), (1.0, tiles.one)):
        step = _depthwise_step(kernel, ports, overhead, height)
        leave = 20.0 / overhead.sustained_ipc
        total = total + count * (np.maximum(rows * layers.S * step, height / ports.store) + leave)
    taken = edge_column_taps(layers, inside)
    scalar = (7.0 * taken + 5.0 * (edge * layers.S - taken)) / overhead.dispatch
    loaded = taken * _depthwise_step(kernel, ports, overhead, 1.0)
    total = total + rows * np.maximum(scalar, loaded) + edge * 12.0 / overhead.sustained_ipc
    return np.asarray(layers.N * layers.P * vectors * (total + overhead.row_cycles))


def _depthwise_step(kernel: Kernel, ports: Ports, overhead: TileOverhead, height: float) -> Value:
    """Cycles of one tap for ``height`` output columns and one vector of channels."""
    work = np.maximum(
        height * (kernel.multiplies + kernel.alu) / ports.vector, height * kernel.multiplies / ports.multiply
    )
    loads = np.maximum((height + 1.0) / ports.vector_load, (height + 1.0) * kernel.shuffles / ports.shuffle)
    return np.maximum(np.maximum(work, loads), ports.multiply_latency_cycles / overhead.tiles_in_flight)


def _indirect_depthwise(
    layers: LayerBatch, kernel: Kernel, ports: Ports, overhead: TileOverhead, vectors: Array
) -> Array:
    """Integer depthwise over an indirection buffer: full tiles of six pixels, pointers per tap and four vectors."""
    tiles = np.ceil(layers.N * layers.P * layers.Q / 6.0)
    reload = np.ceil(vectors / 4.0) * POINTER_INSTRUCTIONS / overhead.sustained_ipc
    step = _depthwise_step(kernel, ports, overhead, 6.0)
    per_tile = layers.R * layers.S * (vectors * step + reload) + np.ceil(vectors / 4.0) * overhead.tile_cycles
    return np.asarray(tiles * per_tile)


def indirect_cycles(layers: LayerBatch, kernel: Kernel, ports: Ports, overhead: TileOverhead) -> Array:
    """Cycles of convolutions through pointers to input pixels (Dukhan, arXiv 1907.02129).

    Tiles are always full: the pointers of missing rows repeat the first. For every tap and group of output
    vectors the pointers of the tile's rows are loaded again.
    """
    tile_rows, tile_vectors = ports.tile(kernel)
    tiles = np.ceil(layers.N * layers.P * layers.Q / tile_rows)
    vectors = np.ceil(layers.K / ports.outputs_per_vector(kernel))
    wide = np.floor(vectors / tile_vectors)
    narrow = vectors - wide * tile_vectors
    steps = np.ceil(layers.C / ports.products_per_step(kernel))
    reload = POINTER_INSTRUCTIONS / overhead.sustained_ipc
    total: Array = np.zeros(1)
    for width, number in ((tile_vectors, wide), (narrow, np.asarray(narrow > 0, dtype=np.float64))):
        step = ports.step_cycles(kernel, tile_rows, width)
        # Integer sums are narrowed before they are stored; that store is part of the requantisation.
        store = tile_rows * width / ports.store if kernel.x_bits >= 16 else 0.0
        total = total + number * (
            layers.R * layers.S * (steps * step + reload) + store + overhead.tile_cycles
        )
    return np.asarray(layers.G * tiles * total)


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
    per_row = vectors * layers.C * valid_row_taps(layers) * step
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
