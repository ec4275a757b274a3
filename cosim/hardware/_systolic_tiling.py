"""Tiles of a systolic array for the event simulation: one tile is one fold, with what it loads and stores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import numpy as np

from cosim.components.estimate import Estimate
from cosim.components.params import Value
from cosim.components.tiling import Sequence, Tiling, Tilings, Uneven
from cosim.ir.batch import Array, LayerBatch
from cosim.mapping.array_schedule import Gemm, Machine
from cosim.mapping.fold_loads import fold_loads
from cosim.mapping.folds import Dataflow

FLOWS = (Dataflow.OS, Dataflow.WS, Dataflow.IS)


def fold_tilings(
    layers: LayerBatch, gemm: Gemm, machine: Machine, hold_bytes: Value, x_bits: Value, estimate: Estimate
) -> Tilings:
    """Folds of matrix products; layers of the vector unit in pieces of ``hold_bytes``, half of the input buffer.

    The array starts on the first tile while it comes in: its first vectors are booked as a stage of their own.
    """
    names = list(estimate.stages[-1].resources)
    ports = [name for name in names if name.endswith("_port")]
    flow = ("dram", *(p for p in ports if p != "ofmap_port"), "array", "vector_unit", "ofmap_port")
    pieces = np.ceil(layers.x_elems * x_bits / 8 / hold_bytes)
    tiles = np.maximum(np.where(layers.is_mac, estimate.columns["folds"], pieces), 1.0)
    run = Tiling(
        tiles=tiles,
        flow=tuple(name for name in flow if name in names),
        streams=True,
        uneven=_folds_of(layers, gemm, machine, np.broadcast_to(estimate.columns["mode"], (layers.size,))),
    )
    return Tilings({"run": run}, memories=("dram",), units={"first_and_last_tile": "dram"})


def _folds_of(
    layers: LayerBatch, gemm: Gemm, machine: Machine, mode: Array
) -> Callable[[int], Uneven | None]:
    def uneven(layer: int) -> Uneven | None:
        if not layers.is_mac[layer]:
            return None
        one = Gemm(
            **{f.name: np.broadcast_to(getattr(gemm, f.name), (layers.size,))[[layer]] for f in fields(Gemm)}
        )
        runs = fold_loads(one, machine, FLOWS[int(mode[layer])])
        groups = int(one.g[0])
        total = groups * sum(run.total_bits for run in runs)
        if total == 0.0:
            return None
        return Uneven(
            "dram", tuple(Sequence(run.counts, run.bits / total, run.repeats) for run in runs), groups
        )

    return uneven
