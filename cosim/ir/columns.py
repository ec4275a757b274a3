"""Every result column, declared once: its name, unit and meaning.

Reports, CSV headers, ``cosim explain column`` and ``cosim list columns`` read this table. A machine model may
only return columns that are declared here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column of the per-layer result table."""

    name: str
    unit: str
    meaning: str


def _declare(*rows: tuple[str, str, str]) -> dict[str, Column]:
    return {name: Column(name, unit, meaning) for name, unit, meaning in rows}


# Present in every result, in this order.
CORE = _declare(
    ("name", "", "layer name, unique in the workload"),
    ("op", "", "operator (see `cosim list ops`)"),
    ("shape", "", "canonical dimensions of the layer"),
    ("macs", "MAC", "multiply-accumulates for the whole batch"),
    ("cycles", "cycle", "latency in the machine's reference cycles (see the machine's `cycle`)"),
    ("latency_s", "s", "time of the layer for the whole batch"),
    ("energy_j", "J", "energy of the layer: actions plus static power over its latency"),
    ("utilization", "1", "multiply-accumulates over what the machine's peak rate would do in the same time"),
    ("bound", "", "the resource that the layer waits for longest"),
    ("bytes", "byte", "bytes of operands and result, each counted once, at the widths the machine executes"),
)

# Kind-specific columns; a machine returns those that it has.
EXTRA = _declare(
    ("mode", "", "tiling mode, dataflow or kernel chosen for the layer"),
    ("placement", "", "part of the machine that executes the layer"),
    ("frames", "frame", "optical frames of the layer"),
    ("mask_loads", "load", "masks written to the Fourier-plane modulator"),
    ("tiles", "tile", "input tiles that fit the plane at once"),
    ("sign_passes", "1", "frames per signed result"),
    ("read_pixels", "px", "camera pixels read"),
    ("driven_pixels", "px", "modulator pixels driven (input and changed mask planes)"),
    ("folds", "fold", "times the array is refilled with another tile of the stationary operand or output"),
    ("mapping_efficiency", "1", "processing elements that hold useful work, mean over the folds"),
    ("dram_read_bytes", "byte", "bytes read from the outermost memory"),
    ("dram_write_bytes", "byte", "bytes written to the outermost memory"),
    ("sram_read_bytes", "byte", "bytes read from the on-chip buffers"),
    ("sram_write_bytes", "byte", "bytes written to the on-chip buffers"),
    ("stall_cycles", "cycle", "cycles in which the array waits for memory"),
    ("compute_cycles", "cycle", "cycles of the array with operands always present"),
    ("launches", "1", "kernel launches or host calls"),
    ("waves", "1", "waves of thread blocks over the multiprocessors"),
    ("working_set_bytes", "byte", "bytes that the kernel touches: operands and result"),
    ("hard_cell_share", "1", "share of two-bit cells that hold an expensive pattern"),
    ("x_bits", "bit", "executed width of the input operand"),
    ("w_bits", "bit", "executed width of the second operand"),
)

COLUMNS: dict[str, Column] = {**CORE, **EXTRA}
