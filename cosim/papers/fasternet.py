"""FasterNet: partial convolution's 1/16 of the operations and 1/4 of the accesses; speed against other networks.

Boundary: operations of one layer and of two networks; speed-ups of the abstract. How they are measured is in the
authors' script (utils/utils.py, train_test.py): FP32, batch normalisation folded, batch 1 on one thread of a processor,
batch 32 on a GPU as in the README's example. The devices and the latency table were not found (searched: README,
repository, repositories that quote the table), so the ratios are bracketed over boards, and on a GPU over what is
fused and how kernels are launched.
Source: Chen et al., CVPR 2023, arXiv 2303.03667, Eqs. 1 to 3, abstract; github.com/JierunChen/FasterNet.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from cosim.engine import load_workload
from cosim.ir.layer import mac_layer
from cosim.ir.transforms import apply_transforms
from cosim.papers._machines import BARE, latency_s, machine
from cosim.papers._networks import one_layer
from cosim.papers.row import PaperRow, Scenario, bracketed, exact

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Chen et al., Run, don't walk (FasterNet), CVPR 2023",
    machine="gpu_rtx2080ti, gpu_v100, gpu_rtx3090, gpu_a100; cpu_zen4, cpu_i7_9700k; cpu_cortex_a72, cpu_cortex_a53",
    workload="a 3 x 3 convolution of 64 channels on 56 x 56; fasternet_t0, mobilevit_xxs, fasternet_l, swin_base",
    mapping="transform partial_conv:0.25; networks as they are",
    assumptions=("devices", "library of the processors", "fusion and launching on the GPU"),
)
LAYER = mac_layer("conv", "conv", C=64, K=64, P=56, Q=56, R=3, S=3, padding=(1, 1, 1, 1))
GPU_BATCH = 32
GPUS = ("gpu_rtx2080ti", "gpu_v100", "gpu_rtx3090", "gpu_a100")
CPUS, ARMS = ("cpu_zen4", "cpu_i7_9700k"), ("cpu_cortex_a72", "cpu_cortex_a53")
LIBRARIES = ((), ("runtime.name=torch",), BARE)
SMALL, LARGE = ("fasternet_t0", "mobilevit_xxs"), ("fasternet_l", "swin_base")
SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2)


@cache
def time_s(network: str, name: str, *settings: str) -> float:
    """Time of a network with the batch that its kind of device is measured with."""
    batch = GPU_BATCH if name.startswith("gpu") else 1
    return latency_s(machine(name, *settings), load_workload(network).with_batch(batch).layers)


def speedups(pair: tuple[str, str], devices: tuple[str, ...]) -> list[float]:
    """Time of the second network over that of the first, over what is unknown of the device."""
    settings: tuple[tuple[str, ...], ...] = LIBRARIES
    if devices is GPUS:
        settings = tuple(
            ("datapath.precision=fp32", f"host.mode={mode}", f"runtime.fusion={fusion}")
            for mode in ("stream", "eager")
            for fusion in ("none", "pointwise")
        )
    return [
        time_s(pair[1], device, *chosen) / time_s(pair[0], device, *chosen)
        for device in devices
        for chosen in settings
    ]


def ROWS() -> list[PaperRow]:
    """Algebra by the transform, sizes, speed-ups."""
    key = "fasternet-2023"
    part = apply_transforms(one_layer(LAYER), ["partial_conv:0.25"]).layers[0]
    moved = (part.x_elems + part.y_elems) / (LAYER.x_elems + LAYER.y_elems)
    small, large = load_workload("fasternet_t0"), load_workload("fasternet_l")
    rows = [
        exact(key, "partial convolution, operations", "Eq. 1", 1 / 16, part.macs / LAYER.macs, "1"),
        exact(key, "partial convolution, activations moved", "Eq. 2", 1 / 4, moved, "1"),
        exact(key, "FasterNet-T0, multiply-accumulates", "README", 0.34, small.macs * 1e-9, "G", digits=2),
        exact(key, "FasterNet-T0, parameters", "README", 3.9, small.params * 1e-6, "M", digits=2),
        exact(key, "FasterNet-L, multiply-accumulates", "README", 15.49, large.macs * 1e-9, "G", digits=4),
    ]
    for what, value, pair, devices, boards in (
        ("FasterNet-T0 over MobileViT-XXS on a GPU", 2.8, SMALL, GPUS, "four GPUs, FP32, batch 32"),
        ("FasterNet-T0 over MobileViT-XXS on a CPU", 3.3, SMALL, CPUS, "two cores, three libraries, one thread"),
        ("FasterNet-T0 over MobileViT-XXS on an ARM core", 2.4, SMALL, ARMS, "two cores, three libraries, one thread"),
        ("FasterNet-L over Swin-B, GPU throughput", 1.36, LARGE, GPUS, "four GPUs, FP32, batch 32"),
        ("FasterNet-L over Swin-B on a CPU", 1 / (1 - 0.37), LARGE, CPUS, "two cores, three libraries, one thread"),
    ):  # fmt: skip
        found = speedups(pair, devices)
        rows.append(
            bracketed(key, what, "abstract", value, min(found), max(found), "1", f"missing: device; {boards}")
        )
    return rows


def figure(rows: list[PaperRow]) -> Figure:
    """Operations against the rate reached, the published speed-ups, and partial convolutions by their share."""
    from cosim.papers._figures_sw import curves, ranges
    from cosim.report.style import PALETTE, new_figure

    result = new_figure(12.0, 4.4)
    rate, speed, partial = result.subplots(1, 3, width_ratios=(1.0, 0.9, 0.9))
    marks = {"gpu_rtx2080ti": "s", "cpu_i7_9700k": "^", "cpu_cortex_a72": "D"}
    fp32 = {"gpu_rtx2080ti": ("datapath.precision=fp32", "host.mode=stream")}
    for number, (device, mark) in enumerate(marks.items()):
        batch = GPU_BATCH if device.startswith("gpu") else 1
        for network in (*SMALL, *LARGE):
            gflop = 2e-9 * load_workload(network).macs
            reached = gflop * batch / time_s(network, device, *fp32.get(device, ()))
            rate.plot(gflop, reached, mark, color=PALETTE[number], label=device)
            if not number:
                below = network in ("mobilevit_xxs", "swin_base")
                rate.annotate(
                    network, (gflop, reached), (0, -8 if below else 6), textcoords="offset points", fontsize=7,
                    ha="center", va="top" if below else "bottom",
                )  # fmt: skip
    rate.set(xscale="log", yscale="log", xlim=(0.3, 150), ylim=(5, 3e4))
    rate.set_xlabel("operations of the network [GFLOP]")
    rate.set_ylabel("rate reached, simulated [GFLOP/s]")
    handles = dict(zip(*reversed(rate.get_legend_handles_labels()), strict=True))
    rate.legend(handles.values(), handles.keys(), frameon=False, fontsize=7.5, loc="center right")
    shown = [row for row in rows if row.interval is not None]
    names = ["T0 / MobileViT-XXS, GPU", "T0 / MobileViT-XXS, CPU", "T0 / MobileViT-XXS, ARM",
             "L / Swin-B, GPU", "L / Swin-B, CPU"]  # fmt: skip
    spans = [(low, high or low) for low, high in (row.interval or (0.0, None) for row in shown)]
    ranges(speed, names, [row.published for row in shown], spans, [row.simulated for row in shown])
    speed.set_xlabel("speed-up of FasterNet")
    curves(
        partial,
        SHARES,
        {"operations": [share**2 for share in SHARES], "activations": list(SHARES)},
        {
            f"time, {name}": [layer_ratio(name, share) for share in SHARES]
            for name in ("gpu_rtx2080ti", "cpu_zen4")
        },
    )
    partial.set(xscale="log", yscale="log")
    partial.set_xticks(SHARES, ["1/16", "1/8", "1/4", "1/2"])
    partial.minorticks_off()
    partial.set_xlabel("share of the channels that are convolved")
    partial.set_ylabel("partial over full convolution")
    return result


def layer_ratio(name: str, share: float) -> float:
    """Time of the partial convolution over the full one, batch 32."""
    board = machine(
        name, *(BARE if name.startswith("cpu") else ("datapath.precision=fp32", "host.mode=stream"))
    )
    part = apply_transforms(one_layer(LAYER), [f"partial_conv:{share}"]).with_batch(GPU_BATCH)
    return latency_s(board, part.layers) / latency_s(board, [LAYER.with_batch(GPU_BATCH)])
