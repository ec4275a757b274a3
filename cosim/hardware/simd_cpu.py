"""SIMD processors: a register-tile model of the inner kernel, the caches behind it, and the software around it.

    latency = call + layout work + max(kernel cycles / clock, operand bytes / cache bandwidth)
              + operands that come from memory / memory bandwidth                              (Eq. 1)

Inside the caches transfers overlap with computing; what comes from memory is added, because the prefetched
stream of a cold operand does not overlap well with a kernel that already keeps the load ports busy. The
kernels are rows of instruction counts (:mod:`cosim.components.cpu_kernels`), tiles and their remainders are in
:mod:`cosim.mapping.cpu_tiles`, runtimes in :mod:`cosim.components.cpu_runtime`.

Energy is top-down: an active core draws its share of the package power whatever it executes, so the energy of a
kernel is the time it takes; memory is counted per byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np

from cosim.components.cpu_kernels import KERNELS, Kernel, Ports
from cosim.components.cpu_runtime import RUNTIMES, Runtime, operator_scales
from cosim.components.estimate import EnergyTable, Estimate, Stage
from cosim.components.params import Params, Value
from cosim.hardware.base import MachineModel
from cosim.ir.batch import Array, LayerBatch, Mask
from cosim.ir.ops import OpClass
from cosim.mapping.cpu_tiles import (
    TileOverhead,
    depthwise_cycles,
    direct_cycles,
    gemm_cycles,
    sliding_cycles,
    winograd_cycles,
)
from cosim.mapping.feasibility import Limit
from cosim.mapping.plan import Choices, Plan
from cosim.spec.base import (
    BytesPerCycle,
    BytesPerS,
    Constant,
    Count,
    Cycles,
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
_BITS: Mapping[str, float] = {"fp32": 32, "bf16": 16, "int16": 16, "int8": 8, "int2": 2, "int1": 1}
_NAMES = tuple(KERNELS)
_MODES = ("vector", *_NAMES)
_Size = Annotated[Constant, Unit("bytes", at_least=0, whole=True)]


class Features(Spec):
    """Instruction-set extensions that kernels may need."""

    ssse3: bool
    vnni: bool
    bf16: bool
    neon: bool
    neon_dot: bool
    byte_shuffle: bool
    popcount: bool


class Core(Spec):
    """One core; rates are instructions of full register width per cycle."""

    count: Count
    clock_hz: Hz
    vector_bits: Count
    registers: Count
    multiply_per_cycle: Ratio
    vector_per_cycle: Ratio
    shuffle_per_cycle: Ratio
    vector_load_per_cycle: Ratio
    scalar_load_per_cycle: Ratio
    store_per_cycle: Ratio
    multiply_latency_cycles: Cycles
    tile_overhead_cycles: Cycles
    row_overhead_cycles: Cycles
    features: Features


class Caches(Spec):
    """Capacity usable by one core and read bandwidth of one core; the last level is shared."""

    l1_bytes: _Size
    l2_bytes: _Size
    l3_bytes: _Size
    l1_bytes_per_cycle: BytesPerCycle
    l2_bytes_per_cycle: BytesPerCycle
    l3_bytes_per_cycle: BytesPerCycle
    l3_cores: Ratio


class MainMemory(Spec):
    """Bandwidth that one core can draw, and that all of them share."""

    core_bytes_per_s: BytesPerS
    shared_bytes_per_s: BytesPerS


class RuntimeSpec(Spec):
    """Software: which library, where operands are, and its costs per call.

    ``operands``: ``warm`` finds every operand in the innermost level that holds the layer, ``cold`` finds all
    of them in memory, ``network`` finds weights in memory and activations in the caches. ``graph``:
    ``standalone`` converts layouts around every layer, ``fused`` keeps the layout from layer to layer and folds
    batch normalisation and ReLU into the layer before.
    """

    name: Literal["bare", "onnxruntime", "torch"]
    operands: Literal["warm", "cold", "network"]
    graph: Literal["standalone", "fused"]
    mac_call_s: S
    vector_call_s: S
    fork_join_s: S


class CpuEnergy(Spec):
    """Power of an active core, of everything else on the package, and energy of memory traffic."""

    core_mw: Mw
    uncore_mw: Mw
    dram_pj_per_byte: PjPerByte


class CpuDatapath(Spec):
    """Number format of the network unless a mapping names another kernel for a layer."""

    precision: Precision


class SimdCpuSpec(MachineSpec):
    """A processor with SIMD units."""

    kind: Literal["simd_cpu"]
    datapath: CpuDatapath
    core: Core
    caches: Caches
    memory: MainMemory
    runtime: RuntimeSpec
    energy: CpuEnergy


@dataclass(frozen=True)
class _Work:
    """Kernel cycles, layout cycles, and codes of the chosen kernels for a subset of layers."""

    cycles: Array
    layout: Array
    code: Array
    illegal: Array


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


def _runtime(params: Params) -> Runtime:
    return RUNTIMES[params.option("runtime.name")]


def _supported(kernel: Kernel, params: Params) -> bool:
    """True if the core has the instructions of the kernel."""
    return all(params.option(f"core.features.{feature}") == "true" for feature in kernel.features)


def _candidates(params: Params) -> tuple[str, ...]:
    """Kernels that an unnamed choice may take on this machine, by precision, instruction set and runtime."""
    precision, runtime = params.option("datapath.precision"), _runtime(params)
    return tuple(
        name
        for name, kernel in KERNELS.items()
        if kernel.automatic
        and kernel.precision == precision
        and _supported(kernel, params)
        and (not runtime.kernels or name in runtime.kernels)
    )


def _fits(kernel: Kernel, layers: LayerBatch) -> Mask:
    """Layers that the kernel's form can compute."""
    dense = layers.of_class(OpClass.CONV)
    if kernel.form == "depthwise":
        return np.asarray(layers.of_class(OpClass.DEPTHWISE_CONV) & (layers.C == 1))
    if kernel.form == "sliding":
        return np.asarray((dense | layers.of_class(OpClass.DEPTHWISE_CONV)) & (layers.R * layers.S > 1))
    if kernel.form == "direct" or kernel.form == "indirect":
        return dense
    if kernel.form == "winograd":
        three = (layers.R == 3) & (layers.S == 3)
        unit = layers.stride_h * layers.stride_w * layers.dilation_h * layers.dilation_w == 1
        return np.asarray(dense & three & unit)
    return layers.is_mac


