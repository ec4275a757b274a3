"""The DRAM channel model, in requests a second, against the same functions as plain Python."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from cosim.components.dram_channel import bank_queues_state, one_queue_state
from cosim.components.dram_streams import pattern
from cosim.components.dram_timing import find_device
from cosim.ir.bench_row import BenchRow
from cosim.kernels import dram_bank_queues, dram_channel

PATTERNS = ("seq_read", "seq_2read_1write_interleaved", "random_read", "random_blocks_512B_read")
REQUESTS = 40_000
PLAIN = 300
PLAIN_CYCLES = 3_000


def one_queue() -> BenchRow:
    """DDR4-2400R, four patterns."""
    device = find_device("DDR4-2400R 8Gb x8")

    def state(name: str, requests: int) -> tuple[Any, ...]:
        return one_queue_state(device, *pattern(name, device.access_bytes, requests), "RoBaRaCoCh")

    def served(regs: Any) -> int:
        return int(regs[dram_channel.READS_SERVED] + regs[dram_channel.WRITES_SERVED])

    return _row("dram_one_queue", dram_channel, dram_channel.run_channel, state, served, REQUESTS, PLAIN)


def bank_queues() -> BenchRow:
    """DDR4-2400 with two ranks, four patterns."""
    device = find_device("DDR4_8Gb_x8_2400")

    def state(name: str, cycles: int) -> tuple[Any, ...]:
        return bank_queues_state(
            device, *pattern(name, device.access_bytes, REQUESTS), "rochrababgco", cycles
        )

    def served(regs: Any) -> int:
        return int(regs[dram_bank_queues.READS_SERVED] + regs[dram_bank_queues.WRITES_SERVED])

    run = dram_bank_queues.run_bank_queues
    return _row("dram_bank_queues", dram_bank_queues, run, state, served, 4 * REQUESTS, PLAIN_CYCLES)


def _row(
    name: str,
    module: Any,
    run: Any,
    state: Callable[[str, int], tuple[Any, ...]],
    served: Callable[[Any], int],
    length: int,
    plain_length: int,
) -> BenchRow:
    """Requests a second of CPU time over all patterns; the plain form runs shorter streams, both are rates."""
    for pattern_name in PATTERNS:
        run(*state(pattern_name, plain_length))
    rate = _rate([state(pattern_name, length) for pattern_name in PATTERNS], run, served)
    kernels = {key: value for key, value in vars(module).items() if hasattr(value, "py_func")}
    try:
        for key, value in kernels.items():
            setattr(module, key, value.py_func)
        plain_states = [state(pattern_name, plain_length) for pattern_name in PATTERNS]
        plain = _rate(plain_states, getattr(module, run.__name__), served)
    finally:
        for key, value in kernels.items():
            setattr(module, key, value)
    return BenchRow(
        name, rate / 1e6, "million requests / s of CPU", rate / plain, "the same functions in plain Python"
    )


def _rate(states: list[tuple[Any, ...]], run: Any, served: Callable[[Any], int]) -> float:
    start = time.process_time()
    for arrays in states:
        run(*arrays)
    seconds = time.process_time() - start
    return float(np.sum([served(arrays[-1]) for arrays in states])) / seconds
