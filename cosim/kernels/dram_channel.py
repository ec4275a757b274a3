"""One DRAM channel, command by command: a controller with one queue for reads and one for writes.

Every bank keeps, for each kind of command, the first cycle at which it may go out. A command c that goes to bank i
at cycle t moves those cycles forward, for every bank j and following command n:

    ready[j, n]   = max(ready[j, n], t + delays[c, i, j, n])                                                   (1)
    ready[j, ACT] = max(ready[j, ACT], t(fourth last ACT of the rank) + tFAW)                                  (2)

The scheduler is first-ready, first-come-first-served (Rixner et al., ISCA 2000, doi:10.1145/339647.339668): the
oldest request whose next command may go out. A row is not closed while an activated request waits for it, nor while
an older request of the same queue hits it. Writes wait in their own queue until it fills to a mark, and are then
served down to a second one. Refresh of a rank goes before all but the activated requests. Cycles in which nothing
can happen are skipped. HBM issues a row and a column command in one cycle (JESD235; JESD238 with its half cycles),
LPDDR5 activates with two commands and starts its data clock with a third (JESD209-5).

Arrays, all int64 (the state is made by ``cosim.components.dram_channel``):

- ``requests`` [requests, 7]: flat bank, line, row, 1 for a write; arrival, departure, whether a command went out for it
- ``banks`` [banks, 11]: rank, open row, activated requests for it, arrival of the oldest read and write that hit it,
  the six cycles ``ready``
- ``delays`` [6, banks, banks, 6]: command, its bank, another bank, following command; 0 where nothing is demanded
- ``acts`` [ranks, 5]: the last four activations as a ring, and the place of the oldest one
- ``queues`` [3, 1 + entries]: length, then indices of requests, oldest first
- ``regs`` [REGS + refreshes that can be due]: limits in cycles or requests (0: none), flags, counts, then ranks due
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from cosim.kernels.dram_state import delay, drop

Ints = npt.NDArray[np.int64]

# Commands (PREA, REF: all banks of a rank); banks without an open row, OPENING between the halves of an activation;
# where a command comes from (ACTIVE: a request whose row was opened for it); what a slot of the command bus takes.
ACT, PRE, RD, WR, PREA, REF = range(6)
CLOSED, OPENING = -1, -2
READS, WRITES, ACTIVE, REFRESH, SECOND, NOTHING = range(6)
ANY, COLUMN, ROW = range(3)
BANK, LINE, AT_ROW, WRITE, ARRIVED, DEPARTED, TOUCHED = range(7)
RANK, OPEN_ROW, HOLDERS, HIT_SINCE, READY = 0, 1, 2, 3, 5
(READ_ENTRIES, WRITE_ENTRIES, WRITE_ABOVE, WRITE_BELOW, OFFERS, READ_LATENCY, WRITE_LATENCY, FAW, REFI, HIT_FIRST,
 DRAIN, DUAL_BUS, HALF_CYCLES, SPLIT_ACT, READ_SYNC, WRITE_SYNC,
 WRITE_MODE, DUE, SYNC_UNTIL, SYNC_QUEUE, SYNC_AT, SECOND_ACT, DEADLINE, EDGE, EDGE_RANK, EDGE_BANK,
 CYCLES, READS_SERVED, WRITES_SERVED, HITS, MISSES, CONFLICTS, LATENCY_SUM, READS_DONE, REFRESHES, FORWARDED,
 MERGED, REGS) = range(38)  # fmt: skip
NEVER = 1 << 62


@njit(cache=True)
def next_command(requests: Ints, banks: Ints, i: int) -> int:
    """Command that request ``i`` needs next; -1 while its bank is half activated."""
    row = banks[requests[i, BANK], OPEN_ROW]
    if row == requests[i, AT_ROW]:
        return RD + requests[i, WRITE]
    if row == CLOSED:
        return ACT
    return -1 if row == OPENING else PRE


@njit(cache=True)
def forward(banks: Ints, delays: Ints, acts: Ints, command: int, bank: int, clock: int, faw: int) -> None:
    """Equations (1) and (2)."""
    delay(banks, READY, delays, command, bank, clock)
    if command == ACT:
        rank = banks[bank, RANK]
        at = acts[rank, 4]
        acts[rank, at] = clock
        at = (at + 1) % 4
        acts[rank, 4] = at
        for other in range(banks.shape[0]):
            if banks[other, RANK] == rank:
                banks[other, READY + ACT] = max(banks[other, READY + ACT], acts[rank, at] + faw)


@njit(cache=True)
def open_bank(requests: Ints, banks: Ints, queues: Ints, i: int) -> None:
    """The row of request ``i`` is open: it joins the requests that only wait for their column command."""
    bank = requests[i, BANK]
    banks[bank, OPEN_ROW] = requests[i, AT_ROW]
    banks[bank, HOLDERS] += 1
    queues[ACTIVE, 0] += 1
    queues[ACTIVE, queues[ACTIVE, 0]] = i
    for queue in range(2):
        find_hit(requests, banks, queues, queue, bank)


@njit(cache=True)
def find_hit(requests: Ints, banks: Ints, queues: Ints, queue: int, bank: int) -> None:
    """Note when the oldest request of a waiting queue arrived that hits the open row of a bank."""
    banks[bank, HIT_SINCE + queue] = NEVER
    row = banks[bank, OPEN_ROW]
    for at in range(1, queues[queue, 0] + 1):
        i = queues[queue, at]
        if requests[i, BANK] == bank and requests[i, AT_ROW] == row:
            banks[bank, HIT_SINCE + queue] = requests[i, ARRIVED]
            return


@njit(cache=True)
def issue(
    requests: Ints, banks: Ints, queues: Ints, regs: Ints, queue: int, at: int, command: int, clock: int
) -> None:
    """Let the next command of an entry of a queue change the state, and move the entry on.

    A request counts as hit, miss or conflict when the first command for it goes out.
    """
    i = queues[queue, at]
    bank = requests[i, BANK]
    if requests[i, TOUCHED] == 0:
        requests[i, TOUCHED] = 1
        regs[CONFLICTS if command == PRE else MISSES if command == ACT else HITS] += 1
    if command == PRE:
        banks[bank, OPEN_ROW] = CLOSED
        banks[bank, HIT_SINCE + READS] = banks[bank, HIT_SINCE + WRITES] = NEVER
        return
    drop(queues, queue, at)
    if command == ACT:
        if regs[SPLIT_ACT] > 0:
            banks[bank, OPEN_ROW] = OPENING
            regs[SECOND_ACT] = i
            regs[DEADLINE] = clock + regs[SPLIT_ACT]
        else:
            open_bank(requests, banks, queues, i)
        return
    if queue == ACTIVE:
        banks[bank, HOLDERS] -= 1
    else:
        find_hit(requests, banks, queues, queue, bank)
    regs[WRITES_SERVED if command == WR else READS_SERVED] += 1
    requests[i, DEPARTED] = clock + regs[WRITE_LATENCY if command == WR else READ_LATENCY]
    regs[SYNC_UNTIL] = max(regs[SYNC_UNTIL], clock + regs[WRITE_SYNC if command == WR else READ_SYNC])


@njit(cache=True)
def refresh_done(banks: Ints, regs: Ints, command: int) -> None:
    """The oldest refresh that is due closed the banks of its rank, or refreshed them."""
    for bank in range(banks.shape[0]):
        if banks[bank, RANK] == regs[REGS]:
            banks[bank, OPEN_ROW] = CLOSED
            banks[bank, HIT_SINCE + READS] = banks[bank, HIT_SINCE + WRITES] = NEVER
    if command == REF:
        regs[REFRESHES] += 1
        regs[DUE] -= 1
        for k in range(REGS, REGS + regs[DUE]):
            regs[k] = regs[k + 1]


@njit(cache=True)
def pick_active(requests: Ints, banks: Ints, queues: Ints, clock: int) -> tuple[int, int]:
    """(entry of the oldest activated request that may go, 0 if none; first cycle at which one may)."""
    best, arrived, soonest = 0, NEVER, NEVER
    for at in range(1, queues[ACTIVE, 0] + 1):
        i = queues[ACTIVE, at]
        cycle = banks[requests[i, BANK], READY + RD + requests[i, WRITE]]
        if cycle > clock:
            soonest = min(soonest, cycle)
        elif requests[i, ARRIVED] < arrived:
            best, arrived = at, requests[i, ARRIVED]
    return best, soonest


@njit(cache=True)
def pick_waiting(
    requests: Ints, banks: Ints, queues: Ints, regs: Ints, queue: int, slot: int, clock: int, falling: bool
) -> tuple[int, int, int]:
    """(entry of the oldest waiting request whose command may go, 0 if none; command; first cycle for one).

    A precharge waits where an activated request, or an older one of the queue, needs the row that is open.
    """
    soonest = NEVER
    for at in range(1, queues[queue, 0] + 1):
        i = queues[queue, at]
        bank = requests[i, BANK]
        command = next_command(requests, banks, i)
        if command < 0 or (slot == COLUMN and command < RD) or (slot == ROW and command >= RD):
            continue
        cycle = banks[bank, READY + command]
        if cycle > clock:
            soonest = min(soonest, cycle)
            continue
        if command == PRE:
            if banks[bank, HOLDERS] > 0 or (falling and paired(regs, banks[bank, RANK], bank, clock)):
                continue
            if regs[HIT_FIRST] and banks[bank, HIT_SINCE + queue] <= requests[i, ARRIVED]:
                continue
        elif command == ACT and (falling or regs[SECOND_ACT] >= 0):
            continue
        return at, command, clock
    return 0, -1, soonest


@njit(cache=True)
def paired(regs: Ints, rank: int, bank: int, clock: int) -> bool:
    """Whether a row command of the rising edge keeps the falling edge from precharging (JESD238)."""
    if clock != regs[EDGE] or rank != regs[EDGE_RANK]:
        return False
    return bool(bank < 0 or regs[EDGE_BANK] < 0 or regs[EDGE_BANK] == bank)


@njit(cache=True)
def pick_refresh(banks: Ints, regs: Ints, clock: int, falling: bool) -> tuple[int, int, int]:
    """(a bank of the rank whose refresh is due first, 0 or more if it may go; command; first cycle for it)."""
    rank = regs[REGS]
    command, first, closing, refreshing = REF, -1, 0, 0
    for bank in range(banks.shape[0]):
        if banks[bank, RANK] == rank:
            if banks[bank, HOLDERS] > 0 or banks[bank, OPEN_ROW] == OPENING:
                return -1, REF, NEVER
            if banks[bank, OPEN_ROW] != CLOSED:
                command = PREA
            first = bank if first < 0 else first
            closing = max(closing, banks[bank, READY + PREA])
            refreshing = max(refreshing, banks[bank, READY + REF])
    cycle = closing if command == PREA else refreshing
    if cycle > clock or (falling and (command == REF or paired(regs, rank, -1, clock))):
        return -1, command, max(cycle, clock + 1)
    return first, command, clock


@njit(cache=True)
def waiting_queue(queues: Ints, regs: Ints) -> int:
    """Queue to serve: writes from the upper mark down to the lower one, or while there is no read."""
    reads, writes = queues[READS, 0], queues[WRITES, 0]
    if regs[WRITE_MODE] == 0:
        if writes > regs[WRITE_ABOVE] or reads == 0:
            regs[WRITE_MODE] = 1
    elif writes < regs[WRITE_BELOW] and reads > 0:
        regs[WRITE_MODE] = 0
    return WRITES if regs[WRITE_MODE] else READS


@njit(cache=True)
def choose(
    requests: Ints, banks: Ints, queues: Ints, regs: Ints, slot: int, clock: int, falling: bool
) -> tuple[int, int, int, int]:
    """(where a command comes from, or NOTHING; entry, or bank of a refresh; command; first cycle at which one may).

    With a split activation its second half goes out at its deadline, or when nothing else may; a column command
    waits a cycle where the data clock has to be started for it.
    """
    if regs[SECOND_ACT] >= 0 and regs[DEADLINE] <= clock:
        return SECOND, 0, ACT, clock
    if regs[SYNC_QUEUE] >= 0:
        queue, at = regs[SYNC_QUEUE], regs[SYNC_AT]
        regs[SYNC_QUEUE] = -1
        return queue, at, next_command(requests, banks, queues[queue, at]), clock
    queue, at, command, soonest = NOTHING, 0, -1, NEVER
    if slot != ROW:
        at, soonest = pick_active(requests, banks, queues, clock)
    if at > 0:
        queue, command = ACTIVE, next_command(requests, banks, queues[ACTIVE, at])
    elif regs[DUE] > 0:
        if slot != COLUMN:
            at, command, cycle = pick_refresh(banks, regs, clock, falling)
            queue = REFRESH if at >= 0 else NOTHING
            soonest = min(soonest, cycle)
    else:
        source = waiting_queue(queues, regs)
        at, command, cycle = pick_waiting(requests, banks, queues, regs, source, slot, clock, falling)
        queue = source if at > 0 else NOTHING
        soonest = min(soonest, cycle)
    if regs[SPLIT_ACT] > 0:
        stopped = command >= RD and command <= WR and queue < REFRESH and clock >= regs[SYNC_UNTIL]
        pressing = stopped and regs[DEADLINE] <= clock + 1
        if regs[SECOND_ACT] >= 0 and (queue == NOTHING or pressing):
            return SECOND, 0, ACT, clock
        if stopped:
            regs[SYNC_QUEUE] = queue
            regs[SYNC_AT] = at
            return NOTHING, 0, -1, clock + 1
    return queue, at, command, soonest


@njit(cache=True)
def step(requests: Ints, banks: Ints, delays: Ints, acts: Ints, queues: Ints, regs: Ints, clock: int) -> int:
    """One cycle of the command bus; the first cycle after it at which a command may go out."""
    falling = regs[HALF_CYCLES] > 0 and clock % 2 == 0
    wake = NEVER
    for slot in range(COLUMN, ROW + 1) if regs[DUAL_BUS] else range(ANY, ANY + 1):
        if falling and slot == COLUMN:
            continue
        queue, at, command, cycle = choose(requests, banks, queues, regs, slot, clock, falling)
        wake = min(wake, cycle)
        if queue == NOTHING:
            continue
        wake = clock + 1
        if queue == SECOND:
            open_bank(requests, banks, queues, regs[SECOND_ACT])
            regs[SECOND_ACT] = -1
            continue
        bank = at if queue == REFRESH else requests[queues[queue, at], BANK]
        forward(banks, delays, acts, command, bank, clock, regs[FAW])
        if slot == ROW and regs[HALF_CYCLES] and not falling:
            # The half cycle after a row command of a rising edge is not free for every precharge.
            regs[EDGE] = clock + (3 if command == ACT else 1)
            regs[EDGE_RANK] = banks[bank, RANK]
            regs[EDGE_BANK] = -1 if queue == REFRESH else bank
        if queue == REFRESH:
            refresh_done(banks, regs, command)
        else:
            issue(requests, banks, queues, regs, queue, at, command, clock)
    # On a falling edge only precharges go out, so the next edge is looked at anyway.
    return clock + 1 if falling else wake


@njit(cache=True)
def accept(requests: Ints, banks: Ints, queues: Ints, regs: Ints, i: int, clock: int) -> tuple[bool, int]:
    """(whether request ``i`` is taken; first cycle at which it may change what the bus does).

    A line whose write still waits is answered from there.
    """
    bank, is_write = requests[i, BANK], requests[i, WRITE]
    for at in range(1, queues[WRITES, 0] + 1):
        if requests[queues[WRITES, at], LINE] == requests[i, LINE]:
            regs[MERGED if is_write else FORWARDED] += 1
            requests[i, ARRIVED] = clock
            requests[i, DEPARTED] = clock + 1
            return True, NEVER
    queue = WRITES if is_write else READS
    if queues[queue, 0] >= regs[WRITE_ENTRIES if is_write else READ_ENTRIES]:
        return False, NEVER
    queues[queue, 0] += 1
    queues[queue, queues[queue, 0]] = i
    requests[i, ARRIVED] = clock
    if banks[bank, OPEN_ROW] == requests[i, AT_ROW]:
        banks[bank, HIT_SINCE + queue] = min(banks[bank, HIT_SINCE + queue], clock)
    command = next_command(requests, banks, i)
    if queues[READS, 0] <= 1 or queues[WRITES, 0] > regs[WRITE_ABOVE] or command < 0:
        return True, clock
    return True, banks[bank, READY + command]


@njit(cache=True)
def pending(queues: Ints, regs: Ints) -> bool:
    """Whether a request still waits for a command."""
    return bool(queues[READS, 0] + queues[WRITES, 0] + queues[ACTIVE, 0] > 0 or regs[SECOND_ACT] >= 0)


@njit(cache=True)
def summarise(requests: Ints, regs: Ints, clock: int, sent: int) -> None:
    """Cycles of the run, and the latencies of the reads whose data arrived in it."""
    last = clock
    for i in range(sent):
        departed = requests[i, DEPARTED]
        if regs[DRAIN]:
            last = max(last, departed)
        if requests[i, WRITE] == 0 and departed > 0 and (regs[DRAIN] or departed <= clock):
            regs[LATENCY_SUM] += departed - requests[i, ARRIVED]
            regs[READS_DONE] += 1
    regs[CYCLES] = last


@njit(cache=True)
def run_channel(requests: Ints, banks: Ints, delays: Ints, acts: Ints, queues: Ints, regs: Ints) -> None:
    """Serve a stream whose requests are offered as fast as the queues take them.

    The run ends when the last request is accepted; with ``regs[DRAIN]`` when the last data has moved. The arrays
    (see the module) hold a fresh state and are changed in place; the counts are in ``regs`` from CYCLES on.
    RuntimeError where no command can ever go out.
    """
    total = requests.shape[0]
    clock, sent, wake = 0, 0, 0
    next_refresh = regs[REFI] if regs[REFI] > 0 else NEVER
    while True:
        blocked = sent == total
        for _ in range(regs[OFFERS] if clock > 0 else 1):
            if sent == total:
                break
            taken, cycle = accept(requests, banks, queues, regs, sent, clock)
            if not taken:
                blocked = True
                break
            wake = min(wake, cycle)
            sent += 1
        if sent == total and not (regs[DRAIN] and pending(queues, regs)):
            break
        clock += 1
        if clock == next_refresh:
            next_refresh += regs[REFI]
            if REGS + regs[DUE] + acts.shape[0] > regs.size:
                raise RuntimeError("refreshes fall behind")
            for rank in range(acts.shape[0]):
                regs[REGS + regs[DUE]] = rank
                regs[DUE] += 1
            wake = clock
        if clock < wake:
            if blocked:
                clock = min(wake, next_refresh) - 1
            continue
        wake = step(requests, banks, delays, acts, queues, regs, clock)
        if blocked and min(wake, next_refresh) == NEVER:
            raise RuntimeError("no command can ever go out")
    summarise(requests, regs, clock, sent)
