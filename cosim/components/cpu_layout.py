"""Work around an inner kernel: im2col, pointers, layout conversion, weight packing, requantisation.

All functions give cycles of one core per layer, arrays that broadcast to (points, L).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.components.cpu_kernels import Kernel, Ports
from cosim.components.cpu_runtime import Runtime
from cosim.components.params import Value
from cosim.ir.batch import Array, LayerBatch, Mask
from cosim.ir.ops import OpClass

LINE_BYTES = 64.0


@dataclass(frozen=True)
class LayoutCosts:
    """Costs of copying: instructions retired a cycle, cycles to copy one short segment, the first two levels."""

    sustained_ipc: Value
    segment_cycles: Value
    l1_bytes: Value
    l2_bytes_per_cycle: Value


@dataclass(frozen=True)
class Context:
    """How a layer runs: alone or inside a graph that keeps its layout, and in which layout tensors arrive."""

    standalone: bool
    layout: str


def dense_conv(layers: LayerBatch) -> Mask:
    """Convolutions that are not depthwise."""
    return np.asarray(layers.op_class == OpClass.CONV)


def any_conv(layers: LayerBatch) -> Mask:
    """Dense, grouped and depthwise convolutions."""
    return np.asarray(layers.op_class <= OpClass.DEPTHWISE_CONV)


def spatial(layers: LayerBatch) -> Mask:
    """Convolutions whose input is not already the left matrix of a product."""
    window = layers.R * layers.S * layers.stride_h * layers.stride_w
    return np.asarray((window > 1) & layers.static_weight & layers.is_mac)


def im2col_cycles(layers: LayerBatch, kernel: Kernel, ports: Ports, costs: LayoutCosts) -> Array:
    """Copying windows: one segment of S*C elements per output pixel and kernel row, half a register a cycle."""
    segments = layers.N * layers.P * layers.Q * layers.R * layers.G
    copied = layers.S * layers.C * kernel.x_bits / 8 / (ports.vector_bits / 16)
    return np.asarray(spatial(layers) * segments * (costs.segment_cycles + copied))


def pointer_cycles(layers: LayerBatch, costs: LayoutCosts) -> Array:
    """Filling an indirection buffer: about eight instructions per pixel and tap (Dukhan, arXiv 1907.02129)."""
    pointers = layers.N * layers.P * layers.Q * layers.R * layers.S
    return np.asarray(spatial(layers) * pointers * 8.0 / costs.sustained_ipc)


def conversion_cycles(
    kernel: Kernel, layers: LayerBatch, runtime: Runtime, costs: LayoutCosts, context: Context
) -> Array:
    """Changing the layout of activations around a convolution that runs on its own."""
    if not context.standalone:
        # Heads are split off and put back: the right operand, and the narrower of left operand and result.
        heads = layers.w_elems + np.minimum(layers.x_elems, layers.y_elems)
        return np.asarray((layers.op_class == OpClass.MATMUL) * heads * runtime.split_heads_cycles)
    conv = any_conv(layers)
    if kernel.x_bits < 16:
        if not runtime.transposes_int8:
            return np.zeros(layers.size)
        rows_in, rows_out = layers.G * layers.C, layers.P * layers.Q
        into = layers.x_elems * _transpose_cycles_per_byte(rows_in, costs)
        return np.asarray(conv * (into + layers.y_elems * _transpose_cycles_per_byte(rows_out, costs)))
    blocked = kernel.form in ("direct", "depthwise")
    converts = blocked and (runtime.blocks_layout or (runtime.plain_pointwise and context.layout == "nchw"))
    if not converts:
        return np.zeros(layers.size)
    lanes = 512.0 / kernel.x_bits
    # An input of fewer channels than a vector is read where it is.
    read = np.where(lanes > layers.G * layers.C, 0.0, layers.x_elems)
    elements = read + layers.y_elems
    lines = elements * kernel.x_bits / 8 / LINE_BYTES
    return np.asarray(conv * lines * runtime.line_instructions / costs.sustained_ipc)


def _transpose_cycles_per_byte(rows: Array, costs: LayoutCosts) -> Array:
    """Cycles per byte of transposing a byte matrix of ``rows`` rows in blocks of 8x8.

    A block takes 8 loads, 12 shuffles, 8 stores of half a register and 8 scalar instructions. One line per row
    is in use while the blocks walk down the rows; if these lines exceed the first level, each of the 8 lines of
    a block comes from the second.
    """
    instructions = 36.0 / costs.sustained_ipc
    fetched = 8.0 * LINE_BYTES / costs.l2_bytes_per_cycle
    return np.asarray(
        np.where(rows * LINE_BYTES > costs.l1_bytes, np.maximum(instructions, fetched), instructions) / 64
    )


def packing_cycles(kernel: Kernel, layers: LayerBatch, runtime: Runtime, ports: Ports) -> Array:
    """Bringing weights, computed right operands and narrow activations into the kernel's format."""
    total: Array = np.zeros(layers.size)
    lines = layers.w_elems * kernel.w_bits / 8 / LINE_BYTES
    if runtime.weight_cycles and kernel.form != "gemm":
        per_call = np.where(
            layers.op_class == OpClass.DEPTHWISE_CONV,
            layers.w_elems * runtime.group_weight_cycles,
            lines * runtime.weight_cycles,
        )
        total = total + layers.static_weight * per_call
    if runtime.packs_matmul:
        total = total + ~layers.static_weight * lines * 2.0 / ports.vector_load * ports.vector_bits / 512.0
    registers = layers.x_elems * kernel.x_bits / ports.vector_bits
    return np.asarray(total + registers * kernel.pack_ops / ports.vector)


def requantise_cycles(kernel: Kernel, layers: LayerBatch, ports: Ports, costs: LayoutCosts) -> Array:
    """Scaling, rounding, clamping and narrowing 32-bit sums to the operand width.

    Inside the kernel: nine vector instructions and a store per register. After a matrix product the sums are
    read back by generic code: about 36 instructions of 128 bits for 16 outputs.
    """
    if kernel.lane_bits == 0 or kernel.x_bits >= 16:
        return np.zeros(layers.size)
    outputs = layers.y_elems / 16.0
    if kernel.form == "gemm":
        return np.asarray(outputs * 36.0 / costs.sustained_ipc)
    registers = layers.y_elems / ports.outputs_per_vector(kernel)
    return np.asarray(registers * (9.0 / ports.vector + 1.0))


def scratch_elems(kernel: Kernel, layers: LayerBatch, runtime: Runtime, context: Context) -> Array:
    """Elements of temporary copies that a call writes: converted activations, im2col, packed weights."""
    total: Array = np.zeros(layers.size)
    conv = any_conv(layers)
    integer = kernel.x_bits < 16
    blocked = (integer and runtime.transposes_int8) or (
        kernel.form in ("direct", "depthwise")
        and (runtime.blocks_layout or (runtime.plain_pointwise and context.layout == "nchw"))
    )
    if blocked and context.standalone:
        total = total + conv * (layers.x_elems + layers.y_elems)
    if kernel.form == "gemm":
        total = total + spatial(layers) * layers.gemm_g * layers.gemm_m * layers.gemm_k
        if integer:
            total = total + layers.y_elems * 4.0
    if runtime.weight_cycles and kernel.form != "gemm":
        total = total + layers.static_weight * layers.w_elems
    return np.asarray(total)
