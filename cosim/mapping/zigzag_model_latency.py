"""Latency of a given mapping by ZigZag's conventions, from the transfers of every operand.

Mei et al., "A Uniform Latency Model for DNN Accelerators with Diverse Architectures and Dataflows", DATE 2022,
pages of the proceedings: past.date-conference.com/proceedings-archive/2022/html/0228.html; rules as in the tool of
January 2026 (KULeuven-MICAS/zigzag; its release 3.9.1 shortens loading by another rule than (7) and adds the drain of
systolic arrays). Spatial factors are cut to integers here, while the bits that decide on double buffering keep their
fractions.

(1)  latency = ideal + stall + onload + offload; ideal = product of the temporal loops.
(2)  A memory holds an operand twice if the effective bits of all its operands together (bits held over the
     outermost relevant loops of the level) are at most half of it, or if the operand fits once more into the rest,
     which then is smaller for the operands that follow.
(3)  A transfer needs real = ceil(elements bits / w_max) cycles a period and may take allowed = period if held twice,
     else the period over its outermost irrelevant loops; stall = (real - allowed) (periods - 1).
(4)  Stall of a port with one transfer: (3), with its sign. With several:
     sum of positive stalls + max(0, sum of negative ones + sum of allowed (periods - 1) - union of allowed windows).
(5)  Union over the longest period P_k, windows [0, A_j) repeating every P_j, P_j a divisor of the next:
     with u_k(t) = free cycles in [t, P_k) and s = max(t, A_k) = q P_(k-1) + o,
     u_k(t) = u_(k-1)(o) + (P_k / P_(k-1) - q - 1) u_(k-1)(0), union = (P_k - u_k(0)) periods.
     If a window is its whole period the union is period times periods of that transfer.
(6)  Stall of the layer = max over ports, at least 0.
(7)  Transfers with one period, on a port of width w that needs a mean rate r for the others, share
     max(0, (w - r) / w (ideal + stall)) cycles of the computation: the longest is cut down to the cycles for the bits
     that memory 1 of its operand holds; then the next, and by as much again all before it; and so on. (Those before
     can so fall below zero, and one that is shorter than its least grows: a known defect of the tool, kept.)
(8)  Onload: per input and pair of levels the longer of the two transfers; over pairs whose ports serve one input
     each (d, summed), both inputs on both sides (b, summed), or on one side only (h, the outermost such pair);
     onload = min over the orders of the inputs i, j of b_i + max(b_j + h_j + d_j, h_i + d_i).
(9)  Offload = sum over pairs of levels of the longer of the two transfers of the output.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cosim.mapping.zigzag_model import (
    DIRECTIONS,
    Accesses,
    Direction,
    Layer,
    Machine,
    Memory,
    OperandFlow,
    OperandMapping,
    Port,
    operand_accesses,
    operand_flow,
)

Key = tuple[str, int, Direction]


@dataclass(frozen=True, slots=True)
class Activity:
    """A transfer on a port, cycles per period."""

    real: int
    allowed: int
    period: int
    periods: int

    @property
    def stall(self) -> int:
        """Cycles over (or, negative, under) what is allowed over all periods but one, eq. (3)."""
        return (self.real - self.allowed) * (self.periods - 1)


@dataclass(frozen=True, slots=True)
class LayerCost:
    """What a layer costs: accesses by operand and memory, energy in pJ, cycles."""

    accesses: tuple[Accesses, ...]
    mac_pj: float
    memory_pj: float
    ideal_cycles: int
    """Cycles of a full array, as if every unit were busy."""
    temporal_cycles: int
    """Product of the temporal loops."""
    stall_cycles: float
    onload_cycles: float
    offload_cycles: float

    @property
    def energy_pj(self) -> float:
        """Memories and multipliers."""
        return self.memory_pj + self.mac_pj

    @property
    def latency_cycles(self) -> float:
        """Eq. (1)."""
        return self.temporal_cycles + self.stall_cycles + self.onload_cycles + self.offload_cycles


def free_cycles(windows: Sequence[tuple[int, int]], start: int) -> int:
    """Cycles from `start` to the end of the longest period that no window covers, eq. (5).

    `windows` are (period, allowed), shortest period first. ValueError where a period is no divisor of the next.
    """
    *inner, (period, allowed) = windows
    begin = max(start, allowed)
    if begin >= period:
        return 0
    if not inner:
        return period - begin
    short = inner[-1][0]
    if period % short:
        raise ValueError(
            f"transfer periods {short} and {period} do not divide: the loops are not cut from one order"
        )
    blocks, offset = divmod(begin, short)
    return free_cycles(inner, offset) + (period // short - blocks - 1) * free_cycles(inner, 0)


def window_union(activities: Sequence[Activity]) -> int:
    """Cycles in which at least one transfer may run, over the whole computation, eq. (5)."""
    for activity in activities:
        if activity.allowed == activity.period:
            return activity.period * activity.periods
    ordered = sorted(activities, key=lambda activity: activity.period)
    free = free_cycles([(activity.period, activity.allowed) for activity in ordered], 0)
    return (ordered[-1].period - free) * ordered[-1].periods


def port_stall(activities: Sequence[Activity]) -> int:
    """Stall of one port, eq. (4)."""
    if not activities:
        return 0
    if len(activities) == 1:
        return activities[0].stall
    stalls = [activity.stall for activity in activities]
    late = sum(stall for stall in stalls if stall > 0)
    slack = sum(stall for stall in stalls if stall <= 0)
    windows = sum(activity.allowed * (activity.periods - 1) for activity in activities)
    return late + max(0, slack + windows - window_union(activities))


def share_reduction(cycles: Sequence[float], least: Sequence[float], budget: float) -> list[float]:
    """`cycles` cut by `budget` together, from the longest towards `least`, eq. (7)."""
    if budget <= 0:
        return list(cycles)
    order = sorted(range(len(cycles)), key=lambda index: cycles[index], reverse=True)
    out = list(cycles)
    for rank, index in enumerate(order, start=1):
        excess = out[index] - least[index]
        wanted = excess * rank
        cut = excess if budget >= wanted else budget / rank
        for other in order[:rank]:
            out[other] -= cut
        if budget < wanted:
            break
        budget -= wanted
    return out


def double_buffered(
    layer: Layer, machine: Machine, flows: Mapping[str, OperandFlow]
) -> dict[str, list[bool]]:
    """Whether each operand is held twice, by level from 0 (the multipliers, never), eq. (2)."""
    own: dict[tuple[str, str], float] = {}
    shared: dict[str, float] = defaultdict(float)
    for operand in layer.relevant:
        for memory, bits in zip(
            machine.chain(layer.links[operand]), flows[operand].effective_bits, strict=True
        ):
            own[operand, memory.name] = bits / memory.size_bits
    for memory in machine.memories:
        for link in memory.operands:
            operands = [operand for operand in layer.relevant if layer.links[operand] == link]
            for operand in operands:
                shared[memory.name] += own[operand, memory.name]
    twice: dict[str, list[bool]] = {}
    for operand in layer.relevant:
        twice[operand] = [False]
        for memory in machine.chain(layer.links[operand]):
            content = own[operand, memory.name]
            if shared[memory.name] <= 0.5:
                twice[operand].append(True)
            elif content <= 1 - shared[memory.name]:
                twice[operand].append(True)
                shared[memory.name] += content
            else:
                twice[operand].append(False)
    return twice


def _port_uses(layer: Layer, machine: Machine) -> Iterator[tuple[Memory, Port, list[Key], bool]]:
    """Every port of the machine with the (operand, level from 1, direction) it serves for this layer, and whether
    both inputs use it."""
    operands = {link: operand for operand, link in layer.links.items()}
    inputs = {link for operand, link in layer.links.items() if operand != layer.output}
    depth: dict[str, int] = defaultdict(int)
    for memory in machine.memories:
        for link in memory.operands:
            depth[link] += 1
        used: dict[str, tuple[Port, list[Key], set[str]]] = {}
        for link in memory.operands:
            for (owner, direction), port in memory.ports.items():
                if owner != link or link not in operands:
                    continue
                entry = used.setdefault(port.name, (port, [], set()))
                entry[1].append((operands[link], depth[link], direction))
                entry[2].add(link)
        for port, keys, links in used.values():
            yield memory, port, keys, len(links & inputs) > 1


def _activities(
    layer: Layer, machine: Machine, flows: Mapping[str, OperandFlow], twice: Mapping[str, list[bool]]
) -> dict[Key, Activity]:
    """Cycles of every transfer, eq. (3)."""
    out: dict[Key, Activity] = {}
    for operand, link in layer.links.items():
        for index, memory in enumerate(machine.chain(link)):
            for direction in DIRECTIONS:
                transfer = flows[operand].transfers[index][direction]
                port = memory.ports.get((link, direction))
                if port is None:
                    continue
                real = math.ceil(transfer.elements * transfer.bits / port.max_bits)
                level = index if direction in ("tl", "fl") else index + 1
                allowed = transfer.period if twice[operand][level] else transfer.window_cycles
                out[operand, index + 1, direction] = Activity(
                    real, allowed, transfer.period, transfer.periods
                )
    return out


def _loading(
    layer: Layer,
    machine: Machine,
    flows: Mapping[str, OperandFlow],
    real: Mapping[Key, Activity],
    busy: float,
) -> dict[Key, tuple[float, bool]]:
    """Cycles of the first (inputs) or last (output) transfer, and whether both inputs share its port, eq. (7)."""
    out: dict[Key, tuple[float, bool]] = {}
    for _, port, keys, both in _port_uses(layer, machine):
        once: list[Key] = []
        often: list[Key] = []
        for key in keys:
            operand, _, direction = key
            if (operand == layer.output and direction in ("tl", "fh")) or real[key].periods == 0:
                continue
            (once if real[key].periods == 1 else often).append(key)
        rate = sum(flows[o].transfers[level - 1][d].rate_bits for o, level, d in often)
        budget = max(0, ((port.max_bits - rate) / port.max_bits) * busy)
        least = [math.ceil(flows[operand].held_bits[0] / port.max_bits) for operand, _, _ in once]
        cut = share_reduction([float(real[key].real) for key in once], least, budget)
        for key, cycles in zip(once, cut, strict=True):
            out[key] = (cycles, both)
        for key in often:
            out[key] = (float(real[key].real), both)
    return out


def onload(layer: Layer, loading: Mapping[Key, tuple[float, bool]], levels: Mapping[str, int]) -> float:
    """Cycles until the inputs are where the first cycle needs them, eq. (8)."""
    apart: dict[str, float] = defaultdict(float)
    half: dict[str, float] = defaultdict(float)
    joint: dict[str, float] = defaultdict(float)
    inputs = [operand for operand in layer.relevant if operand != layer.output]
    for operand in inputs:
        for level in range(1, levels[operand]):
            (into, low), (out_of, high) = loading[operand, level, "fh"], loading[operand, level + 1, "tl"]
            longer = max(into, out_of)
            if low and high:
                joint[operand] += longer
            elif low or high:
                half[operand] = longer
            else:
                apart[operand] += longer
    if len(inputs) == 1:
        return apart[inputs[0]]
    first, second = inputs
    return min(
        joint[i] + max(joint[j] + half[j] + apart[j], half[i] + apart[i])
        for i, j in ((first, second), (second, first))
    )


def layer_cost(
    layer: Layer,
    machine: Machine,
    mappings: Mapping[str, OperandMapping],
    first: Mapping[str, int] | None = None,
) -> LayerCost:
    """Accesses, energy and cycles of a layer under a mapping given for each operand.

    `first`: see `OperandMapping.whole`; only a dimension on several dimensions of the array needs it.

    Raises ValueError where the operands' loops do not make up the same number of cycles, or a port is missing.
    """
    flows = {operand: operand_flow(layer, operand, mappings[operand]) for operand in layer.relevant}
    totals = {operand: flow.total_cycles for operand, flow in flows.items()}
    if len(set(totals.values())) > 1:
        raise ValueError(f"the temporal loops make up different cycle counts: {totals}")
    accesses = [
        row for operand in layer.relevant for row in operand_accesses(layer, operand, machine, flows[operand])
    ]
    whole = {
        operand: operand_flow(layer, operand, mappings[operand].whole(first or {}))
        for operand in layer.relevant
    }
    real = _activities(layer, machine, whole, double_buffered(layer, machine, flows))
    stalls = [
        port_stall([real[key] for key in keys if real[key].periods])
        for _, _, keys, _ in _port_uses(layer, machine)
    ]
    stall = max([0, *stalls])
    cycles = totals[layer.output]
    loading = _loading(layer, machine, whole, real, cycles + stall)
    levels = {operand: len(flow.transfers) for operand, flow in flows.items()}
    out = layer.output
    return LayerCost(
        accesses=tuple(accesses),
        mac_pj=machine.mac_pj * layer.macs,
        memory_pj=sum(row.energy_pj for row in accesses),
        ideal_cycles=math.ceil(layer.macs / machine.units),
        temporal_cycles=cycles,
        stall_cycles=stall,
        onload_cycles=onload(layer, loading, levels),
        offload_cycles=sum(
            max(loading[out, level, "th"][0], loading[out, level + 1, "fl"][0])
            for level in range(1, levels[out])
        ),
    )
