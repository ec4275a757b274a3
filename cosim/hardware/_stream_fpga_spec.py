"""The machine file of a stream engine on an FPGA, and what its build takes of the device."""

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
from cosim.spec.base import Bits, Bytes, Count, Cycles, Fraction, Hz, Mw, Pj, S, Spec, refuse
from cosim.spec.machine import MachineSpec


class Build(Spec):
    """What was synthesised; see :class:`cosim.mapping.fpga_cnna.CnnaBuild`."""

    data_bits: Bits
    """Width of an element."""
    dma_bits: Bits
    """Width of a word of the streams, a multiple of the data width."""
    pes: Count
    """Processing elements; each computes a filter at a time."""
    out: Count
    """Words in a packet."""
    wbuf_words: Count
    """Depth of the weight buffer of one element, in packets."""
    line_rows: Count
    """Rows that the line buffer holds: the tallest kernel."""
    line_words: Count
    """Words of one row of the line buffer: width of the map times channel words."""
    pool_words: Count
    """Words of the pooling memory."""


class Timing(Spec):
    """How fast it runs."""

    clock_hz: Hz
    """Clock of the programmable logic while running."""
    packet_ii_cycles: Cycles
    """Cycles from one packet to the next (initiation interval)."""
    bias_packets: Count
    """Packets that carry the bias of a filter."""
    pool_cycles: Cycles
    """Cycles of a pooled word."""


class HostCalls(Spec):
    """The driver."""

    call_s: S
    """One call: a split of a layer, or a pooling layer."""
    weight_word_s: S
    """Copying one word of weights into the buffer that the DMA engine reads."""


class Power(Spec):
    """Average power while running, and energies not contained in it."""

    running_mw: Mw
    """Average power over a whole network."""
    mac_pj: Pj
    """Energy of a multiply-accumulate beside it; 0 where the running power contains it."""


class StreamFpgaSpec(MachineSpec):
    """A stream engine on a board."""

    kind: Literal["stream_fpga"]
    board: str
    """Name of a board of arch/boards, or the path of a board file."""
    build: Build
    timing: Timing
    first_layer_pixel_bytes: Bytes
    """Bytes of a channel of a pixel where a layer of at most three channels is fed packed pixels."""
    dram: MemorySpec
    """Memory of the board; must state its rate."""
    dram_efficiency: Fraction
    """Share of the memory's rate that long bursts reach."""
    host: HostCalls
    power: Power

    @model_validator(mode="after")
    def _fits_its_board(self) -> StreamFpgaSpec:
        """The outer memory states a rate; the DMA width is a multiple of the data width; the low end of what the build
        takes fits the board."""
        require_rate(self.dram, "dram")
        if int(self.build.dma_bits) % int(self.build.data_bits):
            raise refuse("a DMA width that is no multiple of the data width", "a multiple", at="build")
        try:
            require_fit(build_use(self.build), load_board(self.board))
        except (DoesNotFitError, KeyError) as error:
            raise refuse(str(error), "a build that fits a board of arch/boards", at="board") from None
        return self


def build_use(build: Build) -> Use:
    """Resources of a build: its multipliers, weight buffers, line buffer and pooling memory."""
    lanes = int(build.dma_bits) // int(build.data_bits)
    chunk_bits = lanes * int(build.out) * int(build.data_bits)
    products = Products(int(build.pes) * lanes * int(build.out), int(build.data_bits), int(build.data_bits))
    return design_use(
        [products],
        [
            MemoryArray("weights", int(build.wbuf_words), chunk_bits, int(build.pes)),
            MemoryArray("line buffer", int(build.line_words), int(build.dma_bits), int(build.line_rows)),
            MemoryArray("window", -(-512 * int(build.line_rows) // lanes), int(build.dma_bits)),
            MemoryArray("pooling", int(build.pool_words), int(build.dma_bits)),
        ],
    )
