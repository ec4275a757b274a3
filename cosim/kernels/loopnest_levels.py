"""From network traffic to accesses per memory level: bypass, fills, partial sums; then cycles and energy.

Levels are numbered innermost first. The rules are those of timeloop-model (NVlabs/timeloop):

    (1) share_l     = sum over entries of l + 1 of accesses * factor / fan-out        words a child takes
    (2) a level that bypasses a data space hands the accesses of its children to the next outer level, whose
        entries grow by content_l * fan-out / sum(accesses * factor) and whose link transfers end
    (3) peer_l      = link transfers of l + 1 / peers of l                            reads and fills between peers
    (4) inputs:     reads = content + peer, fills = share + peer
    (5) outputs:    updates = content, reads = content + peer - partition (the first sum of a word needs no read),
                    fills = share + peer - partition (a first sum is not fetched), except at the outermost level
    (6) energy      = (ceil(reads / block) * read + ceil(fills / block) * write + ceil(updates / block) * update)
                      * instances, once per cluster
    (7) cycles      = ceil(compute cycles * max(1, reads per cycle / read bandwidth, ...))
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

NDArray = np.ndarray


@njit(cache=True)
def _round(value: float) -> float:
    """Half away from zero."""
    return math.floor(value + 0.5) if value >= 0.0 else -math.floor(-value + 0.5)


@njit(cache=True)
def partitions(size: NDArray, union: NDArray) -> NDArray:
    """Words of the data space that one instance of each level sees over the whole run, (levels,).

    size (levels,) tile words; union (levels,) words of the children's tiles together, 0 without spatial loops.
    """
    levels = size.shape[0]
    part = np.zeros(levels, np.int64)
    part[levels - 1] = size[levels - 1]
    for level in range(levels - 2, -1, -1):
        whole = union[level + 1] if union[level + 1] > 0 else size[level]
        part[level] = part[level + 1] * size[level] // whole
    return part


@njit(cache=True)
def _sums(entries: NDArray, start: NDArray, level: int) -> tuple[float, float]:
    """Accesses, and accesses times multicast factor, of one level's entries."""
    plain = 0.0
    weighted = 0.0
    for i in range(start[level], start[level + 1]):
        plain += entries[i, 2]
        weighted += entries[i, 2] * entries[i, 0]
    return plain, weighted


@njit(cache=True)
def _outer(size: NDArray, level: int) -> int:
    """Next outer level that still holds a tile, or the number of levels."""
    outer = level + 1
    while outer < size.shape[0] and size[outer] == 0:
        outer += 1
    return outer


@njit(cache=True)
def bypass(
    size: NDArray, part: NDArray, share: NDArray, content: NDArray, link: NDArray, entries: NDArray, start: NDArray,
    fanout: NDArray, keep: NDArray,
) -> None:  # fmt: skip
    """Rule (2), in place. All (levels,) but entries (rows, 4), start (levels + 1,)."""
    levels = size.shape[0]
    for level in range(levels):
        if keep[level]:
            continue
        outer = _outer(size, level)
        if outer < levels:
            _, weighted = _sums(entries, start, outer)
            grow = content[level] * fanout[outer] / weighted
            for i in range(start[outer], start[outer + 1]):
                entries[i, 2] *= grow
            link[outer] = 0.0
            content[outer], _ = _sums(entries, start, outer)
        size[level] = 0
        part[level] = 0
        content[level] = 0.0
        share[level] = 0.0
        if outer == levels:
            break
    for level in range(levels - 1, -1, -1):
        if keep[level]:
            share[level] = 0.0
            break
        link[level] = 0.0
        size[level] = 0
        part[level] = 0
        content[level] = 0.0
        for i in range(start[level], start[level + 1]):
            entries[i, 2] = 0.0
            entries[i, 3] = 0.0


@njit(cache=True)
def _outputs(
    size: NDArray,
    part: NDArray,
    intake: NDArray,
    content: NDArray,
    peer: NDArray,
    elide: int,
    counts: NDArray,
) -> None:
    """Rule (5) into counts (levels, 4): reads, fills, updates, temporal reductions."""
    levels = size.shape[0]
    for level in range(levels):
        if size[level] == 0:
            continue
        first = part[level] if elide else 0
        counts[level, 2] = _round(content[level])
        counts[level, 0] = _round(content[level] + peer[level] - first)
        counts[level, 3] = counts[level, 0]
        outermost = _outer(size, level) == levels
        counts[level, 1] = _round(intake[level] - (0 if outermost else first))


