"""I-ViT: integer-only transformers, 3.72 to 4.11 times as fast as FP32 on an RTX 2080 Ti.

Boundary: DeiT tiny, small and base at batch 8, the batch of the publication's table 1, under TVM's graph executor.
Times of the single models were not found (searched: README, scripts, reading notes that reproduce the table as an
image). The paper names both the DP4A instruction (four products a lane and cycle) and tensor cores for INT8, and the
script's auto-scheduler tunes without naming either. Bracketed over both, the three networks, and operators fused or
not, which auto-tuning decides. A gain that does not change with the batch, as the paper reports, is that of DP4A here.
Source: Li and Gu, ICCV 2023, arXiv 2207.01405 (abstract; section of experiments and caption of table 1 for batch,
board and instruction); github.com/zkkli/I-ViT (TVM_benchmark/evaluate_latency.py).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from cosim.papers._machines import latency_s, machine
from cosim.papers._networks import DEIT_BASE, DEIT_SMALL, DEIT_TINY, VitShape, vit
from cosim.papers.row import PaperRow, Scenario, bracketed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Li and Gu, I-ViT, ICCV 2023",
    machine="gpu_rtx2080ti, graph replay",
    workload="DeiT tiny, small and base, batch 8",
    mapping="FP32 against INT8 for every operator",
    assumptions=(
        "operators other than products: separate kernels or fused away",
        "INT8 on DP4A or on tensor cores",
        "which network each end is from",
    ),
)
BATCH = 8
# Four INT8 products for each of the 64 FP32 lanes of a multiprocessor.
DP4A, TENSOR = "multiprocessors.int8_macs_per_cycle=256", "multiprocessors.int8_macs_per_cycle=1024"
SHAPES = (DEIT_TINY, DEIT_SMALL, DEIT_BASE)
BATCHES = (1, 2, 4, 8, 16)


@cache
def time_ms(shape: VitShape, precision: str, fused: bool, batch: int = BATCH, unit: str = DP4A) -> float:
    """Time of a batch; ``fused``: products alone."""
    board = machine("gpu_rtx2080ti", f"datapath.precision={precision}", "host.mode=graph", unit)
    layers = vit(shape).with_batch(batch).layers
    return latency_s(board, [layer for layer in layers if layer.is_mac or not fused]) * 1e3


def speedup(shape: VitShape, fused: bool, batch: int = BATCH, unit: str = DP4A) -> float:
    """FP32 time over INT8 time."""
    return time_ms(shape, "fp32", fused, batch) / time_ms(shape, "int8", fused, batch, unit)


def ROWS() -> list[PaperRow]:
    """Both ends of the published range."""
    found = {
        unit: [speedup(shape, fused, BATCH, unit) for shape in SHAPES for fused in (False, True)]
        for unit in (DP4A, TENSOR)
    }
    ends = ", ".join(
        f"{min(values):.2f} to {max(values):.2f} with {name}"
        for name, values in zip(("DP4A", "tensor cores"), found.values(), strict=True)
    )
    low, high = min(found[DP4A]), max(found[TENSOR])
    note = (
        f"missing: times of the models, fusion, INT8 unit; DeiT tiny to base at batch 8, fused or not: {ends}"
    )
    return [
        bracketed("ivit-2023", f"speed-up over FP32, {which}", "abstract, table 1", value, low, high, "1", note)
        for which, value in (("least", 3.72), ("largest", 4.11))
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """Times of the models in FP32 and INT8, and the speed-up of DeiT-S over the batch."""
    from cosim.papers._figures_sw import curves, solid_bars
    from cosim.report.style import log_axis, new_figure

    result = new_figure(9.6, 4.0)
    bars, batches = result.subplots(1, 2)
    cases = {
        f"{precision.upper()}, {'products alone' if fused else 'every operator'}": [
            time_ms(shape, precision, fused) for shape in SHAPES
        ]
        for precision in ("fp32", "int8")
        for fused in (False, True)
    }
    solid_bars(bars, [shape.name for shape in SHAPES], cases)
    log_axis(bars, "y", 50.0)
    bars.set_ylabel("time of a batch of 8, simulated [ms]")
    bars.set_title("RTX 2080 Ti", loc="left")
    curves(
        batches,
        BATCHES,
        {},
        {
            "products alone": [speedup(DEIT_SMALL, True, batch) for batch in BATCHES],
            "every operator": [speedup(DEIT_SMALL, False, batch) for batch in BATCHES],
            "every operator, tensor cores": [speedup(DEIT_SMALL, False, batch, TENSOR) for batch in BATCHES],
        },
    )
    batches.axhspan(3.72, 4.11, facecolor="none", edgecolor="black", hatch="////", linewidth=0.0)
    batches.text(BATCHES[-1], 4.2, "published, all models at batch 8: 3.72 to 4.11", fontsize=7.5, ha="right")
    batches.set_xscale("log", base=2)
    batches.set_xticks(BATCHES, [str(batch) for batch in BATCHES])
    batches.set_xlabel("batch")
    batches.set_ylabel("INT8 speed-up over FP32")
    batches.set_title("DeiT-S over the batch", loc="left")
    return result
