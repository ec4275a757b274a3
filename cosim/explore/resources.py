"""What a systolic design takes of an FPGA, or of a chip for its buffers, as columns of a sweep.

FPGA: one product for each processing element at the widths of the datapath, and for each buffer as many memories
as it has banks, each one word wide; the counts themselves are those of :mod:`cosim.components.fpga_resources`,
whose low and high ends become two columns.

Chip: ``buffer_cells_mm2`` is the area of the buffers' cells at 22 nm,

    area = sum over buffers of bits * cell area in F^2 / bits per cell * F^2                     (Eq. 1)

without decoders and sense amplifiers. Cells: SRAM 146 F^2 and STT-RAM 54 F^2, the sample cells of NVSim (Dong et
al., IEEE TCAD 2012, doi:10.1109/TCAD.2012.2185930); two bits in a cell of the same size halve the latter, which is
a bound: the larger write current of such a cell may need a wider transistor.
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
CELLS = "buffer_cells_mm2"
RESOURCES = (*(f"{name}_{end}" for name in COUNTS for end in ("low", "high")), CELLS)
F2_PER_BIT = {"sram": 146.0, "slc_stt_ram": 54.0, "mlc_stt_ram": 54.0 / 2}
FEATURE_MM = 22e-6
KIND = "systolic"

_BUFFERS = ("ifmap", "filter", "ofmap")
_PATHS = (
    *("array.rows", "array.cols", "datapath.x_bits", "datapath.w_bits"),
    *(f"buffers.{name}.{what}" for name in _BUFFERS for what in ("capacity_bytes", "word_bits", "banks")),
)


def resources_of(machine: Machine) -> tuple[str, ...]:
    """Columns of :data:`RESOURCES` that a machine has: none but for a systolic array, areas for known cells."""
    if machine.kind != KIND:
        return ()
    known = all(technology in F2_PER_BIT for technology in _technologies(machine).values())
    return RESOURCES if known else tuple(name for name in RESOURCES if name != CELLS)


def _technologies(machine: Machine) -> dict[str, str]:
    return {name: machine.params.option(f"buffers.{name}.technology") for name in _BUFFERS}


def resource_columns(
    machine: Machine, values: Mapping[str, float | NDArray[np.float64]], names: Sequence[str], count: int
) -> dict[str, NDArray[np.float64]]:
    """Columns ``names`` for ``count`` points; ``values`` maps parameter paths to numbers or columns.

    A column that the machine does not have is not-a-number.
    """
    own = resources_of(machine)
    found = {name: np.full(count, np.nan) for name in names}
    if CELLS in own and CELLS in names:
        found[CELLS] = np.broadcast_to(_cells_mm2(machine, values), (count,)).copy()
    counted = [name for name in names if name in own and name != CELLS]
    if counted:
        found.update(_fpga_columns(values, counted, count))
    return found


def _cells_mm2(machine: Machine, values: Mapping[str, float | NDArray[np.float64]]) -> NDArray[np.float64]:
    f2 = sum(
        np.asarray(values[f"buffers.{name}.capacity_bytes"]) * 8 * F2_PER_BIT[technology]
        for name, technology in _technologies(machine).items()
    )
    return np.asarray(f2 * FEATURE_MM**2, dtype=np.float64)


def _fpga_columns(
    values: Mapping[str, float | NDArray[np.float64]], names: Sequence[str], count: int
) -> dict[str, NDArray[np.float64]]:
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
