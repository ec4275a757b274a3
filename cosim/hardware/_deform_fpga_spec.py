"""The machine file of CoDeNet's engine on an FPGA, and what it takes of the device."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from cosim.components.fpga_board import load_board
from cosim.components.fpga_resources import (
    DoesNotFitError,
    MemoryArray,
    Products,
    Use,
    design_use,
    require_fit,
)
from cosim.components.memory_spec import MemorySpec, require_rate
from cosim.mapping.fpga_codenet import LANES
from cosim.spec.base import Bits, Count, Cycles, Fraction, Hz, Mw, Ns, Pj, S, Spec, refuse
from cosim.spec.machine import MachineSpec

TAPS = 9.0


class Engine(Spec):
    """What was synthesised, and how fast it runs."""

    line_rows: Count
    """Rows that the line buffer holds."""
    line_words: Count
    """Words of 16 channels in one row of the line buffer."""
    weight_elems: Count
    """Weights of the 1 x 1 convolution of one call."""
    clock_hz: Hz
    """Clock of the programmable logic while running."""
    depth_cycles: Cycles
    """Cycles to flush the pipeline of a loop."""


class DeformDatapath(Spec):
    """Widths of the engine."""

    x_bits: Bits
    """Width of an input element."""
    w_bits: Bits
    """Width of a weight."""
    y_bits: Bits
    """Width of a result element."""


class Offsets(Spec):
    """What the learned offsets may be, and what a read outside the line buffer takes."""

    variant: Literal["regular", "square", "bound", "deform"]
    """`regular`: none; `square`: one dilation a position; `bound`: any offset, clipped; `deform`: any offset."""
    random_read_ns: Ns
    """One random read of the outer memory; for `deform` only."""


class DeformHost(Spec):
    """The driver."""

    call_s: S
    """Time of one call."""


class DeformPower(Spec):
    """Power while running, and energy of a multiply-accumulate not contained in it."""

    running_mw: Mw
    """Average power over a whole network."""
    mac_pj: Pj
    """Energy of a multiply-accumulate beside it; 0 where the running power contains it."""


class DeformFpgaSpec(MachineSpec):
    """CoDeNet's engine on a board."""

    kind: Literal["deform_fpga"]
    board: str
    """Name of a board of arch/boards, or the path of a board file."""
    engine: Engine
    datapath: DeformDatapath
    offsets: Offsets
    dram: MemorySpec
    """Memory of the board; must state its rate."""
    dram_efficiency: Fraction
    """Share of the memory's rate that long bursts reach."""
    host: DeformHost
    power: DeformPower

    @model_validator(mode="after")
    def _fits_its_board(self) -> DeformFpgaSpec:
        """The outer memory states a rate; the low end of what the engine takes fits the board."""
        require_rate(self.dram, "dram")
        try:
            require_fit(engine_use(self), load_board(self.board))
        except (DoesNotFitError, KeyError) as error:
            raise refuse(str(error), "an engine that fits a board of arch/boards", at="board") from None
        return self


def engine_use(spec: DeformFpgaSpec) -> Use:
    """Resources: 16 x 16 and 16 x 9 multipliers, the line buffer, the weights of a call in 16 banks."""
    x_bits, w_bits = int(spec.datapath.x_bits), int(spec.datapath.w_bits)
    per_bank = -(-int(spec.engine.weight_elems) // (LANES * LANES))
    return design_use(
        [Products(LANES * LANES, x_bits, w_bits), Products(LANES * int(TAPS), x_bits, w_bits)],
        [
            MemoryArray(
                "line buffer", int(spec.engine.line_words), LANES * x_bits, int(spec.engine.line_rows)
            ),
            MemoryArray("weights", per_bank, LANES * w_bits, LANES),
        ],
    )
