"""FasterNet: partial convolution's 1/16 of the operations and 1/4 of the accesses; sizes of the smallest network.

Boundary: operations of one layer and of FasterNet-T0. The latency table is not accessible, and the network that its
abstract compares with (MobileViT-XXS) is not among the shipped ones.
Source: Chen et al., CVPR 2023, arXiv 2303.03667, Eqs. 1 to 3, abstract; README of the authors' repository.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosim.engine import load_workload
from cosim.ir.layer import mac_layer
from cosim.ir.transforms import apply_transforms
from cosim.papers._figures import lines_figure
from cosim.papers._machines import BARE, latency_s, machine
from cosim.papers._networks import one_layer
from cosim.papers.row import PaperRow, Scenario, exact, missing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Chen et al., Run, don't walk (FasterNet), CVPR 2023",
    machine="none for counts; gpu_a100 and cpu_zen4 for the effect of the transform",
    workload="a 3 x 3 convolution of 64 channels on 56 x 56, fasternet_t0",
    mapping="transform partial_conv:0.25",
)
LAYER = mac_layer("conv", "conv", C=64, K=64, P=56, Q=56, R=3, S=3, padding=(1, 1, 1, 1))


def latency_ratio(name: str, share: float) -> float:
    """Time of the partial convolution over the full one."""
    board = machine(name, *BARE) if name.startswith("cpu") else machine(name)
    full, part = (
        one_layer(LAYER.with_batch(32)),
        apply_transforms(one_layer(LAYER), [f"partial_conv:{share}"]),
    )
    return latency_s(board, part.with_batch(32).layers) / latency_s(board, full.layers)


def ROWS() -> list[PaperRow]:
    """Algebra by the transform, sizes, ratios that lack their facts."""
    key = "fasternet-2023"
    part = apply_transforms(one_layer(LAYER), ["partial_conv:0.25"]).layers[0]
    moved = (part.x_elems + part.y_elems) / (LAYER.x_elems + LAYER.y_elems)
    net = load_workload("fasternet_t0")
    rows = [
        exact(key, "partial convolution, operations", "Eq. 1", 1 / 16, part.macs / LAYER.macs, "1"),
        exact(key, "partial convolution, activations moved", "Eq. 2", 1 / 4, moved, "1"),
        exact(key, "FasterNet-T0, multiply-accumulates", "README", 0.34, net.macs * 1e-9, "G", digits=2),
        exact(key, "FasterNet-T0, parameters", "README", 3.9, net.params * 1e-6, "M", digits=2),
    ]
    rows += [
        missing(key, f"FasterNet-T0 over MobileViT-XXS on a {where}", "abstract", value, "1",
                "the latency table, batch and library; a workload of MobileViT-XXS")
        for where, value in (("GPU", 2.8), ("CPU", 3.3), ("ARM core", 2.4))
    ]  # fmt: skip
    rows.append(
        missing(
            key,
            "FasterNet-L over Swin-B, GPU throughput",
            "abstract",
            1.36,
            "1",
            "workloads of both networks",
        )
    )
    return rows + [
        missing(key, f"partial over full convolution, time on {name}", "figure of operators", None, "1",
                "numbers of the plot", latency_ratio(name, 0.25))
        for name in ("gpu_a100", "cpu_zen4")
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """Time, operations and activations of the partial convolution over its share of channels."""
    shares = [0.125, 0.25, 0.5, 1.0]
    parts = [apply_transforms(one_layer(LAYER), [f"partial_conv:{share}"]).layers[0] for share in shares]
    series = {
        "operations": [part.macs / LAYER.macs for part in parts],
        "activations": [part.x_elems / LAYER.x_elems for part in parts],
        "time, A100": [latency_ratio("gpu_a100", share) for share in shares],
        "time, Zen 4 core": [latency_ratio("cpu_zen4", share) for share in shares],
    }
    return lines_figure(
        "FasterNet: partial convolution", ("share of channels", shares), "of the full one", series
    )
