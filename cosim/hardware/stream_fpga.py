"""Stream engines on FPGAs in the manner of CNNA: split layers, stitched maps, a host call for every split.

    latency = calls + weight copies of the driver + max(engine, ports, DRAM)                     (Eq. 1)

Five terms stay apart: the engine's cycles (packets times initiation interval,
:mod:`cosim.mapping.fpga_cnna`), its DMA ports, the board's DRAM, the host's calls and its copies. The
engine does dense convolutions that its line buffer covers, fully connected layers and max pooling; ReLU
happens in the output stream of the layer before and costs a cycle. Everything else runs on the companion
(:mod:`cosim.components.companion`), the processor of the board. A build must fit its board
(:mod:`cosim.components.fpga_resources`); its memory is one of :mod:`cosim.components.memory`.
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
from cosim.hardware._fpga_companion import leftover, leftover_tilings, with_companion
from cosim.hardware._stream_fpga_spec import StreamFpgaSpec
from cosim.hardware.base import MachineModel
from cosim.ir.batch import Array, LayerBatch, Mask
from cosim.ir.ops import OpClass
from cosim.mapping.feasibility import Limit
from cosim.mapping.fpga_cnna import CnnaBuild, CnnaLayout, engine_cycles, lay_out
from cosim.mapping.plan import Choices, Plan
from cosim.spec.machine import MachineSpec

PLACES = ("engine", "stream", "companion")
# Burst setting of the DMA engines (HEB.py of the authors' repository).
_BURST_WORDS = 256


def _build(params: Params) -> CnnaBuild:
    return CnnaBuild(
        *(params[f"build.{name}"] for name in ("data_bits", "dma_bits", "pes", "out", "wbuf_words"))
    )


@dataclass(frozen=True)
class _Placed:
    """Which layers the engine multiplies, which it pools, which pass in its stream; the rest is the
    companion's."""

    multiplied: Mask
    pooled: Mask
    streamed: Mask

    @property
    def kept(self) -> Mask:
        """Layers that need no companion."""
        return self.multiplied | self.pooled | self.streamed

    @classmethod
    def of(cls, layers: LayerBatch, params: Params) -> _Placed:
        """By operator and kernel height; the height is the least over the design points."""
        rows = float(np.min(params["build.line_rows"]))
        dense = layers.of_class(OpClass.CONV, OpClass.LINEAR) & (layers.G == 1.0) & (rows >= layers.R)
        names = np.array(layers.ops)
        undilated = (layers.dilation_h == 1.0) & (layers.dilation_w == 1.0)
        return cls(dense & layers.static_weight & undilated, names == "max_pool", names == "relu")


@dataclass(frozen=True)
class _Counts:
    """Words, cycles and calls of every layer, zero where the engine does not work."""

    layout: CnnaLayout
    cycles: Array
    calls: Array
    read_words: Array
    write_words: Array
    weight_words: Array
    port_words: Array

    @classmethod
    def of(cls, layers: LayerBatch, params: Params, placed: _Placed) -> _Counts:
        """Pooling reads and writes its maps once; a ReLU takes one cycle of control."""
        build = _build(params)
        layout = lay_out(layers, build, params["first_layer_pixel_bytes"])
        on, pool = placed.multiplied * 1.0, placed.pooled * 1.0
        pool_in = np.ceil(layers.x_elems / build.lanes) * pool
        pool_out = np.ceil(layers.y_elems / build.lanes) * pool
        ii, bias = params["timing.packet_ii_cycles"], params["timing.bias_packets"]
        cycles = on * engine_cycles(layout, ii, bias) + pool_in * params["timing.pool_cycles"]
        x_words, y_words = layout.x_words * on + pool_in, layout.y_words * on + pool_out
        buf_words, weights = layout.buf_words * on, layout.w_words * on
        busiest = np.maximum(np.maximum(x_words, y_words), buf_words)
        return cls(
            layout=layout,
            cycles=cycles + placed.streamed,
            calls=layout.splits * on + pool,
            read_words=x_words + buf_words,
            write_words=y_words,
            weight_words=weights,
            port_words=busiest,
        )


