"""EViT and MCTF: throughput of transformers that drop or merge tokens.

Boundary: DeiT-S at 224 pixels, one image for the operations; throughput at batch 128 on an A100, the board that the
authors' README names for training, so its precision is bracketed and only ratios between keep rates are untuned.
Source: Liang et al., ICLR 2022, arXiv 2202.07800, table of DeiT-S; README of github.com/youweiliang/evit. Lee et al.,
CVPR 2024, arXiv 2403.10030 (MCTF), README and run scripts of github.com/mlvlab/MCTF.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from cosim.ir.transforms import apply_transforms
from cosim.papers._figures import lines_figure
from cosim.papers._machines import latency_s, machine
from cosim.papers._networks import DEIT_SMALL, DEIT_TINY, VitShape, vit
from cosim.papers.row import PaperRow, Scenario, bracketed, exact, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Liang et al., EViT, ICLR 2022; Lee et al., MCTF, CVPR 2024",
    machine="gpu_a100, gpu_rtx3090 (MCTF), host ahead of the device",
    workload="DeiT-S built from its dimensions, transform prune_tokens",
    mapping="tokens dropped after blocks 4, 7 and 10, the rest fused into one; MCTF: 16 merged in blocks 2 to 12",
    assumptions=("precision of the throughput: FP32, TF32 or FP16", "batch of 128"),
)
# keep rate: multiply-accumulates [G], images per second with and without the fused token.
TABLE = {
    0.9: (4.0, 3197, 3201),
    0.8: (3.5, 3619, 3772),
    0.7: (3.0, 4385, 4249),
    0.6: (2.6, 4722, 4967),
    0.5: (2.3, 5408, 5325),
}
BATCH = 128
MERGE, MERGE_FAST = "prune_tokens:drop=16,blocks=2-12", "prune_tokens:0.65,fused=no"
# Settings from the run scripts of the repository; GFLOP (multiply-accumulates) and images per second of its table.
MCTF: tuple[tuple[str, VitShape, str, float, int], ...] = (
    ("MCTF, DeiT-T", DEIT_TINY, MERGE, 0.71, 4639),
    ("MCTF, DeiT-S", DEIT_SMALL, MERGE, 2.60, 2302),
    ("MCTF-Fast, DeiT-S", DEIT_SMALL, MERGE_FAST, 2.76, 3302),
)


@cache
def images_per_s(keep: float, precision: str, fused: bool = True) -> float:
    """Throughput of a keep rate."""
    board = machine("gpu_a100", f"datapath.precision={precision}", "host.mode=stream")
    text = f"prune_tokens:{keep}" if fused else f"prune_tokens:{keep},fused=no"
    layers = apply_transforms(vit(DEIT_SMALL), [text]).with_batch(BATCH).layers
    return BATCH / latency_s(board, layers)


def giga_macs(keep: float, fused: bool = True) -> float:
    """Multiply-accumulates of one image."""
    text = f"prune_tokens:{keep}" if fused else f"prune_tokens:{keep},fused=no"
    return apply_transforms(vit(DEIT_SMALL), [text]).macs * 1e-9


def ROWS() -> list[PaperRow]:
    """Operations of five keep rates, throughput ratios, absolute throughput; MCTF."""
    key, where = "evit-2022", "table of DeiT-S"
    rows = [
        exact(
            key,
            f"DeiT-S, keep rate {keep}, multiply-accumulates",
            where,
            macs,
            giga_macs(keep),
            "G",
            digits=2,
        )
        for keep, (macs, _, _) in TABLE.items()
    ]
    for keep in (0.8, 0.7, 0.6, 0.5):
        published = TABLE[keep][1] / TABLE[0.9][1]
        found = images_per_s(keep, "fp32") / images_per_s(0.9, "fp32")
        note = "FP32; order of tokens, sorting and the gather's scattered reads take no more than their bytes"
        rows.append(
            within(key, f"throughput, keep rate {keep} over 0.9", where, published, found, "1", 0.10, note)
        )
    found_hz = [images_per_s(0.7, precision) for precision in ("fp32", "tf32", "fp16")]
    rows.append(
        bracketed(key, "DeiT-S, keep rate 0.7, throughput", where, TABLE[0.7][1], min(found_hz), max(found_hz), "1/s",
                  "missing: precision; A100, batch 128, FP32 to FP16")
    )  # fmt: skip
    return rows + _mctf_rows()


@cache
def mctf_per_s(shape: VitShape, text: str, precision: str) -> float:
    """Throughput of a merged transformer on an RTX 3090."""
    board = machine("gpu_rtx3090", f"datapath.precision={precision}", "host.mode=stream")
    return BATCH / latency_s(board, apply_transforms(vit(shape), [text]).with_batch(BATCH).layers)


def _mctf_rows() -> list[PaperRow]:
    """MCTF: 16 tokens merged in each of blocks 2 to 12, or (fast) 35 % of them in blocks 4, 7 and 10."""
    rows = []
    for name, shape, text, giga, hz in MCTF:
        macs = apply_transforms(vit(shape), [text]).macs * 1e-9
        note = "tokens merged between attention and MLP; the authors merge inside the attention, which costs less"
        rows.append(
            within("mctf-2024", f"{name}, multiply-accumulates", "README", giga, macs, "G", 0.05, note)
        )
        found = [mctf_per_s(shape, text, precision) for precision in ("fp32", "fp16")]
        rows.append(
            bracketed("mctf-2024", f"{name}, throughput on an RTX 3090", "README", hz, min(found), max(found), "1/s",
                      "missing: precision and batch; FP32 to FP16, batch 128; the search for pairs to merge is free")
        )  # fmt: skip
    return rows


def figure(rows: list[PaperRow]) -> Figure:
    """Throughput over keep rate, relative to 0.9."""
    keeps = list(TABLE)
    series = {
        "published, fused": [TABLE[k][1] / TABLE[0.9][1] for k in keeps],
        "published, not fused": [TABLE[k][2] / TABLE[0.9][2] for k in keeps],
        "simulated, FP32": [images_per_s(k, "fp32") / images_per_s(0.9, "fp32") for k in keeps],
        "simulated, FP16": [images_per_s(k, "fp16") / images_per_s(0.9, "fp16") for k in keeps],
    }
    return lines_figure("EViT, DeiT-S", ("keep rate", keeps), "throughput over keep rate 0.9", series)
