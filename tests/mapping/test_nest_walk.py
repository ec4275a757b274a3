"""The analytic counts against an executor that runs the loops, step by step and child by child.

The executor shares nothing with the engine: it enumerates indices, addresses and sets of words. The engine claims to
be exact, with its default options, for every nest of perfect factors (network accesses, link transfers, fills,
tiles), counting the words of the bounding box that a tile addresses; and for remainders in temporal loops.
It does not claim it for the option "stride", for spatial remainders (all children are taken as copies of the first),
and for a bypass below a level that itself fans out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.mapping.nest import (
    AxisTerm,
    ComputeLevel,
    DataSpace,
    LevelMapping,
    Loop,
    NestArch,
    NestCounts,
    NestMapping,
    Problem,
    StorageLevel,
)
from cosim.mapping.nest_evaluate import evaluate

Words = frozenset[tuple[int, ...]]


@dataclass
class Traffic:
    """What one network carried for one data space."""

    reads: list[int] = field(default_factory=list)  # per parent
    transfers: list[int] = field(default_factory=list)  # per parent
    delivered: int = 0  # to all children
    children: int = 0
    largest: int = 0
    touched: dict[tuple[int, ...], set[tuple[int, ...]]] = field(default_factory=dict)  # per child


class Executor:
    """Runs the nest for one boundary: the children of level `level` (0 outermost) and the loops above them."""

    def __init__(self, problem: Problem, mapping: NestMapping, level: int) -> None:
        flat = [(number, loop) for number, part in enumerate(mapping.levels) for loop in part.loops]
        order = {"temporal": 0, "spatial_y": 1, "spatial_x": 2}
        flat.sort(key=lambda item: (item[0], order[item[1].kind]))
        self.loops = flat
        self.problem = problem
        self.level = level
        outer = range(len(flat))
        self.temporal = [i for i in outer if flat[i][0] <= level and not flat[i][1].spatial]
        self.parents = [i for i in outer if flat[i][0] < level and flat[i][1].spatial]
        self.spread = [i for i in outer if flat[i][0] == level and flat[i][1].spatial]
        self.compute = level == len(mapping.levels) - 1

    def values(self, dim: str, index: dict[int, int]) -> list[int]:
        """Values of `dim` inside the tile at `index` of the outer loops; empty when that step does not exist."""
        mine = [(i, loop) for i, (_, loop) in enumerate(self.loops) if loop.dim == dim]
        found = [(0, True)]  # value so far, whether all loops so far are at their last iteration
        for i, loop in mine:
            step = []
            for value, last in found:
                trips = loop.last if last else loop.bound
                taken = [index[i]] if i in index else range(trips)
                for k in taken:
                    if k < trips:
                        step.append((value * loop.bound + k, last and k + 1 == loop.last))
            found = step
        return sorted(value for value, _ in found)

    def tile(self, space: DataSpace, index: dict[int, int]) -> Words | None:
        """Words of the box that the tile addresses, None when nothing runs there."""
        ranges = []
        for axis in space.axes:
            low = high = 0
            for term in axis:
                values = self.values(term.dim, index)
                if not values:
                    return None
                low += term.coefficient * values[0]
                high += term.coefficient * values[-1]
            ranges.append(range(low, high + 1))
        if any(not self.values(dim, index) for dim in self.problem.dims):
            return None
        return frozenset(itertools.product(*ranges))

    def indices(self, loops: list[int]) -> Iterator[dict[int, int]]:
        for chosen in itertools.product(*(range(self.loops[i][1].bound) for i in loops)):
            yield dict(zip(loops, chosen, strict=True))

    def place(self, index: dict[int, int]) -> tuple[int, int]:
        """Column and row of a child from its x and y indices."""
        column = row = 0
        for i in self.spread:
            loop = self.loops[i][1]
            if loop.kind == "spatial_x":
                column = column * loop.bound + index[i]
            else:
                row = row * loop.bound + index[i]
        return column, row

    def run(self, space: DataSpace) -> Traffic:
        out = Traffic()
        for parent in self.indices(self.parents):
            held: dict[tuple[int, int], Words] = {}
            before: dict[tuple[int, int], Words] = {}
            reads = transfers = 0
            for when in self.indices(self.temporal):
                deltas: dict[tuple[int, int], Words] = {}
                for child in self.indices(self.spread):
                    tile = self.tile(space, parent | when | child)
                    if tile is None:
                        continue
                    at = self.place(child)
                    out.largest = max(out.largest, len(tile))
                    out.touched.setdefault((*parent.values(), *at), set()).update(tile)
                    deltas[at] = tile if self.compute else tile - held.get(at, frozenset())
                    held[at] = tile
                if not deltas:
                    continue
                alone, linked = self.serve(deltas, before)
                reads += alone
                transfers += linked
                out.delivered += sum(len(delta) for delta in deltas.values())
                before = deltas
            out.reads.append(reads)
            out.transfers.append(transfers)
        out.children = len(out.touched)
        return out

    @staticmethod
    def serve(deltas: dict[tuple[int, int], Words], before: dict[tuple[int, int], Words]) -> tuple[int, int]:
        """Parent reads and link transfers of one step."""
        multicast = sum(len(delta) for delta in set(deltas.values()))
        linked = {
            (x, y)
            for (x, y), delta in deltas.items()
            if delta and any(before.get(n) == delta for n in ((x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)))
        }
        rest = sum(len(delta) for delta in {d for at, d in deltas.items() if at not in linked})
        if rest < multicast:
            return rest, sum(len(deltas[at]) for at in linked)
        return multicast, 0


def machine(mapping: NestMapping) -> NestArch:
    """Unbounded levels, each just wide enough for its spatial loops."""
    levels, x, y = [], 1, 1
    for number, part in enumerate(mapping.levels):
        levels.append(StorageLevel(f"L{number}", x * y, x, y))
        for loop in part.loops:
            x *= loop.bound if loop.kind == "spatial_x" else 1
            y *= loop.bound if loop.kind == "spatial_y" else 1
    return NestArch("machine", tuple(levels), ComputeLevel("MAC", x * y, x, y))


def problem_of(kind: str, dims: dict[str, int], stride: int, dilation: int) -> Problem:
    """Small problems with and without sliding windows."""
    term = AxisTerm
    shapes = {
        "gemm": (
            DataSpace("A", ((term("M"),), (term("K"),))),
            DataSpace("B", ((term("K"),), (term("N"),))),
            DataSpace("Z", ((term("M"),), (term("N"),)), True),
        ),
        "conv": (
            DataSpace("A", ((term("K"),), (term("M"),))),
            DataSpace("B", ((term("M", stride), term("K", dilation)),)),
            DataSpace("Z", ((term("M"),), (term("N"),)), True),
        ),
        "window2d": (
            DataSpace("A", ((term("K"),), (term("N"),))),
            DataSpace("B", ((term("M", stride), term("K", dilation)), (term("K"), term("N")))),
            DataSpace("Z", ((term("M"),),), True),
        ),
    }
    return Problem(kind, dims, shapes[kind])


@st.composite
def nests(draw: st.DrawFn, remainders: bool = False) -> tuple[Problem, NestMapping]:
    """Two or three levels, at most five loops, all data spaces kept."""
    count = draw(st.integers(2, 3))
    parts: list[list[Loop]] = [[] for _ in range(count)]
    names = ["M", "N", "K"]
    size, last_size = dict.fromkeys(names, 1), dict.fromkeys(names, 1)
    for _ in range(draw(st.integers(1, 5))):  # from the innermost outwards is not needed: factors commute
        dim = draw(st.sampled_from(names))
        bound = draw(st.integers(2, 4))
        kinds = ["temporal"] if remainders else ["temporal", "temporal", "spatial_x", "spatial_y"]
        parts[draw(st.integers(0, count - 1))].append(Loop(dim, bound, draw(st.sampled_from(kinds))))
    order = {"temporal": 0, "spatial_y": 1, "spatial_x": 2}
    levels = []
    for part in parts:
        part.sort(key=lambda loop: order[loop.kind])
        if remainders:
            part[:] = [replace(loop, last_bound=draw(st.integers(1, loop.bound))) for loop in part]
        levels.append(LevelMapping(tuple(part), frozenset("ABZ")))
    for loop in (loop for level in reversed(levels) for loop in reversed(level.loops)):
        last_size[loop.dim] += size[loop.dim] * (loop.last - 1)
        size[loop.dim] *= loop.bound
    kind = draw(st.sampled_from(["gemm", "conv", "window2d"]))
    problem = problem_of(kind, last_size, draw(st.integers(1, 3)), draw(st.integers(1, 2)))
    return problem, NestMapping(tuple(levels))


def agree(problem: Problem, mapping: NestMapping, counts: NestCounts) -> None:
    """Network accesses, link transfers, fills and tiles of every level and data space equal the executor's."""
    depth = len(mapping.levels)
    for level in range(depth):
        executor = Executor(problem, mapping, level)
        for space in problem.data_spaces:
            ran = executor.run(space)
            inner = f"L{level + 1}" if level + 1 < depth else "MAC"
            network = next(n for n in counts.networks if n.inner == inner and n.data_space == space.name)
            where = (level, space.name)
            assert set(ran.reads) == {network.ingresses}, where
            assert set(ran.transfers) == {network.link_transfers}, where
            if level + 1 == depth:
                continue
            row = counts.access(inner, space.name)
            assert row.tile_words == ran.largest, where
            first = len(next(iter(ran.touched.values()))) if space.read_write else 0
            if space.read_write:
                assert row.partition_words == first, where
            share = Fraction(ran.delivered, ran.children) - first
            assert row.fills == math.floor(share + (Fraction(1, 2) if space.read_write else 0)), where


@settings(max_examples=150, deadline=None)
@given(nests())
def test_perfect_nests_count_as_executed(nest: tuple[Problem, NestMapping]) -> None:
    problem, mapping = nest
    counts = evaluate(problem, machine(mapping), mapping)
    assert isinstance(counts, NestCounts)
    assert counts.computes == problem.macs
    agree(problem, mapping, counts)


@settings(max_examples=100, deadline=None)
@given(nests(remainders=True))
def test_temporal_remainders_count_as_executed(nest: tuple[Problem, NestMapping]) -> None:
    problem, mapping = nest
    counts = evaluate(problem, machine(mapping), mapping)
    assert isinstance(counts, NestCounts)
    assert counts.computes == problem.macs
    agree(problem, mapping, counts)
