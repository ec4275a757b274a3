"""A stage that has its units to itself, tile by tile without events: :mod:`cosim.kernels.flow_shop`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.kernels.flow_shop import pass_tiles
from cosim.sim.program import StageRun
from cosim.sim.server import Refresh

# Tiles times units above which compiled code pays for its loading (about a second a process).
COMPILED_FROM = 60_000
WAITS = ("busy", "queued", "starved", "blocked", "refreshing")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Passed:
    """A stage that was passed.

    end_s:   when its last tile has left every unit
    waits_s: (5, U) what :data:`WAITS` names, of each unit
    spans:   (N, 4) unit, tile, start, end of the first tiles
    skipped: tiles that were not passed one by one, because they repeat those before
    """

    end_s: float
    waits_s: Floats
    spans: Floats
    skipped: int


def passed(
    stage: StageRun,
    begin_s: float = 0.0,
    refreshing: tuple[bool, ...] = (),
    refresh: Refresh | None = None,
    keep: int = 0,
    skip: bool = True,
) -> Passed:
    """Pass all tiles of ``stage`` from ``begin_s`` on.

    ``refreshing`` says of each unit whether it is a memory that refreshes, ``keep`` how many intervals are kept.
    ``skip``: leave out periods once the stage repeats itself; exact to rounding (never with refresh).
    """
    units = len(stage.units)
    memory = np.array(refreshing if refresh else (False,) * units, dtype=np.bool_)
    rates = np.array(
        [refresh.interval_s, refresh.duration_s, refresh.channels] if refresh else [0.0, 0.0, 1.0]
    )
    steady = skip and not memory.any()
    end = np.full((units, stage.room + 1), begin_s)
    waits, spans = np.zeros((len(WAITS), units)), np.zeros((keep, 4))
    tile, kept, skipped = -1, 0, 0
    run = pass_tiles if _work(stage, steady, keep) > COMPILED_FROM else pass_tiles.py_func
    before, at_last, first = np.zeros_like(waits), begin_s, tile
    relative = np.full_like(end, np.nan)
    repeat = 0
    while repeat < stage.repeats:
        before[:], first = waits, tile
        for part in stage.sequences:
            tile, kept, left_out = run(
                part.counts, part.seconds, part.repeats, stage.room, stage.streams, memory, rates, begin_s, steady,
                end, tile, waits, spans, kept,
            )  # fmt: skip
            skipped += int(left_out)
        repeat += 1
        last = float(end[-1, tile % end.shape[1]])
        now = np.roll(end, -(tile % end.shape[1]), axis=1) - last
        again = steady and kept == keep and bool(np.all(np.abs(now - relative) <= 1e-12 * last))
        if again and repeat < stage.repeats:
            times = stage.repeats - repeat
            shift = (last - at_last) * times
            waits += (waits - before) * times
            skipped += (tile - first) * times
            return Passed(float(end.max()) + shift, waits, spans[:kept], skipped)
        relative, at_last = now, last
    return Passed(float(end.max()), waits, spans[:kept], skipped)


def _work(stage: StageRun, steady: bool, keep: int) -> int:
    """Tiles times units that are passed one by one, about."""
    if steady and keep == 0:
        settle = 4 * (stage.room + 2)
        kinds = sum(np.minimum(s.counts, settle).sum() * min(s.repeats, 4) for s in stage.sequences)
        return int(kinds) * min(stage.repeats, 4) * len(stage.units)
    return stage.tiles * len(stage.units)
