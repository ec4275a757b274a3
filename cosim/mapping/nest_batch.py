"""Cost of many mappings of one problem on one machine: exact, in arrays, a few hundred nanoseconds each.

The rows hold mappings with perfect factors as plain arrays, so that a search can write them without objects. Counts
are those of `evaluate` with its default options; the few rows whose links the fast kernels do not cover go there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cosim.kernels.loopnest_batch import deliveries, distinct, simple_flows, slides
from cosim.kernels.loopnest_links import links
from cosim.kernels.loopnest_price import FITS, TOO_MANY_INSTANCES, TOO_MANY_WORDS, price
from cosim.kernels.loopnest_tiles import steps_above, tiles
from cosim.mapping.nest import (
    AccessCounts,
    Infeasible,
    LevelMapping,
    Loop,
    LoopKind,
    NestArch,
    NestMapping,
    Problem,
    StorageLevel,
)
from cosim.mapping.nest_evaluate import evaluate
from cosim.mapping.nest_lower import coefficients, lower

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

CHUNK = 512
ABSENT, PLAIN, SHARED = 0, 1, 2  # roles of a dimension for a data space
INWARD_KINDS: tuple[LoopKind, ...] = ("spatial_x", "spatial_y", "temporal")
STATUS = {FITS: "fits", TOO_MANY_INSTANCES: "too many instances", TOO_MANY_WORDS: "too many words"}


@dataclass(frozen=True, slots=True)
class NestRows:
    """Mappings as arrays, loops and levels counted from the innermost.

    loops (nests, 2, loops): dimension number (order of `problem.dims`) and trip count, rest unused; firsts (nests,
    levels + 1): where each level's loops start; spreads (nests, levels, 2): with how many x and then y loops a level
    starts; keep (nests, levels, spaces): 0 or 1. Temporal loops may have bound 1 (they do nothing), spatial ones not.
    """

    loops: IntArray
    firsts: IntArray
    spreads: IntArray
    keep: IntArray

    def __len__(self) -> int:
        """Number of mappings."""
        return int(self.loops.shape[0])


@dataclass(frozen=True, slots=True)
class BatchCosts:
    """Costs per mapping: energy_pj and cycles (infinite where it does not fit), status (see `STATUS`), how many rows
    took the general path, and, where asked for, accesses (nests, levels from the innermost, spaces, 3): reads, fills,
    updates per instance."""

    energy_pj: FloatArray
    cycles: FloatArray
    status: IntArray
    general: int
    accesses: FloatArray


def pack(problem: Problem, arch: NestArch, mappings: Sequence[NestMapping]) -> NestRows:
    """Rows of mapping objects. ValueError where one leaves a remainder or does not belong to the problem."""
    lowered = [lower(problem, arch, mapping) for mapping in mappings]
    if not all(low.perfect for low in lowered):
        raise ValueError("a mapping leaves a remainder: batches hold perfect factors, use evaluate")
    loops = np.ones((len(lowered), 2, max(low.nest.shape[1] for low in lowered)), np.int64)
    spreads = np.zeros((len(lowered), len(arch.levels), 2), np.int64)
    for row, low in enumerate(lowered):
        loops[row, :, : low.nest.shape[1]] = low.nest[:2]
        for level, start in enumerate(low.first[:-1]):
            spread = low.is_x[start : start + low.spatial[level]]
            spreads[row, level] = spread.sum(), (1 - spread).sum()
    firsts, keep = np.stack([low.first for low in lowered]), np.stack([low.keep for low in lowered])
    return NestRows(loops, firsts, spreads, keep)


def unpack(problem: Problem, rows: NestRows, row: int) -> NestMapping:
    """Mapping object of one row, without loops of bound 1."""
    names = [space.name for space in problem.data_spaces]
    dims = list(problem.dims)
    levels = []
    for level in range(rows.firsts.shape[1] - 2, -1, -1):
        start, stop = int(rows.firsts[row, level]), int(rows.firsts[row, level + 1])
        x, y = (int(count) for count in rows.spreads[row, level])
        kinds: list[LoopKind] = []
        for kind, count in zip(INWARD_KINDS, (x, y, stop - start - x - y), strict=True):
            kinds += [kind] * count
        loops = [
            Loop(dims[rows.loops[row, 0, start + k]], int(rows.loops[row, 1, start + k]), kind)
            for k, kind in enumerate(kinds)
            if rows.loops[row, 1, start + k] > 1
        ]
        kept = frozenset(name for s, name in enumerate(names) if rows.keep[row, level, s])
        levels.append(LevelMapping(tuple(reversed(loops)), kept))
    return NestMapping(tuple(levels))


class NestEvaluator:
    """Costs mappings of `problem` on `arch`; `link_transfers` False switches links off on every level."""

    def __init__(self, problem: Problem, arch: NestArch, link_transfers: bool = True) -> None:
        self.problem, self.arch = problem, arch
        levels = tuple(reversed(arch.levels))
        self._links = np.array([int(link_transfers and level.link_transfers) for level in levels], np.int64)
        self._outputs = np.array([int(space.read_write) for space in problem.data_spaces], np.int64)
        self._table = np.array([_level_row(level) for level in levels], np.float64)
        self._spaces = tuple(range(len(problem.data_spaces)))
        unit = arch.compute
        self._units = np.array(
            [unit.mesh_x, unit.mesh_y, unit.energy_compute_pj, unit.energy_leak_pj_per_cycle], np.float64
        )
        self._tables, regular = _problem_tables(problem)
        self._regular = regular and all(level.multicast for level in levels)

    def __call__(self, rows: NestRows, accesses: bool = False) -> BatchCosts:
        """Costs of all rows; `accesses` True also returns reads, fills and updates.

        The rows must make up the problem: factors are not checked here, `evaluate` does that.
        """
        count, levels, spaces = len(rows), len(self.arch.levels), len(self.problem.data_spaces)
        out = BatchCosts(
            np.empty(count),
            np.empty(count),
            np.empty(count, np.int64),
            0,
            np.zeros((count if accesses else 0, levels, spaces, 3)),
        )
        general: list[int] = []
        room = _Scratch.empty(
            min(CHUNK, count), rows.loops.shape[2], levels, spaces, int(self._tables.axes[-1])
        )
        for low in range(0, count, CHUNK):
            part = slice(low, min(count, low + CHUNK))
            scratch = room if part.stop - low == CHUNK else room.head(part.stop - low)
            self._flows(rows, part, scratch)
            price(
                self._spaces, scratch.flow, scratch.tile, scratch.union, scratch.span, scratch.after[:, 0].copy(),
                rows.keep[part], self._outputs, self._table, self._units, out.energy_pj[part], out.cycles[part],
                out.status[part], out.accesses[part] if accesses else out.accesses,
            )  # fmt: skip
            open_rows = (scratch.covered == 0) & (out.status[part] == FITS)
            general += (low + np.nonzero(open_rows)[0]).tolist()
        for row in general:
            self._general(rows, row, out)
        return BatchCosts(out.energy_pj, out.cycles, out.status, len(general), out.accesses)

    def _flows(self, rows: NestRows, part: slice, z: _Scratch) -> None:
        """Tiles and traffic of some rows into z."""
        loops, firsts, spreads = rows.loops[part], rows.firsts[part], rows.spreads[part]
        t = self._tables
        tiles(
            self._spaces, loops, firsts, spreads, t.roles, t.units, t.axes, t.terms, z.stride, z.temporal, z.starts,
            z.extent, z.tile, z.union, z.groups, z.span,
        )  # fmt: skip
        steps_above(self._spaces, z.temporal, z.starts, t.roles, z.after, z.relevant, z.plain)
        count = simple_flows(
            self._spaces, loops, firsts, spreads, self._links, t.roles, t.axis, t.windowed, z.temporal, z.starts,
            z.after, z.relevant, z.plain, z.tile, z.groups, z.span, z.flow, z.cases,
        )  # fmt: skip
        slides(
            count, z.cases, t.axis, t.coefficient, t.axes, z.temporal, z.starts, z.after, z.plain, z.extent, z.tile,
            z.run, z.moves, z.deltas,
        )  # fmt: skip
        distinct(
            count,
            z.cases,
            loops,
            firsts,
            spreads,
            t.roles,
            t.axis,
            t.coefficient,
            z.stride,
            z.groups,
            z.differ,
        )
        links(
            count, z.cases, self._links, loops, firsts, spreads, t.roles, t.axis, t.coefficient, t.axes, z.stride,
            z.temporal, z.starts, z.plain, z.extent, z.tile, z.span, z.moves, z.deltas, z.differ, z.linked,
        )  # fmt: skip
        z.covered[:] = int(self._regular)
        deliveries(count, z.cases, z.run, z.differ, z.linked, z.after, z.plain, z.groups, z.flow, z.covered)

    def _general(self, rows: NestRows, row: int, out: BatchCosts) -> None:
        """Cost of one row by the general kernels, into `out`."""
        counts = evaluate(self.problem, self.arch, unpack(self.problem, rows, row))
        if isinstance(counts, Infeasible):
            raise ValueError(f"row {row} is refused: {counts.reason}")
        out.energy_pj[row], out.cycles[row] = counts.energy_pj, counts.cycles
        if out.accesses.shape[0]:
            out.accesses[row] = access_array(self.problem, self.arch, counts.accesses)


def access_array(problem: Problem, arch: NestArch, accesses: Sequence[AccessCounts]) -> FloatArray:
    """Reads, fills, updates as (levels from the innermost, spaces, 3); 0 where a level keeps nothing."""
    spaces = [space.name for space in problem.data_spaces]
    levels = [level.name for level in reversed(arch.levels)]
    table = np.zeros((len(levels), len(spaces), 3))
    for row in accesses:
        table[levels.index(row.level), spaces.index(row.data_space)] = row.reads, row.fills, row.updates
    return table


def _level_row(level: StorageLevel) -> tuple[float, ...]:
    """Line of the table of levels of the pricing kernel."""
    bandwidths = [
        math.inf if bandwidth is None else bandwidth
        for bandwidth in (
            level.read_bandwidth_words_per_cycle,
            level.write_bandwidth_words_per_cycle,
            level.shared_bandwidth_words_per_cycle,
        )
    ]
    capacity = math.inf
    if level.capacity_words is not None:
        capacity = math.floor(level.capacity_words / level.multiple_buffering)
    block = level.words_per_row
    return (
        level.energy_read_pj,
        level.energy_write_pj,
        level.energy_update_pj,
        level.energy_leak_pj_per_cycle,
        block,
        level.instances // level.cluster_size,
        capacity,
        level.mesh_x,
        level.mesh_y,
        *bandwidths,
        float(min(bandwidths) < math.inf),
        1.0 / block if block & (block - 1) == 0 else 0.0,
    )


@dataclass(frozen=True, slots=True)
class _ProblemTables:
    """A problem as the tiles and batch kernels want it, see there."""

    roles: IntArray
    units: IntArray
    axis: IntArray
    coefficient: IntArray
    axes: IntArray
    terms: IntArray
    windowed: IntArray


def _problem_tables(problem: Problem) -> tuple[_ProblemTables, bool]:
    """Tables of the kernels, and whether no shared dimension has two axes, as they ask."""
    shape = (len(problem.data_spaces), len(problem.dims))
    roles, axis = np.full(shape, ABSENT, np.int64), np.full(shape, -1, np.int64)
    coefficient, units = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    terms: list[list[tuple[int, int]]] = []
    first_axis = []
    regular = True
    for s, space in enumerate(problem.data_spaces):
        table = coefficients(problem, space)
        first_axis.append(len(terms))
        units[s] = (table.sum(axis=0) == 1) & (table[(table > 0).sum(axis=1) == 1].sum(axis=0) == 1)
        boxed = [row for row in table if not units[s][row > 0].any()]
        terms += [[(int(d), int(row[d])) for d in np.nonzero(row)[0]] for row in boxed]
        for d in range(shape[1]):
            used = [a for a, row in enumerate(boxed) if row[d]]
            if units[s, d] or any((boxed[a] > 0).sum() == 1 for a in used):
                roles[s, d] = PLAIN
            elif used:
                roles[s, d], axis[s, d], coefficient[s, d] = SHARED, used[0], boxed[used[0]][d]
                regular = regular and len(used) == 1
    table_of_terms = np.zeros((max(len(terms) + 1, sum(map(len, terms))), 3), np.int64)
    table_of_terms[: len(terms) + 1, 0] = np.cumsum([0, *(len(part) for part in terms)])
    for number, term in enumerate(term for part in terms for term in part):
        table_of_terms[number, 1:] = term
    tables = _ProblemTables(
        roles=roles,
        units=units,
        axis=axis,
        coefficient=coefficient,
        axes=np.array([*first_axis, len(terms)], np.int64),
        terms=table_of_terms,
        windowed=(roles == SHARED).any(axis=1).astype(np.int64),
    )
    return tables, regular


@dataclass(frozen=True, slots=True)
class _Scratch:
    """Arrays that travel between the kernels, for one chunk of nests."""

    stride: IntArray
    temporal: IntArray
    starts: IntArray
    extent: IntArray
    tile: IntArray
    union: IntArray
    groups: IntArray
    span: IntArray
    after: FloatArray
    relevant: IntArray
    plain: IntArray
    flow: FloatArray
    cases: IntArray
    run: FloatArray
    moves: IntArray
    deltas: IntArray
    linked: FloatArray
    differ: IntArray
    covered: IntArray

    def head(self, nests: int) -> _Scratch:
        """The first `nests` nests of every array (all cases stay)."""
        by_case = ("cases", "run", "moves", "deltas", "linked", "differ")
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        return _Scratch(**{name: part if name in by_case else part[:nests] for name, part in parts.items()})

    @classmethod
    def empty(cls, nests: int, loops: int, levels: int, spaces: int, axes: int) -> _Scratch:
        """Room for `nests` nests."""
        cases = nests * levels * spaces

        def whole(*shape: int) -> IntArray:
            return np.empty(shape, np.int64)

        return cls(
            stride=whole(nests, loops),
            temporal=whole(nests, 3, loops + 1),
            starts=whole(nests, levels + 1),
            extent=whole(nests, levels + 1, max(1, axes)),
            tile=whole(nests, levels + 1, spaces),
            union=whole(nests, levels, spaces),
            groups=whole(nests, levels, spaces),
            span=whole(nests, levels, 2),
            after=np.empty((nests, loops + 1)),
            relevant=whole(nests, levels, spaces),
            plain=whole(nests, levels, spaces),
            flow=np.empty((nests, spaces, levels, 3)),
            cases=whole(cases, 4),
            run=np.empty(cases),
            moves=whole(cases, loops, max(1, axes)),
            deltas=whole(cases, loops),
            linked=np.empty((cases, 3)),
            differ=whole(cases),
            covered=whole(nests),
        )