class SimdCpuModel(MachineModel):
    """Register tiles, caches and runtime overheads of a SIMD processor."""

    kind: ClassVar[str] = "simd_cpu"
    summary: ClassVar[str] = "SIMD processor: register-tile kernels, cache levels, layout and call overheads"
    spec: ClassVar[type[MachineSpec]] = SimdCpuSpec
    choices: ClassVar[Choices] = {"kernel": ("auto", *_NAMES)}
    cycle: ClassVar[str] = "one clock cycle of a core"
    leaves_out: ClassVar[tuple[str, ...]] = (
        "instruction fetch and decode, branch misses, page walks",
        "conflict misses: a level holds what fits its capacity",
        "clock changes with load or instruction mix: the clock is the sustained one",
        "operators of unknown kind: only their bytes are counted",
    )

    def estimate(self, layers: LayerBatch, params: Params, plan: Plan) -> Estimate:
        """Counts for every layer; see Eq. 1 of the module."""
        ports, clock = ports_of(params), params["core.clock_hz"]
        work = self._kernels(layers, params, plan, ports)
        bits = _BITS[params.option("datapath.precision")]
        folded = self._folded(layers, params)
        scale, special = operator_scales(_runtime(params), layers.ops)
        vector_ops = layers.simple_ops * np.asarray(scale) + layers.special_ops * np.asarray(special)
        lanes = ports.vector_bits / max(bits, 8.0)
        vector_cycles = vector_ops / lanes / ports.vector * (1.0 - folded)
        moved = (layers.x_elems + layers.w_elems + layers.y_elems) * (bits / 8) * (1.0 - folded)
        cores = params["core.count"]
        share = self._balance(layers, ports, cores)
        cycles = (work.cycles + vector_cycles) / share
        cold_bytes = self._cold_bytes(layers, params, bits / 8) * (1.0 - folded)
        level_s = moved * self._s_per_byte(moved, params)
        memory_rate = np.minimum(
            params["memory.core_bytes_per_s"] * cores, params["memory.shared_bytes_per_s"]
        )
        call = np.where(layers.is_mac, params["runtime.mac_call_s"], params["runtime.vector_call_s"])
        call = (call + params["runtime.fork_join_s"] * np.minimum(cores - 1.0, 1.0)) * (1.0 - folded)
        resources = {"vector units": np.asarray(cycles / clock), "caches": np.asarray(level_s)}
        memory_s = np.asarray(cold_bytes / memory_rate)
        layout_s = np.asarray(work.layout / share / clock)
        stages = (
            Stage("call", {"host call": np.asarray(call)}),
            Stage("layout", {"layout": layout_s}),
            Stage("kernel", resources),
            Stage("memory", {"memory": memory_s}),
        )
        latency = call + layout_s + np.maximum(resources["vector units"], level_s) + memory_s
        busy = np.where(latency > 0, latency, 1.0)
        return Estimate(
            stages=stages,
            actions={("memory", "byte"): cold_bytes},
            utilization=np.asarray(np.minimum(layers.macs / (busy * self.peak_macs_per_s(params)), 1.0)),
            columns={"mode": work.code, "working_set_bytes": moved, "compute_cycles": np.asarray(cycles)},
            labels={"mode": _MODES},
            limits=(
                Limit(
                    "kernel",
                    work.illegal,
                    0.0,
                    "rule",
                    "the named kernel needs an instruction set that the core lacks, or another kind of layer",
                ),
            ),
        )

    def _kernels(self, layers: LayerBatch, params: Params, plan: Plan, ports: Ports) -> _Work:
        """The fastest legal kernel of every layer, or the one that the plan names."""
        chosen = plan["kernel"]
        automatic = _candidates(params)
        best: Array = np.full(layers.size, np.inf)
        cycles: Array = np.zeros(layers.size)
        layout: Array = np.zeros(layers.size)
        code: Array = np.zeros(layers.size)
        for index, (name, kernel) in enumerate(KERNELS.items(), start=1):
            allowed = (chosen == 0) & (name in automatic)
            named = (chosen == index) & _supported(kernel, params)
            mask = layers.is_mac & _fits(kernel, layers) & (allowed | named)
            if not np.any(mask):
                continue
            own, around = self._cost(kernel, layers, params, ports)
            better = mask & (own + around < best)
            best = np.where(better, own + around, best)
            cycles, layout = np.where(better, own, cycles), np.where(better, around, layout)
            code = np.where(better, float(index), code)
        illegal = np.asarray(layers.is_mac & ~np.isfinite(best), dtype=np.float64)
        return _Work(cycles, layout, code, illegal)

    def _cost(self, kernel: Kernel, layers: LayerBatch, params: Params, ports: Ports) -> tuple[Array, Array]:
        """(kernel cycles, layout cycles) of every layer under one kernel; meaningless where it does not fit."""
        overhead = TileOverhead(params["core.tile_overhead_cycles"], params["core.row_overhead_cycles"])
        k_block = 256.0
        if kernel.form == "direct":
            own = direct_cycles(layers, kernel, ports, overhead)
        elif kernel.form == "depthwise":
            own = depthwise_cycles(layers, kernel, ports, overhead)
        elif kernel.form == "sliding":
            own = sliding_cycles(layers, kernel, ports, overhead)
        elif kernel.form == "winograd":
            own = winograd_cycles(layers, kernel, ports, overhead, k_block)
        else:
            own = gemm_cycles(layers, kernel, ports, overhead, k_block)
        return own, self._layout(kernel, layers, params, ports)

    def _layout(self, kernel: Kernel, layers: LayerBatch, params: Params, ports: Ports) -> Array:
        """Cycles of im2col, pointer loads, layout conversion, packing and requantisation around a kernel."""
        runtime = _runtime(params)
        standalone = params.option("runtime.graph") == "standalone"
        width_bytes = ports.vector_bits / 8
        x_bytes, y_bytes = layers.x_elems * kernel.x_bits / 8, layers.y_elems * max(kernel.x_bits, 8.0) / 8
        spatial = (layers.R * layers.S * layers.stride_h * layers.stride_w > 1) & layers.static_weight
        pixels = layers.N * layers.P * layers.Q
        total: Array = np.zeros(layers.size)
        if kernel.form == "gemm":
            segments = pixels * layers.R * layers.G
            total = total + spatial * segments * (
                4.0 + layers.S * layers.C * kernel.x_bits / 8 / (width_bytes / 2)
            )
        elif kernel.form == "indirect":
            blocks = np.ceil(layers.K / ports.outputs_per_vector(kernel) / ports.tile(kernel)[1])
            total = total + pixels * layers.R * layers.S * blocks * layers.G / ports.scalar_load
        moved = x_bytes + y_bytes
        converts = (
            runtime.blocks_layout and kernel.form in ("direct", "depthwise") and kernel.precision == "fp32"
        ) or (runtime.transposes_int8 and kernel.precision == "int8")
        if converts and standalone:
            conv = layers.of_class(OpClass.CONV, OpClass.DEPTHWISE_CONV)
            total = total + conv * moved * 2.0 / (width_bytes / 2)
        if runtime.packs_weights:
            total = total + layers.static_weight * layers.w_elems * kernel.w_bits / 8 * 2.0 / (
                width_bytes / 2
            )
        if runtime.packs_matmul:
            total = total + ~layers.static_weight * layers.w_elems * kernel.w_bits / 8 * 2.0 / (
                width_bytes / 2
            )
        if kernel.lane_bits and kernel.x_bits < 16:
            # Scale, round, clamp and narrow the 32-bit sums: six instructions per register.
            total = total + layers.y_elems / ports.outputs_per_vector(kernel) * 6.0 / ports.vector
        registers = layers.x_elems * kernel.x_bits / ports.vector_bits
        return np.asarray(total + registers * kernel.pack_ops / ports.vector)

    @staticmethod
    def _folded(layers: LayerBatch, params: Params) -> Array:
        """1 where a fused graph computes the layer inside the one before."""
        if params.option("runtime.graph") != "fused":
            return np.zeros(layers.size)
        return np.asarray([op in ("batch_norm", "relu", "relu6") for op in layers.ops], dtype=np.float64)

    @staticmethod
    def _balance(layers: LayerBatch, ports: Ports, cores: Value) -> Array:
        """Cores that work at a time on average: whole register-tile rows are dealt out, the last round is short."""
        chunks = np.maximum(layers.gemm_g * np.ceil(layers.gemm_m / 6.0) * np.ceil(layers.gemm_n / 64.0), 1.0)
        chunks = np.where(layers.is_mac, chunks, np.maximum(np.ceil(layers.y_elems / 4096.0), 1.0))
        return np.asarray(chunks / np.ceil(chunks / cores))

    @staticmethod
    def _cold_bytes(layers: LayerBatch, params: Params, elem_bytes: float) -> Array:
        """Bytes that come from or go to memory."""
        operands = params.option("runtime.operands")
        total = (layers.x_elems + layers.w_elems + layers.y_elems) * elem_bytes
        capacity = params["caches.l3_bytes"] + params["caches.l2_bytes"]
        if operands == "cold":
            return total
        spilled = np.maximum(total - capacity, 0.0)
        if operands == "network":
            return np.asarray(np.maximum(spilled, layers.w_elems * layers.static_weight * elem_bytes))
        return np.asarray(spilled)

    @staticmethod
    def _s_per_byte(working_set: Array, params: Params) -> Array:
        """Seconds per byte of the innermost cache that holds the working set."""
        clock, cores = params["core.clock_hz"], params["core.count"]
        first = 1.0 / (params["caches.l1_bytes_per_cycle"] * cores)
        second = 1.0 / (params["caches.l2_bytes_per_cycle"] * cores)
        third = 1.0 / (params["caches.l3_bytes_per_cycle"] * np.minimum(cores, params["caches.l3_cores"]))
        inner = np.where(working_set <= params["caches.l1_bytes"], first, second)
        return np.asarray(np.where(working_set <= params["caches.l2_bytes"], inner, third) / clock)

    def energies(self, params: Params) -> EnergyTable:
        """Core and package power over the time; memory per byte."""
        return EnergyTable(
            {("memory", "byte"): params["energy.dram_pj_per_byte"]},
            {"cores": params["energy.core_mw"] * params["core.count"], "uncore": params["energy.uncore_mw"]},
        )

    def cycle_hz(self, params: Params) -> Value:
        """Clock of a core."""
        return params["core.clock_hz"]

    def peak_macs_per_s(self, params: Params) -> Value:
        """Rate of the fastest kernel of the machine's precision, all cores, nothing but its vector instructions."""
        ports = ports_of(params)
        best: Value = 0.0
        for name in _candidates(params):
            kernel = KERNELS[name]
            if kernel.form in ("depthwise", "winograd", "sliding"):
                continue
            macs = ports.outputs_per_vector(kernel) * ports.products_per_step(kernel)
            slots = np.maximum(
                (kernel.multiplies + kernel.alu + kernel.shuffles) / ports.vector,
                np.maximum(kernel.multiplies / ports.multiply, kernel.shuffles / ports.shuffle),
            )
            best = np.maximum(best, macs / slots)
        return best * params["core.clock_hz"] * params["core.count"]

    def bandwidth_bytes_per_s(self, params: Params) -> Value | None:
        """Main-memory bandwidth that the cores can draw together."""
        return np.minimum(
            params["memory.core_bytes_per_s"] * params["core.count"], params["memory.shared_bytes_per_s"]
        )

    def execution_bits(self, params: Params) -> Mapping[str, Value]:
        """Widths of the machine's precision."""
        bits = _BITS[params.option("datapath.precision")]
        return {"x_bits": bits, "w_bits": bits, "y_bits": max(bits, 8.0)}

    def equation(self, layers: LayerBatch, params: Params, plan: Plan) -> tuple[str, ...]:
        """Eq. 1 with the numbers of one layer."""
        result = self.estimate(layers, params, plan)
        times = {
            name: float(np.ravel(t)[0]) * 1e6
            for stage in result.stages
            for name, t in stage.resources.items()
        }
        mode = _MODES[int(np.ravel(result.columns["mode"])[0])]
        cycles = float(np.ravel(result.columns["compute_cycles"])[0])
        call, layout, vector = times["host call"], times["layout"], times["vector units"]
        total = call + layout + max(vector, times["caches"]) + times["memory"]
        return (
            f"kernel {mode}: {cycles:,.0f} cycles at {float(np.ravel(params['core.clock_hz'])[0]) / 1e9:.3g} GHz",
            "latency = call + layout + max(vector units, caches) + memory  [us]",
            f"        = {call:.4g} + {layout:.4g} + max({vector:.4g}, {times['caches']:.4g}) + {times['memory']:.4g} "
            f"= {total:.4g}",
        )


MODEL = SimdCpuModel()
