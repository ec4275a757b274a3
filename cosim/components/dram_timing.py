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

from cosim.components.dram_spec import Bus, Controller, DramSpec, Organisation, RefreshSpec, Speed
from cosim.spec.base import parse
from cosim.spec.locate import shipped
from cosim.spec.problems import nearest_hint, one_of
from cosim.spec.sources import sources_for
from cosim.spec.strict_yaml import load


class DramError(ValueError):
    """A device, an address mapping or a pattern that is not known; the message says what is, and what is near."""


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
