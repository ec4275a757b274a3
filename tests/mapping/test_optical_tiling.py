"""Frames, tiles and masks of the 4f tiling modes against published counts and hand-worked layers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.ir.batch import LayerBatch
from cosim.ir.layer import Layer, mac_layer
from cosim.mapping.optical_tiling import (
    MODES,
    SCHEMES,
    Geometry,
    Mode,
    Order,
    Plane,
    Schedule,
    filters_per_frame,
    geometry,
    schedule,
    shares_kernel,
    signs_of,
    work,
)

UHD = (2160.0, 3840.0)


def conv(
    M: int, K: int = 1, C: int = 1, kernel: int = 3, N: int = 1, pad: int | None = None, **more: Any
) -> Layer:
    p = kernel // 2 if pad is None else pad
    P = M + 2 * p - kernel + 1
    return mac_layer(
        "x", "conv", N=N, K=K, C=C, P=P, Q=P, R=kernel, S=kernel, H=M, W=M, padding=(p, p, p, p), **more
    )


def layout(layer: Layer, plane: Plane) -> tuple[Geometry, LayerBatch]:
    batch = LayerBatch.from_layers([layer])
    return geometry(batch, plane), batch


def plan(layer: Layer, mode: Mode, scheme: str = "pn2", plane: Plane | None = None, **order: Any) -> Schedule:
    geo, batch = layout(layer, plane or Plane(*UHD, "published"))
    return schedule(mode, work(batch, shares_kernel(batch)), geo, signs_of(scheme), Order(**order))


# Worked layer: 64 -> 128 channels, 3x3, 56x56, "same", on 3840 x 2160.
LAYER = conv(56, K=128, C=64)


@pytest.mark.parametrize(
    ("guard", "pad", "pitch", "tiles"),
    [("published", 1, 58, 66 * 37), ("exact", 1, 57, 67 * 37), ("exact", 0, 56, 68 * 38)],
)
def test_tiles_of_the_guard_rules(guard: Any, pad: int, pitch: int, tiles: int) -> None:
    geo, _ = layout(conv(56, pad=pad), Plane(*UHD, guard))
    assert (geo.pitch_h[0], geo.pitch_w[0], geo.tiles[0]) == (pitch, pitch, tiles)


def test_small_tiles_with_a_large_kernel_are_cheapest_when_valid() -> None:
    # 8 x 8 tokens, kernel 7: full 42,196; same 68,404; valid 129,600 tiles
    counts = [
        layout(conv(8, kernel=7, pad=pad), Plane(*UHD, guard))[0].tiles[0]
        for guard, pad in (("published", 3), ("exact", 3), ("exact", 0))
    ]
    assert counts == [42196, 68404, 129600]


def test_capacity_of_square_planes() -> None:
    # FatNet's full batch: floor(2160 / (32 + 7 - 1))^2; and floor(3840 / 34)^2
    assert layout(conv(32, kernel=7), Plane(2160.0, 2160.0, "published"))[0].tiles[0] == 3136
    assert layout(conv(32, kernel=3), Plane(3840.0, 3840.0, "published"))[0].tiles[0] == 12544


def test_tiles_of_a_bench_with_superpixels_and_double_tiles() -> None:
    # Hu et al. 2022: 28 px images, 3 x 3 mirrors, doubled: 168 mirrors a tile on 1920 x 1080
    plane = Plane(math.floor(1080 / 3), math.floor(1920 / 3), "double")
    geo, _ = layout(conv(28, kernel=3), plane)
    assert geo.pitch_h[0] * 3 == 168
    assert geo.tiles[0] == 66 == (1920 // 168) * (1080 // 168)


@pytest.mark.parametrize(
    ("mode", "scheme", "N", "frames", "mask_loads"),
    [
        ("none", "pn2", 1, 16384, 16384),
        ("batch", "pn2", 2442, 16384, 16384),
        ("batch", "pn2", 2443, 32768, 16384),
        ("kernel", "pn2", 1, 128, 128),
        ("channel", "abs", 1, 4, 4),
        ("none", "pn4", 1, 32768, 16384),
        ("none", "two_step", 1, 16384, 8192),
    ],
)
def test_frames_of_the_worked_layer(mode: Mode, scheme: str, N: int, frames: int, mask_loads: int) -> None:
    done = plan(LAYER.with_batch(N), mode, scheme, packing="whole")
    assert (done.frames[0], done.mask_loads[0]) == (frames, mask_loads)


def test_channel_packings_of_the_worked_layer() -> None:
    geo, batch = layout(LAYER, Plane(*UHD, "published"))
    # floor(2442 / 64); 1 x 64 strips: 37 * floor(66 / 64) (square blocks of 8 x 8 would hold 32)
    assert filters_per_frame(batch.C, geo, "whole")[0] == 38
    assert filters_per_frame(batch.C, geo, "blocks")[0] == 37
    assert plan(LAYER, "channel", "abs", packing="whole").window_tiles[0] == 38
    assert plan(LAYER, "channel", "abs", packing="blocks").frames[0] == 4
    assert plan(LAYER, "channel", "abs", packing="pairs").frames[0] == math.ceil(64 * 128 / 2442)


def test_shared_depthwise_needs_one_mask() -> None:
    shared = mac_layer("s", "depthwise_conv", G=64, P=56, Q=56, R=3, S=3, padding=(1, 1, 1, 1))
    shared = Layer(**{f: getattr(shared, f) for f in shared.__slots__} | {"w_elems": 9})
    assert plan(shared, "batch").frames[0] == 2
    own = mac_layer("u", "depthwise_conv", G=64, P=56, Q=56, R=3, S=3, padding=(1, 1, 1, 1))
    assert plan(own, "batch").frames[0] == 2 * 64


@pytest.mark.parametrize(
    ("w_elems", "bias", "shared"),
    [(9, False, True), (9 + 64, True, True), (576, False, False), (640, True, False)],
)
def test_shared_kernels_show_in_the_parameter_count(w_elems: int, bias: bool, shared: bool) -> None:
    layer = mac_layer("d", "depthwise_conv", G=64, P=8, Q=8, R=3, S=3, bias=bias)
    layer = Layer(**{f: getattr(layer, f) for f in layer.__slots__} | {"w_elems": w_elems})
    assert bool(shares_kernel(LayerBatch.from_layers([layer]))[0]) is shared


def channel_sum(shapes: list[tuple[int, int]]) -> int:
    return int(sum(plan(conv(8, K=k, C=c), "none", "nonnegative").frames[0] for c, k in shapes))


VGG16 = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256), (256, 512)]
VGG16 += [(512, 512)] * 5
RESNET18 = [(3, 64), *[(64, 64)] * 4, (64, 128), *[(128, 128)] * 3, (128, 256), *[(256, 256)] * 3, (256, 512)]
RESNET18 += [(512, 512)] * 3
FATNET = [(3, 64), *[(64, 64)] * 4, (64, 82), *[(82, 82)] * 3, (82, 78), *[(78, 78)] * 3, (78, 151)]
FATNET += [(151, 155), (155, 151), (151, 155)]


def test_untiled_frames_are_channel_products() -> None:
    assert channel_sum(VGG16) == 1_634_496  # Li and Gupta: 0.817 s at 2 MHz
    assert channel_sum([(3, 96), (96, 256), (256, 384), (384, 384), (384, 256)]) == 368_928  # 0.184 s
    assert channel_sum(RESNET18) == 1_220_800
    assert channel_sum(FATNET) == 148_637
    assert channel_sum([*FATNET, (155, 1)]) == 148_792
    assert channel_sum(RESNET18) / channel_sum(FATNET) == pytest.approx(8.2133, abs=5e-5)


# (channels in, channels out, image side) of VGG16 with 3x3 kernels on a square 4096 plane.
def vgg16_pairs(side: int) -> int:
    sides = [side, side, *[side // 2] * 2, *[side // 4] * 3, *[side // 8] * 3, *[side // 16] * 3]
    plane = Plane(4096.0, 4096.0, "published")
    return int(
        sum(
            plan(conv(m, K=k, C=c), "channel", "abs", plane, packing="pairs").frames[0]
            for (c, k), m in zip(VGG16, sides, strict=True)
        )
    )


def test_channel_tiled_frames_of_vgg16_as_printed() -> None:
    assert vgg16_pairs(224) == 120  # 60 us at 2 MHz, printed 60 us
    assert vgg16_pairs(32) == 13  # 6.5 us, printed 6 us in whole microseconds


def test_run_time_operands_get_a_mask_per_image() -> None:
    scores = mac_layer("qk", "matmul", G=12, K=197, C=64, P=197, static_weight=False)
    one, many = plan(scores, "channel"), plan(scores.with_batch(5), "channel")
    assert many.mask_loads[0] == 5 * one.mask_loads[0]
    assert many.frames[0] == 5 * one.frames[0]


def test_a_map_beyond_the_plane_is_split_by_overlap_save() -> None:
    # 100 values a side, kernel 5: a segment gives 96 outputs; 300 outputs need 4 a side
    geo, _ = layout(conv(300, kernel=5), Plane(100.0, 100.0))
    assert (geo.segments_h[0], geo.segments[0], geo.tiles[0]) == (4, 16, 1)
    # a map that fits with its padding needs no second segment
    assert layout(conv(96, kernel=5, pad=2), Plane(100.0, 100.0))[0].segments[0] == 1


def test_a_kernel_beyond_half_the_plane_is_split_and_summed() -> None:
    geo, _ = layout(conv(60, kernel=41, pad=20), Plane(60.0, 60.0))
    assert (geo.kernel_h[0], geo.pieces[0]) == (30, 4)
    whole = plan(conv(60, kernel=41, pad=20), "none", "nonnegative", Plane(60.0, 60.0))
    assert whole.frames[0] == 4 * geo.segments[0]


def test_strides_and_dilation() -> None:
    strided = mac_layer(
        "s", "conv", P=112, Q=112, R=7, S=7, H=224, W=224, stride=(2, 2), padding=(3, 3, 3, 3)
    )
    geo, _ = layout(strided, Plane(*UHD))
    assert geo.out_h[0] == 223  # full resolution up to the last output that is kept
    dilated = mac_layer("d", "conv", P=32, Q=32, R=3, S=3, dilation=(2, 2), padding=(2, 2, 2, 2))
    geo, _ = layout(dilated, Plane(*UHD, "published"))
    assert (geo.kernel_h[0], geo.pitch_h[0]) == (5, 36)
    point = mac_layer("p", "conv", P=28, Q=28, H=56, W=56, stride=(2, 2))
    assert layout(point, Plane(*UHD))[0].tile_h[0] == 28


def test_transposed_convolutions_spread_their_input() -> None:
    up = mac_layer("u", "transposed_conv", P=16, Q=16, R=2, S=2, H=8, W=8, stride=(2, 2))
    geo, _ = layout(up, Plane(*UHD))
    assert (geo.tile_h[0], geo.guard_h[0], geo.out_h[0]) == (15, 1, 16)


def test_loop_orders_trade_mask_loads_for_input_loads() -> None:
    layer = conv(56, K=8, C=4, N=5000)
    weight, inputs = plan(layer, "batch"), plan(layer, "batch", keep_input=True)
    assert weight.frames[0] == inputs.frames[0] == 4 * 3 * 16
    assert (weight.mask_loads[0], weight.input_loads[0]) == (4 * 16, 4 * 3 * 16)
    assert (inputs.mask_loads[0], inputs.input_loads[0]) == (4 * 3 * 16, 4 * 3)


def test_few_filters_share_a_frame_between_images() -> None:
    # 37 x 66 tiles hold 18 * 33 = 594 blocks of 2 x 2, so 297 images with 2 filters of 4 channels each
    frames = [plan(conv(56, K=2, C=4, N=n), "channel", "nonnegative").frames[0] for n in (1, 297, 298)]
    assert frames == [1, 1, 2]


@settings(deadline=None, max_examples=60)
@given(
    side=st.integers(1, 61),
    kernel=st.sampled_from([1, 2, 3, 5, 7, 11]),
    channels=st.integers(1, 67),
    filters=st.integers(1, 67),
    images=st.integers(1, 13),
    rows=st.integers(40, 300),
    mode=st.sampled_from(MODES),
    scheme=st.sampled_from(sorted(SCHEMES)),
    guard=st.sampled_from(["exact", "published", "double"]),
)
def test_counts_hold_for_any_layer(
    side: int,
    kernel: int,
    channels: int,
    filters: int,
    images: int,
    rows: int,
    mode: Mode,
    scheme: str,
    guard: Any,
) -> None:
    side = max(side, kernel)
    plane = Plane(float(rows), 200.0, guard)

    def frames(c: int, k: int, n: int, m: int) -> Schedule:
        return plan(conv(m, K=k, C=c, kernel=kernel, N=n), mode, scheme, plane)

    base = frames(channels, filters, images, side)
    geo, _ = layout(conv(side, kernel=kernel), plane)
    assert base.frames[0] >= max(base.mask_loads[0], base.input_loads[0])
    assert base.mask_loads[0] >= 1
    # nothing is lost: every (image, channel group, filter) is read once a pass
    assert base.maps[0] >= images * filters * geo.segments[0] * geo.pieces[0] * SCHEMES[scheme].passes
    assert base.lit_tiles[0] <= base.frames[0] * geo.tiles[0] * (1 + 1e-12)
    assert base.window_tiles[0] * base.frames[0] >= base.maps[0] * (1 - 1e-12)
    for more in (
        frames(channels + 1, filters, images, side),
        frames(channels, filters + 1, images, side),
        frames(channels, filters, images + 1, side),
        frames(channels, filters, images, side + 1),
    ):
        assert more.frames[0] >= base.frames[0]


@settings(deadline=None, max_examples=40)
@given(m=st.integers(1, 90), k=st.integers(1, 15), grow=st.integers(1, 9))
def test_tiles_never_rise_with_map_or_kernel(m: int, k: int, grow: int) -> None:
    def tiles(side: int, kernel: int) -> float:
        layer = mac_layer("x", "conv", P=side, Q=side, R=kernel, S=kernel, H=side, W=side)
        return float(geometry(LayerBatch.from_layers([layer]), Plane(400.0, 300.0, "published")).tiles[0])

    assert tiles(m + grow, k) <= tiles(m, k)
    assert tiles(m, k + grow) <= tiles(m, k)


def test_design_points_broadcast() -> None:
    batch = LayerBatch.from_layers([LAYER, conv(28, K=16, C=8)])
    sides = np.array([[512.0], [1024.0], [2160.0]])
    together = geometry(batch, Plane(sides, 2 * sides))
    for row, side in enumerate((512.0, 1024.0, 2160.0)):
        alone = geometry(batch, Plane(side, 2 * side))
        np.testing.assert_array_equal(together.tiles[row], alone.tiles)
