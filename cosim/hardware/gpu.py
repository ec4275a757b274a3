"""GPUs: every operator is one kernel launch, bound by its multipliers, its second-level cache or its memory.

    latency = launch gap + max(compute, L2 traffic, memory traffic, latency, host - launch gap)  (Eq. 1)
    read    = max(input - max(L2 - result, 0), 0) + weights;   written = result                  (Eq. 2)

Compute time follows from thread-block tiles and waves (:mod:`cosim.components.gpu_tiles`). Dense convolutions
and matrix products run on the tensor cores if the precision has them; depthwise convolutions run on the vector
lanes, other grouped ones on the faster of the two (on tensor cores one product a group). Layouts, grouped
convolutions and interpolation: :mod:`cosim.components.gpu_kernels`; a host that runs ahead of the device:
:mod:`cosim.components.gpu_launch`. All clocks are boost clock times the share of
it that the board sustains under its power limit.

Energy is top-down: the board's power limit is split into static power, memory at full bandwidth and the
multipliers at peak rate, each counted once. Such figures say what a busy board draws, not what an operation
costs at transistor level; the machine files mark them ``derived``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from cosim.components.estimate import EnergyTable, Estimate, Stage
from cosim.components.gpu_kernels import (
    converted_elems,
    fusable,
    grouped,
    lane_slots,
    padded_depth,
    serial_iterations,
)
from cosim.components.gpu_tiles import TILES, tile_cost
from cosim.components.params import Params, Value
from cosim.components.tiling import Tiling, Tilings
from cosim.hardware._gpu_spec import GpuSpec
from cosim.hardware.base import MachineModel
from cosim.ir.batch import Array, LayerBatch
from cosim.ir.ops import OpClass
from cosim.mapping.plan import Choices, Plan
from cosim.spec.machine import MachineSpec

# Precision -> (operand bits, result bits, reduction length of one matrix instruction).
_PRECISIONS: Mapping[str, tuple[int, int, int]] = {
    "fp32": (32, 32, 1),
    "tf32": (32, 32, 8),
    "fp16": (16, 16, 16),
    "int8": (8, 8, 32),
}

# Cache line of both levels (NVIDIA, CUDA C++ Best Practices Guide, section on coalesced access to global memory).
_LINE_BYTES = 128

# Words of the tile codes: code 0 is a layer without a matrix product.
_MODES = ("vector", *(tile.name for tile in TILES))


def _precision(params: Params) -> str:
    return params.option("datapath.precision")


def _fp32_rate(params: Params) -> Value:
    """FP32 multiply-accumulates per second of the whole board at the sustained clock."""
    return params["multiprocessors.count"] * params["multiprocessors.fp32_macs_per_cycle"] * _cycle_hz(params)


def _cycle_hz(params: Params) -> Value:
    return params["clock.boost_hz"] * params["clock.sustained"]


def _vector_s(layers: LayerBatch, params: Params, lane_cycles: Array) -> Array:
    """Seconds of the vector lanes: grouped convolutions, simple operations, and special functions beside them."""
    special = params["multiprocessors.count"] * params["multiprocessors.special_ops_per_cycle"]
    return np.asarray(
        lane_cycles / _cycle_hz(params)
        + layers.simple_ops / _fp32_rate(params)
        + layers.special_ops / (special * _cycle_hz(params))
    )


def _traffic(
    layers: LayerBatch, params: Params, bits: int, on_matrix: Array, channels_last: bool
) -> tuple[Array, Array, Array]:
    """(bytes through L2, bytes read from device memory, bytes written to it) of every layer (Eq. 2).

    The input was written by the kernel before; what of it fits in L2 beside the result is still there.
    """
    if params.option("runtime.widths") == "stored":
        x = layers.x_elems * layers.x_bits / 8
        w = layers.w_elems * layers.w_bits / 8
        y = layers.y_elems * layers.y_bits / 8
    else:
        x, w, y = (elems * (bits / 8) for elems in (layers.x_elems, layers.w_elems, layers.y_elems))
    tensor_cores = _PRECISIONS[_precision(params)][2] > 1
    turned = 0.0 * x
    if tensor_cores:
        turned = converted_elems(layers, bits / 8, channels_last) * on_matrix * (bits / 8)
    own = _own_kernel(layers, params)
    x = np.where(own > 0, x, np.maximum(x - y, 0.0))
    y = y * own
    kept = np.maximum(params["memory.l2_bytes"] - y, 0.0)
    read = np.maximum(x - kept, 0.0) + turned + w
    return x + w + y + 2.0 * turned, read, y + turned + 0.0 * read


def _own_kernel(layers: LayerBatch, params: Params) -> Array:
    """1 for layers that are launched as a kernel of their own, 0 for those fused into the one before; shape (L,)."""
    if params.option("runtime.fusion") == "none":
        return np.ones(layers.size)
    return 1.0 - fusable(layers)


class GpuModel(MachineModel):
    """Operator-by-operator roofline with tile and wave quantisation and launch overhead."""

    kind: ClassVar[str] = "gpu"
    summary: ClassVar[str] = (
        "GPU, operator by operator: tiles and waves, L2 and memory traffic, launch overhead"
    )
    spec: ClassVar[type[MachineSpec]] = GpuSpec
    choices: ClassVar[Choices] = {"tile": ("auto", *(tile.name for tile in TILES))}
    cycle: ClassVar[str] = "one cycle of the multiprocessors at the sustained clock"
    leaves_out: ClassVar[tuple[str, ...]] = (
        "fusion beyond pointwise operators: every other layer of the workload is one kernel",
        "split-K and stream-K schedules, Winograd and FFT convolution",
        "results found in L2 by a kernel other than the next; results overwritten there before they leave",
        "bank conflicts, occupancy limits and instruction issue inside a thread block",
        "operators of unknown kind: only their bytes are counted",
    )
    holds: ClassVar[tuple[str, ...]] = (
        "held against throughputs of up to 274 whole image networks on an RTX 3090 (channels outermost and innermost) "
        "and an RTX 4090 (innermost): FP16 mixed precision, eager PyTorch, batches of 256 to 1024",
        "no number was adjusted to them in the fit-free classes, but the form of three terms was chosen while looking "
        "at these tables; the worst network, of large depthwise kernels, is off by 3x",
        "A100, H100, H200, V100, T4 and RTX 2080 Ti by their data sheets, RTX 5090, Orin and Xavier by figures "
        "printed elsewhere or recalled, as their files say; published results of some are in `cosim reproduce`",
        "FP32, TF32 and INT8 by the rates of the data sheet; only FP16 mixed precision was compared on whole "
        "networks",
        "batch 1: launch gap (2 to 10 us) and host time of an operator (10 to 60 us) decide, and both are ranges; no "
        "latency of batch 1 was compared",
        "one kernel after the other in one stream of one device",
        "energy is a split of the board's power limit: what a busy board draws, not what an operation costs",
    )

    def estimate(self, layers: LayerBatch, params: Params, plan: Plan) -> Estimate:
        """Counts for every layer; see Eqs. 1 and 2 of the module."""
        bits, _, k_step = _PRECISIONS[_precision(params)]
        cycle_hz = _cycle_hz(params)
        channels_last = params.option("runtime.layout") == "nhwc"
        depth = padded_depth(layers, bits / 8)
        gemm = (layers.gemm_g, layers.gemm_m, layers.gemm_n, depth)
        cycles, waves, l2_bytes, tile_code = self._best_tile(gemm, params, plan, bits / 8, k_step)
        in_groups = grouped(layers)
        lanes = params["multiprocessors.count"] * params["multiprocessors.fp32_macs_per_cycle"]
        lane_cycles = in_groups * layers.macs * lane_slots(layers, channels_last) / lanes
        on_lanes = in_groups * ((lane_cycles <= cycles) | layers.of_class(OpClass.DEPTHWISE_CONV))
        on_matrix = 1.0 - on_lanes
        vector_s = _vector_s(layers, params, lane_cycles * on_lanes)
        moved, read, written = _traffic(layers, params, bits, on_matrix, channels_last)
        dram_rate = params["memory.dram_bytes_per_s"] * params["memory.dram_efficiency"]
        own = _own_kernel(layers, params)
        gap = params["host.launch_gap_s"]
        host = params["host.eager_s"] if params.option("host.mode") == "eager" else gap
        latency_s = serial_iterations(layers) * params["memory.dram_latency_cycles"] / cycle_hz
        work = {
            "matrix units": np.asarray(cycles * on_matrix / cycle_hz),
            "vector units": np.asarray(vector_s),
            "L2": np.asarray(np.maximum(l2_bytes * on_matrix, moved) / params["memory.l2_bytes_per_s"]),
            "device memory": np.asarray((read + written) / dram_rate),
            "memory latency": np.asarray(latency_s),
            "host": np.asarray(np.maximum(host - gap, 0.0) * own),
        }
        gaps = np.asarray(gap * own)
        latency = gaps + np.maximum.reduce(np.broadcast_arrays(*work.values()))
        vector_macs = layers.macs * on_lanes
        actions = {
            ("multiprocessors", "fp32_mac"): vector_macs,
            ("multiprocessors", "vector_op"): layers.simple_ops + layers.special_ops,
            ("device memory", "byte"): read + written,
        }
        dense_macs = layers.macs - vector_macs
        dense = ("multiprocessors", f"{_precision(params)}_mac")
        actions[dense] = actions[dense] + dense_macs if dense in actions else dense_macs
        columns = {
            "waves": waves * on_matrix,
            "launches": own,
            "mode": tile_code * on_matrix,
            "dram_read_bytes": read,
            "dram_write_bytes": written,
        }
        return Estimate(
            stages=(Stage("launch", {"launch gap": gaps}), Stage("kernel", work)),
            actions=actions,
            utilization=np.asarray(layers.macs / (latency * self.peak_macs_per_s(params))),
            columns=columns,
            labels={"mode": _MODES},
        )

    def _best_tile(
        self,
        gemm: tuple[Array, Array, Array, Array],
        params: Params,
        plan: Plan,
        elem_bytes: float,
        k_step: int,
    ) -> tuple[Array, Array, Array, Array]:
        """(cycles, waves, L2 bytes, tile code) of the planned tile, or of the fastest where the plan says auto."""
        rate = params[f"multiprocessors.{_precision(params)}_macs_per_cycle"]
        count = params["multiprocessors.count"]
        chosen = plan["tile"]
        best: tuple[Array, Array, Array, Array] | None = None
        has_work = gemm[0] > 0
        for code, tile in enumerate(TILES, start=1):
            cost = tile_cost(tile, gemm, count, rate, elem_bytes, k_step)
            if best is None:
                best = (cost.cycles, cost.waves, cost.l2_bytes, np.where(has_work, code, 0))
                continue
            better = ((cost.cycles < best[0]) & (chosen == 0)) | (chosen == code)
            best = (
                np.where(better, cost.cycles, best[0]),
                np.where(better, cost.waves, best[1]),
                np.where(better, cost.l2_bytes, best[2]),
                np.where(better & has_work, code, best[3]),
            )
        assert best is not None
        return best

    def tilings(self, layers: LayerBatch, params: Params, plan: Plan, estimate: Estimate) -> Tilings:
        """A tile is one step along the reduction of a wave of thread blocks, or a wave of cache lines."""
        bits, _, k_step = _PRECISIONS[_precision(params)]
        steps = np.ceil(padded_depth(layers, bits / 8) / k_step)
        columns = estimate.columns
        lines = (columns["dram_read_bytes"] + columns["dram_write_bytes"]) / _LINE_BYTES
        waves = np.where(
            columns["waves"] > 0, columns["waves"] * steps, lines / params["multiprocessors.count"]
        )
        flow = ("host", "device memory", "memory latency", "L2", "matrix units", "vector units")
        return Tilings({"kernel": Tiling(np.maximum(np.ceil(waves), 1.0), flow)}, memories=("device memory",))

    def energies(self, params: Params) -> EnergyTable:
        """Energies from the ``energy`` block of the machine file."""
        precision = _precision(params)
        return EnergyTable(
            {
                ("multiprocessors", f"{precision}_mac"): params[f"energy.{precision}_pj_per_mac"],
                ("multiprocessors", "fp32_mac"): params["energy.fp32_pj_per_mac"],
                ("multiprocessors", "vector_op"): params["energy.vector_pj_per_op"],
                ("device memory", "byte"): params["energy.dram_pj_per_byte"],
            },
            {"board": params["energy.static_mw"]},
        )

    def cycle_hz(self, params: Params) -> Value:
        """Sustained clock."""
        return _cycle_hz(params)

    def peak_macs_per_s(self, params: Params) -> Value:
        """Data-sheet rate of the precision at the boost clock."""
        rate = params[f"multiprocessors.{_precision(params)}_macs_per_cycle"]
        return params["multiprocessors.count"] * rate * params["clock.boost_hz"]

    def bandwidth_bytes_per_s(self, params: Params) -> Value | None:
        """Data-sheet bandwidth of the device memory."""
        return params["memory.dram_bytes_per_s"]

    def execution_bits(self, params: Params) -> Mapping[str, Value]:
        """Operand and result widths of the precision."""
        operand, result, _ = _PRECISIONS[_precision(params)]
        return {"x_bits": float(operand), "w_bits": float(operand), "y_bits": float(result)}

    def equation(self, layers: LayerBatch, params: Params, plan: Plan) -> tuple[str, ...]:
        """Eq. 1 with the numbers of one layer."""
        result = self.estimate(layers, params, plan)
        times = {
            name: float(np.ravel(t)[0]) for stage in result.stages for name, t in stage.resources.items()
        }
        work = ", ".join(
            f"{name} {seconds * 1e6:.4g}" for name, seconds in times.items() if name != "launch gap"
        )
        gap = times["launch gap"]
        total = gap + max(seconds for name, seconds in times.items() if name != "launch gap")
        tile = result.labels["mode"][int(np.ravel(result.columns["mode"])[0])]
        waves = float(np.ravel(result.columns["waves"])[0])
        return (
            f"tile {tile}: {waves:g} waves of thread blocks over {np.ravel(params['multiprocessors.count'])[0]:g} "
            "multiprocessors",
            "latency = launch gap + max(resources)  [us]",
            f"        = {gap * 1e6:.4g} + max({work}) = {total * 1e6:.4g}",
        )


MODEL = GpuModel()
