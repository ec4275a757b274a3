"""Counting conventions of ZigZag for a given mapping: words, accesses and energy.

Mei et al., "ZigZag: Enlarging Joint Architecture-Mapping Design Space Exploration for DNN Accelerators", IEEE
Transactions on Computers 2021, doi:10.1109/TC.2021.3059962; rules as in the tool of January 2026
(KULeuven-MICAS/zigzag).

Unlike a loop nest with one chain of levels, every operand has its own chain of memories and its own cut of the one
temporal loop order into levels. Memory 1 is the innermost of an operand, n its outermost; level 0 is the array of
multipliers. Spatial loops stand in gaps: gap 0 between the multipliers and memory 1, gap l above memory l. A loop is
relevant (r) to an operand if its address depends on it, else irrelevant (ir).

(1)  A pair of loops a (stride s, steps of an output) and b (step t, of a filter) that address one axis is split into
     a relevant and an irrelevant part, walking inside out:
     size = min(limit, a b - max(0, b - s/g) (a - t/g)), g = gcd(s, t), a and b cut to integers;
     the relevant part of a loop is the growth of `size`, the irrelevant part the growth of a b / size.
(2)  Irrelevant loops at the bottom of a level move to the level below until none is left there; those at the bottom
     of memory 1 make up the cycles that a multiplier keeps its operand.
(3)  units(l) = product of all spatial factors of gap l and above, rounded; unique(l) the same over relevant parts;
     boost(l) = round(unique(l) / unique(l + 1)).
(4)  data(l) = round(product of relevant parts of the temporal loops of memories 1..l and of gaps 0..l-1);
     data(0) = 1.
(5)  period(l) = product of the temporal loops up to memory l; period(0) = the cycles of (2) for inputs, 1 for
     outputs; the number of periods is floor(total cycles / period).
(6)  Inputs: memory l reads data(l-1) boost(l-1) per period(l-1) for the level below and is written data(l) per
     period(l) from above. Outputs: memory l is written int(data(l-1) boost(l-1)) per period(l-1) from below and reads
     as much back if an irrelevant loop stands at this level or above (the first sum too); it reads data(l) per
     period(l) for the level above, and is written as much if sums come back. Nothing moves above the outermost
     memory. Sums that will be added to have the width of partial sums, others that of the result.
(7)  accesses = int(ceil(elements bits / w_min) (w_min / w_max) periods units(l)), w the least and full port width.
(8)  energy = sum of accesses times read or write cost, plus MACs times the cost of one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

Loop = tuple[str, float]
Levels = tuple[tuple[Loop, ...], ...]
Direction = Literal["tl", "fl", "th", "fh"]
DIRECTIONS: tuple[Direction, ...] = ("tl", "fl", "th", "fh")
"""To the level below, from below, to the level above, from above."""
READS = ("tl", "th")


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a memory; widths in bits a cycle, the smaller being the least that one access moves."""

    name: str
    min_bits: int
    max_bits: int


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory; costs are per access of the full port width. `ports` is keyed by (memory operand, direction)."""

    name: str
    size_bits: int
    read_pj: float
    write_pj: float
    operands: tuple[str, ...]
    ports: Mapping[tuple[str, Direction], Port]


@dataclass(frozen=True, slots=True)
class Machine:
    """Memories from the inside out, and the array of multipliers."""

    name: str
    memories: tuple[Memory, ...]
    units: int
    mac_pj: float

    def chain(self, operand: str) -> tuple[Memory, ...]:
        """Memories that hold a memory operand, innermost first."""
        return tuple(memory for memory in self.memories if operand in memory.operands)

    def cut(self, levels: Mapping[str, int]) -> Machine:
        """The machine with so many levels of each memory operand, as for a layer whose data stay on the chip."""
        kept = {link: {memory.name for memory in self.chain(link)[:count]} for link, count in levels.items()}
        memories = []
        for memory in self.memories:
            operands = tuple(link for link in memory.operands if memory.name in kept.get(link, ()))
            if operands:
                memories.append(replace(memory, operands=operands))
        return replace(self, memories=tuple(memories))


@dataclass(frozen=True, slots=True)
class Window:
    """An axis addressed by two dimensions, stride of each; `limit` is the size of the axis without padding."""

    outer: str
    outer_stride: int
    inner: str
    inner_stride: int
    limit: int

    def size(self, outer: float, inner: float) -> int:
        """Distinct positions for so many steps of either dimension, eq. (1)."""
        a, b = int(outer), int(inner)
        g = math.gcd(self.outer_stride, self.inner_stride)
        both = max(0, b - self.outer_stride // g) * (a - self.inner_stride // g)
        return min(self.limit, a * b - both)


@dataclass(frozen=True, slots=True)
class Layer:
    """Loop sizes, addressing and widths. `relevant`: dimensions of each operand, the output first; `windows` names
    the axes that two dimensions address; `links` gives the memory operand of each operand."""

    sizes: Mapping[str, int]
    relevant: Mapping[str, frozenset[str]]
    windows: Mapping[str, Window]
    bits: Mapping[str, int]
    final_bits: int
    links: Mapping[str, str]

    @property
    def output(self) -> str:
        """Name of the output operand."""
        return next(iter(self.relevant))

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return math.prod(self.sizes.values())

    def windowed(self, operand: str) -> bool:
        """Whether the operand has an axis that two dimensions address."""
        return bool(self.relevant[operand] & self.windows.keys())


@dataclass(frozen=True, slots=True)
class OperandMapping:
    """Temporal loops per memory and spatial loops per gap (one more), both from the inside out."""

    temporal: Levels
    spatial: Levels

    def whole(self, first: Mapping[str, int]) -> OperandMapping:
        """The same with spatial factors cut to integers, which is what the latency rules use.

        Where a dimension lies on several array dimensions, `first` is its factor on all but the last of them, which
        is the one that is cut.
        """

        def cut(dim: str, factor: float) -> float:
            share = first.get(dim, 1)
            return float(share * int(factor / share)) if factor > share else float(int(factor))

        spatial = tuple(tuple((dim, cut(dim, factor)) for dim, factor in gap) for gap in self.spatial)
        return OperandMapping(self.temporal, spatial)


@dataclass(frozen=True, slots=True)
class Transfer:
    """Periodic movement: `elements` of `bits` every `period` cycles, `periods` times; `window_cycles` is the part
    of a period in which a memory that holds one copy can be exchanged; `rate_bits` the mean rate per cycle."""

    elements: float
    bits: int
    period: int
    window_cycles: int
    periods: int
    rate_bits: int


IDLE = Transfer(0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class OperandFlow:
    """One operand at all its memories (index 0: memory 1): transfers by direction, copies, bits held, and bits that
    must stay while the content is exchanged."""

    transfers: tuple[Mapping[Direction, Transfer], ...]
    units: tuple[int, ...]
    held_bits: tuple[int, ...]
    effective_bits: tuple[float, ...]
    total_cycles: int


def split_loops(layer: Layer, operand: str, levels: Levels) -> list[list[tuple[bool, float]]]:
    """(relevant, factor) of the loops of every level, loops of a window split in two, eq. (1)."""
    relevant = layer.relevant[operand]
    windows = tuple(layer.windows.values()) if layer.windowed(operand) else ()
    steps: dict[str, float] = {}
    last = dict.fromkeys(windows, (1.0, 1.0))
    out: list[list[tuple[bool, float]]] = []
    for level in levels:
        parts: list[tuple[bool, float]] = []
        for dim, factor in level:
            window = next((w for w in windows if dim in (w.outer, w.inner)), None)
            if window is None:
                parts.append((dim in relevant, factor))
                continue
            steps[dim] = steps.get(dim, 1.0) * factor
            outer, inner = steps.get(window.outer, 1.0), steps.get(window.inner, 1.0)
            size = float(window.size(outer, inner))
            reuse = outer * inner / size
            parts += [(True, size / last[window][0]), (False, reuse / last[window][1])]
            last[window] = (size, reuse)
        out.append(parts)
    return out


def _product(parts: Sequence[tuple[bool, float]], wanted: bool) -> float:
    return math.prod(factor for relevant, factor in parts if relevant is wanted)


def _units(layer: Layer, operand: str, spatial: Levels) -> tuple[list[int], list[int]]:
    """(copies of every level, from level 0; boost of every gap but the outermost, which is 1), eq. (3)."""
    gaps = split_loops(layer, operand, spatial)
    total = [math.prod(factor for _, factor in gap) for gap in gaps]
    alike = [_product(gap, True) for gap in gaps]
    count = [round(round(math.prod(total[level:]), 3)) for level in range(len(gaps))]
    unique = [math.prod(alike[level:]) for level in range(len(gaps))]
    return count, [round(below / above) for below, above in pairwise(unique)] + [1]


def _outermost(loops: Sequence[Loop], dims: frozenset[str], inside: bool) -> float:
    """Product of the outermost loops of a level whose dimension is in `dims` (or, not `inside`, is not)."""
    product = 1.0
    for dim, factor in reversed(loops):
        if (dim in dims) is not inside:
            break
        product *= factor
    return product


def move_down(layer: Layer, operand: str, temporal: Levels) -> Levels:
    """Temporal loops after moving the irrelevant ones at the bottom of each level down, eq. (2)."""
    moving = _moving_dims(layer, operand)
    levels = [list(level) for level in temporal]
    for lower, level in reversed(list(pairwise(levels))):
        while level and level[0][0] not in moving:
            lower.append(level.pop(0))
    moved = tuple(tuple(level) for level in levels)
    return moved if moved == temporal else move_down(layer, operand, moved)


def _stationary(layer: Layer, operand: str, mapping: OperandMapping) -> float:
    """Cycles that a multiplier keeps its word, eq. (2)."""
    if operand == layer.output:
        return 1.0
    moving = _moving_dims(layer, operand)
    product = 1.0
    for dim, factor in mapping.temporal[0]:
        if dim in moving:
            break
        product *= factor
    return product


def _moving_dims(layer: Layer, operand: str) -> frozenset[str]:
    """Dimensions that are not irrelevant: relevant ones and those of windows."""
    dims = layer.relevant[operand]
    if layer.windowed(operand):
        dims = dims | {dim for window in layer.windows.values() for dim in (window.outer, window.inner)}
    return dims


def operand_flow(layer: Layer, operand: str, mapping: OperandMapping) -> OperandFlow:
    """Transfers of one operand, eqs. (2) to (6)."""
    mapping = OperandMapping(move_down(layer, operand, mapping.temporal), mapping.spatial)
    memories = len(mapping.temporal)
    is_output = operand == layer.output
    below = split_loops(
        layer,
        operand,
        tuple(t + s for t, s in zip(mapping.temporal, mapping.spatial, strict=False)),
    )
    alike = [1.0, *(_product(level, True) for level in below)]
    data = [round(math.prod(alike[: level + 1])) for level in range(memories + 1)]
    count, boost = _units(layer, operand, mapping.spatial)
    cycles = [math.prod(factor for _, factor in level) for level in mapping.temporal]
    whole = [math.prod(cycles[: level + 1]) for level in range(memories)]
    period = [int(_stationary(layer, operand, mapping)), *(int(value) for value in whole)]
    returns = _returns(layer, operand, mapping) if is_output else [False] * (memories + 2)
    bits = [
        layer.bits[operand] if returns[level] or not is_output else layer.final_bits
        for level in range(memories + 1)
    ]
    moving = _moving_dims(layer, operand)
    still = [1.0, *(_outermost(level, moving, inside=False) for level in mapping.temporal)]
    fixed = layer.relevant[operand] - _window_dims(layer, operand)
    fresh = [_outermost(level, fixed, inside=True) for level in mapping.temporal]

    def transfer(level: int, factor: int) -> Transfer:
        elements = int(data[level] * factor) if is_output else data[level] * factor
        rate = data[level] * bits[level] / period[level] * factor
        return Transfer(
            elements, bits[level], period[level], int(period[level] / int(still[level])),
            period[-1] // period[level], int(rate),
        )  # fmt: skip

    def memory(level: int) -> dict[Direction, Transfer]:
        down, up = transfer(level - 1, boost[level - 1]), transfer(level, 1)
        top = level == memories
        if not is_output:
            return {"tl": down, "fl": IDLE, "th": IDLE, "fh": IDLE if top else up}
        return {
            "tl": down if returns[level - 1] else IDLE,
            "fl": down,
            "th": IDLE if top else up,
            "fh": up if returns[level] and not top else IDLE,
        }

    held = [data[level] * bits[level] for level in range(1, memories + 1)]
    return OperandFlow(
        transfers=tuple(memory(level) for level in range(1, memories + 1)),
        units=tuple(count[1:]),
        held_bits=tuple(held),
        effective_bits=tuple(value // top for value, top in zip(held, fresh, strict=True)),
        total_cycles=period[-1],
    )


def _window_dims(layer: Layer, operand: str) -> frozenset[str]:
    if not layer.windowed(operand):
        return frozenset()
    pairs = layer.windows.values()
    return frozenset({d for w in pairs for d in (w.outer, w.inner)} | layer.windows.keys())


def _returns(layer: Layer, operand: str, mapping: OperandMapping) -> list[bool]:
    """Whether sums come back to level l from above, i.e. an irrelevant loop stands above it, by level from 0."""
    gaps = ((), *mapping.temporal)
    levels = tuple(t + s for t, s in zip(gaps, mapping.spatial, strict=True))
    adds = [any(not r and factor > 1 for r, factor in parts) for parts in split_loops(layer, operand, levels)]
    return [any(adds[level + 1 :]) for level in range(len(adds))] + [False]


@dataclass(frozen=True, slots=True)
class Accesses:
    """Accesses and energy of one operand at one memory, by direction."""

    operand: str
    memory: str
    counts: Mapping[Direction, int]
    energies_pj: Mapping[Direction, float]
    units: int
    held_bits: int

    @property
    def energy_pj(self) -> float:
        """Energy of all four directions."""
        reads = self.energies_pj["th"] + self.energies_pj["tl"]
        return reads + (self.energies_pj["fh"] + self.energies_pj["fl"])


def count_accesses(transfer: Transfer, port: Port, units: int) -> int:
    """Accesses of the full port width by all copies, eq. (7)."""
    bursts = math.ceil(transfer.elements * transfer.bits / port.min_bits)
    return int(bursts * (port.min_bits / port.max_bits) * transfer.periods * units)


def operand_accesses(layer: Layer, operand: str, machine: Machine, flow: OperandFlow) -> list[Accesses]:
    """Accesses and energies at every memory of one operand, eqs. (7) and (8). ValueError where a port is missing."""
    out = []
    link = layer.links[operand]
    for memory, transfers, units, held in zip(
        machine.chain(link), flow.transfers, flow.units, flow.held_bits, strict=True
    ):
        counts: dict[Direction, int] = {}
        energies: dict[Direction, float] = {}
        for direction in DIRECTIONS:
            transfer, port = transfers[direction], memory.ports.get((link, direction))
            if transfer.elements and port is None:
                raise ValueError(f"{machine.name}: {memory.name} has no port for {link} {direction}")
            counts[direction] = count_accesses(transfer, port, units) if port and transfer.elements else 0
            cost = memory.read_pj if direction in READS else memory.write_pj
            energies[direction] = counts[direction] * cost
        out.append(Accesses(operand, memory.name, counts, energies, units, held))
    return out
