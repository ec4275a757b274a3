"""DRAM devices as data: organisation, timings, refresh; documents of ``kind: dram`` in ``arch/dram``.

A document holds one standard: its organisations (density, width, banks), its speeds (timings in clock cycles, with
the symbols of the JEDEC standards: nRCD is tRCD in cycles), the activation limits that depend on the width of the
device, and the refresh times that depend on its density. A device is a speed with an organisation,
``DDR4-2400R 8Gb x8``; a speed that names its organisation is a device of its own. Timings are facts of the
standards, read from the tables of two simulators, which the documents name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import model_validator

from cosim.spec.base import Bits, Constant, Count, Fraction, Ns, Spec, Table, Unit, constant, parse, refuse
from cosim.spec.locate import shipped
from cosim.spec.problems import nearest_hint, one_of
from cosim.spec.sources import sources_for
from cosim.spec.strict_yaml import load

Clocks = Annotated[Constant, Unit("count", at_least=0, whole=True)]
"""Cycles of the command clock."""
Ps = Annotated[Constant, Unit("ps", above=0)]
Bus = Literal["single", "row_and_column", "half_cycles", "split_activation"]
Controller = Literal["one_queue", "bank_queues"]
COMMANDS = ("ACT", "PRE", "RD", "WR", "PREA", "REF")
_ONE = constant(1, "count", "definition", "derived", "none of its kind")
_QUEUE = "default of the controllers in src/ramulator/controller/controller_base.cpp"
_BANKS = "configs/*.ini and src/controller.cc, src/command_queue.cc"


class DramError(ValueError):
    """A device, an address mapping or a pattern that is not known; the message says what is, and what is near."""


class Organisation(Spec):
    """What a channel is made of. ``columns`` are of the width of the channel; ``stacks`` are dies on one bus.

    ``refresh_mbit``: density that the refresh time goes by, where it is not that of one die of a stack.
    """

    density_mbit: Count
    width_bits: Bits
    channel_bits: Bits
    pseudo_channels: Count = _ONE
    ranks: Count = _ONE
    stacks: Count = _ONE
    groups: Count = _ONE
    banks: Count
    rows: Count
    columns: Count
    refresh_mbit: Count | None = None


class Speed(Spec):
    """Timings in clock cycles. S and L: to another bank group and within one; WR: of writes, where they differ.

    nRTW, read to write, is nCL + nBL + turnaround - nCWL where it is not stated; nCS separates the bursts of two
    ranks; nAAD is the longest time between the two commands of an activation, nWCKPST keeps the data clock going
    after a burst (LPDDR5); n32AW is the window of 32 activations (GDDR).
    """

    organisation: str | None = None
    tck_ps: Ps
    nBL: Clocks
    nBLmax: Clocks | None = None
    nCL: Clocks
    nCWL: Clocks
    nRCD: Clocks
    nRCDWR: Clocks | None = None
    nRP: Clocks
    nRPab: Clocks | None = None
    nRAS: Clocks
    nRC: Clocks
    nWR: Clocks
    nRTP: Clocks
    nRTW: Clocks | None = None
    nCCDS: Clocks
    nCCDL: Clocks
    nCCDSWR: Clocks | None = None
    nCCDLWR: Clocks | None = None
    nCCDR: Clocks | None = None
    nRRDS: Clocks | None = None
    nRRDL: Clocks | None = None
    nWTRS: Clocks
    nWTRL: Clocks
    nFAW: Clocks | None = None
    n32AW: Clocks | None = None
    nPPD: Clocks | None = None
    nCS: Clocks | None = None
    nAAD: Clocks | None = None
    nWCKPST: Clocks | None = None
    nRFC: Clocks | None = None
    nREFI: Clocks | None = None


class ActivationSpec(Spec):
    """Limits of activation of devices of one width at one clock."""

    width_bits: Bits
    tck_ps: Ps
    nRRDS: Clocks
    nRRDL: Clocks
    nFAW: Clocks


class RefreshTime(Spec):
    """Time of one refresh of all banks, up to a density."""

    up_to_mbit: Count
    rfc_ns: Ns


class RefreshSpec(Spec):
    """Mean interval of refreshes and the time each takes, by density."""

    interval_ns: Ns
    of_density: tuple[RefreshTime, ...]


class OneQueue(Spec):
    """A controller with one queue for reads and one for writes, drained between two shares of its size."""

    read_entries: Count = constant(32, "count", "ramulator2", "published", _QUEUE)
    write_entries: Count = constant(32, "count", "ramulator2", "published", _QUEUE)
    write_high: Fraction = constant(0.8, "fraction", "ramulator2", "published", _QUEUE)
    write_low: Fraction = constant(0.2, "fraction", "ramulator2", "published", _QUEUE)
    offers: Count = constant(
        8, "count", "assumption", "assumed", "requests offered a cycle: more than any channel takes"
    )


class BankQueues(Spec):
    """A controller with a command queue for every bank behind a queue of reads and a buffer of writes."""

    buffer_entries: Count = constant(32, "count", "dramsim3", "published", _BANKS)
    bank_entries: Count = constant(8, "count", "dramsim3", "published", _BANKS)
    drain_above: Clocks = constant(8, "count", "dramsim3", "published", _BANKS)
    hit_limit: Count = constant(4, "count", "dramsim3", "published", _BANKS)


class DramSpec(Spec):
    """One standard; see the module. ``command_ticks``: time a command takes on its bus, 1 where not stated.

    A tick is a clock cycle, half of one on a bus of half cycles.
    """

    kind: Literal["dram"]
    name: str
    description: str
    standard: str
    bus: Bus
    controller: Controller = "one_queue"
    one_queue: OneQueue = OneQueue()
    bank_queues: BankQueues = BankQueues()
    command_ticks: Table[Count] | None = None
    prefetch: Count
    turnaround: Clocks | None = None
    organisations: Table[Organisation]
    speeds: Table[Speed]
    activation: tuple[ActivationSpec, ...] = ()
    refresh: RefreshSpec | None = None

    @model_validator(mode="after")
    def _every_device_is_whole(self) -> DramSpec:
        for command in self.command_ticks or ():
            if command not in COMMANDS:
                raise refuse(
                    f"command {command!r}", one_of(COMMANDS), nearest_hint(command, COMMANDS), "command_ticks"
                )
        for name, speed in self.speeds.items():
            own = speed.organisation
            if own is not None and own not in self.organisations:
                known = list(self.organisations)
                raise refuse(
                    f"organisation {own!r} of speed {name}", one_of(known), nearest_hint(own, known), "speeds"
                )
            for stated, table, where in (
                ((speed.nRRDS, speed.nRRDL, speed.nFAW), bool(self.activation), "activation"),
                ((speed.nRFC,), self.refresh is not None, "refresh"),
                ((speed.nREFI,), self.refresh is not None, "refresh"),
            ):
                missing = [value is None for value in stated]
                if any(missing) == (not table) or any(missing) != all(missing):
                    raise refuse(f"speed {name}", f"its own limits or a block {where}, one of them", at=where)
            if self.controller == "one_queue" and (speed.nRTW is None) == (self.turnaround is None):
                raise refuse(f"speed {name}", "nRTW or a turnaround, one of them", at="turnaround")
            if int(speed.nRC.value) < int(speed.nRAS.value):
                raise refuse(f"nRC {speed.nRC.value:g} of {name}", f"at least nRAS {speed.nRAS.value:g}")
        return self


@dataclass(frozen=True, slots=True)
class DramDevice:
    """A device with everything resolved. ``clocks`` holds the timings in clock cycles by their JEDEC symbol."""

    name: str
    standard: str
    bus: Bus
    controller: Controller
    tck_ps: float
    ticks_per_clock: int
    clocks: Mapping[str, int]
    command_ticks: Mapping[str, int]
    queue: Mapping[str, float]
    pseudo_channels: int
    ranks: int
    stacks: int
    groups: int
    banks: int
    rows: int
    bursts_per_row: int
    channel_bits: int
    access_bytes: int

    @property
    def units(self) -> int:
        """Ranks, or pseudo-channels: what is refreshed as a whole."""
        return self.pseudo_channels * self.ranks

    @property
    def bank_count(self) -> int:
        """Banks of the channel."""
        return self.units * self.stacks * self.groups * self.banks

    @property
    def capacity_bytes(self) -> int:
        """Bytes of the channel."""
        return self.bank_count * self.rows * self.bursts_per_row * self.access_bytes

    @property
    def peak_bytes_per_s(self) -> float:
        """Rate of back-to-back bursts on every data bus of the channel."""
        return self.pseudo_channels * self.access_bytes / (self.clocks["nBL"] * self.tck_ps * 1e-12)


def load_dram(path: Path, strict: bool = False) -> DramSpec:
    """The document at ``path``; raises ``SpecError`` with all its problems."""
    return parse(DramSpec, load(path), set(sources_for(path)), strict)


@lru_cache(maxsize=1)
def documents() -> Mapping[str, DramSpec]:
    """Shipped documents by name."""
    return MappingProxyType({name: load_dram(path) for name, path in shipped("arch/dram").items()})


def device_names() -> Iterator[str]:
    """Every device: each speed with each organisation, or alone where it names its own."""
    for document in documents().values():
        for speed, timings in document.speeds.items():
            if timings.organisation is not None:
                yield speed
            else:
                yield from (f"{speed} {organisation}" for organisation in document.organisations)


def find_device(name: str, units: int | None = None) -> DramDevice:
    """The device of a name such as ``DDR4-2400R 8Gb x8`` or ``LPDDR4_8Gb_x16_2400``.

    The width of the channel (``64-bit``) or the word ``channel`` may follow the organisation. ``units``: another
    number of ranks than the record's. Raises :class:`DramError` with the nearest name.
    """
    words = name.split()
    for document in documents().values():
        speed = document.speeds.get(words[0]) if words else None
        if speed is None:
            continue
        if speed.organisation is not None:
            chosen = speed.organisation if len(words) == 1 else None
        else:
            chosen = _organisation(document, words[1:])
        if chosen is not None:
            return _resolve(name, document, speed, document.organisations[chosen], units)
    known = list(device_names())
    hint = nearest_hint(name, known) or nearest_hint(words[0] if words else "", [n.split()[0] for n in known])
    standards = dict.fromkeys(document.standard for document in documents().values())
    raise DramError(
        f"device {name!r} is not known{'; ' + hint if hint else ''}; known are {len(known)} devices of "
        f"{one_of(standards)}, such as 'DDR4-2400R 8Gb x8' and 'DDR4_8Gb_x8_2400' (`cosim list dram`)"
    )


def _organisation(document: DramSpec, words: list[str]) -> str | None:
    """The organisation of ``words``, which may repeat the width of the channel and leave out a height that is clear."""
    found = []
    for key, organisation in document.organisations.items():
        width = f"{int(organisation.channel_bits.value)}-bit"
        given = [word for word in words if word not in (width, "channel")]
        if given == key.split():
            return key
        if given and given == key.split()[: len(given)]:
            found.append(key)
    return found[0] if len(found) == 1 else None


def _resolve(
    name: str, document: DramSpec, speed: Speed, organisation: Organisation, units: int | None
) -> DramDevice:
    """The device with its activation limits, refresh times and queue looked up."""
    clocks = {
        field: int(value.value)
        for field in Speed.model_fields
        if field.startswith("n") and (value := getattr(speed, field)) is not None
    }
    for line in document.activation:
        if line.width_bits.value == organisation.width_bits.value and line.tck_ps.value == speed.tck_ps.value:
            clocks |= {key: int(getattr(line, key).value) for key in ("nRRDS", "nRRDL", "nFAW")}
    if "nFAW" not in clocks:
        raise DramError(
            f"device {name!r}: block activation has no line for {organisation.width_bits.value:g} bits at "
            f"{speed.tck_ps.value:g} ps"
        )
    if document.refresh is not None:
        clocks |= _refresh_clocks(name, document.refresh, float(speed.tck_ps), organisation)
    if clocks["nREFI"] <= clocks["nRFC"]:
        raise DramError(f"device {name!r}: nREFI {clocks['nREFI']} must be above nRFC {clocks['nRFC']}")
    if "nRTW" not in clocks:
        gap = document.turnaround.value if document.turnaround is not None else clocks["nCS"]
        clocks["nRTW"] = clocks["nCL"] + clocks["nBL"] + int(gap) - clocks["nCWL"]
    queue = document.one_queue if document.controller == "one_queue" else document.bank_queues
    return DramDevice(
        name=name,
        standard=document.standard,
        bus=document.bus,
        controller=document.controller,
        tck_ps=float(speed.tck_ps),
        ticks_per_clock=2 if document.bus == "half_cycles" else 1,
        clocks=MappingProxyType(clocks),
        command_ticks=MappingProxyType(
            {key: int(v.value) for key, v in (document.command_ticks or {}).items()}
        ),
        queue=MappingProxyType({key: float(getattr(queue, key)) for key in type(queue).model_fields}),
        pseudo_channels=int(organisation.pseudo_channels.value),
        ranks=int(organisation.ranks.value) if units is None else units,
        stacks=int(organisation.stacks.value),
        groups=int(organisation.groups.value),
        banks=int(organisation.banks.value),
        rows=int(organisation.rows.value),
        bursts_per_row=int(organisation.columns.value) // int(document.prefetch.value),
        channel_bits=int(organisation.channel_bits.value),
        access_bytes=int(organisation.channel_bits.value) * int(document.prefetch.value) // 8,
    )


def _refresh_clocks(
    name: str, refresh: RefreshSpec, tck_ps: float, organisation: Organisation
) -> dict[str, int]:
    """Refresh times in cycles, rounded up."""
    density = organisation.density_mbit.value / organisation.stacks.value
    if organisation.refresh_mbit is not None:
        density = organisation.refresh_mbit.value
    for line in refresh.of_density:
        if density <= line.up_to_mbit.value:
            return {
                "nRFC": math.ceil(float(line.rfc_ns) * 1000 / tck_ps),
                "nREFI": math.ceil(float(refresh.interval_ns) * 1000 / tck_ps),
            }
    raise DramError(f"device {name!r}: block refresh has no line for {density:g} Mbit")


def refresh_of(device: DramDevice | str) -> tuple[float, float]:
    """(mean interval between refreshes of a rank, time one takes) in ns: tREFI and tRFC, rounded up to cycles."""
    found = find_device(device) if isinstance(device, str) else device
    return found.clocks["nREFI"] * found.tck_ps / 1000, found.clocks["nRFC"] * found.tck_ps / 1000
