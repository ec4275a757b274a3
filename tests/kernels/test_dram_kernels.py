"""The DRAM kernels: compiled, as plain Python, and (one queue) as a simulation written cycle by cycle."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cosim.components.dram_channel import bank_queues_state, one_queue_state
from cosim.components.dram_timing import DramDevice, find_device
from cosim.kernels import dram_bank_queues, dram_channel

# Lines of a small area, so that banks and rows repeat; each with a flag for writes.
streams = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 30), st.integers(0, 1)), min_size=1, max_size=50
)
ONE_QUEUE = [
    "DDR4-2400R 8Gb x8",
    "DDR5-4800BN 8Gb x8",
    "HBM2-2000 2Gb",
    "HBM3-6400 8Gb 8hi",
    "LPDDR5-6400 8Gb x16",
]


def stream(device: DramDevice, accesses: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray]:
    row_bytes = device.bursts_per_row * device.access_bytes
    rows, columns, writes = np.array(accesses, np.int64).T
    return rows * row_bytes + columns % device.bursts_per_row * device.access_bytes, writes


def both_forms(module: ModuleType, function: str, state: tuple[Any, ...]) -> tuple[Any, Any]:
    """State after the compiled kernel and after the same functions as plain Python."""
    plain = tuple(array.copy() for array in state)
    getattr(module, function)(*state)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in list(vars(module).items()):
            if hasattr(value, "py_func"):
                patch.setattr(module, name, value.py_func)
        getattr(module, function)(*plain)
    return state, plain


@settings(deadline=None, max_examples=15)
@given(streams, st.sampled_from(ONE_QUEUE), st.booleans(), st.sampled_from(["RoBaRaCoCh", "MOP4CLXOR"]))
def test_one_queue_compiled_is_one_queue_in_python(
    accesses: list[tuple[int, int, int]], name: str, drain: bool, mapping: str
) -> None:
    device = find_device(name)
    state = one_queue_state(device, *stream(device, accesses), mapping, drain)
    state[-1][dram_channel.REFI] = 2 * device.clocks["nRFC"] * device.ticks_per_clock
    compiled, plain = both_forms(dram_channel, "run_channel", state)
    for ours, theirs in zip(compiled, plain, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@settings(deadline=None, max_examples=15)
@given(streams, st.sampled_from(["DDR4_8Gb_x8_2400", "LPDDR4_8Gb_x16_2400", "GDDR6_8Gb_x16"]))
def test_bank_queues_compiled_are_bank_queues_in_python(
    accesses: list[tuple[int, int, int]], name: str
) -> None:
    device = find_device(name)
    state = bank_queues_state(device, *stream(device, accesses), "rochrababgco", 1500)
    state[-1][dram_bank_queues.REFI] = 400
    compiled, plain = both_forms(dram_bank_queues, "run_bank_queues", state)
    for ours, theirs in zip(compiled, plain, strict=True):
        np.testing.assert_array_equal(ours, theirs)


class Naive:
    """A channel of DDR4 with one queue, cycle by cycle: nothing is kept but the history of the commands.

    Whether a command is legal is asked of every earlier command, with the timings as the standard states them.
    """

    def __init__(self, device: DramDevice, requests: np.ndarray, limits: dict[str, int]) -> None:
        self.n, self.device, self.limits = device.clocks, device, limits
        self.requests = [tuple(int(v) for v in row[:4]) for row in requests]
        self.history: list[tuple[int, str, int]] = []
        self.rows: dict[int, int | None] = dict.fromkeys(range(device.bank_count))
        self.reads: list[int] = []
        self.writes: list[int] = []
        self.active: list[int] = []
        self.arrived: dict[int, int] = {}
        self.departed: dict[int, int] = {}
        self.kinds: dict[int, str] = {}
        self.write_mode, self.due = False, False

    def gap(self, first: str, second: str, bank: int, other: int) -> int:
        n = self.n
        same_bank, same_group = bank == other, bank // self.device.banks == other // self.device.banks
        write_end = n["nCWL"] + n["nBL"]
        rules = {
            ("RD", "RD"): n["nCCDL"] if same_group else n["nCCDS"],
            ("WR", "WR"): n["nCCDL"] if same_group else n["nCCDS"],
            ("RD", "WR"): n["nCL"] + n["nBL"] + 2 - n["nCWL"],
            ("WR", "RD"): write_end + (n["nWTRL"] if same_group else n["nWTRS"]),
            ("ACT", "ACT"): n["nRC"] if same_bank else n["nRRDL"] if same_group else n["nRRDS"],
            ("ACT", "PREA"): n["nRAS"],
            ("RD", "PREA"): n["nRTP"],
            ("WR", "PREA"): write_end + n["nWR"],
            ("PREA", "ACT"): n["nRP"],
            ("ACT", "REF"): n["nRC"],
            ("PRE", "REF"): n["nRP"],
            ("PREA", "REF"): n["nRP"],
            ("REF", "ACT"): n["nRFC"],
        }
        if same_bank:
            rules |= {
                ("ACT", "RD"): n["nRCD"],
                ("ACT", "WR"): n["nRCD"],
                ("ACT", "PRE"): n["nRAS"],
                ("RD", "PRE"): n["nRTP"],
                ("WR", "PRE"): write_end + n["nWR"],
                ("PRE", "ACT"): n["nRP"],
            }
        return rules.get((first, second), 0)

    def legal(self, command: str, bank: int, clock: int) -> bool:
        if any(clock < at + self.gap(first, command, b, bank) for at, first, b in self.history):
            return False
        activations = [at for at, first, _ in self.history if first == "ACT"]
        return command != "ACT" or len(activations) < 4 or clock >= activations[-4] + self.n["nFAW"]

    def needs(self, i: int) -> str:
        bank, _, row, write = self.requests[i]
        if self.rows[bank] == row:
            return "WR" if write else "RD"
        return "ACT" if self.rows[bank] is None else "PRE"

    def send(self, queue: list[int], i: int, clock: int) -> None:
        bank, _, row, write = self.requests[i]
        command = self.needs(i)
        self.kinds.setdefault(i, {"ACT": "miss", "PRE": "conflict"}.get(command, "hit"))
        self.history.append((clock, command, bank))
        if command == "PRE":
            self.rows[bank] = None
            return
        queue.remove(i)
        if command == "ACT":
            self.rows[bank] = row
            self.active.append(i)
            return
        after = self.n["nCWL"] if write else self.n["nCL"]
        self.departed[i] = clock + after + self.n["nBL"]

    def tick(self, clock: int) -> None:
        ready = [i for i in self.active if self.legal(self.needs(i), self.requests[i][0], clock)]
        if ready:
            self.send(self.active, min(ready, key=lambda i: self.arrived[i]), clock)
            return
        if self.due:
            command = "PREA" if any(row is not None for row in self.rows.values()) else "REF"
            if not self.active and all(self.legal(command, b, clock) for b in self.rows):
                self.history += [(clock, command, bank) for bank in self.rows]
                self.rows = dict.fromkeys(self.rows)
                self.due = command != "REF"
            return
        if self.write_mode:
            self.write_mode = not (len(self.writes) < self.limits["below"] and self.reads)
        else:
            self.write_mode = len(self.writes) > self.limits["above"] or not self.reads
        queue = self.writes if self.write_mode else self.reads
        for i in queue:
            bank, command = self.requests[i][0], self.needs(i)
            if command == "PRE":
                held = any(self.requests[j][0] == bank for j in self.active)
                older = [j for j in queue if self.requests[j][0] == bank and self.needs(j) in ("RD", "WR")]
                if held or any(self.arrived[j] <= self.arrived[i] for j in older):
                    continue
            if self.legal(command, bank, clock):
                self.send(queue, i, clock)
                return

    def run(self) -> None:
        clock, sent = 0, 0
        while True:
            for _ in range(self.limits["offers"] if clock else 1):
                if sent == len(self.requests):
                    break
                _, line, _, write = self.requests[sent]
                if any(self.requests[j][1] == line for j in self.writes):
                    self.arrived[sent], self.departed[sent] = clock, clock + 1
                else:
                    queue = self.writes if write else self.reads
                    if len(queue) == self.limits["entries"]:
                        break
                    queue.append(sent)
                    self.arrived[sent] = clock
                sent += 1
            if sent == len(self.requests) and not (self.reads or self.writes or self.active):
                return
            clock += 1
            if clock % self.limits["refi"] == 0:
                self.due = True
            self.tick(clock)


# Few rows and lines: conflicts, hits and writes of the same line in plenty.
dense = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=60)


@settings(deadline=None, max_examples=80)
@given(
    dense,
    st.sampled_from(["DDR4-2400R 8Gb x8", "DDR4-3200AA 8Gb x16", "DDR3-1600K 4Gb x8"]),
    st.integers(1, 12),
    st.integers(1, 8),
)
@example([(0, 0, 0), (16, 0, 0), (1, 0, 0)], "DDR4-2400R 8Gb x8", 8, 1)
def test_one_queue_is_a_simulation_cycle_by_cycle(
    accesses: list[tuple[int, int, int]], name: str, entries: int, offers: int
) -> None:
    device = find_device(name)
    state = one_queue_state(device, *stream(device, accesses), "RoBaRaCoCh", drain=True)
    k, regs = dram_channel, state[-1]
    # Small queues and frequent refreshes, so that short streams meet all of it.
    above, below = entries // 2, (entries + 2) // 3
    regs[k.READ_ENTRIES] = regs[k.WRITE_ENTRIES] = entries
    regs[k.WRITE_ABOVE], regs[k.WRITE_BELOW], regs[k.OFFERS] = above, below, offers
    regs[k.REFI] = 2 * device.clocks["nRFC"]
    limits = {"entries": entries, "above": above, "below": below, "offers": offers, "refi": int(regs[k.REFI])}
    naive = Naive(device, state[0], limits)
    naive.run()
    k.run_channel(*state)
    count = len(accesses)
    assert [int(v) for v in state[0][:, k.ARRIVED]] == [naive.arrived[i] for i in range(count)]
    assert [int(v) for v in state[0][:, k.DEPARTED]] == [naive.departed[i] for i in range(count)]
    kinds = list(naive.kinds.values())
    assert [int(regs[c]) for c in (k.HITS, k.MISSES, k.CONFLICTS)] == [
        kinds.count(kind) for kind in ("hit", "miss", "conflict")
    ]


def test_a_channel_that_never_refreshes_in_time_is_an_error() -> None:
    device = find_device("DDR4-2400R 8Gb x8")
    state = one_queue_state(device, np.arange(4000) * 64, np.zeros(4000, np.int64), "RoBaRaCoCh")
    state[-1][dram_channel.REFI] = 20
    with pytest.raises(RuntimeError, match="refreshes fall behind"):
        dram_channel.run_channel(*state)
