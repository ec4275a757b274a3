"""TPU v1: rates of the six applications, its tiles, and what faster memory would have brought.

Boundary: one die, weights from DDR3 at 34 GB/s; host time is outside. Layer shapes are not published but for two facts:
LSTM1 holds 600 x 600 matrices, and CNN0's intensity is that of a 19 x 19 board (AlphaGo) times its batch. Equal square
layers with the published number of weights and layers stand for the perceptrons, equal 3 x 3 convolutions for CNN0,
600 x 600 layers for LSTM1. Weight memory delivers whole tiles of the array, as the 18 us of the 600 x 600 matrix show.
Stall shares of table 3 are measurements and no inputs.
Source: Jouppi et al., ISCA 2017, doi:10.1145/3079856.3080246, tables 1, 2, 3 and 8, figure 5, section 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import exp, isqrt, log, sqrt
from typing import TYPE_CHECKING

import numpy as np

from cosim.ir.layer import Layer, mac_layer
from cosim.papers._evidence import TRANSCRIBED, at
from cosim.papers._figures_hw import PUBLISHED, SIMULATED
from cosim.papers._machines import cost_of, machine
from cosim.papers._optics import same_conv
from cosim.papers.row import PaperRow, Scenario, below, bracketed, exact, within
from cosim.report.style import PALETTE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER = "tpu-v1"
TABLE_3, SECTION_7 = at("table 3", TRANSCRIBED), at("section 7", TRANSCRIBED)
SCENARIO = Scenario(
    title="Jouppi et al., In-datacenter performance analysis of a tensor processing unit, ISCA 2017",
    machine="tpu_v1; its roofline; with GDDR5 of 180 GB/s, four times the memory rate or clock, a 512 x 512 array",
    workload="the six applications of table 1 by weights, intensity and batch",
    mapping="weight stationary; weights arrive in whole tiles of the array",
    assumptions=(
        "layer shapes are not published: equal square layers stand for the perceptrons",
        "equal 3 x 3 convolutions on a 19 x 19 board stand for CNN0",
        "600 x 600 layers, named by the paper for one matrix of LSTM1, stand for all of LSTM1",
        "LSTM0 and CNN1: no shape known, roofline alone",
    ),
)
GDDR5 = "dram.bandwidth_bytes_per_s=180 GB/s"
BOARD_SIDE, LSTM1_SIDE = 19, 600


@dataclass(frozen=True)
class Application:
    """A row of tables 1 and 3: weights, multiply-accumulates a weight byte, batch, layers, rate, deployed share."""

    name: str
    weights: float
    macs_per_weight_byte: float
    batch: int
    layers: int
    tera_ops_per_s: float
    deployed: float


# The deployed shares of table 1 are those of both perceptrons, both recurrent networks, both convolutional networks.
APPLICATIONS = (
    Application("MLP0", 20e6, 200, 200, 5, 12.3, 0.305),
    Application("MLP1", 5e6, 168, 168, 4, 9.7, 0.305),
    Application("LSTM0", 52e6, 64, 64, 24, 3.7, 0.145),
    Application("LSTM1", 34e6, 96, 96, 37, 2.8, 0.145),
    Application("CNN0", 8e6, 2888, 8, 16, 86.0, 0.025),
    Application("CNN1", 100e6, 1750, 32, 72, 14.1, 0.025),
)
BY_NAME = {a.name: a for a in APPLICATIONS}


def roofline_ops_per_s(application: Application, *settings: str) -> float:
    """min(peak, 2 * intensity * weight bandwidth) of the machine, with ``path=value`` settings."""
    found = machine("tpu_v1", *settings)
    rate = found.params["dram.bandwidth_bytes_per_s"]
    peak = found.model.peak_macs_per_s(found.params)
    return 2.0 * float(min(peak, application.macs_per_weight_byte * rate))


@cache
def layer_of(name: str) -> Layer:
    """One of the equal layers that stand for an application, its batch included."""
    a = BY_NAME[name]
    if name == "CNN0":
        channels = round(sqrt(a.weights / a.layers / 9))
        return same_conv(name, channels, channels, BOARD_SIDE, 3, a.batch)
    side = LSTM1_SIDE if name == "LSTM1" else isqrt(round(a.weights / a.layers))
    return mac_layer(name, "linear", P=a.batch, K=side, C=side)


def tile_s(layer: Layer, *settings: str) -> float:
    """Time of the weight memory to deliver the tiles of a layer, each as large as the array."""
    found = machine("tpu_v1", *settings)
    folds = float(np.ravel(cost_of(found, [layer]).columns["folds"])[0])
    tile_bytes = found.params["array.rows"] * found.params["array.cols"] * found.params["datapath.w_bits"] / 8
    return folds * float(tile_bytes / found.params["dram.bandwidth_bytes_per_s"])


def array_ops_per_s(layer: Layer) -> float:
    """Rate of the array model on a layer whose weights arrive in whole tiles."""
    cost = cost_of(machine("tpu_v1"), [layer])
    return 2 * layer.macs / max(float(np.ravel(cost.latency_s)[0]), tile_s(layer))


def useful_share(layer: Layer) -> float:
    """Share of the array's multipliers that hold weights of the layer, mean over its tiles."""
    return float(np.ravel(cost_of(machine("tpu_v1"), [layer]).columns["mapping_efficiency"])[0])


