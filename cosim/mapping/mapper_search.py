"""Search of one map space with fixed bypass: labels from the inside out, bounded from the outside in."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.kernels.mapper_fanout import spatial
from cosim.kernels.mapper_labels import keep as keep_best
from cosim.kernels.mapper_labels import least_costs
from cosim.kernels.mapper_loops import outermost, temporal
from cosim.mapping.mapper_arrays import Labels, Stage
from cosim.mapping.mapper_tables import (
    FloatArray,
    Prices,
    empty_batch,
    empty_labels,
    larger_labels,
    packed_labels,
    search_tables,
    tile_words,
    used_words,
)
from cosim.mapping.mapspace import Fanout, IntArray, LevelRule, MapSpaceError, Rules, Shape, Stream
from cosim.mapping.nest import NestArch

MOST_TILES = 20_000_000
BATCH = 16384
CHUNK = 64


@dataclass(slots=True)
class Limits:
    """What a label must beat: cost, 1 / parallelism, their product; `parallel` compares labels by parallelism too."""

    cost: float = math.inf
    share: float = math.inf
    product: float = math.inf
    parallel: bool = False

    @property
    def plain(self) -> bool:
        """Whether cost is the only limit."""
        return self.share == math.inf and self.product == math.inf and not self.parallel

    def array(self) -> FloatArray:
        """For the kernels."""
        return np.array([self.cost, self.share, self.product, float(self.parallel)])


@dataclass(frozen=True, slots=True)
class Found:
    """A complete mapping of the search: its cost by the prices, 1 / parallelism, and per level innermost first the
    temporal factors, the orders (dimension numbers, innermost first), the children and those along x, all (levels, D).
    """

    cost: float
    share: float
    temporal: IntArray
    order: IntArray
    children: IntArray
    along_x: IntArray


@dataclass(slots=True)
class Kept:
    """What is kept of a stage to walk back from a complete mapping."""

    spatial: bool
    level: int
    tile: NDArray[np.int16]
    parent: NDArray[np.int32]
    choice: NDArray[np.int64]


class Search:
    """Labels of one bypass choice."""

    def __init__(
        self, shape: Shape, arch: NestArch, keep: IntArray, streams: tuple[Stream, ...], fanouts: list[Fanout],
        prices: Prices, rules: Rules,
    ) -> None:  # fmt: skip
        self.shape, self.arch, self.keep, self.streams = shape, arch, keep, streams
        self.fanouts, self.prices, self.rules = fanouts, prices, rules
        self.levels = len(arch.levels)
        self.names = [level.name for level in reversed(arch.levels)]
        self.tables = search_tables(shape, streams)
        self.tiles = int(np.prod(self.tables.ndiv))
        if self.tiles > MOST_TILES:
            raise MapSpaceError(f"{self.tiles:,} tiles, the mapper takes {MOST_TILES:,} at most")
        self.wide = np.array([int(f.children.prod(axis=1).max()) for f in fanouts])
        self.last_fanout = [
            max((j for j in range(s.boundary, s.outer + 1) if self.wide[j] > 1), default=-1) for s in streams
        ]
        self.columns = 3 + len(streams) + 2 * keep.shape[1]
        self.batch = empty_batch(BATCH, self.tables, self.columns)
        self.fits = self._fits()
        self.ahead = self._ahead()
        self.before = [self._ahead_of_fanout(level) for level in range(self.levels)]
        self.stages = [
            (lv, sp) for lv in range(self.levels) for sp in (True, False) if not sp or self.wide[lv] > 1
        ]
        self.floor = -math.inf
        self.saved: tuple[int, Labels, list[Kept]] | None = None

    # -- tables -----------------------------------------------------------------------------------------------

    def extents(self) -> IntArray:
        """Extents of every tile, (tiles, D)."""
        t = self.tables
        index = np.arange(self.tiles)[:, None] // t.radix[None, :] % t.ndiv[None, :]
        return np.take_along_axis(t.div, index.T, axis=1).T

    def _fits(self) -> list[NDArray[np.int8]]:
        """Per level, whether a tile fits into it and into all outer ones, (tiles,)."""
        extents = self.extents()
        words = np.stack([tile_words(self.shape, s, extents) for s in range(self.keep.shape[1])], axis=1)
        fits = []
        ok = np.ones(self.tiles, bool)
        for level in range(self.levels - 1, -1, -1):
            spec = self.arch.levels[self.levels - 1 - level]
            if spec.capacity_words is not None:
                bound = math.floor(spec.capacity_words / spec.multiple_buffering)
                ok = ok & ((words * self.keep[level]).sum(axis=1) <= bound)
            fits.append(ok.astype(np.int8))
        return fits[::-1]

    def _credit(self, level: int) -> float:
        """Price of the first partial sums that need not be read or fetched at a level."""
        total = 0.0
        for s in np.flatnonzero(self.shape.output):
            if self.keep[level, s]:
                words = float(tile_words(self.shape, int(s), self.shape.size[None, :])[0])
                write = self.prices.write[level, s] if level < self.levels - 1 else 0.0
                total += words * (self.prices.read[level, s] + write)
        return total

    def _stream_prices(self, stream: Stream) -> tuple[float, float]:
        """Per word: into the inner level, out of the outer one."""
        s, out = stream.space, stream.outer
        fill = self.prices.write[stream.inner, s] if stream.inner >= 0 else 0.0
        update = self.prices.update[out, s] if self.shape.output[s] else 0.0
        return float(fill), float(self.prices.read[out, s] + update)

    def _compulsory(self, level: int) -> float:
        """Least cost of the streams that start at `level`: every word that is used, once."""
        total = 0.0
        for stream in self.streams:
            if stream.boundary == level and stream.inner >= 0:
                total += used_words(self.shape, stream.space) * sum(self._stream_prices(stream))
        return total

    def _ahead(self) -> list[FloatArray]:
        """H of every boundary: least cost of all that starts at or outside it, by the tile there, (tiles,)."""
        top = self.levels - 1
        ahead = [np.zeros(0)] * (self.levels + 1)
        ahead[self.levels] = np.zeros(self.tiles)
        if top == 0:
            return ahead
        if self.wide[top] == 1:
            inner, outer = (
                self._stage(top - 1, False, ahead[top + 1]),
                self._stage(top, False, ahead[top + 1]),
            )
            fits = self.fits[top - 1] if top else self.fits[0]
            ahead[top] = outermost(self.tables, inner, outer, fits, self.batch)
            if ahead[top].min() < 0:
                raise MapSpaceError(f"more than {BATCH} loop orders at {self.names[top]}")
        else:
            ahead[top] = np.full(self.tiles, self._compulsory(top))
        ahead[top] -= self._credit(top)
        for level in range(top - 1, 0, -1):
            best = self._smallest_outside(np.where(self.fits[level], ahead[level + 1], np.inf))
            credit = self._credit(level) * float(np.prod(self.wide[level + 1 :]))
            ahead[level] = best + self._compulsory(level) - credit
        return ahead

    def _ahead_of_fanout(self, level: int) -> FloatArray:
        """Least cost of all that starts outside the tile that the fan-out of a level feeds, (tiles,)."""
        if self.wide[level] == 1:
            return np.zeros(0)
        credit = self._credit(level) * float(np.prod(self.wide[level + 1 :]))
        if level == self.levels - 1:
            return np.full(self.tiles, -credit)
        inside = np.where(self.fits[level], self.ahead[level + 1], np.inf)
        return self._smallest_outside(inside) - credit

    def _smallest_outside(self, values: FloatArray) -> FloatArray:
        """Minimum of `values` over all tiles that a tile divides."""
        t = self.tables
        grid = values.reshape(tuple(t.ndiv[::-1]))
        for d in range(len(t.ndiv)):
            axis = len(t.ndiv) - 1 - d
            view = np.moveaxis(grid, axis, 0).copy()
            for i in range(t.ndiv[d]):
                above = [j for j in range(t.ndiv[d]) if t.div[d, j] % t.div[d, i] == 0]
                view[i] = np.moveaxis(grid, axis, 0)[above].min(axis=0)
            grid = np.moveaxis(view, 0, axis)
        return np.ascontiguousarray(grid).reshape(-1)

    def _stage(self, level: int, spatial: bool, ahead: FloatArray, limits: Limits | None = None) -> Stage:
        """Description of one level's loops or fan-out for the kernels."""
        rule = self.rules.get(self.names[level], LevelRule())
        dims = self.shape.dims
        order = [dims.index(dim) for dim in rule.order if dim in dims]
        count = len(self.streams)
        prices = [self._stream_prices(stream) for stream in self.streams]
        starts = [int(not spatial and s.boundary == level + 1) for s in self.streams]
        waits = [
            int(self.last_fanout[i] > level and s.boundary <= level + 1 - spatial)
            for i, s in enumerate(self.streams)
        ]
        return Stage(
            least=np.array([rule.factors.get(dim, 1) for dim in dims], np.int64),
            most=np.array([rule.factors.get(d, rule.most.get(d, 1 << 62)) for d in dims], np.int64),
            order=np.array(order + [-1] * (len(dims) - len(order)), np.int64),
            waits=np.array(waits, np.int64),
            settles=np.array([int(spatial and self.last_fanout[i] == level) for i in range(count)], np.int64),
            starts=np.array(starts, np.int64),
            fill=np.array([p[0] for p in prices]),
            read=np.array([p[1] for p in prices]),
            credit=0.0 if spatial else self._credit(level),
            leak=float(self.prices.leak[level] * self.shape.volume)
            if spatial or self.wide[level] == 1
            else 0.0,
            feasible=self.fits[level],
            ahead=ahead,
            most_fanout=float(np.prod(self.wide[level + 1 :])),
            leak_ahead=float(self.prices.leak[level + 1 :].sum() * self.shape.volume),
            limits=(limits or Limits()).array(),
        )

    def first_label(self) -> Labels:
        """The empty mapping."""
        labels = empty_labels(1, self.tables, self.columns)
        val = labels.val[0]
        val[0] = self.shape.volume * self.prices.compute
        val[-1] = 1.0
        for i, stream in enumerate(self.streams):
            if stream.inner < 0:
                cost = self.shape.volume * self._stream_prices(stream)[1]
                waiting = self.last_fanout[i] >= 0
                val[1 + len(self.streams) + self.keep.shape[1] + stream.space if waiting else 0] += cost
        labels.alive[0], labels.used[0], labels.head[0] = 1, 1, 0
        labels.follow[0] = labels.parent[0] = -1
        return labels

    # -- search -----------------------------------------------------------------------------------------------

    def run(
        self, limits: Limits, width: int | None = None, tick: Callable[[float], None] | None = None
    ) -> tuple[list[Found], int, bool]:
        """Complete mappings that nothing dominates, best first, the number of labels made, and whether none was cut.

        width: labels kept per stage (None: all that the limits leave). tick: called with the share of the work done.
        """
        begin, labels = 0, self.first_label()
        trail: list[Kept] = []
        if self.saved is not None and limits.plain:
            begin, full, trail = self.saved
            labels = packed_labels(full, self.tables, width, limits.cost)
            trail = [*trail, self._kept(self.stages[begin - 1], labels)]
        made, whole = (
            0,
            self.saved is None
            or not limits.plain
            or labels.alive.shape[0] == int((self.saved[1].bound < limits.cost).sum()),
        )
        for number in range(begin, len(self.stages)):
            level, is_spatial = self.stages[number]
            ahead = self.before[level] if is_spatial else self.ahead[level + 1]
            stage = self._stage(level, is_spatial, ahead, limits)

            def report(part: float, number: int = number) -> None:
                if tick is not None:
                    tick((number + part) / len(self.stages))

            target = self._grow(labels, stage, level, is_spatial, report)
            made += int(target.used[0])
            everything = packed_labels(target, self.tables, None, math.inf)
            if whole and limits.plain:
                self.floor = max(self.floor, min(limits.cost, float(everything.bound.min(initial=math.inf))))
            labels = packed_labels(everything, self.tables, width, math.inf)
            if whole and limits.plain and labels.alive.shape[0] < everything.alive.shape[0]:
                self.saved = (number + 1, everything, list(trail))
            whole = whole and labels.alive.shape[0] == everything.alive.shape[0]
            trail.append(self._kept((level, is_spatial), labels))
            if not labels.alive.shape[0]:
                return [], made, whole
        return self._found(labels, trail), made, whole

    def _kept(self, stage: tuple[int, bool], labels: Labels) -> Kept:
        level, is_spatial = stage
        return Kept(
            is_spatial,
            level,
            labels.tile.astype(np.int16),
            labels.parent.astype(np.int32),
            labels.choice.copy(),
        )

    def root_bound(self) -> float:
        """Lower bound of the cost of any mapping, without search."""
        val = self.first_label().val[0]
        best = float(self._smallest_outside(np.where(self.fits[0], self.ahead[1], np.inf))[0])
        fanout = float(np.prod(self.wide))
        waiting = val[1 + len(self.streams) + self.keep.shape[1] :][: self.keep.shape[1]].sum() / fanout
        return float(
            val[0]
            + waiting
            + best
            - self._credit(0) * fanout
            + self.prices.leak.sum() * self.shape.volume / fanout
        )

    def progress_bound(self) -> float:
        """Lower bound of the cost of any mapping, as far as the searches have got."""
        return max(self.root_bound(), self.floor)

    def _grow(
        self, source: Labels, stage: Stage, level: int, is_spatial: bool,
        report: Callable[[float], None],
    ) -> Labels:  # fmt: skip
        """All labels of the next boundary."""
        first = source.head[source.head >= 0]
        first = first[np.argsort(source.bound[first], kind="stable")]
        target = empty_labels(max(4096, 4 * source.alive.shape[0]), self.tables, self.columns)
        base = least_costs(self.tables, stage, source)
        multicast = int(self.arch.levels[self.levels - 1 - level].multicast)
        whole = int(level == self.levels - 1)
        self.batch.used[0], self.batch.place[0] = 0, -1
        done = 0
        while done < first.size:
            stop = min(first.size, done + CHUNK)
            if is_spatial:
                done = spatial(
                    self.tables, stage, source, first, done, stop, self.fanouts[level].children, multicast,
                    self.shape.output, self.batch,
                )  # fmt: skip
            else:
                done = temporal(self.tables, stage, source, base, first, done, stop, whole, self.batch)
            if done < stop and not self.batch.used[0]:
                raise MapSpaceError(f"more than {BATCH} loop orders at {self.names[level]}")
            while not keep_best(self.tables, stage, self.batch, target):
                target = larger_labels(target)
            report(done / first.size)
        return target

    def _found(self, labels: Labels, trail: list[Kept]) -> list[Found]:
        """Walk back from the complete labels."""
        streams, spaces = len(self.streams), self.keep.shape[1]
        credit = labels.val[:, 1 + streams + 2 * spaces]
        total = labels.val[:, : 1 + streams].sum(axis=1) - credit
        return [
            self._walk_back(i, float(total[i]), float(labels.val[i, -1]), trail)
            for i in np.argsort(total, kind="stable")
        ]

    def _walk_back(self, at: int, cost: float, share: float, trail: list[Kept]) -> Found:
        dims = len(self.shape.dims)
        temporal, children, along_x = (np.ones((self.levels, dims), np.int64) for _ in range(3))
        order = np.zeros((self.levels, dims), np.int64)
        for number in range(len(trail) - 1, -1, -1):
            kept = trail[number]
            if kept.spatial:
                children[kept.level] = self.fanouts[kept.level].children[kept.choice[at]]
                along_x[kept.level] = self.fanouts[kept.level].along_x[kept.choice[at]]
                at = int(kept.parent[at])
                continue
            index = kept.tile[at].astype(np.int64)
            code, above = int(kept.choice[at]), kept.parent[at]
            before = trail[number - 1].tile[above] if number else np.zeros(dims, np.int64)
            temporal[kept.level] = (
                self.tables.div[np.arange(dims), index] // self.tables.div[np.arange(dims), before]
            )
            order[kept.level] = self._order(code, kept.level)
            at = int(above)
        return Found(cost, share, temporal, order, children, along_x)

    def _order(self, code: int, level: int) -> list[int]:
        """Dimensions innermost first; those whose place does not matter come last, rules first."""
        dims = list(range(len(self.shape.dims)))
        found = []
        while code:
            found.append((code & 15) - 1)
            code >>= 4
        rule = self.rules.get(self.names[level], LevelRule())
        named = [self.shape.dims.index(dim) for dim in rule.order if dim in self.shape.dims]
        return found + [d for d in [*named, *(d for d in dims if d not in named)] if d not in found]
