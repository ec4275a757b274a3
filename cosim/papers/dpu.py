"""DPU on Zynq UltraScale+: measured latencies above the bound of its parallelism, and what its builds take.

Boundary: single-thread latency on the board, host included; the bound holds products only. Resources are those of one
core on a ZCU102, as the product guide lists them.
Sources: AMD Vitis AI model zoo, performance on Ultra96; AMD PG338, version 1.2 (2019), tables 8, 9 and 12, version 4.0
(2022), RAM usage, version 3.4 (2022), depthwise convolution; Kria K26 documentation.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from cosim.engine import load_workload
from cosim.ir.batch import LayerBatch
from cosim.mapping.fpga_dpu import ENGINES, dpu_bram36s, dpu_cycles, dpu_dsps
from cosim.papers._evidence import ARTEFACT, PRIMARY, at
from cosim.papers._figures_hw import SIMULATED, pair_bars
from cosim.papers.row import PaperRow, Scenario, below, bracketed, exact, fitted
from cosim.report.style import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ZOO, GUIDE = "vitis-ai-zoo", "pg338"
BOARD = at("performance on Ultra96", ARTEFACT)
SCENARIO = Scenario(
    title="AMD Vitis AI model zoo, performance on Ultra96; PG338",
    machine="DPU B1600 at 287 MHz, products only; multipliers and memories of all eight builds",
    workload="resnet50, resnet18, inception_v3, mobilenet_v2, one image",
    mapping="parallelism of PG338",
    assumptions=(
        "the zoo's networks are the shipped ones",
        "memory, pooling and host take no time",
        "clock of the bandwidth table: 200 to 333 MHz, it states none",
    ),
)
CLOCK_HZ = 287e6
ENGINE = "B1600"
LATENCY_MS = {"resnet50": 30.8, "resnet18": 13.47, "inception_v3": 44.05, "mobilenet_v2": 7.34}
# DSP slices with low and high DSP usage; block RAMs with low and high RAM usage.
DSPS = {
    "B512": (66, 98), "B800": (102, 142), "B1024": (130, 194), "B1152": (146, 194), "B1600": (202, 282),
    "B2304": (290, 386), "B3136": (394, 506), "B4096": (514, 642),
}  # fmt: skip
BRAM36S = {
    "B512": (72, 88), "B800": (90, 108), "B1024": (104, 136), "B1152": (121, 143), "B1600": (126, 162),
    "B2304": (165, 209), "B3136": (208, 260), "B4096": (255, 315),
}  # fmt: skip
READ_OFF = ("B512", "B800", "B1024")
BANDWIDTH_MB_PER_S = {"B1152": 1017.0, "B4096": 3132.0}
CLOCKS_HZ = (200e6, 333e6)
DEPTHWISE_DSPS_B3136, K26_DSPS = 42, 548


@cache
def _layers(workload: str) -> LayerBatch:
    return LayerBatch.from_layers(load_workload(workload).layers)


def bound_ms(workload: str, engine: str = ENGINE, clock_hz: float = CLOCK_HZ) -> float:
    """Least time of a workload at its parallelism."""
    return float(dpu_cycles(_layers(workload), ENGINES[engine]).sum()) / clock_hz * 1e3


def weights_mb() -> float:
    """Eight-bit weights of ResNet-50, which every image reads once, and its input and output, 10^6 bytes."""
    layers = _layers("resnet50")
    return float((layers.w_elems * layers.is_mac).sum() + layers.x_elems[0] + layers.y_elems[-1]) / 1e6


def ROWS() -> list[PaperRow]:
    """Four networks, the memory's rate, and the resources of eight builds."""
    rows = [
        below(ZOO, f"{name}, latency", BOARD, milliseconds, bound_ms(name), "ms",
              "products only: no DRAM, pooling, elementwise layers or host; the zoo's networks may differ in details")
        for name, milliseconds in LATENCY_MS.items()
    ]  # fmt: skip
    return rows + _bandwidth_rows() + _dsp_rows() + _bram_rows()


