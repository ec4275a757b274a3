"""Computational efficiency, efficiency gap and waterline of any machine on any network, as numbers.

Definitions of Lavin, "On the efficiency of convolutional neural networks" (arXiv 2404.03617), for kernels i with
ops_i = 2 * MACs, bytes_i over the outermost memory and time t_i on a machine of peak P and bandwidth B:

    ideal    = sum ops_i / P                                                                 (Eq. 1)
    roofline = sum max(ops_i / P, bytes_i / B)                                               (Eq. 2)
    E        = ideal / sum t_i          the efficiency that the machine's model gives        (Eq. 3)
    E_max    = ideal / roofline         the waterline: what perfect overlap would give       (Eq. 4)

On a logarithmic axis the gap between ideal and actual time is log(1/E); it splits at the roofline time into the
network's part, log(1/E_max), and the kernels' part. On the waterline plot every kernel is a rectangle of width
bytes_i and height ops_i / bytes_i (its area is its operations), the water stands at P / B, and Eq. 2 times P is
the area below max(height, water). Latency = operations / (P * E) is the form of Chen et al., "Run, don't walk"
(FasterNet, CVPR 2023, arXiv 2303.03667): the column ``flops_per_s`` holds the operations per second that the
network reaches.

``bytes_i`` is what the machine's model says that it reads and writes outside, where it says so, else every
operand and result once at the executed widths; a machine that finds operands in caches may then beat its
roofline. Fused blocks (:mod:`cosim.mapping.fusion`) replace the bytes of their layers by those of the block. The time
of a fused kernel is modelled for pointwise blocks on GPUs; elsewhere E stays that of the layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cosim.engine import evaluate, load_workload
from cosim.hardware.load import Machine
from cosim.ir.batch import Array
from cosim.ir.workload import Workload
from cosim.mapping.fusion import Block, fuse, merged
from cosim.results.outcome import Outcome
from cosim.results.result import Result

if TYPE_CHECKING:
    import pandas as pd

_READ, _WRITE = "dram_read_bytes", "dram_write_bytes"


@dataclass(frozen=True)
class Kernels:
    """Kernels of one network on one machine in execution order; arrays have one entry a kernel.

    ``bandwidth_bytes_per_s`` is None for a machine without an outer memory; it then has no water.
    """

    names: tuple[str, ...]
    ops: Array
    bytes: Array
    seconds: Array
    peak_ops_per_s: float
    bandwidth_bytes_per_s: float | None
    bytes_are: str

    @property
    def ridge_ops_per_byte(self) -> float:
        """Height of the water, P / B (0 without an outer memory)."""
        if self.bandwidth_bytes_per_s is None:
            return 0.0
        return self.peak_ops_per_s / self.bandwidth_bytes_per_s

    @property
    def ideal_s(self) -> float:
        """Eq. 1."""
        return float(self.ops.sum()) / self.peak_ops_per_s

    @property
    def roofline_s(self) -> float:
        """Eq. 2."""
        compute = self.ops / self.peak_ops_per_s
        if self.bandwidth_bytes_per_s is None:
            return float(compute.sum())
        return float(np.maximum(compute, self.bytes / self.bandwidth_bytes_per_s).sum())

    @property
    def actual_s(self) -> float:
        """Time of the machine's model, kernels one after another."""
        return float(self.seconds.sum())


def layer_kernels(result: Outcome) -> Kernels:
    """Kernels of a result, one a layer."""
    table = result.to_pandas()
    modelled = _READ in table and _WRITE in table
    moved = (table[_READ] + table[_WRITE] if modelled else table["bytes"]).to_numpy(dtype=np.float64)
    return Kernels(
        tuple(table["name"]),
        2.0 * table["macs"].to_numpy(dtype=np.float64),
        moved,
        table["latency_s"].to_numpy(dtype=np.float64),
        2.0 * result.roof.peak_macs_per_s,
        result.roof.bandwidth_bytes_per_s,
        "of the machine's model" if modelled else "every operand once",
    )


