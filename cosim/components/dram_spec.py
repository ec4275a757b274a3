"""The form of documents of ``kind: dram``: organisation, timings, refresh and controller of a standard."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

from cosim.spec.base import Bits, Constant, Count, Fraction, Ns, Spec, Table, Unit, constant, refuse
from cosim.spec.problems import nearest_hint, one_of

Clocks = Annotated[Constant, Unit("count", at_least=0, whole=True)]
"""Cycles of the command clock."""
Ps = Annotated[Constant, Unit("ps", above=0)]
Bus = Literal["single", "row_and_column", "half_cycles", "split_activation"]
Controller = Literal["one_queue", "bank_queues"]
COMMANDS = ("ACT", "PRE", "RD", "WR", "PREA", "REF")
_ONE = constant(1, "count", "definition", "derived", "none of its kind")
_QUEUE = "default of the controllers in src/ramulator/controller/controller_base.cpp"
_BANKS = "configs/*.ini and src/controller.cc, src/command_queue.cc"


class Organisation(Spec):
    """What a channel is made of. ``columns`` are of the width of the channel; ``stacks`` are dies on one bus.

    ``refresh_mbit``: density that the refresh time goes by, where it is not that of one die of a stack.
    """

    density_mbit: Count
    """Mbit of one die."""
    width_bits: Bits
    """Data pins of one device."""
    channel_bits: Bits
    """Data pins of the channel."""
    pseudo_channels: Count = _ONE
    """Halves of a channel with data pins of their own that share the command bus (HBM)."""
    ranks: Count = _ONE
    """Groups of devices that answer one select signal."""
    stacks: Count = _ONE
    """Dies on one bus."""
    groups: Count = _ONE
    """Bank groups of a rank."""
    banks: Count
    """Banks of a group."""
    rows: Count
    """Rows of a bank."""
    columns: Count
    """Columns of a row, each as wide as the channel."""
    refresh_mbit: Count | None = None
    """Density that the refresh time goes by, where it is not that of one die of a stack."""


class Speed(Spec):
    """Timings in clock cycles. S and L: to another bank group and within one; WR: of writes, where they differ.

    nRTW, read to write, is nCL + nBL + turnaround - nCWL where it is not stated; nCS separates the bursts of two
    ranks; nAAD is the longest time between the two commands of an activation, nWCKPST keeps the data clock going
    after a burst (LPDDR5); n32AW is the window of 32 activations (GDDR).
    """

    organisation: str | None = None
    """The organisation of a speed that is a device of its own."""
    tck_ps: Ps
    """Period of the command clock."""
    nBL: Clocks
    """Cycles of the data bus that a burst takes."""
    nBLmax: Clocks | None = None
    """Longest burst of a device whose bursts leave gaps for others."""
    nCL: Clocks
    """Read to the first data."""
    nCWL: Clocks
    """Write to the first data."""
    nRCD: Clocks
    """Activation to a column command."""
    nRCDWR: Clocks | None = None
    """Activation to a write, where it differs."""
    nRP: Clocks
    """Precharge to activation."""
    nRPab: Clocks | None = None
    """Precharge of all banks to activation, where it differs."""
    nRAS: Clocks
    """Activation to precharge."""
    nRC: Clocks
    """Activation to activation of the same bank."""
    nWR: Clocks
    """Last data written to precharge."""
    nRTP: Clocks
    """Read to precharge."""
    nRTW: Clocks | None = None
    """Read to write; nCL + nBL + turnaround - nCWL where it is not stated."""
    nCCDS: Clocks
    """Column command to the next, in another bank group."""
    nCCDL: Clocks
    """Column command to the next, in the same bank group."""
    nCCDSWR: Clocks | None = None
    """Write to write in another bank group, where it differs."""
    nCCDLWR: Clocks | None = None
    """Write to write in the same bank group, where it differs."""
    nCCDR: Clocks | None = None
    """Column command to the next, on another die of a stack."""
    nRRDS: Clocks | None = None
    """Activation to the next, in another bank group."""
    nRRDL: Clocks | None = None
    """Activation to the next, in the same bank group."""
    nWTRS: Clocks
    """Last data written to a read in another bank group."""
    nWTRL: Clocks
    """Last data written to a read in the same bank group."""
    nFAW: Clocks | None = None
    """Window that holds four activations at most."""
    n32AW: Clocks | None = None
    """Window that holds 32 activations at most (GDDR)."""
    nPPD: Clocks | None = None
    """Precharge to the next precharge."""
    nCS: Clocks | None = None
    """Gap between the bursts of two ranks."""
    nAAD: Clocks | None = None
    """Longest time between the two commands of an activation (LPDDR5)."""
    nWCKPST: Clocks | None = None
    """How long the data clock goes on after a burst (LPDDR5)."""
    nRFC: Clocks | None = None
    """Refresh of all banks."""
    nREFI: Clocks | None = None
    """Mean interval of refreshes."""


class ActivationSpec(Spec):
    """Limits of activation of devices of one width at one clock."""

    width_bits: Bits
    """Data pins of one device."""
    tck_ps: Ps
    """Period of the command clock."""
    nRRDS: Clocks
    """Activation to the next, in another bank group."""
    nRRDL: Clocks
    """Activation to the next, in the same bank group."""
    nFAW: Clocks
    """Window that holds four activations at most."""


class RefreshTime(Spec):
    """Time of one refresh of all banks, up to a density."""

    up_to_mbit: Count
    """Densities up to this one."""
    rfc_ns: Ns
    """Time of one refresh of all banks."""


class RefreshSpec(Spec):
    """Mean interval of refreshes and the time each takes, by density."""

    interval_ns: Ns
    """Mean interval of refreshes."""
    of_density: tuple[RefreshTime, ...]
    """Times by density, rising."""


class OneQueue(Spec):
    """A controller with one queue for reads and one for writes, drained between two shares of its size."""

    read_entries: Count = constant(32, "count", "ramulator2", "published", _QUEUE)
    """Places for reads."""
    write_entries: Count = constant(32, "count", "ramulator2", "published", _QUEUE)
    """Places for writes."""
    write_high: Fraction = constant(0.8, "fraction", "ramulator2", "published", _QUEUE)
    """Share of the write queue from which writes are served."""
    write_low: Fraction = constant(0.2, "fraction", "ramulator2", "published", _QUEUE)
    """Share of the write queue at which reads are served again."""
    offers: Count = constant(
        8, "count", "assumption", "assumed", "requests offered a cycle: more than any channel takes"
    )
    """Requests offered to the controller in a cycle."""


class BankQueues(Spec):
    """A controller with a command queue for every bank behind a queue of reads and a buffer of writes."""

    buffer_entries: Count = constant(32, "count", "dramsim3", "published", _BANKS)
    """Places of the buffers in front of the bank queues."""
    bank_entries: Count = constant(8, "count", "dramsim3", "published", _BANKS)
    """Places of the queue of one bank."""
    drain_above: Clocks = constant(8, "count", "dramsim3", "published", _BANKS)
    """Writes in the buffer above which they are moved to the bank queues."""
    hit_limit: Count = constant(4, "count", "dramsim3", "published", _BANKS)
    """Row hits in a row after which a waiting row may be opened."""


class DramSpec(Spec):
    """One standard; see the module. ``command_ticks``: time a command takes on its bus, 1 where not stated.

    A tick is a clock cycle, half of one on a bus of half cycles.
    """

    kind: Literal["dram"]
    """`dram`."""
    name: str
    """Short name of the standard."""
    description: str
    """What it is."""
    standard: str
    """The JEDEC standard."""
    bus: Bus
    """How commands share the command bus."""
    controller: Controller = "one_queue"
    """Which of the two controllers serves it."""
    one_queue: OneQueue = OneQueue()
    """Controller with one queue."""
    bank_queues: BankQueues = BankQueues()
    """Controller with a queue for every bank."""
    command_ticks: Table[Count] | None = None
    """Time a command takes on its bus, in ticks; 1 where it is not stated."""
    prefetch: Count
    """Columns of a burst."""
    turnaround: Clocks | None = None
    """Gap on the data bus between a read and a write."""
    organisations: Table[Organisation]
    """Organisations by name."""
    speeds: Table[Speed]
    """Speeds by name."""
    activation: tuple[ActivationSpec, ...] = ()
    """Limits of activation by width and clock, where speeds do not state them."""
    refresh: RefreshSpec | None = None
    """Refresh by density, where speeds do not state it."""

    @model_validator(mode="after")
    def _every_device_is_whole(self) -> DramSpec:
        """Every speed has its limits of activation, refresh and read-to-write gap once; nRC is at least nRAS."""
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
