"""One self-contained HTML file for a comparison: readable without a script, offline, in light and dark."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment
from markupsafe import Markup, escape

from cosim.checks.validation import HEAD as VALIDATION_HEAD
from cosim.checks.validation import read_validation
from cosim.hardware.load import Machine
from cosim.report import comparison_figures as draw
from cosim.report import frames
from cosim.report.efficiency import efficiency_row, gap_frame
from cosim.report.layer_figures import latency_per_layer
from cosim.report.style import new_figure
from cosim.results.comparison import Comparison
from cosim.results.result import Result, heading
from cosim.spec.sources import sources_for

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

LAYER_COLUMNS = ("name", "op", "shape", "macs", "cycles", "latency_s", "energy_j", "utilization", "bound")
SECTIONS = (
    ("headline", "Headline"),
    ("figures", "Time and energy"),
    ("layers", "Layers"),
    ("validation", "Trust"),
    ("coverage", "Coverage"),
    ("limits", "Limits"),
    ("parameters", "Parameters"),
    ("manifest", "Manifest"),
)


@dataclass(frozen=True)
class TableView:
    """A table: headings and rows of plain values; numbers are right-aligned and keep their value for sorting."""

    title: str
    head: tuple[str, ...]
    rows: list[tuple[Any, ...]]


@dataclass(frozen=True)
class FigureView:
    """A figure as inline SVG with the CSV behind it as a data URI."""

    id: str
    svg: Markup
    caption: str
    data: str


def table(view: TableView) -> Markup:
    """HTML of a table."""
    numeric = [any(isinstance(row[i], int | float) for row in view.rows) for i in range(len(view.head))]
    kinds = [" class=n" if flag else "" for flag in numeric]
    head = "".join(f"<th{kind}>{escape(name)}</th>" for name, kind in zip(view.head, kinds, strict=True))
    # Closing tags of cells and rows may be left out in HTML; with thousands of rows that is a third of the file.
    body = "".join("<tr>" + "".join(_cell(value) for value in row) for row in view.rows)
    return Markup(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def _cell(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"<td>{escape('-' if value is None else value)}"
    text = f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    return f"<td data-v={value:.6g}>{text}"


def figure(
    name: str,
    caption: str,
    frame: pd.DataFrame,
    plot: Callable[[Axes], Any],
    width: float = 9.0,
    height: float = 3.8,
) -> FigureView:
    """Draw on fresh axes and keep the frame as CSV."""
    made = new_figure(width, height)
    plot(made.subplots())
    stream = io.StringIO()
    made.savefig(stream, format="svg", metadata={"Date": None})
    text = stream.getvalue()
    svg = text[text.index("<svg") :].replace("<svg ", f'<svg role="img" aria-label="{escape(caption)}" ', 1)
    data = base64.b64encode(frame.to_csv(index=False, lineterminator="\n").encode()).decode()
    return FigureView(name, Markup(svg), caption, f"data:text/csv;base64,{data}")


def comparison_html(
    comparison: Comparison, machines: Sequence[Machine], title: str, validation: TableView | None = None
) -> str:
    """The report of a comparison; the same bytes for the same results."""
    env = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    env.globals["table"] = table
    template = env.from_string(files("cosim.report").joinpath("templates/report.html.j2").read_text("utf-8"))
    results = list(comparison.results.values())
    bibliography = {
        row.source: str(sources_for(machine.path).get(row.source, "unknown"))
        for machine in machines
        for row in machine.parameters
        if row.source
    }
    return template.render(
        title=title,
        subtitle=f"{len(machines)} machines, {len(comparison.workloads)} networks, against {comparison.baseline}",
        sections=SECTIONS,
        headline=headline(comparison),
        baseline=comparison.baseline,
        comparison=_comparison_table(comparison),
        means=_means_table(comparison),
        failures=[
            f"{m} cannot run {w}: {why.splitlines()[0]}" for (m, w), why in comparison.failures.items()
        ],
        figures=list(figures(comparison, machines)),
        layer_tables=[_layer_table(result) for result in results],
        validation=validation or _validation_table(machines),
        validation_text=VALIDATION_TEXT,
        coverage=_coverage_table(comparison),
        limits=[(machine.name, machine.model.leaves_out) for machine in machines],
        parameter_tables=[_parameter_table(machine) for machine in machines],
        bibliography=sorted(bibliography.items()),
        manifest=json.dumps(comparison.to_json()["manifests"], indent=1),
    )


VALIDATION_TEXT = (
    "Figures measured by others or by running reference tools, against this program's; untuned unless said "
    "otherwise. A machine that is not listed has not been held against measurements."
)


def headline(comparison: Comparison) -> str:
    """The result in one sentence a machine."""
    parts = []
    for row in comparison.means():
        if row["machine"] == comparison.baseline or row["speedup"] is None:
            continue
        speed, energy = row["speedup"], row["energy_ratio"]
        faster = f"{speed:.3g}x faster" if speed >= 1 else f"{1 / speed:.3g}x slower"
        less = f"{energy:.3g}x less energy" if energy >= 1 else f"{1 / energy:.3g}x more energy"
        parts.append(f"{row['machine']}: {faster}, {less}")
    return f"Geometric means against {comparison.baseline}. " + "; ".join(parts) + "."


def figures(comparison: Comparison, machines: Sequence[Machine]) -> Iterable[FigureView]:
    """Speed-ups over all networks, then the figures of the first network that every machine ran."""
    speed = frames.speedup_frame(comparison)
    if len(speed):
        yield figure(
            "speedup",
            f"Speed-up over {comparison.baseline} on every network, and its geometric mean.",
            speed,
            lambda axes: draw.speedup_bars(speed, comparison.baseline, axes),
        )
    shown = next(
        (w for w in comparison.workloads if all((m, w) in comparison.results for m in comparison.machines)),
        comparison.workloads[0],
    )
    if comparison.results:
        yield _gap_figure(comparison, machines)
    results = [comparison.results[m, shown] for m in comparison.machines if (m, shown) in comparison.results]
    yield from _machine_figures(results, machines, shown)
    for result in results:
        table_ = result.to_pandas()
        chosen = table_[["name", "latency_s", "bound"]]
        yield figure(
            f"latency-{result.machine}",
            f"Time of every layer of {shown} on {result.machine}, coloured by what bounds it.",
            chosen,
            lambda axes, frame=chosen: latency_per_layer(frame, axes),  # type: ignore[misc]
            height=3.0,
        )


def _machine_figures(results: list[Result], machines: Sequence[Machine], shown: str) -> Iterable[FigureView]:
    import pandas as pd

    energy = frames.energy_frame(results)
    yield figure(
        "energy",
        f"Energy of {shown} by component; parts below 2 % on every machine are joined.",
        energy,
        lambda axes: draw.energy_stack(energy, axes),
        height=1.2 + 0.55 * len(results),
    )
    points = frames.roofline_frame(results)
    roofs = pd.DataFrame([frames.roof_of(m) for m in machines])
    yield figure(
        "roofline",
        f"Layers of {shown} under each machine's roof; bytes are counted once, at the executed widths.",
        points,
        lambda axes: draw.roofline(points, roofs, axes),
        height=4.6,
    )
    used = frames.utilization_frame(results)
    yield figure(
        "utilization",
        f"Utilisation of the layers of {shown} with multiply-accumulates.",
        used,
        lambda axes: draw.utilization_map(used, axes),
        height=1.2 + 0.4 * len(results),
    )
    traffic = frames.traffic_frame(results)
    if len(traffic):
        yield figure(
            "traffic",
            f"Memory traffic of {shown} by level, for the models that report it.",
            traffic,
            lambda axes: draw.traffic_by_level(traffic, axes),
        )
    for machine in machines:
        own = [r for r in results if r.machine == machine.name]
        roof = frames.roof_of(machine)
        ridge = roof["peak_macs_per_s"] / roof["bandwidth_bytes_per_s"]
        if own and ridge == ridge:
            rows = own[0].to_pandas()[["name", "bytes", "macs"]]
            yield figure(
                f"waterline-{machine.name}",
                f"Waterline of {shown} on {machine.name}: area is work, what is below the line is water.",
                rows,
                lambda axes, frame=rows, line=ridge: draw.waterline(frame, line, axes),  # type: ignore[misc]
                height=2.8,
            )


def _gap_figure(comparison: Comparison, machines: Sequence[Machine]) -> FigureView:
    by_name = {machine.name: machine for machine in machines}
    rows = [efficiency_row(result, by_name[name]) for (name, _), result in comparison.results.items()]
    frame = gap_frame(rows)
    return figure(
        "efficiency-gap",
        "Efficiency gap (Lavin, arXiv 2404.03617): time of the operations at peak, at the roofline, and modelled.",
        frame,
        lambda axes: draw.efficiency_gap(frame, axes),
        height=1.4 + 0.3 * len(frame),
    )


def _validation_table(machines: Sequence[Machine]) -> TableView | None:
    rows = read_validation({machine.kind for machine in machines})
    return TableView("validation", VALIDATION_HEAD, rows) if rows else None


def _comparison_table(comparison: Comparison) -> TableView:
    head = ("machine", "network", "latency_s [s]", "energy_j [J]", "images/s", "speed-up", "energy ratio")
    keys = ("machine", "workload", "latency_s", "energy_j", "images_per_s", "speedup", "energy_ratio")
    return TableView("comparison", head, [tuple(row[key] for key in keys) for row in comparison.rows()])


def _means_table(comparison: Comparison) -> TableView:
    head = ("machine", "networks", "speed-up", "energy ratio")
    rows = [(r["machine"], r["workloads"], r["speedup"], r["energy_ratio"]) for r in comparison.means()]
    return TableView("means", head, rows)


def _layer_table(result: Result) -> TableView:
    extra = [name for name in ("mode", "placement") if name in result.layers[0]]
    names = (*LAYER_COLUMNS, *extra)
    rows = [tuple(row[name] for name in names) for row in result.layers]
    title = f"{result.workload.name} on {result.machine} ({result.latency_s:.4g} s, {result.energy_j:.4g} J)"
    return TableView(title, tuple(heading(name) for name in names), rows)


def _coverage_table(comparison: Comparison) -> TableView:
    seen: dict[str, tuple[Any, ...]] = {}
    for (_, workload), result in comparison.results.items():
        report = result.workload.coverage
        seen[workload] = (
            workload,
            len(result.workload),
            result.workload.macs,
            f"{report.macs_share:.2%}",
            f"{report.bytes_share:.2%}",
            ", ".join(report.unknown) or "none",
        )
    head = ("network", "layers", "MACs", "MACs modelled", "bytes modelled", "not modelled")
    return TableView("coverage", head, list(seen.values()))


def _parameter_table(machine: Machine) -> TableView:
    head = ("parameter", "value", "unit", "evidence", "source", "range", "note")
    rows = [
        (
            p.path,
            p.value,
            p.unit,
            p.kind,
            p.source,
            f"{p.range[0]:g} to {p.range[1]:g}" if p.range else "",
            p.note,
        )
        for p in machine.parameters
    ]
    return TableView(f"{machine.name} ({machine.kind}): {machine.spec.description}", head, rows)
