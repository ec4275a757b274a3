"""Eyeriss v1 on AlexNet: passes of its published mapping against its measured processing times.

Boundary: the chip alone (65 nm, 200 MHz, batch of 4); processing latency excludes DRAM time that is not hidden.
Source: Chen et al., JSSC 52(1) 2017, doi:10.1109/JSSC.2016.2616357, tables III and V.
"""

from __future__ import annotations

from cosim.mapping.row_stationary import RowStationaryLayer, RowStationaryMapping, passes
from cosim.papers.row import PaperRow, Scenario, below

SCENARIO = Scenario(
    title="Chen et al., Eyeriss, JSSC 52(1) 2017",
    machine="Eyeriss v1: 12 x 14 processing elements, 200 MHz, 108 KB buffer",
    workload="AlexNet conv1 to conv5, batch of 4",
    mapping="table III, row stationary",
    assumptions=("ramps of a pass are not published and left out",),
)
CLOCK_HZ = 200e6
VGG16_GMACS = 15.346630656
# images, groups, filters, channels, rows, columns, kernel; n, e, p, q, r, t; processing and total milliseconds.
LAYERS: tuple[tuple[RowStationaryLayer, RowStationaryMapping, float, float], ...] = (
    (RowStationaryLayer(4, 1, 96, 3, 55, 55, 11), RowStationaryMapping(1, 7, 16, 1, 1, 2), 16.5, 20.9),
    (RowStationaryLayer(4, 2, 128, 48, 27, 27, 5), RowStationaryMapping(1, 27, 16, 2, 1, 1), 39.2, 41.9),
    (RowStationaryLayer(4, 1, 384, 256, 13, 13, 3), RowStationaryMapping(4, 13, 16, 4, 1, 4), 21.8, 23.6),
    (RowStationaryLayer(4, 2, 192, 192, 13, 13, 3), RowStationaryMapping(4, 13, 16, 3, 2, 2), 16.0, 18.4),
    (RowStationaryLayer(4, 2, 128, 192, 13, 13, 3), RowStationaryMapping(4, 13, 16, 3, 2, 2), 10.0, 10.5),
)


def layer_ms() -> tuple[float, ...]:
    """Processing time of the five layers from passes alone."""
    return tuple(passes(layer, mapping).cycles / CLOCK_HZ * 1e3 for layer, mapping, _, _ in LAYERS)


def ROWS() -> list[PaperRow]:
    """Five layers and their sum, with and without filter loads."""
    times = layer_ms()
    rows = [
        below(
            "eyeriss-jssc", f"AlexNet conv{i + 1}, processing of 4 images", "table V", row[2], times[i], "ms",
            "passes of table III without their ramps, whose length is not published",
        )
        for i, row in enumerate(LAYERS)
    ]  # fmt: skip
    measured = sum(row[2] for row in LAYERS)
    rows.append(
        below(
            "eyeriss-jssc",
            "AlexNet conv1-5, processing of 4 images",
            "table V",
            measured,
            sum(times),
            "ms",
            "as above",
        )
    )
    peak_ms = 3 * VGG16_GMACS * 1e9 / (168 * CLOCK_HZ) * 1e3
    rows.append(
        below(
            "eyeriss-jssc", "VGG16 convolutions, processing of 3 images", "table VI", 3755.2, peak_ms, "ms",
            "all 168 elements busy: the mapping of VGG16 is not published",
        )
    )  # fmt: skip
    loads = sum(passes(layer, mapping).cycles_with_load for layer, mapping, _, _ in LAYERS) / CLOCK_HZ * 1e3
    rows.append(
        below(
            "eyeriss-jssc", "AlexNet conv1-5 with filter loads that nothing hides", "table V", measured, loads, "ms",
            "remaining 8 %: ramps; conv4 and conv5 share a mapping and differ by 6.7 % a pass in the measurement",
        )
    )  # fmt: skip
    return rows
