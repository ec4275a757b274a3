"""Template kind: one sentence on what this machine is and which published model it follows.

The model below is complete and simple: a multiply-accumulate unit and a vector unit that share one memory, all
three overlapped. Replace the counts by those of your machine; energy, tables, sweeps and reports follow.

    t = max(macs / (macs_per_cycle * f), ops / (ops_per_cycle * f), bytes / bandwidth)                 (Eq. 1)
"""

from __future__ import annotations

import numpy as np

from cosim.components.clock import cycles_to_s
from cosim.components.estimate import EnergyTable, Estimate, Stage
from cosim.components.params import Params, Value
from cosim.components.tiling import Tiling, Tilings
from cosim.hardware.base import MachineModel
from cosim.ir.batch import LayerBatch
from cosim.mapping.plan import Plan
from cosim.spec.base import Bits, BytesPerS, Count, Hz, Mw, Pj, PjPerBit, Spec
from cosim.spec.machine import MachineSpec


class DatapathSpec(Spec):
    """Widths that the machine computes with."""

    x_bits: Bits
    """Width of an input element."""
    w_bits: Bits
    """Width of a weight."""
    y_bits: Bits
    """Width of a result element."""


class ComputeSpec(Spec):
    """The arithmetic units."""

    clock_hz: Hz
    """Clock of both units."""
    macs_per_cycle: Count
    """Multiply-accumulates that start in one cycle."""
    ops_per_cycle: Count
    """Scalar operations of the vector unit in one cycle; a special function counts `ops_per_special`."""
    ops_per_special: Count
    """Operations that a division, root or transcendental function takes."""
    mac_pj: Pj
    """Energy of one multiply-accumulate."""
    op_pj: Pj
    """Energy of one vector operation."""
    static_mw: Mw
    """Static power of the chip."""


class MemorySpec(Spec):
    """The memory that holds all operands."""

    bandwidth_bytes_per_s: BytesPerS
    """Bytes read plus written a second."""
    access_pj_per_bit: PjPerBit
    """Energy of reading or writing one bit."""


class TemplateSpec(MachineSpec):
    """A template machine."""

    datapath: DatapathSpec
    compute: ComputeSpec
    memory: MemorySpec


class TemplateModel(MachineModel):
    """Counts and waits of the template machine."""

    kind = "template"
    summary = "template: a MAC unit and a vector unit over one memory"
    spec = TemplateSpec
    cycle = "one clock of the arithmetic units"
    leaves_out = ("on-chip buffers: every operand crosses the memory interface once per layer",)
    holds = (
        "any layer: both units and the memory overlap perfectly, whatever its shape",
        "not held against measurements: say here what it was held against, with the error, and where that ends",
    )

    def _traffic_bytes(self, layers: LayerBatch, params: Params) -> Value:
        x = layers.x_elems * params["datapath.x_bits"]
        w = layers.w_elems * params["datapath.w_bits"]
        return (x + w + layers.y_elems * params["datapath.y_bits"]) / 8

    def _vector_ops(self, layers: LayerBatch, params: Params) -> Value:
        return layers.simple_ops + layers.special_ops * params["compute.ops_per_special"]

    def estimate(self, layers: LayerBatch, params: Params, plan: Plan) -> Estimate:
        clock = params["compute.clock_hz"]
        mac_s = cycles_to_s(layers.macs / params["compute.macs_per_cycle"], clock)
        vector_ops = self._vector_ops(layers, params)
        vector_s = cycles_to_s(vector_ops / params["compute.ops_per_cycle"], clock)
        traffic = self._traffic_bytes(layers, params)
        memory_s = traffic / params["memory.bandwidth_bytes_per_s"]
        longest = np.maximum(np.maximum(mac_s, vector_s), memory_s)
        busy = np.where(longest > 0, longest, 1.0)
        return Estimate(
            stages=(Stage("kernel", {"mac": mac_s, "vector": vector_s, "memory": memory_s}),),
            actions={
                ("mac", "mac"): layers.macs,
                ("vector", "op"): np.asarray(vector_ops),
                ("memory", "bit"): np.asarray(traffic * 8),
            },
            utilization=np.asarray(mac_s / busy),
        )

    def tilings(self, layers: LayerBatch, params: Params, plan: Plan, estimate: Estimate) -> Tilings:
        """For the event simulation: a kernel passes in lines of 64 bytes, from the memory to the units."""
        lines = np.maximum(np.ceil(self._traffic_bytes(layers, params) / 64), 1.0)
        return Tilings({"kernel": Tiling(lines, ("memory", "mac", "vector"))}, memories=("memory",))

    def energies(self, params: Params) -> EnergyTable:
        return EnergyTable(
            action_pj={
                ("mac", "mac"): params["compute.mac_pj"],
                ("vector", "op"): params["compute.op_pj"],
                ("memory", "bit"): params["memory.access_pj_per_bit"],
            },
            static_mw={"chip": params["compute.static_mw"]},
        )

    def cycle_hz(self, params: Params) -> Value:
        return params["compute.clock_hz"]

    def peak_macs_per_s(self, params: Params) -> Value:
        return params["compute.macs_per_cycle"] * params["compute.clock_hz"]

    def bandwidth_bytes_per_s(self, params: Params) -> Value | None:
        return params["memory.bandwidth_bytes_per_s"]

    def equation(self, layers: LayerBatch, params: Params, plan: Plan) -> tuple[str, ...]:
        traffic = float(np.ravel(self._traffic_bytes(layers, params))[0])
        ops = float(np.ravel(self._vector_ops(layers, params))[0])
        return (
            f"t_mac = macs / (macs_per_cycle * clock) = {layers.macs[0]:.0f} / "
            f"({params['compute.macs_per_cycle']:.0f} * {params['compute.clock_hz']:.4g} Hz)",
            f"t_vector = ops / (ops_per_cycle * clock) = {ops:.0f} / "
            f"({params['compute.ops_per_cycle']:.0f} * {params['compute.clock_hz']:.4g} Hz)",
            f"t_memory = bytes / bandwidth = {traffic:.0f} / {params['memory.bandwidth_bytes_per_s']:.4g} B/s",
        )


MODEL = TemplateModel()