def _bandwidth_rows() -> list[PaperRow]:
    rows = []
    for name, published in BANDWIDTH_MB_PER_S.items():
        low, high = (weights_mb() / bound_ms("resnet50", name, hz) * 1e3 for hz in CLOCKS_HZ)
        note = (
            f"weights, image and result ({weights_mb():.1f} MB) over the time of the products at 200 to 333 MHz; "
            "clock not stated, maps on the chip"
        )
        where = at("I/O bandwidth, table 12", PRIMARY)
        rows.append(
            bracketed(
                GUIDE, f"resnet50 on {name}, average memory rate", where, published, low, high, "MB/s", note
            )
        )
    return rows


def _dsp_rows() -> list[PaperRow]:
    rows = []
    where = at("table 9 of version 1.2", PRIMARY)
    for name, (low, high) in DSPS.items():
        what, engine = f"{name}, DSP slices", ENGINES[name]
        note = "four 8-bit products a slice and cycle, an accumulator for each pixel and output channel, two more"
        if name in READ_OFF:
            held = f"{note}; the two are read off this build; the five builds left out are exact"
            rows.append(fitted(GUIDE, f"{what}, low usage", where, low, dpu_dsps(engine, False), "1", held))
        else:
            rows.append(exact(GUIDE, f"{what}, low usage", where, low, dpu_dsps(engine, False), "1", note))
        added = dpu_dsps(engine, True) - dpu_dsps(engine, False)
        rows.append(
            exact(GUIDE, f"{what}, more with high usage", where, high - low, added, "1", "accumulators")
        )
    k26 = dpu_dsps(ENGINES["B3136"], True) + DEPTHWISE_DSPS_B3136
    note = "B3136 with accumulators, and the 42 slices that the guide adds for the depthwise unit"
    rows.append(
        exact(
            "kria-k26-dpu", "B3136 on K26, DSP slices", at("utilisation", PRIMARY), K26_DSPS, k26, "1", note
        )
    )
    return rows


def _bram_rows() -> list[PaperRow]:
    rows = []
    where = at("RAM usage of version 4.0", PRIMARY)
    for name, published in BRAM36S.items():
        for usage, blocks in zip(("low", "high"), published, strict=True):
            what, found = f"{name}, block RAMs, {usage} usage", dpu_bram36s(ENGINES[name], usage == "high")
            note = (
                "banks of 2048 words by input channels: two or three a pixel, one an output channel, two more"
            )
            if name in READ_OFF:
                held = f"{note}; numbers of banks read off this build and two others; the five left out are exact"
                rows.append(fitted(GUIDE, what, where, blocks, found, "1", held))
            else:
                rows.append(exact(GUIDE, what, where, blocks, found, "1", note))
    return rows


def figure(rows: list[PaperRow]) -> Figure:
    """Latency of the four networks, slices and block RAMs of the eight builds."""
    result = new_figure(9.0, 6.4)
    grid = result.add_gridspec(2, 2)
    names = list(DSPS)
    first = result.add_subplot(grid[0, :])
    pair_bars(
        first, list(LATENCY_MS), list(LATENCY_MS.values()),
        {f"{SIMULATED} lower bound": [bound_ms(name) for name in LATENCY_MS]}, "latency, ms",
    )  # fmt: skip
    first.set_title("DPU B1600 at 287 MHz on an Ultra96")
    slices = result.add_subplot(grid[1, 0])
    pair_bars(
        slices, names, [high for _, high in DSPS.values()],
        {SIMULATED: [dpu_dsps(ENGINES[name], True) for name in names]}, "DSP slices, high usage",
    )  # fmt: skip
    blocks = result.add_subplot(grid[1, 1])
    pair_bars(
        blocks, names, [low for low, _ in BRAM36S.values()],
        {SIMULATED: [dpu_bram36s(ENGINES[name], False) for name in names]}, "36-Kbit block RAMs, low usage",
    )  # fmt: skip
    return result
