"""The report of one result or of a comparison, as a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from cosim.report import comparison_figures as draw
from cosim.report import frames, tables
from cosim.report import roofline_figures as rates
from cosim.report.document import (
    HOVER,
    Block,
    Bullets,
    Code,
    Document,
    FigureView,
    Section,
    TableView,
    Text,
    figure,
)
from cosim.report.efficiency import gap_frame, kernels_row, layer_kernels, rectangles
from cosim.report.layer_figures import latency_per_layer
from cosim.report.published import published_blocks
from cosim.report.views import MachineView
from cosim.report.words import headline, how_intervals, where_it_goes
from cosim.results.comparison import Comparison
from cosim.results.files import all_layers_csv
from cosim.results.intervals import Uncertainty
from cosim.results.outcome import Outcome
from cosim.results.text import better_or_worse, si

LIMITS = (
    "Latency is the sum over layers of one batch; layers do not overlap. Energy is counts times energy per action plus "
    "static power times time. Each model leaves out:"
)
TRUST = (
    "Figures measured by others or by running reference tools, against this program's. Rows marked as fitted name what "
    "was adjusted; all others are untuned."
)


def comparison_document(
    comparison: Comparison,
    machines: Sequence[MachineView],
    title: str,
    validation: TableView | None = None,
    timelines: Mapping[str, FigureView] | None = None,
    accuracy: Sequence[Block] = (),
) -> Document:
    """The report of a comparison; the same document for the same results.

    ``timelines`` (figures by name) and ``accuracy`` (blocks of :mod:`cosim.report.accuracy_report`) get sections of
    their own, where there are any. ``validation`` replaces the table of the models' errors.
    """
    results = list(comparison.results.values())
    top: list[Block] = [Bullets(headline(comparison)), Text(how_intervals(comparison), soft=True)]
    speed = frames.speedup_frame(comparison)
    if len(speed):
        top.append(_speedup_figure(comparison, speed))
    top += [tables.means_table(comparison), tables.comparison_table(comparison)]
    if comparison.failures:
        reasons = (
            f"{m} cannot run {w}: {why.splitlines()[0]}" for (m, w), why in comparison.failures.items()
        )
        top.append(Bullets(tuple(reasons), "Not run"))
    by_network = [
        [comparison.results[m, w] for m in comparison.machines if (m, w) in comparison.results]
        for w in comparison.workloads
    ]
    shown = _shown(comparison)
    where: list[Block] = []
    if results:
        where += [Bullets(tuple(where_it_goes(result) for result in shown)), tables.where_table(results)]
        where += [HOVER, *machine_figures(shown), gap_figure(results), *layer_figures(shown)]
    subtitle = (
        f"{len(machines)} machines, {len(comparison.workloads)} networks, against {comparison.baseline}"
    )
    sections = [
        Section("headline", "Headline", "Headline", tuple(top)),
        Section("figures", "Where the time and the energy go", "Time and energy", tuple(where)),
        *_optional(timelines, accuracy),
        _layers_section([tables.layer_table(group) for group in by_network if group], results),
        _trust_section(machines, validation),
        *_closing_sections(machines, results, comparison.uncertainty),
    ]
    return Document(title, subtitle, tuple(sections), {"layers.csv": all_layers_csv(results)})


def run_document(
    result: Outcome,
    machine: MachineView,
    title: str,
    timelines: Mapping[str, FigureView] | None = None,
    accuracy: Sequence[Block] = (),
) -> Document:
    """The report of one result: the same sections without the comparison."""
    top: list[Block] = [Text(where_it_goes(result))]
    if result.speedup is not None:
        ratio = result.speedup
        top.append(
            Text(
                f"Against {ratio.baseline}: {better_or_worse(ratio.speedup, 'faster', 'slower')}, "
                f"{better_or_worse(ratio.energy_ratio, 'less energy', 'more energy')}, energy-delay product "
                f"{better_or_worse(ratio.edp_ratio, 'lower', 'higher')}."
            )
        )
    top.append(tables.totals_table(result))
    where: list[Block] = [
        HOVER,
        *machine_figures([result]),
        gap_figure([result]),
        *layer_figures([result]),
    ]
    sections = [
        Section("headline", "Headline", "Headline", tuple(top)),
        Section("figures", "Where the time and the energy go", "Time and energy", tuple(where)),
        *_optional(timelines, accuracy),
        _layers_section([tables.layer_table([result])], [result]),
        _trust_section([machine], None),
        *_closing_sections([machine], [result]),
    ]
    subtitle = (
        f"{si(result.latency_s, 's')} and {si(result.energy_j, 'J')} for a batch of {result.workload.batch}"
    )
    return Document(title, subtitle, tuple(sections), {"layers.csv": all_layers_csv([result])})


def _optional(timelines: Mapping[str, FigureView] | None, accuracy: Sequence[Block]) -> Iterator[Section]:
    if timelines:
        yield Section("timeline", "Timeline", "Timeline", tuple(timelines.values()))
    if accuracy:
        yield Section("accuracy", "Accuracy", "Accuracy", tuple(accuracy))


def _layers_section(layers: Sequence[TableView], results: Sequence[Outcome]) -> Section:
    blocks: list[Block] = [
        Text("Every heading sorts; the box keeps the rows that hold all its words.", soft=True, on_page=True),
        Text("layers.csv, written with `--format csv`, holds every column of every layer.", soft=True),
        *layers,
        *([tables.column_meanings(results)] if results else []),
    ]
    return Section("layers", "Layers", "Layers", tuple(blocks), filter="e.g. attention")


def _trust_section(machines: Sequence[MachineView], validation: TableView | None) -> Section:
    blocks: list[Block] = [Text(TRUST)]
    if found := validation or tables.validation_table(machines):
        blocks.append(found)
    if missing := tables.not_validated(machines):
        blocks.append(Text(missing))
    return Section(
        "validation",
        "How far to trust the models",
        "Trust",
        (*blocks, *published_blocks()),
        filter="e.g. fpga energy",
    )


def _closing_sections(
    machines: Sequence[MachineView], results: Sequence[Outcome], drawn: Uncertainty | None = None
) -> Iterator[Section]:
    yield Section("coverage", "Coverage", "Coverage", (tables.coverage_table(results),))
    yield Section(
        "limits",
        "Assumptions and limits",
        "Limits",
        (Text(LIMITS), *_limits(machines)),
    )
    sources = {key: text for machine in machines for key, text in machine.bibliography.items()}
    yield Section(
        "parameters",
        "Effective parameters and their sources",
        "Parameters",
        (
            *(tables.parameter_table(machine) for machine in machines),
            TableView("Bibliography", ("source", "what it is"), sorted(sources.items()), folded=True),
        ),
    )
    yield Section(
        "manifest",
        "Manifest",
        "Manifest",
        (Code("What was evaluated (JSON)", tables.manifest_text(results, drawn)),),
    )


def _limits(machines: Sequence[MachineView]) -> Iterator[Bullets]:
    """What each model leaves out; machines of one model share a list."""
    named: dict[tuple[str, ...], list[str]] = {}
    for machine in machines:
        named.setdefault(machine.leaves_out, []).append(machine.name)
    for texts, names in named.items():
        yield Bullets(texts, ", ".join(names))


def _shown(comparison: Comparison) -> list[Outcome]:
    """Results of the first network that every machine ran, or else of the one that most ran."""
    ran = {w: [m for m in comparison.machines if (m, w) in comparison.results] for w in comparison.workloads}
    chosen = max(comparison.workloads, key=lambda w: len(ran[w]))
    return [comparison.results[m, chosen] for m in ran[chosen]]


def _speedup_figure(comparison: Comparison, speed: pd.DataFrame) -> FigureView:
    drawn = comparison.uncertainty is not None
    return figure(
        "speedup",
        f"Speed-up over {comparison.baseline} on every network, and its geometric mean"
        + ("; lines span 5 % to 95 % of the draws." if drawn else "."),
        speed,
        lambda axes, marks: draw.speedup_bars(speed, comparison.baseline, axes, marks),
        height=4.0,
    )


def machine_figures(results: Sequence[Outcome]) -> Iterator[FigureView]:
    """Stacks, roofline, utilisation and traffic of one network on every machine."""
    name, rows = results[0].workload.name, len(results)
    time = frames.time_frame(results)
    yield figure(
        "time",
        f"Time of {name} by what bounds its layers; bounds below 2 % on every machine are joined.",
        time,
        lambda axes, marks: draw.time_stack(time, axes, marks),
        height=1.0 + 0.55 * rows,
    )
    energy = frames.energy_frame(results)
    yield figure(
        "energy",
        f"Energy of {name} by component; components below 2 % on every machine are joined.",
        energy,
        lambda axes, marks: draw.energy_stack(energy, axes, marks),
        height=1.0 + 0.55 * rows,
    )
    points = frames.roofline_frame(results)
    roofs = frames.roofs_frame({result.machine: result.roof for result in results})
    yield figure(
        "roofline",
        f"Layers of {name} under each machine's roof; bytes are counted once, at the executed widths.",
        points,
        lambda axes, marks: rates.roofline(points, roofs, axes, marks),
        height=4.8,
    )
    used = frames.utilization_frame(results)
    if len(used):
        yield figure(
            "utilization",
            f"Utilisation of the layers of {name} with multiply-accumulates.",
            used,
            lambda axes, marks: draw.utilization_map(used, axes, marks),
            height=1.0 + 0.4 * rows,
        )
    traffic = frames.traffic_frame(results)
    if len(traffic):
        yield figure(
            "traffic",
            f"Memory traffic of {name} by level, for the models that report it.",
            traffic,
            lambda axes, marks: draw.traffic_by_level(traffic, axes, marks),
        )


def gap_figure(results: Sequence[Outcome]) -> FigureView:
    """The efficiency gap of every result."""
    frame = gap_frame([kernels_row(result, layer_kernels(result)) for result in results])
    return figure(
        "efficiency-gap",
        "Efficiency gap (Lavin, arXiv 2404.03617): time of the operations at peak, at the roofline, and modelled. "
        "Bytes are those of the machine's model where it counts them, else every operand and result once.",
        frame,
        lambda axes, marks: rates.efficiency_gap(frame, axes, marks),
        height=1.2 + 0.27 * len(frame),
    )


def layer_figures(results: Sequence[Outcome]) -> Iterator[FigureView]:
    """Waterline and time per layer of every result."""
    for result in results:
        name, ridge = result.workload.name, result.roof.ridge_macs_per_byte
        if ridge is not None:
            yield figure(
                f"waterline-{result.machine}",
                f"Waterline of {name} on {result.machine}: area is work, what is below the line is water.",
                frame := rectangles(layer_kernels(result)),
                lambda axes, marks, frame=frame, ridge=ridge: rates.waterline(frame, ridge, axes, marks),  # type: ignore[misc]
                height=2.6,
            )
    for result in results:
        table = result.to_pandas()[["name", "op", "latency_s", "bound"]]
        yield figure(
            f"latency-{result.machine}",
            f"Time of every layer of {result.workload.name} on {result.machine}, coloured by what bounds it.",
            table,
            lambda axes, marks, table=table: latency_per_layer(table, axes, marks),  # type: ignore[misc]
            height=3.0,
        )
