"""What one DRAM command demands of the next: timings of a device as a table of cycles between commands.

Rules are stated at the level that both commands share: bank, bank group, stack, unit (rank or pseudo-channel),
channel. A rule of a level holds within it at every distance, so the delay between two banks is the largest of the
rules of all levels they share. With B = nBL and, for a command of several ticks on its bus, the offsets of eq. (6):

    RD -> RD    unit max(B, nCCDS), group nCCDL; other stack nCCDR; other rank on the same bus: B + nCS         (1)
    RD -> WR    unit nRTW = nCL + B + turnaround - nCWL;  WR -> RD  unit nCWL + B + nWTRS, group with nWTRL     (2)
    ACT -> ACT  unit nRRDS, group nRRDL, bank nRC;  ACT -> RD, WR  bank nRCD                                    (3)
    ACT -> PRE  nRAS;  RD -> PRE  nRTP;  WR -> PRE  nCWL + B + nWR;  PRE -> ACT  nRP;  PRE -> PRE  nPPD         (4)
    ACT -> REF  nRC;  PRE -> REF  nRP;  REF -> ACT  nRFC                                                        (5)
    latency + (ticks of the first - 1) - (ticks of the second - 1);  same bus: at least the ticks of the first  (6)

The window of four activations (nFAW) is kept by the kernels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from cosim.components.dram_spec import COMMANDS
from cosim.components.dram_timing import DramDevice

Ints = npt.NDArray[np.int64]
BANK, GROUP, STACK, UNIT, CHANNEL = range(5)
"""Levels, and at the same time distances: the smallest level that two banks share."""
Rule = tuple[int, str, str, int]
_ROW_COMMANDS = ("ACT", "PRE", "PREA", "REF")
_COLUMN_COMMANDS = ("RD", "WR")


def bank_coordinates(device: DramDevice) -> Ints:
    """[banks, 4]: unit, stack, group and bank of each flat bank; the bank within its group runs fastest."""
    shape = (device.units, device.stacks, device.groups, device.banks)
    at: Ints = np.stack(np.unravel_index(np.arange(device.bank_count), shape), axis=1).astype(np.int64)
    return at


def distances(device: DramDevice) -> Ints:
    """[banks, banks]: the smallest level that two banks share."""
    at = bank_coordinates(device)
    same = at[:, None, :] == at[None, :, :]
    shared: Ints = np.cumprod(same, axis=2, dtype=np.int64).sum(axis=2)
    return CHANNEL - shared


def command_delays(device: DramDevice) -> Ints:
    """Ticks from a command to a bank until a command to another may follow, [6, banks, banks, 6]; 0 where none.

    The axes are the first command, its bank, the other bank, the following command, in the order of ``COMMANDS``.
    PREA and REF go to a whole unit; their bank may be any of it.
    """
    by_level = np.zeros((CHANNEL + 1, len(COMMANDS), len(COMMANDS)), np.int64)
    for level, first, second, latency in _offset_rules(device):
        place = COMMANDS.index(first), COMMANDS.index(second)
        by_level[level][place] = max(by_level[level][place], latency)
    # A rule of a level holds for all distances up to it.
    within = np.maximum.accumulate(by_level[::-1], axis=0)[::-1]
    for distance, first, second, clocks in _switch_rules(device):
        place = COMMANDS.index(first), COMMANDS.index(second)
        within[distance][place] = max(within[distance][place], clocks * device.ticks_per_clock)
    apart = distances(device)
    delays = within[apart].transpose(2, 0, 1, 3).copy()
    for command in ("PREA", "REF"):
        row = COMMANDS.index(command)
        delays[row] = within[np.where(apart < CHANNEL, BANK, CHANNEL), row]
    return delays


def _offset_rules(device: DramDevice) -> Iterator[Rule]:
    """Rules in ticks, moved by the lengths of the commands (eq. 6), with those of the command buses."""
    ticks = {command: device.command_ticks.get(command, 1) for command in COMMANDS}
    for level, first, second, clocks in _rules(device):
        yield level, first, second, clocks * device.ticks_per_clock + ticks[first] - ticks[second]
    dual = device.bus in ("row_and_column", "half_cycles")
    for bus in (_ROW_COMMANDS, _COLUMN_COMMANDS) if dual else (COMMANDS,):
        for first in bus:
            for second in bus:
                yield CHANNEL, first, second, ticks[first] if ticks[first] > 1 else 0


def _rules(device: DramDevice) -> Iterator[Rule]:
    """Equations (1) to (5) in clock cycles."""
    n = device.clocks
    burst, cwl = n["nBL"], n["nCWL"]
    write_end = cwl + burst
    data_bus = UNIT if device.pseudo_channels > 1 else CHANNEL
    for command, short, long in (
        ("RD", n["nCCDS"], n["nCCDL"]),
        ("WR", n.get("nCCDSWR", n["nCCDS"]), n.get("nCCDLWR", n["nCCDL"])),
    ):
        yield data_bus, command, command, burst
        yield (STACK if "nCCDR" in n else UNIT), command, command, short
        yield GROUP, command, command, long
    yield UNIT, "RD", "WR", n["nRTW"]
    yield UNIT, "WR", "RD", write_end + n["nWTRS"]
    yield GROUP, "WR", "RD", cwl + n.get("nBLmax", burst) + n["nWTRL"]
    yield UNIT, "ACT", "ACT", n["nRRDS"]
    yield GROUP, "ACT", "ACT", n["nRRDL"]
    yield BANK, "ACT", "ACT", n["nRC"]
    yield BANK, "ACT", "RD", n["nRCD"]
    yield BANK, "ACT", "WR", n.get("nRCDWR", n["nRCD"])
    for command, level in (("PRE", BANK), ("PREA", UNIT)):
        yield level, "ACT", command, n["nRAS"]
        yield level, "RD", command, n["nRTP"]
        yield level, "WR", command, write_end + n["nWR"]
        yield UNIT, command, "REF", n["nRP"]
        for other in ("PRE", "PREA"):
            yield UNIT, command, other, n.get("nPPD", 0)
    yield BANK, "PRE", "ACT", n["nRP"]
    yield UNIT, "PREA", "ACT", n.get("nRPab", n["nRP"])
    yield UNIT, "ACT", "REF", n["nRC"]
    for command in ("ACT", "PREA", "REF"):
        yield UNIT, "REF", command, n["nRFC"]


def _switch_rules(device: DramDevice) -> Iterator[Rule]:
    """What holds at one distance alone: reads of two stacks, and bursts of two ranks on one data bus."""
    n = device.clocks
    if device.stacks > 1 and "nCCDR" in n:
        yield UNIT, "RD", "RD", n["nCCDR"]
    if device.ranks > 1:
        gap = n["nBL"] + n["nCS"]
        yield CHANNEL, "RD", "RD", gap
        # The simulator of the one-queue controller counts a write after a read of another rank from the command.
        to_write = gap if device.controller == "one_queue" else gap + n["nCL"] - n["nCWL"]
        yield CHANNEL, "RD", "WR", to_write
        yield CHANNEL, "WR", "RD", gap + n["nCWL"] - n["nCL"]
