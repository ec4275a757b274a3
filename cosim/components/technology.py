"""A memory technology on record: what its cells and arrays cost, how fast they are, and what goes wrong in them.

A record is a file in ``arch/memories`` (or anywhere) with ``kind: memory``. Every number carries its source; the node
and the scope hold for all of the file. What nobody has published is absent, and an experiment that needs it is refused
with the name of the field (:meth:`TechnologySpec.need`).

Arrays come from CACTI, NVSim, DESTINY or NVMExplorer as points over capacity; between points a figure is a power law
of the capacity, beyond a single point energy and latency grow as its square root (sweeps of CACTI give exponents of
0.51 to 0.52), area and leakage with it. Two-bit cells carry the ratio of a dear pattern (01, 10) to a cheap one for
reads and writes, or their pulses:

    E_cell(v) = E_0 (1 + delta [v in 01, 10])                                                 (1)
    ZT 0,  ST E_soft,  HT E_hard,  TT E_hard + E_soft     (write by transition)                (2)
    t_word = max over its cells of t_cell                                                     (3)

The transition classes are those of the two-step MLC literature (e.g. doi 10.1109/tc.2020.3014361).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from pydantic import model_validator

from cosim.components.params import Value
from cosim.spec.base import (
    Bits,
    Bytes,
    Constant,
    Count,
    Fraction,
    K,
    Mm2,
    Mw,
    Nj,
    Nm,
    Ns,
    Pj,
    PjPerBit,
    Ratio,
    S,
    Spec,
    Us,
    V,
    parse,
    refuse,
)
from cosim.spec.locate import find_document
from cosim.spec.sources import sources_for
from cosim.spec.strict_yaml import load

MemoryTechnology = Literal["sram", "edram", "dram", "slc_stt_ram", "mlc_stt_ram", "sot_mram", "reram", "pcm"]
Scope = Literal["array", "core", "device", "io", "system"]
# Cells whose write energy is set by a junction, a filament or a melt, not by CMOS.
NOT_CMOS = ("slc_stt_ram", "mlc_stt_ram", "sot_mram", "reram", "pcm")
EXTRAPOLATION = 8.0
SINGLE_POINT_EXTRAPOLATION = 4.0
_SINGLE_POINT_EXPONENT = {"area_mm2": 1.0, "leakage_mw": 1.0}


class TechnologyError(ValueError):
    """A technology that lacks what is asked of it; the message names the field and what is there."""


class ArrayPoint(Spec):
    """One array as a tool computed it: an access moves ``access_bits`` of the array."""

    capacity_bytes: Bytes
    """Size of the array."""
    read_pj: Pj
    """Energy of a read access."""
    write_pj: Pj
    """Energy of a write access."""
    read_ns: Ns | None = None
    """Time of a read access."""
    write_ns: Ns | None = None
    """Time of a write access."""
    leakage_mw: Mw
    """Static power of the array."""
    area_mm2: Mm2 | None = None
    """Area of the array."""


class CellSpec(Spec):
    """One cell without its array."""

    bits_per_cell: Count
    """Bits that a cell holds."""
    area_f2: Ratio | None = None
    """Area in squares of the feature size."""
    read_pj: Pj | None = None
    """Energy of reading a cell without its array."""
    write_pj: Pj | None = None
    """Energy of writing a cell without its array."""
    density_gain: Ratio | None = None
    """Bits per area over a one-bit cell of the same technology."""
    read_steps: Count | None = None
    """Steps of a read."""
    write_steps: Count | None = None
    """Steps of a write."""


class ContentSpec(Spec):
    """How an access depends on the content of two-bit cells (eq. 1), and the pulses of a write (eq. 2)."""

    delta_read: Ratio | None = None
    """How much dearer 01 and 10 are to read than 00 and 11, over the latter (eq. 1)."""
    delta_write: Ratio | None = None
    """The same for writes."""
    soft_over_hard: Ratio | None = None
    """Energy of the soft pulse over that of the hard one (eq. 2)."""
    soft_pulse_ns: Ns | None = None
    """Time of the soft pulse of one cell."""
    hard_pulse_ns: Ns | None = None
    """Time of the hard pulse of one cell."""


class ErrorSpec(Spec):
    """Raw error rates of a stored bit. ``uniform_rate`` for every bit, or the soft and the hard bit of a cell."""

    uniform_rate: Fraction | None = None
    """Rate of any stored bit."""
    soft_rate: Fraction | None = None
    """Rate of the soft bit of a two-bit cell; with `hard_rate`."""
    hard_rate: Fraction | None = None
    """Rate of the hard bit of a two-bit cell."""


class ReliabilitySpec(Spec):
    """Thermal stability at ``stability_at_k``, writes a cell endures, refresh of a volatile cell."""

    thermal_stability: Ratio | None = None
    """Energy barrier over k_B T at `stability_at_k`."""
    thermal_stability_sigma: Ratio | None = None
    """Its standard deviation over the cells."""
    stability_at_k: K | None = None
    """Temperature at which the stability is stated."""
    attempt_ns: Ns | None = None
    """Inverse of the attempt frequency."""
    endurance_writes: Ratio | None = None
    """Writes that a cell endures."""
    retention_s: S | None = None
    """Time that a cell keeps its content."""
    refresh_us: Us | None = None
    """Interval at which a volatile cell is refreshed."""
    refresh_nj: Nj | None = None
    """Energy of refreshing the array of the first point once."""


class LinkSpec(Spec):
    """DRAM: energy of a bit that is moved, and standing power, at the record's scope."""

    pj_per_bit: PjPerBit
    """Energy of a bit that is moved."""
    standby_mw: Mw | None = None
    """Power while nothing is moved."""


