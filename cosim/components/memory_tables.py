"""Array energies of memories by technology, node and size: tables that other tools computed, and nothing
else.

SRAM comes from a size sweep of CACTI 7 (8-byte access, one read/write port, 350 K, no ECC), single-level
STT-RAM from NVSim's sample cell, DRAM from published energies per bit. Between the points of a table the
energy is a power law of the capacity (a straight line on two logarithmic axes, eq. 1); outside, the law of
the nearest two points goes on for a factor of eight and is refused beyond:

    E(c) = E_a * (c / c_a) ** (ln(E_b / E_a) / ln(c_b / c_a)),   c_a <= c <= c_b            (eq. 1)

Sources: CACTI 7 (HewlettPackard/cacti, 2017) and NVSim (SEAL-UCSB/NVSim, Dong et al., TCAD 2012,
doi:10.1109/TCAD.2012.2185930), both run unchanged for these tables; DRAM as listed at
:data:`DRAM_PJ_PER_BIT`.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

import numpy as np

from cosim.components.params import Value

KIB = 1024.0
EXTRAPOLATION_FACTOR = 8.0


class MemoryTableError(ValueError):
    """A memory that no table covers; the message says what was found and what is allowed."""


@dataclass(frozen=True)
class ArrayTable:
    """One sweep of capacity for one technology and node.

    Attributes
    ----------
    capacity_bytes:  sizes of the sweep, increasing
    access_bits:     bits moved by one access
    read_pj, write_pj: energy of one access
    leakage_mw:      leakage of the whole array
    read_ns, write_ns: time of one access at the size nearest to 512 KiB of the sweep
    origin:          tool and configuration that computed the numbers
    """

    capacity_bytes: tuple[float, ...]
    access_bits: float
    read_pj: tuple[float, ...]
    write_pj: tuple[float, ...]
    leakage_mw: tuple[float, ...]
    read_ns: float
    write_ns: float
    origin: str


def _cacti(
    read_pj: tuple[float, ...],
    leakage_mw: tuple[float, ...],
    write_over_read: float,
    read_ns: float,
    process: str,
) -> ArrayTable:
    """A CACTI sweep over 8 KiB .. 2 MiB; writes were run at 512 KiB only and keep their ratio to the
    reads."""
    sizes = tuple(kib * KIB for kib in (8, 32, 128, 512, 1024, 2048))
    writes = tuple(write_over_read * pj for pj in read_pj)
    return ArrayTable(sizes, 64.0, read_pj, writes, leakage_mw, read_ns, read_ns, f"CACTI 7, {process}")


ARRAY_TABLES: dict[str, ArrayTable] = {
    "cacti7-45-hp": _cacti(
        (5.29, 14.9, 33.0, 52.0, 67.7, 90.0),
        (8.75, 32.9, 119, 477, 955, 1910),
        40.2 / 52.0, 1.41, "45 nm HP",
    ),
    "cacti7-45-lstp": _cacti(
        (6.14, 17.0, 32.3, 68.3, 93.5, 127.5),
        (0.0015, 0.0057, 0.021, 0.079, 0.158, 0.315),
        51.3 / 68.3, 3.07, "45 nm LSTP",
    ),
    "cacti7-32-hp": _cacti(
        (2.91, 8.51, 14.4, 25.7, 38.4, 50.9),
        (2.69, 9.97, 36.4, 145, 289, 578),
        21.8 / 25.7, 1.09, "32 nm HP",
    ),
    "cacti7-32-lstp": _cacti(
        (3.44, 8.26, 18.2, 34.8, 52.0, 70.7),
        (0.0019, 0.0069, 0.025, 0.096, 0.191, 0.382),
        29.1 / 34.8, 2.51, "32 nm LSTP",
    ),
    "cacti7-22-hp": _cacti(
        (1.50, 3.50, 7.49, 13.4, 18.4, 25.2),
        (1.33, 4.80, 17.6, 70.3, 140, 281),
        11.0 / 13.4, 0.783, "22 nm HP",
    ),
    "cacti7-22-lstp": _cacti(
        (1.59, 3.79, 7.40, 15.3, 23.5, 31.6),
        (0.0047, 0.017, 0.064, 0.241, 0.479, 0.957),
        12.2 / 15.3, 1.91, "22 nm LSTP",
    ),
    "nvsim-sram-22-lstp": ArrayTable(
        (128 * KIB, 512 * KIB, 2048 * KIB), 64.0, (8.44, 13.8, 24.1), (8.39, 13.8, 23.8),
        (0.017, 0.054, 0.199), 0.441, 0.335, "NVSim, SRAM 146 F2, 22 nm LSTP",
    ),
    "nvsim-stt-22": ArrayTable(
        (128 * KIB, 512 * KIB), 64.0, (15.7, 20.2), (67.2, 71.7),
        (0.041, 0.165), 2.23, 10.8, "NVSim, sample STT-RAM cell 54 F2 (1 pJ, 10 ns write), 22 nm",
    ),
    "nvsim-reram-22": ArrayTable(
        (512 * KIB,), 64.0, (16.8,), (48.6,),
        (0.160,), 2.18, 20.8, "NVSim, sample ReRAM cell, 22 nm, 512 KiB only",
    ),
    "destiny-edram-32-hp": ArrayTable(
        (512 * KIB,), 64.0, (17.8,), (17.8,),
        (208.0 + 16.5 / 40.0,), 0.235, 0.193,
        "DESTINY 1, sample 2D eDRAM, 32 nm HP, 512 KiB only; leakage plus refresh (16.5 nJ every 40 us)",
    ),
}  # fmt: skip
"""Sweeps by name; the leakage of eDRAM contains its refresh power."""

DRAM_PJ_PER_BIT: dict[str, tuple[float, str, str]] = {
    "ddr3": (70.0, "system", "Accelergy CACTI plug-in, citing Chatterjee"),
    "ddr3-core": (9.0, "core", "2 Gb, 65 nm, IDD7RW; DRAM survey citing MICRO 2010"),
    "ddr4-core": (4.5, "core", "8 Gb device, projection to 45 nm"),
    "lpddr": (40.0, "system", "Accelergy CACTI plug-in, citing ISCA 2012"),
    "lpddr4": (8.0, "system", "Accelergy CACTI plug-in"),
    "gddr5": (14.0, "system", "Accelergy CACTI plug-in"),
    "gddr6": (7.5, "device", "vendor comparison"),
    "gddr6x": (7.25, "device", "vendor comparison"),
    "hbm2": (3.9, "system", "Accelergy CACTI plug-in"),
    "hbm2e": (6.0, "device", "vendor comparison"),
    "hmc": (4.2, "system", "Accelergy CACTI plug-in"),
    "horowitz-45": (30.0, "system", "Horowitz, ISSCC 2014: 1.3-2.6 nJ per 64 bit, middle of the range"),
}
"""DRAM energy by type: (pJ per bit, scope, source). Scopes are not comparable; they are never mixed
silently."""


def array_table(name: str) -> ArrayTable:
    """The sweep called ``name``; raises :class:`MemoryTableError` with the nearest spelling."""
    if name not in ARRAY_TABLES:
        near = get_close_matches(name, ARRAY_TABLES, n=1)
        hint = f", nearest: {near[0]!r}" if near else ""
        raise MemoryTableError(f"found memory table {name!r}, allowed {sorted(ARRAY_TABLES)}{hint}")
    return ARRAY_TABLES[name]


def _power_law(sizes: tuple[float, ...], energies: tuple[float, ...], capacity_bytes: Value) -> Value:
    x = np.log(np.asarray(capacity_bytes, dtype=np.float64))
    xs, ys = np.log(sizes), np.log(energies)
    inside = np.interp(x, xs, ys)
    below = ys[0] + (x - xs[0]) * (ys[1] - ys[0]) / (xs[1] - xs[0])
    above = ys[-1] + (x - xs[-1]) * (ys[-1] - ys[-2]) / (xs[-1] - xs[-2])
    result = np.exp(np.where(x < xs[0], below, np.where(x > xs[-1], above, inside)))
    return float(result) if result.ndim == 0 else result


def _check_range(name: str, table: ArrayTable, capacity_bytes: Value) -> None:
    low, high = table.capacity_bytes[0], table.capacity_bytes[-1]
    if len(table.capacity_bytes) > 1:
        low, high = low / EXTRAPOLATION_FACTOR, high * EXTRAPOLATION_FACTOR
    smallest, largest = float(np.min(capacity_bytes)), float(np.max(capacity_bytes))
    if smallest < low or largest > high:
        found = smallest if smallest < low else largest
        raise MemoryTableError(
            f"memory table {name} ({table.origin}): found {found / KIB:,.6g} KiB in one bank, allowed "
            f"{low / KIB:,.6g} .. {high / KIB:,.6g} KiB; split it into banks, or state read_pj, write_pj"
        )


@dataclass(frozen=True)
class ArrayCost:
    """Cost of one array of a given size: energy per bit read and written, leakage."""

    read_pj_per_bit: Value
    write_pj_per_bit: Value
    leakage_mw: Value


def array_cost(name: str, capacity_bytes: Value) -> ArrayCost:
    """Energy per bit and leakage of one bank of ``capacity_bytes`` (a number or an array) from table ``name``.

    The energy of an access scales with its width; the tables hold 64-bit accesses. Raises
    :class:`MemoryTableError` for an unknown table or a size that it does not cover.
    """
    if isinstance(capacity_bytes, float | int):
        return _cost_of_one(name, float(capacity_bytes))
    return _cost(name, capacity_bytes)


@cache
def _cost_of_one(name: str, capacity_bytes: float) -> ArrayCost:
    """A single size: asked for again for every chunk of a sweep."""
    return _cost(name, capacity_bytes)


def _cost(name: str, capacity_bytes: Value) -> ArrayCost:
    table = array_table(name)
    _check_range(name, table, capacity_bytes)
    if len(table.capacity_bytes) == 1:
        read, write, leak = table.read_pj[0], table.write_pj[0], table.leakage_mw[0]
        return ArrayCost(read / table.access_bits, write / table.access_bits, leak)
    sizes = table.capacity_bytes
    return ArrayCost(
        _power_law(sizes, table.read_pj, capacity_bytes) / table.access_bits,
        _power_law(sizes, table.write_pj, capacity_bytes) / table.access_bits,
        _power_law(sizes, table.leakage_mw, capacity_bytes),
    )
