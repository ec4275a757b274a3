"""``cosim check dram``: the DRAM channel model against runs of two simulators, pattern by pattern.

The folder holds ``dram_efficiency.csv``, one line for each simulator, device, address mapping and access pattern; the
compared figure is ``fraction_of_peak``, the data moved over the peak rate. Ramulator 2.1 served a given number of
requests and reports the cycles; DRAMsim3 ran for a given number of cycles and reports the requests. The streams
are those of the reference runs: random patterns come from one Mersenne Twister (seed 1) that the runs of a device
drew from in a fixed order, so that a pattern depends on those before it. A case is exact when requests, cycles and row
counts agree.

A line of a simulator, device, mapping or pattern that the model does not know is not compared, and a note says so.

Tools: Ramulator 2.0, doi:10.1109/LCA.2023.3333759; DRAMsim3, doi:10.1109/LCA.2020.2973991.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cosim.checks.metrics import CheckReport, CheckRow, build_report
from cosim.checks.timeloop_tables import TableRow, read_table
from cosim.components.dram_channel import DramRun, simulate
from cosim.components.dram_spec import Controller
from cosim.components.dram_streams import SEED, parse_pattern, pattern
from cosim.components.dram_timing import DramDevice, DramError, find_device
from cosim.spec.problems import nearest_hint, one_of

Ints = npt.NDArray[np.int64]
FILE = "dram_efficiency.csv"
COLUMNS = (
    "simulator", "device", "ranks", "bytes_per_request", "address_mapping", "pattern", "requests_served",
    "dram_clock_cycles", "fraction_of_peak",
)  # fmt: skip
OFFERED = 40_000
"""Requests of a stream of the reference runs."""


@dataclass(frozen=True, slots=True)
class Simulator:
    """How a reference tool was run: its controller, the random patterns in the order they were drawn, and the devices
    whose runs drew from one generator one after the other."""

    controller: Controller
    drawn: tuple[str, ...]
    devices: tuple[str, ...] = ()


_RANDOM = ("random_read", "random_2read_1write")
SIMULATORS: Mapping[str, Simulator] = {
    "Ramulator 2.1": Simulator(
        "one_queue", (*_RANDOM, *(f"random_blocks_{n}B_read" for n in (128, 256, 512, 1024, 2048, 4096)))
    ),
    "DRAMsim3": Simulator(
        "bank_queues",
        (*_RANDOM, *(f"random_blocks_{n}B_read" for n in (128, 256, 1024, 4096))),
        ("DDR4_8Gb_x8_2400", "LPDDR4_8Gb_x16_2400", "LPDDR4_3200_x16"),
    ),
}
ALIASES = {"LPDDR4_3200_x16_own": "LPDDR4_3200_x16"}
"""A configuration of the reference runs that its tool does not ship; the record holds the JEDEC timings."""


class _NotCompared(Exception):
    """A line that names something the model does not know; the text says what."""


def check_dram(folder: Path) -> CheckReport:
    """Compare every line of ``folder``; CheckInputError where the file or a value cannot be read."""
    rows: list[CheckRow] = []
    runs: list[tuple[TableRow, DramRun]] = []
    skipped: list[str] = []
    for line in read_table(folder, FILE, COLUMNS):
        try:
            row, run = _compare(line)
        except (_NotCompared, DramError) as problem:
            skipped.append(f"line {line.line} is not compared: {problem}")
            continue
        rows.append(row)
        runs.append((line, run))
    return build_report("dram", rows, [*_agreement_of_rows(runs), *skipped])


def _simulator(text: str) -> str:
    """Name of the tool without the commit in brackets."""
    name = text.partition("(")[0].strip()
    if name not in SIMULATORS:
        hint = nearest_hint(name, SIMULATORS)
        raise _NotCompared(
            f"simulator {text!r} is not known{'; ' + hint if hint else ''}; known: {one_of(SIMULATORS)}"
        )
    return name


def _device(line: TableRow, controller: Controller) -> DramDevice:
    """The device of a line; its number of ranks is the line's."""
    name = ALIASES.get(line.text("device"), line.text("device"))
    number = line.text("ranks").split()[0] if line.has("ranks") else ""
    if not number.isdigit() or int(number) < 1:
        raise line.error("ranks", f"found {line.text('ranks')!r}; it begins with a number of 1 or more")
    device = find_device(name)
    if int(number) != device.units:
        if device.pseudo_channels > 1:
            raise _NotCompared(f"device {name!r} has {device.units} pseudo-channels, found {number}")
        device = find_device(name, int(number))
    if device.controller != controller:
        raise _NotCompared(f"device {name!r} is a record of another simulator")
    if device.access_bytes != line.integer("bytes_per_request"):
        raise _NotCompared(
            f"an access of {name!r} moves {device.access_bytes} bytes, found {line.integer('bytes_per_request')}"
        )
    return device


