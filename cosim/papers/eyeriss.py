"""Eyeriss v1 on AlexNet and VGG16: passes of a row-stationary mapping against measured times and buffer accesses.

Boundary: the chip alone (65 nm, 200 MHz); processing latency excludes DRAM time that is not hidden. Ramps of a pass are
not published and left out, so every time is a lower bound. AlexNet runs the mappings of table III. The mapping of VGG16
is not published: the channels that a pass takes are inferred from the buffer accesses of table VI, and the times of the
same table, which the inference does not see, are bounded by all elements or by the network of partial sums. Read as
10^6 bytes the accesses of conv1 and conv2 fall 3 % short of partial sums of one channel a pass, read as 2^20 bytes they
exceed them by 2 %; the channels are the same either way.
Source: Chen et al., JSSC 52(1) 2017, doi:10.1109/JSSC.2016.2616357, tables III, V and VI, in the transcription of
github.com/cucapra/fodlam.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cosim.mapping.row_stationary import (
    RowStationaryLayer,
    RowStationaryMapping,
    channels_per_pass,
    least_cycles,
    passes,
)
from cosim.papers._evidence import TRANSCRIBED, at
from cosim.papers._figures_hw import SIMULATED, pair_bars
from cosim.papers.row import PaperRow, Scenario, below, exact, not_reproduced
from cosim.report.style import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER = "eyeriss-jssc"
TABLE_5, TABLE_6 = at("table V", TRANSCRIBED), at("table VI", TRANSCRIBED)
SCENARIO = Scenario(
    title="Chen et al., Eyeriss, JSSC 52(1) 2017",
    machine="Eyeriss v1: 12 x 14 processing elements, 200 MHz, 108 KB buffer, 64-bit partial sums, 16-bit inputs",
    workload="AlexNet conv1 to conv5, batch of 4; VGG16's thirteen convolutions, batch of 3",
    mapping="table III, row stationary; VGG16: channels of a pass from its published buffer accesses",
    assumptions=(
        "ramps of a pass are not published and left out",
        "the mapping of VGG16 is not published: channels a pass are the whole number nearest to its buffer accesses",
    ),
)
CLOCK_HZ = 200e6
ELEMENTS = 168


@dataclass(frozen=True)
class AlexNetLayer:
    """A row of table V: processing time, buffer accesses and busy elements as measured, mapping of table III."""

    name: str
    layer: RowStationaryLayer
    mapping: RowStationaryMapping
    processing_ms: float
    buffer_mb: float
    active: int


# images, groups, filters, channels, rows, columns, kernel, stride; n, e, p, q, r, t.
ALEXNET = (
    AlexNetLayer("conv1", RowStationaryLayer(4, 1, 96, 3, 55, 55, 11, 4), RowStationaryMapping(1, 7, 16, 1, 1, 2),
                 16.5, 18.5, 154),
    AlexNetLayer("conv2", RowStationaryLayer(4, 2, 128, 48, 27, 27, 5), RowStationaryMapping(1, 27, 16, 2, 1, 1),
                 39.2, 77.6, 135),
    AlexNetLayer("conv3", RowStationaryLayer(4, 1, 384, 256, 13, 13, 3), RowStationaryMapping(4, 13, 16, 4, 1, 4),
                 21.8, 50.2, 156),
    AlexNetLayer("conv4", RowStationaryLayer(4, 2, 192, 192, 13, 13, 3), RowStationaryMapping(4, 13, 16, 3, 2, 2),
                 16.0, 37.4, 156),
    AlexNetLayer("conv5", RowStationaryLayer(4, 2, 128, 192, 13, 13, 3), RowStationaryMapping(4, 13, 16, 3, 2, 2),
                 10.0, 24.9, 156),
)  # fmt: skip
# Name, filters, channels, side; processing time [ms], buffer accesses [MB] of table VI.
VGG16 = (
    ("conv1-1", 64, 3, 224, 38.0, 112.6), ("conv1-2", 64, 64, 224, 810.6, 2402.8),
    ("conv2-1", 128, 64, 112, 405.3, 1201.4), ("conv2-2", 128, 128, 112, 810.8, 2402.8),
    ("conv3-1", 256, 128, 56, 204.0, 607.4), ("conv3-2", 256, 256, 56, 408.1, 1214.8),
    ("conv3-3", 256, 256, 56, 408.1, 1214.8), ("conv4-1", 512, 256, 28, 105.1, 321.8),
    ("conv4-2", 512, 512, 28, 210.0, 643.7), ("conv4-3", 512, 512, 28, 210.0, 643.7),
    ("conv5-1", 512, 512, 14, 48.3, 90.0), ("conv5-2", 512, 512, 14, 48.5, 90.0),
    ("conv5-3", 512, 512, 14, 48.5, 90.0),
)  # fmt: skip
VGG16_MS = 3755.2


def alexnet_ms() -> tuple[float, ...]:
    """Processing time of the five layers from passes alone."""
    return tuple(passes(row.layer, row.mapping).cycles / CLOCK_HZ * 1e3 for row in ALEXNET)


def vgg16_channels() -> tuple[int, ...]:
    """Channels of a pass of the thirteen layers, inferred from their buffer accesses (10^6 bytes a MB)."""
    return tuple(channels_per_pass(_vgg16_layer(row), row[5] * 1e6) for row in VGG16)


def vgg16_ms() -> tuple[float, ...]:
    """Least processing time of the thirteen layers with those channels."""
    bounds = zip(VGG16, vgg16_channels(), strict=True)
    return tuple(
        least_cycles(_vgg16_layer(row), channels, ELEMENTS) / CLOCK_HZ * 1e3 for row, channels in bounds
    )


def _vgg16_layer(row: tuple[str, int, int, int, float, float]) -> RowStationaryLayer:
    _, filters, channels, side, _, _ = row
    return RowStationaryLayer(3, 1, filters, channels, side, side, 3)


def ROWS() -> list[PaperRow]:
    """AlexNet's times, buffer accesses and busy elements, then VGG16's times."""
    return _time_rows() + _buffer_rows() + _vgg16_rows()


def _time_rows() -> list[PaperRow]:
    times = alexnet_ms()
    rows = []
    for row, simulated in zip(ALEXNET, times, strict=True):
        found = passes(row.layer, row.mapping)
        bound = "partial sums" if found.psum_cycles > found.compute_cycles else "elements"
        note = f"passes of table III bound by their {bound}, without ramps, whose length is not published"
        rows.append(
            below(
                PAPER,
                f"AlexNet {row.name}, processing of 4 images",
                TABLE_5,
                row.processing_ms,
                simulated,
                "ms",
                note,
            )
        )
    measured = sum(row.processing_ms for row in ALEXNET)
    loads_ms = sum(passes(row.layer, row.mapping).cycles_with_load for row in ALEXNET) / CLOCK_HZ * 1e3
    return [
        *rows,
        below(PAPER, "AlexNet conv1-5, processing of 4 images", TABLE_5, measured, sum(times), "ms",
              "sum of the above"),
        below(
            PAPER, "AlexNet conv1-5 with filter loads that nothing hides", TABLE_5, measured, loads_ms, "ms",
            "what remains are ramps; conv4 and conv5 share a mapping and differ by 6.7 % a pass in the measurement",
        ),
    ]  # fmt: skip


def _buffer_rows() -> list[PaperRow]:
    rows = []
    for row in ALEXNET:
        what = f"AlexNet {row.name}, elements busy"
        active = passes(row.layer, row.mapping).active_elements
        rows.append(
            exact(PAPER, what, TABLE_5, row.active, active, "1", "kernel rows times e r t of table III")
        )
    for row in ALEXNET:
        what, moved_mb = (
            f"AlexNet {row.name}, buffer accesses",
            passes(row.layer, row.mapping).buffer_bytes / 1e6,
        )
        if row.name != "conv3":
            note = "partial sums of every pass and inputs of every group of filters; nothing fitted"
            rows.append(exact(PAPER, what, TABLE_5, row.buffer_mb, moved_mb, "MB", note, digits=3))
            continue
        other_mb = passes(row.layer, ALEXNET[3].mapping).buffer_bytes / 1e6
        note = (
            f"with the mapping that table III prints for conv4 instead (6 channels a pass, not 4) it would be "
            f"{other_mb:.1f} MB, the measured figure; the printed buffer allocation of 7.0 kB fits 4 channels"
        )
        rows.append(not_reproduced(PAPER, what, TABLE_5, row.buffer_mb, moved_mb, "MB", note))
    return rows


def _vgg16_rows() -> list[PaperRow]:
    times, channels = vgg16_ms(), vgg16_channels()
    rows = []
    for row, simulated, taken in zip(VGG16, times, channels, strict=True):
        layer = _vgg16_layer(row)
        bound = "partial sums" if simulated * 1e-3 * CLOCK_HZ > layer.macs / ELEMENTS else "168 elements"
        note = (
            f"bound by {bound}; {taken} channels a pass inferred from the {row[5]:g} MB of the same row, not from "
            "its time; the mapping itself was searched for in public copies and not found"
        )
        rows.append(
            below(PAPER, f"VGG16 {row[0]}, processing of 3 images", TABLE_6, row[4], simulated, "ms", note)
        )
    macs = sum(_vgg16_layer(row).macs for row in VGG16)
    busy_ms = macs / ELEMENTS / CLOCK_HZ * 1e3
    return [
        *rows,
        below(PAPER, "VGG16 convolutions, processing of 3 images", TABLE_6, VGG16_MS, sum(times), "ms",
              "sum of the above"),
        below(PAPER, "VGG16 convolutions, all elements busy", TABLE_6, VGG16_MS, busy_ms, "ms",
              "nothing inferred: 168 elements without a break"),
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """Processing time layer by layer: tables V and VI as bars."""
    result = new_figure(9.0, 3.6)
    left, right = result.subplots(1, 2, width_ratios=(1, 2))
    for axes, names, published, simulated, title in (
        (
            left,
            [row.name for row in ALEXNET],
            [row.processing_ms for row in ALEXNET],
            alexnet_ms(),
            "AlexNet, 4 images",
        ),
        (right, [row[0] for row in VGG16], [row[4] for row in VGG16], vgg16_ms(), "VGG16, 3 images"),
    ):
        pair_bars(axes, names, published, {f"{SIMULATED} lower bound": simulated}, "processing time, ms")
        axes.set_title(f"Eyeriss, {title}")
    left.get_legend().remove()
    return result
