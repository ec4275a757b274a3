"""Memories as technologies: what a level of any machine stores its data in, and what each access costs.

A machine places a :class:`MemorySpec` at a path of its spec (``buffers.ifmap``, ``dram``) and calls
:func:`memory_actions` for what it moved, :func:`memory_energies` for what an access costs and
:func:`memory_busy_s` for how long the ports are busy. Swapping SRAM for STT-RAM is then a change of the arch
file, not of the machine.

Energy of an access comes from one of these places, and from no other:

* ``preset``: a record of :mod:`cosim.components.technology`, read at the size of one bank; it also gives the
  latencies and the cost by content that the machine's file does not state;
* ``read_pj``, ``write_pj``: per access of ``word_bits`` bits;
* ``table``: a sweep in :mod:`cosim.components.memory_tables`, read at the size of one bank;
* ``pj_per_bit`` with its ``scope``: DRAM.

Two-bit cells have one action per pattern, because their cost depends on the content. With the share p_v of
pattern v, the base energy E_0 of a cell (the energy of an access of the single-level array, divided over its
``word_bits / 2`` cells), and the expensive patterns 01 and 10,

    E_cell(v) = E_0 * (1 + delta)  for v in {01, 10},   E_0  for v in {00, 11}              (eq. 1)
    E = bits / 2 * sum_v p_v * E_cell(v) = bits / 2 * E_0 * (1 + delta * (p_01 + p_10))     (eq. 2)

with one delta for reads and one for writes. Whoever knows all four energies states them instead
(``read_00_pj`` .. ``write_11_pj``, per cell).

Source of eq. 1 and 2: the claim of Jasemi, Hessabi, Bagherzadeh, "Reliable and energy efficient MLC STT-RAM
buffer for CNN accelerators", Computers and Electrical Engineering 86 (2020) 106698,
doi:10.1016/j.compeleceng.2020.106698 (abstract), that the cost depends on the 2-bit content; the form with
one delta is this project's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from pydantic import model_validator

from cosim.components.memory_tables import array_cost
from cosim.components.params import Params, Value
from cosim.components.technology import MemoryTechnology
from cosim.components.technology_preset import Encoding, preset_additions, preset_record
from cosim.ir.batch import Array
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
HARD_PATTERNS = frozenset({"01", "10"})
ECC_STORED_PER_DATA_BIT = {"none": 1.0, "secded-72-64": 72.0 / 64.0}

Action = tuple[str, str]


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
    """Shares of the patterns of two-bit cells in typical content; they sum to one within 1 %."""

    p00: Fraction
    p01: Fraction
    p10: Fraction
    p11: Fraction

    @model_validator(mode="after")
    def _sums_to_one(self) -> PatternShares:
        total = sum(float(share) for share in (self.p00, self.p01, self.p10, self.p11))
        if abs(total - 1.0) > 0.01:
            raise refuse(
                f"pattern shares that sum to {total:.4f}", "shares of the four patterns that sum to 1"
            )
        return self


class MemorySpec(Spec):
    """One memory: a technology, a size, a rate and the cost of an access.

    A memory without a rate (no bandwidth, no latencies) is one whose ports keep up with their user by
    construction. ``metadata_ratio`` is metadata of an encoding, in bits for each bit of data, charged like
    data.
    """

    technology: MemoryTechnology
    preset: str | None = None
    """Technology record: the name of a shipped one or the path of a file."""
    capacity_bytes: Bytes | None = None
    word_bits: Bits
    banks: Count
    bandwidth_bytes_per_s: BytesPerS | None = None
    read_latency_ns: Ns | None = None
    write_latency_ns: Ns | None = None
    table: Table | None = None
    read_pj: Pj | None = None
    write_pj: Pj | None = None
    pj_per_bit: PjPerBit | None = None
    scope: Literal["core", "device", "io", "system"] | None = None
    leakage_mw: Mw | None = None
    delta_read: Ratio | None = None
    delta_write: Ratio | None = None
    read_00_pj: Pj | None = None
    read_01_pj: Pj | None = None
    read_10_pj: Pj | None = None
    read_11_pj: Pj | None = None
    write_00_pj: Pj | None = None
    write_01_pj: Pj | None = None
    write_10_pj: Pj | None = None
    write_11_pj: Pj | None = None
    content: PatternShares | None = None
    encoding: Encoding | None = None
    """Encoding of the stored words, of which ``content`` is the result."""
    group_words: Count | None = None
    """Words for which the encoding chooses a form together."""
    ecc: Literal["none", "secded-72-64"] = "none"
    metadata_ratio: Ratio | None = None

    @model_validator(mode="after")
    def _says_enough(self) -> MemorySpec:
        _check_size_and_rate(self)
        if self.encoding is not None and self.metadata_ratio is None:
            raise refuse(
                f"encoding {self.encoding} without the share of its metadata", "metadata_ratio (0 for none)"
            )
        full = self if self.preset is None else self.model_copy(update=preset_additions(self, self.preset))
        _check_energy(full)
        return full


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


class Content(NamedTuple):
    """Shares of the four patterns of two-bit cells in the data that passes; they sum to one."""

    p00: Value
    p01: Value
    p10: Value
    p11: Value


class MemoryCost(NamedTuple):
    """Energy per action [pJ] and static power [mW] of one memory, keyed as an energy table wants them."""

    action_pj: dict[Action, Value]
    static_mw: dict[str, Value]


class MemoryCostError(ValueError):
    """A memory whose cost cannot be formed from what is stated; the message names the missing field."""


def stored_bits(params: Params, prefix: str, data_bits: Value) -> Value:
    """Bits that the array moves for ``data_bits`` of data: check bits of the ECC and metadata included."""
    factor: Value = ECC_STORED_PER_DATA_BIT[params.options.get(f"{prefix}.ecc", "none")]
    if params.has(f"{prefix}.metadata_ratio"):
        factor = factor * (1.0 + params[f"{prefix}.metadata_ratio"])
    return data_bits if isinstance(factor, float) and factor == 1.0 else data_bits * factor


def data_capacity_bytes(params: Params, prefix: str) -> Value:
    """Bytes of data that fit beside their check bits and metadata."""
    return params[f"{prefix}.capacity_bytes"] / stored_bits(params, prefix, 1.0)


def is_multi_level(params: Params, prefix: str) -> bool:
    """True if the cells hold two bits, so that the cost depends on the content."""
    return params.option(f"{prefix}.technology") == "mlc_stt_ram"


def default_content(params: Params, prefix: str) -> Content:
    """The pattern shares that the arch file states for this memory."""
    return Content(*(params[f"{prefix}.content.p{pattern}"] for pattern in PATTERNS))


def hard_share(content: Content) -> Value:
    """Share h of cells that hold an expensive pattern."""
    return content.p01 + content.p10


def memory_actions(
    params: Params,
    prefix: str,
    component: str,
    read_bits: Array,
    write_bits: Array,
    content: Content | None = None,
) -> dict[Action, Array]:
    """Accesses for ``read_bits`` and ``write_bits`` of data, shape (L,) or (points, L).

    Words of ``word_bits`` for one-bit cells (fractions of a word are kept: the counts are means), cells by
    pattern for two-bit cells. ``content`` are the shares in the tensors that pass; without it those of the
    arch file hold.
    """
    read, write = stored_bits(params, prefix, read_bits), stored_bits(params, prefix, write_bits)
    if not is_multi_level(params, prefix):
        word = params[f"{prefix}.word_bits"]
        return {(component, "read"): np.asarray(read / word), (component, "write"): np.asarray(write / word)}
    shares = content or default_content(params, prefix)
    actions: dict[Action, Array] = {}
    for verb, bits in (("read", read), ("write", write)):
        for pattern, share in zip(PATTERNS, shares, strict=True):
            actions[component, f"{verb}_{pattern}"] = np.asarray(bits * (share * 0.5))
    return actions


def _word_pj(params: Params, prefix: str, verb: str) -> Value:
    """Energy of one access of ``word_bits`` bits, before any dependence on content."""
    word = params[f"{prefix}.word_bits"]
    if params.has(f"{prefix}.{verb}_pj"):
        return params[f"{prefix}.{verb}_pj"]
    if params.has(f"{prefix}.pj_per_bit"):
        return params[f"{prefix}.pj_per_bit"] * word
    if f"{prefix}.preset" in params.options:
        record = preset_record(params.options[f"{prefix}.preset"])
        if record.link is not None:
            return float(record.link.pj_per_bit) * word
        bank = record.array(params[f"{prefix}.capacity_bytes"] / params[f"{prefix}.banks"])
        return (bank.read_pj if verb == "read" else bank.write_pj) * (word / float(record.access_bits))
    table = params.options.get(f"{prefix}.table")
    if table is None:
        raise MemoryCostError(
            f"memory {prefix} of {params.name} ({params.option(f'{prefix}.technology')}): found no energy "
            f"of a {verb}; allowed {verb}_pj, or table with capacity_bytes, or pj_per_bit for DRAM"
        )
    cost = array_cost(table, params[f"{prefix}.capacity_bytes"] / params[f"{prefix}.banks"])
    return (cost.read_pj_per_bit if verb == "read" else cost.write_pj_per_bit) * word


def _static_mw(params: Params, prefix: str) -> Value:
    if params.has(f"{prefix}.leakage_mw"):
        return params[f"{prefix}.leakage_mw"]
    if f"{prefix}.preset" in params.options:
        banks = params[f"{prefix}.banks"]
        return (
            preset_record(params.options[f"{prefix}.preset"])
            .array(params[f"{prefix}.capacity_bytes"] / banks)
            .leakage_mw
            * banks
        )
    table = params.options.get(f"{prefix}.table")
    if table is None:
        raise MemoryCostError(
            f"memory {prefix} of {params.name}: found no leakage; allowed leakage_mw or table"
        )
    banks = params[f"{prefix}.banks"]
    return array_cost(table, params[f"{prefix}.capacity_bytes"] / banks).leakage_mw * banks


def _pattern_pj(params: Params, prefix: str, verb: str) -> dict[str, Value]:
    """Energy per cell and pattern (eq. 1), or as stated."""
    if params.has(f"{prefix}.{verb}_00_pj"):
        return {pattern: params[f"{prefix}.{verb}_{pattern}_pj"] for pattern in PATTERNS}
    base = _word_pj(params, prefix, verb) * 2.0 / params[f"{prefix}.word_bits"]
    hard = base * (1.0 + params[f"{prefix}.delta_{verb}"])
    return {pattern: hard if pattern in HARD_PATTERNS else base for pattern in PATTERNS}


def memory_energies(params: Params, prefix: str, component: str) -> MemoryCost:
    """Energy per action and leakage of the memory at ``prefix``, keyed for ``component``.

    Raises :class:`MemoryCostError` or :class:`~cosim.components.memory_tables.MemoryTableError` when the
    arch file does not say enough.
    """
    actions: dict[Action, Value] = {}
    for verb in ("read", "write"):
        if is_multi_level(params, prefix):
            for pattern, pj in _pattern_pj(params, prefix, verb).items():
                actions[component, f"{verb}_{pattern}"] = pj
        else:
            actions[component, verb] = _word_pj(params, prefix, verb)
    return MemoryCost(actions, {component: _static_mw(params, prefix)})


def memory_busy_s(
    params: Params, prefix: str, read: Array, write: Array, unit_bits: float = 8.0
) -> Array | None:
    """Seconds that the ports are busy, or None if the arch file states no rate (ports that always keep up).

    ``read`` and ``write`` are amounts of data in units of ``unit_bits``: bytes, unless the caller counts bits.
    With ``bandwidth_bytes_per_s`` reads and writes share it (eq. 3); with ``read_latency_ns`` and
    ``write_latency_ns`` each bank serves one word at a time (eq. 4):

        t = (read + write) * stored / bandwidth                                             (eq. 3)
        t = (words_read * t_read + words_written * t_write) / banks                         (eq. 4)
    """
    scale = stored_bits(params, prefix, unit_bits)
    if params.has(f"{prefix}.bandwidth_bytes_per_s"):
        unit_s = scale * 0.125 / params[f"{prefix}.bandwidth_bytes_per_s"]
        return np.asarray((read + write) * unit_s)
    if not params.has(f"{prefix}.read_latency_ns"):
        return None
    per_unit = scale * 1e-9 / (params[f"{prefix}.word_bits"] * params[f"{prefix}.banks"])
    read_s = read * (per_unit * params[f"{prefix}.read_latency_ns"])
    return np.asarray(read_s + write * (per_unit * params[f"{prefix}.write_latency_ns"]))


def merged(*costs: MemoryCost) -> tuple[Mapping[Action, Value], Mapping[str, Value]]:
    """Several memories in one energy table."""
    actions: dict[Action, Value] = {}
    static: dict[str, Value] = {}
    for cost in costs:
        actions.update(cost.action_pj)
        static.update(cost.static_mw)
    return actions, static
