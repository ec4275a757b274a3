"""``cosim list``: what there is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

import click

# Values that are lists are in the JSON only.
Rows = Sequence[Mapping[str, str | list[str]]]


def _archs() -> Rows:
    from cosim.spec.locate import shipped
    from cosim.spec.strict_yaml import load

    rows = []
    for name, path in shipped("arch").items():
        document = load(path)
        if document.get("kind") == "sweep":
            continue
        rows.append(
            {
                "name": name,
                "kind": str(document.get("kind")),
                "description": " ".join(str(document.get("description") or "").split()),
            }
        )
    return rows


def _workloads() -> Rows:
    from cosim.ir.workload_file import load_workload
    from cosim.spec.locate import shipped

    rows = []
    for name, path in shipped("workloads").items():
        network = load_workload(path)
        rows.append(
            {
                "name": name,
                "layers": str(len(network)),
                "macs": f"{network.macs:,}",
                "params": f"{network.params:,}",
                "origin": str(network.origin.get("model", "")),
            }
        )
    return rows


def _kinds() -> Rows:
    from cosim.hardware.base import kinds, model_of

    models = (model_of(kind) for kind in kinds())
    return [
        {
            "kind": model.kind,
            "summary": model.summary,
            "cycle": model.cycle,
            "holds": list(model.holds),
            "leaves_out": list(model.leaves_out),
        }
        for model in models
    ]


def _columns() -> Rows:
    from cosim.ir.columns import COLUMNS

    return [{"column": c.name, "unit": c.unit or "-", "meaning": c.meaning} for c in COLUMNS.values()]


def _ops() -> Rows:
    from cosim.ir.ops import OPS

    return [
        {
            "op": op.name,
            "class": op.op_class.name.lower(),
            "simple_ops": f"{op.simple_ops:g}",
            "special_ops": f"{op.special_ops:g}",
            "counted_per": "input element" if op.per_input else "output element",
        }
        for op in OPS.values()
    ]


def _sources() -> Rows:
    from cosim.spec.locate import ROOT
    from cosim.spec.sources import load_sources

    entries = load_sources(ROOT / "arch" / "sources.yaml")
    return [{"key": s.key, "source": str(s)} for s in entries.values()]


def _validation() -> Rows:
    """Errors of the models against reference data, as measured when the registry was written."""
    from cosim.spec.locate import ROOT

    path = ROOT / "reports" / "validation.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    return [
        {
            "kind": str(row["machine_kind"]),
            "against": str(row["against"]),
            "class": str(row["class"]),
            "cases": str(row["cases"]),
            "exact": str(row["exact"]),
            "MAPE": f"{row['mape_pct']:.1f} %",
            "Spearman": f"{row['spearman']:.3f}",
        }
        for row in document["rows"]
    ]


def _dram() -> Rows:
    """Documents of DRAM devices: the speeds and organisations that make a device."""
    from cosim.components.dram_timing import documents

    rows = []
    for name, document in documents().items():
        own = any(speed.organisation is not None for speed in document.speeds.values())
        rows.append(
            {
                "document": name,
                "controller": document.controller.replace("_", " "),
                "speeds": ", ".join(document.speeds),
                "organisations": "named by the speed" if own else ", ".join(document.organisations),
            }
        )
    return rows


TOPICS: dict[str, Callable[[], Rows]] = {
    "archs": _archs,
    "workloads": _workloads,
    "kinds": _kinds,
    "columns": _columns,
    "ops": _ops,
    "sources": _sources,
    "validation": _validation,
    "dram": _dram,
}


@click.command("list")
@click.argument("topic", type=click.Choice(list(TOPICS)))
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
def command(topic: str, as_json: bool) -> None:
    """List machines, workloads, kinds, columns, operators, sources, DRAM devices, or the errors of the models."""
    rows = TOPICS[topic]()
    if as_json:
        click.echo(json.dumps({"schema": 1, topic: rows}))
        return
    from rich.table import Table

    from cosim.cli import render

    table = Table(box=None, pad_edge=False)
    shown = [{name: text for name, text in row.items() if isinstance(text, str)} for row in rows]
    for name in shown[0] if shown else ["nothing found"]:
        table.add_column(
            name,
            justify="right"
            if name in ("layers", "macs", "params", "cases", "exact", "MAPE", "Spearman")
            else "left",
        )
    for row in shown:
        table.add_row(*row.values())
    render.console().print(table)
