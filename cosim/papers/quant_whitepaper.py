"""Quantisation white paper, table 7: FP32 over INT8 on one big core of a Pixel 2.

Boundary: TensorFlow Lite on a Cortex-A73-class core (Kryo 280 gold); the nearest machine here is a Cortex-A72 without
dot-product instructions. Ratios only. Networks as TF-Slim and the object detection library define them; ResNet-v2 at
the 299 pixels that TF-Slim's README names, with the normalisations before its units as operators of their own.
Source: Krishnamoorthi, arXiv 1806.08342, table 7; definitions: research/slim and research/object_detection of
github.com/tensorflow/models; Howard et al., arXiv 1704.04861, table 13.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from cosim.engine import load_workload
from cosim.ir.workload import Workload
from cosim.papers._machines import latency_by_kernel_s, machine
from cosim.papers._networks import mobilenet_v1, mobilenet_v1_ssd, resnet_v1, resnet_v2
from cosim.papers.row import PaperRow, Scenario, exact, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Krishnamoorthi, Quantizing deep convolutional networks for efficient inference, 2018",
    machine="cpu_cortex_a72 in place of the Pixel 2's Cortex-A73",
    workload="mobilenet_v2, inception_v3, resnet50; MobileNet-v1, its SSD, ResNet-v1 and v2 from their definitions",
    mapping="fp32_gemm and fp32_depthwise against int8_smlal and int8_depthwise",
    assumptions=("core, library and threads of the measurement", "299 pixels for ResNet-v2"),
)
# Milliseconds, FP32 and INT8 on the CPU.
TABLE_7: dict[str, tuple[float, float]] = {
    "MobileNet-v1-1-224": (155, 68), "MobileNet-v2-1-224": (105, 63), "MobileNet-v1 SSD": (312, 152),
    "Inception-v3": (1391, 536), "ResNet-v1-50": (874, 440), "ResNet-v2-50": (1667, 1145),
    "ResNet-v1-152": (2581, 1274), "ResNet-v2-152": (4885, 3240),
}  # fmt: skip
NETWORKS: dict[str, Callable[[], Workload]] = {
    "MobileNet-v1-1-224": mobilenet_v1,
    "MobileNet-v2-1-224": lambda: load_workload("mobilenet_v2"),
    "MobileNet-v1 SSD": mobilenet_v1_ssd,
    "Inception-v3": lambda: load_workload("inception_v3"),
    "ResNet-v1-50": lambda: load_workload("resnet50"),
    "ResNet-v2-50": lambda: resnet_v2((3, 4, 6, 3)),
    "ResNet-v1-152": lambda: resnet_v1((3, 8, 36, 3)),
    "ResNet-v2-152": lambda: resnet_v2((3, 8, 36, 3)),
}


@cache
def times_s(name: str) -> tuple[float, float]:
    """(FP32, INT8) time of a network of the table."""
    layers = NETWORKS[name]().layers
    fp32 = machine("cpu_cortex_a72", "datapath.precision=fp32")
    int8 = machine("cpu_cortex_a72", "datapath.precision=int8")
    return (
        latency_by_kernel_s(fp32, layers, "fp32_gemm", "fp32_depthwise"),
        latency_by_kernel_s(int8, layers, "int8_smlal", "int8_depthwise"),
    )


def ROWS() -> list[PaperRow]:
    """A ratio for each network of the table, what is larger than what, and the counts of the detection network."""
    key = "krishnamoorthi-2018"
    rows = []
    for name, (fp32_ms, int8_ms) in TABLE_7.items():
        wide, narrow = times_s(name)
        note = "Cortex-A72 for a Cortex-A73, im2col and 16-bit partial sums in place of the library's kernels"
        if "v2-" in name and name.startswith("ResNet"):
            note += "; INT8 gains less there than in the model: normalisations that no convolution precedes"
        rows.append(
            within(
                key, f"{name}, FP32 over INT8", "table 7", fp32_ms / int8_ms, wide / narrow, "1", 0.25, note
            )
        )
    for large, small in (("ResNet-v2-50", "ResNet-v1-50"), ("ResNet-v2-152", "ResNet-v1-152")):
        rows.append(
            within(key, f"{large} over {small}, FP32", "table 7", TABLE_7[large][0] / TABLE_7[small][0],
                   times_s(large)[0] / times_s(small)[0], "1", 0.25, "299 against 224 pixels")
        )  # fmt: skip
    ssd = mobilenet_v1_ssd()
    return [
        *rows,
        exact("mobilenet-2017", "MobileNet-v1 SSD, multiply-accumulates", "table 13", 1.2, ssd.macs * 1e-9, "G",
              digits=2),
        exact("mobilenet-2017", "MobileNet-v1 SSD, parameters", "table 13", 6.8, ssd.params * 1e-6, "M", digits=2),
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """FP32 over INT8, and FP32 times against each other, as printed and as simulated."""
    from cosim.papers._figures_sw import paired_bars
    from cosim.report.style import new_figure

    result = new_figure(10.0, 4.2)
    gain, time = result.subplots(1, 2)
    names = list(TABLE_7)
    paired_bars(
        gain,
        names,
        [fp32 / int8 for fp32, int8 in TABLE_7.values()],
        [times_s(name)[0] / times_s(name)[1] for name in names],
    )
    gain.set_ylabel("INT8 speed-up over FP32")
    gain.set_title("table 7: FP32 over INT8", loc="left")
    paired_bars(
        time, names, [fp32 for fp32, _ in TABLE_7.values()], [times_s(name)[0] * 1e3 for name in names]
    )
    time.set_yscale("log")
    time.set_ylabel("FP32 time [ms]")
    time.set_title("table 7: Pixel 2 (published), Cortex-A72 (simulated)", loc="left")
    return result