def speedups(*settings: str) -> dict[str, float]:
    """Roofline of the changed machine over that of the TPU."""
    return {a.name: roofline_ops_per_s(a, *settings) / roofline_ops_per_s(a) for a in APPLICATIONS}


def ROWS() -> list[PaperRow]:
    """Rates against roofline and array, tiles, shapes, and the machines that section 7 imagines."""
    return _roofline_rows() + _array_rows() + _tile_rows() + _board_rows() + _what_if_rows()


def _roofline_rows() -> list[PaperRow]:
    note = "roofline alone: no dependences, no shapes, no host"
    return [
        below(PAPER, f"{a.name}: time of 10^12 operations", TABLE_3, 1e3 / a.tera_ops_per_s,
              1e15 / roofline_ops_per_s(a), "ms", note)
        for a in APPLICATIONS
    ]  # fmt: skip


def _array_rows() -> list[PaperRow]:
    rows = [
        within(PAPER, f"{name}: rate of the array model", TABLE_3, BY_NAME[name].tera_ops_per_s,
               array_ops_per_s(layer_of(name)) * 1e-12, "TOP/s", 0.25,
               f"{BY_NAME[name].layers} equal layers stand for it; weights in whole tiles; no dependences")
        for name in ("MLP0", "MLP1", "CNN0")
    ]  # fmt: skip
    lstm = BY_NAME["LSTM1"]
    found = 1e15 / array_ops_per_s(layer_of("LSTM1"))
    note = "600 x 600 layers in whole tiles, 39 % of each empty; dependences (11 % of cycles) and vectors left out"
    rows.append(
        below(PAPER, "LSTM1: time of 10^12 operations in 600 x 600 layers", TABLE_3, 1e3 / lstm.tera_ops_per_s, found,
              "ms", note)
    )  # fmt: skip
    return rows


def _tile_rows() -> list[PaperRow]:
    layer = layer_of("LSTM1")
    large = ("array.rows=512", "array.cols=512", "buffers.filter.capacity_bytes=1 MiB")
    note = "whole tiles at 34 GB/s; printed to whole microseconds"
    return [
        within(PAPER, "600 x 600 matrix on 256 x 256, weights", SECTION_7, 18.0, tile_s(layer) * 1e6, "us", 0.05,
               f"9 tiles; {note}"),
        within(PAPER, "600 x 600 matrix on 512 x 512, weights", SECTION_7, 32.0, tile_s(layer, *large) * 1e6, "us",
               0.05, f"4 tiles; {note}"),
        within(PAPER, "LSTM1: useful weights in active cycles", TABLE_3, 6.3 / 10.5, useful_share(layer), "1", 0.05,
               "rows 2 over 1; 600 x 600 in nine tiles of 256 x 256"),
    ]  # fmt: skip


def _board_rows() -> list[PaperRow]:
    layer, cnn = layer_of("CNN0"), BY_NAME["CNN0"]
    maps_mib = (layer.x_elems + layer.y_elems) / 2**20
    return [
        exact(PAPER, "CNN0: multiply-accumulates a weight byte", at("table 1", TRANSCRIBED), cnn.macs_per_weight_byte,
              layer.macs / layer.w_elems, "1", "a convolution on a 19 x 19 board, batch of 8: 361 * 8"),
        within(PAPER, "CNN0: useful share of the array", TABLE_3, 0.782, array_ops_per_s(layer) / 2 / _peak(), "1",
               0.25, "the printed rate of 86 TOP/s would be 0.94 of the peak; the counters say 0.782"),
        within(PAPER, "CNN0: input and output maps in the unified buffer", at("table 8", TRANSCRIBED), 1.5, maps_mib,
               "MiB", 0.25, "two 8-bit maps of equal layers"),
    ]  # fmt: skip


