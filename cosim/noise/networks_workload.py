"""A trained network as a workload with the weights of each of its layers. Imported only where torch is wanted."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from cosim.frontends.torch_export import export_module, workload_from_program
from cosim.ir.workload import Workload
from cosim.noise.networks import TrainedNetwork
from cosim.noise.placement_content import has_weights


def trained_workload(network: TrainedNetwork) -> tuple[Workload, dict[str, npt.NDArray[Any]]]:
    """The network traced on one image, and the trained weights by layer name."""
    program = export_module(network.module, [network.images[:1]])
    workload = workload_from_program(program, network.name.replace(":", "_"), {"model": network.name})
    stored = {name.removesuffix(".weight"): value for name, value in network.stored_weights().items()}
    weights = {
        layer.name: stored[layer.module].detach().numpy()
        for layer in workload.layers
        if has_weights(layer) and layer.module in stored
    }
    return workload, weights
