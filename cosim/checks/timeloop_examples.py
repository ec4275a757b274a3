"""The loop-nest engine against mappings that timeloop-mapper chose on larger machines (`examples_*.csv`).

These tables carry less than the case tables: per-action energies are printed to six digits, so energies are compared
to that precision; networks are not listed; containers of the machine description that only spread work (no line among
the levels) appear in the mapping alone. Such a container is a level that keeps nothing; its loops spread over the
children of the next level inwards.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from cosim.checks.metrics import CheckInputError, CheckReport, CheckRow, build_report
from cosim.checks.timeloop_cases import KINDS
from cosim.checks.timeloop_tables import TableRow, grouped, read_table
from cosim.mapping.nest import (
    TIMELOOP,
    AxisTerm,
    ComputeLevel,
    DataSpace,
    Infeasible,
    LevelMapping,
    Loop,
    NestArch,
    NestCounts,
    NestMapping,
    Problem,
    StorageLevel,
)
from cosim.mapping.nest_evaluate import evaluate

RUN_COLUMNS = ("arch", "layer", "instance_as_parsed", "cycles")
ARCH_COLUMNS = (
    "arch", "level_outer_to_inner", "name", "class", "instances", "mesh_x", "mesh_y", "depth_rows", "width_bits",
    "word_bits", "read_bw", "write_bw", "shared_bw", "energy_read_pj", "energy_write_pj", "energy_update_pj",
    "energy_compute_pj", "energy_leak_pj_per_cycle",
)  # fmt: skip
LOOP_COLUMNS = ("arch", "layer", "order_outer_to_inner", "level", "kind", "dim", "bound", "last_bound")
ACCESS_COLUMNS = (
    "arch", "layer", "level", "dataspace", "tile_words", "instances_used", "reads_per_inst", "fills_per_inst",
    "updates_per_inst", "energy_total_pj",
)  # fmt: skip
LEVEL_COLUMNS = ("arch", "layer", "level", "cycles", "energy_dynamic_pj", "energy_leakage_pj")
# Energies per action have six significant digits.
ENERGY_TOLERANCE = 1e-5
NOTES = (
    "energies are compared to 1e-5: the per-action energies of the tables have six digits",
    "a column cluster_size in examples_architectures.csv says how many instances share a row; without it each has its"
    " own, which is 4 to 5.3 times too little energy in the weight registers of a Simba-like machine",
)


def _problem(row: TableRow) -> Problem:
    """Convolution of a cell like "C=3 M=32 P=112 ... Hstride=2"; keys are case-sensitive as in the tool."""
    found = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", row.text("instance_as_parsed"))}
    dims = {dim: found.get(dim, 1) for dim in ("C", "M", "R", "S", "N", "P", "Q")}

    def window(position: str, tap: str, side: str) -> tuple[AxisTerm, ...]:
        stride, dilation = found.get(f"{side}stride", 1), found.get(f"{side}dilation", 1)
        return AxisTerm(position, stride), AxisTerm(tap, dilation)

    def plain(*names: str) -> tuple[tuple[AxisTerm, ...], ...]:
        return tuple((AxisTerm(name),) for name in names)

    return Problem(
        row.text("layer"),
        dims,
        (
            DataSpace("Weights", plain("C", "M", "R", "S")),
            DataSpace("Inputs", (*plain("N", "C"), window("P", "R", "W"), window("Q", "S", "H"))),
            DataSpace("Outputs", plain("N", "M", "P", "Q"), read_write=True),
        ),
    )


def _storage(row: TableRow) -> StorageLevel:
    cluster = row.integer("cluster_size") if row.has("cluster_size") else 1
    words_per_row = row.integer("width_bits") // row.integer("word_bits") // cluster
    return StorageLevel(
        name=row.text("name"),
        instances=row.integer("instances"),
        mesh_x=row.integer("mesh_x"),
        mesh_y=row.integer("mesh_y"),
        word_bits=row.integer("word_bits"),
        words_per_row=words_per_row,
        cluster_size=cluster,
        capacity_words=row.integer("depth_rows") * words_per_row if row.has("depth_rows") else None,
        read_bandwidth_words_per_cycle=row.optional_number("read_bw"),
        write_bandwidth_words_per_cycle=row.optional_number("write_bw"),
        shared_bandwidth_words_per_cycle=row.optional_number("shared_bw"),
        energy_read_pj=row.number("energy_read_pj"),
        energy_write_pj=row.number("energy_write_pj"),
        energy_update_pj=row.number("energy_update_pj"),
        energy_leak_pj_per_cycle=row.number("energy_leak_pj_per_cycle"),
        reduction_supported="DRAM" not in row.text("class"),
    )


def _containers(rows: Sequence[TableRow], known: Sequence[str]) -> list[tuple[str, set[str]]]:
    """Levels that only the mappings name, outermost first, with the kinds of their loops."""
    found: dict[str, set[str]] = {}
    for row in rows:
        if row.text("level") not in known:
            found.setdefault(row.text("level"), set()).add(row.text("kind"))
    return list(found.items())


def _machine(name: str, rows: Sequence[TableRow], loops: Sequence[TableRow]) -> NestArch:
    """Architecture with the containers put where the level numbers leave gaps."""
    ordered = sorted(rows, key=lambda row: row.integer("level_outer_to_inner"))
    containers = _containers(loops, [row.text("name") for row in ordered])
    gaps = ordered[-1].integer("level_outer_to_inner") + 1 - len(ordered)
    if gaps != len(containers):
        raise ordered[-1].error(
            "level_outer_to_inner",
            f"{name} leaves out {gaps} levels, its mappings name {len(containers)} more",
        )
    levels: list[StorageLevel] = []
    mesh = (1, 1)
    for outer, inner in zip((None, *ordered[:-1]), ordered, strict=True):
        start = -1 if outer is None else outer.integer("level_outer_to_inner")
        for _ in range(start + 1, inner.integer("level_outer_to_inner")):
            label, kinds = containers.pop(0)
            levels.append(StorageLevel(label, mesh[0] * mesh[1], *mesh))
            mesh = (
                inner.integer("mesh_x") if "spatial_x" in kinds else mesh[0],
                inner.integer("mesh_y") if "spatial_y" in kinds else mesh[1],
            )
        mesh = (inner.integer("mesh_x"), inner.integer("mesh_y"))
        if inner is not ordered[-1]:
            levels.append(_storage(inner))
    last = ordered[-1]
    return NestArch(
        name,
        tuple(levels),
        ComputeLevel(
            last.text("name"),
            last.integer("instances"),
            *mesh,
            energy_compute_pj=last.number("energy_compute_pj"),
        ),
    )


def _mapping(arch: NestArch, loops: Sequence[TableRow], accesses: Sequence[TableRow]) -> NestMapping:
    """Mapping of one run; a level keeps the data spaces that its access lines name."""
    kept: dict[str, set[str]] = {}
    for row in accesses:
        kept.setdefault(row.text("level"), set()).add(row.text("dataspace"))
    ordered = sorted(loops, key=lambda row: row.integer("order_outer_to_inner"))
    return NestMapping(
        tuple(
            LevelMapping(
                tuple(
                    Loop(
                        row.text("dim"),
                        row.integer("bound"),
                        KINDS[row.text("kind")],
                        row.integer("last_bound"),
                    )
                    for row in ordered
                    if row.text("level") == level.name
                ),
                frozenset(kept.get(level.name, ())),
            )
            for level in arch.levels
        )
    )


def _near(value: float, reference: float) -> bool:
    return abs(value - reference) <= ENERGY_TOLERANCE * abs(reference) + 0.005


def _compare(
    counts: NestCounts, run: TableRow, accesses: Sequence[TableRow], levels: Sequence[TableRow]
) -> list[str]:
    """Figures that differ, empty when all agree."""
    out = []
    if counts.cycles != run.integer("cycles"):
        out.append(f"cycles: {counts.cycles}, reference {run.text('cycles')}")
    for row in accesses:
        ours = counts.access(row.text("level"), row.text("dataspace"))
        figures = {
            "tile_words": ours.tile_words,
            "instances_used": ours.instances_used,
            "reads_per_inst": ours.reads,
            "fills_per_inst": ours.fills,
            "updates_per_inst": ours.updates,
        }
        where = f"{row.text('level')} {row.text('dataspace')}"
        out += [
            f"{where} {column}: {value}, reference {row.text(column)}"
            for column, value in figures.items()
            if value != row.integer(column)
        ]
        if not _near(ours.energy_pj, row.number("energy_total_pj")):
            out.append(f"{where} energy: {ours.energy_pj:g} pJ, reference {row.text('energy_total_pj')}")
    totals = {total.level: total for total in counts.levels}
    for row in levels:
        total = totals.get(row.text("level"))
        if total is None:
            raise row.error("level", f"{row.text('level')!r} is no level of the machine: {sorted(totals)}")
        if total.cycles != row.integer("cycles"):
            out.append(f"{total.level} cycles: {total.cycles}, reference {row.text('cycles')}")
        if not _near(total.energy_leakage_pj, row.number("energy_leakage_pj")):
            out.append(f"{total.level} leakage: {total.energy_leakage_pj:g}, {row.text('energy_leakage_pj')}")
    return out


def check_examples(folder: Path) -> CheckReport:
    """Hold the engine against mapper runs; CheckInputError names file and column where the format is not kept."""
    loops = read_table(folder, "examples_mapping_loops.csv", LOOP_COLUMNS)
    by_run = grouped(loops, "arch", "layer")
    accesses = grouped(read_table(folder, "examples_accesses.csv", ACCESS_COLUMNS), "arch", "layer")
    levels = grouped(read_table(folder, "examples_levels.csv", LEVEL_COLUMNS), "arch", "layer")
    machine_rows = grouped(read_table(folder, "examples_architectures.csv", ARCH_COLUMNS), "arch")
    machine_loops = grouped(loops, "arch")
    rows = []
    for run in read_table(folder, "examples_runs.csv", RUN_COLUMNS):
        key = (run.text("arch"), run.text("layer"))
        if key[:1] not in machine_rows or key not in by_run:
            raise run.error("arch", f"{key} has no architecture or no mapping in the folder")
        try:
            arch = _machine(key[0], machine_rows[key[:1]], machine_loops[key[:1]])
            counts = evaluate(_problem(run), arch, _mapping(arch, by_run[key], accesses[key]), TIMELOOP)
        except CheckInputError:
            raise
        except (ValueError, KeyError) as error:
            raise run.error("layer", f"{key}: {error}") from error
        reference = run.number("cycles")
        name = " ".join(key)
        energy = sum(row.number("energy_dynamic_pj") + row.number("energy_leakage_pj") for row in levels[key])
        if isinstance(counts, Infeasible):
            rows.append(CheckRow(name, 0.0, reference, "cycles", key[0], False, counts.reason))
            continue
        found = _compare(counts, run, accesses[key], levels[key])
        note = "; ".join(found[:5])
        rows.append(CheckRow(name, float(counts.cycles), reference, "cycles", key[0], not found, note))
        rows.append(CheckRow(name, counts.energy_pj, energy, "pJ", key[0], not found, note))
    return build_report("timeloop", rows, NOTES)