@njit(cache=True)
def _outputs_updated(
    size: NDArray, part: NDArray, share: NDArray, content: NDArray, peer: NDArray, elide: int, counts: NDArray
) -> None:
    """timeloop-model's newer account of partial sums into counts (levels, 4).

    A level reads back only what it does not pass on, receives no fills, and the second outermost level that keeps
    the outputs adds up on behalf of the outermost one, which cannot.
    """
    levels = size.shape[0]
    kept = 0
    for level in range(levels - 1, -1, -1):
        if size[level] == 0:
            continue
        counts[level, 0] = _round(content[level] - share[level])
        counts[level, 3] = 0.0 if level == levels - 1 else counts[level, 0]
        counts[level, 2] = _round(content[level])
        if kept == 1:
            tax = share[level] - (part[level] if elide else 0)
            counts[level, 1] = math.floor(tax)
            counts[level, 0] = math.floor(counts[level, 0] + tax)
            counts[level, 3] += tax
        if peer[level] > 0:
            counts[level, 0] = math.floor(counts[level, 0] + peer[level] - part[level])
            counts[level, 3] += peer[level] - part[level]
            counts[level, 2] = math.floor(counts[level, 2] + peer[level])
        kept += 1


@njit(cache=True)
def accesses(
    size: NDArray, part: NDArray, link: NDArray, entries: NDArray, start: NDArray, fanout: NDArray,
    peers: NDArray, keep: NDArray, output: int, elide: int, updated: int, pooled: int,
) -> NDArray:  # fmt: skip
    """Reads, fills, updates, temporal reductions per instance of every level, (levels, 4); rules (1) to (5).

    peers (levels,): how many instances share the link transfers of one parent; pooled 1: what children take is
    divided once, words from the parent and from peers together, which is exact, else entry by entry. size, part, link
    and entries are changed to what remains after bypass.
    """
    levels = size.shape[0]
    share = np.zeros(levels, np.float64)
    content = np.zeros(levels, np.float64)
    delivered = np.zeros(levels, np.float64)
    for level in range(levels):
        content[level], delivered[level] = _sums(entries, start, level)
        if level + 1 < levels:
            for i in range(start[level + 1], start[level + 2]):
                share[level] += entries[i, 2] * entries[i, 0] / fanout[level + 1]
    bypass(size, part, share, content, link, entries, start, fanout, keep)
    peer = np.zeros(levels, np.float64)
    for level in range(levels - 1, 0, -1):
        if link[level] != 0.0:
            peer[level - 1] += link[level] / peers[level - 1]
    intake = share + peer
    for level in range(levels - 1):
        if pooled and share[level] > 0.0:
            intake[level] = (delivered[level + 1] + link[level + 1]) / fanout[level + 1]
    counts = np.zeros((levels, 4), np.float64)
    if output and updated:
        _outputs_updated(size, part, share, content, peer, elide, counts)
    elif output:
        _outputs(size, part, intake, content, peer, elide, counts)
    else:
        for level in range(levels):
            if size[level] > 0:
                counts[level, 0] = _round(content[level] + peer[level])
                counts[level, 1] = math.floor(intake[level])
    return counts


@njit(cache=True)
def level_energy(
    counts: NDArray, block: int, energy: NDArray, used: float, expanded: float, clusters: float
) -> float:
    """Energy in pJ of all instances of one level for one data space; rule (6).

    counts (4,), energy (3,) of a read, a fill, an update in pJ; `used` instances on average, `expanded` at most,
    `clusters` in use.
    """
    total = 0.0
    for action in range(3):
        rows = counts[action] // block + (1.0 if counts[action] % block > 0.0 else 0.0)
        total += rows * energy[action]
    return total / (expanded / clusters) * used


@njit(cache=True)
def slowdown(
    counts: NDArray,
    used: float,
    expanded: float,
    compute_cycles: float,
    read_bw: float,
    write_bw: float,
    shared_bw: float,
) -> float:
    """Throughput of a level relative to the compute array, in (0, 1]; rule (7).

    counts (spaces, 4) per instance; bandwidths in words per cycle and instance, infinite where unlimited.
    """
    reads = 0.0
    writes = 0.0
    scale = expanded / used
    for space in range(counts.shape[0]):
        reads += math.ceil(counts[space, 0] / scale) / compute_cycles
        writes += math.ceil((counts[space, 1] + counts[space, 2]) / scale) / compute_cycles
    share = 1.0
    if read_bw < reads:
        share = min(share, read_bw / reads)
    if write_bw < writes:
        share = min(share, write_bw / writes)
    if shared_bw < reads + writes:
        share = min(share, shared_bw / (reads + writes))
    return share
