"""Tiles through the units of a stage, exactly: a flow shop with buffers of limited room.

Tile k on unit u starts when the unit is free, the tile has left the unit before, and a place behind the unit is
free; a place is taken when a tile starts on the unit before the buffer and freed when it ends on the unit behind it:

    start[u, k] = max(end[u, k-1], end[u-1, k], end[u+1, k-room])                               (Eq. 1)
    end[u, k]   = start[u, k] + seconds[u, k]                                                    (Eq. 2)

With room 2 that is double buffering. With ``streams`` the second unit works on the very first tile while it comes
in: it starts with it and ends no earlier than the first unit. A memory that refreshes serves nothing during the first
``duration`` of every ``interval`` (of each of its channels, which take turns; a tile needs all of them).

Equal tiles soon repeat: when every unit has ended the last ``room`` tiles one period after the tile before, what
follows is shifted by that period for each further tile, and is skipped (Eq. 3). The same holds for whole
repetitions of a sequence. Flow shops with blocking: Pinedo, "Scheduling", 5th ed., Springer 2016, chapter 6;
periodic regime of such (max, plus) systems: Baccelli et al., "Synchronization and Linearity", Wiley 1992, chapter 3.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Relative size of a difference that rounding alone explains.
ROUNDING = 1e-12


@njit(cache=True)
def _served(start: float, work: float, interval: float, duration: float, offset: float) -> float:
    """When a channel that refreshes every `interval` has done `work` begun at `start`; no interval: no refresh."""
    if interval <= 0.0 or work <= 0.0:
        return start + work
    phase = (start + offset) % interval
    now = start
    if phase < duration:
        now += duration - phase
        phase = duration
    left = interval - phase
    if work <= left:
        return now + work
    work -= left
    now += left
    usable = interval - duration
    whole = math.ceil(work / usable) - 1.0
    return now + whole * interval + duration + (work - whole * usable)


@njit(cache=True)
def service_end(start: float, work: float, interval: float, duration: float, channels: int) -> float:
    """When a memory has served `work` seconds of transfer begun at `start`, on the slowest of its channels."""
    end = start
    for channel in range(channels):
        end = max(end, _served(start, work, interval, duration, interval * channel / channels))
    return end


@njit(cache=True)
def _jump(end: Floats, tile: int, step: float, times: int, tiles: int) -> None:
    """Shift the last places of every unit by `times` periods of `tiles` tiles each (Eq. 3)."""
    units, places = end.shape
    old = end.copy()
    shift = times * tiles
    for u in range(units):
        for back in range(places):
            end[u, (tile + shift - back) % places] = old[u, (tile - back) % places] + step * times


@njit(cache=True)
def _relative(end: Floats, tile: int, out: Floats) -> float:
    """Write the last places of every unit relative to the last end of the last unit, which is returned."""
    units, places = end.shape
    last = end[units - 1, tile % places]
    for u in range(units):
        for back in range(places):
            out[u, back] = end[u, (tile - back) % places] - last
    return last


@njit(cache=True)
def _pass_one(
    work: Floats,
    room: int,
    streams: bool,
    memory: NDArray[np.bool_],
    refresh: Floats,
    begin: float,
    end: Floats,
    tile: int,
    sums: Floats,
    spans: Floats,
    kept: int,
) -> tuple[int, float]:
    """Pass one tile; returns the intervals kept, and the period if every unit has ended it that long after the last."""
    units, places = end.shape
    ready, period, same = begin, -1.0, tile > 0
    for u in range(units):
        own = begin if tile == 0 else end[u, (tile - 1) % places]
        free = end[u + 1, (tile - room) % places] if u + 1 < units and tile >= room else begin
        first = streams and u == 1 and tile == 0
        arrived = begin if first else ready
        start = max(own, arrived, free)
        stop = start + work[u]
        if memory[u]:
            stop = service_end(start, work[u], refresh[0], refresh[1], int(refresh[2]))
            sums[4, u] += stop - start - work[u]
        sums[0, u] += work[u]
        if work[u] > 0.0:
            if u > 0:
                sums[1, u] += max(own - arrived, 0.0)
            sums[2, u] += max(arrived - own, 0.0)
            sums[3, u] += max(free - max(own, arrived), 0.0)
            if kept < spans.shape[0]:
                spans[kept, 0], spans[kept, 1], spans[kept, 2], spans[kept, 3] = u, tile, start, stop
                kept += 1
        if first:
            stop = max(stop, ready)
        if u == 0:
            period = stop - own
        elif abs(stop - own - period) > ROUNDING * stop:
            same = False
        end[u, tile % places] = stop
        ready = stop
    return kept, period if same else -1.0


@njit(cache=True)
def pass_tiles(
    counts: NDArray[np.int64],
    seconds: Floats,
    repeats: int,
    room: int,
    streams: bool,
    memory: NDArray[np.bool_],
    refresh: Floats,
    begin: float,
    skip: bool,
    end: Floats,
    tile: int,
    sums: Floats,
    spans: Floats,
    kept: int,
) -> tuple[int, int, int]:
    """Pass a sequence of tiles, ``repeats`` times; carries the state of a stage on.

    counts:  (K,) tiles of each kind in a row; seconds (K, U) what a tile of the kind takes on each unit
    memory:  (U,) whether the unit refreshes; refresh: interval, duration (seconds), channels
    begin:   when the stage starts; skip: whether periods are skipped (never while intervals are kept)
    end:     (U, places) ends of the last tiles, places > room; changed
    tile:    number of the last tile passed before, -1 at the start of the stage
    sums:    (5, U) busy, queued (a tile waits for the unit), starved (the unit waits for a tile), blocked (it waits
             for room), waits for refresh; added to
    spans:   (N, 4) unit, tile, start, end of the first tiles; ``kept`` of them are filled
    Returns the number of the last tile, the intervals kept, and the tiles that were skipped.
    """
    units, places = end.shape
    skipped, repeat, at_last = 0, 0, 0.0
    before, relative = np.empty((units, places)), np.empty((units, places))
    gain, unit_gain = np.empty(sums.shape), np.empty(sums.shape)
    while repeat < repeats:
        gain[:] = sums
        first_tile = tile
        for kind in range(counts.size):
            left, steady, usual = counts[kind], 0, -1.0
            while left > 0:
                tile += 1
                left -= 1
                unit_gain[:] = sums
                kept, period = _pass_one(
                    seconds[kind], room, streams, memory, refresh, begin, end, tile, sums, spans, kept
                )
                alike = period >= 0.0 and abs(period - usual) <= ROUNDING * end[0, tile % places]
                steady, usual = steady + 1 if alike else 0, period
                if skip and steady > places and left > 0 and kept == spans.shape[0]:
                    _jump(end, tile, period, left, 1)
                    sums += (sums - unit_gain) * left
                    tile += left
                    skipped += left
                    left = 0
        last = _relative(end, tile, relative)
        repeat += 1
        settled = repeat > 1 and tile >= places and np.all(np.abs(relative - before) <= ROUNDING * last)
        if skip and settled and repeat < repeats and kept == spans.shape[0]:
            body, times = tile - first_tile, repeats - repeat
            _jump(end, tile, last - at_last, times, body)
            sums += (sums - gain) * times
            tile += body * times
            skipped += body * times
            repeat = repeats
        before[:] = relative
        at_last = last
    return tile, kept, skipped
