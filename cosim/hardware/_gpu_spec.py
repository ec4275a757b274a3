"""The machine file of a GPU board."""

from __future__ import annotations

from typing import Literal

from cosim.spec.base import (
    Bytes,
    BytesPerS,
    Count,
    Cycles,
    Fraction,
    Hz,
    Mw,
    PjPerByte,
    PjPerMac,
    PjPerOp,
    S,
    Spec,
)
from cosim.spec.machine import MachineSpec


class Multiprocessors(Spec):
    """Streaming multiprocessors: rates are multiply-accumulates per cycle of one of them."""

    count: Count
    """Multiprocessors of the board."""
    fp32_macs_per_cycle: Count
    """FP32 multiply-accumulates on the vector lanes."""
    tf32_macs_per_cycle: Count
    """TF32 multiply-accumulates on the tensor cores; the FP32 rate where there are none."""
    fp16_macs_per_cycle: Count
    """FP16 multiply-accumulates with FP32 sums."""
    int8_macs_per_cycle: Count
    """INT8 multiply-accumulates with INT32 sums."""
    special_ops_per_cycle: Count
    """Exponentials, roots and divisions of the special-function units."""


class Clock(Spec):
    """Boost clock of the data sheet and the share of it that the board holds under load."""

    boost_hz: Hz
    """Clock of the published peak rates."""
    sustained: Fraction
    """Share of the boost clock under a steady load."""


class GpuMemory(Spec):
    """Second-level cache and device memory."""

    l2_bytes: Bytes
    """Capacity of the second-level cache."""
    l2_bytes_per_s: BytesPerS
    """Bandwidth of the second-level cache, all multiprocessors together."""
    dram_latency_cycles: Cycles
    """Time of a load that misses both caches, in cycles of the sustained clock."""
    dram_bytes_per_s: BytesPerS
    """Peak bandwidth of the device memory."""
    dram_efficiency: Fraction
    """Share of the peak that streaming kernels reach."""


class Runtime(Spec):
    """What the software asks of the board."""

    layout: Literal["nchw", "nhwc"]
    """Channels outermost, so that convolutions on tensor cores rewrite their input first, or innermost."""
    widths: Literal["executed", "stored"]
    """Whether operands move at the width of the precision, or at the width that each layer states (mixed precision,
    where norms and softmax read and write FP32)."""
    fusion: Literal["none", "pointwise"]
    """`pointwise` applies activations, elementwise operators and inference batch norm inside the kernel before them, as
    compilers do: no launch, and of their bytes only those of a second operand."""


class Host(Spec):
    """Launching: gap between kernels on the device, and time of the host per operator in eager mode."""

    mode: Literal["eager", "stream", "graph"]
    """`eager` pays at least the host time of the framework for every operator (the device is idle before it), `graph`
    replays a recorded graph and pays the gap only. `stream`: the host runs ahead of the device, as in a loop over large
    batches, so an operator pays its device time; the host bounds the stream as a whole."""
    launch_gap_s: S
    """Start of a kernel after the one before."""
    eager_s: S
    """Host time of one operator in the framework."""


class GpuEnergy(Spec):
    """Energy per action and static power, split from the board's power limit."""

    fp32_pj_per_mac: PjPerMac
    """FP32 multiply-accumulate."""
    tf32_pj_per_mac: PjPerMac
    """TF32 multiply-accumulate."""
    fp16_pj_per_mac: PjPerMac
    """FP16 multiply-accumulate."""
    int8_pj_per_mac: PjPerMac
    """INT8 multiply-accumulate."""
    vector_pj_per_op: PjPerOp
    """One operation of a vector lane."""
    dram_pj_per_byte: PjPerByte
    """One byte from or to the device memory."""
    static_mw: Mw
    """Power of the board that does nothing, at full voltage."""


class GpuDatapath(Spec):
    """Precision of every operator."""

    precision: Literal["fp32", "tf32", "fp16", "int8"]
    """Operands and results have this width, sums are FP32 or INT32."""


class GpuSpec(MachineSpec):
    """A GPU board."""

    kind: Literal["gpu"]
    datapath: GpuDatapath
    multiprocessors: Multiprocessors
    clock: Clock
    memory: GpuMemory
    runtime: Runtime
    host: Host
    energy: GpuEnergy
