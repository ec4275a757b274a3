"""Bandwidth of the cache level that holds a working set, and what comes from memory.

Inside the caches the level is chosen by the size of the working set (the cache-aware roofline, Ilic et al., IEEE
CAL 2014, doi 10.1109/L-CA.2013.6). A set a little larger than the last level is served by both: replacement is
not strictly least-recently-used, so the share that fits keeps hitting.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.components.params import Params, Value
from cosim.ir.batch import Array


@dataclass(frozen=True)
class Levels:
    """Seconds per byte of each level for the cores that work, capacities in bytes."""

    l1_bytes: Value
    l2_bytes: Value
    l3_bytes: Value
    l1_s_per_byte: Value
    l2_s_per_byte: Value
    l3_s_per_byte: Value
    memory_s_per_byte: Value

    def s_per_byte(self, working_set: Array) -> Array:
        """Seconds per byte when ``working_set`` bytes are touched again and again."""
        held = np.minimum(self.l3_bytes / np.maximum(working_set, 1.0), 1.0)
        outer = held * self.l3_s_per_byte + (1.0 - held) * self.memory_s_per_byte
        inner = np.where(working_set <= self.l1_bytes, self.l1_s_per_byte, self.l2_s_per_byte)
        return np.asarray(np.where(working_set <= self.l2_bytes, inner, outer))


def levels_of(params: Params) -> Levels:
    """Levels of a machine; private caches scale with the cores, the last level with the cores it serves."""
    clock, cores = params["core.clock_hz"], params["core.count"]
    memory = np.minimum(params["memory.core_bytes_per_s"] * cores, params["memory.shared_bytes_per_s"])
    shared = np.minimum(cores, params["caches.l3_cores"])
    return Levels(
        l1_bytes=params["caches.l1_bytes"] * cores,
        l2_bytes=params["caches.l2_bytes"] * cores,
        l3_bytes=params["caches.l3_bytes"],
        l1_s_per_byte=1.0 / (params["caches.l1_bytes_per_cycle"] * cores * clock),
        l2_s_per_byte=1.0 / (params["caches.l2_bytes_per_cycle"] * cores * clock),
        l3_s_per_byte=1.0 / (params["caches.l3_bytes_per_cycle"] * shared * clock),
        memory_s_per_byte=1.0 / memory,
    )
