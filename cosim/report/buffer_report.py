"""The comparison of weight buffers as a Markdown page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_COLUMNS = (
    ("buffer", "variant", ""),
    ("KiB", "capacity_bytes", "kib"),
    ("mm2", "area_mm2", ".3f"),
    ("latency ms", "latency_s", "milli"),
    ("energy mJ", "energy_j", "milli"),
    ("buffer mJ", "buffer_j", "milli"),
    ("DRAM MB", "dram_bytes", "mega"),
    ("accuracy", "accuracy", "percent"),
    ("worst trial", "accuracy_minimum", "percent"),
    ("writes a cell", "rewrites_per_inference", ".3g"),
    ("years", "lifetime_years", ".2g"),
    ("at least", "lowest_lifetime_years", ".2g"),
    ("lost bits", "residence_failure", ".1g"),
)


def _cell(value: Any, form: str) -> str:
    if value is None:
        return "-"
    if form == "":
        return str(value)
    if form == "percent":
        return f"{value:.2%}"
    scale = {"kib": 1 / 1024, "milli": 1e3, "mega": 1e-6}.get(form)
    if scale is None:
        return format(value, form)
    return f"{value * scale:,.0f}" if form == "kib" else f"{value * scale:,.4g}"


def table(rows: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Header and cells of one workload and basis."""
    return [
        [name for name, _, _ in _COLUMNS],
        *([_cell(row[key], form) for _, key, form in _COLUMNS] for row in rows),
    ]


def markdown(rows: Sequence[dict[str, Any]], machine: str, level: str, model: str, trials: int) -> str:
    """The whole comparison: a section a workload and basis, and what the columns mean."""
    lines = [
        f"# Buffers for the weights of {machine} ({level})",
        "",
        f"Latency and energy of one inference, batch 1. Accuracy: `{model}` trained on digits, {trials} paired trials "
        "under the record's own error rates, weights persistent; `-` under worst trial marks a record without an error "
        "rate, whose accuracy is that without errors. Writes a cell: mean an inference; years: endurance used up by "
        "inferences back to back with even wear, for the endurance on record and for the lowest that is stated of the "
        "technology. Lost bits: chance that a bit is lost in the longest time that weights "
        "stay in the buffer.",
    ]
    for workload, basis in dict.fromkeys((row["workload"], row["basis"]) for row in rows):
        part = table([row for row in rows if (row["workload"], row["basis"]) == (workload, basis)])
        lines += ["", f"## {workload}, equal {basis}", "", "| " + " | ".join(part[0]) + " |"]
        lines.append("|" + "---|" * len(part[0]))
        lines += ["| " + " | ".join(cells) + " |" for cells in part[1:]]
    return "\n".join(lines) + "\n"
