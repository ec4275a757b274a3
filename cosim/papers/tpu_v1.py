"""TPU v1: rates of the six applications against its roofline and, where shapes can be stood for, the array model.

Boundary: one die, weights from DDR3 at 34 GB/s; host time is outside. Layer shapes are not published: the
perceptrons are stood for by equal square layers with the published number of weights and layers.
Source: Jouppi et al., ISCA 2017, doi:10.1145/3079856.3080246, tables 1 and 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np

from cosim.engine import load_arch
from cosim.ir.batch import LayerBatch
from cosim.ir.layer import mac_layer
from cosim.mapping.plan import make_plan
from cosim.papers.row import PaperRow, Scenario, below, within

SCENARIO = Scenario(
    title="Jouppi et al., In-datacenter performance analysis of a tensor processing unit, ISCA 2017",
    machine="tpu_v1; its roofline",
    workload="the six applications of table 1 by weights, intensity and batch",
    assumptions=("layer shapes are not published: equal square layers stand for the perceptrons",),
)
PEAK_OPS_PER_S = 2 * 256 * 256 * 700e6
WEIGHT_BYTES_PER_S = 34e9


@dataclass(frozen=True)
class Application:
    """A row of tables 1 and 3; ``square_layers`` above 0 where equal square layers stand for the network."""

    name: str
    weights: float
    macs_per_weight_byte: float
    batch: int
    tera_ops_per_s: float
    square_layers: int = 0


APPLICATIONS = (
    Application("MLP0", 20e6, 200, 200, 12.3, 5),
    Application("MLP1", 5e6, 168, 168, 9.7, 4),
    Application("LSTM0", 52e6, 64, 64, 3.7),
    Application("LSTM1", 34e6, 96, 96, 2.8),
    Application("CNN0", 8e6, 2888, 8, 86.0),
    Application("CNN1", 100e6, 1750, 32, 14.1),
)


def roofline_ops_per_s(application: Application) -> float:
    """min(peak, 2 * intensity * weight bandwidth)."""
    return min(PEAK_OPS_PER_S, 2 * application.macs_per_weight_byte * WEIGHT_BYTES_PER_S)


def square_layers_ops_per_s(application: Application) -> float:
    """Rate of the array model on equal square layers with the application's weights and batch."""
    machine = load_arch("tpu_v1")
    side = isqrt(round(application.weights / application.square_layers))
    layer = mac_layer("square", "linear", P=application.batch, K=side, C=side)
    batch = LayerBatch.from_layers([layer])
    found = machine.model.estimate(batch, machine.params, make_plan(batch, machine.model.choices))
    seconds = sum(float(np.max([np.ravel(t)[0] for t in stage.resources.values()])) for stage in found.stages)
    return 2 * layer.macs / seconds


def ROWS() -> list[PaperRow]:
    """Time of a tera-operation: the roofline bounds it from below; the perceptrons through the array."""
    rows = [
        below(
            "tpu-v1", f"{a.name}: time of 10^12 operations", "table 3", 1e3 / a.tera_ops_per_s,
            1e15 / roofline_ops_per_s(a), "ms", "roofline alone: no dependences, no shapes, no host",
        )
        for a in APPLICATIONS
    ]  # fmt: skip
    return rows + [
        within(
            "tpu-v1", f"{a.name}: rate of the array model", "table 3", a.tera_ops_per_s,
            square_layers_ops_per_s(a) * 1e-12, "TOP/s", 0.25, f"{a.square_layers} equal square layers stand for it",
        )
        for a in APPLICATIONS
        if a.square_layers
    ]  # fmt: skip