class ArrayFigures(NamedTuple):
    """Figures of an array of some capacity; None where the record does not state them."""

    read_pj: Value
    write_pj: Value
    leakage_mw: Value
    read_ns: Value | None
    write_ns: Value | None
    area_mm2: Value | None


class TechnologySpec(Spec):
    """A technology record; see the module."""

    kind: Literal["memory"]
    """Kind of document."""
    name: str
    """Name of the record."""
    description: str = ""
    """What it is."""
    technology: MemoryTechnology
    """What the cells are."""
    scope: Scope
    """What the energies contain."""
    node_nm: Nm | None = None
    """Technology node; holds for all of the file."""
    supply_v: V | None = None
    """Supply voltage."""
    transistors: Literal["hp", "lstp", "lop"] | None = None
    """Transistors of the periphery: high performance, low standby power, low operating power."""
    access_bits: Bits
    """Bits that one access of an array moves."""
    points: tuple[ArrayPoint, ...] = ()
    """Arrays as a tool computed them, by increasing capacity."""
    link: LinkSpec | None = None
    """Energy of moved bits instead of arrays (DRAM)."""
    cell: CellSpec
    content: ContentSpec = ContentSpec()
    errors: ErrorSpec = ErrorSpec()
    reliability: ReliabilitySpec = ReliabilitySpec()

    @model_validator(mode="after")
    def _holds_together(self) -> TechnologySpec:
        """`points` (of scope array, by increasing capacity) or `link`, not both; cells of several bits state their
        cost by content and one-bit cells none; `soft_rate` and `hard_rate` stand together."""
        if self.points and self.link is not None:
            raise refuse(f"{len(self.points)} array points and a link", "points, or link (DRAM)")
        sizes = [float(p.capacity_bytes) for p in self.points]
        if sizes != sorted(set(sizes)):
            raise refuse(f"array points of {sizes} bytes", "increasing capacities", at="points")
        if self.points and self.scope != "array":
            raise refuse(f"array points of scope {self.scope}", "scope: array", at="scope")
        two_bit = int(self.cell.bits_per_cell) > 1
        if two_bit and self.content.delta_read is None and self.content.soft_over_hard is None:
            raise refuse(
                "cells of several bits without a cost by content", "content: {delta_read, delta_write}"
            )
        if not two_bit and any(v is not None for v in _stated(self.content).values()):
            raise refuse("costs by content for one-bit cells", "no block 'content'", at="content")
        if (self.errors.soft_rate is None) != (self.errors.hard_rate is None):
            raise refuse("one of soft_rate and hard_rate", "both", at="errors")
        return self

    def need(self, field: str, needed_by: str) -> float:
        """A number by dotted path (``reliability.endurance_writes``).

        Raises :class:`TechnologyError` naming the field, who needs it and what the record has.
        """
        found: Any = self
        for part in field.split("."):
            found = getattr(found, part)
        if found is None:
            raise TechnologyError(
                f"technology {self.name!r} has no {field}, which {needed_by} needs; it has: {', '.join(self.fields())}"
            )
        return float(found)

    def fields(self) -> list[str]:
        """Dotted names of the numbers that the record states, array points apart."""
        own = [name for name, value in _stated(self).items() if value is not None]
        for block in ("cell", "content", "errors", "reliability", "link"):
            inner = getattr(self, block)
            own += [f"{block}.{n}" for n, v in _stated(inner).items() if v is not None] if inner else []
        if self.points:
            own += [f"points.{name}" for name, value in _stated(self.points[0]).items() if value is not None]
        return own

    def array(self, capacity_bytes: Value) -> ArrayFigures:
        """Figures of an array of ``capacity_bytes`` (a number or an array).

        Raises :class:`TechnologyError` for a capacity too far outside the points, or a record without points.
        """
        if not self.points:
            raise TechnologyError(
                f"technology {self.name!r} has no points, which an array needs; it has: {', '.join(self.fields())}"
            )
        _check_size(self, capacity_bytes)
        sizes = [float(p.capacity_bytes) for p in self.points]
        return ArrayFigures(
            *(
                _interpolated(name, sizes, [getattr(p, name) for p in self.points], capacity_bytes)
                for name in ("read_pj", "write_pj", "leakage_mw", "read_ns", "write_ns", "area_mm2")
            )  # type: ignore[arg-type]
        )

    def capacity_for_area(self, area_mm2: float) -> float:
        """Bytes of an array of that area: the inverse of the area law. TechnologyError where no area is stated."""
        sizes = [float(p.capacity_bytes) for p in self.points]
        areas = [p.area_mm2 for p in self.points]
        if not areas or any(a is None for a in areas):
            raise TechnologyError(
                f"technology {self.name!r} has no points.area_mm2, which a comparison at equal area needs; "
                f"it has: {', '.join(self.fields())}"
            )
        known = [float(a) for a in areas if a is not None]
        capacity = float(np.asarray(_power_law(known, sizes, area_mm2, 1.0)))
        _check_size(self, capacity)
        return capacity

    def write_transition_cost(self) -> tuple[float, float, float, float]:
        """Relative energy of ZT, ST, HT, TT with the hard pulse as unit (eq. 2)."""
        soft = self.need("content.soft_over_hard", "a write model by transition")
        return 0.0, soft, 1.0, 1.0 + soft

    def word_write_ns(self, hard: bool = True, soft: bool = True) -> float:
        """Time to write a word that needs these pulses in any of its cells (eq. 3)."""
        needed = "the latency of a word by content"
        return hard * self.need("content.hard_pulse_ns", needed) + soft * self.need(
            "content.soft_pulse_ns", needed
        )

    def bit_error_rates(self) -> tuple[float, float]:
        """(soft, hard) rate of a stored bit; both the same for a uniform rate. TechnologyError without any."""
        if self.errors.soft_rate is not None:
            return float(self.errors.soft_rate), self.need("errors.hard_rate", "errors")
        rate = self.need("errors.uniform_rate", "an experiment with this technology's own errors")
        return rate, rate

    def confusion(self) -> tuple[tuple[float, ...], ...]:
        """State confusion of a two-bit cell whose bits fail independently, hard bit on top: rows sum to 1."""
        if int(self.cell.bits_per_cell) != 2:
            raise TechnologyError(
                f"technology {self.name!r} has {int(self.cell.bits_per_cell)}-bit cells, not two-bit"
            )
        soft, hard = self.bit_error_rates()
        keep = np.array([[1 - hard, hard], [hard, 1 - hard]])
        table = np.kron(keep, np.array([[1 - soft, soft], [soft, 1 - soft]]))
        return tuple(map(tuple, table.tolist()))


