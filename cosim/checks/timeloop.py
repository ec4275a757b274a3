"""`cosim check timeloop`: the loop-nest engine against runs of timeloop-model, number by number.

A case is exact when every figure of its lines agrees: reads, fills, updates, tile words and instances of every level
and data space (and the partition words, reductions and address generations where the columns exist), the transfers
of every network, cycles, and energy to the printed precision; or, for a mapping that was refused, when the engine
refuses it at the same level with the same demand and bound. timeloop-model: NVlabs/timeloop, Parashar et al.,
ISPASS 2019.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cosim.checks.metrics import CheckReport, CheckRow, build_report
from cosim.checks.timeloop_cases import Case, read_cases
from cosim.checks.timeloop_examples import check_examples
from cosim.checks.timeloop_tables import TableRow, agrees, grouped, read_table
from cosim.mapping.nest import AccessCounts, Infeasible, LevelTotals, NestCounts, NetworkCounts
from cosim.mapping.nest_evaluate import evaluate

ACCESS_COLUMNS = (
    "case", "level", "dataspace", "tile_words", "instances_used", "reads_per_inst", "fills_per_inst",
    "updates_per_inst", "energy_total_pj",
)  # fmt: skip
NETWORK_COLUMNS = ("case", "network", "dataspace", "ingresses", "link_transfers", "spatial_reductions")
Figures = Mapping[Any, dict[str, float]]
LEVEL_COLUMNS = ("case", "level", "cycles", "energy_dynamic_pj", "energy_leakage_pj")


def _access_figures(row: AccessCounts) -> dict[str, float]:
    """Figures of one level and data space under the column names of accesses.csv."""
    return {
        "tile_words": row.tile_words,
        "instances_used": row.instances_used,
        "reads_per_inst": row.reads,
        "fills_per_inst": row.fills,
        "updates_per_inst": row.updates,
        "partition_words": row.partition_words,
        "temporal_reductions_per_inst": row.temporal_reductions,
        "address_gens_per_cluster": row.address_generations,
        "energy_total_pj": row.energy_pj,
    }


def _network_figures(row: NetworkCounts) -> dict[str, float]:
    """Figures of one network and data space under the column names of networks.csv."""
    return {
        "fanout": row.fanout,
        "multicast_factor": row.multicast_factor,
        "ingresses": row.ingresses,
        "link_transfers": row.link_transfers,
        "spatial_reductions": row.spatial_reductions,
        "avg_hops": row.mean_hops,
    }


def _level_figures(row: LevelTotals) -> dict[str, float]:
    """Figures of one level under the column names of levels.csv."""
    return {
        "cycles": row.cycles,
        "instances_used": row.instances_used,
        "bandwidth_throttling": row.throttling,
        "energy_dynamic_pj": row.energy_dynamic_pj,
        "energy_leakage_pj": row.energy_leakage_pj,
    }


def _differences(row: TableRow, where: str, figures: dict[str, float]) -> Iterator[str]:
    """Figures that differ from a line of the folder; columns that are absent or empty are not compared."""
    for column, value in figures.items():
        if row.has(column):
            row.number(column)
            if not agrees(value, row.text(column)):
                yield f"{where} {column}: {value:g}, reference {row.text(column)}"


def _missing(kind: str, ours: set[tuple[str, ...]], theirs: set[tuple[str, ...]]) -> Iterator[str]:
    for key in sorted(ours - theirs):
        yield f"{kind} {' '.join(key)}: not in the reference"
    for key in sorted(theirs - ours):
        yield f"{kind} {' '.join(key)}: only in the reference"


def compare(
    case: Case,
    counts: NestCounts,
    accesses: Sequence[TableRow],
    networks: Sequence[TableRow],
    levels: Sequence[TableRow],
) -> list[str]:
    """Everything in which `counts` differs from the lines of the case, empty when exact."""
    out = list(
        _differences(
            case.row,
            "case",
            {
                "cycles": counts.cycles,
                "energy_total_pj": counts.energy_pj,
                "computes": counts.computes,
                "compute_cycles": counts.compute_cycles,
            },
        )
    )
    by_access = {(row.level, row.data_space): _access_figures(row) for row in counts.accesses}
    by_network = {
        (f"{row.outer} <==> {row.inner}", row.data_space): _network_figures(row) for row in counts.networks
    }
    by_level = {(row.level,): _level_figures(row) for row in counts.levels}
    tables: tuple[tuple[str, Figures, Sequence[TableRow], tuple[str, ...]], ...] = (
        ("access", dict(by_access), accesses, ("level", "dataspace")),
        ("network", dict(by_network), networks, ("network", "dataspace")),
        ("level", dict(by_level), levels, ("level",)),
    )
    for kind, ours, rows, columns in tables:
        theirs = {tuple(row.text(column) for column in columns): row for row in rows}
        out += _missing(kind, set(ours), set(theirs))
        for key in ours.keys() & theirs.keys():
            out += _differences(theirs[key], " ".join(key), ours[key])
    return out


def _refusal_row(case: Case, outcome: Infeasible | NestCounts) -> CheckRow:
    """Row of a mapping that timeloop-model refused: exact when refused here with the same numbers."""
    message = case.row.text("error")
    category = case.arch.name
    if not isinstance(outcome, Infeasible):
        return CheckRow(
            case.name, 1.0, 0.0, "accepted", category, False, f"accepted here, refused there: {message}"
        )
    numbers = [float(number) for number in re.findall(r"\d+", message)]
    exact = True
    if re.search(r"exceeds|not equal", message):
        exact = {outcome.demand, outcome.bound} <= set(numbers) and (
            outcome.level == "mapping" or outcome.level in message
        )
    reference = outcome.demand if exact or not numbers else numbers[0]
    note = "" if exact else f"refused here: {outcome.reason}; there: {message}"
    return CheckRow(case.name, outcome.demand, reference, outcome.what, category, exact, note)


def _rows(case: Case, tables: dict[str, dict[tuple[str, ...], list[TableRow]]]) -> list[CheckRow]:
    """Rows of one case: cycles and energy, or the refusal."""
    outcome = evaluate(case.problem, case.arch, case.mapping, case.options)
    if case.row.text("rc") != "0":
        return [_refusal_row(case, outcome)]
    cycles, energy = case.row.number("cycles"), case.row.number("energy_total_pj")
    category = case.arch.name
    if isinstance(outcome, Infeasible):
        note = f"refused here: {outcome.reason}"
        return [
            CheckRow(case.name, 0.0, cycles, "cycles", category, False, note),
            CheckRow(case.name, 0.0, energy, "pJ", category, False, note),
        ]
    key = (case.name,)
    found = compare(
        case, outcome, *(tables[name].get(key, []) for name in ("accesses", "networks", "levels"))
    )
    strange = [f"switch {name} is not modelled" for name in case.unknown_switches]
    note = "; ".join([*strange, *found[:5]]) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")
    return [
        CheckRow(case.name, float(outcome.cycles), cycles, "cycles", category, not found, note),
        CheckRow(case.name, outcome.energy_pj, energy, "pJ", category, not found, note),
    ]


def check_timeloop(folder: Path) -> CheckReport:
    """Hold the loop-nest engine against a folder of timeloop-model runs (or of mapper runs, `examples_*.csv`).

    Raises CheckInputError naming file and column where the folder does not have the format.
    """
    if (folder / "examples_runs.csv").is_file() and not (folder / "cases.csv").is_file():
        return check_examples(folder)
    cases = read_cases(folder)
    tables = {
        "accesses": grouped(read_table(folder, "accesses.csv", ACCESS_COLUMNS), "case"),
        "networks": grouped(read_table(folder, "networks.csv", NETWORK_COLUMNS), "case"),
        "levels": grouped(read_table(folder, "levels.csv", LEVEL_COLUMNS), "case"),
    }
    return build_report("timeloop", [row for case in cases for row in _rows(case, tables)])