def _compare(line: TableRow) -> tuple[CheckRow, DramRun]:
    """(row of the report, the model's run) of one line."""
    tool = _simulator(line.text("simulator"))
    device = _device(line, SIMULATORS[tool].controller)
    name = line.text("pattern")
    parse_pattern(name)
    served, cycles = line.integer("requests_served"), line.integer("dram_clock_cycles")
    if served < 1 or cycles < 1:
        raise line.error("requests_served", "requests and cycles must be 1 or more")
    offered = max(OFFERED, -(-served // 10_000) * 10_000)
    addresses, writes = _stream(tool, device.name, name, device.access_bytes, offered)
    until = cycles if device.controller == "bank_queues" else None
    run = simulate(device, addresses, writes, line.text("address_mapping"), until)
    predicted = run.fraction_of_peak
    if line.has("peak_mb_per_s"):
        predicted = run.bytes_per_s / 1e6 / line.number("peak_mb_per_s")
    wrong = [
        f"{column}: {value:g}, reference {line.text(column)}"
        for column, value in _figures(run).items()
        if value is not None and line.has(column) and value != line.number(column)
    ]
    row = CheckRow(
        case=f"{line.text('device')} {line.text('address_mapping')} {name} (line {line.line})",
        predicted=predicted,
        reference=line.number("fraction_of_peak"),
        unit="of peak",
        category=tool,
        exact=not wrong,
        note="; ".join(wrong),
    )
    return row, run


def _figures(run: DramRun) -> Mapping[str, int | None]:
    """Figures that an exact case agrees in, under the column names; DRAMsim3's table counts the hits of reads."""
    reads_only = run.device.controller == "bank_queues"
    return {
        "requests_served": run.requests,
        "dram_clock_cycles": run.cycles,
        "row_hits": run.read_hits if reads_only else run.row_hits,
        "row_misses": run.row_misses,
        "row_conflicts": run.row_conflicts,
    }


def _agreement_of_rows(runs: Sequence[tuple[TableRow, DramRun]]) -> list[str]:
    """How well the counts of the row buffers agree, one sentence a column."""
    notes = []
    for column in ("row_hits", "row_misses", "row_conflicts"):
        pairs = [
            (value, line.number(column))
            for line, run in runs
            if (value := _figures(run)[column]) is not None and line.has(column)
        ]
        if pairs:
            equal = sum(ours == theirs for ours, theirs in pairs)
            total = sum(theirs for _, theirs in pairs)
            off = sum(abs(ours - theirs) for ours, theirs in pairs)
            share = f"{100 * off / total:.2f} %" if total else "none"
            notes.append(f"{column}: {equal} of {len(pairs)} lines equal, differences sum to {share} of all")
    return notes


def _stream(tool: str, device: str, name: str, access_bytes: int, offered: int) -> tuple[Ints, Ints]:
    """Addresses and writes as the reference run of a line had them, as far as the order of its draws is known."""
    drawn = SIMULATORS[tool].drawn
    if name not in drawn or offered != OFFERED:
        return pattern(name, access_bytes, offered)
    return _drawn(tool, device if device in SIMULATORS[tool].devices else "", access_bytes)[name]


@lru_cache(maxsize=8)
def _drawn(tool: str, device: str, access_bytes: int) -> Mapping[str, tuple[Ints, Ints]]:
    """The random patterns of one device, drawn after those of the devices before it."""
    reference = SIMULATORS[tool]
    generator = random.Random(SEED)
    before = reference.devices[: reference.devices.index(device)] if device else ()
    for other in before:
        size = find_device(other).access_bytes
        for name in reference.drawn:
            pattern(name, size, OFFERED, generator)
    return {name: pattern(name, access_bytes, OFFERED, generator) for name in reference.drawn}
