"""CNNA16 on an Ultra96: VGG16 in 2.0 s, its board log layer by layer, its design space and its fixed point.

Boundary: wall time of the driver on the board (PYNQ), one image; the paper's 2.63 W states no rail. Untuned, bracketed
and fitted predictions are separate rows: clock and host terms of the fitted machine were chosen after seeing the log.
The paper's own tables were searched for and are not accessible; its abstract and the authors' files are.
Sources: Bjerge et al., arXiv 2004.13075 (abstract); board log and simulations, github.com/jonathan93sh/CNNA.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cosim.components.fpga_resources import bram18_count
from cosim.ir.batch import Array, LayerBatch
from cosim.ir.layer import Layer, mac_layer, vector_layer
from cosim.mapping.fpga_cnna import CnnaBuild, DesignPoint, design_space, lay_out
from cosim.mapping.plan import make_plan
from cosim.papers import _cnna_designs as designs
from cosim.papers import _cnna_errors as errors
from cosim.papers._evidence import ABSTRACT, ARTEFACT, at
from cosim.papers._figures_hw import pair_legend, pair_points
from cosim.papers._machines import machine
from cosim.papers.row import PaperRow, Scenario, below, bracketed, exact, fitted, missing, within
from cosim.report.style import PALETTE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REPO, PAPER = "cnna-repo", "cnna"
LOG, SPACE = at("board log", ARTEFACT), at("cp01-180Mhz.p", ARTEFACT)
SCENARIO = Scenario(
    title="Bjerge et al., A generic and efficient convolutional neural network accelerator, arXiv 2004.13075",
    machine="ultra96_cnna16 (untuned), ultra96_cnna16_fitted; the 60 builds of the design space",
    workload="VGG16 with five classes, one image; five test benches",
    mapping="the authors' splits, 16-bit data, 8 processing elements, 128-bit DMA",
    assumptions=(
        "the board's clock of the log is not printed: 172.22 MHz as asked for, or 250 MHz from another PLL",
        "a packet every cycle as synthesised, or every two as simulated with FIFOs of depth one",
        "host terms are not published",
        "2.63 W names no rail",
    ),
)
CNNA16 = CnnaBuild(16.0, 128.0, 8.0, 3.0, 800.0)
# input channels, filters, size of the thirteen convolutions; size, channels of the five poolings; the classifier.
CONVS = (
    (3, 64, 224), (64, 64, 224), (64, 128, 112), (128, 128, 112), (128, 256, 56), (256, 256, 56), (256, 256, 56),
    (256, 512, 28), (512, 512, 28), (512, 512, 28), (512, 512, 14), (512, 512, 14), (512, 512, 14),
)  # fmt: skip
POOLS = ((224, 64), (112, 128), (56, 256), (28, 512), (14, 512))
CONNECTED = ((25088, 4096), (4096, 4096), (4096, 5))


@dataclass(frozen=True)
class LoggedLayer:
    """A line of the board log: time, splits (0 where the log has none), DMA words in and out."""

    name: str
    ms: float
    splits: int
    words_in: int
    words_out: int


LOGGED = (
    LoggedLayer("conv1_1", 17.545, 1, 9408, 401408), LoggedLayer("conv1_2", 84.270, 1, 401408, 401408),
    LoggedLayer("conv2_1", 42.711, 1, 100352, 200704), LoggedLayer("conv2_2", 81.332, 1, 200704, 200704),
    LoggedLayer("conv3_1", 43.907, 2, 100352, 150528), LoggedLayer("conv3_2", 85.124, 4, 401408, 250880),
    LoggedLayer("conv3_3", 84.823, 4, 401408, 250880), LoggedLayer("conv4_1", 54.311, 8, 200704, 225792),
    LoggedLayer("conv4_2", 105.035, 16, 802816, 426496), LoggedLayer("conv4_3", 106.987, 16, 802816, 426496),
    LoggedLayer("conv5_1", 44.383, 16, 200704, 106624), LoggedLayer("conv5_2", 41.895, 16, 200704, 106624),
    LoggedLayer("conv5_3", 41.369, 16, 200704, 106624),
    LoggedLayer("pool1", 13.677, 0, 401408, 100352), LoggedLayer("pool2", 6.806, 0, 200704, 50176),
    LoggedLayer("pool3", 3.457, 0, 100352, 25088), LoggedLayer("pool4", 1.805, 0, 50176, 12544),
    LoggedLayer("pool5", 0.615, 0, 12544, 3136),
    LoggedLayer("fc1", 738.534, 512, 1605632, 512), LoggedLayer("fc2", 399.929, 512, 262144, 512),
    LoggedLayer("fc3", 1.992, 1, 512, 1),
)  # fmt: skip
PARTS = {"conv": (0, 13), "pool": (13, 18), "fc": (18, 21)}
ENGINE_SLOW = ("timing.packet_ii_cycles=2", "timing.pool_cycles=7.47")
ENGINE_FAST = ("timing.clock_hz=250 MHz",)


def _conv(channels: int, filters: int, size: int, name: str) -> Layer:
    return mac_layer(name, "conv", C=channels, K=filters, P=size, Q=size, R=3, S=3, padding=designs.PAD)


def vgg16() -> LayerBatch:
    """VGG16 as the authors ran it: five classes, ReLU inside the engine."""
    layers = [_conv(c, k, s, f"conv{i}") for i, (c, k, s) in enumerate(CONVS)]
    layers += [
        vector_layer(f"pool{i}", "max_pool", x_elems=s * s * c, y_elems=s * s * c // 4, taps=4)
        for i, (s, c) in enumerate(POOLS)
    ]
    return LayerBatch.from_layers(
        [*layers, *(mac_layer(f"fc{i}", "linear", C=c, K=k) for i, (c, k) in enumerate(CONNECTED))]
    )


def layer_ms(machine_name: str, *settings: str) -> Array:
    """Time of every layer of :func:`vgg16` on a machine with ``path=value`` settings, shape (21,)."""
    found, layers = machine(machine_name, *settings), vgg16()
    estimate = found.model.estimate(layers, found.params, make_plan(layers, found.model.choices))
    total = np.zeros(layers.size)
    for stage in estimate.stages:
        total = total + np.max([np.broadcast_to(t, (layers.size,)) for t in stage.resources.values()], axis=0)
    return total * 1e3


def logged(part: str) -> tuple[LoggedLayer, ...]:
    """The log of the convolutions, poolings or fully connected layers."""
    first, last = PARTS[part]
    return LOGGED[first:last]


def logged_ms(part: str) -> float:
    """Sum of the log over a part."""
    return sum(row.ms for row in logged(part))


def part_ms(layers_ms: Array, part: str) -> float:
    """Sum of computed times, shape (21,), over a part."""
    first, last = PARTS[part]
    return float(layers_ms[first:last].sum())


def ROWS() -> list[PaperRow]:
    """Counts, the simulated design space, resources, fixed point, and the board log bracketed and fitted."""
    rows = _word_rows() + _simulation_rows() + _resource_rows() + _error_rows()
    return rows + _layer_rows() + _untuned_rows() + _fitted_rows(layer_ms("ultra96_cnna16_fitted"))


def _word_rows() -> list[PaperRow]:
    layout = lay_out(vgg16(), CNNA16, 1.0)
    rows = []
    for part, name in (("conv", "convolutions"), ("fc", "fully connected layers")):
        lines, (first, last) = logged(part), PARTS[part]
        for what, column, published in (
            ("splits", layout.splits, [row.splits for row in lines]),
            ("DMA words in", layout.x_words, [row.words_in for row in lines]),
            ("DMA words out", layout.y_words, [row.words_out for row in lines]),
        ):
            found = np.asarray(column)[first:last]
            equal = sum(float(a) == b for a, b in zip(found, published, strict=True))
            note = f"{equal} of {len(lines)} layers equal, one by one"
            total = float(np.sum(found))
            rows.append(
                exact(REPO, f"VGG16, {what} of the {name}", LOG, float(sum(published)), total, "1", note)
            )
    return rows


def _simulation_rows() -> list[PaperRow]:
    rows = []
    for bench in designs.BENCHES:
        published, found, mean, worst = designs.bench_sums(bench)
        note = f"sum over the 50 designs that ran; mean error of a design {mean:.2%}, largest {worst:.2%}"
        if bench.startswith("128"):
            note += "; three or two cycles a weight word read off one of them"
        rows.append(
            within(REPO, f"test bench: {bench}, all designs", SPACE, published, found, "us", 0.01, note)
        )
    held = ", ".join(
        f"{designs.pool_us(256, 64, lanes) / published - 1:+.1%}"
        for lanes, published in designs.POOL_64_US.items()
    )
    note = f"two rates from the 4- and 16-element designs; the other pooling bench, left out, is {held} off"
    rows.append(
        fitted(REPO, "test bench: pooling 28 x 28 x 512, 8 elements a word", SPACE, designs.POOL_512_US[8],
               designs.pool_us(designs.POOLED_512, designs.CHANNELS_512, 8), "us", note)
    )  # fmt: skip
    return rows


def tiled_bram18s(build: CnnaBuild) -> int:
    """Half block RAMs of a build's weight, line, window and pooling memories by their aspect ratios."""
    lanes, bits = round(float(build.lanes)), round(float(build.dma_bits))
    packet_bits = lanes * round(float(build.out)) * round(float(build.data_bits))
    weights = round(float(build.pes)) * bram18_count(round(float(build.wbuf_words)), packet_bits)
    lines = 3 * bram18_count(512 * 64 // lanes, bits)
    return weights + lines + bram18_count(-(-512 * 3 // lanes), bits) + bram18_count(1024, bits)


def _resource_rows() -> list[PaperRow]:
    note = "built, with every other memory of the core; from four memories alone"
    rows = [
        within(REPO, f"{name}, block RAM halves", at("cnn_export.rpt", ARTEFACT), built, tiled_bram18s(build), "1",
               0.07, note)
        for name, built, build in (
            ("CNNA16", 277, CNNA16),
            ("CNNA8_1", 193, CnnaBuild(8.0, 128.0, 16.0, 1.0, 798.0)),
            ("CNNA8_2", 249, CnnaBuild(8.0, 128.0, 8.0, 3.0, 546.0)),
        )
    ]  # fmt: skip
    every = design_space()
    pairs = [(designs.estimated_bram18s(p), designs.bram18s(p)) for p in every]
    worst = max(abs(found / published - 1) for published, found in pairs)
    rows.append(
        within(REPO, "block RAM halves of the 60 designs", SPACE, float(sum(a for a, _ in pairs)),
               float(sum(b for _, b in pairs)), "1", 0.05,
               f"sum of the authors' estimates and of the bits of four memories; largest difference {worst:.1%}")
    )  # fmt: skip
    return rows


def _error_rows() -> list[PaperRow]:
    rows = []
    for bits, published in ((8, 5.451), (16, 4.725), (32, 5.196)):
        low, high = errors.connected_bracket(bits)
        note = (
            "sums beyond +-2: the engine saturates, the bench's reference wraps, so the square tends to 16/3; size of "
            "the inputs not published; rounding would give less than 0.01"
        )
        rows.append(
            bracketed(REPO, f"squared error of the fully connected bench, {bits} bits", SPACE, published, low, high,
                      "1", note)
        )  # fmt: skip
    low, high = errors.first_layer_bracket(8)
    note = "weights cut off to multiples of 1/64, the bench's picture; the share that the ReLU passes is open"
    rows.append(
        bracketed(REPO, "squared error that 8 bits add to the first convolution", SPACE, 0.059039 - 0.046432, low, high,
                  "1", note)
    )  # fmt: skip
    facts = (
        "the accuracy table of the paper, searched for again; the artefact's training curves end at 0.944 in Q2.14 "
        "with scales and 0.9995 in floating point (five classes, 1024 neurons), without its weights and pictures"
    )
    what = "digits perceptron in Q2.14 with a scale a layer, accuracy over floating point"
    try:
        rows.append(
            missing(PAPER, what, at("accuracy table", ABSTRACT), None, "1", facts, errors.digits_accuracy())
        )
    except ModuleNotFoundError as error:
        rows.append(missing(PAPER, what, at("accuracy table", ABSTRACT), None, "1", f"{facts}; {error}"))
    return rows


def _layer_rows() -> list[PaperRow]:
    own, fast, slow = (layer_ms("ultra96_cnna16", *settings) for settings in ((), ENGINE_FAST, ENGINE_SLOW))
    note = "engine at 172.22 or 250 MHz, one or two cycles a packet, 1 to 7.47 a pooled word; no host, no weight copies"
    rows = []
    for i, row in enumerate(LOGGED):
        low, high = sorted((float(fast[i]), float(slow[i])))
        rows.append(bracketed(REPO, f"{row.name}, time", LOG, row.ms, low, high, "ms", note, float(own[i])))
    return rows


def _untuned_rows() -> list[PaperRow]:
    own, fast, slow = (layer_ms("ultra96_cnna16", *settings) for settings in ((), ENGINE_FAST, ENGINE_SLOW))
    note = "documented clock, one packet a cycle, no host"
    conv_ms = part_ms(own, "conv")
    return [
        below(REPO, "VGG16 convolutions, untuned", LOG, logged_ms("conv"), conv_ms, "ms", note),
        bracketed(REPO, "VGG16 convolutions, clock and packet rate open", LOG, logged_ms("conv"),
                  part_ms(fast, "conv"), part_ms(slow, "conv"), "ms",
                  "172.22 or 250 MHz, one or two cycles a packet; no host", conv_ms),
        below(PAPER, "VGG16 inference, untuned", at("abstract", ABSTRACT), 2000.0, float(own.sum()), "ms", note),
    ]  # fmt: skip


def _fitted_rows(layers_ms: Array) -> list[PaperRow]:
    held_out = "fitted to the log; the third fully connected layer, held out, comes out at 0.37 of its time"
    rows = [
        fitted(
            REPO,
            f"VGG16 {name} layers, fitted",
            LOG,
            logged_ms(name),
            part_ms(layers_ms, name),
            "ms",
            held_out,
        )
        for name in PARTS
    ]
    total_ms = float(layers_ms.sum())
    where = at("abstract", ABSTRACT)
    rows.append(fitted(PAPER, "VGG16 inference, fitted", where, 2000.0, total_ms, "ms", held_out))
    giga_ops_per_j = 2e-9 * float(vgg16().macs.sum()) / (total_ms * 1e-3) / 2.63
    note = f"2.63 W as printed; {held_out}"
    rows.append(fitted(PAPER, "operations per joule", where, 6.0, giga_ops_per_j, "GOP/J", note))
    return rows


def _percent(point: DesignPoint, brams: float) -> float:
    return 100 * designs.resource_share(point, brams)


def figure(rows: list[PaperRow]) -> Figure:
    """The authors' plot of the design space, resources over time, and the board log layer by layer."""
    result = new_figure(9.0, 7.0)
    space, log = result.subplots(2, 1)
    bench = "64 filters on 16 x 16 x 64"
    for number, (bits, marker) in enumerate(((8, "o"), (16, "^"), (32, "s"))):
        chosen = [p for p in designs.points() if (p.data_bits, p.dma_bits) == (bits, 128)]
        published = [
            (designs.published_us(bench, p), _percent(p, designs.estimated_bram18s(p))) for p in chosen
        ]
        found = [(designs.bench_us(bench, p), _percent(p, designs.bram18s(p))) for p in chosen]
        pair_points(space, published, found, PALETTE[number], marker, f"{bits} bits, 128-bit DMA")
    space.axhline(100, color="black", linewidth=0.6, linestyle=":")
    space.set_xscale("log")
    space.set_yscale("log")
    space.set_xlabel(f"time of {bench}, us")
    space.set_ylabel("block RAMs and multipliers, % of the board")
    space.set_title("CNNA, design space")
    pair_legend(space)
    own, fast, slow = (layer_ms("ultra96_cnna16", *settings) for settings in ((), ENGINE_FAST, ENGINE_SLOW))
    tuned = layer_ms("ultra96_cnna16_fitted")
    for i, row in enumerate(LOGGED):
        log.plot([i, i], sorted((fast[i], slow[i])), color=PALETTE[5], linewidth=5, alpha=0.6, solid_capstyle="butt",
                 label="engine, clock and packets open" if not i else None)  # fmt: skip
        log.plot([i], [row.ms], "o", mfc="white", mec="black", mew=1.2, label="board log" if not i else None)
        log.plot(
            [i], [own[i]], "_", color=PALETTE[0], markersize=9, mew=2, label="untuned" if not i else None
        )
        log.plot(
            [i], [tuned[i]], "x", color=PALETTE[3], markersize=6, label="fitted to the log" if not i else None
        )
    log.set_yscale("log")
    log.set_xticks(range(len(LOGGED)), [row.name for row in LOGGED], rotation=40, ha="right", fontsize=8)
    log.set_ylabel("time, ms")
    log.set_title("CNNA16 on an Ultra96, VGG16")
    log.legend(frameon=False, fontsize=8, ncols=2)
    return result
