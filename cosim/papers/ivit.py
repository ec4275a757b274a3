"""I-ViT: integer-only transformers, 3.72 to 4.11 times as fast as FP32 on an RTX 2080 Ti.

Boundary: batch 1 under TVM's graph executor, DeiT tiny, small and base, as the authors' timing script has it
(TVM_benchmark/evaluate_latency.py); times of the single models are not in the abstract. Bracketed over the three
networks and over operators fused or not, which auto-tuning decides.
Source: Li and Gu, ICCV 2023, arXiv 2207.01405 (abstract); github.com/zkkli/I-ViT.
"""

from __future__ import annotations

from cosim.papers._machines import latency_s, machine
from cosim.papers._networks import DEIT_BASE, DEIT_SMALL, DEIT_TINY, vit
from cosim.papers.row import PaperRow, Scenario, bracketed

SCENARIO = Scenario(
    title="Li and Gu, I-ViT, ICCV 2023",
    machine="gpu_rtx2080ti, graph replay",
    workload="DeiT tiny, small and base",
    mapping="FP32 against INT8 for every operator",
    assumptions=(
        "operators other than products: separate kernels or fused away",
        "which network each end is from",
    ),
)


def ratios() -> list[float]:
    """FP32 time over INT8 time."""
    found = []
    boards = [
        machine("gpu_rtx2080ti", f"datapath.precision={p}", "host.mode=graph") for p in ("fp32", "int8")
    ]
    for shape in (DEIT_TINY, DEIT_SMALL, DEIT_BASE):
        layers = vit(shape).layers
        for kept in (layers, tuple(layer for layer in layers if layer.is_mac)):
            fp32, int8 = (latency_s(board, kept) for board in boards)
            found.append(fp32 / int8)
    return found


def ROWS() -> list[PaperRow]:
    """Both ends of the published range."""
    low, high = min(ratios()), max(ratios())
    note = "missing: times of the models, fusion; DeiT tiny to base at batch 1, fused or not"
    return [
        bracketed("ivit-2023", f"speed-up over FP32, {which}", "abstract", value, low, high, "1", note)
        for which, value in (("least", 3.72), ("largest", 4.11))
    ]
