"""The arrays that the search kernels work on."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray as Typed

NDArray = Typed[Any]

IRRELEVANT = -1
HARD = -2


class Tables(NamedTuple):
    """What a problem and its streams look like. D dimensions, S data spaces, I streams, Z window axes.

    size (D,); div (D, M) divisors in rising order, ndiv (D,); radix (D,) of the tile code; index_of (D, max size + 1)
    index of a divisor, -1 where it is none; kind (S, D): -1 irrelevant, -2 alone on its axis, else its window axis;
    coef (S, D); space (I,) data space of a stream; done (D, M) divisor over size; partner (S, D) the other dimension of
    a window; inside (2 ** S,) bits of the loops that close none of a set of data spaces, still: that
    leave all of it alone; windows (S,) 1 for data spaces with windows.
    """

    size: NDArray
    div: NDArray
    ndiv: NDArray
    radix: NDArray
    index_of: NDArray
    kind: NDArray
    coef: NDArray
    space: NDArray
    done: NDArray
    partner: NDArray
    inside: NDArray
    still: NDArray
    windows: NDArray


class Labels(NamedTuple):
    """Labels of one boundary. tile (N, D) divisor indices; val (N, C); state (N, I, Z, 2) extent and rewinding of the
    window axes; is_open (N,) bits of the open streams; parent, choice (N,): where it came from, by which order (four
    bits a dimension, innermost lowest) or spatial choice; alive (N,); follow (N,) next label of the same tile;
    bound (N,) lower bound of the whole cost; head (tiles,) first label of a tile; used (1,) how many there
    are; scratch (2 ** S,).
    """

    tile: NDArray
    val: NDArray
    state: NDArray
    is_open: NDArray
    parent: NDArray
    choice: NDArray
    alive: NDArray
    follow: NDArray
    bound: NDArray
    head: NDArray
    used: NDArray
    scratch: NDArray


class Stage(NamedTuple):
    """One level's temporal loops, or one fan-out.

    least, most (D,) trip counts allowed; order (D,) loops that must be innermost in this sequence, -1 beyond;
    waits (I,) 1 while the reads of a stream await multicast, after this stage; settles (I,) 1 where they stop to wait
    at this fan-out; starts (I,) 1 for the streams that start outside these loops, fill, read (I,) their prices per
    word; credit: price times words of first partial sums that appear here; leak: price of parallelism 1 at this
    fan-out, leak_ahead: after it; feasible (tiles,) 1 where a tile fits; ahead (tiles,) bound of what starts outside;
    most_fanout: largest fan-out still to come; limits (4,): largest cost, largest 1 / parallelism at the end, largest
    product of the two, 1 where parallelism is compared.
    """

    least: NDArray
    most: NDArray
    order: NDArray
    waits: NDArray
    settles: NDArray
    starts: NDArray
    fill: NDArray
    read: NDArray
    credit: float
    leak: float
    feasible: NDArray
    ahead: NDArray
    most_fanout: float
    leak_ahead: float
    limits: NDArray


class Batch(NamedTuple):
    """Labels not yet kept. code (B,) tile code; the rest as in `Labels`; used (1,); place (2 + D,): where to go on,
    the depth (-1: at a tile's start) and label, and the target tile."""

    code: NDArray
    tile: NDArray
    val: NDArray
    state: NDArray
    is_open: NDArray
    parent: NDArray
    choice: NDArray
    used: NDArray
    place: NDArray
