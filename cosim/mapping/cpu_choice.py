"""Which kernel each layer takes on a SIMD core, and what that kernel costs with the work around it.

A kernel is legal where the core has its instructions and its form can compute the layer; without a choice in the
mapping, the fastest legal kernel that the runtime would take is used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cosim.components.cpu_kernels import KERNELS, Kernel, Ports
from cosim.components.cpu_layout import (
    Context,
    LayoutCosts,
    conversion_cycles,
    dense_conv,
    im2col_cycles,
    packing_cycles,
    pointer_cycles,
    requantise_cycles,
    scratch_elems,
    spatial,
)
from cosim.components.cpu_runtime import RUNTIMES, Runtime
from cosim.components.params import Params
from cosim.ir.batch import Array, LayerBatch, Mask
from cosim.ir.ops import OpClass
from cosim.mapping.cpu_blocking import Blocks, blocks_of
from cosim.mapping.cpu_tiles import (
    TileOverhead,
    depthwise_cycles,
    direct_cycles,
    gemm_cycles,
    indirect_cycles,
    sliding_cycles,
    winograd_cycles,
)
from cosim.mapping.plan import Plan

# Words of the kernel codes: code 0 is a layer without multiply-accumulates, the last one a layer that a fused
# graph computes inside the layer before.
MODES = ("vector", *KERNELS, "folded")


@dataclass(frozen=True)
class Chosen:
    """What the chosen kernels need, arrays that broadcast to (points, L).

    Attributes
    ----------
    cycles, layout: cycles of the kernel, and of the conversions around it
    code:    index of the kernel in :data:`MODES`
    illegal: 1 where no kernel fits
    scratch_bytes: temporary copies that a call writes
    waited_bytes:  what a kernel takes from the last cache level: weights, and in a matrix product also the left
             operand and the sums, which a blocked reduction stores and loads again
    moved_bytes:   operands and result at the kernel's widths
    products: multiplications of the algorithm: the layer's, but 16 of 36 in Winograd's
    """

    cycles: Array
    layout: Array
    code: Array
    illegal: Array
    scratch_bytes: Array
    waited_bytes: Array
    moved_bytes: Array
    products: Array


def runtime_of(params: Params) -> Runtime:
    """The library of the machine."""
    return RUNTIMES[params.option("runtime.name")]


def context_of(params: Params) -> Context:
    """Alone or inside a graph, and the layout of tensors."""
    return Context(params.option("runtime.graph") != "fused", params.option("runtime.layout"))


def ports_of(params: Params) -> Ports:
    """Issue rates of one core."""
    return Ports(
        vector_bits=params["core.vector_bits"],
        registers=params["core.registers"],
        multiply=params["core.multiply_per_cycle"],
        vector=params["core.vector_per_cycle"],
        shuffle=params["core.shuffle_per_cycle"],
        vector_load=params["core.vector_load_per_cycle"],
        scalar_load=params["core.scalar_load_per_cycle"],
        store=params["core.store_per_cycle"],
        multiply_latency_cycles=params["core.multiply_latency_cycles"],
    )


def supported(kernel: Kernel, params: Params) -> bool:
    """True if the core has the instructions of the kernel."""
    return all(params.option(f"core.features.{feature}") == "true" for feature in kernel.features)


def executable(params: Params) -> tuple[str, ...]:
    """Kernels that an unnamed choice may take on this core, by precision and instruction set."""
    precision = params.option("datapath.precision")
    return tuple(
        name
        for name, kernel in KERNELS.items()
        if kernel.automatic and kernel.precision == precision and supported(kernel, params)
    )


def candidates(params: Params) -> tuple[str, ...]:
    """Those of them that the runtime has."""
    runtime = runtime_of(params)
    return tuple(name for name in executable(params) if not runtime.kernels or name in runtime.kernels)


def fits(kernel: Kernel, layers: LayerBatch) -> Mask:
    """Layers that the kernel's form can compute."""
    dense, depthwise = dense_conv(layers), _depthwise(layers)
    if kernel.form == "depthwise":
        return depthwise
    if kernel.form == "sliding":
        return np.asarray((dense | depthwise) & (layers.R * layers.S > 1))
    if kernel.form in ("direct", "indirect"):
        return dense
    if kernel.form == "winograd":
        three = (layers.R == 3) & (layers.S == 3)
        unit = layers.stride_h * layers.stride_w * layers.dilation_h * layers.dilation_w == 1
        return np.asarray(dense & three & unit)
    return layers.is_mac


