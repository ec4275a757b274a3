"""Row-stationary passes: traffic against a walk over passes, bounds by hand, channels inferred from traffic."""

from __future__ import annotations

from math import ceil

import pytest

from cosim.mapping.row_stationary import (
    RowStationaryLayer,
    RowStationaryMapping,
    channels_per_pass,
    least_cycles,
    passes,
)
from cosim.papers import eyeriss


def walked_words(layer: RowStationaryLayer, mapping: RowStationaryMapping) -> int:
    """Buffer words counted pass by pass: partial sums in and out, and the strip of the input."""
    words = 0
    for _image in range(0, layer.images, mapping.n):
        for _group in range(layer.groups):
            for first_filter in range(0, layer.filters, mapping.p * mapping.t):
                filters = min(mapping.p * mapping.t, layer.filters - first_filter)
                for first_row in range(0, layer.rows, mapping.e):
                    rows = min(mapping.e, layer.rows - first_row)
                    strip = ((rows - 1) * layer.stride + layer.kernel) * layer.input_cols
                    for first_channel in range(0, layer.channels, mapping.q * mapping.r):
                        channels = min(mapping.q * mapping.r, layer.channels - first_channel)
                        words += 2 * mapping.n * filters * rows * layer.cols
                        words += mapping.n * channels * strip
    return words


@pytest.mark.parametrize(
    ("layer", "mapping"),
    [
        (RowStationaryLayer(4, 1, 96, 3, 55, 55, 11, 4), RowStationaryMapping(1, 7, 16, 1, 1, 2)),
        (RowStationaryLayer(2, 3, 20, 7, 10, 9, 3), RowStationaryMapping(2, 4, 3, 2, 2, 2)),
        (RowStationaryLayer(1, 1, 5, 5, 6, 6, 3, 2), RowStationaryMapping(1, 6, 2, 1, 1, 1)),
    ],
)
def test_traffic_is_that_of_a_walk_over_the_passes(
    layer: RowStationaryLayer, mapping: RowStationaryMapping
) -> None:
    found = passes(layer, mapping)
    assert found.buffer_words == walked_words(layer, mapping)
    assert found.buffer_bytes == 2 * found.buffer_words


def test_the_slowest_of_three_networks_bounds_a_pass() -> None:
    """AlexNet conv3: 4 * 16 * 4 * 13 * 13 / 4 = 10816 cycles of partial sums pass 4 * 16 * 4 * 3 * 13 = 9984."""
    found = passes(eyeriss.ALEXNET[2].layer, eyeriss.ALEXNET[2].mapping)
    assert (found.compute_cycles, found.psum_cycles, found.ifmap_cycles) == (9984, 10816.0, 16.0 * 15 * 15)
    assert found.cycles == 384 * 10816
    starved = passes(RowStationaryLayer(1, 1, 1, 1, 4, 4, 3), RowStationaryMapping(1, 4, 1, 1, 1, 1))
    assert starved.cycles_each == starved.ifmap_cycles == 36.0


def test_measured_columns_follow_from_the_printed_mapping() -> None:
    rows = {row.what: row for row in eyeriss.ROWS()}
    assert [rows[f"AlexNet conv{i}, elements busy"].simulated for i in range(1, 6)] == [
        154,
        135,
        156,
        156,
        156,
    ]
    exact = [rows[f"AlexNet conv{i}, buffer accesses"].status == "exact" for i in range(1, 6)]
    assert exact == [True, True, False, True, True]


def test_channels_are_inferred_from_traffic_not_from_time() -> None:
    """A mapping's own traffic gives its channels back where partial sums dominate."""
    layer = RowStationaryLayer(3, 1, 256, 256, 56, 56, 3)
    for q, r in ((1, 1), (1, 2), (2, 2)):
        moved = passes(layer, RowStationaryMapping(1, 14, 16, q, r, 4)).buffer_bytes
        assert channels_per_pass(layer, moved) == q * r
    assert eyeriss.vgg16_channels() == (1, 1, 1, 1, 2, 2, 2, 4, 4, 4, 7, 7, 7)


def test_every_vgg16_time_lies_above_its_bound_by_hand() -> None:
    """conv1-2: 3 * 64 * 224^2 sums a channel, 64 channels, four a cycle at 200 MHz: 770.7 ms."""
    layer = RowStationaryLayer(3, 1, 64, 64, 224, 224, 3)
    assert least_cycles(layer, 1, 168) == 3 * 64 * 224**2 * 64 / 4
    assert least_cycles(layer, 64, 168) == layer.macs / 168
    assert ceil(least_cycles(layer, 1, 168) / 200e3) == 771
    for bound, row in zip(eyeriss.vgg16_ms(), eyeriss.VGG16, strict=True):
        assert 0.85 < bound / row[4] < 1.0
