"""Cases of a folder of timeloop-model runs as problems, architectures and mappings of the loop-nest engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cosim.checks.metrics import CheckInputError
from cosim.checks.timeloop_tables import TableRow, grouped, pairs, read_table
from cosim.mapping.nest import (
    TIMELOOP,
    AxisTerm,
    ComputeLevel,
    CountOptions,
    DataSpace,
    LevelMapping,
    Loop,
    LoopKind,
    NestArch,
    NestMapping,
    Problem,
    StorageLevel,
)

KINDS: dict[str, LoopKind] = {"temporal": "temporal", "spatial_x": "spatial_x", "spatial_y": "spatial_y"}
# Switch of timeloop-model -> the option and what it means to be on (any value but 0) or off.
SWITCHES: dict[str, tuple[str, Any, Any]] = {
    "TIMELOOP_ENABLE_FIRST_READ_ELISION": ("first_read_elision", True, False),
    "TIMELOOP_ENABLE_UPDATED_RMW": ("updated_partial_sums", True, False),
    "TIMELOOP_DISABLE_LINK_TRANSFERS": ("link_transfers", False, True),
    "TIMELOOP_ENABLE_TOROIDAL_LINKS": ("toroidal_links", True, False),
    "TIMELOOP_RUN_LAST_ITERATION": ("visited_iterations", "second and last", "auto"),
    "TIMELOOP_DISABLE_TEMPORAL_EXTRAPOLATION": ("visited_iterations", "all", "auto"),
}
# Print-outs, and looking at every spatial instance, which are all alike.
WITHOUT_EFFECT = (
    "TIMELOOP_ENABLE_TRACING",
    "TIMELOOP_PRINT_NEST_ANALYSIS_RESULT",
    "TIMELOOP_DISABLE_SPATIAL_EXTRAPOLATION",
    "TIMELOOP_DISABLE_FIRST_ELEMENT_ONLY_SPATIAL_EXTRAPOLATION",
)

ARCHITECTURE_COLUMNS = (
    "arch", "level_outer_to_inner", "name", "class", "instances", "mesh_x", "mesh_y", "word_bits", "words_per_row",
    "cluster_size", "capacity_words", "multiple_buffering", "read_bw_words_per_cycle", "write_bw_words_per_cycle",
    "shared_bw_words_per_cycle", "reduction_supported", "energy_read_or_compute_pj", "energy_write_pj",
    "energy_update_pj", "energy_leak_pj_per_cycle",
)  # fmt: skip
PROBLEM_COLUMNS = ("problem", "dims", "coefficients", "dataspace", "projection_axes", "read_write")
CASE_COLUMNS = ("case", "arch", "problem", "env_switches", "rc", "error", "cycles", "energy_total_pj")
LOOP_COLUMNS = ("case", "order_outer_to_inner", "level", "kind", "dim", "bound", "last_bound")
BYPASS_COLUMNS = ("case", "level", "dataspace", "kept")


@dataclass(frozen=True, slots=True)
class Case:
    """One run: what was asked (problem, architecture, mapping, options) and its line in cases.csv."""

    row: TableRow
    problem: Problem
    arch: NestArch
    mapping: NestMapping
    options: CountOptions
    unknown_switches: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the case."""
        return self.row.text("case")


def _storage(row: TableRow) -> StorageLevel:
    """Storage level of one line. A memory whose class names DRAM cannot add in place unless the line says so."""
    adds = row.text("reduction_supported")
    return StorageLevel(
        name=row.text("name"),
        instances=row.integer("instances"),
        mesh_x=row.integer("mesh_x"),
        mesh_y=row.integer("mesh_y"),
        word_bits=row.integer("word_bits"),
        words_per_row=row.integer("words_per_row"),
        cluster_size=row.integer("cluster_size"),
        capacity_words=row.integer("capacity_words") if row.has("capacity_words") else None,
        multiple_buffering=row.number("multiple_buffering"),
        read_bandwidth_words_per_cycle=row.optional_number("read_bw_words_per_cycle"),
        write_bandwidth_words_per_cycle=row.optional_number("write_bw_words_per_cycle"),
        shared_bandwidth_words_per_cycle=row.optional_number("shared_bw_words_per_cycle"),
        energy_read_pj=row.number("energy_read_or_compute_pj"),
        energy_write_pj=row.number("energy_write_pj"),
        energy_update_pj=row.number("energy_update_pj"),
        energy_leak_pj_per_cycle=row.number("energy_leak_pj_per_cycle"),
        reduction_supported=adds != "0" if adds else "DRAM" not in row.text("class"),
    )


