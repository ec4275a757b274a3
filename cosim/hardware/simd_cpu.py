"""SIMD processors: a register-tile model of the inner kernel, the caches behind it, and the software around it.

    latency = call + layout work + max(kernel cycles / clock, operand bytes / cache bandwidth)
              + operands that come from memory / memory bandwidth                              (Eq. 1)

Inside the caches transfers overlap with computing; what comes from memory is added, because the prefetched
stream of a cold operand does not overlap well with a kernel that already keeps the load ports busy. The
kernels are rows of instruction counts (:mod:`cosim.components.cpu_kernels`); which one a layer takes is in
:mod:`cosim.mapping.cpu_choice`, tiles and their remainders in :mod:`cosim.mapping.cpu_tiles`, blocks for the caches in
:mod:`cosim.mapping.cpu_blocking`, the bandwidth of a level in :mod:`cosim.components.cpu_memory`, runtimes in
:mod:`cosim.components.cpu_runtime` and the work around a kernel in :mod:`cosim.components.cpu_layout`.

Energy is top-down: an active core draws its share of the package power whatever it executes, so the energy of a
kernel is the time it takes; memory is counted per byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from cosim.components.cpu_kernels import KERNELS
from cosim.components.cpu_memory import levels_of
from cosim.components.estimate import EnergyTable, Estimate, Stage
from cosim.components.params import Params, Value
from cosim.components.tiling import Tiling, Tilings
from cosim.hardware._simd_cpu_spec import SimdCpuSpec
from cosim.hardware.base import MachineModel
from cosim.ir.batch import Array, LayerBatch, Mask
from cosim.ir.ops import OpClass
from cosim.mapping.cpu_choice import MODES, candidates, choose, ports_of, runtime_of
from cosim.mapping.feasibility import Limit
from cosim.mapping.plan import Choices, Plan
from cosim.spec.machine import MachineSpec

_BITS: Mapping[str, float] = {"fp32": 32, "bf16": 16, "int16": 16, "int8": 8, "int2": 2, "int1": 1}
_PAGE_BYTES = 4096.0
_LINE_BYTES = 64.0
_ILLEGAL = "the named kernel needs an instruction set that the core lacks, or another kind of layer"


class SimdCpuModel(MachineModel):
    """Register tiles, caches and runtime overheads of a SIMD processor."""

    kind: ClassVar[str] = "simd_cpu"
    summary: ClassVar[str] = "SIMD processor: register-tile kernels, cache levels, layout and call overheads"
    spec: ClassVar[type[MachineSpec]] = SimdCpuSpec
    choices: ClassVar[Choices] = {"kernel": ("auto", *KERNELS)}
    cycle: ClassVar[str] = "one clock cycle of a core"
    leaves_out: ClassVar[tuple[str, ...]] = (
        "instruction fetch and decode, branch misses, page walks; page faults only of eager graphs",
        "conflict misses: a level holds what fits its capacity",
        "clock changes with load or instruction mix: the clock is the sustained one",
        "operators of unknown kind: only their bytes are counted",
    )
    holds: ClassVar[tuple[str, ...]] = (
        "held against one core of an AMD EPYC (Zen 4) at 3.69 GHz, one thread, batch 1: 266 times of layers of "
        "ResNet-50, MobileNetV2 and ViT-B/16 in FP32 and INT8, onnxruntime 1.31.1 and PyTorch 2.13, operands warm and "
        "cold; and six whole networks in FP32 in both runtimes, each within 15 % (eager PyTorch with one number "
        "fitted to them)",
        "the costs of a call come from the smallest layer of each sort on that core, the instruction counts of vector "
        "operators from one layer each: other layers are predictions, other cores carry them over",
        "Core i7-9700K and Cortex-A72 by port models and data sheets, Cortex-A53 by assumed port rates, the caches "
        "of both Cortex cores by assumed widths; no measured layer; published results of such cores are in `cosim "
        "reproduce`",
        "several cores share whole rows of register tiles and the memory bandwidth; no time of several cores was "
        "compared",
        "vectors of 128 to 512 bits of x86 and Arm NEON; no SVE, SME or AMX kernels",
        "kernels of two bits and fewer, 16-bit integers, BF16, Winograd, sparse and sliding-window kernels: "
        "instruction counts from publications, not in the measured layers; the two-bit table kernel is 8 % below a "
        "measured loop",
        "energy is time times a share of the package power: no measured energy of an operation of these cores was "
        "found",
    )

    def estimate(self, layers: LayerBatch, params: Params, plan: Plan) -> Estimate:
        """Counts for every layer; see Eq. 1 of the module."""
        clock, levels = params["core.clock_hz"], levels_of(params)
        work = choose(layers, params, plan)
        active, folded = self._active(layers, params)
        vector_cycles, streams = self._vector_cycles(layers, params, folded)
        moved = np.where(layers.is_mac, work.moved_bytes, self._operand_bytes(layers, params) * active)
        share = self._balance(layers, params["core.count"]) * clock
        s_per_byte = levels.s_per_byte(moved)
        vector_s = (work.cycles + vector_cycles) / share
        level_s = moved * s_per_byte
        kernel_s = np.maximum(vector_s, level_s)
        cold = self._cold_bytes(layers, params, moved, work.scratch_bytes)
        # A streamed operand is prefetched behind the computation; strided ones wait.
        memory_s = cold * levels.memory_s_per_byte
        if np.any(cold):
            memory_s = np.maximum(memory_s - kernel_s * streams, 0.0)
        # Beyond the private caches the shorter of computing and transfer is only partly hidden by the longer.
        waited = work.waited_bytes * ((moved > levels.l2_bytes) * params["caches.l3_exposed"])
        memory_s = memory_s + np.minimum(params["caches.l3_exposed"] * vector_s, waited * s_per_byte)
        call = self._call_s(layers, params) * active
        layout_s = work.layout / share + self._graph_bytes(layers, params) * s_per_byte
        latency = call + layout_s + kernel_s + memory_s
        busy = np.maximum(latency, 1e-30) * self.peak_macs_per_s(params)
        return Estimate(
            stages=(
                Stage("call", {"host call": np.asarray(call)}),
                Stage("layout", {"layout": np.asarray(layout_s)}),
                Stage("kernel", {"vector units": np.asarray(vector_s), "caches": np.asarray(level_s)}),
                Stage("memory", {"memory": np.asarray(memory_s)}),
            ),
            actions={("memory", "byte"): cold},
            utilization=np.asarray(work.products / busy),
            columns={
                "mode": np.where(active > 0, work.code, float(len(MODES) - 1)),
                "working_set_bytes": moved,
                "compute_cycles": np.asarray(vector_s * clock),
            },
            labels={"mode": MODES},
            limits=(Limit("kernel", work.illegal, 0.0, "rule", _ILLEGAL),),
        )

    def tilings(self, layers: LayerBatch, params: Params, plan: Plan, estimate: Estimate) -> Tilings:
        """A tile of a kernel is a cache line: what the core loads while it works on the line before."""
        lines = np.maximum(np.ceil(estimate.columns["working_set_bytes"] / _LINE_BYTES), 1.0)
        return Tilings({"kernel": Tiling(lines, ("caches", "vector units"))}, memories=("memory",))

    @staticmethod
    def _vector_cycles(layers: LayerBatch, params: Params, folded: Mask) -> tuple[Array, Mask]:
        """Cycles of the operators without multiply-accumulates, and where operands are streamed in order.

        A folded operator is one instruction per register of results inside the kernel before it: the maximum of
        a ReLU, or the bias that batch normalisation becomes.
        """
        runtime, layout, ports = runtime_of(params), params.option("runtime.layout"), ports_of(params)
        bits = max(_BITS[params.option("datapath.precision")], 8.0)
        codes = {op: runtime.code_of(op, layout) for op in set(layers.ops)}
        rows = [codes[op] for op in layers.ops]
        simple = np.asarray([code.simple for code in rows])
        special = np.asarray([code.special for code in rows])
        narrow = np.asarray([float(code.lane_bits) for code in rows])
        work = np.where(folded, layers.y_elems, layers.simple_ops * simple + layers.special_ops * special)
        # Generic narrow code and the polynomials of wide code are chains: an instruction a cycle. Two Zen
        # generations of different width take the same cycles for softmax.
        lanes = np.where((narrow > 0) & ~folded, narrow / 32.0, ports.vector_bits / bits)
        per_cycle = lanes * np.minimum(ports.multiply, 1.0)
        streams = np.asarray([code.overlaps for code in rows]) & ~layers.is_mac
        return np.asarray(work / per_cycle), streams | (layers.op_class == OpClass.LINEAR)

    @staticmethod
    def _call_s(layers: LayerBatch, params: Params) -> Array:
        """Host time of a call: library dispatch, thread fork and join, cold code."""
        where = f"runtime.libraries.{params.option('runtime.name')}"
        if params.option("runtime.graph") != "fused":
            depthwise = layers.op_class == OpClass.DEPTHWISE_CONV
            call = np.where(depthwise, params[f"{where}.depthwise_call_s"], params[f"{where}.mac_call_s"])
            call = np.where(layers.is_mac, call, params[f"{where}.vector_call_s"])
        else:
            call = params[f"{where}.node_s"] + np.zeros(layers.size)
        if params.option("runtime.operands") == "cold":
            call = call + np.where(
                layers.is_mac, params[f"{where}.cold_mac_s"], params[f"{where}.cold_vector_s"]
            )
        if params.option("runtime.graph") == "eager":
            pages = np.ceil(SimdCpuModel._result_bytes(layers, params) / _PAGE_BYTES)
            call = call + pages * params["runtime.page_fault_s"]
        return np.asarray(call + params["runtime.fork_join_s"] * np.minimum(params["core.count"] - 1.0, 1.0))

    @staticmethod
    def _result_bytes(layers: LayerBatch, params: Params) -> Array:
        """Bytes of newly allocated results; ReLU works in place."""
        in_place = np.asarray([op in ("relu", "relu6") for op in layers.ops])
        elem_bytes = max(_BITS[params.option("datapath.precision")], 8.0) / 8
        return np.asarray(layers.y_elems * elem_bytes * ~in_place)

    @staticmethod
    def _active(layers: LayerBatch, params: Params) -> tuple[Array, Mask]:
        """(1 where a layer is called on its own and 0 elsewhere, where it is folded into the layer before).

        A fused graph folds some operators into the layer before, and applies others to its result in cache.
        """
        if params.option("runtime.graph") != "fused":
            return np.ones(layers.size), np.zeros(layers.size, dtype=np.bool_)
        runtime = runtime_of(params)
        folded = np.asarray([op in runtime.folds for op in layers.ops])
        in_cache = np.asarray([op in runtime.applies_in_cache for op in layers.ops])
        return np.asarray(1.0 - (folded | in_cache)), folded

    @staticmethod
    def _balance(layers: LayerBatch, cores: Value) -> Array:
        """Cores that work at a time on average: whole register-tile rows are dealt out, the last round is short."""
        chunks = np.maximum(layers.gemm_g * np.ceil(layers.gemm_m / 6.0) * np.ceil(layers.gemm_n / 64.0), 1.0)
        chunks = np.where(layers.is_mac, chunks, np.maximum(np.ceil(layers.y_elems / 4096.0), 1.0))
        return np.asarray(chunks / np.ceil(chunks / cores))

    @staticmethod
    def _operand_bytes(layers: LayerBatch, params: Params) -> Array:
        """Bytes of operands and result at the machine's precision, at least a byte an element."""
        elem_bytes = max(_BITS[params.option("datapath.precision")], 8.0) / 8
        return (layers.x_elems + layers.w_elems + layers.y_elems) * elem_bytes

    @staticmethod
    def _graph_bytes(layers: LayerBatch, params: Params) -> Array:
        """Bytes of the further passes over the result of linear layers on more than one row inside a graph."""
        if params.option("runtime.graph") != "fused":
            return np.zeros(layers.size)
        several = (layers.op_class == OpClass.LINEAR) & (layers.N * layers.P * layers.Q > 1)
        elem_bytes = max(_BITS[params.option("datapath.precision")], 8.0) / 8
        return np.asarray(several * layers.y_elems * elem_bytes * runtime_of(params).linear_passes)

    @staticmethod
    def _cold_bytes(layers: LayerBatch, params: Params, moved: Array, scratch: Array) -> Array:
        """Bytes that come from or go to memory."""
        operands = params.option("runtime.operands")
        if operands == "cold":
            return np.asarray(moved + scratch)
        if operands == "network":
            weights = layers.w_elems / np.maximum(layers.x_elems + layers.w_elems + layers.y_elems, 1.0)
            return np.asarray(moved * weights * layers.static_weight * layers.is_mac)
        # A warm layer repeats; copies that do not fit the last level beside its operands go out to memory.
        return np.asarray(np.minimum(np.maximum(moved + scratch - params["caches.l3_bytes"], 0.0), scratch))

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
        rates = [
            ports.products_per_cycle(kernel)
            for kernel in (KERNELS[name] for name in candidates(params))
            if kernel.form in ("gemm", "direct", "indirect")
        ]
        best: Value = rates[0]
        for rate in rates[1:]:
            best = np.maximum(best, rate)
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
        mode = MODES[int(np.ravel(result.columns["mode"])[0])]
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
