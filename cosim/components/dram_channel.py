"""Running a stream of accesses through one DRAM channel; efficiency is what share of the peak rate comes out.

The controller of the device's record serves the stream: one queue each for reads and writes
(:mod:`cosim.kernels.dram_channel`), or a queue for every bank (:mod:`cosim.kernels.dram_bank_queues`). Requests are
offered as fast as the queues take them, so the result is a rate under full load, not the latency of one access.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cosim.components.dram_constraints import bank_coordinates, command_delays
from cosim.components.dram_streams import decode, pattern
from cosim.components.dram_timing import DramDevice, DramError, find_device

Ints = npt.NDArray[np.int64]
ONE_QUEUE_MAPPING = "RoBaRaCoCh"
BANK_QUEUES_MAPPING = "rochrababgco"
POSTPONED = 64
"""Refreshes of a rank that can be due at once; a controller that falls behind this far refreshes nothing else."""


@dataclass(frozen=True, slots=True)
class DramRun:
    """What a channel did in ``cycles`` clock cycles. Hits, misses and conflicts are of the row buffers.

    ``read_hits`` are those of reads alone; None where a controller does not count a figure.
    """

    device: DramDevice
    cycles: int
    reads: int
    writes: int
    row_hits: int
    row_misses: int | None
    row_conflicts: int | None
    read_hits: int | None
    read_latency_cycles: float | None
    refreshes: int

    @property
    def requests(self) -> int:
        """Requests served."""
        return self.reads + self.writes

    @property
    def bytes_per_s(self) -> float:
        """Data moved over the time of the run."""
        return self.requests * self.device.access_bytes / (self.cycles * self.device.tck_ps * 1e-12)

    @property
    def fraction_of_peak(self) -> float:
        """Data moved over what back-to-back bursts move in the same time: requests x nBL / (buses x cycles)."""
        return self.requests * self.device.clocks["nBL"] / (self.device.pseudo_channels * self.cycles)


def simulate(
    device: DramDevice,
    addresses: Ints,
    writes: Ints,
    mapping: str | None = None,
    cycles: int | None = None,
    drain: bool = False,
) -> DramRun:
    """Serve accesses in the order given.

    Parameters
    ----------
    addresses, writes
        Byte addresses and 1 for writes, shape [requests].
    mapping
        Address mapping; None for the usual one of the controller.
    cycles
        Clock cycles to run: needed by, and only for, a controller with bank queues.
    drain
        End when the last data has moved instead of when the last request was taken (one queue only).

    Raises
    ------
    DramError
        Unknown mapping, or an argument that the controller does not take.
    """
    if device.controller == "bank_queues":
        if cycles is None or drain:
            raise DramError(
                f"device {device.name!r}: a controller with bank queues runs for a number of cycles"
            )
        return _run_bank_queues(device, addresses, writes, mapping or BANK_QUEUES_MAPPING, cycles)
    if cycles is not None:
        raise DramError(
            f"device {device.name!r}: a controller with one queue runs until its requests are taken"
        )
    return _run_one_queue(device, addresses, writes, mapping or ONE_QUEUE_MAPPING, drain)


def one_queue_state(
    device: DramDevice, addresses: Ints, writes: Ints, mapping: str, drain: bool = False
) -> tuple[Ints, ...]:
    """Arrays of :func:`cosim.kernels.dram_channel.run_channel` for an idle channel with all banks closed."""
    from cosim.kernels import dram_channel as k

    n, ticks = device.clocks, device.ticks_per_clock
    requests = np.zeros((addresses.size, 7), np.int64)
    requests[:, k.BANK], requests[:, k.AT_ROW] = decode(device, mapping, addresses)
    requests[:, k.LINE], requests[:, k.WRITE] = addresses // device.access_bytes, writes
    banks = np.zeros((device.bank_count, 11), np.int64)
    banks[:, k.RANK] = bank_coordinates(device)[:, 0]
    banks[:, k.OPEN_ROW] = k.CLOSED
    banks[:, k.HIT_SINCE : k.HIT_SINCE + 2] = k.NEVER
    acts = np.full((device.units, 5), -(1 << 40), np.int64)
    acts[:, 4] = 0
    entries = [int(device.queue[key]) for key in ("read_entries", "write_entries")]
    queues = np.zeros((3, 2 + max(*entries, device.bank_count)), np.int64)
    regs = np.zeros(k.REGS + POSTPONED * device.units, np.int64)
    limits = {
        k.READ_ENTRIES: entries[0],
        k.WRITE_ENTRIES: entries[1],
        k.WRITE_ABOVE: math.floor(device.queue["write_high"] * entries[1]),
        k.WRITE_BELOW: math.ceil(device.queue["write_low"] * entries[1]),
        k.OFFERS: int(device.queue["offers"]),
        k.READ_LATENCY: (n["nCL"] + n["nBL"]) * ticks,
        k.WRITE_LATENCY: (n["nCWL"] + n["nBL"]) * ticks,
        k.FAW: n["nFAW"] * ticks,
        k.REFI: n["nREFI"] * ticks,
        k.HIT_FIRST: 1,
        k.DRAIN: int(drain),
        k.DUAL_BUS: int(device.bus in ("row_and_column", "half_cycles")),
        k.HALF_CYCLES: int(device.bus == "half_cycles"),
        k.SYNC_QUEUE: -1,
        k.SECOND_ACT: -1,
    }
    if device.bus == "split_activation":
        after = n["nBL"] + n["nWCKPST"]
        limits |= {k.SPLIT_ACT: n["nAAD"], k.READ_SYNC: n["nCL"] + after, k.WRITE_SYNC: n["nCWL"] + after}
    for place, value in limits.items():
        regs[place] = value
    return requests, banks, command_delays(device), acts, queues, regs


def _run_one_queue(device: DramDevice, addresses: Ints, writes: Ints, mapping: str, drain: bool) -> DramRun:
    from cosim.kernels import dram_channel as k

    state = one_queue_state(device, addresses, writes, mapping, drain)
    k.run_channel(*state)
    count = state[-1]
    done = int(count[k.READS_SERVED])
    ticks = device.ticks_per_clock
    return DramRun(
        device=device,
        cycles=-(-int(count[k.CYCLES]) // ticks),
        reads=done,
        writes=int(count[k.WRITES_SERVED]),
        row_hits=int(count[k.HITS]),
        row_misses=int(count[k.MISSES]),
        row_conflicts=int(count[k.CONFLICTS]),
        read_hits=None,
        read_latency_cycles=int(count[k.LATENCY_SUM]) / done / ticks if done else None,
        refreshes=int(count[k.REFRESHES]),
    )


def bank_queues_state(
    device: DramDevice, addresses: Ints, writes: Ints, mapping: str, cycles: int
) -> tuple[Ints, ...]:
    """Arrays of :func:`cosim.kernels.dram_bank_queues.run_bank_queues` for an idle channel with all banks closed."""
    from cosim.kernels import dram_bank_queues as k

    n = device.clocks
    requests = np.zeros((addresses.size, 6), np.int64)
    requests[:, k.BANK], requests[:, k.AT_ROW] = decode(device, mapping, addresses)
    requests[:, k.LINE], requests[:, k.WRITE] = addresses // device.access_bytes, writes
    banks = np.zeros((device.bank_count, 9), np.int64)
    banks[:, k.RANK] = bank_coordinates(device)[:, 0]
    banks[:, k.OPEN_ROW] = k.CLOSED
    acts = np.zeros((device.units, 33), np.int64)
    queues = np.zeros((device.bank_count, 2 + int(device.queue["bank_entries"])), np.int64)
    buffers = np.zeros((2, 2 + int(device.queue["buffer_entries"])), np.int64)
    regs = np.zeros(k.REGS + POSTPONED * device.units, np.int64)
    limits = {
        k.BUFFER_ENTRIES: int(device.queue["buffer_entries"]),
        k.BANK_ENTRIES: int(device.queue["bank_entries"]),
        k.DRAIN_ABOVE: int(device.queue["drain_above"]),
        k.HIT_LIMIT: int(device.queue["hit_limit"]),
        k.READ_LATENCY: n["nCL"] + n["nBL"],
        k.FAW: n["nFAW"],
        k.ACT_WINDOW_32: n.get("n32AW", 0),
        # Ranks are refreshed in turn, each once in nREFI.
        k.REFI: n["nREFI"] // device.units,
        k.UNTIL: cycles,
    }
    for place, value in limits.items():
        regs[place] = value
    return requests, banks, command_delays(device), acts, queues, buffers, regs


def _run_bank_queues(device: DramDevice, addresses: Ints, writes: Ints, mapping: str, cycles: int) -> DramRun:
    from cosim.kernels import dram_bank_queues as k

    state = bank_queues_state(device, addresses, writes, mapping, cycles)
    k.run_bank_queues(*state)
    count = state[-1]
    done = int(count[k.READS_SERVED])
    return DramRun(
        device=device,
        cycles=int(count[k.CYCLES]),
        reads=done,
        writes=int(count[k.WRITES_SERVED]),
        row_hits=int(count[k.READ_HITS] + count[k.WRITE_HITS]),
        row_misses=None,
        row_conflicts=None,
        read_hits=int(count[k.READ_HITS]),
        read_latency_cycles=int(count[k.LATENCY_SUM]) / done if done else None,
        refreshes=int(count[k.REFRESHES]),
    )


def streaming_efficiency(
    device: DramDevice | str, name: str = "seq_read", mapping: str | None = None, requests: int = 20_000
) -> float:
    """Share of the peak rate that a pattern reaches on a channel under full load; 0 to 1 - nRFC / nREFI or so.

    A controller with bank queues runs for as many cycles as ``requests`` bursts fill without a gap. DramError for
    an unknown device, pattern or mapping.
    """
    found = find_device(device) if isinstance(device, str) else device
    addresses, writes = pattern(name, found.access_bytes, requests)
    cycles = requests * found.clocks["nBL"] if found.controller == "bank_queues" else None
    return simulate(found, addresses, writes, mapping, cycles).fraction_of_peak
