"""Output of CACTI, NVSim, DESTINY and NVMExplorer, read into the points of a technology record.

Each tool says in its own way that it found nothing: CACTI prints an error, NVSim and DESTINY "No valid solutions",
NVMExplorer writes -1. Here that is an error with the tool's own reason, never a number.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from cosim.components.technology import TechnologyError

Tool = Literal["cacti", "nvsim", "destiny", "nvmexplorer"]
TOOLS: tuple[str, ...] = get_args(Tool)
SOURCE_OF = {"cacti": "cacti7", "nvsim": "nvsim", "destiny": "destiny", "nvmexplorer": "nvmexplorer"}


@dataclass(frozen=True)
class ImportedPoint:
    """One array: energies of an access of ``access_bits``, leakage of the whole array."""

    capacity_bytes: int
    access_bits: int
    read_pj: float
    write_pj: float
    read_ns: float
    write_ns: float
    leakage_mw: float
    area_mm2: float
    node_nm: float | None = None
    technology: str | None = None
    label: str = ""
    refresh_nj: float | None = None


_PREFIX = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "K": 1e3}
_CELLS = {
    "SRAM": "sram",
    "MRAM": "slc_stt_ram",
    "PCRAM": "pcm",
    "PCM": "pcm",
    "MEMRISTOR": "reram",
    "RRAM": "reram",
    "EDRAM": "edram",
    "EMBEDDED": "edram",
    "DRAM": "dram",
}


def _fail(name: str, reason: str) -> TechnologyError:
    return TechnologyError(f"{name}: {reason}")


def detect_tool(text: str, name: str) -> Tool:
    """The tool that wrote ``text``; TechnologyError when it is none of the four."""
    head = text[:20000]
    if "MemCellType," in head:
        return "nvmexplorer"
    if "Tech node (nm), Capacity (bytes)" in head or "CACTI" in head:
        return "cacti"
    if "numSolutions = " in head or "Embedded DRAM" in head:
        return "destiny"
    if "Memory Cell:" in head or "User-defined configuration file" in head:
        return "nvsim"
    raise _fail(
        name,
        f"found no output of {', '.join(TOOLS)}; allowed their text or CSV output, or name it with --tool",
    )


def read_points(
    text: str, name: str, tool: Tool | None = None, where: str | None = None
) -> list[ImportedPoint]:
    """Points of one output file. ``where``: text that a row of an NVMExplorer table must contain.

    Raises :class:`TechnologyError` for output that holds no design, with the tool's reason.
    """
    used = tool or detect_tool(text, name)
    if used == "cacti":
        csv_like = "Tech node (nm), Capacity (bytes)" in text
        points = _cacti_csv(text, name) if csv_like else [_cacti_text(text, name)]
    elif used == "nvmexplorer":
        points = _nvmexplorer(text, name, where)
    else:
        points = [_nvsim(text, name)]
    for point in points:
        _require_physical(point, name)
    return points


def _require_physical(point: ImportedPoint, name: str) -> None:
    for field in ("read_pj", "write_pj", "read_ns", "write_ns", "leakage_mw", "area_mm2"):
        value = getattr(point, field)
        if (
            not math.isfinite(value)
            or value < 0
            or (value == 0 and field in ("read_pj", "write_pj", "area_mm2"))
        ):
            raise _fail(
                f"{name}{f' ({point.label})' if point.label else ''}",
                f"{field} is {value:g}: the tool found no design for {point.capacity_bytes:,} bytes "
                "(-1 and infinity mark a failed search, not a figure)",
            )


def _number(text: str, pattern: str, name: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        raise _fail(name, f"found no line like {pattern!r}; allowed the tool's complete output")
    return float(found.group(1))


def _cacti_text(text: str, name: str) -> ImportedPoint:
    """The report that CACTI prints."""
    problem = re.search(r"(?im)^.*(no valid (?:data|tag) array organizations.*|error.*)$", text)
    if "Total dynamic read energy" not in text:
        raise _fail(
            name, f"CACTI found no design: {problem.group(0).strip() if problem else 'its report is cut'}"
        )
    size = re.search(r"Cache height x width \(mm\):\s*([\d.eE+-]+)\s*x\s*([\d.eE+-]+)", text)
    if size is None:
        raise _fail(name, "found no 'Cache height x width', allowed CACTI's complete report")
    gate = re.search(r"Total gate leakage power of a bank \(mW\):\s*([\d.eE+-]+)", text)
    access_ns = _number(text, r"Access time \(ns\):\s*([\d.eE+-]+)", name)
    leak = _number(text, r"Total leakage power of a bank \(mW\):\s*([\d.eE+-]+)", name)
    banks = _number(text, r"Number of banks:\s*(\d+)", name)
    return ImportedPoint(
        capacity_bytes=int(_number(text, r"Total cache size \(bytes\):\s*(\d+)", name)),
        access_bits=8 * int(_number(text, r"Block size \(bytes\)\s*:\s*(\d+)", name)),
        read_pj=1e3 * _number(text, r"Total dynamic read energy per access \(nJ\):\s*([\d.eE+-]+)", name),
        write_pj=1e3 * _number(text, r"Total dynamic write energy per access \(nJ\):\s*([\d.eE+-]+)", name),
        read_ns=access_ns,
        write_ns=access_ns,
        leakage_mw=banks * (leak + (float(gate.group(1)) if gate else 0.0)),
        area_mm2=float(size.group(1)) * float(size.group(2)),
        node_nm=_number(text, r"Technology size \(nm\):\s*([\d.]+)", name),
        technology="edram" if "DRAM Model" in text else "sram",
        label=name,
    )


def _cacti_csv(text: str, name: str) -> list[ImportedPoint]:
    """The table that CACTI appends to ``<config>.out``; its leakage contains the gates'."""
    rows = csv.reader(io.StringIO(text), skipinitialspace=True)
    header: list[str] = []
    points = []
    for row in rows:
        if row and row[0].startswith("Tech node"):
            header = [cell.strip() for cell in row]
            continue
        if not header or not row or not row[0].strip():
            continue
        cell = dict(zip(header, (c.strip() for c in row), strict=False))
        try:
            access_ns = float(cell["Access time (ns)"])
            points.append(
                ImportedPoint(
                    capacity_bytes=int(cell["Capacity (bytes)"]),
                    access_bits=int(cell["Output width (bits)"]),
                    read_pj=1e3 * float(cell["Dynamic read energy (nJ)"]),
                    write_pj=1e3 * float(cell["Dynamic write energy (nJ)"]),
                    read_ns=access_ns,
                    write_ns=access_ns,
                    leakage_mw=float(cell["Standby leakage per bank(mW)"]) * int(cell["Number of banks"]),
                    area_mm2=float(cell["Area (mm2)"]),
                    node_nm=float(cell["Tech node (nm)"]),
                    technology="sram",
                    label=name,
                )
            )
        except (KeyError, ValueError) as error:
            raise _fail(name, f"a row of CACTI's table cannot be read: {error}") from error
    if not points:
        raise _fail(name, "found no row, allowed CACTI's table with its header")
    return points


