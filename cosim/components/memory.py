"""Memories as technologies: what a level of any machine stores its data in, and what each access costs.

A machine places a :class:`~cosim.components.memory_spec.MemorySpec` at a path of its spec (``buffers.ifmap``,
``dram``) and calls :func:`memory_actions` for what it moved, :func:`memory_energies` for what an access costs and
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
from typing import NamedTuple

import numpy as np

from cosim.components.memory_spec import PATTERNS
from cosim.components.memory_tables import array_cost
from cosim.components.params import Params, Value
from cosim.components.technology_preset import preset_record
from cosim.ir.batch import Array

HARD_PATTERNS = frozenset({"01", "10"})
ECC_STORED_PER_DATA_BIT = {"none": 1.0, "secded-72-64": 72.0 / 64.0}

Action = tuple[str, str]


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
