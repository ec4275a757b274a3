"""Running the machine models for published results: time of a workload, of its optical part, of one product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from cosim.components.estimate import CostTable, price
from cosim.components.params import Params
from cosim.engine import load_arch, load_workload
from cosim.hardware.load import Machine
from cosim.ir.batch import LayerBatch
from cosim.ir.layer import Layer
from cosim.ir.ops import OpClass
from cosim.mapping.plan import MappingDoc, make_plan


@cache
def machine(name: str, *settings: str) -> Machine:
    """A shipped machine with ``path=value`` settings; read once."""
    return load_arch(name, dict(setting.split("=", 1) for setting in settings))


def cost_of(found: Machine, layers: Sequence[Layer], choices: Mapping[str, str] | None = None) -> CostTable:
    """Cost of layers on a machine, ``choices`` made for all of them."""
    batch = LayerBatch.from_layers(layers)
    plan = make_plan(batch, found.model.choices, MappingDoc(defaults=choices or {}))
    return price(found.model.estimate(batch, found.params, plan), found.model.energies(found.params))


def latency_s(found: Machine, layers: Sequence[Layer], choices: Mapping[str, str] | None = None) -> float:
    """Sum of the layers' times."""
    return float(np.sum(cost_of(found, layers, choices).latency_s))


def optics_s(found: Machine, layers: Sequence[Layer], choices: Mapping[str, str]) -> float:
    """Time of the frames alone, without the electronics after them."""
    stages = cost_of(found, layers, choices).stage_s
    return float(sum(np.sum(s) for name, s in stages.items() if not name.startswith("companion.")))


def frames(found: Machine, layers: Sequence[Layer], choices: Mapping[str, str]) -> float:
    """Frames of an optical machine."""
    return float(np.sum(cost_of(found, layers, choices).columns["frames"]))


def with_values(found: Machine, values: Mapping[str, float]) -> Params:
    """The machine's parameters with numbers replaced."""
    return found.params.with_values(dict(values))


def latency_by_kernel_s(found: Machine, layers: Sequence[Layer], dense: str, depthwise: str) -> float:
    """Time of a network on a processor with one kernel for products and one for depthwise convolutions."""
    groups: dict[str, list[Layer]] = {}
    for layer in layers:
        kernel = "auto"
        if layer.is_mac:
            kernel = depthwise if layer.op_class is OpClass.DEPTHWISE_CONV else dense
        groups.setdefault(kernel, []).append(layer)
    return sum(latency_s(found, group, {"kernel": kernel}) for kernel, group in groups.items())


def convolutions(workload: str) -> list[Layer]:
    """Dense convolutions of a shipped workload."""
    return [layer for layer in load_workload(workload) if layer.op_class is OpClass.CONV]


BARE = ("runtime.name=bare", "runtime.operands=warm", "runtime.graph=standalone")
"""Settings of a processor that runs a kernel in a loop: no library, operands in the caches."""