def _quantity(text: str, label: str, unit: str, name: str) -> float | None:
    """Value after ``label =`` in the base unit, the first in the text; None where there is no such line."""
    found = re.search(rf"(?m)^\s*-\s*{label}\s*=\s*([^\n]*)$", text)
    if found is None:
        return None
    last = found.group(1).split("=")[-1]
    value = re.match(rf"\s*([\d.eE+-]+|-?inf|-?nan)\s*([fpnumkK]?){re.escape(unit)}", last)
    if value is None:
        raise _fail(name, f"{label}: found {last.strip()!r}, allowed a number in {unit}")
    scale = _PREFIX[value.group(2)]
    return float(value.group(1)) * (scale * scale if unit == "m^2" else scale)


def _nvsim(text: str, name: str) -> ImportedPoint:
    """The report of NVSim or DESTINY for a plain memory (``-DesignTarget: RAM``)."""
    if re.search(r"CACHE (?:DESIGN|DATA ARRAY)", text):
        raise _fail(name, "found a cache with its tags, allowed a plain memory (-DesignTarget: RAM)")
    if "RESULT" not in text:
        reasons = Counter(m.group(1) for m in re.finditer(r"(?m)^.*Error\[[^\]]*\]: ([^\n]*)$", text))
        why = reasons.most_common(1)[0][0] if reasons else "no reason given"
        raise _fail(name, f"no valid solution ({why})")
    result = text[text.index("RESULT") :]

    def first(unit: str, *labels: str) -> float:
        found = [v for label in labels if (v := _quantity(result, label, unit, name)) is not None]
        if not found:
            raise _fail(name, f"found no {' or '.join(labels)}, allowed the tool's complete report")
        return max(found)

    capacity = re.search(r"Capacity\s*:\s*([\d.]+)\s*(B|KB|MB|GB)", text)
    width = re.search(r"Data Width\s*:\s*(\d+)\s*Bits", text)
    cell = re.search(r"Memory Cell:\s*(\w+)", text)
    if capacity is None or width is None:
        raise _fail(name, "found no capacity or data width, allowed the tool's complete report")
    factor = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}[capacity.group(2)]
    refresh = _quantity(result, "Refresh Dynamic Energy", "J", name)
    return ImportedPoint(
        capacity_bytes=round(float(capacity.group(1)) * factor),
        access_bits=int(width.group(1)),
        read_pj=1e12 * first("J", "Read Dynamic Energy"),
        write_pj=1e12 * first("J", "Write Dynamic Energy", "RESET Dynamic Energy", "SET Dynamic Energy"),
        read_ns=1e9 * first("s", "Read Latency"),
        write_ns=1e9 * first("s", "Write Latency", "RESET Latency", r"SET Latency"),
        leakage_mw=1e3 * first("W", "Leakage Power"),
        area_mm2=1e6 * first("m^2", "Total Area"),
        technology=_CELLS.get(cell.group(1).upper()) if cell else None,
        label=name,
        refresh_nj=None if refresh is None else 1e9 * refresh,
    )


