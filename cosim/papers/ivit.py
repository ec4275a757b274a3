"""I-ViT: integer-only transformers, 3.72 to 4.11 times as fast as FP32 on an RTX 2080 Ti.

Boundary: TVM kernels, batch and times of the single models are not in the abstract. Bracketed over DeiT tiny, small
and base, batches of 1 and 8, operators fused or not.
Source: Li and Gu, ICCV 2023, arXiv 2207.01405 (abstract); github.com/zkkli/I-ViT (README).
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
    assumptions=("batch: 1 or 8", "operators other than products: separate kernels or fused away"),
)


def ratios() -> list[float]:
    """FP32 time over INT8 time."""
    found = []
    boards = [
        machine("gpu_rtx2080ti", f"datapath.precision={p}", "host.mode=graph") for p in ("fp32", "int8")
    ]
    for shape in (DEIT_TINY, DEIT_SMALL, DEIT_BASE):
        for batch in (1, 8):
            layers = vit(shape).with_batch(batch).layers
            for kept in (layers, tuple(layer for layer in layers if layer.is_mac)):
                fp32, int8 = (latency_s(board, kept) for board in boards)
                found.append(fp32 / int8)
    return found


def ROWS() -> list[PaperRow]:
    """Both ends of the published range."""
    low, high = min(ratios()), max(ratios())
    note = "missing: times of the models, batch, fusion; DeiT tiny to base, batches of 1 and 8, fused or not"
    return [
        bracketed("ivit-2023", f"speed-up over FP32, {which}", "abstract", value, low, high, "1", note)
        for which, value in (("least", 3.72), ("largest", 4.11))
    ]
