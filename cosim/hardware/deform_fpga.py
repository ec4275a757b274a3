"""The deformable-convolution accelerator of CoDeNet: a 1 x 1 and a 3 x 3 depthwise engine behind each other.

    latency = host calls + max(engine stages, DRAM) + random reads of unbounded offsets          (Eq. 1)

The engine (:mod:`cosim.mapping.fpga_codenet`) does 1 x 1 convolutions and 3 x 3 depthwise ones, deformable
too, with 8-bit activations and 4-bit weights; normalisation and ReLU happen in its quantisers and cost a
cycle. What the offsets may be is an option of the machine: regular, square (one dilation a position), bound
(clipped), deform (any). Everything else, the first 3 x 3 layer of a network too, runs on the companion
(:mod:`cosim.components.companion`).

Here every layer is a call of its own. The authors run a 1 x 1 and the depthwise layer behind it in one call:
their networks, call by call, are scenarios of :mod:`cosim.mapping.fpga_codenet`; operators under each variant of
the offsets are in :mod:`cosim.mapping.fpga_deform`. The engine must fit its board
(:mod:`cosim.components.fpga_resources`); the board's memory is one of :mod:`cosim.components.memory`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cosim.components import companion as inner
from cosim.components.estimate import EnergyTable, Estimate, Stage
from cosim.components.memory import memory_actions, memory_energies
from cosim.components.params import Params, Value
from cosim.components.tiling import Tiling, Tilings
from cosim.hardware._deform_fpga_spec import TAPS, DeformFpgaSpec
from cosim.hardware._fpga_companion import leftover, leftover_tilings, with_companion
from cosim.hardware.base import MachineModel
from cosim.ir.batch import Array, LayerBatch, Mask
from cosim.ir.ops import OpClass
from cosim.mapping.feasibility import Limit
from cosim.mapping.fpga_codenet import LANES, MAX_FILTERS, stage_cycles
from cosim.mapping.plan import Choices, Plan
from cosim.spec.machine import MachineSpec

PLACES = ("pointwise", "depthwise", "stream", "companion")
IN_STREAM = ("relu", "relu6", "batch_norm", "hardtanh")
# Nine samples from one memory of two ports; from three row banks of one port each.
GATHER_CYCLES = {"regular": 1.0, "square": 3.0, "bound": 5.0, "deform": 1.0}


@dataclass(frozen=True)
class _Work:
    """Where each layer runs, and what the engine does for it."""

    pointwise: Mask
    depthwise: Mask
    streamed: Mask
    calls: Array
    cycles: Array
    random_reads: Array
    read_bits: Array
    write_bits: Array
    line_words: Array

    @property
    def kept(self) -> Mask:
        """Layers that need no companion."""
        return self.pointwise | self.depthwise | self.streamed

    @classmethod
    def of(cls, layers: LayerBatch, params: Params) -> _Work:
        """Place and count every layer; a layer of more channels than a call takes is cut into equal
        pieces."""
        one_by_one = (layers.R * layers.S == 1.0) & (layers.G == 1.0) & layers.static_weight
        pointwise = layers.of_class(OpClass.CONV, OpClass.LINEAR) & one_by_one
        single = (layers.K == 1.0) & (layers.C == 1.0) & (layers.R == 3.0) & (layers.S == 3.0)
        deform = layers.of_class(OpClass.DEFORM_CONV) & single
        depthwise = (layers.of_class(OpClass.DEPTHWISE_CONV) & single) | deform
        streamed = np.isin(layers.ops, IN_STREAM)
        maps = np.where(pointwise, layers.K, layers.G)
        room = np.maximum(np.floor(params["engine.line_words"] / layers.W), 1.0) * LANES
        padded = np.ceil(layers.C / LANES) * LANES
        loaded = np.maximum(np.floor(params["engine.weight_elems"] / padded / LANES), 1.0) * LANES
        pieces = np.ceil(maps / np.minimum(np.where(depthwise, room, loaded), float(MAX_FILTERS)))
        each = np.ceil(maps / pieces / LANES) * LANES
        channels = np.where(pointwise, padded, each)
        variant = params.option("offsets.variant")
        cycles = stage_cycles(
            layers.N * layers.H * layers.W,
            layers.N * layers.P * layers.Q,
            channels,
            each,
            pointwise * 1.0,
            depthwise * 1.0,
            params["engine.depth_cycles"],
            np.where(deform, GATHER_CYCLES[variant], 1.0),
        ).total
        on = (pointwise | depthwise) * 1.0
        unbounded = deform * 1.0 if variant == "deform" else deform * 0.0
        groups = layers.N * layers.P * layers.Q * np.ceil(maps / LANES)
        inputs = layers.N * layers.H * layers.W * channels * pieces
        weights = np.where(pointwise, channels * each, TAPS * each) * pieces
        return cls(
            pointwise=pointwise,
            depthwise=depthwise,
            streamed=streamed,
            calls=pieces * on,
            cycles=cycles * pieces * on + streamed,
            random_reads=groups * TAPS * unbounded,
            read_bits=on * (inputs * params["datapath.x_bits"] + weights * params["datapath.w_bits"]),
            write_bits=on * layers.N * layers.P * layers.Q * each * pieces * params["datapath.y_bits"],
            line_words=depthwise * layers.W,
        )


class DeformFpgaModel(MachineModel):
    """CoDeNet-like engine with its host and its board."""

    kind: ClassVar[str] = "deform_fpga"
    summary: ClassVar[str] = (
        "FPGA engine for deformable depthwise convolutions (CoDeNet), processor beside it"
    )
    spec: ClassVar[type[MachineSpec]] = DeformFpgaSpec
    choices: ClassVar[Choices] = {}
    cycle: ClassVar[str] = "one cycle of the programmable logic"
    leaves_out: ClassVar[tuple[str, ...]] = (
        "every layer is a call of its own: the 1 x 1 and depthwise layers that the authors run in one call are two",
        "latency of the AXI ports, polling of the done flag beyond the time of a call",
        "border positions whose samples pile up in fewer row banks",
        "energy by activity: no power was published; the running power is an assumption",
        "operators of unknown kind: only their bytes are counted, on the companion",
    )
    holds: ClassVar[tuple[str, ...]] = (
        "1 x 1 convolutions and 3 x 3 depthwise ones, deformable too, with ReLU and normalisation in the quantisers; "
        "everything else on the companion, or refused without one",
        "16 channels a word and at most 512 output channels a call: more are cut into calls; the weights of 16 "
        "filters must fit the weight memory and a row of the map the line buffer, which is refused otherwise",
        "one measured board: CoDeNet on an Ultra96. Pipeline depth and time of a call are fitted to three networks of "
        "its log; leaving one out predicts it at 0.94 to 1.53 of its time, and a run that the fit did not see within "
        "1 % in total and 15 % a call",
        "unbounded offsets: one random read (31.4 ns) fitted to one row of table 2 of the paper; the full "
        "convolution, not fitted, comes out 3 % too slow",
        "no power was published: the running power is an assumption",
    )

    def estimate(self, layers: LayerBatch, params: Params, plan: Plan) -> Estimate:
        """Counts for every layer; see Eq. 1 of the module."""
        work = _Work.of(layers, params)
        macs = layers.macs * (work.pointwise | work.depthwise)
        stages: tuple[Stage, ...] = (
            Stage("host", {"host_call": work.calls * params["host.call_s"]}),
            Stage(
                "run",
                {
                    "engine": work.cycles / params["engine.clock_hz"],
                    "dram": (work.read_bits + work.write_bits) * (0.125 / self._rate(params)),
                },
            ),
            Stage("gather", {"random_read": work.random_reads * (params["offsets.random_read_ns"] * 1e-9)}),
        )
        actions = {
            ("engine", "mac"): macs,
            **memory_actions(params, "dram", "dram", work.read_bits, work.write_bits),
        }
        electronics = leftover(layers, params, work.kept)
        if electronics is not None:
            stages += inner.prefixed_stages(electronics)
            actions |= inner.prefixed_actions(electronics)
        latency_s, rate = inner.latency_s(stages), self.peak_macs_per_s(params)
        codes = np.select([work.pointwise, work.depthwise, work.streamed], [0.0, 1.0, 2.0], 3.0)
        return Estimate(
            stages=stages,
            actions=actions,
            utilization=macs / (latency_s * rate + (macs == 0.0)),
            columns={
                "placement": codes,
                "launches": work.calls,
                "compute_cycles": work.cycles,
                "dram_read_bytes": work.read_bits * 0.125,
                "dram_write_bytes": work.write_bits * 0.125,
            },
            labels={"placement": PLACES},
            limits=_limits(layers, params, work),
        )

    def tilings(self, layers: LayerBatch, params: Params, plan: Plan, estimate: Estimate) -> Tilings:
        """Calls in turn; a tile is a row of the map."""
        work = _Work.of(layers, params)
        own = Tilings(
            {"run": Tiling(np.maximum(layers.N * layers.P, 1.0), ("dram", "engine"))},
            rounds=np.maximum(work.calls, 1.0),
            units={"random_read": "dram"},
            memories=("dram",),
        )
        return leftover_tilings(layers, params, work.kept, own)

    @staticmethod
    def _rate(params: Params) -> Value:
        return params["dram.bandwidth_bytes_per_s"] * params["dram_efficiency"]

    def energies(self, params: Params) -> EnergyTable:
        """Running power, multiplications, outer memory, companion."""
        dram = memory_energies(params, "dram", "dram")
        action_pj = {**dram.action_pj, ("engine", "mac"): params["power.mac_pj"]}
        return with_companion(
            EnergyTable(action_pj, {**dram.static_mw, "engine": params["power.running_mw"]}), params
        )

    def cycle_hz(self, params: Params) -> Value:
        """Clock of the programmable logic."""
        return params["engine.clock_hz"]

    def peak_macs_per_s(self, params: Params) -> Value:
        """Both engines, every cycle."""
        return LANES * (LANES + TAPS) * params["engine.clock_hz"]

    def bandwidth_bytes_per_s(self, params: Params) -> Value:
        """The board's DRAM at its measured efficiency."""
        return self._rate(params)

    def equation(self, layers: LayerBatch, params: Params, plan: Plan) -> tuple[str, ...]:
        """The cost of one layer in numbers."""
        work = _Work.of(layers, params)
        if not work.kept[0]:
            part = params.parts.get("companion")
            return ("placement = companion " + (part.name if part else "(none named: not executed)"),)
        cycles, clock_hz = (float(np.ravel(v)[0]) for v in (work.cycles, params["engine.clock_hz"]))
        lines = [
            f"{float(np.ravel(work.calls)[0]):.0f} calls, engine = {cycles:,.0f} cycles"
            f" / {clock_hz / 1e6:g} MHz = {cycles / clock_hz * 1e3:,.4f} ms"
        ]
        for stage in self.estimate(layers, params, plan).stages:
            for name, seconds in stage.resources.items():
                lines.append(f"{stage.name}: {name} = {float(np.ravel(seconds)[0]) * 1e3:,.4f} ms")
        return tuple(lines)


def _limits(layers: LayerBatch, params: Params, work: _Work) -> tuple[Limit, ...]:
    held = work.pointwise * np.ceil(layers.C / LANES) * LANES * LANES
    alone = np.where(work.kept, 0.0, 1.0 if "companion" not in params.parts else 0.0)
    return (
        Limit(
            "weights of a call", np.asarray(held), np.asarray(params["engine.weight_elems"]), "elements",
            "a larger weight memory (engine.weight_elems), or fewer input channels",
        ),
        Limit(
            "line buffer", np.asarray(work.line_words), np.asarray(params["engine.line_words"]), "words a row",
            "a deeper line buffer (engine.line_words), or split the map by columns",
        ),
        Limit("operators", alone, 0.0, "layers", "the engine cannot do it and no companion is named"),
    )  # fmt: skip


MODEL = DeformFpgaModel()
