"""Tables of a report: the comparison, layers, coverage, parameters, and how far each model is off."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cosim.checks.validation import HEAD as VALIDATION_HEAD
from cosim.checks.validation import read_validation
from cosim.ir.columns import COLUMNS
from cosim.report.document import Cell, Shown, TableView
from cosim.report.views import MachineView
from cosim.results.comparison import Comparison
from cosim.results.intervals import Uncertainty
from cosim.results.outcome import Outcome, shares_of
from cosim.results.text import heading, si, times_between

CHOICES = ("mode", "placement")
UNITS = ((1.0, ""), (1e3, "m"), (1e6, "u"), (1e9, "n"), (1e12, "p"))


def comparison_table(comparison: Comparison) -> TableView:
    """Every machine on every network."""
    head = ("machine", "network", "time", "energy", "images/s", "speed-up", "energy ratio")
    rows: list[tuple[Cell, ...]] = []
    for row in comparison.rows():
        if row["latency_s"] is None:
            rows.append((row["machine"], row["workload"], *[None] * 5))
            continue
        rows.append(
            (
                row["machine"],
                row["workload"],
                Shown(row["latency_s"], si(row["latency_s"], "s")),
                Shown(row["energy_j"], si(row["energy_j"], "J")),
                row["images_per_s"],
                *_ratios(row),
            )
        )
    return TableView(f"Every machine on every network, against {comparison.baseline}", head, rows)


def means_table(comparison: Comparison) -> TableView:
    """Geometric means."""
    head = ("machine", "networks", "speed-up", "energy ratio", "draws that are faster")
    drawn = comparison.uncertainty.means if comparison.uncertainty else {}
    rows: list[tuple[Cell, ...]] = []
    for row in comparison.means():
        found = drawn.get(row["machine"])
        wins = Shown(found.speedup.wins, f"{found.speedup.wins:.0%}") if found else None
        rows.append((row["machine"], row["workloads"], *_ratios(row), wins))
    return TableView(f"Geometric means over {comparison.baseline}", head, rows)


def _ratios(row: Mapping[str, Any]) -> tuple[Cell, Cell]:
    speedup, energy = (
        None
        if row[name] is None
        else Shown(row[name], times_between(row[name], row[f"{name}_low"], row[f"{name}_high"]))
        for name in ("speedup", "energy_ratio")
    )
    return speedup, energy


def where_table(results: Sequence[Outcome]) -> TableView:
    """Largest bound of the time and largest component of the energy of every result."""
    head = (
        "machine",
        "network",
        "bound most by",
        "share of the time",
        "spends most in",
        "share of the energy",
    )
    rows: list[tuple[Cell, ...]] = []
    for result in results:
        bound, time = next(iter(shares_of(result).items()), ("nothing", 0.0))
        part, joules = next(iter(result.energy_by_component_j.items()), ("nothing", 0.0))
        share = joules / result.energy_j if result.energy_j else 0.0
        rows.append(
            (
                result.machine,
                result.workload.name,
                bound,
                Shown(time, f"{time:.0%}"),
                part,
                Shown(share, f"{share:.0%}"),
            )
        )
    return TableView("Largest bound and largest component", head, rows)


def layer_table(results: Sequence[Outcome]) -> TableView:
    """Layers of one network: what they are, then time, energy, utilisation and bound on every machine."""
    first = results[0]
    time, second = _unit([result.layers for result in results], "latency_s")
    energy, joule = _unit([result.layers for result in results], "energy_j")
    head = ["layer", "op", "shape", "MACs"]
    several = len(results) > 1
    for result in results:
        of = f"{result.machine}: " if several else ""
        head += [f"{of}time [{second}s]", f"{of}energy [{joule}J]", f"{of}util. [%]", f"{of}bound"]
    rows = []
    for index, layer in enumerate(first.layers):
        row: list[Cell] = [layer["name"], layer["op"], layer["shape"], layer["macs"]]
        for result in results:
            own = result.layers[index]
            share = float(f"{100 * own['utilization']:.3g}") if own["macs"] else None
            row += [own["latency_s"] * time, own["energy_j"] * energy, share, _bound(own)]
        rows.append(tuple(row))
    title = f"{first.workload.name}, {len(rows)} layers"
    if not several:
        title += f" on {first.machine} ({si(first.latency_s, 's')}, {si(first.energy_j, 'J')})"
    # Several machines side by side are wider than a page of text, and most of its length.
    shown = f"The HTML page shows {len(rows)} layers; layers.csv (`--format csv`) holds every column of them."
    groups = tuple(range(4, len(head), 4))
    return TableView(title, tuple(head), rows, folded=True, groups=groups, elsewhere=shown if several else "")


def _bound(layer: Mapping[str, Any]) -> str:
    """What bounds the layer, and the choice that was made for it, if the machine has one."""
    chosen = [str(layer[name]) for name in CHOICES if layer.get(name)]
    return f"{layer['bound']} ({', '.join(chosen)})" if chosen else str(layer["bound"])


def _unit(tables: Sequence[Sequence[Mapping[str, Any]]], column: str) -> tuple[float, str]:
    """One unit for all machines: the largest layer of the quickest one is at least one of it."""
    least = min(max(row[column] for row in rows) for rows in tables)
    return next(((s, p) for s, p in UNITS if least * s >= 1), UNITS[-1]) if least else UNITS[0]


def coverage_table(results: Sequence[Outcome]) -> TableView:
    """What of every network is modelled."""
    seen: dict[str, tuple[Cell, ...]] = {}
    for result in results:
        report = result.workload.coverage
        seen[result.workload.name] = (
            result.workload.name,
            len(result.workload),
            result.workload.macs,
            Shown(report.macs_share, f"{report.macs_share:.2%}"),
            Shown(report.bytes_share, f"{report.bytes_share:.2%}"),
            ", ".join(report.unknown) or "none",
        )
    head = ("network", "layers", "MACs", "MACs modelled", "bytes modelled", "not modelled")
    return TableView("What of every network is modelled", head, list(seen.values()))


def parameter_table(machine: MachineView) -> TableView:
    """Every effective parameter of a machine, its evidence, its source and who set it."""
    head = ("parameter", "value", "unit", "evidence", "source", "range", "set by", "note")
    rows: list[tuple[Cell, ...]] = [
        (
            p.path,
            p.value,
            p.unit,
            p.kind,
            p.source,
            f"{p.range[0]:g} to {p.range[1]:g}" if p.range else "",
            p.set_by,
            p.note,
        )
        for p in machine.parameters
    ]
    title = f"{machine.name} ({machine.kind})" + (f": {machine.description}" if machine.description else "")
    return TableView(title, head, rows, folded=True)


def validation_table(machines: Sequence[MachineView]) -> TableView | None:
    """Errors of the models of these kinds of machine; None where none was measured."""
    rows = read_validation({machine.kind for machine in machines})
    return TableView("Errors of the models", VALIDATION_HEAD, rows) if rows else None


def not_validated(machines: Sequence[MachineView]) -> str:
    """Which kinds have no row in that table, in words; empty if all have."""
    kinds = dict.fromkeys(machine.kind for machine in machines)
    missing = [kind for kind in kinds if not read_validation({kind})]
    return f"Not held against measurements of layers or networks: {', '.join(missing)}." if missing else ""


def manifest_text(results: Sequence[Outcome], uncertainty: Uncertainty | None = None) -> str:
    """Manifests as JSON, with the draws behind the intervals if there are any."""
    named: dict[str, Any] = {f"{r.machine} / {r.workload.name}": dict(r.manifest) for r in results}
    if uncertainty is not None:
        named = {"uncertainty": uncertainty.to_json(), **named}
    return json.dumps(named if len(named) > 1 else next(iter(named.values()), {}), indent=1)


def totals_table(result: Outcome) -> TableView:
    """Whole-network figures of one result."""
    totals = result.totals()
    units = {
        "macs": "MAC",
        "params": "",
        "batch": "image",
        "latency_s": "s",
        "energy_j": "J",
        "edp_js": "J s",
        "macs_per_s": "MAC/s",
        "macs_per_j": "MAC/J",
        "images_per_s": "1/s",
        "average_power_w": "W",
    }
    rows: list[tuple[Cell, ...]] = [(heading(name, units[name]), totals[name]) for name in units]
    return TableView("Totals", ("quantity", "value"), rows, sortable=False)


def column_meanings(results: Sequence[Outcome]) -> TableView:
    """What the columns of layers.csv mean."""
    names = dict.fromkeys(name for result in results for name in result.layers[0])
    rows: list[tuple[Cell, ...]] = [
        (name, COLUMNS[name].unit or "text", COLUMNS[name].meaning) for name in names
    ]
    return TableView("Columns of layers.csv", ("column", "unit", "meaning"), rows, folded=True)
