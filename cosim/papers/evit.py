"""EViT and MCTF: throughput of transformers that drop or merge tokens.

Boundary: DeiT-S at 224 pixels, one image for the operations. EViT's speed_test (helpers.py) takes batches of 64 in the
default precision of PyTorch 1.9, which is TF32 for products on Ampere; the board is not named in its repository, so
ratios between keep rates are of an A100 and the throughput is bracketed over boards. MCTF's benchmark (utils/utils.py,
main.py) takes batches of 256 without FP16 under PyTorch 1.12, which is FP32 for products, on an RTX 3090; the search
for the tokens to merge is bracketed between free and the passes over scores and attention that utils/mctf.py makes.
Source: Liang et al., ICLR 2022, arXiv 2202.07800, and github.com/youweiliang/evit. Lee et al., CVPR 2024, arXiv
2403.10030, and github.com/mlvlab/MCTF. Defaults of PyTorch: pull request 79537 of pytorch/pytorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from cosim.ir.layer import Layer, mac_layer, vector_layer
from cosim.ir.transforms import apply_transforms
from cosim.papers._machines import latency_s, machine
from cosim.papers._networks import DEIT_SMALL, DEIT_TINY, VitShape, vit
from cosim.papers.row import PaperRow, Scenario, bracketed, exact, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Liang et al., EViT, ICLR 2022; Lee et al., MCTF, CVPR 2024",
    machine="gpu_a100 in TF32, host ahead of the device; gpu_v100, gpu_rtx3090; MCTF: gpu_rtx3090 in FP32",
    workload="DeiT-S and DeiT-T built from their dimensions, transform prune_tokens",
    mapping="tokens dropped after blocks 4, 7 and 10, the rest fused into one; MCTF: 16 merged in blocks 2 to 12",
    assumptions=("EViT's board", "passes of MCTF's search for pairs"),
)
# keep rate: multiply-accumulates [G]; top-1 [%] and images per second with the fused token, and without it.
TABLE: dict[float, tuple[float, float, int, float, int]] = {
    0.9: (4.0, 79.8, 3197, 79.9, 3201),
    0.8: (3.5, 79.8, 3619, 79.7, 3772),
    0.7: (3.0, 79.5, 4385, 79.4, 4249),
    0.6: (2.6, 78.9, 4722, 79.1, 4967),
    0.5: (2.3, 78.5, 5408, 78.4, 5325),
}
BATCH, MCTF_BATCH = 64, 256
BOARDS = (("gpu_v100", "fp32"), ("gpu_rtx3090", "tf32"), ("gpu_a100", "tf32"))
MERGE, MERGE_FAST = "prune_tokens:drop=16,blocks=2-12", "prune_tokens:0.65,fused=no"
# Settings from the run scripts of the repository; GFLOP (multiply-accumulates) and images per second of its table.
MCTF: tuple[tuple[str, VitShape, str, float, int], ...] = (
    ("MCTF, DeiT-T", DEIT_TINY, MERGE, 0.71, 4639),
    ("MCTF, DeiT-S", DEIT_SMALL, MERGE, 2.60, 2302),
    ("MCTF-Fast, DeiT-T", DEIT_TINY, MERGE_FAST, 0.75, 7386),
    ("MCTF-Fast, DeiT-S", DEIT_SMALL, MERGE_FAST, 2.76, 3302),
)
# Passes of one merging over the scores of pairs, the attention of all heads, and the tokens (utils/mctf.py).
SCORE_PASSES, ATTENTION_PASSES, TOKEN_PASSES = 12, 6, 6


@cache
def images_per_s(keep: float, board: str = "gpu_a100", precision: str = "tf32", fused: bool = True) -> float:
    """Throughput of a keep rate."""
    found = machine(board, f"datapath.precision={precision}", "host.mode=stream")
    text = f"prune_tokens:{keep}" if fused else f"prune_tokens:{keep},fused=no"
    return BATCH / latency_s(found, apply_transforms(vit(DEIT_SMALL), [text]).with_batch(BATCH).layers)


def giga_macs(keep: float) -> float:
    """Multiply-accumulates of one image."""
    return apply_transforms(vit(DEIT_SMALL), [f"prune_tokens:{keep}"]).macs * 1e-9


def ROWS() -> list[PaperRow]:
    """Operations of five keep rates, throughput ratios, absolute throughput; MCTF."""
    key, where = "evit-2022", "table of DeiT-S"
    rows = [
        exact(key, f"DeiT-S, keep rate {keep}, multiply-accumulates", where, TABLE[keep][0], giga_macs(keep), "G",
              digits=2)
        for keep in TABLE
    ]  # fmt: skip
    for keep in (0.8, 0.7, 0.6, 0.5):
        published = TABLE[keep][2] / TABLE[0.9][2]
        found = images_per_s(keep) / images_per_s(0.9)
        note = "A100, TF32, batch 64; sorting and the gather's scattered reads take no more than their bytes"
        rows.append(
            within(key, f"throughput, keep rate {keep} over 0.9", where, published, found, "1", 0.10, note)
        )
    found_hz = [images_per_s(0.7, *board) for board in BOARDS]
    rows.append(
        bracketed(key, "DeiT-S, keep rate 0.7, throughput", where, TABLE[0.7][2], min(found_hz), max(found_hz), "1/s",
                  "missing: board; V100, RTX 3090 and A100 in the default precision of PyTorch 1.9, batch 64")
    )  # fmt: skip
    return rows + _mctf_rows()


def matching(shape: VitShape, tokens: Sequence[int]) -> list[Layer]:
    """What finding and merging pairs costs where ``tokens`` tokens are left, one round for each of them."""
    found: list[Layer] = []
    for turn, count in enumerate(tokens):
        half = count // 2
        found.append(
            mac_layer(f"match{turn}.scores", "matmul", K=half, C=shape.width, P=half, static_weight=False)
        )
        for what, elems, passes in (
            ("scores", half * half, SCORE_PASSES),
            ("attention", shape.heads * count * count, ATTENTION_PASSES),
            ("tokens", count * shape.width, TOKEN_PASSES),
        ):
            found += [
                vector_layer(f"match{turn}.{what}{number}", "mul", x_elems=elems, y_elems=elems)
                for number in range(passes)
            ]
    return found


@cache
def mctf_per_s(shape: VitShape, text: str, search: bool) -> float:
    """Throughput of a merged transformer on an RTX 3090 in FP32, the search for pairs free or with its passes."""
    board = machine("gpu_rtx3090", "datapath.precision=fp32", "host.mode=stream")
    network = apply_transforms(vit(shape), [text])
    layers = list(network.layers)
    if search:
        before = [layer.x_elems // shape.width for layer in layers if layer.op == "gather"]
        layers += matching(shape, before)
    return MCTF_BATCH / latency_s(board, [layer.with_batch(MCTF_BATCH) for layer in layers])


def _mctf_rows() -> list[PaperRow]:
    """MCTF: 16 tokens merged in each of blocks 2 to 12, or (fast) 35 % of them in blocks 4, 7 and 10."""
    rows = []
    for name, shape, text, giga, hz in MCTF:
        macs = apply_transforms(vit(shape), [text]).macs * 1e-9
        note = "tokens merged between attention and MLP; the authors merge inside the attention, which costs less"
        rows.append(
            within("mctf-2024", f"{name}, multiply-accumulates", "README", giga, macs, "G", 0.05, note)
        )
        found = [mctf_per_s(shape, text, search) for search in (True, False)]
        rows.append(
            bracketed("mctf-2024", f"{name}, throughput on an RTX 3090", "README", hz, min(found), max(found), "1/s",
                      "FP32, batch 256; the search for pairs takes its passes (low end) or nothing")
        )  # fmt: skip
    return rows


def figure(rows: list[PaperRow]) -> Figure:
    """Throughput over keep rate, and accuracy over throughput, both relative to a keep rate of 0.9."""
    from cosim.papers._figures_sw import curves, one_legend
    from cosim.report.style import new_figure

    result = new_figure(9.6, 4.0)
    speed, trade = result.subplots(1, 2)
    keeps = list(TABLE)
    printed = {"": [TABLE[k][2] / TABLE[0.9][2] for k in keeps]}
    found = {
        f"{board.removeprefix('gpu_').upper()} {precision.upper()}": [
            images_per_s(k, board, precision) / images_per_s(0.9, board, precision) for k in keeps
        ]
        for board, precision in BOARDS
    }
    curves(speed, keeps, printed, found)
    speed.invert_xaxis()
    speed.set_xlabel("keep rate")
    speed.set_ylabel("throughput over that of keep rate 0.9")
    speed.set_title("EViT, DeiT-S", loc="left")
    accuracy = [TABLE[k][1] for k in keeps]
    trade.plot(printed[""], accuracy, "o--", color="black", markerfacecolor="white", label="published")
    trade.plot(found["A100 TF32"], accuracy, "s-", label="throughput simulated (A100 TF32)")
    for place, keep in zip(printed[""], keeps, strict=True):
        trade.annotate(f"{keep}", (place, TABLE[keep][1]), (5, 5), textcoords="offset points", fontsize=7.5)
    trade.set_xlabel("throughput over that of keep rate 0.9")
    trade.set_ylabel("top-1 accuracy, published [%]")
    trade.set_title("accuracy over throughput, by keep rate", loc="left")
    one_legend(trade)
    return result
