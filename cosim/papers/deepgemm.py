"""DeepGEMM: two-bit products from a 16-entry table in a vector register against INT8 kernels, on an AVX2 core.

Boundary: instructions of the inner kernels on the ports of a Skylake-class core; whole layers with packing of the
activations. The baseline decides: the look-up takes 18 products a cycle, an AVX2 INT8 kernel 32, the SSE2 kernel of
QNNPACK's x86 path 5. The published bars are figures without numbers, so only the headline is compared.
Source: Ganji et al., CVPR-W 2023, arXiv 2304.09049 (abstract); a public re-implementation for the machine, the data
sets and the share of unpacking; the SSE2 kernel: pytorch/QNNPACK, q8gemm 4x4c2-sse2.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cosim.components.cpu_kernels import KERNELS, Kernel, Ports
from cosim.papers._figures import bars_figure
from cosim.papers._machines import BARE, convolutions, latency_s, machine
from cosim.papers.row import PaperRow, Scenario, bracketed, missing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Ganji et al., DeepGEMM, CVPR-W 2023",
    machine="cpu_i7_9700k (AVX2, no VNNI), one core at 3.6 GHz",
    workload="products of two-bit operands; dense convolutions of resnet18, vgg16, mobilenet_v2",
    mapping="kernel lut16_2bit against int8_maddubs (AVX2) and an SSE2 kernel of 4 x 4 outputs",
    assumptions=(
        "the baseline's kernel: QNNPACK's x86 kernels are SSE2",
        "per-layer values are bars without numbers",
    ),
)
# 4 x 4 outputs, 8 reduction elements a step: per accumulator of four 32-bit lanes and pair of elements one
# multiply-add, one addition, one broadcast shuffle; widening 8 registers and subtracting 4 zero points for 16.
SSE2_INT8 = Kernel(
    "int8_sse2", "gemm", "int8", 8, 8, k_step=2, multiplies=1.0, alu=1.25, shuffles=1.5, chain="alu",
    source="QNNPACK q8gemm 4x4c2-sse2",
)  # fmt: skip
NETWORKS = ("resnet18", "vgg16", "mobilenet_v2")


def skylake() -> Ports:
    """Vector ports of the core, 256 bits wide."""
    return Ports(
        vector_bits=256, registers=16, multiply=2, vector=3, shuffle=1, vector_load=2, scalar_load=2, store=1,
        multiply_latency_cycles=4,
    )  # fmt: skip


def products_per_cycle(kernel: Kernel, vector_bits: int = 256) -> float:
    """Products a cycle by port counts alone."""
    return float(np.ravel(replace(skylake(), vector_bits=vector_bits).products_per_cycle(kernel))[0])


def layer_ratio(network: str) -> float:
    """AVX2 INT8 time over look-up time of a network's dense convolutions."""
    core = machine("cpu_i7_9700k", *BARE)
    layers = convolutions(network)
    return latency_s(core, layers, {"kernel": "int8_maddubs"}) / latency_s(
        core, layers, {"kernel": "lut16_2bit"}
    )


def ROWS() -> list[PaperRow]:
    """The headline between its two baselines; whole networks against the stronger one."""
    lut = products_per_cycle(KERNELS["lut16_2bit"])
    avx2, sse2 = lut / products_per_cycle(KERNELS["int8_maddubs"]), lut / products_per_cycle(SSE2_INT8, 128)
    rows = [
        bracketed("deepgemm-2023", "look-up over INT8 kernel, up to", "abstract", 1.74, avx2, sse2, "1",
                  f"baseline AVX2 gives {avx2:.2f}, SSE2 as in QNNPACK {sse2:.2f}; ports alone, {lut:.1f} products a "
                  "cycle for the look-up")
    ]  # fmt: skip
    rows += [
        missing("deepgemm-2023", f"dense convolutions of {name}, look-up over AVX2 INT8", "figure of networks", None,
                "1", "bar values; simulated against the AVX2 kernel, which QNNPACK's x86 path does not use",
                layer_ratio(name))
        for name in NETWORKS
    ]  # fmt: skip
    return rows


def figure(rows: list[PaperRow]) -> Figure:
    """Products a cycle of the kernels behind the headline."""
    rates = {
        "look-up, 2 bit": products_per_cycle(KERNELS["lut16_2bit"]),
        "INT8, AVX2": products_per_cycle(KERNELS["int8_maddubs"]),
        "INT8, SSE2": products_per_cycle(SSE2_INT8, 128),
        "FP32": products_per_cycle(KERNELS["fp32_gemm"]),
    }
    return bars_figure(
        "DeepGEMM: products a cycle, AVX2 core", "1/cycle", list(rates), {"ports": list(rates.values())}
    )
