"""The report of a comparison whose machines and networks are at hand: with their constants and timelines."""

from __future__ import annotations

from collections.abc import Sequence

from cosim.hardware.load import Machine
from cosim.ir.workload import Workload
from cosim.report.document import Block, Document
from cosim.report.evaluated import comparison_document
from cosim.report.timelines import timelines
from cosim.report.views import machine_view
from cosim.results.comparison import Comparison


def compared_document(
    comparison: Comparison,
    machines: Sequence[Machine],
    networks: Sequence[Workload],
    batch: int,
    accuracy: Sequence[Block] = (),
) -> Document:
    """The report of a comparison; ``networks`` have the batch that was compared."""
    return comparison_document(
        comparison,
        [machine_view(machine) for machine in machines],
        f"{', '.join(comparison.workloads)}, batch {batch}",
        timelines=timelines(comparison, machines, networks),
        accuracy=accuracy,
    )
