"""CNNA: words and splits of the board log exactly, the authors' simulated design space within one per cent."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.ir.batch import LayerBatch
from cosim.ir.layer import Layer, mac_layer
from cosim.mapping.fpga_cnna import (
    CnnaBuild,
    DesignPoint,
    design_space,
    engine_cycles,
    lay_out,
    simulated_test_cycles,
    weight_buffer_words,
)

CNNA16 = CnnaBuild(16.0, 128.0, 8.0, 3.0, 800.0)
# Board log of CNNA16 (notebook of the artefact): C, K, size -> splits, words in, words out, milliseconds.
LOG = [
    (3, 64, 224, 1, 9408, 401408, 17.545),
    (64, 64, 224, 1, 401408, 401408, 84.270),
    (64, 128, 112, 1, 100352, 200704, 42.711),
    (128, 128, 112, 1, 200704, 200704, 81.332),
    (128, 256, 56, 2, 100352, 150528, 43.907),
    (256, 256, 56, 4, 401408, 250880, 85.124),
    (256, 256, 56, 4, 401408, 250880, 84.823),
    (256, 512, 28, 8, 200704, 225792, 54.311),
    (512, 512, 28, 16, 802816, 426496, 105.035),
    (512, 512, 28, 16, 802816, 426496, 106.987),
    (512, 512, 14, 16, 200704, 106624, 44.383),
    (512, 512, 14, 16, 200704, 106624, 41.895),
    (512, 512, 14, 16, 200704, 106624, 41.369),
]
FC_LOG = [(25088, 4096, 512, 1605632, 512), (4096, 4096, 512, 262144, 512), (4096, 5, 1, 512, 1)]

# SystemC simulation, microseconds at 5.625 ns, elements 4 .. 64: (width, DMA, OUT) -> (conv64, img).
SIMULATED = {
    (16, 128, 3): ([1228.6, 654.9, 368.0, 224.6, 152.9], [749.6, 381.4, 197.2, 105.2, 105.2]),
    (16, 128, 1): ([3403.4, 1728.0, 890.4, 471.6, 262.2], [1848.7, 928.0, 467.7, 237.5, 122.5]),
    (8, 128, 3): ([638.9, 340.6, 191.4, 116.8, 79.6], [749.6, 381.4, 197.2, 105.2, 59.1]),
    (8, 128, 1): ([1725.1, 875.9, 451.3, 239.1, 132.9], [1848.7, 928.0, 467.7, 237.5, 122.4]),
    (32, 128, 3): ([2408.0, 1283.5, 721.2, 440.1, 299.6], [749.6, 381.4, 197.3, 197.3, 197.4]),
    (16, 64, 3): ([2408.0, 1283.5, 721.2, 440.1, 299.6], [749.6, 381.4, 197.3, 197.3, 197.4]),
}
PAD = (1, 1, 1, 1)


def conv(c: int, k: int, size: int) -> Layer:
    return mac_layer(f"{c}x{k}x{size}", "conv", C=c, K=k, P=size, Q=size, R=3, S=3, padding=PAD)


def vgg16() -> LayerBatch:
    return LayerBatch.from_layers([conv(c, k, s) for c, k, s, *_ in LOG])


def test_splits_and_words_are_those_of_the_board_log() -> None:
    layout = lay_out(vgg16(), CNNA16, 1.0)
    np.testing.assert_array_equal(layout.splits, [row[3] for row in LOG])
    np.testing.assert_array_equal(layout.x_words, [row[4] for row in LOG])
    np.testing.assert_array_equal(layout.y_words, [row[5] for row in LOG])


def test_fully_connected_words_are_those_of_the_board_log() -> None:
    layers = LayerBatch.from_layers([mac_layer(f"fc{c}{k}", "linear", C=c, K=k) for c, k, *_ in FC_LOG])
    layout = lay_out(layers, CNNA16, 1.0)
    np.testing.assert_array_equal(layout.splits, [row[2] for row in FC_LOG])
    np.testing.assert_array_equal(layout.x_words, [row[3] for row in FC_LOG])
    np.testing.assert_array_equal(layout.y_words, [row[4] for row in FC_LOG])


def test_stitching_by_hand() -> None:
    """conv3_1: 2 splits of 128 filters, 16 words each: writes 16 + 32 words a position, reads 16 back."""
    layout = lay_out(LayerBatch.from_layers([conv(128, 256, 56)]), CNNA16, 1.0)
    assert layout.filters_per_split[0] == 128
    assert layout.y_words[0] == 56 * 56 * 48
    assert layout.buf_words[0] == 56 * 56 * 16
    assert layout.y_new_words[0] == 56 * 56 * 32
    assert layout.packets[0] == 48
    assert layout.rounds[0] == 32
    assert layout.w_words[0] == 256 * 49 * 3


@pytest.mark.parametrize(
    ("packet_ii", "bias", "clock_hz", "total_ms"),
    [(1, 0, 172.22e6, 468.5), (1, 1, 172.22e6, 478.3), (2, 1, 172.22e6, 956.6), (2, 1, 250e6, 659.0)],
)
def test_untuned_models_of_the_convolutions(
    packet_ii: float, bias: float, clock_hz: float, total_ms: float
) -> None:
    cycles = engine_cycles(lay_out(vgg16(), CNNA16, 1.0), packet_ii, bias)
    assert np.sum(cycles) / clock_hz * 1e3 == pytest.approx(total_ms, abs=0.06)


def test_ideal_engine_is_a_lower_bound_of_every_logged_layer() -> None:
    cycles = engine_cycles(lay_out(vgg16(), CNNA16, 1.0), 1.0, 1.0)
    assert np.all(cycles / 172.22e6 * 1e3 < [row[6] for row in LOG])


@pytest.mark.parametrize("key", SIMULATED)
def test_design_space_against_the_authors_simulation(key: tuple[int, int, int]) -> None:
    """Both test benches at every size of the array: within 1 % (largest difference 0.6 %)."""
    width, dma, out = key
    for layer, published in zip((conv(64, 64, 16), conv(3, 64, 32)), SIMULATED[key], strict=True):
        batch = LayerBatch.from_layers([layer])
        for pes, microseconds in zip((4, 8, 16, 32, 64), published, strict=True):
            cycles = simulated_test_cycles(batch, DesignPoint(width, dma, pes, out))
            assert cycles[0] * 5.625e-3 == pytest.approx(microseconds, rel=0.01), (key, pes)


def test_design_space_has_sixty_points() -> None:
    points = design_space()
    assert len(points) == len(set(points)) == 60
    assert DesignPoint(16, 128, 8, 3) in points


def test_weight_buffers_of_the_shipped_builds() -> None:
    assert weight_buffer_words(32.0, CNNA16) == 800
    assert weight_buffer_words(42.0, CnnaBuild(8.0, 128.0, 16.0, 1.0, 0.0)) == 798
    assert weight_buffer_words(42.0, CnnaBuild(8.0, 128.0, 8.0, 3.0, 0.0)) == 546


def test_a_column_of_builds_equals_one_by_one() -> None:
    pes = np.array([4.0, 8.0, 16.0])
    column = lay_out(vgg16(), CnnaBuild(16.0, 128.0, pes[:, None], 3.0, 800.0), 1.0)
    for index, count in enumerate(pes):
        single = lay_out(vgg16(), CnnaBuild(16.0, 128.0, float(count), 3.0, 800.0), 1.0)
        for name, values in vars(single).items():
            np.testing.assert_array_equal(
                np.broadcast_to(getattr(column, name), (3, 13))[index], values, err_msg=name
            )
