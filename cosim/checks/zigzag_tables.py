"""Tables of a folder of ZigZag runs: machines, layers and the mapping that was chosen for each.

`accelerators.csv`, `memories.csv` and `ports.csv` describe the machines, `mappings.csv` which memory operand holds
which operand of a layer, `workloads.csv` the addressing of every layer, `zigzag_layers.csv` the mappings with their
costs and `zigzag_access.csv` the accesses. Sizes in bits, costs in pJ per access of the full port width.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cosim.checks.timeloop_tables import TableRow, grouped, pairs, read_table
from cosim.mapping.zigzag_model import (
    DIRECTIONS,
    Direction,
    Layer,
    Levels,
    Machine,
    Memory,
    OperandMapping,
    Port,
    Window,
)

ACCELERATORS = ("arch", "dimensions", "sizes", "mac_energy_pJ")
MEMORIES = (
    "arch", "order_in_file_low_to_high", "memory", "size_bits", "read_cost_pJ_per_access",
    "write_cost_pJ_per_access", "memory_operands",
)  # fmt: skip
PORTS = ("arch", "memory", "port", "bandwidth_min_bits", "bandwidth_max_bits", "memory_operand", "direction")
MAPPINGS = ("mapping_file", "operator", "spatial_mapping", "operand_links")
WORKLOADS = ("workload", "layer_id", "equation", "partial_relevance", "input_dim_sizes_unpadded")
LAYERS = (
    "run_id", "arch", "workload", "layer_id", "layer_name", "layer_type", "dims", "precision", "spatial_mapping",
    "loops_per_operand_level", "energy_total_pJ", "mac_energy_pJ", "mem_energy_pJ", "latency_total",
    "ideal_temporal_cycle", "stall", "onload", "offload",
)  # fmt: skip
ACCESS = (
    "run_id", "layer_id", "operand", "level", "rd_to_low", "wr_from_low", "rd_to_high", "wr_from_high", "energy_pJ",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """A layer of a run with the mapping of each operand, and its lines in the folder."""

    row: TableRow
    machine: Machine
    layer: Layer
    mappings: dict[str, OperandMapping]
    accesses: list[TableRow]
    first: dict[str, int]
    """Factor of a dimension that lies on several array dimensions, on all but the last of them."""
    problem: str
    """What the loops leave open, empty if they make up the layer."""

    @property
    def name(self) -> str:
        """Run and layer."""
        return f"{self.row.text('run_id')} {self.row.text('layer_id')} {self.row.text('layer_name')}"


def read_machines(folder: Path) -> dict[str, Machine]:
    """Machines by name; those without the energy of a multiply-accumulate (in-memory computing) are left out."""
    memories = grouped(read_table(folder, "memories.csv", MEMORIES), "arch")
    ports = grouped(read_table(folder, "ports.csv", PORTS), "arch", "memory")
    machines = {}
    for row in read_table(folder, "accelerators.csv", ACCELERATORS):
        name = row.text("arch")
        if not row.has("mac_energy_pJ"):
            continue
        lines = memories.get((name,))
        if lines is None:
            raise row.error("arch", f"memories.csv has no memory of {name}")
        lines = sorted(lines, key=lambda line: line.integer("order_in_file_low_to_high"))
        machines[name] = Machine(
            name=name,
            memories=tuple(_memory(line, ports.get((name, line.text("memory")), [])) for line in lines),
            units=math.prod(int(size) for size in row.text("sizes").split()),
            mac_pj=row.number("mac_energy_pJ"),
        )
    return machines


def _memory(line: TableRow, ports: Sequence[TableRow]) -> Memory:
    table: dict[tuple[str, Direction], Port] = {}
    for row in ports:
        direction = row.text("direction")
        if direction not in DIRECTIONS:
            raise row.error("direction", f"found {direction!r}; allowed: {', '.join(DIRECTIONS)}")
        table[row.text("memory_operand"), direction] = Port(
            row.text("port"), row.integer("bandwidth_min_bits"), row.integer("bandwidth_max_bits")
        )
    return Memory(
        name=line.text("memory"),
        size_bits=line.integer("size_bits"),
        read_pj=line.number("read_cost_pJ_per_access"),
        write_pj=line.number("write_cost_pJ_per_access"),
        operands=tuple(line.text("memory_operands").split()),
        ports=table,
    )


def read_cases(folder: Path) -> tuple[list[Case], list[str]]:
    """(cases, names of layers on machines that are not modelled). CheckInputError where the format is not met."""
    machines = read_machines(folder)
    known = {row.text("arch") for row in read_table(folder, "accelerators.csv", ACCELERATORS)}
    links = grouped(read_table(folder, "mappings.csv", MAPPINGS), "mapping_file", "operator")
    workloads = grouped(read_table(folder, "workloads.csv", WORKLOADS), "workload", "layer_id")
    accesses = _access_lines(folder)
    cases, skipped = [], []
    for row in _unrepeated(read_table(folder, "zigzag_layers.csv", LAYERS)):
        arch = row.text("arch")
        if arch not in known:
            raise row.error("arch", f"{arch!r} is not in accelerators.csv, which has {sorted(known)}")
        if arch not in machines:
            skipped.append(f"{row.text('run_id')} {row.text('layer_id')}")
            continue
        described = workloads.get((row.text("workload"), row.text("layer_id")))
        if described is None:
            raise row.error("layer_id", f"workloads.csv has no layer {row.text('layer_id')} of the workload")
        layer = _layer(row, described[0], _links(row, links))
        mappings = _mappings(row, layer, machines[arch])
        held = {layer.links[operand]: len(mapping.temporal) for operand, mapping in mappings.items()}
        machine = machines[arch].cut(held)
        lines = accesses.get((row.text("run_id"), row.text("layer_id")), [])
        first = _first_factors(row, links)
        cases.append(Case(row, machine, layer, mappings, lines, first, _open_loops(layer, mappings)))
    return cases, skipped


def _unrepeated(rows: Sequence[TableRow]) -> list[TableRow]:
    """Rows without repetitions: a run that was made twice stands twice, with other times only."""
    first: dict[tuple[str, ...], TableRow] = {}
    for row in rows:
        first.setdefault(tuple(row.text(column) for column in LAYERS), row)
    return list(first.values())


def _access_lines(folder: Path) -> dict[tuple[str, ...], list[TableRow]]:
    rows: dict[tuple[str, ...], TableRow] = {}
    for row in read_table(folder, "zigzag_access.csv", ACCESS):
        rows.setdefault(tuple(row.text(column) for column in ACCESS), row)
    return grouped(rows.values(), "run_id", "layer_id")


def _links(row: TableRow, links: dict[tuple[str, ...], list[TableRow]]) -> dict[str, str]:
    """Memory operand of every operand: of the mapping file that is named like the machine, else of any."""
    arch, operator = row.text("arch"), row.text("layer_type")
    own = [key for key in links if key[0].startswith(arch)] or list(links)
    chosen = [key for key in own if key[1] == operator] or [key for key in own if key[1] == "default"] or own
    found = {links[key][0].text("operand_links") for key in chosen}
    if len(found) != 1:
        raise row.error(
            "layer_type", f"mappings.csv links the operands in {len(found)} ways: {sorted(found)}"
        )
    return {name: memory for name, _, memory in (item.partition("->") for item in found.pop().split())}


def _first_factors(row: TableRow, links: dict[tuple[str, ...], list[TableRow]]) -> dict[str, int]:
    """Factors of dimensions that the mapping file of a mixed run puts on several array dimensions."""
    if not any("mixed" in row.text(column) for column in ("run_id", "flags") if column in row.cells):
        return {}
    files = [key for key in links if key[0].startswith(row.text("arch")) and key[0].endswith("mixed")]
    chosen = [key for key in files if key[1] == row.text("layer_type")] or [
        key for key in files if key[1] == "default"
    ]
    factors: dict[str, list[int]] = {}
    for key in chosen:
        for dim, factor in re.findall(r"(?:\||:)(\w+), (\d+)", links[key][0].text("spatial_mapping")):
            factors.setdefault(dim, []).append(int(factor))
    return {dim: math.prod(values[:-1]) for dim, values in factors.items() if len(values) > 1}


def _layer(row: TableRow, described: TableRow, links: dict[str, str]) -> Layer:
    sizes = _numbers(row, "dims")
    bits = _numbers(row, "precision")
    # The operands of an equation such as O[b][k] = W[k][c] * I[b][c], the output first.
    found = re.findall(r"([A-Za-z]\w*)((?:\[\w+\])+)", described.text("equation"))
    relevant = {name: frozenset(re.findall(r"\w+", axes.upper())) for name, axes in found}
    if len(relevant) < 2:
        raise described.error("equation", f"{described.text('equation')!r} names fewer than two operands")
    limits = pairs(described, "input_dim_sizes_unpadded")
    windows = {}
    for item in described.text("partial_relevance").split():
        match = re.fullmatch(r"(\w+)=(\d+)\*(\w+)\+(\d+)\*(\w+)", item)
        if match is None or match[1] not in limits:
            raise described.error(
                "partial_relevance", f"{item!r} is not AXIS=s*DIM+t*DIM with a size of AXIS"
            )
        windows[match[1]] = Window(match[3], int(match[2]), match[5], int(match[4]), limits[match[1]])
    for operand in relevant:
        if operand not in links or operand not in bits:
            raise row.error("precision", f"no width or no memory operand for {operand}")
    final = bits.get("O_final", bits[next(iter(relevant))])
    return Layer(sizes, relevant, windows, bits, final, {name: links[name] for name in relevant})


def _numbers(row: TableRow, column: str) -> dict[str, int]:
    """Cell of the form "K=96;C=3"."""
    values = {}
    for item in row.text(column).split(";"):
        name, _, value = item.partition("=")
        if not value.strip().isdigit():
            raise row.error(column, f"{item!r} is not NAME=INTEGER")
        values[name.strip()] = int(value)
    return values


def _levels(row: TableRow, column: str, text: str, layer: Layer) -> Levels:
    """Levels of the form "[FX:11 FY:11]/[K:3]/[]"."""
    levels = []
    for part in text.split("/"):
        if not (part.startswith("[") and part.endswith("]")):
            raise row.error(column, f"{part!r} is not a level in brackets")
        loops = []
        for item in part[1:-1].split():
            dim, _, factor = item.partition(":")
            try:
                loops.append((dim, float(factor)))
            except ValueError:
                raise row.error(column, f"{item!r} is not DIM:FACTOR") from None
            if dim not in layer.sizes:
                raise row.error(column, f"no dimension {dim!r}; the layer has {list(layer.sizes)}")
        levels.append(tuple(loops))
    return tuple(levels)


def _mappings(row: TableRow, layer: Layer, machine: Machine) -> dict[str, OperandMapping]:
    mappings = {}
    for operand in layer.relevant:
        both = []
        for column, more in (("loops_per_operand_level", 0), ("spatial_mapping", 1)):
            try:
                text = json.loads(row.text(column))[operand]
            except (ValueError, KeyError, TypeError):
                raise row.error(column, f"no JSON object with the operand {operand}") from None
            levels = _levels(row, column, text, layer)
            memories = len(machine.chain(layer.links[operand]))
            if not 1 + more <= len(levels) <= memories + more:
                raise row.error(
                    column, f"{operand} has {len(levels)} levels, {machine.name} needs {memories + more}"
                )
            both.append(levels)
        if len(both[1]) != len(both[0]) + 1:
            raise row.error(column, f"{operand} has {len(both[0])} memories and {len(both[1])} gaps")
        mappings[operand] = OperandMapping(*both)
    return mappings


def _open_loops(layer: Layer, mappings: dict[str, OperandMapping]) -> str:
    """Dimensions that the loops of an operand do not make up."""
    wrong = []
    for operand, mapping in mappings.items():
        covered = dict.fromkeys(layer.sizes, 1.0)
        for level in (*mapping.temporal, *mapping.spatial):
            for dim, factor in level:
                covered[dim] *= factor
        wrong += [
            f"loops of {operand} make up {covered[dim]:g} of {dim}={size}"
            for dim, size in layer.sizes.items()
            if abs(covered[dim] - size) > 1e-6 * size
        ]
    return "; ".join(wrong)