def _stated(block: Spec) -> dict[str, Constant | None]:
    return {
        name: value
        for name in type(block).model_fields
        if (value := getattr(block, name)) is None or isinstance(value, Constant)
    }


def _check_size(spec: TechnologySpec, capacity_bytes: Value) -> None:
    sizes = [float(p.capacity_bytes) for p in spec.points]
    reach = EXTRAPOLATION if len(sizes) > 1 else SINGLE_POINT_EXTRAPOLATION
    low, high = sizes[0] / reach, sizes[-1] * reach
    smallest, largest = float(np.min(capacity_bytes)), float(np.max(capacity_bytes))
    if smallest < low or largest > high:
        found = smallest if smallest < low else largest
        raise TechnologyError(
            f"technology {spec.name!r}: found {found / 1024:,.6g} KiB in one array, allowed {low / 1024:,.6g} .. "
            f"{high / 1024:,.6g} KiB (its points, and a factor of {reach:g}); use banks, or import larger arrays"
        )


def _interpolated(
    name: str, sizes: list[float], values: list[Constant | None], capacity_bytes: Value
) -> Value | None:
    if any(value is None for value in values):
        return None
    known = [float(value) for value in values if value is not None]
    return _power_law(sizes, known, capacity_bytes, _SINGLE_POINT_EXPONENT.get(name, 0.5))


def _power_law(xs: list[float], ys: list[float], at: Value, single: float) -> Value:
    """Straight lines through the points on two logarithmic axes; the outer ones go on, a single point by ``single``."""
    x = np.log(np.asarray(at, dtype=np.float64))
    log_x, log_y = np.log(xs), np.log(ys)
    if len(xs) == 1:
        result = np.exp(log_y[0] + single * (x - log_x[0]))
    else:
        part = np.clip(np.searchsorted(log_x, x) - 1, 0, len(xs) - 2)
        slope = (log_y[part + 1] - log_y[part]) / (log_x[part + 1] - log_x[part])
        result = np.exp(log_y[part] + slope * (x - log_x[part]))
    return float(result) if result.ndim == 0 else result


def load_technology(ref: str | Path, strict: bool = False) -> TechnologySpec:
    """A record from a path, or a shipped one by name (``cosim memory --list``).

    Raises :class:`cosim.spec.problems.SpecError` with every problem of the file; ``strict`` counts a constant
    without a source as one.
    """
    return _load(find_document(ref, "arch/memories").resolve(), strict)


@lru_cache(maxsize=64)
def _load(path: Path, strict: bool) -> TechnologySpec:
    return parse(TechnologySpec, load(path), set(sources_for(path)), strict)


def technologies() -> tuple[str, ...]:
    """The kinds of memory that a record may be of."""
    return get_args(MemoryTechnology)
