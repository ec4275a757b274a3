"""What both controllers of a DRAM channel do to their state: equation (1) of their kernels, and queues as arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Ints = npt.NDArray[np.int64]

COMMANDS = 6
"""Kinds of command; a constant, so that the loop over them unrolls."""


@njit(cache=True)
def delay(banks: Ints, ready: int, delays: Ints, command: int, bank: int, clock: int) -> None:
    """Equation (1). The cycles ``ready`` of a bank stand in its columns from ``ready`` on."""
    for other in range(banks.shape[0]):
        for following in range(COMMANDS):
            cycle = clock + delays[command, bank, other, following]
            banks[other, ready + following] = max(banks[other, ready + following], cycle)


@njit(cache=True)
def drop(queues: Ints, queue: int, at: int) -> None:
    """Take the entry at place ``at`` out of a queue, its length in column 0; the order of the others stays."""
    queues[queue, 0] -= 1
    for k in range(at, queues[queue, 0] + 1):
        queues[queue, k] = queues[queue, k + 1]
