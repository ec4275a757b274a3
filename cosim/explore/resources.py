"""What a systolic design takes of an FPGA, as columns of a sweep.

One product for each processing element at the widths of the datapath, and for each buffer as many memories as it
has banks, each one word wide; the counts themselves are those of :mod:`cosim.components.fpga_resources`, whose low
and high ends become two columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from cosim.components.fpga_resources import MemoryArray, Products, Use, design_use
from cosim.hardware.load import Machine

COUNTS = ("dsps", "bram18s", "luts", "flip_flops")
RESOURCES = tuple(f"{name}_{end}" for name in COUNTS for end in ("low", "high"))
KIND = "systolic"

_BUFFERS = ("ifmap", "filter", "ofmap")
_PATHS = (
    *("array.rows", "array.cols", "datapath.x_bits", "datapath.w_bits"),
    *(f"buffers.{name}.{what}" for name in _BUFFERS for what in ("capacity_bytes", "word_bits", "banks")),
)


def has_resources(machine: Machine) -> bool:
    """True if the machine is one whose FPGA resources are modelled."""
    return machine.kind == KIND


def resource_columns(
    values: Mapping[str, float | NDArray[np.float64]], names: Sequence[str], count: int
) -> dict[str, NDArray[np.float64]]:
    """Columns ``names`` of :data:`RESOURCES` for ``count`` points; ``values`` maps paths to numbers or columns."""
    design = np.stack(
        [np.broadcast_to(np.asarray(values[path], dtype=np.float64), (count,)) for path in _PATHS]
    )
    unique, inverse = np.unique(design, axis=1, return_inverse=True)
    uses = [_use(*column) for column in unique.T.tolist()]
    found = {}
    for name in names:
        what, _, end = name.rpartition("_")
        ends = np.array([getattr(getattr(use, what), end) for use in uses], dtype=np.float64)
        found[name] = ends[np.ravel(inverse)]
    return found


@cache
def _use(rows: float, cols: float, x_bits: float, w_bits: float, *buffers: float) -> Use:
    memories = []
    for index, name in enumerate(_BUFFERS):
        capacity, word, banks = buffers[3 * index : 3 * index + 3]
        depth = ceil(capacity * 8 / (word * banks))
        memories.append(MemoryArray(name, depth, int(word), int(banks)))
    return design_use([Products(int(rows * cols), int(x_bits), int(w_bits))], memories)
