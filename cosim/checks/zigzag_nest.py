"""The same mapping in the loop-nest engine, and where ZigZag's conventions make a difference.

Every operand becomes a nest of its own: a chain of its memories with its cut of the loops, the spatial loops of a gap
being those of the memory above. Words are turned into energy at the widths and costs of the machine, without rounding
to whole port words, so that what is left are differences in counting:

port words      ZigZag moves whole least port words a period; the engine charges the words that move. The engine's
                machines state a row size where that matters (`words_per_row`).
first sums      ZigZag reads a partial sum back also for the first product of an output, which is a read of nothing.
                Default of the engine: the first sum is written (`first_read_elision`), since every accumulator can
                select zero, and the count of words is then that of a walk over the loops.
passing on      ZigZag reads an output once more to hand it to the level above; the engine, as timeloop-model, lets
                the last read of an accumulation serve for that.
multipliers     ZigZag lets a multiplier keep an input while only irrelevant loops run; the engine has no register
                there that the machine does not state, and reads the word every cycle.
windows         ZigZag reloads a tile whole, but never counts padding; the engine fetches the words that the tile
                before did not hold (`temporal_reuse`), in a bounding box that has padding and the positions that a
                stride skips.
remainders      ZigZag spreads a dimension that does not divide evenly, by fractions of a unit; the engine runs full
                units and a last one that is partly filled, as the hardware does.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from cosim.mapping.nest import (
    AxisTerm,
    ComputeLevel,
    CountOptions,
    DataSpace,
    Infeasible,
    LevelMapping,
    Loop,
    LoopKind,
    NestArch,
    NestCounts,
    NestMapping,
    Problem,
    StorageLevel,
)
from cosim.mapping.nest_evaluate import evaluate
from cosim.mapping.zigzag_model import (
    DIRECTIONS,
    READS,
    Direction,
    Layer,
    Machine,
    OperandFlow,
    OperandMapping,
    Window,
    move_down,
    operand_flow,
)
from cosim.mapping.zigzag_model_latency import LayerCost

CONVENTIONS = ("port words", "first sums", "passing on", "multipliers", "windows", "remainders", "other")
OPTIONS = CountOptions(link_transfers=False)
LONGEST_WALK = 500_000
"""Steps of a mapping with remainders, which are walked one by one, that are still worth the time."""
Words = Mapping[Direction, float]


@dataclass(frozen=True, slots=True)
class NestComparison:
    """The engine's energy and cycles of a layer, and engine minus ZigZag by convention; all energies in pJ."""

    energy_pj: float
    cycles: int
    differences_pj: Mapping[str, float]


