"""Tilings of a 4f correlator: what shares a frame, and how many frames, masks and pixels a layer needs.

One object serves two models: the cost model reads its counts, the value model lays its tiles on the plane.

A layer becomes ``classes`` independent groups of work; in each, every one of ``input_planes`` input frames
meets every one of ``masks`` Fourier masks, ``repeats`` times:

    frames = classes * input_planes * masks * repeats                                       (Eq. 1)

With T tiles a plane, n = N * segments input maps, and s_x, s_w the sign passes of inputs and weights:

    mode     classes        input_planes            masks                    channel sum
    none     G*C            s_x * n                 s_w * K                  electronic     (Eq. 2)
    batch    G*C            s_x * ceil(n / T)       s_w * K                  electronic     (Eq. 3)
    kernel   G*C            s_x * n                 s_w * ceil(K / T)        electronic     (Eq. 4)
    channel  G*ceil(C / T)  s_x * ceil(n / I)       s_w * ceil(K / n_f)      optical        (Eq. 5)

n_f is the whole filters of C channels in one frame and I = max(1, floor(n_f / K)) the images that share it.
A depthwise layer whose channels share one kernel is ``batch`` with its channels counted as images (``shared``).
Operands computed at run time have a mask of their own for every image: N moves into ``classes``.

Sources: Li and Gupta, "4F optical neural network acceleration: an architectural perspective", Proc. SPIE 12019
(2022), doi:10.1117/12.2614731 (channel tiling, the M+K-1 pitch); Ibadulla et al., "FatNet", AI 4 (2023) 361,
doi:10.3390/ai4020018 (batch tiling on the short side of the plane). The exact guards are this project's: zeros
between two tiles serve as the padding of both, so "same" needs floor(K/2) and "valid" none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from cosim.components.params import Value
from cosim.ir.batch import Array, LayerBatch, Mask
from cosim.ir.ops import OpClass

Guard = Literal["published", "exact", "double"]
Packing = Literal["blocks", "whole", "pairs"]
Mode = Literal["none", "batch", "kernel", "channel"]
MODES: tuple[Mode, ...] = ("none", "batch", "kernel", "channel")


class Scheme(NamedTuple):
    """A sign scheme: masks per kernel, input planes per input, frames that change neither; what may be signed."""

    mask_passes: int
    input_passes: int
    repeats: int
    signed_inputs: bool
    signed_weights: bool

    @property
    def passes(self) -> int:
        """Frames per result."""
        return self.mask_passes * self.input_passes * self.repeats


# An intensity camera loses the sign of the field. How each scheme gets it back, or does without it.
SCHEMES: dict[str, Scheme] = {
    # y = sqrt(I+) - sqrt(I-), weights split (Chang et al., Sci. Rep. 8, 2018, doi:10.1038/s41598-018-30619-y)
    "pn2": Scheme(2, 1, 1, signed_inputs=False, signed_weights=True),
    # both operands split
    "pn4": Scheme(2, 2, 1, signed_inputs=True, signed_weights=True),
    # y = sqrt(I) = |sum|: the magnitude is the network's activation (Li and Gupta 2022)
    "abs": Scheme(1, 1, 1, signed_inputs=True, signed_weights=True),
    # y = sqrt(I) - r with a coherent reference r of at least max |y|
    "reference": Scheme(1, 1, 1, signed_inputs=True, signed_weights=True),
    # y = (I_r - I_-r) / 4r
    "two_step": Scheme(1, 1, 2, signed_inputs=True, signed_weights=True),
    # y^2 is the activation (Hu et al., Laser Photonics Rev. 2022, doi:10.1002/lpor.202200213)
    "square": Scheme(1, 1, 1, signed_inputs=True, signed_weights=True),
    # operands are not negative, or signs are left out as in published frame counts
    "nonnegative": Scheme(1, 1, 1, signed_inputs=False, signed_weights=False),
}


@dataclass(frozen=True)
class Signs:
    """Passes of every layer: numbers, or arrays of shape (L,) where layers use different schemes."""

    mask_passes: Value
    input_passes: Value
    repeats: Value

    @property
    def passes(self) -> Value:
        """Frames per result."""
        return self.mask_passes * self.input_passes * self.repeats


def signs_of(scheme: str) -> Signs:
    """Passes of one scheme for every layer."""
    chosen = SCHEMES[scheme]
    return Signs(float(chosen.mask_passes), float(chosen.input_passes), float(chosen.repeats))


@dataclass(frozen=True)
class Plane:
    """The pixel plane of inputs and masks, in values a side (modulator pixels over the superpixel).

    ``guard``: ``published`` K-1, ``exact`` the padding on one side, ``double`` a whole tile.
    ``extra``: further values between tiles, against crosstalk.
    """

    rows: Value
    columns: Value
    guard: Guard = "exact"
    extra: Value = 0.0


@dataclass(frozen=True)
class Geometry:
    """One axis pair of tiles on a plane; arrays of shape (L,) or (points, L), lengths in values.

    Attributes
    ----------
    kernel_h, kernel_w: kernel of one mask, dilation included, after splitting
    tile_h, tile_w:     input map
    guard_h, guard_w:   zeros between tiles
    pitch_h, pitch_w:   distance of tiles
    tiles_h, tiles_w:   tiles along each axis of one plane
    segments_h, segments_w: overlapping pieces of one map that is larger than the plane (overlap-save)
    pieces:             parts of one kernel that is larger than half the plane, summed electronically
    out_h, out_w:       outputs of one map at full resolution, before a stride picks from them
    """

    kernel_h: Array
    kernel_w: Array
    tile_h: Array
    tile_w: Array
    guard_h: Array
    guard_w: Array
    pitch_h: Array
    pitch_w: Array
    tiles_h: Array
    tiles_w: Array
    segments_h: Array
    segments_w: Array
    pieces: Array
    out_h: Array
    out_w: Array

    @property
    def tiles(self) -> Array:
        """Tiles T of one plane."""
        return self.tiles_h * self.tiles_w

    @property
    def segments(self) -> Array:
        """Segments of one map."""
        return self.segments_h * self.segments_w


@dataclass(frozen=True)
class Schedule:
    """Frames of a layer in one mode; arrays of shape (L,) or (points, L).

    Attributes
    ----------
    factors:      classes, input planes, masks and repeats of Eq. 1; None where modes differ by design point
    frames, mask_loads, input_loads: exposures, masks written, input planes written
    plane_tiles:  input tiles of one input plane (mean)
    lit_tiles:    tiles of the output plane that receive light, all frames together
    maps:         output tiles read, all frames together
    window_tiles: output tiles of the fullest frame
    """

    factors: tuple[Value, ...] | None
    frames: Array
    mask_loads: Array
    input_loads: Array
    plane_tiles: Array
    lit_tiles: Array
    maps: Array
    window_tiles: Array


def usable_side(pixels: Value, superpixel: Value) -> Value:
    """Whole values along one side of a plane: floor(pixels / superpixel)."""
    return np.floor(pixels / superpixel)


def _axis_guard(rule: Guard, kernel: Array, tile: Array, padding: Array, full: Mask) -> Array:
    if rule == "double":
        return tile
    if rule == "published":
        return kernel - 1
    return np.where(full, kernel - 1, np.ceil(padding / 2))


def _axis(
    side: Value, plane: Plane, kernel: Array, tile: Array, padding: Array, out: Array, full: Mask
) -> tuple[Array, ...]:
    """Kernel part, guard, pitch, tiles, segments and kernel parts along one axis.

    A plane of ``side`` values gives side - kernel + 1 outputs that circular wrap does not spoil (overlap-save,
    Oppenheim and Schafer), so a kernel above half the plane is split and its parts are summed.
    """
    room = side - plane.extra
    half = np.maximum(np.floor((room + 1) / 2), 1.0)
    part = np.minimum(kernel, half)
    pieces = np.ceil(kernel / half)
    guard = _axis_guard(plane.guard, part, tile, padding, full) + plane.extra
    pitch = tile + guard
    tiles = np.maximum(np.floor(side / pitch), 1.0)
    segments = np.where(pitch > side, np.ceil(out / np.maximum(room - part + 1, 1.0)), 1.0)
    return part, guard, pitch, tiles, segments, pieces


def geometry(layers: LayerBatch, plane: Plane) -> Geometry:
    """Tiles of every layer on ``plane``.

    A 1x1 kernel picks the pixels of its stride before the light does, so its tile is the output map; a
    transposed convolution spreads its input by the stride and needs a full convolution (guard K-1).
    """
    transposed = layers.op_class == int(OpClass.TRANSPOSED_CONV)
    kernel_h = (layers.R - 1) * layers.dilation_h + 1
    kernel_w = (layers.S - 1) * layers.dilation_w + 1
    point = (kernel_h == 1) & (kernel_w == 1)
    spread = [
        np.where(transposed, (size - 1) * stride + 1, np.where(point, out, size))
        for size, stride, out in (
            (layers.H, layers.stride_h, layers.P),
            (layers.W, layers.stride_w, layers.Q),
        )
    ]
    out_h = np.where(transposed | point, layers.P, (layers.P - 1) * layers.stride_h + 1)
    out_w = np.where(transposed | point, layers.Q, (layers.Q - 1) * layers.stride_w + 1)
    h = _axis(plane.rows, plane, kernel_h, spread[0], np.where(point, 0, layers.pad_h), out_h, transposed)
    w = _axis(plane.columns, plane, kernel_w, spread[1], np.where(point, 0, layers.pad_w), out_w, transposed)
    return Geometry(
        kernel_h=h[0],
        kernel_w=w[0],
        tile_h=spread[0],
        tile_w=spread[1],
        guard_h=h[1],
        guard_w=w[1],
        pitch_h=h[2],
        pitch_w=w[2],
        tiles_h=h[3],
        tiles_w=w[3],
        segments_h=h[4],
        segments_w=w[4],
        pieces=h[5] * w[5],
        out_h=out_h,
        out_w=out_w,
    )


def shares_kernel(layers: LayerBatch) -> Mask:
    """Grouped layers whose groups all use one kernel, told by their parameter count (with or without bias)."""
    kernel = layers.K * layers.C * layers.R * layers.S
    own = layers.G * kernel
    biased = (layers.w_elems == kernel + layers.G * layers.K) & (layers.w_elems != own)
    return np.asarray(layers.static_weight & (layers.G > 1) & ((layers.w_elems == kernel) | biased))


@dataclass(frozen=True)
class Work:
    """What a layer asks for, independent of the plane: groups, channels, filters, images; shape (L,)."""

    groups: Array
    channels: Array
    filters: Array
    images: Array


def work(layers: LayerBatch, share: Mask) -> Work:
    """Groups and images of every layer; where ``share`` holds, groups count as images of one kernel."""
    own_mask = ~layers.static_weight
    groups = np.where(share, 1.0, layers.G) * np.where(own_mask, layers.N, 1.0)
    images = np.where(own_mask, 1.0, layers.N) * np.where(share, layers.G, 1.0)
    return Work(groups, layers.C, layers.K, images)


def block_shapes(channels: Array, geo: Geometry) -> tuple[tuple[Array, Array], ...]:
    """Rectangles of tiles (rows, columns) that hold ``channels`` tiles: a square, a wide and a tall strip.

    A strip longer than the plane folds, so that one of them fits whenever T >= C.
    """
    side = np.ceil(np.sqrt(channels))
    columns = np.minimum(channels, geo.tiles_w)
    rows = np.minimum(channels, geo.tiles_h)
    return (
        (side, np.ceil(channels / side)),
        (np.ceil(channels / columns), columns),
        (rows, np.ceil(channels / rows)),
    )


def filters_per_frame(channels: Array, geo: Geometry, packing: Packing) -> Array:
    """Whole filters n_f that one frame of channel tiling holds; 0 where not even one fits.

    ``blocks`` lays each filter in a rectangle of tiles; only such a layout keeps the sums of different
    filters apart. ``whole`` is floor(T / C), the count in print; ``pairs`` T / C, which splits filters over
    frames.
    """
    if packing == "pairs":
        return np.asarray(geo.tiles / channels)
    if packing == "whole":
        return np.floor(geo.tiles / channels)
    counts = [np.floor(geo.tiles_h / a) * np.floor(geo.tiles_w / b) for a, b in block_shapes(channels, geo)]
    return np.asarray(np.maximum(np.maximum(counts[0], counts[1]), counts[2]))


@dataclass(frozen=True)
class Order:
    """How the frames of a layer follow one another.

    ``packing`` is the layout of channel tiling. A mask stays while its inputs pass; where ``keep_input`` holds, an
    input stays while its masks pass. ``repeats`` multiplies every frame (bit planes read one by one).
    """

    packing: Packing = "blocks"
    keep_input: Mask | bool = False
    repeats: Value = 1.0


def _finish(
    counts: tuple[Array, Array, Array],
    signs: Signs,
    order: Order,
    plane_tiles: Array,
    maps: Array,
    lit_per_map: Array | float,
    window: Array,
) -> Schedule:
    """Loads of both planes from (classes, input planes, masks) and the loop order."""
    classes, input_planes, masks = counts
    passes = input_planes * masks
    repeats = order.repeats * signs.repeats
    mask_loads, input_loads = masks, np.where(input_planes > 1, passes, 1.0)
    if np.any(order.keep_input):
        mask_loads = np.where(order.keep_input, np.where(masks > 1, passes, 1.0), mask_loads)
        input_loads = np.where(order.keep_input, input_planes, input_loads)
    return Schedule(
        factors=(classes, input_planes, masks, repeats),
        frames=classes * passes * repeats,
        mask_loads=classes * mask_loads,
        input_loads=classes * input_loads,
        plane_tiles=plane_tiles,
        lit_tiles=maps * lit_per_map,
        maps=maps,
        window_tiles=window,
    )


IN_ORDER = Order()


def schedule(mode: Mode, need: Work, geo: Geometry, signs: Signs, order: Order = IN_ORDER) -> Schedule:
    """Frames of every layer in ``mode`` (Eqs. 1 to 5); see :class:`Order` for the loops."""
    n = need.images * geo.segments
    kernels = need.filters * geo.pieces
    per_result = signs.passes * order.repeats
    if mode == "channel":
        return _channel(need, geo, signs, order, n, kernels)
    classes = need.groups * need.channels
    maps = classes * n * kernels * per_result
    one = np.ones_like(n)
    if mode == "batch":
        planes = np.ceil(n / geo.tiles)
        counts = (classes, signs.input_passes * planes, signs.mask_passes * kernels)
        return _finish(counts, signs, order, n / planes, maps, 1.0, np.minimum(n, geo.tiles))
    if mode == "kernel":
        counts = (classes, signs.input_passes * n, signs.mask_passes * np.ceil(kernels / geo.tiles))
        return _finish(counts, signs, order, one, maps, 1.0, np.minimum(kernels, geo.tiles))
    counts = (classes, signs.input_passes * n, signs.mask_passes * kernels)
    return _finish(counts, signs, order, one, maps, 1.0, one)


def _channel(need: Work, geo: Geometry, signs: Signs, order: Order, n: Array, kernels: Array) -> Schedule:
    """Channel tiling (Eq. 5): all channels of a filter meet in one frame and add up as fields."""
    chunks = np.ceil(need.channels / geo.tiles)
    per_frame = np.maximum(filters_per_frame(need.channels, geo, order.packing), 1.0)
    filter_frames = np.ceil(kernels / per_frame)
    if order.packing == "pairs":
        filter_frames = np.where(chunks > 1, kernels, np.ceil(kernels * need.channels / geo.tiles))
    images = np.maximum(np.floor(per_frame / kernels), 1.0)
    planes = np.ceil(n / images)
    classes = need.groups * chunks
    held = need.channels / chunks
    counts = (classes, signs.input_passes * planes, signs.mask_passes * filter_frames)
    maps = classes * n * kernels * (signs.passes * order.repeats)
    window = np.minimum(per_frame, kernels) * np.minimum(images, n)
    return _finish(counts, signs, order, held * (n / planes), maps, held, window)
