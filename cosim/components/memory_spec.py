"""The memory block of a machine file: a technology, a size, a rate and the cost of an access.

What these fields cost is in :mod:`cosim.components.memory`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from cosim.components.technology import MemoryTechnology
from cosim.components.technology_preset import Encoding, preset_additions, preset_record
from cosim.spec.base import (
    Bits,
    Bytes,
    BytesPerS,
    Count,
    Fraction,
    Mw,
    Ns,
    Pj,
    PjPerBit,
    Ratio,
    Spec,
    refuse,
)

PATTERNS = ("00", "01", "10", "11")
"""Patterns of a two-bit cell."""

Table = Literal[
    "cacti7-45-hp",
    "cacti7-45-lstp",
    "cacti7-32-hp",
    "cacti7-32-lstp",
    "cacti7-22-hp",
    "cacti7-22-lstp",
    "nvsim-sram-22-lstp",
    "nvsim-stt-22",
    "nvsim-reram-22",
    "destiny-edram-32-hp",
]


class PatternShares(Spec):
    """Shares of the patterns of two-bit cells in typical content."""

    p00: Fraction
    """Share of cells that hold 00."""
    p01: Fraction
    """Share of cells that hold 01, an expensive pattern."""
    p10: Fraction
    """Share of cells that hold 10, an expensive pattern."""
    p11: Fraction
    """Share of cells that hold 11."""

    @model_validator(mode="after")
    def _sums_to_one(self) -> PatternShares:
        """The four shares sum to 1 within 1 %."""
        total = sum(float(share) for share in (self.p00, self.p01, self.p10, self.p11))
        if abs(total - 1.0) > 0.01:
            raise refuse(
                f"pattern shares that sum to {total:.4f}", "shares of the four patterns that sum to 1"
            )
        return self


class MemorySpec(Spec):
    """One memory: a technology, a size, a rate and the cost of an access.

    A memory without a rate (no bandwidth, no latencies) is one whose ports keep up with their user by
    construction.
    """

    technology: MemoryTechnology
    """What the cells are."""
    preset: str | None = None
    """Technology record: the name of a shipped one or the path of a file."""
    capacity_bytes: Bytes | None = None
    """Size of the whole memory; may be left out for DRAM only."""
    word_bits: Bits
    """Bits that one access moves."""
    banks: Count
    """Equal arrays; each serves one word at a time where latencies state the rate."""
    bandwidth_bytes_per_s: BytesPerS | None = None
    """Rate that reads and writes share; instead of latencies."""
    read_latency_ns: Ns | None = None
    """Time of one read of a bank; with `write_latency_ns`."""
    write_latency_ns: Ns | None = None
    """Time of one write of a bank."""
    table: Table | None = None
    """Size sweep of a tool that gives energies and leakage at the size of one bank."""
    read_pj: Pj | None = None
    """Energy of a read of `word_bits` bits; with `write_pj`."""
    write_pj: Pj | None = None
    """Energy of a write of `word_bits` bits."""
    pj_per_bit: PjPerBit | None = None
    """Energy of a bit read or written; for DRAM, with `scope`."""
    scope: Literal["core", "device", "io", "system"] | None = None
    """What an energy per bit of DRAM contains."""
    leakage_mw: Mw | None = None
    """Static power of the whole memory; a table or a preset with an array gives it otherwise."""
    delta_read: Ratio | None = None
    """How much dearer an expensive pattern is to read than a cheap one, over the cheap one (eq. 1)."""
    delta_write: Ratio | None = None
    """The same for writes."""
    read_00_pj: Pj | None = None
    """Energy of reading a cell that holds 00; all eight energies stand in place of the two ratios."""
    read_01_pj: Pj | None = None
    """Energy of reading a cell that holds 01."""
    read_10_pj: Pj | None = None
    """Energy of reading a cell that holds 10."""
    read_11_pj: Pj | None = None
    """Energy of reading a cell that holds 11."""
    write_00_pj: Pj | None = None
    """Energy of writing 00 to a cell."""
    write_01_pj: Pj | None = None
    """Energy of writing 01 to a cell."""
    write_10_pj: Pj | None = None
    """Energy of writing 10 to a cell."""
    write_11_pj: Pj | None = None
    """Energy of writing 11 to a cell."""
    content: PatternShares | None = None
    """Shares of the patterns in what is stored; two-bit cells need them."""
    encoding: Encoding | None = None
    """Encoding of the stored words, of which ``content`` is the result."""
    group_words: Count | None = None
    """Words for which the encoding chooses a form together."""
    ecc: Literal["none", "secded-72-64"] = "none"
    """Error-correcting code; its check bits are stored and charged like data."""
    metadata_ratio: Ratio | None = None
    """Metadata of the encoding in bits for each bit of data, stored and charged like data."""

    @model_validator(mode="after")
    def _says_enough(self) -> MemorySpec:
        """A size, unless it is DRAM; at most one way to state the rate (bandwidth, or both latencies); exactly one
        statement of the energy of an access (`preset`; `read_pj` with `write_pj`; `table`; `pj_per_bit` with `scope`;
        all eight energies by pattern); static power (`leakage_mw`, a table or a preset with an array). Costs by content
        belong to `mlc_stt_ram`, which needs `content` with two ratios or eight energies. An encoding states its
        `metadata_ratio`. A preset is of the same technology and covers the size of a bank."""
        _check_size_and_rate(self)
        if self.encoding is not None and self.metadata_ratio is None:
            raise refuse(
                f"encoding {self.encoding} without the share of its metadata", "metadata_ratio (0 for none)"
            )
        full = self if self.preset is None else self.model_copy(update=preset_additions(self, self.preset))
        _check_energy(full)
        return full


def require_rate(memory: MemorySpec, at: str) -> None:
    """Refuse the outer memory in the block ``at`` of a machine if it states no rate."""
    if memory.bandwidth_bytes_per_s is None:
        raise refuse("an outer memory without a rate", f"{at}.bandwidth_bytes_per_s", at=at)


def _check_size_and_rate(spec: MemorySpec) -> None:
    if spec.capacity_bytes is None and spec.technology != "dram":
        raise refuse(f"a memory of technology {spec.technology} without a size", "capacity_bytes")
    if (spec.read_latency_ns is None) != (spec.write_latency_ns is None):
        raise refuse(
            "one of read_latency_ns and write_latency_ns", "both, or bandwidth_bytes_per_s, or no rate"
        )
    if spec.bandwidth_bytes_per_s is not None and spec.read_latency_ns is not None:
        raise refuse("both bandwidth_bytes_per_s and latencies", "one way to state the rate")


def _check_energy(spec: MemorySpec) -> None:
    patterns = [getattr(spec, f"{verb}_{pattern}_pj") for verb in ("read", "write") for pattern in PATTERNS]
    stated = [spec.read_pj is not None and spec.write_pj is not None, spec.table is not None]
    stated += [spec.pj_per_bit is not None, all(pj is not None for pj in patterns), spec.preset is not None]
    if sum(stated) != 1:
        raise refuse(
            f"{sum(stated)} statements of the energy of an access",
            "exactly one of: preset; read_pj with write_pj; table; pj_per_bit (DRAM); read_00_pj .. write_11_pj",
        )
    if (
        spec.preset is not None
        and not preset_record(spec.preset).points
        and preset_record(spec.preset).link is None
    ):
        raise refuse(f"preset {spec.preset!r}, which states no array and no link", "a record with either")
    if (spec.pj_per_bit is None) != (spec.scope is None):
        raise refuse(
            "one of pj_per_bit and scope", "both: energies per bit of DRAM differ by what they contain"
        )
    if (
        spec.table is None
        and spec.leakage_mw is None
        and not (spec.preset and preset_record(spec.preset).points)
    ):
        raise refuse("a memory without static power", "leakage_mw, or table, or a preset with an array")
    if spec.technology != "mlc_stt_ram":
        if spec.content is not None or any(pj is not None for pj in patterns) or spec.delta_read is not None:
            raise refuse(
                f"costs by content for technology {spec.technology}", "mlc_stt_ram, or no such field"
            )
        return
    if spec.content is None:
        raise refuse("two-bit cells without content", "content: {p00, p01, p10, p11}")
    if patterns[0] is None and (spec.delta_read is None or spec.delta_write is None):
        raise refuse(
            "two-bit cells without costs by content", "delta_read and delta_write, or all eight energies"
        )