def _axis(layer: Layer, window: Window) -> tuple[AxisTerm, ...]:
    """Address on a window's axis, counting only every g-th position where all steps are multiples of g."""
    steps = [(window.outer, window.outer_stride), (window.inner, window.inner_stride)]
    moving = [(dim, step) for dim, step in steps if layer.sizes[dim] > 1] or steps[:1]
    g = math.gcd(*(step for _, step in moving))
    return tuple(AxisTerm(dim, step // g) for dim, step in moving)


def _problem(layer: Layer, operand: str) -> Problem:
    axes: list[tuple[AxisTerm, ...]] = []
    for dim in sorted(layer.relevant[operand]):
        window = layer.windows.get(dim)
        if window is None:
            axes.append((AxisTerm(dim),))
        else:
            axes.append(_axis(layer, window))
    space = DataSpace(operand, tuple(axes), read_write=operand == layer.output)
    return Problem("layer", dict(layer.sizes), (space,))


def _loops(layer: Layer, mapping: OperandMapping) -> list[tuple[list[Loop], list[Loop]]]:
    """(spatial loops below, temporal loops) of every memory, innermost loop first, with whole bounds, eq. (1).

    (1) bound = ceil(factor); last - 1 = digits of size - 1 in the bounds of the loops of a dimension, inside out
    """
    left = {dim: size - 1 for dim, size in layer.sizes.items()}

    def loop(dim: str, factor: float, kind: LoopKind) -> Loop:
        bound = math.ceil(factor - 1e-9)
        left[dim], digit = divmod(left[dim], bound)
        return Loop(dim, bound, kind, digit + 1)

    out = []
    for gap, level in zip(mapping.spatial, mapping.temporal, strict=False):
        spread = [loop(dim, factor, "spatial_x") for dim, factor in gap]
        out.append((spread, [loop(dim, factor, "temporal") for dim, factor in level]))
    return out


def fractional(mapping: OperandMapping) -> bool:
    """Whether a dimension is spread by a factor that is no integer."""
    return any(factor != int(factor) for gap in mapping.spatial for _, factor in gap)


def run_nest(layer: Layer, operand: str, mapping: OperandMapping) -> NestCounts | Infeasible:
    """The engine on one operand; levels are called "1", "2"... from the inside.

    ValueError for a mapping that has no nest (spatial loops above the outermost memory) or is too long to walk.
    """
    if mapping.spatial[-1]:
        raise ValueError("an operand is spread over several outermost memories")
    steps = math.prod(int(factor) for level in mapping.temporal for _, factor in level)
    if fractional(mapping) and steps > LONGEST_WALK:
        raise ValueError(f"a mapping with remainders and more than {LONGEST_WALK} steps is not walked")
    mapping = OperandMapping(move_down(layer, operand, mapping.temporal), mapping.spatial)
    levels, loops, instances = [], [], 1
    for number, (spatial, temporal) in reversed(list(enumerate(_loops(layer, mapping), start=1))):
        levels.append(StorageLevel(str(number), instances, instances))
        loops.append(LevelMapping((*reversed(temporal), *spatial), frozenset({operand})))
        instances *= math.prod(loop.bound for loop in spatial)
    arch = NestArch("chain", tuple(levels), ComputeLevel("MAC", instances, instances))
    return evaluate(_problem(layer, operand), arch, NestMapping(tuple(loops)), OPTIONS)


def _engine_words(operand: str, counts: NestCounts, memories: int) -> list[Words]:
    """Words by direction over all copies of every memory, from memory 1."""
    out: list[Words] = []
    for number in range(1, memories + 1):
        row = counts.access(str(number), operand)
        reads, fills, updates = (
            float(words * row.instances_used) for words in (row.reads, row.fills, row.updates)
        )
        out.append({"tl": reads, "fl": updates, "th": 0.0, "fh": 0.0 if number == memories else fills})
    return out


def _reason(layer: Layer, operand: str, direction: Direction, kept: bool, fractions: bool) -> str:
    """Convention behind a difference; `kept`: read for multipliers that keep the word over several cycles."""
    if operand == layer.output and direction == "th":
        return "passing on"
    if operand == layer.output and direction in ("tl", "fh"):
        return "first sums"
    if fractions:
        return "remainders"
    if kept:
        return "multipliers"
    return "windows" if layer.windowed(operand) else "other"


def _operand(
    layer: Layer, machine: Machine, operand: str, flow: OperandFlow, counts: NestCounts, fractions: bool
) -> tuple[float, float, dict[str, float]]:
    """(engine's energy, ZigZag's without rounding to port words, differences) of one operand in pJ."""
    link = layer.links[operand]
    chain = machine.chain(link)
    engine = peer = 0.0
    differences: dict[str, float] = defaultdict(float)
    for index, words in enumerate(_engine_words(operand, counts, len(chain))):
        memory = chain[index]
        for direction in DIRECTIONS:
            port = memory.ports.get((link, direction))
            if port is None:
                continue
            transfer = flow.transfers[index][direction]
            below = direction in ("tl", "fl")
            source = flow.transfers[index]["fl"] if below and operand == layer.output else transfer
            bits = source.bits or (layer.bits[operand] if words[direction] else 0)
            cost = (memory.read_pj if direction in READS else memory.write_pj) * bits / port.max_bits
            kept = index == 0 and direction == "tl" and transfer.period > 1
            ours = words[direction] * cost
            theirs = transfer.elements * transfer.periods * flow.units[index] * cost
            engine += ours
            peer += theirs
            differences[_reason(layer, operand, direction, kept, fractions)] += ours - theirs
    return engine, peer, differences


def compare_nest(
    layer: Layer, machine: Machine, mappings: Mapping[str, OperandMapping], cost: LayerCost
) -> NestComparison | str:
    """The engine on the mapping that `cost` was made from; a sentence where the mapping has no nest."""
    energy, exact, cycles = cost.mac_pj, 0.0, 0
    differences = dict.fromkeys(CONVENTIONS, 0.0)
    for operand, mapping in mappings.items():
        try:
            counts = run_nest(layer, operand, mapping)
        except ValueError as error:
            return str(error)
        if isinstance(counts, Infeasible):
            return counts.reason
        ours, theirs, parts = _operand(
            layer, machine, operand, operand_flow(layer, operand, mapping), counts, fractional(mapping)
        )
        energy, exact, cycles = energy + ours, exact + theirs, max(cycles, counts.compute_cycles)
        for name, value in parts.items():
            differences[name] += value
    differences["port words"] = exact - cost.memory_pj
    return NestComparison(energy, cycles, differences)
