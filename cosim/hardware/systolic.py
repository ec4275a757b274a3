"""Systolic arrays: a grid of multipliers fed from three double-buffered memories, with a vector unit beside
it.

    latency = host call + first tiles and last results + max(array, DRAM, vector unit, buffer ports)   (Eq. 1)

The array runs matrix products in the output, weight or input stationary order: cycles are the exact closed
forms of :mod:`cosim.mapping.folds`, traffic the rule of :mod:`cosim.mapping.array_schedule`. Convolutions
lower by im2col in the address generator; groups (depthwise convolutions) and products of run-time operands
run one after the other. A transposed convolution is a product followed by an overlap-add on the vector
unit, a deformable one a bilinear gather on the vector unit (7 operations a sample) followed by a product.
Everything that is not a multiply-accumulate runs on the vector unit.

Any memory may be of any technology (:mod:`cosim.components.memory`, :mod:`cosim.components.memory_tables`): an
STT-RAM buffer changes the energy, the leakage and, through its latencies, the time that its ports are busy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cosim.components.estimate import EnergyTable, Estimate, Stage
from cosim.components.memory import (
    data_capacity_bytes,
    default_content,
    hard_share,
    is_multi_level,
    memory_actions,
    memory_busy_s,
    memory_energies,
    merged,
)
from cosim.components.params import Params, Value
from cosim.components.tiling import Tilings
from cosim.hardware._systolic_spec import HOLDS, SystolicSpec
from cosim.hardware._systolic_tiling import fold_tilings
from cosim.hardware.base import MachineModel
from cosim.ir.batch import Array, LayerBatch
from cosim.ir.ops import OpClass
from cosim.mapping.array_schedule import Gemm, Machine, Schedule, choose, legal, schedule
from cosim.mapping.feasibility import Limit
from cosim.mapping.folds import CyclePolicy, Dataflow
from cosim.mapping.plan import Choices, MappingError, Plan
from cosim.spec.machine import MachineSpec

FLOWS = ("os", "ws", "is")
MODES = (*FLOWS, "vector")
BUFFERS = ("ifmap", "filter", "ofmap")
# Four products and three sums weigh the four neighbours of a fractional position.
BILINEAR_OPS = 7.0


def _held(params: Params, buffer: str, bits: str) -> Value:
    """Elements in half of a buffer."""
    return data_capacity_bytes(params, f"buffers.{buffer}") * (4.0 / params[f"datapath.{bits}"])


def _machine(params: Params) -> Machine:
    policy = CyclePolicy(
        os_drain=params.option("array.os_drain") == "true",
        overlap_fill=params.option("array.overlap_fill") == "true",
        skew=params.option("array.skew") == "true",
    )
    return Machine(
        rows=params["array.rows"],
        cols=params["array.cols"],
        x_hold=_held(params, "ifmap", "x_bits"),
        w_hold=_held(params, "filter", "w_bits"),
        acc_hold=_held(params, "ofmap", "acc_bits"),
        x_bits=params["datapath.x_bits"],
        w_bits=params["datapath.w_bits"],
        y_bits=params["datapath.y_bits"],
        bits_per_cycle=8.0 * _bytes_per_s(params) / params["array.clock_hz"],
        policy=policy,
        grid_rows=params["array.grid.rows"] if params.has("array.grid.rows") else 1.0,
        grid_cols=params["array.grid.cols"] if params.has("array.grid.cols") else 1.0,
    )


def _bytes_per_s(params: Params) -> Value:
    return params["dram.bandwidth_bytes_per_s"] * params["dram_efficiency"]


def _flows(params: Params, layers: LayerBatch, plan: Plan) -> tuple[str, ...]:
    """Dataflows to evaluate; refuses a request for one that the array does not have."""
    wired = params.option("array.dataflow")
    asked = {FLOWS[code - 1] for code in np.unique(plan["dataflow"]) if code > 0}
    if wired != "any":
        for flow in sorted(asked - {wired}):
            layer = layers.names[int(np.flatnonzero(plan.is_value("dataflow", flow))[0])]
            raise MappingError(
                f"layer {layer}: found dataflow {flow!r}, allowed {wired!r} (the array of {params.name})"
            )
        return (wired,)
    return FLOWS if np.any(plan["dataflow"] == 0) else tuple(flow for flow in FLOWS if flow in asked)


@dataclass(frozen=True)
class _Case:
    """A batch of layers on a machine: what every step below reads.

    ``outside`` is 0 where input and result of a layer stay in the input buffer, None if they never do.
    """

    layers: LayerBatch
    params: Params
    machine: Machine
    outside: Array | None
    gemm: Gemm

    @classmethod
    def of(cls, layers: LayerBatch, params: Params) -> _Case:
        """Residence first: what stays on the chip is no operand of the outer memory."""
        outside = _outside(layers, params) if params.option("buffers.activations") == "resident" else None
        return cls(layers, params, _machine(params), outside, Gemm.of(layers, outside))


def _outside(layers: LayerBatch, params: Params) -> Array:
    """0 where input and result of a layer fit the input buffer together, 1 where they pass the outer memory."""
    x_bytes = layers.x_elems * (params["datapath.x_bits"] / 8.0)
    y_bytes = layers.y_elems * (params["datapath.y_bits"] / 8.0)
    room = data_capacity_bytes(params, "buffers.ifmap")
    return np.asarray(x_bytes + y_bytes > room, dtype=np.float64)


def _ports_s(case: _Case, run: Schedule, traffic: _Traffic | None = None) -> dict[str, Array]:
    """Time of the buffer ports that state a rate; the others keep up."""
    params = case.params
    rated = [
        name
        for name in BUFFERS
        if params.has(f"buffers.{name}.read_latency_ns")
        or params.has(f"buffers.{name}.bandwidth_bytes_per_s")
    ]
    found: dict[str, Array] = {}
    if not rated:
        return found
    moved = traffic or _Traffic.of(case, run)
    for name in rated:
        read, written = moved.buffer_read[name], moved.buffer_write[name]
        port_s = memory_busy_s(params, f"buffers.{name}", read, written, 1.0)
        if port_s is not None:
            found[f"{name}_port"] = port_s
    return found


def _rough_s(case: _Case, run: Schedule) -> Array:
    """Time by which ``auto`` chooses: array, memory or ports, infinite where the tiles do not fit."""
    params = case.params
    seconds = run.slowest / params["array.clock_hz"]
    ports = _ports_s(case, run)
    if ports:
        edge_s = run.edge_bits * (0.125 / _bytes_per_s(params))
        for port_s in ports.values():
            seconds = np.maximum(seconds, port_s + edge_s)
    fits = legal(run, case.machine)
    return np.asarray(seconds if fits is None else np.where(fits, seconds, np.inf))


def _chosen(case: _Case, plan: Plan) -> tuple[Schedule, Array]:
    """The schedule of every layer and the code of its dataflow."""
    flows = _flows(case.params, case.layers, plan)
    run = schedule(case.gemm, case.machine, Dataflow[flows[0].upper()])
    code = np.full(case.layers.size, float(FLOWS.index(flows[0])))
    if len(flows) == 1:
        return run, code
    free = plan["dataflow"] == 0
    best = np.where(free | plan.is_value("dataflow", flows[0]), _rough_s(case, run), np.inf)
    for flow in flows[1:]:
        other = schedule(case.gemm, case.machine, Dataflow[flow.upper()])
        asked = plan.is_value("dataflow", flow)
        seconds = np.where(free | asked, _rough_s(case, other), np.inf)
        wins = asked | (free & (seconds < best))
        run, best = choose(wins, other, run), np.where(wins, seconds, best)
        code = np.where(wins, float(FLOWS.index(flow)), code)
    return run, code


@dataclass(frozen=True)
class _Traffic:
    """Bits through the outer memory and through each buffer."""

    dram_read: Array
    dram_write: Array
    buffer_read: Mapping[str, Array]
    buffer_write: Mapping[str, Array]

    @classmethod
    def of(cls, case: _Case, run: Schedule) -> _Traffic:
        """Layers without products pass their operands through the buffers once."""
        layers, params = case.layers, case.params
        other = 1.0 - layers.is_mac
        x_bits, w_bits = params["datapath.x_bits"], params["datapath.w_bits"]
        x_other, w_other = layers.x_elems * other, layers.w_elems * other
        w_in = (run.w_reads + w_other) * w_bits
        y_out = np.asarray(layers.y_elems * params["datapath.y_bits"])
        results = run.psum_words * params["datapath.acc_bits"] + y_out * other
        read = {"ifmap": (run.x_feeds + x_other) * x_bits, "filter": (run.w_feeds + w_other) * w_bits}
        if case.outside is None:
            x_fill = x_in = (run.x_reads + x_other) * x_bits
        else:
            x_in, y_dram = (run.x_reads + x_other * case.outside) * x_bits, y_out * case.outside
            x_fill, y_out = x_in + (y_out - y_dram), y_dram
        written = {"ifmap": x_fill, "filter": w_in, "ofmap": results}
        return cls(x_in + w_in, y_out, {**read, "ofmap": results}, written)


def _extra_vector_ops(layers: LayerBatch) -> Array:
    """Operations of the vector unit beside the products: overlap-add and bilinear gather, shape (L,)."""
    transposed = layers.of_class(OpClass.TRANSPOSED_CONV) * (layers.gemm_m * layers.gemm_n)
    gathered = layers.of_class(OpClass.DEFORM_CONV) * (BILINEAR_OPS * layers.gemm_m * layers.gemm_k)
    return np.asarray(layers.gemm_g * (transposed + gathered))


def _actions(
    layers: LayerBatch, params: Params, traffic: _Traffic, simple: Array
) -> dict[tuple[str, str], Array]:
    actions = {
        ("array", "mac"): layers.macs,
        ("vector_unit", "simple"): simple,
        ("vector_unit", "special"): layers.special_ops,
        **memory_actions(params, "dram", "dram", traffic.dram_read, traffic.dram_write),
    }
    for name in BUFFERS:
        read, written = traffic.buffer_read[name], traffic.buffer_write[name]
        actions |= memory_actions(params, f"buffers.{name}", f"{name}_buffer", read, written)
    return actions


def _columns(
    layers: LayerBatch, params: Params, run: Schedule, traffic: _Traffic, code: Array, stall_cycles: Array
) -> dict[str, Array]:
    columns = {
        "mode": np.where(layers.is_mac, code, float(MODES.index("vector"))),
        "folds": run.folds,
        "mapping_efficiency": run.mapping_efficiency,
        "dram_read_bytes": traffic.dram_read * 0.125,
        "dram_write_bytes": traffic.dram_write * 0.125,
        "sram_read_bytes": _bytes(traffic.buffer_read),
        "sram_write_bytes": _bytes(traffic.buffer_write),
        "compute_cycles": run.cycles,
        "stall_cycles": stall_cycles,
    }
    if is_multi_level(params, "buffers.filter"):
        share = hard_share(default_content(params, "buffers.filter"))
        columns["hard_cell_share"] = np.ones(layers.size) * share
    return columns


def _bytes(bits: Mapping[str, Array]) -> Array:
    """Bytes over the three buffers."""
    return np.asarray((bits["ifmap"] + bits["filter"] + bits["ofmap"]) * 0.125)


def _limits(run: Schedule, machine: Machine) -> tuple[Limit, ...]:
    remedy = "needs a larger buffer, a smaller array, or another dataflow ({demand} elements in half of it)"
    return tuple(
        Limit(f"{name} buffer", tile, np.asarray(hold), "elements a half", remedy)
        for name, tile, hold in (
            ("ifmap", run.x_tile, machine.x_hold),
            ("filter", run.w_tile, machine.w_hold),
            ("ofmap", run.acc_tile, machine.acc_hold),
        )
    )


def _vector_s(layers: LayerBatch, params: Params, simple: Array) -> Array:
    """Time of the vector unit; an element that passes it occupies a lane like one simple operation."""
    passing = np.maximum(layers.x_elems, layers.y_elems) * (1.0 - layers.is_mac)
    special_s = params["vector.special_cycles"] / (params["vector.lanes"] * params["vector.clock_hz"])
    simple_s = params["vector.simple_cycles"] / (params["vector.lanes"] * params["vector.clock_hz"])
    return np.asarray(np.maximum(simple, passing) * simple_s + layers.special_ops * special_s)


class SystolicModel(MachineModel):
    """Closed-form systolic array with overlapped memory, vector unit and host call."""

    kind: ClassVar[str] = "systolic"
    summary: ClassVar[str] = "systolic array (output, weight, input stationary) with double-buffered memories"
    spec: ClassVar[type[MachineSpec]] = SystolicSpec
    choices: ClassVar[Choices] = {"dataflow": ("auto", *FLOWS)}
    cycle: ClassVar[str] = "one cycle of the array"
    leaves_out: ClassVar[tuple[str, ...]] = (
        "stalls are averaged over a layer: a fold that waits beside one with time to spare shows in `--simulate` only",
        "operators are not fused: an activation reads and writes its map like any other layer",
        "the next layer's weights are not fetched while a layer runs",
        "groups run one after the other, so a depthwise convolution uses one column (or row) of the array",
        "bank conflicts of the buffers, refresh and row misses of the DRAM beyond its stated efficiency",
        "sampled positions of a deformable convolution are found in the input buffer",
        "operators of unknown kind: only their bytes are counted",
    )
    holds: ClassVar[tuple[str, ...]] = HOLDS

    def estimate(self, layers: LayerBatch, params: Params, plan: Plan) -> Estimate:
        """Counts for every layer; see Eq. 1 of the module."""
        case = _Case.of(layers, params)
        run, code = _chosen(case, plan)
        traffic = _Traffic.of(case, run)
        bit_s = 0.125 / _bytes_per_s(params)
        clock_hz = params["array.clock_hz"]
        simple = layers.simple_ops + _extra_vector_ops(layers)
        array_s = run.cycles / clock_hz
        busy = {
            "array": array_s,
            "dram": (traffic.dram_read + traffic.dram_write - run.edge_bits) * bit_s,
            "vector_unit": _vector_s(layers, params, simple),
        }
        busy |= _ports_s(case, run, traffic)
        edge_s, call_s = run.edge_bits * bit_s, np.ones(layers.size) * params["host.call_s"]
        longest = array_s
        for seconds in list(busy.values())[1:]:
            longest = np.maximum(longest, seconds)
        stall_cycles = (edge_s + (longest - array_s)) * (layers.is_mac * clock_hz)
        macs_per_s = self.peak_macs_per_s(params)
        return Estimate(
            stages=(
                Stage("call", {"host_call": call_s}),
                Stage("edges", {"first_and_last_tile": edge_s}),
                Stage("run", {"dram": busy["dram"], **busy}),
            ),
            actions=_actions(layers, params, traffic, simple),
            utilization=layers.macs / ((call_s + edge_s + longest) * macs_per_s + (layers.macs == 0.0)),
            columns=_columns(layers, params, run, traffic, code, stall_cycles),
            labels={"mode": MODES},
            limits=_limits(run, case.machine),
        )

    def tilings(self, layers: LayerBatch, params: Params, plan: Plan, estimate: Estimate) -> Tilings:
        """A tile is a fold of the array, with what it loads and stores (:mod:`cosim.mapping.fold_loads`); a layer of
        the vector unit passes in pieces of half the input buffer."""
        case = _Case.of(layers, params)
        hold_bytes = data_capacity_bytes(params, "buffers.ifmap") * 0.5
        bits = params["datapath.x_bits"]
        return fold_tilings(layers, case.gemm, case.machine, hold_bytes, bits, estimate)

    def energies(self, params: Params) -> EnergyTable:
        """Multiplications, vector operations, buffers and outer memory; leakage of all of them."""
        action_pj, static_mw = merged(
            *(memory_energies(params, f"buffers.{name}", f"{name}_buffer") for name in BUFFERS),
            memory_energies(params, "dram", "dram"),
        )
        return EnergyTable(
            {
                **action_pj,
                ("array", "mac"): params["array.mac_pj"],
                ("vector_unit", "simple"): params["vector.simple_pj"],
                ("vector_unit", "special"): params["vector.special_pj"],
            },
            {**static_mw, "array": params["array.static_mw"], "vector_unit": params["vector.static_mw"]},
        )

    def cycle_hz(self, params: Params) -> Value:
        """Clock of the array."""
        return params["array.clock_hz"]

    def peak_macs_per_s(self, params: Params) -> Value:
        """One multiply-accumulate for each element of every array and cycle."""
        return _machine(params).elements * params["array.clock_hz"]

    def bandwidth_bytes_per_s(self, params: Params) -> Value:
        """Outer memory, at the efficiency of the board."""
        return _bytes_per_s(params)

    def equation(self, layers: LayerBatch, params: Params, plan: Plan) -> tuple[str, ...]:
        """The cost of one layer in numbers."""
        cost = self.estimate(layers, params, plan)
        seconds = {name: _first(t) for stage in cost.stages for name, t in stage.resources.items()}
        slowest = max(cost.stages[-1].resources, key=lambda name: seconds[name])
        total = seconds["host_call"] + seconds["first_and_last_tile"] + seconds[slowest]
        g, m, n, k = (int(d[0]) for d in (layers.gemm_g, layers.gemm_m, layers.gemm_n, layers.gemm_k))
        column = {name: _first(value) for name, value in cost.columns.items()}
        us = {name: f"{value * 1e6:,.3f} us" for name, value in seconds.items()}
        return (
            f"{MODES[int(column['mode'])]}: {g} products of {m} x {k} by {k} x {n} in {column['folds']:,.0f} folds"
            f" of {_first(params['array.rows']):g} x {_first(params['array.cols']):g} elements",
            f"array = {column['compute_cycles']:,.0f} cycles / {_first(params['array.clock_hz']) / 1e6:g} MHz"
            f" = {us['array']}",
            f"outer memory = {column['dram_read_bytes'] + column['dram_write_bytes']:,.0f} bytes"
            f" / {_first(_bytes_per_s(params)) / 1e9:.3f} GB/s = {us['first_and_last_tile']} + {us['dram']}",
            f"vector unit = {us['vector_unit']}",
            f"latency = host_call {us['host_call']} + first_and_last_tile {us['first_and_last_tile']}"
            f" + {slowest} {us[slowest]} = {total * 1e6:,.3f} us",
        )


def _first(value: Value) -> float:
    return float(np.ravel(value)[0])


MODEL = SystolicModel()