class StreamFpgaModel(MachineModel):
    """CNNA-like engine with its host and its board."""

    kind: ClassVar[str] = "stream_fpga"
    summary: ClassVar[str] = (
        "FPGA stream engine (CNNA): split layers, stitched maps, host calls; processor beside it"
    )
    spec: ClassVar[type[MachineSpec]] = StreamFpgaSpec
    choices: ClassVar[Choices] = {}
    cycle: ClassVar[str] = "one cycle of the programmable logic"
    leaves_out: ClassVar[tuple[str, ...]] = (
        "the pipeline's fill (tens of cycles a split) and the load of weights into the elements beside the copy",
        "rate limits of the output merge, which hold back layers of few input channels",
        "energy by activity: the measured power while running is charged for the whole time",
        "operators of unknown kind: only their bytes are counted, on the companion",
    )
    holds: ClassVar[tuple[str, ...]] = (
        "dense convolutions without groups and dilation whose kernel is at most `build.line_rows` high, fully "
        "connected layers, max pooling, and ReLU in the stream; everything else on the companion, or refused without "
        "one",
        "one filter for each lane must fit the weight buffers and a row of the input map the line buffer, which is "
        "refused otherwise; a build whose least resources exceed its board is refused",
        "builds of 8, 16 and 32 bits, streams of 64 and 128 bits, 4 to 64 elements: the engine against the 60 times "
        "that the authors simulated, mean error below 0.2 %",
        "one measured board: CNNA16 on an Ultra96, VGG16, one image. Splits and DMA words equal its log; documented "
        "parameters alone give a lower bound (convolutions at 0.59 of the log); with clock and host terms fitted to "
        "the log, convolutions come out at 0.94 and the fully connected layer that was held out at 0.37 of it",
        "power: one published average (2.63 W, rail not named), charged for the whole time",
    )

    def estimate(self, layers: LayerBatch, params: Params, plan: Plan) -> Estimate:
        """Counts for every layer; see Eq. 1 of the module."""
        placed = _Placed.of(layers, params)
        done = _Counts.of(layers, params, placed)
        clock_hz = params["timing.clock_hz"]
        bits = params["build.dma_bits"]
        word_s = bits * (0.125 / self._rate(params))
        stages: tuple[Stage, ...] = (
            Stage("host", {"host_call": done.calls * params["host.call_s"]}),
            Stage(
                "weights",
                {
                    "weight_copy": done.weight_words * params["host.weight_word_s"],
                    "weight_port": done.weight_words / clock_hz,
                    "weight_dram": done.weight_words * word_s,
                },
            ),
            Stage(
                "run",
                {
                    "engine": done.cycles / clock_hz,
                    "dma_port": done.port_words / clock_hz,
                    "dram": (done.read_words + done.write_words) * word_s,
                },
            ),
        )
        read_bits = (done.read_words + done.weight_words) * bits
        actions = {
            ("engine", "mac"): layers.macs * placed.multiplied,
            **memory_actions(params, "dram", "dram", read_bits, done.write_words * bits),
        }
        electronics = leftover(layers, params, placed.kept)
        if electronics is not None:
            stages += inner.prefixed_stages(electronics)
            actions |= inner.prefixed_actions(electronics)
        latency_s = inner.latency_s(stages)
        rate = self.peak_macs_per_s(params)
        used = layers.macs * placed.multiplied
        return Estimate(
            stages=stages,
            actions=actions,
            utilization=used / (latency_s * rate + (used == 0.0)),
            columns=_columns(layers, params, placed, done),
            labels={"placement": PLACES},
            limits=_limits(layers, params, placed),
        )

    def tilings(self, layers: LayerBatch, params: Params, plan: Plan, estimate: Estimate) -> Tilings:
        """Splits in turn, each a call, its weights and its run; a tile is a burst of the DMA engines."""
        placed = _Placed.of(layers, params)
        done = _Counts.of(layers, params, placed)
        rounds = np.maximum(done.calls, 1.0)
        words = (done.weight_words, done.read_words + done.write_words)
        weights, maps = (np.maximum(np.ceil(n / rounds / _BURST_WORDS), 1.0) for n in words)
        own = Tilings(
            {
                "weights": Tiling(weights, ("weight_copy", "weight_dram", "weight_port")),
                "run": Tiling(maps, ("dram", "dma_port", "engine")),
            },
            rounds=rounds,
            units={"weight_dram": "dram"},
            memories=("dram",),
        )
        return leftover_tilings(layers, params, placed.kept, own)

    @staticmethod
    def _rate(params: Params) -> Value:
        return params["dram.bandwidth_bytes_per_s"] * params["dram_efficiency"]

    def energies(self, params: Params) -> EnergyTable:
        """Measured power while running, outer memory, companion."""
        dram = memory_energies(params, "dram", "dram")
        action_pj = {**dram.action_pj, ("engine", "mac"): params["power.mac_pj"]}
        static_mw = {**dram.static_mw, "engine": params["power.running_mw"]}
        return with_companion(EnergyTable(action_pj, static_mw), params)

    def cycle_hz(self, params: Params) -> Value:
        """Clock of the programmable logic."""
        return params["timing.clock_hz"]

    def peak_macs_per_s(self, params: Params) -> Value:
        """Every multiplier, every cycle."""
        return _build(params).macs_per_cycle * params["timing.clock_hz"]

    def bandwidth_bytes_per_s(self, params: Params) -> Value:
        """The board's DRAM at its measured efficiency."""
        return self._rate(params)

    def execution_bits(self, params: Params) -> dict[str, Value]:
        """One width for everything."""
        return dict.fromkeys(("x_bits", "w_bits", "y_bits"), params["build.data_bits"])

    def equation(self, layers: LayerBatch, params: Params, plan: Plan) -> tuple[str, ...]:
        """The cost of one layer in numbers."""
        placed = _Placed.of(layers, params)
        if not placed.kept[0]:
            part = params.parts.get("companion")
            return ("placement = companion " + (part.name if part else "(none named: not executed)"),)
        done = _Counts.of(layers, params, placed)
        one = {name: float(np.ravel(value)[0]) for name, value in vars(done.layout).items()}
        cycles, clock_hz = float(np.ravel(done.cycles)[0]), float(np.ravel(params["timing.clock_hz"])[0])
        lines = [
            f"engine = {cycles:,.0f} cycles / {clock_hz / 1e6:g} MHz = {cycles / clock_hz * 1e3:,.3f} ms"
        ]
        if placed.multiplied[0]:
            lines.insert(
                0,
                f"{one['splits']:.0f} splits, {one['rounds']:.0f} rounds of {one['packets']:.0f} packets and a bias"
                f" at {one['positions']:,.0f} positions",
            )
        for stage in self.estimate(layers, params, plan).stages:
            for name, seconds in stage.resources.items():
                lines.append(f"{stage.name}: {name} = {float(np.ravel(seconds)[0]) * 1e3:,.4f} ms")
        return tuple(lines)


