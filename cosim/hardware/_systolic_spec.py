"""The machine file of a systolic array."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from cosim.components.memory import MemorySpec
from cosim.spec.base import Bits, Count, Cycles, Fraction, Hz, Mw, Pj, S, Spec, refuse
from cosim.spec.machine import MachineSpec


class Grid(Spec):
    """Equal arrays that share the buffers."""

    rows: Count
    cols: Count


class ArraySpec(Spec):
    """One array, or a grid of them. ``dataflow: any`` lets each layer take the order that suits it best.

    ``os_drain``, ``overlap_fill`` and ``skew`` are the conventions of :class:`cosim.mapping.folds.CyclePolicy`.
    """

    rows: Count
    cols: Count
    clock_hz: Hz
    dataflow: Literal["any", "os", "ws", "is"]
    os_drain: bool = False
    overlap_fill: bool = False
    skew: bool = True
    grid: Grid | None = None
    mac_pj: Pj
    static_mw: Mw


class Datapath(Spec):
    """Executed widths: input, second operand, result, accumulator."""

    x_bits: Bits
    w_bits: Bits
    y_bits: Bits
    acc_bits: Bits


class Buffers(Spec):
    """On-chip memories of the operands and of the accumulators; half of each is used by a tile.

    ``activations: resident`` leaves a layer's input and result in the input buffer where both fit together;
    ``spill`` moves them through the outer memory always.
    """

    activations: Literal["spill", "resident"]
    ifmap: MemorySpec
    filter: MemorySpec
    ofmap: MemorySpec


class VectorUnit(Spec):
    """Lanes that do what is no multiply-accumulate; ``simple`` and ``special`` as in the operator table."""

    lanes: Count
    clock_hz: Hz
    simple_cycles: Cycles
    special_cycles: Cycles
    simple_pj: Pj
    special_pj: Pj
    static_mw: Mw


class Host(Spec):
    """What starts a layer: time of one call on the host."""

    call_s: S


class SystolicSpec(MachineSpec):
    """A systolic array with its buffers, outer memory and vector unit."""

    kind: Literal["systolic"]
    array: ArraySpec
    datapath: Datapath
    buffers: Buffers
    dram: MemorySpec
    dram_efficiency: Fraction
    vector: VectorUnit
    host: Host

    @model_validator(mode="after")
    def _outer_memory_has_a_rate(self) -> SystolicSpec:
        if self.dram.bandwidth_bytes_per_s is None:
            raise refuse("an outer memory without a rate", "dram.bandwidth_bytes_per_s", at="dram")
        return self
