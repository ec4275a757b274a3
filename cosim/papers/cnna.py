"""CNNA16 on an Ultra96: VGG16 in 2.0 s, its board log and its design space.

Boundary: wall time of the driver on the board (PYNQ), one image; the paper's 2.63 W states no rail. Untuned and
fitted predictions are separate rows: clock and host terms of the fitted machine were chosen after seeing the log.
Sources: Bjerge et al., arXiv 2004.13075 (abstract); board log and simulations, github.com/jonathan93sh/CNNA.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cosim.components.fpga_resources import bram18_count
from cosim.engine import load_arch
from cosim.ir.batch import Array, LayerBatch
from cosim.ir.layer import Layer, mac_layer, vector_layer
from cosim.mapping.fpga_cnna import CnnaBuild, DesignPoint, design_space, lay_out, simulated_test_cycles
from cosim.mapping.plan import make_plan
from cosim.papers._figures import lines_figure
from cosim.papers.row import PaperRow, Scenario, below, exact, fitted, missing, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Bjerge et al., A generic and efficient convolutional neural network accelerator, arXiv 2004.13075",
    machine="ultra96_cnna16 (untuned), ultra96_cnna16_fitted",
    workload="VGG16 with five classes, one image",
    mapping="the authors' splits, 16-bit data, 8 processing elements, 128-bit DMA",
    assumptions=("the board's clock of the log is not printed", "2.63 W names no rail"),
)
PAD = (1, 1, 1, 1)
CNNA16 = CnnaBuild(16.0, 128.0, 8.0, 3.0, 800.0)
# input channels, filters, size of the thirteen convolutions; size, channels of the five poolings; the classifier.
CONVS = (
    (3, 64, 224), (64, 64, 224), (64, 128, 112), (128, 128, 112), (128, 256, 56), (256, 256, 56), (256, 256, 56),
    (256, 512, 28), (512, 512, 28), (512, 512, 28), (512, 512, 14), (512, 512, 14), (512, 512, 14),
)  # fmt: skip
POOLS = ((224, 64), (112, 128), (56, 256), (28, 512), (14, 512))
CONNECTED = ((25088, 4096), (4096, 4096), (4096, 5))
LOGGED_MS = {"conv": 833.7, "pool": 26.4, "fc": 1140.5, "total": 2000.5}
TEST_BENCH_US = 5.625e-3
# SystemC simulation, microseconds, of 64 filters on 16 x 16 x 64 and of 64 filters on 32 x 32 x 3; elements 4 .. 64.
SIMULATED_US: dict[tuple[int, int, int], tuple[tuple[float, ...], tuple[float, ...]]] = {
    (16, 128, 3): ((1228.6, 654.9, 368.0, 224.6, 152.9), (749.6, 381.4, 197.2, 105.2, 105.2)),
    (16, 128, 1): ((3403.4, 1728.0, 890.4, 471.6, 262.2), (1848.7, 928.0, 467.7, 237.5, 122.5)),
    (8, 128, 3): ((638.9, 340.6, 191.4, 116.8, 79.6), (749.6, 381.4, 197.2, 105.2, 59.1)),
    (8, 128, 1): ((1725.1, 875.9, 451.3, 239.1, 132.9), (1848.7, 928.0, 467.7, 237.5, 122.4)),
    (32, 128, 3): ((2408.0, 1283.5, 721.2, 440.1, 299.6), (749.6, 381.4, 197.3, 197.3, 197.4)),
    (16, 64, 3): ((2408.0, 1283.5, 721.2, 440.1, 299.6), (749.6, 381.4, 197.3, 197.3, 197.4)),
}
ELEMENTS = (4, 8, 16, 32, 64)


def _conv(channels: int, filters: int, size: int, name: str) -> Layer:
    return mac_layer(name, "conv", C=channels, K=filters, P=size, Q=size, R=3, S=3, padding=PAD)


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


def layer_ms(machine_name: str) -> Array:
    """Time of every layer of :func:`vgg16` on a machine, shape (21,)."""
    machine = load_arch(machine_name)
    layers = vgg16()
    found = machine.model.estimate(layers, machine.params, make_plan(layers, machine.model.choices))
    total = np.zeros(layers.size)
    for stage in found.stages:
        total = total + np.max([np.broadcast_to(t, (layers.size,)) for t in stage.resources.values()], axis=0)
    return total * 1e3


def design_space_error() -> tuple[float, float]:
    """Mean and largest relative error over the 60 simulated times of six families and two test benches."""
    errors = []
    for (width, dma, out), published in SIMULATED_US.items():
        for shape, times in zip(((64, 64, 16), (3, 64, 32)), published, strict=True):
            batch = LayerBatch.from_layers([_conv(*shape, "test")])
            for elements, microseconds in zip(ELEMENTS, times, strict=True):
                cycles = simulated_test_cycles(batch, DesignPoint(width, dma, elements, out))
                errors.append(abs(float(cycles[0]) * TEST_BENCH_US / microseconds - 1.0))
    return float(np.mean(errors)), float(np.max(errors))


def _word_rows() -> list[PaperRow]:
    convs = LayerBatch.from_layers([_conv(c, k, s, f"conv{i}") for i, (c, k, s) in enumerate(CONVS)])
    layout = lay_out(convs, CNNA16, 1.0)
    published = {"splits": 102, "x_words": 4023488, "y_words": 3255168}
    names = {"splits": "splits of the convolutions", "x_words": "DMA words in", "y_words": "DMA words out"}
    return [
        exact(
            "cnna-repo", f"VGG16, {names[key]}", "board log", value, float(np.sum(getattr(layout, key))), "1"
        )
        for key, value in published.items()
    ]


def tiled_bram18s(build: CnnaBuild) -> int:
    """Half block RAMs of a build's weight, line, window and pooling memories by their aspect ratios."""
    lanes, bits = round(float(build.lanes)), round(float(build.dma_bits))
    packet_bits = lanes * round(float(build.out)) * round(float(build.data_bits))
    weights = round(float(build.pes)) * bram18_count(round(float(build.wbuf_words)), packet_bits)
    lines = 3 * bram18_count(512 * 64 // lanes, bits)
    return weights + lines + bram18_count(-(-512 * 3 // lanes), bits) + bram18_count(1024, bits)


def _resource_rows() -> list[PaperRow]:
    note = "built, with every other memory of the core; from four memories alone"
    return [
        within(
            "cnna-repo",
            f"{name}, block RAM halves",
            "cnn_export.rpt",
            built,
            tiled_bram18s(build),
            "1",
            0.07,
            note,
        )
        for name, built, build in (
            ("CNNA16", 277, CNNA16),
            ("CNNA8_1", 193, CnnaBuild(8.0, 128.0, 16.0, 1.0, 798.0)),
            ("CNNA8_2", 249, CnnaBuild(8.0, 128.0, 8.0, 3.0, 546.0)),
        )
    ]


def _simulation_rows() -> list[PaperRow]:
    mean, worst = design_space_error()
    note = f"mean absolute error {mean:.2%}, largest {worst:.2%}; the load of weights is read off a third test bench"
    where = "cp01-180Mhz.p"
    return [
        exact("cnna-repo", "points of the design space", where, 60, len(design_space()), "1"),
        within("cnna-repo", "60 simulated test times", where, 1.0, 1.0 + mean, "1", 0.01, note),
    ]


def _untuned_rows(layers_ms: Array) -> list[PaperRow]:
    conv, total = float(layers_ms[:13].sum()), float(layers_ms.sum())
    note = "documented clock, one packet a cycle, no host"
    return [
        below("cnna-repo", "VGG16 convolutions, untuned", "board log", LOGGED_MS["conv"], conv, "ms", note),
        below("cnna", "VGG16 inference, untuned", "abstract", 2000.0, total, "ms", note),
    ]


def _fitted_rows(layers_ms: Array) -> list[PaperRow]:
    held_out = "fitted to the log; the third fully connected layer, held out, comes out at 0.37 of its time"
    parts = {"conv": layers_ms[:13], "pool": layers_ms[13:18], "fc": layers_ms[18:]}
    rows = [
        fitted(
            "cnna-repo",
            f"VGG16 {name} layers, fitted",
            "board log",
            LOGGED_MS[name],
            float(part.sum()),
            "ms",
            held_out,
        )
        for name, part in parts.items()
    ]
    total_ms = float(layers_ms.sum())
    rows.append(fitted("cnna", "VGG16 inference, fitted", "abstract", 2000.0, total_ms, "ms", held_out))
    giga_ops_per_j = 2e-9 * float(vgg16().macs.sum()) / (total_ms * 1e-3) / 2.63
    note = f"2.63 W as printed; {held_out}"
    rows.append(fitted("cnna", "operations per joule", "abstract", 6.0, giga_ops_per_j, "GOP/J", note))
    return rows


def ROWS() -> list[PaperRow]:
    """Counts, untuned bounds, the simulated design space, resources, and the fitted machine."""
    rows = _word_rows() + _simulation_rows() + _resource_rows()
    rows.append(
        missing("cnna", "accuracy of 16-bit fixed point (Q2.14) beside floating point", "table", None, "1",
                "the table of the paper; the artefact holds training curves of two heads as plots")
    )  # fmt: skip
    return rows + _untuned_rows(layer_ms("ultra96_cnna16")) + _fitted_rows(layer_ms("ultra96_cnna16_fitted"))


def figure(rows: list[PaperRow]) -> Figure:
    """The design space: time of the first test over the elements of a build, as simulated by the authors and here."""
    series: dict[str, list[float]] = {}
    batch = LayerBatch.from_layers([_conv(64, 64, 16, "test")])
    for (width, dma, out), (published, _) in list(SIMULATED_US.items())[:4]:
        label = f"{width} bits, {dma}-bit DMA, {out} packets"
        series[f"published, {label}"] = list(published)
        series[f"simulated, {label}"] = [
            float(simulated_test_cycles(batch, DesignPoint(width, dma, elements, out))[0]) * TEST_BENCH_US
            for elements in ELEMENTS
        ]
    return lines_figure("CNNA: 64 filters on 16 x 16 x 64", ("elements", ELEMENTS), "us", series, log="xy")
