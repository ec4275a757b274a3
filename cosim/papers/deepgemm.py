"""DeepGEMM: two-bit products from a 16-entry table in a vector register against INT8 kernels, on an AVX2 core.

Boundary: whole layers on a Skylake-class core with the activations packed, operands in the caches, and the ports alone.
The baseline decides: the look-up takes 18 products a cycle on the ports, an AVX2 INT8 kernel 32, the SSE2 kernel of
QNNPACK's x86 path 5. The publication plots speed-ups over the GEMM shapes of three networks' layers without numbers; a
public reading of it says that the bars are against a plain INT8 kernel, and no printed value was found (searched: the
re-implementation, summaries, the authors' pages), so the figure shows the simulated bars and only the headline is
compared.
Source: Ganji et al., CVPR-W 2023, arXiv 2304.09049 (abstract); github.com/Emily0330/DeepGEMM-paper-reproduce (README)
for the core, the networks' number and the share of unpacking; the SSE2 kernel: pytorch/QNNPACK, q8gemm 4x4c2-sse2.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from cosim.components.cpu_kernels import KERNELS, Kernel, Ports
from cosim.ir.layer import Layer
from cosim.papers._machines import BARE, convolutions, latency_s, machine
from cosim.papers.row import PaperRow, Scenario, bracketed, missing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Ganji et al., DeepGEMM, CVPR-W 2023",
    machine="cpu_i7_9700k (AVX2, no VNNI), one core at 3.6 GHz; 128-bit registers for the SSE2 kernel",
    workload="dense convolutions of resnet18, vgg16, mobilenet_v2 without the first",
    mapping="kernel lut16_2bit against int8_maddubs (AVX2) and int8_sse2 (QNNPACK)",
    assumptions=("which three networks", "the baseline's kernel: QNNPACK's x86 kernels are SSE2"),
)
NETWORKS = ("resnet18", "vgg16", "mobilenet_v2")
BASELINES = {"AVX2": ("int8_maddubs", 256), "SSE2": ("int8_sse2", 128)}


def skylake() -> Ports:
    """Vector ports of the core, 256 bits wide."""
    return Ports(
        vector_bits=256, registers=16, multiply=2, vector=3, shuffle=1, vector_load=2, scalar_load=2, store=1,
        multiply_latency_cycles=4,
    )  # fmt: skip


def products_per_cycle(kernel: Kernel, vector_bits: int = 256) -> float:
    """Products a cycle by port counts alone."""
    return float(np.ravel(replace(skylake(), vector_bits=vector_bits).products_per_cycle(kernel))[0])


def _time_s(layers: list[Layer], kernel: str, bits: int) -> float:
    core = machine("cpu_i7_9700k", *BARE, f"core.vector_bits={bits}")
    return latency_s(core, layers, {"kernel": kernel})


@cache
def shapes(network: str) -> dict[str, Layer]:
    """A layer for every GEMM shape of the network, ``pixels x reduction x channels``, in execution order."""
    found: dict[str, Layer] = {}
    for layer in convolutions(network)[1:]:
        found.setdefault(f"{layer.P * layer.Q}x{layer.C * layer.R * layer.S}x{layer.K}", layer)
    return found


@cache
def speedups(network: str, baseline: str) -> tuple[float, ...]:
    """INT8 time over look-up time of every shape."""
    kernel, bits = BASELINES[baseline]
    return tuple(
        _time_s([layer], kernel, bits) / _time_s([layer], "lut16_2bit", 256)
        for layer in shapes(network).values()
    )


def ROWS() -> list[PaperRow]:
    """The headline between its two baselines, for layers and for ports; what has no printed value."""
    lut = products_per_cycle(KERNELS["lut16_2bit"])
    ports = [lut / products_per_cycle(KERNELS[kernel], bits) for kernel, bits in BASELINES.values()]
    best = [max(max(speedups(network, baseline)) for network in NETWORKS) for baseline in BASELINES]
    every = [value for network in NETWORKS for value in speedups(network, "SSE2")]
    note = "missing: the baseline's kernel; AVX2 (low end) to SSE2 as in QNNPACK (high end)"
    return [
        bracketed("deepgemm-2023", "layer, look-up over INT8 kernel, up to", "abstract", 1.74, min(best), max(best),
                  "1", f"{note}, best of {len(every)} shapes with packing"),
        bracketed("deepgemm-2023", "kernel, look-up over INT8 kernel, up to", "abstract", 1.74, min(ports), max(ports),
                  "1", f"{note}, ports alone: {lut:.1f} products a cycle for the look-up"),
        missing("deepgemm-2023", "speed-up of single layers, mean", "bars over GEMM shapes", None, "1",
                "values of the bars and the networks' names; mean over all shapes against SSE2, see the figure",
                float(np.exp(np.mean(np.log(every))))),
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """Speed-up over INT8 for the GEMM shapes of each network, as the publication draws it."""
    from cosim.papers._figures_sw import solid_bars
    from cosim.report.style import new_figure

    result = new_figure(10.5, 7.2)
    panels = result.subplots(3, 1)
    for axes, network in zip(panels, NETWORKS, strict=True):
        names = list(shapes(network))
        solid_bars(axes, names, {f"over {baseline}": speedups(network, baseline) for baseline in BASELINES})
        axes.axhline(1.0, color="black", linewidth=0.8)
        axes.axhline(1.74, color="black", linewidth=0.8, linestyle="--")
        axes.set_xlim(-0.6, len(names) - 0.4)
        axes.text(len(names) - 0.35, 1.74, "published\nup to 1.74", fontsize=7.5, va="center")
        axes.tick_params(axis="x", labelsize=6.5)
        axes.set_ylabel("speed-up over INT8")
        axes.set_title(network, loc="left")
        axes.legend(frameon=False, fontsize=7.5, ncols=2, loc="lower right", bbox_to_anchor=(1.0, 1.0))
    panels[-1].set_xlabel("GEMM shape: pixels x reduction x channels")
    return result
