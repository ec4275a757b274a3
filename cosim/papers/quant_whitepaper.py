"""Quantisation white paper, table 7: FP32 over INT8 on one big core of a Pixel 2.

Boundary: TensorFlow Lite on a Cortex-A73-class core (Kryo 280 gold); the nearest machine here is a Cortex-A72 without
dot-product instructions. Ratios only.
Source: Krishnamoorthi, arXiv 1806.08342, table 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosim.engine import load_workload
from cosim.ir.workload import Workload
from cosim.papers._figures import bars_figure
from cosim.papers._machines import latency_by_kernel_s, machine
from cosim.papers._networks import mobilenet_v1, resnet_v1
from cosim.papers.row import PaperRow, Scenario, missing, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Krishnamoorthi, Quantizing deep convolutional networks for efficient inference, 2018",
    machine="cpu_cortex_a72 in place of the Pixel 2's Cortex-A73",
    workload="mobilenet_v2, inception_v3, resnet50; MobileNet-v1 and ResNet-152 from their tables",
    mapping="fp32_gemm and fp32_depthwise against int8_smlal and int8_depthwise",
    assumptions=("core, library and threads of the measurement",),
)
# Milliseconds, FP32 and INT8 on the CPU, INT8 on the HVX unit.
TABLE_7: dict[str, tuple[float, float]] = {
    "MobileNet-v1-1-224": (155, 68), "MobileNet-v2-1-224": (105, 63), "MobileNet-v1 SSD": (312, 152),
    "Inception-v3": (1391, 536), "ResNet-v1-50": (874, 440), "ResNet-v2-50": (1667, 1145),
    "ResNet-v1-152": (2581, 1274), "ResNet-v2-152": (4885, 3240),
}  # fmt: skip


def workload(name: str) -> Workload | None:
    """The network of a row: shipped, or built from its published dimensions."""
    shipped = {
        "MobileNet-v2-1-224": "mobilenet_v2",
        "Inception-v3": "inception_v3",
        "ResNet-v1-50": "resnet50",
    }
    if name in shipped:
        return load_workload(shipped[name])
    return {"MobileNet-v1-1-224": mobilenet_v1(), "ResNet-v1-152": resnet_v1((3, 8, 36, 3))}.get(name)


def ratio(network: Workload) -> float:
    """FP32 time over INT8 time."""
    layers = network.layers
    fp32 = machine("cpu_cortex_a72", "datapath.precision=fp32")
    int8 = machine("cpu_cortex_a72", "datapath.precision=int8")
    wide = latency_by_kernel_s(fp32, layers, "fp32_gemm", "fp32_depthwise")
    return wide / latency_by_kernel_s(int8, layers, "int8_smlal", "int8_depthwise")


def ROWS() -> list[PaperRow]:
    """A row for each network of the table."""
    rows = []
    for name, (fp32_ms, int8_ms) in TABLE_7.items():
        what = f"{name}, FP32 over INT8"
        published = fp32_ms / int8_ms
        network = workload(name)
        if network is None:
            facts = "its layers as measured (pre-activation variant, detection head)"
            rows.append(missing("krishnamoorthi-2018", what, "table 7", published, "1", facts))
            continue
        note = "Cortex-A72 for a Cortex-A73, im2col and 16-bit partial sums in place of the library's kernels"
        rows.append(
            within("krishnamoorthi-2018", what, "table 7", published, ratio(network), "1", 0.25, note)
        )
    return rows


def figure(rows: list[PaperRow]) -> Figure:
    """FP32 over INT8 as printed and as simulated."""
    series = {
        "published": [row.published or 0.0 for row in rows],
        "simulated": [row.simulated or 0.0 for row in rows],
    }
    return bars_figure("Table 7: FP32 over INT8", "ratio", list(TABLE_7), series)
