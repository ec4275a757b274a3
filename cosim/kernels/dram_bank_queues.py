"""One DRAM channel, command by command: a controller with a short command queue for every bank.

Requests wait in a transaction queue for reads and in a buffer for writes; one a cycle moves into the queue of its
bank, reads as long as no writes are drained. The buffer is drained when it is full, or when it holds more than a few
writes and no command waits. The banks are served in turn; within a bank the first request whose next command may
go out is taken, and a row is closed only for the first request of the queue, when nobody in the queue hits it or
when it was hit four times. Ranks are refreshed in turn; the banks of a rank that is due are closed one by one and
get no other command. This is the controller of DRAMsim3 (Li et al., IEEE Computer Architecture Letters 19(2),
2020, doi:10.1109/LCA.2020.2973991); cycles in which nothing can happen are skipped.

As in :mod:`cosim.kernels.dram_channel`, a command c that goes to bank i at cycle t moves, for every bank j and
following command n,

    ready[j, n]   = max(ready[j, n], t + delays[c, i, j, n])                                                   (1)
    ready[j, ACT] = max(ready[j, ACT], t(w-th last ACT of the rank) + window)      windows of w = 4 and 32     (2)

Arrays, all int64 (the state is made by ``cosim.components.dram_channel``):

- ``requests`` [requests, 6]: flat bank, line (equal for equal addresses), row, 1 for a write; then the cycles of
  arrival and of departure, 0 before them
- ``banks`` [banks, 9]: rank, open row (-1 if closed), column commands since it was opened, the six cycles ``ready``
- ``delays`` [6, banks, banks, 6]: command, its bank, another bank, following command; 0 where nothing is demanded
- ``acts`` [ranks, 1 + 32]: number of activations, then the last 32 as a ring
- ``queues`` [banks, 1 + entries] and ``buffers`` [2, 1 + entries]: length, then indices of requests, oldest first
- ``regs`` [REGS + ranks due]: limits of the device, state, counts, then the ranks due
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from cosim.kernels.dram_state import delay, drop

Ints = npt.NDArray[np.int64]

ACT, PRE, RD, WR, PREA, REF = range(6)
"""Commands, numbered as for the other controller; PREA is not used."""
CLOSED = -1
BANK, LINE, AT_ROW, WRITE, ARRIVED, DEPARTED = range(6)
RANK, OPEN_ROW, HIT_COUNT, READY = range(4)
READS, WRITES = range(2)
(BUFFER_ENTRIES, BANK_ENTRIES, DRAIN_ABOVE, HIT_LIMIT, READ_LATENCY, WRITE_LATENCY, FAW, ACT_WINDOW_32, REFI, UNTIL,
 DUE, REFRESHING, NEXT_RANK, TURN, DRAINING, WAKE, STUCK,
 CYCLES, READS_SERVED, WRITES_SERVED, READ_HITS, WRITE_HITS, ACTIVATIONS, LATENCY_SUM, REFRESHES, MERGED,
 REGS) = range(27)  # fmt: skip
NEVER = 1 << 62


@njit(cache=True)
def forward(banks: Ints, delays: Ints, acts: Ints, regs: Ints, command: int, bank: int, clock: int) -> None:
    """Equations (1) and (2)."""
    delay(banks, READY, delays, command, bank, clock)
    if command != ACT:
        return
    rank = banks[bank, RANK]
    number = acts[rank, 0]
    acts[rank, 0] = number + 1
    acts[rank, 1 + number % 32] = clock
    cycle = 0
    if number >= 3 and regs[FAW] > 0:
        cycle = acts[rank, 1 + (number - 3) % 32] + regs[FAW]
    if number >= 31 and regs[ACT_WINDOW_32] > 0:
        cycle = max(cycle, acts[rank, 1 + (number - 31) % 32] + regs[ACT_WINDOW_32])
    for other in range(banks.shape[0]):
        if banks[other, RANK] == rank:
            banks[other, READY + ACT] = max(banks[other, READY + ACT], cycle)


@njit(cache=True)
def waits(requests: Ints, queues: Ints, buffers: Ints, bank: int, line: int, kind: int) -> bool:
    """Whether a read (or write) of a line is in its buffer or in the queue of its bank."""
    found = False
    for at in range(1, buffers[kind, 0] + 1):
        found = found or requests[buffers[kind, at], LINE] == line
    for at in range(1, queues[bank, 0] + 1):
        i = queues[bank, at]
        found = found or (requests[i, LINE] == line and requests[i, WRITE] == kind)
    return found


@njit(cache=True)
def pick(
    requests: Ints, banks: Ints, queues: Ints, bank: int, clock: int, limit: int
) -> tuple[int, int, int]:
    """(entry of a bank's queue whose command may go, 0 if none; command; first cycle for one).

    The row is closed for the first entry alone, and not while another one hits it, up to ``limit`` hits. A write
    waits for an older read of its line.
    """
    length, row = queues[bank, 0], banks[bank, OPEN_ROW]
    if length == 0:
        return 0, ACT, NEVER
    if row == CLOSED:
        cycle = banks[bank, READY + ACT]
        return (1, ACT, clock) if cycle <= clock else (0, ACT, cycle)
    soonest, hit = NEVER, False
    for at in range(1, length + 1):
        hit = hit or requests[queues[bank, at], AT_ROW] == row
    for at in range(1, length + 1):
        i = queues[bank, at]
        if requests[i, AT_ROW] == row:
            command = RD + requests[i, WRITE]
            ordered = True
            for older in range(1, at if command == WR else 1):
                other = queues[bank, older]
                ordered = ordered and (
                    requests[other, WRITE] == 1 or requests[other, LINE] != requests[i, LINE]
                )
            if not ordered:
                continue
        elif at == 1 and (not hit or banks[bank, HIT_COUNT] >= limit):
            command = PRE
        else:
            continue
        cycle = banks[bank, READY + command]
        if cycle <= clock:
            return at, command, clock
        soonest = min(soonest, cycle)
    return 0, ACT, soonest


@njit(cache=True)
def take_turns(requests: Ints, banks: Ints, queues: Ints, regs: Ints, clock: int) -> tuple[int, int, int]:
    """(first bank in turn that can go, entry, command); notes when one can if none does."""
    soonest, turn = NEVER, regs[TURN]
    for _ in range(queues.shape[0]):
        turn = turn + 1 if turn + 1 < queues.shape[0] else 0
        if regs[REFRESHING] > 0 and banks[turn, RANK] == regs[REGS]:
            continue
        at, command, cycle = pick(requests, banks, queues, turn, clock, regs[HIT_LIMIT])
        if at > 0:
            regs[TURN] = turn
            return turn, at, command
        soonest = min(soonest, cycle)
    regs[WAKE] = soonest
    return -1, 0, ACT


@njit(cache=True)
def pick_refresh(banks: Ints, regs: Ints, clock: int) -> tuple[int, int]:
    """(bank of the rank that is due which may be closed, or the rank's first one if it may be refreshed; command)."""
    regs[REFRESHING] = 1
    idle, first = True, -1
    for bank in range(banks.shape[0]):
        if banks[bank, RANK] == regs[REGS]:
            first = bank if first < 0 else first
            is_open = banks[bank, OPEN_ROW] != CLOSED
            if is_open and banks[bank, READY + PRE] <= clock:
                return bank, PRE
            idle = idle and not is_open and banks[bank, READY + REF] <= clock
    return (first, REF) if idle else (-1, REF)


@njit(cache=True)
def issue(
    requests: Ints, banks: Ints, queues: Ints, regs: Ints, bank: int, at: int, command: int, clock: int
) -> None:
    """Let a command change the state; a column command takes its entry out of the queue of the bank."""
    regs[WAKE] = clock + 1
    if command == REF:
        regs[REFRESHES] += 1
        regs[REFRESHING] = 0
        regs[DUE] -= 1
        for k in range(REGS, REGS + regs[DUE]):
            regs[k] = regs[k + 1]
    elif command == PRE:
        banks[bank, OPEN_ROW] = CLOSED
        banks[bank, HIT_COUNT] = 0
    elif command == ACT:
        banks[bank, OPEN_ROW] = requests[queues[bank, at], AT_ROW]
        regs[ACTIVATIONS] += 1
    else:
        if banks[bank, HIT_COUNT] > 0:
            regs[WRITE_HITS if command == WR else READ_HITS] += 1
        banks[bank, HIT_COUNT] += 1
        if command == RD:
            requests[queues[bank, at], DEPARTED] = clock + regs[READ_LATENCY]
        drop(queues, bank, at)
        regs[STUCK] = 0


@njit(cache=True)
def schedule(requests: Ints, banks: Ints, queues: Ints, buffers: Ints, regs: Ints) -> bool:
    """Move one request into the queue of its bank; False where there is none to move or no room."""
    writes = buffers[WRITES, 0]
    if regs[DRAINING] == 0 and writes > regs[DRAIN_ABOVE]:
        idle = True
        for bank in range(queues.shape[0]):
            idle = idle and queues[bank, 0] == 0
        if idle or writes >= regs[BUFFER_ENTRIES]:
            regs[DRAINING] = writes
    kind = WRITES if regs[DRAINING] > 0 else READS
    for at in range(1, buffers[kind, 0] + 1):
        i = buffers[kind, at]
        bank = requests[i, BANK]
        if queues[bank, 0] >= regs[BANK_ENTRIES]:
            continue
        if kind == WRITES:
            if waits(requests, queues, buffers, bank, requests[i, LINE], READS):
                regs[DRAINING] = 0
                return True
            regs[DRAINING] -= 1
        queues[bank, 0] += 1
        queues[bank, queues[bank, 0]] = i
        drop(buffers, kind, at)
        row = banks[bank, OPEN_ROW]
        command = ACT if row == CLOSED else RD + kind if row == requests[i, AT_ROW] else PRE
        regs[WAKE] = min(regs[WAKE], banks[bank, READY + command])
        return True
    return False


@njit(cache=True)
def accept(requests: Ints, queues: Ints, buffers: Ints, regs: Ints, i: int, clock: int) -> bool:
    """Take request ``i`` if its buffer has room.

    A write is done a cycle later; so is a read whose line still waits to be written. A second access of the
    same kind to a line that waits joins the first.
    """
    kind, bank, line = requests[i, WRITE], requests[i, BANK], requests[i, LINE]
    if buffers[kind, 0] >= regs[BUFFER_ENTRIES]:
        return False
    requests[i, ARRIVED] = clock
    joins = waits(requests, queues, buffers, bank, line, WRITES)
    if kind == WRITES or joins:
        requests[i, DEPARTED] = clock + 1
    elif waits(requests, queues, buffers, bank, line, READS):
        requests[i, DEPARTED] = clock + regs[READ_LATENCY]
        joins = True
    if joins:
        regs[MERGED] += 1
        return True
    buffers[kind, 0] += 1
    buffers[kind, buffers[kind, 0]] = i
    regs[STUCK] = 0
    return True


@njit(cache=True)
def summarise(requests: Ints, regs: Ints, sent: int) -> None:
    """Requests that were done, and the latencies of the reads among them."""
    for i in range(sent):
        departed = requests[i, DEPARTED]
        if 0 < departed < regs[CYCLES]:
            if requests[i, WRITE]:
                regs[WRITES_SERVED] += 1
            else:
                regs[READS_SERVED] += 1
                regs[LATENCY_SUM] += departed - requests[i, ARRIVED]


@njit(cache=True)
def run_bank_queues(
    requests: Ints, banks: Ints, delays: Ints, acts: Ints, queues: Ints, buffers: Ints, regs: Ints
) -> None:
    """Serve a stream of which one request is offered each cycle, for ``regs[UNTIL]`` cycles.

    The arrays (see the module) hold a fresh state and are changed in place; the counts are in ``regs`` from CYCLES
    on. A read counts when its data arrived within the run, a write when it was taken.
    """
    total, ranks, until = requests.shape[0], acts.shape[0], regs[UNTIL]
    clock, sent = 0, 0
    while clock < until:
        if clock > 0 and regs[REFI] > 0 and clock % regs[REFI] == 0:
            if REGS + regs[DUE] == regs.size:
                raise RuntimeError("refreshes fall behind")
            regs[REGS + regs[DUE]] = regs[NEXT_RANK]
            regs[DUE] += 1
            regs[NEXT_RANK] = (regs[NEXT_RANK] + 1) % ranks
        bank, at, command = -1, 0, ACT
        if regs[DUE] > 0:
            bank, command = pick_refresh(banks, regs, clock)
        if bank < 0 and clock >= regs[WAKE]:
            bank, at, command = take_turns(requests, banks, queues, regs, clock)
        if bank >= 0:
            forward(banks, delays, acts, regs, command, bank, clock)
            issue(requests, banks, queues, regs, bank, at, command, clock)
        if regs[STUCK] == 0 and not schedule(requests, banks, queues, buffers, regs):
            regs[STUCK] = 1
        clock += 1
        taken = sent < total and accept(requests, queues, buffers, regs, sent, clock)
        if taken:
            sent += 1
        elif regs[STUCK] and regs[DUE] == 0:
            following = until if regs[REFI] == 0 else (clock + regs[REFI] - 1) // regs[REFI] * regs[REFI]
            clock = max(clock, min(until, regs[WAKE], following))
    regs[CYCLES] = clock
    summarise(requests, regs, sent)
