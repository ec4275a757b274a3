"""The indirect convolution: no im2col, a buffer of pointers; up to 62 % faster, slightly slower on 1 x 1.

Boundary: the tables per device and layer were not accessible. Bracketed over the 3 x 3 and larger convolutions of
ResNet-18 and ResNet-50 in FP32 on four cores, operands in the caches or in memory.
Source: Dukhan, arXiv 1907.02129 (abstract); buffer size as in the XNNPACK implementation.
"""

from __future__ import annotations

from cosim.components.cpu_kernels import indirection_bytes
from cosim.papers._machines import BARE, convolutions, latency_s, machine
from cosim.papers.row import PaperRow, Scenario, bracketed, missing

SCENARIO = Scenario(
    title="Dukhan, The indirect convolution algorithm, 2019",
    machine="cpu_cortex_a53, cpu_cortex_a72, cpu_i7_9700k, cpu_zen4, one core",
    workload="convolutions of resnet18 and resnet50",
    mapping="kernel fp32_indirect against fp32_gemm",
    assumptions=("device and layer of the 62 %",),
)
CORES = ("cpu_cortex_a53", "cpu_cortex_a72", "cpu_i7_9700k", "cpu_zen4")
COLD = ("runtime.name=bare", "runtime.operands=cold", "runtime.graph=standalone")


def gains(pointwise: bool) -> list[float]:
    """Time with im2col over time with pointers, layer by layer."""
    found = []
    for settings in (BARE, COLD):
        for core in CORES:
            board = machine(core, *settings)
            for network in ("resnet18", "resnet50"):
                layers = [
                    c for c in convolutions(network) if (c.R * c.S == 1 and c.stride == (1, 1)) == pointwise
                ]
                found += [
                    latency_s(board, [c], {"kernel": "fp32_gemm"})
                    / latency_s(board, [c], {"kernel": "fp32_indirect"})
                    for c in layers
                ]
    return found


def buffer_ratio(channels: int) -> float:
    """im2col buffer over pointers for 3 x 3 on 14 x 14 in FP32: channels * 4 / 8 bytes, rounded up to tiles of 4."""
    return 14 * 14 * 9 * channels * 4.0 / float(indirection_bytes(14 * 14, 9, 4))


def ROWS() -> list[PaperRow]:
    """The largest gain; the loss on pointwise layers; memory."""
    key = "indirect-conv-2019"
    spatial, pointwise = gains(False), gains(True)
    note = "missing: device and layers; four cores, warm and cold operands"
    return [
        bracketed(key, "im2col over indirect, largest", "abstract", 1.62, min(spatial), max(spatial), "1", note),
        missing(key, "time of im2col over indirect, pointwise, smallest", "abstract (small loss)", None, "1",
                "the size of the loss", min(pointwise)),
        missing(key, "im2col buffer over pointers, 64 channels, 3 x 3", "section 3 (proportional to channels)", None,
                "1", "a printed figure", buffer_ratio(64)),
    ]  # fmt: skip
