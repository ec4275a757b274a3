"""Stalls of a double-buffered machine with finite memory bandwidth, in closed form.

While tile i is computed, the memory fetches tile i+1 and writes back the results of tile i-1. The first fetch
and the last write-back have nothing to hide behind (eq. 1):

    t = load_0 + sum_i max(compute_i, memory_i) + store_last
    memory_i = load_{i+1} + store_{i-1}          one channel shared by both directions
    memory_i = max(load_{i+1}, store_{i-1})      separate channels

so that max(compute, memory) <= t <= compute + memory, each summed over the tiles. A tile never waits for more
than the transfer that it needs: the model has no refetch that depends on the order of prefetches, unlike the
fixed-bandwidth mode of SCALE-Sim.

Source: the overlap model of Williams et al., "Roofline", CACM 52(4), 2009, doi:10.1145/1498765.1498785, with
the fill and drain of a double buffer written out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cosim.mapping.folds import Array, Number


class BufferedCycles(NamedTuple):
    """Cycles of a double-buffered run; total = fill + compute + stall + drain."""

    total_cycles: Array
    fill_cycles: Array
    compute_cycles: Array
    stall_cycles: Array
    drain_cycles: Array


def transfer_cycles(
    transfer_bytes: Number,
    bandwidth_bytes_per_cycle: Number,
    efficiency: Number = 1.0,
    requests: Number = 0,
    latency_cycles: Number = 0,
    outstanding: Number = 1,
) -> Array:
    """Cycles to move one tile: bytes / (bandwidth * efficiency) + latency * requests / outstanding (eq. 2).

    efficiency: share of the peak bandwidth that long bursts reach on the board, in (0, 1].
    outstanding: requests in flight at the same time.
    """
    streaming = np.asarray(transfer_bytes) / (np.asarray(bandwidth_bytes_per_cycle) * efficiency)
    waiting = np.asarray(latency_cycles) * np.asarray(requests) / np.asarray(outstanding)
    return np.asarray(streaming + waiting)


def double_buffered_uniform(
    tiles: Number, compute: Number, load: Number, store: Number = 0, shared_channel: bool = True
) -> BufferedCycles:
    """Eq. 1 for ``tiles`` >= 1 equal tiles of compute, load and store cycles each. Broadcasts.

    The first tile has no write-back beside it and the last one no fetch (eq. 3):

        t = load + max(compute, load) + (tiles - 2) * max(compute, memory) + max(compute, store) + store
    """
    tiles, compute, load, store = (np.asarray(x) for x in (tiles, compute, load, store))
    memory = load + store if shared_channel else np.maximum(load, store)
    stall = np.maximum(load - compute, 0) + np.maximum(store - compute, 0)
    stall = np.where(tiles > 1, stall + (tiles - 2) * np.maximum(memory - compute, 0), 0)
    busy = tiles * compute
    return BufferedCycles(load + busy + stall + store, load, busy, stall, store)


def double_buffered_tiles(
    compute: Array, load: Array, store: Array, shared_channel: bool = True
) -> BufferedCycles:
    """Eq. 1 for unequal tiles, listed along the last axis of three arrays of equal shape."""
    following = np.zeros_like(load)
    following[..., :-1] = load[..., 1:]
    previous = np.zeros_like(store)
    previous[..., 1:] = store[..., :-1]
    memory = following + previous if shared_channel else np.maximum(following, previous)
    busy = compute.sum(axis=-1)
    stall = np.maximum(memory - compute, 0).sum(axis=-1)
    fill, drain = load[..., 0], store[..., -1]
    return BufferedCycles(fill + busy + stall + drain, fill, busy, stall, drain)
