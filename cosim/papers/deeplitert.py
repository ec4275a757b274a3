"""DeepliteRT: bit-serial two-bit convolutions on ARM cores, operators and whole networks.

Boundary: the abstract names neither boards, layers nor baselines' kernels. Bracketed over Cortex-A53 and A72, one and
two weight bits, FP32 by im2col or indirection, for the convolutions of ResNet-18 and ResNet-50.
Source: Ashfaq et al., BMVC 2023, arXiv 2309.10878 (abstract); kernels: Cowan et al., arXiv 1810.11066.
"""

from __future__ import annotations

from cosim.papers._machines import BARE, convolutions, latency_s, machine
from cosim.papers.row import PaperRow, Scenario, bracketed

SCENARIO = Scenario(
    title="Ashfaq et al., DeepliteRT, BMVC 2023",
    machine="cpu_cortex_a53, cpu_cortex_a72, one core",
    workload="convolutions of resnet18 and resnet50 without the first, which stays at 8 bits",
    mapping="bit-serial kernels of two activation bits and one or two weight bits",
    assumptions=("board", "layers", "weight bits", "kernel of each baseline"),
)
CORES = ("cpu_cortex_a53", "cpu_cortex_a72")
SERIAL = ("bitserial_a2w2_unipolar", "bitserial_a2w1_unipolar")


def ratios(baselines: tuple[str, ...], one_layer_at_a_time: bool) -> list[float]:
    """Baseline time over bit-serial time, for every core, network and pair of kernels."""
    found = []
    for core in CORES:
        board = machine(core, *BARE)
        for network in ("resnet18", "resnet50"):
            layers = convolutions(network)[1:]
            groups = [[layer] for layer in layers] if one_layer_at_a_time else [layers]
            for group in groups:
                serial = [latency_s(board, group, {"kernel": kernel}) for kernel in SERIAL]
                found += [latency_s(board, group, {"kernel": b}) / s for b in baselines for s in serial]
    return found


def ROWS() -> list[PaperRow]:
    """Operators and networks."""
    key, where = "deeplitert-2023", "abstract"
    note = "missing: board, layers, weight bits, baseline kernels; two cores, one and two weight bits"
    operator = ratios(("fp32_gemm", "int8_smlal"), True)
    fp32, int8 = ratios(("fp32_gemm", "fp32_indirect"), False), ratios(("int8_smlal",), False)
    two_bit = ratios((SERIAL[0],), False)
    return [
        bracketed(key, "convolution over others, up to", where, 4.34, min(operator), max(operator), "1", note),
        bracketed(key, "network over FP32, up to", where, 2.20, min(fp32), max(fp32), "1", note),
        bracketed(key, "network over INT8, up to", where, 2.33, min(int8), max(int8), "1", note),
        bracketed(key, "network over a two-bit baseline, up to", where, 2.17, min(two_bit), max(two_bit), "1",
                  note + "; baseline taken as two bits by two on the same kernel"),
    ]  # fmt: skip
