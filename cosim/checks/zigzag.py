"""`cosim check zigzag`: energy, accesses and cycles of given mappings against runs of ZigZag, layer by layer.

Each layer is one case with four rows: energy (total, multipliers, every memory and direction), word accesses (every
operand, memory and direction, copies and bits held), ideal cycles, and latency (stall, onload, offload, total,
utilisations). A row is exact when all figures behind it agree to the printed digits. They come from ZigZag's
conventions applied to the mapping that the folder gives (`cosim.mapping.zigzag_model`).

The loop-nest engine counts the same mappings by conventions of its own. Its rows, in classes that begin with
"engine", are not part of the verdict; the difference in energy is laid out by convention in the notes and in each
row's note (`cosim.checks.zigzag_nest` argues each).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cosim.checks.metrics import CheckReport, CheckRow, build_report
from cosim.checks.timeloop_tables import TableRow, agrees
from cosim.checks.zigzag_nest import CONVENTIONS, NestComparison, compare_nest
from cosim.checks.zigzag_tables import Case, read_cases
from cosim.mapping.zigzag_model import Accesses, Direction, OperandMapping
from cosim.mapping.zigzag_model_latency import LayerCost, layer_cost

COLUMN: dict[Direction, str] = {
    "tl": "rd_to_low",
    "fl": "wr_from_low",
    "th": "rd_to_high",
    "fh": "wr_from_high",
}
SHOWN = 5
"""Differences that a note spells out."""


def _differences(row: TableRow, where: str, figures: Mapping[str, float]) -> Iterator[str]:
    """Figures that differ from a line; columns that are absent or empty are not compared."""
    for column, value in figures.items():
        if row.has(column):
            row.number(column)
            if not agrees(value, row.text(column)):
                yield f"{where}{column}: {value:.15g}, reference {row.text(column)}"


def _note(found: Sequence[str], remark: str = "") -> str:
    rest = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return "; ".join([*found[:SHOWN], *rest, *([remark] if remark else [])])


def _access_differences(case: Case, cost: LayerCost) -> tuple[list[str], list[str], float, float]:
    """(differences in energy, in accesses, accesses of all memories here, and in the reference)."""
    by_operand: dict[str, list[Accesses]] = defaultdict(list)
    for row in cost.accesses:
        by_operand[row.operand].append(row)
    energy: list[str] = []
    counts: list[str] = []
    found = set()
    reference = 0.0
    for line in case.accesses:
        operand, level = line.text("operand"), line.integer("level")
        if not 0 <= level < len(by_operand.get(operand, ())):
            counts.append(f"{operand} level {level}: only in the reference")
            continue
        found.add((operand, level))
        ours = by_operand[operand][level]
        where = f"{operand} {ours.memory} "
        energies = {f"e_{COLUMN[direction]}": value for direction, value in ours.energies_pj.items()}
        energy += _differences(line, where, {**energies, "energy_pJ": ours.energy_pj})
        words = {COLUMN[direction]: float(value) for direction, value in ours.counts.items()}
        held = {"unit_count": float(ours.units), "bits_held_per_unit": float(ours.held_bits)}
        counts += _differences(line, where, {**words, **held})
        reference += sum(line.number(column) for column in COLUMN.values())
    for operand, rows in by_operand.items():
        counts += [
            f"{operand} {row.memory}: not in the reference"
            for level, row in enumerate(rows)
            if (operand, level) not in found
        ]
    return energy, counts, float(sum(sum(row.counts.values()) for row in cost.accesses)), reference


def compare(case: Case, cost: LayerCost) -> list[CheckRow]:
    """Rows of one layer: energy, accesses (where the folder has them), ideal cycles, latency."""
    line = case.row
    energies = {
        "energy_total_pJ": cost.energy_pj,
        "mac_energy_pJ": cost.mac_pj,
        "mem_energy_pJ": cost.memory_pj,
    }
    temporal = {"ideal_temporal_cycle": float(cost.temporal_cycles), "ideal_cycle": float(cost.ideal_cycles)}
    computing = cost.temporal_cycles + cost.stall_cycles
    latencies = {
        "latency_total": cost.latency_cycles,
        "stall": cost.stall_cycles,
        "onload": cost.onload_cycles,
        "offload": cost.offload_cycles,
        "util_spatial": cost.ideal_cycles / cost.temporal_cycles,
        "util_stall": cost.ideal_cycles / computing,
        "util_onload": cost.ideal_cycles / (computing + cost.onload_cycles),
        "util_total": cost.ideal_cycles / cost.latency_cycles,
    }
    energy, counts, accesses, reference = _access_differences(case, cost)
    found = {
        "energy": [*_differences(line, "", energies), *energy],
        "accesses": counts,
        "ideal cycles": list(_differences(line, "", temporal)),
        "latency": list(_differences(line, "", latencies)),
    }
    figures = {
        "energy": (cost.energy_pj, line.number("energy_total_pJ"), "pJ"),
        "accesses": (accesses, reference, "accesses"),
        "ideal cycles": (float(cost.temporal_cycles), line.number("ideal_temporal_cycle"), "cycles"),
        "latency": (cost.latency_cycles, line.number("latency_total"), "cycles"),
    }
    return [
        CheckRow(
            case.name, predicted, stated, unit, f"{line.text('arch')} {quantity}", not found[quantity],
            _note(found[quantity], case.problem),
        )
        for quantity, (predicted, stated, unit) in figures.items()
        if quantity != "accesses" or case.accesses
    ]  # fmt: skip


def _engine_rows(case: Case, nest: NestComparison, reference_pj: float) -> list[CheckRow]:
    """The engine's energy and ideal cycles of a layer; `exact` is left open, its conventions being others."""
    shares = [
        f"{name} {100 * value / reference_pj:+.2f} %"
        for name, value in nest.differences_pj.items()
        if abs(value) >= 5e-5 * reference_pj
    ]
    arch, cycles = case.row.text("arch"), case.row.number("ideal_temporal_cycle")
    return [
        CheckRow(
            case.name, nest.energy_pj, case.row.number("energy_total_pJ"), "pJ", f"engine {arch} energy", None,
            ", ".join(shares),
        ),
        CheckRow(case.name, float(nest.cycles), cycles, "cycles", f"engine {arch} ideal cycles"),
    ]  # fmt: skip


