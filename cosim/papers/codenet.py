"""CoDeNet on an Ultra96: sizes, operation counts, network times and frame rates of configurations a to e.

Boundary: batch 1 on the board; the first layer and the data movement on the processor are the authors' measured
times, the accelerator's calls are computed. The fit (pipeline depth and call overhead) used the three network
times; an earlier run of the authors, in which every call ran both convolutions, was kept out of it.
Sources: Huang et al., arXiv 2006.08357 v1 (tables 1 to 6); github.com/hqjenny/CoDeNet (board log).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosim.components.fpga_resources import bram18_count
from cosim.engine import evaluate, load_workload
from cosim.mapping.fpga_codenet import CONFIGURATIONS, Call, calls_s, giga_operations, network_calls
from cosim.papers._evidence import ARTEFACT, PRIMARY, at
from cosim.papers._figures_hw import pair_legend, pair_points
from cosim.papers.row import PaperRow, Scenario, below, bracketed, exact, fitted, within
from cosim.report.style import PALETTE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER, REPO = "codenet", "codenet-repo"
LOG, TABLE_6 = at("board log", ARTEFACT), at("table 6", PRIMARY)
SCENARIO = Scenario(
    title="Huang et al., CoDeNet, arXiv 2006.08357 v1 (FPGA 2021)",
    machine="CoDeNet's engine at 250 MHz: untuned, bracketed, fitted (ultra96_codenet_fitted)",
    workload="configurations a to e (ShuffleNetV2 with deformable heads), batch 1",
    mapping="the authors' calls, two layers each",
    assumptions=(
        "pipeline depth of the engine's loops is not published: 8 to 16 cycles in the bracket",
        "time of a call is not published: none to 100 us in the bracket",
        "first layer, upsampling, split and shuffle as measured",
    ),
)
CLOCK_HZ = 250e6
DEPTH_CYCLES, CALL_S = 12.25, 95e-6
OPEN = ((8.0, 0.0), (16.0, 100e-6))
HELD_OUT_MS = 42.2375
LOGGED_GIGA_OPS = {("a", 1, 64): 0.573014, ("c", 1, 128): 2.292056, ("d", 2, 128): 6.641418}
LOGGED_GIGA_OPS_PER_S = {"a": 29.05, "b": 28.94, "c": 34.74, "d": 53.45, "e": 53.56}
# configuration, its workload: float32 size of table 3 and 4-bit size [MiB], multiply-accumulates [G] of the README.
SIZES = {"b": (6.06, 0.76, 0.29), "d": (23.2, 2.90, 3.54)}
# Rivals on the same board: frames a second, AP50 on VOC.
RIVALS = {"FINN-R": (16.0, 50.1)}
BLOCK_RAMS = 216
HELD_OUT = "two parameters fitted to three networks; leaving one out predicts it at 0.94 to 1.53"


def network_ms(name: str, depth: float, overhead_s: float) -> float:
    """Accelerator time of a configuration."""
    config = CONFIGURATIONS[name]
    return float(calls_s(network_calls(config.width, config.size), depth, overhead_s, CLOCK_HZ).sum()) * 1e3


def frames_per_s(name: str, depth: float = DEPTH_CYCLES, overhead_s: float = CALL_S) -> float:
    """Rate of a configuration: computed calls, first layer and data movement as measured."""
    config = CONFIGURATIONS[name]
    return 1e3 / (network_ms(name, depth, overhead_s) + config.first_layer_ms + config.other_ms)


def held_out_ms() -> float:
    """The run that the fit did not see: width 2 on 64 x 64, both convolutions in every call."""
    calls = tuple(Call(c.size, c.channels, c.filters, c.stride, True, True) for c in network_calls(2, 64))
    return float(calls_s(calls, DEPTH_CYCLES, CALL_S, CLOCK_HZ).sum()) * 1e3


def extracted_ms(workload: str) -> float:
    """Time of a workload file on the fitted machine, its companion for what the engine leaves."""
    return float(evaluate("ultra96_codenet_fitted", workload).cost.latency_s.sum()) * 1e3


def buffer_bram36s() -> float:
    """Block RAMs of the line buffer (15 rows of 1024 words) and of both halves of the 1 x 1 weights (16 banks)."""
    return (15 * bram18_count(1024, 128) + 2 * 16 * bram18_count(2048, 64)) / 2


def ROWS() -> list[PaperRow]:
    """Sizes, networks, rates, and the networks from their extracted layers."""
    return _size_rows() + _operation_rows() + _time_rows() + _rate_rows() + _extracted_rows()


def _size_rows() -> list[PaperRow]:
    rows = []
    for name, (floats, four_bit, giga) in SIZES.items():
        network = load_workload(f"codenet_{name}")
        mib = network.params / 2**20
        what = f"configuration {name}"
        rows += [
            exact(PAPER, f"{what}, size in 32 bits", at("table 3", PRIMARY), floats, 4 * mib, "MiB",
                  "parameters of the extracted network", digits=3),
            exact(PAPER, f"{what}, size in 4 bits", TABLE_6, four_bit, mib / 2, "MiB",
                  "parameters of the extracted network", digits=2 if four_bit < 1 else 3),
            within(REPO, f"{what}, multiply-accumulates", at("README", ARTEFACT), giga, network.macs * 1e-9, "G", 0.02,
                   "the published counter adds normalisation and rounds to 10 M"),
        ]  # fmt: skip
    note = "line buffer and two halves of the weights; the rest of the engine is not in it"
    rows.append(
        below(PAPER, "block RAMs", at("table 5", PRIMARY), BLOCK_RAMS, buffer_bram36s(), "1", note)
    )  # fmt: skip
    return rows


def _operation_rows() -> list[PaperRow]:
    rows = []
    for (name, width, size), giga in LOGGED_GIGA_OPS.items():
        found = round(giga_operations(network_calls(width, size)), 6)
        note = "the list of calls rebuilt from the notebook, its own formula"
        rows.append(exact(REPO, f"operations of configuration {name}", LOG, giga, found, "GOP", note))
    return rows


def _time_rows() -> list[PaperRow]:
    rows = []
    for name in "acd":
        logged = CONFIGURATIONS[name].accelerator_conv_ms
        what = f"accelerator calls of configuration {name}"
        low, high = (network_ms(name, depth, call_s) for depth, call_s in OPEN)
        rows += [
            below(REPO, f"{what}, untuned", LOG, logged, network_ms(name, 0.0, 0.0), "ms", "no flush, no call time"),
            bracketed(REPO, f"{what}, depth and call time open", LOG, logged, low, high, "ms",
                      "loops of 8 to 16 cycles' depth, a call of none to 100 us; neither is published"),
            fitted(REPO, f"{what}, fitted", LOG, logged, network_ms(name, DEPTH_CYCLES, CALL_S), "ms", HELD_OUT),
        ]  # fmt: skip
    note = "parameters of the fit above; single calls are off by 15 %"
    where = at("board log of an earlier notebook", ARTEFACT)
    what = "a run kept out of the fit (width 2, 64 x 64)"
    rows.append(within(REPO, what, where, HELD_OUT_MS, held_out_ms(), "ms", 0.05, note))
    return rows


def _rate_rows() -> list[PaperRow]:
    rows = []
    for name, config in CONFIGURATIONS.items():
        note = "first layer and data movement as measured; the artefact runs 10 to 14 % faster than the paper prints"
        what = f"frame rate of configuration {name} (AP50 {config.ap50})"
        rows.append(fitted(PAPER, what, TABLE_6, config.published_hz, frames_per_s(name), "Hz", note))
        giga = giga_operations(network_calls(config.width, config.size))
        rate = giga / network_ms(name, DEPTH_CYCLES, CALL_S) * 1e3
        what, published = f"accelerator rate of configuration {name}", LOGGED_GIGA_OPS_PER_S[name]
        rows.append(fitted(REPO, what, LOG, published, rate, "GOP/s", HELD_OUT))
    return rows


def _extracted_rows() -> list[PaperRow]:
    note = (
        "engine fitted, processor by its own model; every layer a call of its own (the authors run pairs), "
        "true channel counts padded to 16, first layer and pooling on one core"
    )
    return [
        fitted(REPO, f"network {name} from its extracted layers", LOG, CONFIGURATIONS[name].total_ms,
               extracted_ms(f"codenet_{name}"), "ms", note)
        for name in "bd"
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """Accuracy over frame rate: the five configurations as printed and with computed calls, and a rival."""
    result = new_figure(6.4, 3.8)
    axes = result.add_subplot()
    for name, config in CONFIGURATIONS.items():
        published, found = (config.published_hz, config.ap50), (frames_per_s(name), config.ap50)
        slow, fast = (frames_per_s(name, depth, call_s) for depth, call_s in reversed(OPEN))
        axes.plot([slow, fast], [config.ap50] * 2, color=PALETTE[5], linewidth=4, alpha=0.6, solid_capstyle="butt",
                  label="depth and call time open" if name == "a" else None)  # fmt: skip
        pair_points(axes, [published], [found], PALETTE[0])
        axes.annotate(name, published, xytext=(-4, 7), textcoords="offset points", fontsize=9, ha="right")
    for name, (rate, accuracy) in RIVALS.items():
        axes.plot([rate], [accuracy], "D", mfc="white", mec="black", mew=1.0, markersize=5)
        axes.annotate(name, (rate, accuracy), xytext=(6, -3), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    axes.set_xticks([4, 6, 10, 20, 30, 40], ["4", "6", "10", "20", "30", "40"])
    axes.minorticks_off()
    axes.set_xlabel("frames a second on an Ultra96")
    axes.set_ylabel("AP50 on VOC, % (published)")
    axes.set_title("CoDeNet")
    pair_legend(axes, "upper right")
    return result