def _peak() -> float:
    found = machine("tpu_v1")
    return float(found.model.peak_macs_per_s(found.params))


def _what_if_rows() -> list[PaperRow]:
    memory, clock, gddr5 = (
        speedups("dram.bandwidth_bytes_per_s=136 GB/s"), speedups("array.clock_hz=2.8 GHz"), speedups(GDDR5),
    )  # fmt: skip
    bound = "between no gain and that of the roofline (shown), which leaves out what does not wait for memory"
    geometric = exp(sum(log(s) for s in gddr5.values()) / 6)
    weighted = sum(gddr5[a.name] * a.deployed for a in APPLICATIONS) / sum(a.deployed for a in APPLICATIONS)
    slow = [memory[name] for name in ("MLP0", "MLP1", "LSTM0", "LSTM1")]
    return [
        bracketed(PAPER, "faster perceptrons and LSTMs by four times the memory rate", at("figure 11", TRANSCRIBED),
                  3.0, 1.0, max(slow), "1", bound, max(slow)),
        within(PAPER, "faster CNNs by four times the clock, geometric mean", at("figure 11", TRANSCRIBED), 2.0,
               sqrt(clock["CNN0"] * clock["CNN1"]), "1", 0.25, "rooflines; 'about 2X' in print"),
        bracketed(PAPER, "faster by GDDR5, geometric mean of six", SECTION_7, 2.6, 1.0, geometric, "1",
                  f"180 GB/s moves the ridge to 250 as printed; {bound}", geometric),
        bracketed(PAPER, "faster by GDDR5, mean by deployment", SECTION_7, 3.9, 1.0, weighted, "1",
                  f"61, 29 and 5 % of table 1, split evenly in each pair; {bound}", weighted),
        within(PAPER, "ridge with GDDR5", SECTION_7, 250.0, _peak() / 180e9, "1", 0.05,
               "multiply-accumulates a weight byte at which the array is busy"),
    ]  # fmt: skip


def simulated_ops_per_s(application: Application) -> float:
    """What the figure shows: the array model where a shape stands for the application, else the roofline."""
    if application.name in ("LSTM0", "CNN1"):
        return roofline_ops_per_s(application)
    return array_ops_per_s(layer_of(application.name))


def figure(rows: list[PaperRow]) -> Figure:
    """Figure 5: rates over intensity under the roofline, measured and simulated."""
    result = new_figure(6.6, 4.2)
    axes = result.add_subplot()
    intensity = np.geomspace(20, 10_000, 200)
    roof = np.minimum(2 * _peak(), 2 * intensity * 34e9) * 1e-12
    axes.plot(intensity, roof, color="black", linewidth=1.2, label="roofline")
    for number, a in enumerate(APPLICATIONS):
        x, colour = a.macs_per_weight_byte, PALETTE[number if number < 6 else 7]
        found = simulated_ops_per_s(a) * 1e-12
        axes.plot([x, x], [a.tera_ops_per_s, found], color=colour, linewidth=0.8)
        axes.plot([x], [a.tera_ops_per_s], "o", mfc="white", mec=colour, mew=1.4, markersize=7)
        axes.plot([x], [found], "*", color=colour, markersize=8)
        above, left = a.name == "LSTM0", a.name in ("LSTM0", "CNN1")
        axes.annotate(
            a.name, (x, (max if above else min)(a.tera_ops_per_s, found)), fontsize=8, textcoords="offset points",
            xytext=(-7 if left else 7, 3 if above else -9), ha="right" if left else "left",
        )  # fmt: skip
    axes.plot([], [], "o", mfc="white", mec="black", mew=1.4, markersize=7, label=PUBLISHED)
    axes.plot([], [], "*", color="black", markersize=8, label=f"{SIMULATED} (roofline for LSTM0, CNN1)")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("multiply-accumulates per weight byte")
    axes.set_ylabel("TOP/s")
    axes.set_title("TPU v1, one die")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return result