def _convention_notes(differences: Sequence[Mapping[str, float]]) -> list[str]:
    """Size of each convention over the layers, as a share of ZigZag's energy of the layer."""
    notes = []
    for name in CONVENTIONS:
        shares = [100 * row[name] for row in differences]
        touched = sum(abs(share) >= 0.005 for share in shares)
        if touched:
            notes.append(
                f"engine minus ZigZag by {name}: {min(shares):+.2f} to {max(shares):+.2f} % of a layer's energy,"
                f" {sum(shares) / len(shares):+.2f} % in the mean, felt in {touched} of {len(shares)} layers"
            )
    return notes


def check_zigzag(folder: Path) -> CheckReport:
    """Hold ZigZag's conventions and the loop-nest engine against a folder of its runs.

    Raises CheckInputError naming file and column where the folder does not have the format.
    """
    cases, skipped = read_cases(folder)
    rows: list[CheckRow] = []
    engine: list[CheckRow] = []
    shares: list[dict[str, float]] = []
    refused: Counter[str] = Counter()
    done: dict[Any, NestComparison | str] = {}
    for case in cases:
        try:
            cost = layer_cost(case.layer, case.machine, case.mappings, case.first)
        except ValueError as error:
            raise case.row.error("loops_per_operand_level", str(error)) from None
        rows += compare(case, cost)
        key = _key(case)
        if key not in done:
            done[key] = compare_nest(case.layer, case.machine, case.mappings, cost)
        nest = done[key]
        if isinstance(nest, str):
            refused[nest] += 1
            continue
        engine += _engine_rows(case, nest, cost.energy_pj)
        shares.append({name: value / cost.energy_pj for name, value in nest.differences_pj.items()})
    notes = [f"engine not run on {count} layers: {reason}" for reason, count in sorted(refused.items())]
    if skipped:
        notes.append(f"{len(skipped)} layers on machines without the energy of a MAC are not compared")
    report = build_report("zigzag", rows, [*_convention_notes(shares), *notes])
    if not engine:
        return report
    beside = build_report("zigzag", engine)
    classes = {
        name: {measure: value for measure, value in part.items() if measure != "exact"}
        for name, part in beside.by_class.items()
    }
    return replace(report, rows=(*report.rows, *beside.rows), by_class=report.by_class | classes)


def _key(case: Case) -> tuple[str, tuple[tuple[str, int], ...], str, tuple[tuple[str, OperandMapping], ...]]:
    """What the engine's result depends on: machine, layer and mapping."""
    layer = case.layer
    addressing = f"{layer.relevant} {layer.windows} {layer.bits} {layer.links}"
    return case.machine.name, tuple(layer.sizes.items()), addressing, tuple(case.mappings.items())