def _nvmexplorer(text: str, name: str, where: str | None) -> list[ImportedPoint]:
    """The combined table of NVMExplorer: one row a cell and workload; rows that differ in the workload only are one."""
    points: dict[tuple[str, int], ImportedPoint] = {}
    rows = [
        {k.strip(): (v or "").strip() for k, v in row.items() if k}
        for row in csv.DictReader(io.StringIO(text))
    ]
    chosen = [row for row in rows if where is None or where in ",".join(row.values())]
    if not chosen:
        raise _fail(name, f"found no row with {where!r} among {len(rows)}")
    for row in chosen:
        try:
            point = _nvmexplorer_row(row)
        except (KeyError, ValueError) as error:
            raise _fail(name, f"a row of NVMExplorer's table cannot be read: {error}") from error
        known = points.setdefault((point.label, point.capacity_bytes), point)
        if known != point:
            raise _fail(
                name,
                f"two different designs of {point.label} with {point.capacity_bytes:,} bytes; use --where",
            )
    labels = sorted({point.label for point in points.values()})
    if len(labels) > 1:
        raise _fail(name, f"found several cells ({', '.join(labels)}), allowed one: choose with --where")
    return list(points.values())


def _nvmexplorer_row(row: dict[str, str]) -> ImportedPoint:
    return ImportedPoint(
        capacity_bytes=round(float(row["Capacity (MB)"]) * (1 << 20)),
        access_bits=int(row["WordWidth (bit)"]),
        read_pj=float(row["Read Energy (pJ)"]),
        write_pj=float(row["Write Energy (pJ)"]),
        read_ns=float(row["Read Latency (ns)"]),
        write_ns=float(row["Write Latency (ns)"]),
        leakage_mw=float(row["Leakage Power (mW)"]),
        area_mm2=float(row["Area (mm^2)"]),
        node_nm=float(row["ProcessNode"]),
        technology=_CELLS.get(row["MemCellType"].upper()),
        label=f"{row['MemoryCellInputFile'].rsplit('/', 1)[-1]} {row['OptimizationTarget']}",
    )


def merged_points(
    points: Iterable[ImportedPoint], technology: str | None, node_nm: float | None
) -> list[ImportedPoint]:
    """Points of one memory, by capacity, each with technology and node.

    Raises :class:`TechnologyError` when they differ in node, technology or access width, repeat a capacity, or a
    tool does not say what is missing.
    """
    found = [
        replace(p, technology=technology or p.technology, node_nm=p.node_nm if node_nm is None else node_nm)
        for p in points
    ]
    for field, option in (("technology", "--technology"), ("node_nm", "--node-nm"), ("access_bits", "")):
        values = {getattr(p, field) for p in found}
        if None in values:
            raise TechnologyError(
                f"{found[0].label}: the tool does not say the {field}; state it with {option}"
            )
        if len(values) > 1:
            raise TechnologyError(
                f"points differ in {field}: {', '.join(map(str, sorted(values)))}; allowed one"
            )
    sizes = Counter(p.capacity_bytes for p in found)
    again = [size for size, count in sizes.items() if count > 1]
    if again:
        raise TechnologyError(f"found {again[0]:,} bytes twice, allowed each capacity once")
    return sorted(found, key=lambda p: p.capacity_bytes)


def record_text(points: Sequence[ImportedPoint], name: str, source: str, description: str) -> str:
    """The YAML record of the points; every number gets ``source``."""
    first = points[0]
    lines = [
        "kind: memory",
        f"name: {name}",
        f'description: "{description}"',
        f"technology: {first.technology}",
        "scope: array",
        f"provenance: {{source: {source}, kind: simulated}}",
        f"node_nm: {first.node_nm:g}",
        f"access_bits: {first.access_bits}",
        "cell: {bits_per_cell: 1}",
        "points:",
    ]
    for p in points:
        figures = ", ".join(
            f"{field}: {getattr(p, field):.6g}"
            for field in ("read_pj", "write_pj", "read_ns", "write_ns", "leakage_mw", "area_mm2")
        )
        lines.append(f"  - {{capacity_bytes: {p.capacity_bytes}, {figures}}}")
    if first.refresh_nj is not None:
        lines += ["reliability:", f"  refresh_nj: {first.refresh_nj:.6g}"]
    return "\n".join(lines) + "\n"
