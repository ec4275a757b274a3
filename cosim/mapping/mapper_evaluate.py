"""Exhaustive evaluation of map spaces by the incremental kernel: every tiling, every order, every cost exact."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.kernels.mapper_evaluate import walk_orders, walk_tilings
from cosim.kernels.mapper_tiling import lay_out
from cosim.mapping.mapper_arrays import HARD, IRRELEVANT
from cosim.mapping.mapper_tables import window_partners
from cosim.mapping.mapspace import IntArray, MapSpaceError, Shape, divisors, shape_of, streams_of
from cosim.mapping.nest import NestArch, NestMapping, Problem

Machine = tuple[
    NDArray[np.float64], IntArray, IntArray, NDArray[np.float64], NDArray[np.float64], IntArray, float
]  # fmt: skip
Nest = tuple[IntArray, IntArray, IntArray, IntArray, IntArray, IntArray]


def machine_arrays(arch: NestArch) -> Machine:
    """Numbers of a hierarchy for the kernel, innermost level first; MapSpaceError where rows are shared by clusters."""
    levels = list(reversed(arch.levels))
    if any(level.cluster_size > 1 for level in levels):
        raise MapSpaceError(f"{arch.name}: memories share rows in clusters, which the mapper does not count")

    def unlimited(value: float | None) -> float:
        return math.inf if value is None else float(value)

    return (
        np.array([[lv.energy_read_pj, lv.energy_write_pj, lv.energy_update_pj] for lv in levels]),
        np.array([lv.words_per_row for lv in levels], np.int64),
        np.array(
            [
                -1 if lv.capacity_words is None else math.floor(lv.capacity_words / lv.multiple_buffering)
                for lv in levels
            ],
            np.int64,
        ),
        np.array(
            [
                [
                    unlimited(lv.read_bandwidth_words_per_cycle),
                    unlimited(lv.write_bandwidth_words_per_cycle),
                    unlimited(lv.shared_bandwidth_words_per_cycle),
                ]
                for lv in levels
            ]
        ),
        np.array([*(lv.energy_leak_pj_per_cycle for lv in levels), arch.compute.energy_leak_pj_per_cycle]),
        np.array([int(lv.multicast) for lv in levels], np.int64),
        float(arch.compute.energy_compute_pj),
    )


def nest_arrays(shape: Shape, keep: IntArray) -> Nest:
    """Numbers of a problem and a bypass choice (levels, spaces) for the kernel."""
    return shape.size, shape.kind, shape.coef, window_partners(shape), shape.output, keep


CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Factors:
    """A mapping as arrays, innermost level first: keep (L, S); temporal, across, order (L, D)."""

    keep: IntArray
    temporal: IntArray
    across: IntArray
    order: IntArray


def factors_of(problem: Problem, arch: NestArch, mapping: NestMapping) -> Factors:
    """Arrays of a mapping; MapSpaceError where it is outside the kernel's domain: remainders, a dimension looped over
    twice at a level, link transfers between peers, one level that keeps nothing of a data space."""
    shape = shape_of(problem)
    levels, dims = len(arch.levels), len(shape.dims)
    temporal, across = np.ones((levels, dims), np.int64), np.ones((levels, dims), np.int64)
    order = np.zeros((levels, dims), np.int64)
    keep = np.zeros((levels, len(problem.data_spaces)), np.int64)
    for number, part in enumerate(reversed(mapping.levels)):
        inward: list[int] = []
        for loop in reversed(part.loops):
            if loop.bound == 1:
                continue
            if loop.last != loop.bound:
                raise MapSpaceError(f"loop over {loop.dim} leaves a remainder")
            d = shape.dims.index(loop.dim)
            if loop.spatial:
                across[number, d] *= loop.bound
            elif d in inward:
                raise MapSpaceError(f"two temporal loops over {loop.dim} at one level")
            else:
                temporal[number, d] = loop.bound
                inward.append(d)
        order[number] = inward + [d for d in range(dims) if d not in inward]
        keep[number] = [int(space.name in part.keep) for space in problem.data_spaces]
    return Factors(keep, temporal, across, order)


def stream_table(keep: IntArray) -> IntArray:
    """Streams of a bypass choice for the kernel, (I, 3): space, inner level or -1, outer level; by inner level."""
    rows = sorted((stream.inner, stream.space, stream.outer) for stream in streams_of(keep))
    return np.array([(space, inner, outer) for inner, space, outer in rows], np.int64)


def evaluate_factors(problem: Problem, arch: NestArch, factors: Factors) -> tuple[float, int, IntArray]:
    """Energy in pJ, cycles, and reads, fills, updates per instance (L, S, 3); energy infinite where nothing fits."""
    nest, machine = nest_arrays(shape_of(problem), factors.keep), machine_arrays(arch)
    table = stream_table(factors.keep)
    levels = len(arch.levels)
    span = np.stack((np.arange(levels), np.ones(levels, np.int64)), axis=1)
    best, words = np.full(3, np.inf), np.zeros(len(table), np.int64)
    counts = np.zeros((levels, len(problem.data_spaces), 3), np.int64)
    fits, *laid = lay_out(nest, machine[2], machine[5], table, factors.temporal[None], factors.across[None])
    if not fits[0]:
        return math.inf, 0, counts
    fixed = tuple(array[0] for array in laid)
    walk_orders(
        nest,
        machine,
        factors.temporal,
        fixed,
        table,
        factors.order,
        span,
        best,
        np.zeros(levels, np.int64),
        words,
    )
    reach, first = fixed[3], fixed[4]
    for (space, inner, outer), out, into in zip(table, words * reach, words, strict=True):
        counts[outer, space, 0] = out - first[outer, space]
        counts[outer, space, 2] = out if nest[4][space] else 0
        if inner >= 0:
            counts[inner, space, 1] = into - first[inner, space]
    return float(best[0]), int(best[1]), counts


def _orders_of(shape: Shape, loops: frozenset[int]) -> list[tuple[int, ...]]:
    """Orders of `loops` (innermost first) that some data space can tell apart, by taking what moves nothing first."""
    found: list[tuple[int, ...]] = []

    def grow(order: tuple[int, ...], opens: tuple[int, ...], slid: bool) -> None:
        left = sorted(loops - set(order))
        if not left or not opens:
            found.append((*order, *left))
            return
        seen: set[tuple[int, ...]] = set()
        free = [d for d in left if not slid and all(shape.kind[s, d] == IRRELEVANT for s in opens)]
        for d in free[:1] or left:
            kinds = tuple(int(shape.kind[s, d]) for s in opens)
            if kinds in seen and max(kinds) < 0:
                continue
            seen.add(kinds)
            still = tuple(s for s in opens if shape.kind[s, d] != HARD)
            windows = any(shape.kind[s, e] >= 0 for s in still for e in (*order, d))
            grow((*order, d), still, windows)

    grow((), tuple(range(len(shape.kind))), False)
    return found


def distinct_orders(shape: Shape) -> tuple[IntArray, IntArray]:
    """Orders (R, D), innermost first, that no data space could tell apart left out; and (2 ** D, 2) the first row and
    the number of rows for every set of loops with more than one iteration (bits)."""
    dims = range(len(shape.dims))
    rows: list[tuple[int, ...]] = []
    spans = []
    for bits in range(1 << len(shape.dims)):
        loops = frozenset(d for d in dims if bits >> d & 1)
        rest = tuple(d for d in dims if d not in loops)
        new = [(*order, *rest) for order in _orders_of(shape, loops)]
        spans.append((len(rows), len(new)))
        rows += new
    return np.array(rows, np.int64), np.array(spans, np.int64)


def _splits(size: int, slots: list[bool]) -> list[tuple[int, ...]]:
    """All products of `size` over the slots that are free, 1 elsewhere."""
    if not slots:
        return [()] if size == 1 else []
    options = divisors(size) if slots[0] else [1]
    return [(d, *rest) for d in options for rest in _splits(size // d, slots[1:])]


@dataclass(slots=True)
class Exhaustive:
    """Every mapping of a problem with one bypass choice; `run` walks a part of the tilings."""

    nest: Nest
    machine: Machine
    table: IntArray
    splits: IntArray
    several: IntArray
    mesh: IntArray
    orders: IntArray
    by_loops: IntArray
    best: NDArray[np.float64]
    found: IntArray

    @property
    def tilings(self) -> int:
        """How many tilings there are, those that do not fit included."""
        return math.prod(self.several.tolist())

    def factors(self, numbers: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Temporal factors and children (N, L, D) of the tilings `numbers` whose fan-outs exist, and their numbers."""
        levels, rest, rows = len(self.mesh), numbers, []
        for d, several in enumerate(self.several):
            rows.append(self.splits[d, rest % several])
            rest = rest // several
        split = np.stack(rows, axis=2)
        across, down = split[:, levels : 2 * levels], split[:, 2 * levels :]
        ok = (across.prod(axis=2) <= self.mesh[:, 0]).all(axis=1)
        ok &= (down.prod(axis=2) <= self.mesh[:, 1]).all(axis=1)
        temporal, children = split[ok, :levels], (across * down)[ok]
        return np.ascontiguousarray(temporal), np.ascontiguousarray(children), numbers[ok]

    def run(self, numbers: IntArray) -> int:
        """Evaluate all orders of the tilings `numbers` into `best` (energy in pJ, cycles, their product); how many.

        `found` gets the temporal factors and the children (2 * L, D) of the least energy.
        """
        evaluated = 0
        for begin in range(0, len(numbers), CHUNK):
            temporal, across, _ = self.factors(numbers[begin : begin + CHUNK])
            laid = lay_out(self.nest, self.machine[2], self.machine[5], self.table, temporal, across)
            before, at = self.best[0], np.zeros(1, np.int64)
            evaluated += int(
                walk_tilings(
                    self.nest,
                    self.machine,
                    self.table,
                    temporal,
                    laid,
                    self.orders,
                    self.by_loops,
                    self.best,
                    at,
                )
            )
            if self.best[0] < before:
                self.found = np.concatenate((temporal[at[0]], across[at[0]]))
        return evaluated


def exhaustive(problem: Problem, arch: NestArch, keep: IntArray) -> Exhaustive:
    """The space of `problem` on `arch`; keep (levels, spaces) innermost first.

    The order of the innermost level's loops changes no count, so only one is tried there.
    """
    shape, levels = shape_of(problem), len(arch.levels)
    mesh = np.array([arch.fanout_xy(levels - 1 - level) for level in range(levels)], np.int64)
    slots = [True] * levels + [bool(x > 1) for x in mesh[:, 0]] + [bool(y > 1) for y in mesh[:, 1]]
    rows = [_splits(int(size), slots) for size in shape.size]
    splits = np.ones((len(rows), max(len(row) for row in rows), 3 * levels), np.int64)
    for d, row in enumerate(rows):
        splits[d, : len(row)] = row
    orders, by_loops = distinct_orders(shape)
    return Exhaustive(
        nest=nest_arrays(shape, keep),
        machine=machine_arrays(arch),
        table=stream_table(keep),
        splits=splits,
        several=np.array([len(row) for row in rows], np.int64),
        mesh=mesh,
        orders=orders,
        by_loops=by_loops,
        best=np.full(3, np.inf),
        found=np.ones((2 * levels, len(rows)), np.int64),
    )
