"""Arrays for the search kernels: divisors, windows, prices, words of tiles, room for labels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.kernels.mapper_labels import link
from cosim.mapping.mapper_arrays import HARD, IRRELEVANT, Batch, Labels, Tables
from cosim.mapping.mapspace import IntArray, Shape, Stream, divisors
from cosim.mapping.nest import NestArch

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Prices:
    """What an access costs, per word: read, write (fill), update (levels, S), innermost level first; per
    multiply-accumulate; and per cycle of a level (levels,) at parallelism 1."""

    read: FloatArray
    write: FloatArray
    update: FloatArray
    leak: FloatArray
    compute: float


def energy_prices(arch: NestArch, spaces: int) -> Prices:
    """Prices in pJ. Rows are counted as fractions, which is never more than whole rows."""
    levels = list(reversed(arch.levels))

    def column(values: list[float]) -> FloatArray:
        return np.repeat(np.array(values)[:, None], spaces, axis=1)

    return Prices(
        read=column([lv.energy_read_pj / lv.words_per_row for lv in levels]),
        write=column([lv.energy_write_pj / lv.words_per_row for lv in levels]),
        update=column([lv.energy_update_pj / lv.words_per_row for lv in levels]),
        leak=np.array([lv.energy_leak_pj_per_cycle for lv in levels]),
        compute=arch.compute.energy_compute_pj + arch.compute.energy_leak_pj_per_cycle,
    )


def tile_words(shape: Shape, space: int, extents: IntArray) -> IntArray:
    """Words of the box that a data space needs for tiles (N, D), (N,)."""
    words = np.ones(extents.shape[0], np.int64)
    kind = shape.kind[space]
    for d in np.flatnonzero(kind == HARD):
        words *= 1 + shape.coef[space, d] * (extents[:, d] - 1)
    for z in range(int(kind.max()) + 1):
        side = np.ones(extents.shape[0], np.int64)
        for d in np.flatnonzero(kind == z):
            side += shape.coef[space, d] * (extents[:, d] - 1)
        words *= side
    return words


def used_words(shape: Shape, space: int) -> int:
    """Words of a data space that some multiply-accumulate uses."""
    kind = shape.kind[space]
    words = int(np.prod(shape.size[kind == HARD]))
    for z in range(int(kind.max()) + 1):
        (d, e) = np.flatnonzero(kind == z)
        n, m = int(shape.size[d]), int(shape.size[e])
        g = math.gcd(int(shape.coef[space, d]), int(shape.coef[space, e]))
        a, b = int(shape.coef[space, d]) // g, int(shape.coef[space, e]) // g
        words *= n * m - max(0, n - b) * max(0, m - a)
    return words


def search_tables(shape: Shape, streams: tuple[Stream, ...]) -> Tables:
    lists = [divisors(int(size)) for size in shape.size]
    most = max(len(row) for row in lists)
    index_of = np.full((len(lists), int(shape.size.max()) + 1), -1, np.int64)
    for d, row in enumerate(lists):
        index_of[d, row] = np.arange(len(row))
    ndiv = np.array([len(row) for row in lists], np.int64)
    return Tables(
        size=shape.size,
        div=np.array([row + [0] * (most - len(row)) for row in lists], np.int64),
        ndiv=ndiv,
        radix=np.concatenate(([1], np.cumprod(ndiv)[:-1])).astype(np.int64),
        index_of=index_of,
        kind=shape.kind,
        coef=shape.coef,
        space=np.array([stream.space for stream in streams], np.int64),
        done=np.array([row + [0] * (most - len(row)) for row in lists]) / shape.size[:, None],
        partner=window_partners(shape),
        inside=_inside(shape, shape.kind == HARD),
        still=_inside(shape, shape.kind != IRRELEVANT),
        windows=np.array([int((row >= 0).any()) for row in shape.kind], np.int64),
    )


def window_partners(shape: Shape) -> IntArray:
    """The other dimension of every window, -1 where there is none, (S, D)."""
    kind = shape.kind
    partner = np.full(kind.shape, -1, np.int64)
    for s, d in np.argwhere(kind >= 0):
        (partner[s, d],) = (e for e in np.flatnonzero(kind[s] == kind[s, d]) if e != d)
    return partner


def _inside(shape: Shape, closes: NDArray[np.bool_]) -> IntArray:
    """Bits of the loops that close none of a set of data spaces, by the bits of the set, (2 ** S,); closes (S, D)."""
    spaces, dims = shape.kind.shape
    sets = []
    for mask in range(1 << spaces):
        members = [s for s in range(spaces) if mask >> s & 1]
        sets.append(sum(1 << d for d in range(dims) if not closes[members, d].any()))
    return np.array(sets, np.int64)


def empty_labels(room: int, t: Tables, columns: int) -> Labels:
    """Arrays for `room` labels, `columns` numbers each."""
    dims, streams = t.size.shape[0], t.space.shape[0]
    windows = max(1, int(t.kind.max()) + 1)
    is_open, parent, choice, alive, follow = (np.zeros(room, np.int64) for _ in range(5))
    return Labels(
        np.zeros((room, dims), np.int64), np.zeros((room, columns)),
        np.zeros((room, streams, windows, 2), np.int64), is_open, parent, choice, alive, follow, np.zeros(room),
        np.full(int(t.ndiv.prod()), -1, np.int64), np.zeros(1, np.int64), np.zeros(1 << t.kind.shape[0]),
    )  # fmt: skip


def larger_labels(labels: Labels) -> Labels:
    """Room for twice as many."""
    grown = [np.concatenate((array, np.zeros_like(array))) for array in labels[:-3]]
    return Labels._make([*grown, *labels[-3:]])


def packed_labels(labels: Labels, t: Tables, width: int | None, limit: float) -> Labels:
    """Only the labels still alive whose bound is below `limit`; with `width` only those of least bound."""
    chosen = np.flatnonzero((labels.alive[: labels.used[0]] == 1) & (labels.bound[: labels.used[0]] < limit))
    if width is not None and chosen.size > width:
        chosen = chosen[np.argsort(labels.bound[chosen], kind="stable")[:width]]
    arrays = [array[chosen] for array in labels[:-3]]
    head, used = np.full_like(labels.head, -1), np.array([chosen.size], np.int64)
    packed = Labels._make([*arrays, head, used, labels.scratch])
    link(packed, t.radix)
    return packed


def empty_batch(room: int, t: Tables, columns: int) -> Batch:
    """Arrays for `room` labels that have still to be kept."""
    dims, streams = t.size.shape[0], t.space.shape[0]
    windows = max(1, int(t.kind.max()) + 1)
    codes, is_open, parent, choice = (np.zeros(room, np.int64) for _ in range(4))
    place = np.full(2 + dims, -1, np.int64)
    return Batch(
        codes, np.zeros((room, dims), np.int64), np.zeros((room, columns)),
        np.zeros((room, streams, windows, 2), np.int64), is_open, parent, choice, np.zeros(1, np.int64), place,
    )  # fmt: skip
