"""The event simulation: a network with and without shortcuts, and tiles a second of the recurrence."""

from __future__ import annotations

import time

import numpy as np

from cosim.engine import lay_out
from cosim.ir.bench_row import BenchRow
from cosim.kernels.flow_shop import pass_tiles
from cosim.sim.build import program_of
from cosim.sim.events import Options, simulate
from cosim.sim.server import Refresh

TILES, PLAIN_TILES, UNITS = 2_000_000, 20_000, 5
REPEATS = 5


def simulate_vit() -> BenchRow:
    """One image of ViT-B/16 on a GPU: stages by recurrence against an event for every tile."""
    program = program_of(lay_out("gpu_rtx3090", "vit"))
    simulate(program)
    start = time.process_time()
    for _ in range(REPEATS):
        short = simulate(program)
    fast_s = (time.process_time() - start) / REPEATS
    start = time.process_time()
    full = simulate(program, Options(shortcuts=False))
    slow_s = time.process_time() - start
    if abs(short.makespan_s - full.makespan_s) > 1e-9 * full.makespan_s:
        raise ArithmeticError(
            f"simulate_vit: {short.makespan_s} s by recurrence, {full.makespan_s} s by events"
        )
    return BenchRow(
        "simulate_vit",
        fast_s,
        f"s of CPU for {program.services:,} services of tiles",
        slow_s / fast_s,
        "an event for every tile",
    )


def flow_shop() -> BenchRow:
    """Tiles through five units, one of which refreshes, none skipped: compiled against plain Python."""
    _rate(pass_tiles, 100)
    fast = _rate(pass_tiles, TILES)
    return BenchRow(
        "flow_shop",
        fast / 1e6,
        "million services of tiles / s of CPU",
        fast / _rate(pass_tiles.py_func, PLAIN_TILES),
        "the same function in plain Python",
    )


def _rate(function: object, tiles: int) -> float:
    refresh = Refresh(3.9e-6, 0.28e-6)
    memory = np.zeros(UNITS, dtype=np.bool_)
    memory[0] = True
    seconds = np.array([[0.9e-6, 1.0e-6, 0.4e-6, 0.7e-6, 0.2e-6]])
    state = np.zeros((UNITS, 3)), np.zeros((5, UNITS)), np.zeros((0, 4))
    start = time.process_time()
    function(  # type: ignore[operator]
        np.array([tiles]), seconds, 1, 2, False, memory,
        np.array([refresh.interval_s, refresh.duration_s, 1.0]), 0.0, False, state[0], -1, state[1], state[2], 0,
    )  # fmt: skip
    return tiles * UNITS / (time.process_time() - start)
