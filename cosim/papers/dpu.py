"""DPU B1600 at 287 MHz on an Ultra96: measured latencies above the bound of its parallelism.

Boundary: single-thread latency on the board, host included; the bound holds products only.
Sources: AMD Vitis AI model zoo, performance on Ultra96; AMD PG338 (parallelism).
"""

from __future__ import annotations

from cosim.engine import load_workload
from cosim.ir.batch import LayerBatch
from cosim.mapping.fpga_dpu import ENGINES, dpu_cycles
from cosim.papers.row import PaperRow, Scenario, below

SCENARIO = Scenario(
    title="AMD Vitis AI model zoo, performance on Ultra96; PG338",
    machine="DPU B1600 at 287 MHz, products only",
    workload="resnet50, resnet18, inception_v3, mobilenet_v2, one image",
    mapping="parallelism of PG338",
    assumptions=("the zoo's networks are the shipped ones", "memory, pooling and host take no time"),
)
CLOCK_HZ = 287e6
ENGINE = "B1600"
LATENCY_MS = {"resnet50": 30.8, "resnet18": 13.47, "inception_v3": 44.05, "mobilenet_v2": 7.34}


def bound_ms(workload: str) -> float:
    """Least time of a workload at its parallelism."""
    layers = LayerBatch.from_layers(load_workload(workload).layers)
    return float(dpu_cycles(layers, ENGINES[ENGINE]).sum()) / CLOCK_HZ * 1e3


def ROWS() -> list[PaperRow]:
    """Four networks."""
    return [
        below(
            "vitis-ai-zoo", f"{name}, latency", "performance on Ultra96", milliseconds, bound_ms(name), "ms",
            "products only: no DRAM, pooling, elementwise layers or host; the zoo's networks may differ in details",
        )
        for name, milliseconds in LATENCY_MS.items()
    ]  # fmt: skip