def _depthwise(layers: LayerBatch) -> Mask:
    return np.asarray((layers.op_class == OpClass.DEPTHWISE_CONV) & (layers.C == 1))


def _plain(layers: LayerBatch, params: Params) -> Mask:
    """Pointwise convolutions that the runtime hands to its matrix product as they are."""
    return np.asarray(runtime_of(params).plain_pointwise & dense_conv(layers) & ~spatial(layers))


def _turned(layers: LayerBatch, params: Params) -> Mask:
    """Those of them whose plane is channels-first: pixels run along the vectors."""
    return np.asarray(_plain(layers, params) & (params.option("runtime.layout") == "nchw"))


def _offered(kernel: Kernel, layers: LayerBatch, params: Params) -> Mask:
    """Layers for which the runtime would take this kernel unasked."""
    runtime, dense = runtime_of(params), dense_conv(layers) & (layers.G == 1)
    if not runtime.kernels:
        return np.ones(layers.size, dtype=np.bool_)
    if kernel.precision == "fp32" and kernel.form == "gemm":
        return np.asarray(_plain(layers, params) | ~(dense | _depthwise(layers)))
    if kernel.form == "direct":
        return np.asarray(~_plain(layers, params))
    if kernel.precision == "int8":
        # The indirect kernel wants whole groups of four channels and one channel group.
        indirect = dense & (np.mod(layers.C, 4) == 0)
        return np.asarray(indirect if kernel.form == "indirect" else ~indirect | (kernel.form == "depthwise"))
    return np.ones(layers.size, dtype=np.bool_)


def _unasked(layers: LayerBatch, params: Params) -> dict[str, Mask]:
    """Kernel -> layers that it may compute without being named.

    Normally what the runtime would take. A layer for which the runtime has no kernel on this core (an 8-bit
    library built for instructions that the core lacks) may take any kernel that the core can execute.
    """
    asked = {
        name: fits(KERNELS[name], layers) & _offered(KERNELS[name], layers, params)
        for name in candidates(params)
    }
    served = np.zeros(layers.size, dtype=np.bool_)
    for mask in asked.values():
        served |= mask
    left = layers.is_mac & ~served
    if not left.any():
        return asked
    return {
        name: asked.get(name, np.zeros(layers.size, dtype=np.bool_)) | left for name in executable(params)
    }


def blocks_for(kernel: Kernel, params: Params, ports: Ports) -> Blocks:
    """Cache blocks of a kernel's matrix product on this machine."""
    tile_rows, tile_vectors = ports.tile(kernel)
    tile_cols = tile_vectors * ports.outputs_per_vector(kernel)
    return blocks_of(params, tile_rows, tile_cols, kernel.x_bits / 8, runtime_of(params).k_block)


def choose(layers: LayerBatch, params: Params, plan: Plan) -> Chosen:
    """The fastest legal kernel of every layer, or the one that the plan names."""
    ports, chosen = ports_of(params), plan["kernel"]
    unasked = _unasked(layers, params)
    best: Array = np.full(layers.size, np.inf)
    zero: Array = np.zeros(layers.size)
    out = Chosen(zero, zero, zero, zero, zero, zero, zero, zero)
    named = frozenset(np.unique(chosen).tolist())
    for index, (name, kernel) in enumerate(KERNELS.items(), start=1):
        if not (name in unasked and 0 in named) and not (index in named and supported(kernel, params)):
            continue
        wanted = (chosen == index) & supported(kernel, params)
        if name in unasked:
            wanted = wanted | ((chosen == 0) & unasked[name])
        mask = layers.is_mac & fits(kernel, layers) & wanted
        if not np.any(mask):
            continue
        cost = _cost(kernel, layers, params, ports)
        total = cost.cycles + cost.layout
        better = mask & (total < best)
        best = np.where(better, total, best)
        merged = {
            part: np.where(better, getattr(cost, part), getattr(out, part))
            for part in ("cycles", "layout", "scratch_bytes", "waited_bytes", "moved_bytes", "products")
        }
        out = replace(out, code=np.where(better, float(index), out.code), **merged)
    return replace(out, illegal=np.asarray(layers.is_mac & ~np.isfinite(best), dtype=np.float64))


