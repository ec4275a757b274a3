"""INT16 dynamic fixed point training: 1.8x over FP32 end to end.

Boundary: the abstract gives the ratio without the machine, which was not found either (searched: paper pages, Intel's
page of it). Bracketed between an AVX2 core, where a multiply-add of pairs needs an addition beside it, and a core that
fuses both.
Source: Das et al., ICLR 2018, arXiv 1802.00930 (abstract).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cosim.components.cpu_kernels import KERNELS, Kernel
from cosim.papers.deepgemm import skylake
from cosim.papers.row import PaperRow, Scenario, bracketed

SCENARIO = Scenario(
    title="Das et al., Mixed precision training of CNNs using integer operations, ICLR 2018",
    machine="vector ports of an AVX2 core, with and without a fused 16-bit multiply-add",
    workload="products of 16-bit integers summed in 32 bits, against FP32",
    mapping="kernel int16_dfp against fp32_gemm",
    assumptions=("instruction mix of the machine", "share of layers that stay in FP32: none"),
)


def ratio(kernel: Kernel) -> float:
    """Products a cycle over those of FP32."""
    ports = skylake()
    rates = [float(np.ravel(ports.products_per_cycle(k))[0]) for k in (kernel, KERNELS["fp32_gemm"])]
    return rates[0] / rates[1]


def ROWS() -> list[PaperRow]:
    """The headline."""
    split, fused = KERNELS["int16_dfp"], replace(KERNELS["int16_dfp"], alu=0.0)
    return [
        bracketed("das-2018", "training throughput over FP32", "abstract", 1.8, ratio(split), ratio(fused), "1",
                  "multiply-add and addition apart, or fused; kernels alone")
    ]  # fmt: skip
