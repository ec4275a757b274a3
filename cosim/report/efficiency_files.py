"""Figures of the efficiency gap and the waterlines, written with the CSV that each shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cosim.hardware.load import Machine
from cosim.report.efficiency import gap_frame, kernels_of, waterline_frame
from cosim.report.efficiency_figures import operations_and_rate
from cosim.report.roofline_figures import efficiency_gap, waterline
from cosim.report.style import new_figure, save
from cosim.results.result import Result


def write_efficiency(
    pairs: Sequence[tuple[Machine, Result, str]], rows: Sequence[dict[str, Any]], folder: Path
) -> Iterator[Path]:
    """Write the gap, operations against rate, and a waterline for every (machine, result, fusion); yields the SVGs."""
    folder.mkdir(parents=True, exist_ok=True)
    gaps = gap_frame(rows)
    drawing = new_figure(9.0, 1.4 + 0.4 * len(gaps))
    efficiency_gap(gaps, drawing.subplots())
    save(drawing, folder / "efficiency_gap.svg")
    gaps.to_csv(folder / "efficiency_gap.csv", index=False, lineterminator="\n")
    yield folder / "efficiency_gap.svg"
    drawing = new_figure(7.0, 4.4)
    operations_and_rate(gaps, drawing.subplots())
    save(drawing, folder / "operations_and_rate.svg")
    yield folder / "operations_and_rate.svg"
    for machine, result, fusion in pairs:
        kernels = kernels_of(result, machine, fusion)
        if kernels.bandwidth_bytes_per_s is None:
            continue
        frame = waterline_frame(result, machine, fusion)
        drawing = new_figure(9.0, 3.0)
        waterline(frame, kernels.ridge_ops_per_byte / 2, drawing.subplots())
        stem = f"waterline-{machine.name}-{result.workload.name}"
        save(drawing, folder / f"{stem}.svg")
        frame.to_csv(folder / f"{stem}.csv", index=False, lineterminator="\n")
        yield folder / f"{stem}.svg"