def _cost(kernel: Kernel, layers: LayerBatch, params: Params, ports: Ports) -> Chosen:
    """Cost of every layer under one kernel; meaningless where it does not fit."""
    runtime, context = runtime_of(params), context_of(params)
    costs = LayoutCosts(
        params["core.sustained_ipc"],
        params["core.segment_cycles"],
        params["caches.l1_bytes"],
        params["caches.l2_bytes_per_cycle"],
    )
    around = conversion_cycles(kernel, layers, runtime, costs, context)
    around = around + packing_cycles(kernel, layers, runtime, ports)
    around = around + requantise_cycles(kernel, layers, ports, costs)
    if kernel.form == "gemm":
        around = around + im2col_cycles(layers, kernel, ports, costs)
    if kernel.form == "indirect" or (kernel.form == "depthwise" and kernel.x_bits < 16):
        around = around + pointer_cycles(layers, costs)
    result_bytes = max(kernel.x_bits, 8.0) / 8
    x_bytes, w_bytes = layers.x_elems * kernel.x_bits / 8, layers.w_elems * kernel.w_bits / 8
    waited = w_bytes
    if kernel.form == "gemm":
        blocks = blocks_for(kernel, params, ports)
        waited = waited * blocks.right_reads(layers.gemm_m) + x_bytes * blocks.left_reads(layers.gemm_n)
        waited = waited + layers.y_elems * 4.0 * (2.0 * blocks.sum_passes(layers.gemm_k) - 1.0)
    elif kernel.form == "indirect":
        waited = waited + x_bytes + layers.y_elems * result_bytes
    products = layers.macs * (16.0 / 36.0 if kernel.form == "winograd" else 1.0)
    # Windows that hang over the border are cut short, yet no layer is credited with more than the kernel's rate.
    floor = products / ports.products_per_cycle(kernel)
    return Chosen(
        cycles=np.maximum(_kernel_cycles(kernel, layers, params, ports), floor),
        products=products,
        layout=np.asarray(around),
        code=np.zeros(layers.size),
        illegal=np.zeros(layers.size),
        scratch_bytes=scratch_elems(kernel, layers, runtime, context) * kernel.x_bits / 8,
        waited_bytes=np.asarray(waited),
        moved_bytes=x_bytes + w_bytes + layers.y_elems * result_bytes,
    )


def _kernel_cycles(kernel: Kernel, layers: LayerBatch, params: Params, ports: Ports) -> Array:
    """Cycles of the inner kernel by its form."""
    overhead = TileOverhead(
        params["core.tile_overhead_cycles"],
        params["core.row_overhead_cycles"],
        params["core.sustained_ipc"],
        params["core.tiles_in_flight"],
        params["core.dispatch_per_cycle"],
    )
    runtime = runtime_of(params)
    if kernel.form == "direct":
        return direct_cycles(layers, kernel, ports, overhead)
    if kernel.form == "depthwise":
        return depthwise_cycles(layers, kernel, ports, overhead, runtime.depthwise_tile)
    if kernel.form == "sliding":
        return sliding_cycles(layers, kernel, ports, overhead)
    if kernel.form == "winograd":
        return winograd_cycles(layers, kernel, ports, overhead, blocks_for(kernel, params, ports).k_c)
    if kernel.form == "indirect":
        return indirect_cycles(layers, kernel, ports, overhead)
    turned = _turned(layers, params)
    k_c = blocks_for(kernel, params, ports).k_c
    return gemm_cycles(layers, kernel, ports, overhead, k_c, turned) / runtime.gemm_efficiency