def architecture(name: str, rows: Sequence[TableRow]) -> NestArch:
    """Architecture of the lines of one machine; the innermost line is the compute array.

    timeloop-model charges no leakage to the compute array, so its column is not used there.
    """
    ordered = sorted(rows, key=lambda row: row.integer("level_outer_to_inner"))
    last = ordered[-1]
    try:
        return NestArch(
            name=name,
            levels=tuple(_storage(row) for row in ordered[:-1]),
            compute=ComputeLevel(
                name=last.text("name"),
                instances=last.integer("instances"),
                mesh_x=last.integer("mesh_x"),
                mesh_y=last.integer("mesh_y"),
                word_bits=last.integer("word_bits"),
                energy_compute_pj=last.number("energy_read_or_compute_pj"),
            ),
        )
    except CheckInputError:
        raise
    except ValueError as error:
        raise last.error("arch", str(error)) from error


def _axis(row: TableRow, text: str, values: Mapping[str, int]) -> tuple[AxisTerm, ...]:
    """Axis of the form "R*Dil+P*Str"."""
    terms = []
    for item in text.split("+"):
        dim, _, coefficient = item.strip().partition("*")
        if coefficient and coefficient not in values:
            raise row.error("coefficients", f"no value for {coefficient!r} of {text.strip()!r}")
        terms.append(AxisTerm(dim, values[coefficient] if coefficient else 1))
    return tuple(terms)


def problem(name: str, rows: Sequence[TableRow]) -> Problem:
    """Problem of the lines of its data spaces; a dimension that is used but not listed has size 1."""
    dims = pairs(rows[0], "dims")
    spaces = []
    for row in rows:
        values = pairs(row, "coefficients")
        axes = tuple(_axis(row, text, values) for text in row.text("projection_axes").split(";"))
        spaces.append(DataSpace(row.text("dataspace"), axes, row.text("read_write") == "1"))
    used = [term.dim for space in spaces for axis in space.axes for term in axis]
    try:
        return Problem(name, {dim: 1 for dim in used if dim not in dims} | dims, tuple(spaces))
    except ValueError as error:
        raise rows[0].error("dims", str(error)) from error


def mapping(
    arch: NestArch, task: Problem, loops: Sequence[TableRow], kept: Sequence[TableRow]
) -> NestMapping:
    """Mapping of one case; a data space without a line in `kept` is kept."""
    names = [level.name for level in arch.levels]
    per_level: dict[str, list[Loop]] = {name: [] for name in names}
    for row in sorted(loops, key=lambda row: row.integer("order_outer_to_inner")):
        if row.text("level") not in per_level:
            raise row.error("level", f"{row.text('level')!r} is not a storage level of {arch.name}: {names}")
        if row.text("kind") not in KINDS:
            raise row.error("kind", f"{row.text('kind')!r} is none of {list(KINDS)}")
        try:
            loop = Loop(
                row.text("dim"), row.integer("bound"), KINDS[row.text("kind")], row.integer("last_bound")
            )
        except CheckInputError:
            raise
        except ValueError as error:
            raise row.error("bound", str(error)) from error
        per_level[row.text("level")].append(loop)
    dropped = {(row.text("level"), row.text("dataspace")) for row in kept if row.text("kept") == "0"}
    return NestMapping(
        tuple(
            LevelMapping(
                tuple(per_level[name]),
                frozenset(space.name for space in task.data_spaces if (name, space.name) not in dropped),
            )
            for name in names
        )
    )


def options(row: TableRow) -> tuple[CountOptions, tuple[str, ...]]:
    """Counting conventions of a case, timeloop-model's changed by its `env_switches`; and the switches not modelled."""
    chosen = TIMELOOP
    strange = []
    for item in row.text("env_switches").replace(";", " ").replace(",", " ").split():
        name, _, value = item.partition("=")
        if name in SWITCHES:
            field, on, off = SWITCHES[name]
            chosen = replace(chosen, **{field: off if value == "0" else on})
        elif name not in WITHOUT_EFFECT:
            strange.append(name)
    return chosen, tuple(strange)


def read_cases(folder: Path) -> list[Case]:
    """All cases of a folder. CheckInputError names what is missing or does not fit together."""
    cases = read_table(folder, "cases.csv", CASE_COLUMNS)
    archs = {
        key: architecture(key, rows)
        for (key,), rows in grouped(
            read_table(folder, "architectures.csv", ARCHITECTURE_COLUMNS), "arch"
        ).items()
    }
    problems = {
        key: problem(key, rows)
        for (key,), rows in grouped(read_table(folder, "problems.csv", PROBLEM_COLUMNS), "problem").items()
    }
    loops = grouped(read_table(folder, "mapping_loops.csv", LOOP_COLUMNS), "case")
    kept = grouped(read_table(folder, "mapping_bypass.csv", BYPASS_COLUMNS), "case")
    out = []
    for row in cases:
        key = (row.text("case"),)
        for column, known in (("arch", archs), ("problem", problems)):
            if row.text(column) not in known:
                raise row.error(column, f"{row.text(column)!r} is not described in the folder")
        arch, task = archs[row.text("arch")], problems[row.text("problem")]
        chosen = mapping(arch, task, loops.get(key, ()), kept.get(key, ()))
        out.append(Case(row, task, arch, chosen, *options(row)))
    return out