def kernels_of(result: Result, machine: Machine, fusion: str = "none") -> Kernels:
    """Kernels of a result; ``fusion`` as in :func:`cosim.mapping.fusion.fuse`.

    Raises ``ValueError`` when the result is of another machine or the fusion mode does not exist.
    """
    if result.machine != machine.name:
        raise ValueError(f"the result is of machine {result.machine}, not of {machine.name}")
    blocks = fuse(result.workload, fusion)
    layers = layer_kernels(result)
    starts = [block.start for block in blocks]
    return replace(
        layers,
        names=tuple(block.name for block in blocks),
        ops=np.add.reduceat(layers.ops, starts),
        bytes=_block_bytes(blocks, layers.bytes, machine),
        seconds=np.add.reduceat(layers.seconds, starts),
    )


def evaluated(
    machine: Machine, workload: Workload | str | Path, fusion: str, batch: int = 1
) -> tuple[Result, str]:
    """(result, fusion that is left for :func:`kernels_of`): a GPU runs pointwise blocks as single kernels."""
    network = workload if isinstance(workload, Workload) else load_workload(workload)
    if machine.kind == "gpu" and fusion == "pointwise":
        return evaluate(machine, merged(network), batch=batch), "none"
    return evaluate(machine, network, batch=batch), fusion


def _block_bytes(blocks: Sequence[Block], moved: Array, machine: Machine) -> Array:
    """Bytes of every block: those of its layers, but for a fused block no more than it has to move."""
    bits = {k: float(np.max(v)) for k, v in machine.model.execution_bits(machine.params).items()}
    out = np.add.reduceat(moved, [block.start for block in blocks])
    for index, block in enumerate(blocks):
        if block.layers > 1:
            out[index] = min(out[index], block.moved_bytes(bits))
    return np.asarray(out)


def efficiency_row(result: Result, machine: Machine, fusion: str = "none") -> dict[str, Any]:
    """Figures of one network on one machine, see :func:`kernels_row`."""
    return kernels_row(result, kernels_of(result, machine, fusion), fusion)


def kernels_row(result: Outcome, kernels: Kernels, fusion: str = "none") -> dict[str, Any]:
    """Figures of the kernels of a result; the keys say their units, shares are fractions.

    ``network_gap`` and ``kernel_gap`` are factors: roofline over ideal time, actual over roofline time.
    """
    ideal, roofline, actual = kernels.ideal_s, kernels.roofline_s, kernels.actual_s
    ops = float(kernels.ops.sum())
    return {
        "machine": result.machine,
        "network": result.workload.name,
        "batch": result.workload.batch,
        "fusion": fusion,
        "kernels": len(kernels.names),
        "ops": ops,
        "bytes": float(kernels.bytes.sum()),
        "bytes_are": kernels.bytes_are,
        "ideal_s": ideal,
        "roofline_s": roofline,
        "actual_s": actual,
        "efficiency": ideal / actual,
        "efficiency_max": ideal / roofline if roofline else None,
        "network_gap": roofline / ideal if ideal else None,
        "kernel_gap": actual / roofline if roofline else None,
        "flops_per_s": ops / actual,
        "peak_flops_per_s": kernels.peak_ops_per_s,
        "ridge_flops_per_byte": kernels.ridge_ops_per_byte or None,
    }


def waterline_frame(result: Result, machine: Machine, fusion: str = "none") -> pd.DataFrame:
    """Rectangles of the waterline plot, see :func:`rectangles`."""
    return rectangles(kernels_of(result, machine, fusion))


def rectangles(kernels: Kernels) -> pd.DataFrame:
    """Rectangles of the waterline plot: kernel, bytes, macs, seconds and the water above each, in MACs.

    ``water_macs`` is how much work the peak rate could have done in the time that the memory takes longer.
    """
    import pandas as pd

    water = np.maximum(kernels.bytes * kernels.ridge_ops_per_byte - kernels.ops, 0.0)
    return pd.DataFrame(
        {
            "name": kernels.names,
            "bytes": kernels.bytes,
            "macs": kernels.ops / 2,
            "seconds": kernels.seconds,
            "water_macs": water / 2,
        }
    )


def gap_frame(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Frame of the efficiency figures from :func:`efficiency_row` rows."""
    import pandas as pd

    return pd.DataFrame(rows)[
        ["machine", "network", "ops", "ideal_s", "roofline_s", "actual_s", "flops_per_s"]
    ]
