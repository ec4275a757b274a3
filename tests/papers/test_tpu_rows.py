"""TPU v1: tiles, stand-in shapes and rooflines by hand."""

from __future__ import annotations

import pytest

from cosim.papers import tpu_v1


def test_tiles_by_hand() -> None:
    """600 x 600 covers ceil(600 / 256)^2 = 9 tiles of 64 KiB, or 4 of 256 KiB, at 34 GB/s."""
    layer = tpu_v1.layer_of("LSTM1")
    assert tpu_v1.tile_s(layer) == pytest.approx(9 * 65536 / 34e9)
    large = ("array.rows=512", "array.cols=512", "buffers.filter.capacity_bytes=1 MiB")
    assert tpu_v1.tile_s(layer, *large) == pytest.approx(4 * 262144 / 34e9)
    assert tpu_v1.useful_share(layer) == pytest.approx(600**2 / (9 * 256**2))


def test_stand_in_layers_have_the_published_weights() -> None:
    for name in ("MLP0", "MLP1", "CNN0"):
        a, layer = tpu_v1.BY_NAME[name], tpu_v1.layer_of(name)
        assert a.layers * layer.w_elems == pytest.approx(a.weights, rel=0.01)
        assert layer.macs / layer.w_elems == a.macs_per_weight_byte


def test_a_whole_tile_is_never_faster_than_the_roofline() -> None:
    for name in ("MLP0", "MLP1", "LSTM1", "CNN0"):
        assert tpu_v1.array_ops_per_s(tpu_v1.layer_of(name)) <= tpu_v1.roofline_ops_per_s(
            tpu_v1.BY_NAME[name]
        )


def test_speedups_by_hand() -> None:
    """CNN1 at four times the clock: 2 * 1750 * 34 GB/s = 119 TOP/s over 91.75; the perceptrons gain nothing."""
    faster = tpu_v1.speedups("array.clock_hz=2.8 GHz")
    assert faster["CNN1"] == pytest.approx(2 * 1750 * 34e9 / (2 * 65536 * 700e6))
    assert faster["MLP0"] == 1.0
    assert tpu_v1.speedups(tpu_v1.GDDR5)["LSTM0"] == pytest.approx(180 / 34)
