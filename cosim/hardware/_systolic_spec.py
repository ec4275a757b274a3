"""The machine file of a systolic array, and where its model holds."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from cosim.components.memory_spec import MemorySpec, require_rate
from cosim.spec.base import Bits, Count, Cycles, Fraction, Hz, Mw, Pj, S, Spec
from cosim.spec.machine import MachineSpec

HOLDS = (
    "arrays, layers and widths of any size from 1; half of each buffer must hold the smallest tile of a layer, which "
    "is refused otherwise",
    "one operand enters each row and column in a cycle; a convolution is a matrix product whose windows the address "
    "generator forms on the chip",
    "cycles of the array with operands present: equal to SCALE-Sim 2.0.2 and 3.0.0 in its CALC mode, and, output and "
    "weight stationary, to eight small arrays in SystemVerilog simulated cycle by cycle; input stationary is weight "
    "stationary with the operands exchanged",
    "the conventions of a fold (drain, hidden fill, skew) differ between real arrays; they are switches of the "
    "machine file, with SCALE-Sim's as defaults",
    "traffic to the outer memory: the rule is this project's and has not been held against another tool or silicon",
    "the outer memory is a bandwidth times one efficiency: long transfers, no dependence on addresses",
    "time and energy of whole machines have not been held against silicon beyond published results (`cosim reproduce`)",
)


class Grid(Spec):
    """Equal arrays that share the buffers."""

    rows: Count
    """Arrays above one another."""
    cols: Count
    """Arrays beside one another."""


class ArraySpec(Spec):
    """One array, or a grid of them; the conventions are those of :class:`cosim.mapping.folds.CyclePolicy`."""

    rows: Count
    """Rows of processing elements."""
    cols: Count
    """Columns of processing elements."""
    clock_hz: Hz
    """Clock of the array."""
    dataflow: Literal["any", "os", "ws", "is"]
    """The one order that is wired (output, weight or input stationary), or `any`: each layer takes what suits it
    best."""
    os_drain: bool = False
    """Output stationary: results are shifted out row by row, which takes `rows` cycles a fold, instead of leaving
    over a bus for each column."""
    overlap_fill: bool = False
    """The fill of a fold hides behind the fold before, as with a spare weight tile (eq. 3 of the folds)."""
    skew: bool = True
    """Operands enter one cycle later in every row and column, which takes `rows + cols - 2` cycles a fold."""
    grid: Grid | None = None
    """Several equal arrays; one if not given."""
    mac_pj: Pj
    """Energy of a multiply-accumulate."""
    static_mw: Mw
    """Static power of the array or the grid."""


class Datapath(Spec):
    """Executed widths: input, second operand, result, accumulator."""

    x_bits: Bits
    """Width of an input element."""
    w_bits: Bits
    """Width of an element of the second operand."""
    y_bits: Bits
    """Width of a result element in memory."""
    acc_bits: Bits
    """Width of an accumulator in the output buffer."""


class Buffers(Spec):
    """On-chip memories of the operands and of the accumulators; half of each is used by a tile."""

    activations: Literal["spill", "resident"]
    """`resident` leaves a layer's input and result in the input buffer where both fit together, `spill` moves them
    through the outer memory always."""
    ifmap: MemorySpec
    """Buffer of the input operand."""
    filter: MemorySpec
    """Buffer of the second operand: weights, or the right matrix of a product."""
    ofmap: MemorySpec
    """Buffer of accumulators and results."""


class VectorUnit(Spec):
    """Lanes that do what is no multiply-accumulate; ``simple`` and ``special`` as in the operator table."""

    lanes: Count
    """Elements worked on at a time."""
    clock_hz: Hz
    """Clock of the vector unit."""
    simple_cycles: Cycles
    """Cycles of a simple operation in a lane (see `cosim list ops`)."""
    special_cycles: Cycles
    """Cycles of a special operation in a lane: division, root, exponential."""
    simple_pj: Pj
    """Energy of a simple operation."""
    special_pj: Pj
    """Energy of a special operation."""
    static_mw: Mw
    """Static power of the vector unit."""


class Host(Spec):
    """What starts a layer: time of one call on the host."""

    call_s: S
    """Time of one call on the host, paid once a layer."""


class SystolicSpec(MachineSpec):
    """A systolic array with its buffers, outer memory and vector unit."""

    kind: Literal["systolic"]
    array: ArraySpec
    datapath: Datapath
    buffers: Buffers
    dram: MemorySpec
    """Outer memory; must state its rate."""
    dram_efficiency: Fraction
    """Share of the outer memory's rate that is reached."""
    vector: VectorUnit
    host: Host

    @model_validator(mode="after")
    def _outer_memory_has_a_rate(self) -> SystolicSpec:
        """The outer memory states a rate."""
        require_rate(self.dram, "dram")
        return self
