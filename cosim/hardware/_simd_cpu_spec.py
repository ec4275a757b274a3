"""The machine file of a SIMD processor."""

from __future__ import annotations

from typing import Annotated, Literal

from cosim.spec.base import (
    BytesPerCycle,
    BytesPerS,
    Constant,
    Count,
    Cycles,
    Fraction,
    Hz,
    Mw,
    PjPerByte,
    Ratio,
    S,
    Spec,
    Unit,
)
from cosim.spec.machine import MachineSpec

Precision = Literal["fp32", "bf16", "int16", "int8", "int2", "int1"]
_Size = Annotated[Constant, Unit("bytes", at_least=0, whole=True)]


class Features(Spec):
    """Instruction-set extensions that kernels may need."""

    ssse3: bool
    """Byte multiply-add into 16 bits (VPMADDUBSW), for the 8-bit kernel without VNNI."""
    vnni: bool
    """Dot products of four bytes into 32 bits (VPDPBUSD)."""
    bf16: bool
    """Dot products of two BF16 values into FP32 (VDPBF16PS)."""
    neon: bool
    """Arm's 128-bit vectors with widening 8-bit multiply-add (SMULL, SMLAL, SADALP)."""
    neon_dot: bool
    """Arm's dot products of four bytes into 32 bits (SDOT)."""
    byte_shuffle: bool
    """Table look-up of bytes in a register (VPSHUFB, TBL), for two-bit kernels."""
    popcount: bool
    """Counting ones in vector registers, for binary and bit-serial kernels."""


class Core(Spec):
    """One core; rates are instructions of full register width per cycle."""

    count: Count
    """Cores that share the work."""
    clock_hz: Hz
    """Sustained clock."""
    vector_bits: Count
    """Width of a vector register in bits."""
    registers: Count
    """Architectural vector registers; 32 allow a tile of 6 x 4 accumulators, fewer one of 6 x 2."""
    multiply_per_cycle: Ratio
    """Multiplications or multiply-adds that start in a cycle."""
    vector_per_cycle: Ratio
    """Vector instructions of any kind that start in a cycle."""
    shuffle_per_cycle: Ratio
    """Shuffles that start in a cycle."""
    vector_load_per_cycle: Ratio
    """Full registers loaded in a cycle."""
    scalar_load_per_cycle: Ratio
    """Scalars loaded (and broadcast) in a cycle."""
    store_per_cycle: Ratio
    """Full registers stored in a cycle."""
    multiply_latency_cycles: Cycles
    """Cycles before an accumulator can be added to again."""
    tile_overhead_cycles: Cycles
    """Entering and leaving a register tile: clearing accumulators, loop control, addresses."""
    row_overhead_cycles: Cycles
    """Starting a row of tiles: a call of the kernel for one output row."""
    dispatch_per_cycle: Ratio
    """Instructions of any kind that enter the core in a cycle."""
    sustained_ipc: Ratio
    """Instructions a cycle of copying and index loops."""
    tiles_in_flight: Count
    """Short independent tiles whose latencies overlap; one on an in-order core."""
    segment_cycles: Cycles
    """Border tests and the copy call for one run of im2col: a kernel row of one output pixel."""
    features: Features


class Caches(Spec):
    """Capacity usable by one core and read bandwidth of one core; the last level is shared."""

    l1_bytes: _Size
    """First level of a core, data."""
    l2_bytes: _Size
    """Second level of a core."""
    l3_bytes: _Size
    """Part of the third level that a core finds useful; 0 without one."""
    l1_ways: Count
    """Associativity of the first level, for the block sizes of matrix products."""
    l2_ways: Count
    """Associativity of the second level."""
    l3_ways: Count
    """Associativity of the third level."""
    l1_bytes_per_cycle: BytesPerCycle
    """Read bandwidth of one core from its first level."""
    l2_bytes_per_cycle: BytesPerCycle
    """Read bandwidth of one core from its second level."""
    l3_bytes_per_cycle: BytesPerCycle
    """Read bandwidth of one core from the third level."""
    l3_cores: Ratio
    """Cores over which the bandwidth of the last level grows."""
    l3_exposed: Fraction
    """Share of a kernel's traffic beyond the private caches that computing does not hide."""


class MainMemory(Spec):
    """Bandwidth that one core can draw, and that all of them share."""

    core_bytes_per_s: BytesPerS
    """Bandwidth that a single core reaches."""
    shared_bytes_per_s: BytesPerS
    """Bandwidth of all channels together."""


class LibrarySpec(Spec):
    """Costs of one library per call: of a layer run on its own, of a node inside a graph, and when all is cold.

    ``cold`` costs are what it takes to bring the library's own code and tables back from memory.
    """

    mac_call_s: S
    """Call of a layer with multiply-accumulates, run on its own."""
    depthwise_call_s: S
    """Call of a depthwise convolution, run on its own."""
    vector_call_s: S
    """Call of any other layer, run on its own."""
    node_s: S
    """Dispatch of one node inside a fused graph."""
    cold_mac_s: S
    """Further time of a layer with multiply-accumulates after the caches were flushed."""
    cold_vector_s: S
    """Further time of any other layer after the caches were flushed."""


class Libraries(Spec):
    """Every library that ``runtime.name`` may name."""

    bare: LibrarySpec
    """A kernel in a loop, without a library."""
    onnxruntime: LibrarySpec
    """onnxruntime and its MLAS kernels."""
    torch: LibrarySpec
    """PyTorch with oneDNN."""


class RuntimeSpec(Spec):
    """Software: which library, how tensors are laid out, where operands are."""

    name: Literal["bare", "onnxruntime", "torch"]
    """Library whose kernels, layouts and call costs hold."""
    layout: Literal["nchw", "nhwc"]
    """Layout of the tensors that a layer is given: channels outermost or innermost."""
    operands: Literal["warm", "cold", "network"]
    """Where operands are: `warm` in the innermost level that holds the layer, `cold` in memory, `network` weights in
    memory and activations in the caches."""
    graph: Literal["standalone", "eager", "fused"]
    """`standalone` converts layouts around every layer and finds its memory allocated, `eager` also allocates every
    result (a page fault per page), `fused` keeps the layout and folds batch normalisation and ReLU into the layer
    before."""
    fork_join_s: S
    """Waking a thread pool and waiting for its slowest member; paid with more than one core."""
    page_fault_s: S
    """First touch of a 4 KiB page of a new result; eager graphs only."""
    libraries: Libraries


class CpuEnergy(Spec):
    """Power of an active core, of everything else on the package, and energy of memory traffic."""

    core_mw: Mw
    """Power of one active core, whatever it executes."""
    uncore_mw: Mw
    """Power of the rest of the package that this core's work is charged."""
    dram_pj_per_byte: PjPerByte
    """Energy of a byte from or to memory."""


class CpuDatapath(Spec):
    """Number format of the network."""

    precision: Precision
    """Format of operands, unless a mapping names a kernel of another one for a layer."""


class SimdCpuSpec(MachineSpec):
    """A processor with SIMD units."""

    kind: Literal["simd_cpu"]
    datapath: CpuDatapath
    core: Core
    caches: Caches
    memory: MainMemory
    runtime: RuntimeSpec
    energy: CpuEnergy
