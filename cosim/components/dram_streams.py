"""Addresses for a DRAM channel: access patterns by name, and the mappings from addresses to banks.

Patterns are families, read from their names:

- ``seq_read``, ``seq_write``: consecutive accesses
- ``seq_2read_1write_interleaved``, ``seq_2read_1write_blocks_of_64``: so many streams that are read and so many that
  are written, one access (or one block) of each in turn
- ``stride_256B_read``: accesses a stride apart; after each pass over the footprint the next line
- ``random_read``, ``random_2read_1write``: random lines of the footprint; in turn so many reads and writes
- ``random_blocks_512B_read``: random aligned blocks of the footprint, each read in order

Random patterns are drawn from a seeded Mersenne Twister (``random.Random``).

Mappings from the low to the high bits of an address: ``RoBaRaCoCh`` column, rank, stack, group, bank, row;
``ChRaBaRoCo`` column, row, bank, group, stack, rank; ``MOP4CLXOR`` two bits of the column, rank, stack, group, bank,
the rest of the column, row, where rank to row are combined with bits of the column by exclusive or (Kaseridis et al.,
MICRO 2011, doi:10.1145/2155620.2155624); and twelve letters such as ``rochrababgco``, from the high to the low
bits, of the fields ro(w), ch(annel), ra(nk), ba(nk), bg (bank group), co(lumn).
"""

from __future__ import annotations

import random
import re

import numpy as np
import numpy.typing as npt

from cosim.components.dram_timing import DramDevice, DramError
from cosim.spec.problems import nearest_hint, one_of

Ints = npt.NDArray[np.int64]
FOOTPRINT_BYTES = 1 << 28
"""Memory that strides and random patterns touch."""
STREAM_BYTES = 1 << 26
"""Distance between the streams of a mix."""
SEED = 1
KNOWN = (
    "seq_read", "seq_write", "seq_2read_1write_interleaved", "seq_2read_1write_blocks_of_64", "stride_256B_read",
    "stride_256B_write", "random_read", "random_write", "random_2read_1write", "random_blocks_512B_read",
    "random_blocks_512B_write",
)  # fmt: skip
"""An example of each family."""
MAPPINGS = ("RoBaRaCoCh", "ChRaBaRoCo", "MOP4CLXOR")
_FIELDS = ("ro", "ch", "ra", "ba", "bg", "co")
_KIND = r"(?P<kind>read|write)"
_MIX = r"(?P<reads>[1-9]\d*)read_(?P<writes>[1-9]\d*)write"
_FAMILIES = {
    "seq": re.compile(rf"seq_{_KIND}"),
    "mix": re.compile(rf"seq_{_MIX}_(?:interleaved|blocks_of_(?P<block>[1-9]\d*))"),
    "stride": re.compile(rf"stride_(?P<bytes>[1-9]\d*)B_{_KIND}"),
    "random": re.compile(rf"random_{_KIND}"),
    "random_mix": re.compile(rf"random_{_MIX}"),
    "blocks": re.compile(rf"random_blocks_(?P<bytes>[1-9]\d*)B_{_KIND}"),
}


def parse_pattern(name: str) -> tuple[str, dict[str, str]]:
    """(family, its parameters) of a pattern name; :class:`DramError` with the nearest spelling for any other."""
    for family, expression in _FAMILIES.items():
        match = expression.fullmatch(name)
        if match is not None:
            return family, {key: value for key, value in match.groupdict().items() if value is not None}
    hint = nearest_hint(name, KNOWN)
    raise DramError(f"pattern {name!r} is not known{'; ' + hint if hint else ''}; families: {one_of(KNOWN)}")