def _columns(layers: LayerBatch, params: Params, placed: _Placed, done: _Counts) -> dict[str, Array]:
    word_bytes = params["build.dma_bits"] * 0.125
    codes = np.where(placed.multiplied | placed.pooled, 0.0, np.where(placed.streamed, 1.0, 2.0))
    return {
        "placement": codes,
        "launches": done.calls,
        "compute_cycles": done.cycles,
        "dram_read_bytes": (done.read_words + done.weight_words) * word_bytes,
        "dram_write_bytes": done.write_words * word_bytes,
    }


def _limits(layers: LayerBatch, params: Params, placed: _Placed) -> tuple[Limit, ...]:
    build = _build(params)
    several = placed.multiplied & (layers.P * layers.Q > 1.0)
    chunk = build.lanes * build.out
    left = np.where(placed.kept, 0.0, 1.0 if "companion" not in params.parts else 0.0)
    filters = several * build.lanes * (layers.R * layers.S * layers.C + chunk)
    lines = several * (layers.R > 1.0) * layers.W * np.ceil(layers.C / build.lanes)
    return (
        Limit(
            "weight buffers", np.asarray(filters), np.asarray(build.wbuf_words * build.macs_per_cycle), "elements",
            "one filter for each lane must fit: deeper buffers (wbuf_words), or fewer input channels",
        ),
        Limit(
            "line buffer", np.asarray(lines), np.asarray(params["build.line_words"]), "words a row",
            "deeper line buffers (line_words), or split the map by columns",
        ),
        Limit("operators", left, 0.0, "layers", "the engine cannot do it and no companion is named"),
    )  # fmt: skip


MODEL = StreamFpgaModel()
