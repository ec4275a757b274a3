"""The indirect convolution: no im2col, a buffer of pointers; up to 62 % faster, slightly slower on 1 x 1.

Boundary: the tables per device and layer were not found (searched: paper pages, XNNPACK, QNNPACK, citing
repositories). Bracketed over the 3 x 3 and larger convolutions of ResNet-18, ResNet-50 and SqueezeNet in FP32 on four
cores, operands in the caches or in memory. What the abstract says of memory, that the saving grows with the input
channels, is drawn.
Source: Dukhan, arXiv 1907.02129 (abstract); buffer size as in the XNNPACK implementation; SqueezeNet: Iandola et al.,
arXiv 1602.07360, table 1.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from cosim.components.cpu_kernels import indirection_bytes
from cosim.ir.layer import Layer, mac_layer
from cosim.papers._machines import BARE, convolutions, latency_s, machine
from cosim.papers.row import PaperRow, Scenario, bracketed, missing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Dukhan, The indirect convolution algorithm, 2019",
    machine="cpu_cortex_a53, cpu_cortex_a72, cpu_i7_9700k, cpu_zen4, one core",
    workload="convolutions of resnet18, resnet50 and SqueezeNet 1.0",
    mapping="kernel fp32_indirect against fp32_gemm",
    assumptions=("device and layer of the 62 %", "operands warm or cold"),
)
CORES = ("cpu_cortex_a53", "cpu_cortex_a72", "cpu_i7_9700k", "cpu_zen4")
COLD = ("runtime.name=bare", "runtime.operands=cold", "runtime.graph=standalone")
# Fire modules of SqueezeNet 1.0: side, input channels, squeezed, and each kind of expanded channels.
FIRES = (
    (55, 96, 16, 64), (55, 128, 16, 64), (55, 128, 32, 128), (27, 256, 32, 128), (27, 256, 48, 192),
    (27, 384, 48, 192), (27, 384, 64, 256), (13, 512, 64, 256),
)  # fmt: skip
CHANNELS = (3, 16, 32, 64, 128, 256, 512)


def squeezenet() -> list[Layer]:
    """Convolutions of the fire modules."""
    found = []
    for number, (side, channels, squeezed, expanded) in enumerate(FIRES, 2):
        found += [
            mac_layer(f"fire{number}.squeeze", "conv", C=channels, K=squeezed, P=side, Q=side),
            mac_layer(f"fire{number}.expand1x1", "conv", C=squeezed, K=expanded, P=side, Q=side),
            mac_layer(
                f"fire{number}.expand3x3", "conv", C=squeezed, K=expanded, P=side, Q=side, R=3, S=3,
                padding=(1, 1, 1, 1),
            ),
        ]  # fmt: skip
    return found


def _layers(network: str, pointwise: bool) -> list[Layer]:
    every = squeezenet() if network == "squeezenet" else convolutions(network)
    kept = [layer for layer in every if (layer.R * layer.S == 1 and layer.stride == (1, 1)) == pointwise]
    return list({(c.P, c.C, c.K, c.R, c.stride): c for c in kept}.values())


@cache
def gains(core: str, network: str, pointwise: bool = False, cold: bool = False) -> tuple[float, ...]:
    """Time with im2col over time with pointers, layer by layer."""
    board = machine(core, *(COLD if cold else BARE))
    return tuple(
        latency_s(board, [layer], {"kernel": "fp32_gemm"})
        / latency_s(board, [layer], {"kernel": "fp32_indirect"})
        for layer in _layers(network, pointwise)
    )


def _every(pointwise: bool) -> list[float]:
    return [
        gain
        for core in CORES
        for network in ("resnet18", "resnet50", "squeezenet")
        for cold in (False, True)
        for gain in gains(core, network, pointwise, cold)
    ]


def buffer_ratio(channels: int) -> float:
    """im2col buffer over pointers for 3 x 3 on 14 x 14 in FP32: channels * 4 / 8 bytes, rounded up to tiles of 4."""
    return 14 * 14 * 9 * channels * 4.0 / float(indirection_bytes(14 * 14, 9, 4))


def ROWS() -> list[PaperRow]:
    """The largest gain, and what has no printed number: the loss on pointwise layers."""
    key = "indirect-conv-2019"
    spatial, pointwise = _every(False), _every(True)
    note = "missing: device and layers; four cores, three networks, warm and cold operands"
    return [
        bracketed(key, "im2col over indirect, largest", "abstract", 1.62, min(spatial), max(spatial), "1", note),
        missing(key, "time of im2col over indirect, pointwise, smallest", "abstract (minor loss)", None, "1",
                "the size of the loss", min(pointwise)),
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """Gain of every convolution of ResNet-18 and SqueezeNet on every core, and the buffers over the channels."""
    from cosim.papers._figures_sw import curves
    from cosim.report.style import PALETTE, new_figure

    result = new_figure(12.0, 4.2)
    panels = result.subplots(1, 3, width_ratios=(1.0, 1.2, 0.8))
    for axes, network in zip(panels, ("resnet18", "squeezenet"), strict=False):
        layers = [(layer, False) for layer in _layers(network, False)]
        layers += [(layer, True) for layer in _layers(network, True)]
        for number, core in enumerate(CORES):
            values = [*gains(core, network, False), *gains(core, network, True)]
            axes.plot(values, range(len(values)), "os^D"[number], color=PALETTE[number], markersize=5,
                      label=core.removeprefix("cpu_"))  # fmt: skip
        names = [
            f"{layer.P}x{layer.Q}, {layer.C}-{layer.K}, {layer.R}x{layer.S}"
            + (f" /{layer.stride[0]}" if layer.stride[0] > 1 else "")
            for layer, _ in layers
        ]
        axes.set_yticks(range(len(names)), names, fontsize=6.5)
        axes.axvline(1.0, color="black", linewidth=0.8)
        axes.axvline(1.62, color="black", linewidth=0.8, linestyle="--")
        axes.set_ylim(-0.7, len(names) - 0.3)
        axes.invert_yaxis()
        axes.set_xlabel("time of im2col over indirect, simulated")
        axes.set_title(f"{network}; dashed: published, up to 1.62", loc="left", fontsize=9)
    panels[1].legend(frameon=False, fontsize=8, loc="center", bbox_to_anchor=(0.7, 0.5))
    curves(panels[2], CHANNELS, {}, {"": [buffer_ratio(channels) for channels in CHANNELS]})
    panels[2].set(xscale="log", yscale="log")
    panels[2].set_xlabel("input channels")
    panels[2].set_ylabel("im2col buffer over buffer of pointers")
    panels[2].set_title("memory, 3 x 3 on 14 x 14, FP32", loc="left", fontsize=9)
    return result