def pattern(
    name: str, access_bytes: int, requests: int, generator: random.Random | None = None
) -> tuple[Ints, Ints]:
    """(addresses in bytes, 1 for writes) of a pattern, shape [requests] each.

    ``generator`` draws the random patterns; one with the seed ``SEED`` if None. DramError for an unknown name, or a
    block or stride that is no multiple of an access.
    """
    family, given = parse_pattern(name)
    draw = generator if generator is not None else random.Random(SEED)
    index = np.arange(requests, dtype=np.int64)
    writes = np.full(requests, given.get("kind") == "write", np.int64)
    lines = FOOTPRINT_BYTES // access_bytes
    if family == "mix":
        return _mix(
            index, access_bytes, int(given["reads"]), int(given["writes"]), int(given.get("block", 1))
        )
    if family == "random_mix":
        reads, period = int(given["reads"]), int(given["reads"]) + int(given["writes"])
        writes = (index % period >= reads).astype(np.int64)
    if family in ("random", "random_mix"):
        return np.array([draw.randrange(lines) for _ in range(requests)], np.int64) * access_bytes, writes
    if family == "seq":
        return index * access_bytes, writes
    size = int(given["bytes"])
    if family == "stride":
        distance = index * size
        return distance % FOOTPRINT_BYTES + distance // FOOTPRINT_BYTES * access_bytes, writes
    if FOOTPRINT_BYTES % size or size > FOOTPRINT_BYTES:
        raise DramError(
            f"pattern {name!r}: found blocks of {size} bytes, allowed are divisors of {FOOTPRINT_BYTES}"
        )
    each = max(1, size // access_bytes)
    starts = [draw.randrange(FOOTPRINT_BYTES // size) * size for _ in range(-(-requests // each))]
    return np.repeat(np.array(starts, np.int64), each)[:requests] + index % each * access_bytes, writes


def _mix(index: Ints, access_bytes: int, reads: int, writes: int, block: int) -> tuple[Ints, Ints]:
    """One block of each of the streams in turn."""
    streams = reads + writes
    stream = index // block % streams
    own = index // (block * streams) * block + index % block
    return stream * STREAM_BYTES + own * access_bytes, (stream >= reads).astype(np.int64)


def _bits(count: int, what: str, device: DramDevice) -> int:
    """Address bits of a field; DramError for a size that is no power of two."""
    if count & (count - 1):
        raise DramError(f"device {device.name!r}: found {count} {what}, allowed are powers of two")
    return count.bit_length() - 1


def decode(device: DramDevice, mapping: str, addresses: Ints) -> tuple[Ints, Ints]:
    """(flat bank, row) of byte addresses, shape [requests] each; the bank within its group runs fastest.

    DramError for an unknown mapping, with the nearest one.
    """
    sizes = {
        "ra": (device.units, "ranks"),
        "st": (device.stacks, "stacks"),
        "bg": (device.groups, "bank groups"),
        "ba": (device.banks, "banks"),
        "ro": (device.rows, "rows"),
        "co": (device.bursts_per_row, "bursts a row"),
    }
    bits = {field: _bits(count, what, device) for field, (count, what) in sizes.items()} | {"ch": 0}
    lines = addresses // device.access_bytes
    if mapping == "MOP4CLXOR":
        at = _mop(lines, bits)
    else:
        at = _slices(lines, [(field, bits[field]) for field in _order(mapping)])
    bank = np.zeros_like(lines)
    for field in ("ra", "st", "bg", "ba"):
        bank = bank * sizes[field][0] + at[field]
    return bank, at["ro"]


def _order(mapping: str) -> list[str]:
    """Fields from the low bits of an address to the high ones."""
    if mapping == "RoBaRaCoCh":
        return ["co", "ra", "st", "bg", "ba", "ro"]
    if mapping == "ChRaBaRoCo":
        return ["co", "ro", "ba", "bg", "st", "ra"]
    fields = [mapping[k : k + 2] for k in range(0, len(mapping), 2)]
    if sorted(fields) == sorted(_FIELDS):
        # Stacks, which such a name leaves out, lie below the ranks.
        return [part for field in fields[::-1] for part in (("st", field) if field == "ra" else (field,))]
    hint = nearest_hint(mapping, (*MAPPINGS, "rochrababgco"))
    raise DramError(
        f"address mapping {mapping!r} is not known{'; ' + hint if hint else ''}; known: {one_of(MAPPINGS)}, and the "
        f"fields {one_of(_FIELDS)} in any order, such as rochrababgco"
    )


def _slices(lines: Ints, fields: list[tuple[str, int]]) -> dict[str, Ints]:
    """Consecutive bit fields, low bits first."""
    found = {}
    for field, bits in fields:
        found[field] = lines & ((1 << bits) - 1)
        lines = lines >> bits
    return found


def _mop(lines: Ints, bits: dict[str, int]) -> dict[str, Ints]:
    """Four lines of a row together, then the banks; all levels combined with the column by exclusive or."""
    low = min(2, bits["co"])
    levels = [(field, bits[field]) for field in ("ra", "st", "bg", "ba")]
    found = _slices(lines, [("low", low), *levels, ("high", bits["co"] - low)])
    column = found["low"] + (found["high"] << low)
    found["ro"] = lines >> (bits["co"] + sum(width for _, width in levels))
    shift = 0
    for field, width in [*levels, ("ro", bits["ro"])]:
        found[field] = found[field] ^ (column >> shift & ((1 << width) - 1))
        shift += width
    return found
