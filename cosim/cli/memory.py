"""``cosim memory``: what an encoding saves in the weight memory of a machine, and buffers compared."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

TRAINED = "digits/"

if TYPE_CHECKING:
    from cosim.explore.buffers_content import ContentStudy
    from cosim.ir.workload import Workload


@click.command("memory")
@click.argument("arch", required=False)
@click.argument("workloads", nargs=-1)
@click.option("--list", "list_records", is_flag=True, help="The technology records that are there.")
@click.option("--level", help="Memory, by path (default: the machine's weight memory).")
@click.option(
    "--encoding",
    "-e",
    help="NAME[:GROUP][+range][+soft][+secded] (default: the machine's own, or hybrid:16).",
)
@click.option("--traffic", is_flag=True, help="Bits moved and wear of every memory of the machine.")
@click.option("--compare", is_flag=True, help="SRAM, SLC and MLC STT-RAM at equal capacity and equal area.")
@click.option(
    "--variant",
    "variants",
    multiple=True,
    metavar="RECORD[,PROTECTION]",
    help="Buffer to compare (repeatable).",
)
@click.option(
    "--model", default="cnn", show_default=True, help="Digits network whose accuracy is shown with --compare."
)
@click.option(
    "--trials", default=10, show_default=True, type=click.IntRange(min=1), help="Trials of --compare."
)
@click.option(
    "--write-model",
    default="content",
    show_default=True,
    type=click.Choice(["content", "transition"]),
    help="Writes cost by what is stored, or by what changes.",
)
@click.option(
    "--soft-over-hard", default=0.25, show_default=True, help="Energy of the soft pulse (transition model)."
)
@click.option("--seed", default=0, show_default=True, help="Seed of synthetic weights.")
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
@click.option(
    "--out", metavar="DIR", type=click.Path(path_type=Path), help="Write tables (CSV, JSON, Markdown)."
)
def command(
    arch: str | None,
    workloads: tuple[str, ...],
    list_records: bool,
    compare: bool,
    traffic: bool,
    as_json: bool,
    out: Path | None,
    **choices: Any,
) -> None:
    """Energy saved by an encoding in the memory that holds the weights of WORKLOADS on ARCH.

    A workload is a file or a shipped name, with seeded synthetic weights, or a trained network, whose own weights are
    counted: digits/mlp, digits/cnn, digits/vit, digits/convsharevit, or module:function.

    \b
    cosim memory systolic_mlc_sttram vgg16 -e hybrid
    cosim memory systolic_mlc_sttram vgg16 inception_v3 --compare --out out/buffers
    """
    if list_records:
        show_records(as_json)
        return
    if arch is None or not workloads:
        raise click.UsageError("ARCH and at least one WORKLOAD are needed (or --list)")
    if compare:
        run_comparison(arch, workloads, choices, as_json, out)
        return
    if traffic:
        show_traffic(arch, workloads, as_json)
        return
    documents = [study_document(arch, workload, choices) for workload in workloads]
    if out is not None:
        from cosim.results.files import to_csv, write_atomic

        out.mkdir(parents=True, exist_ok=True)
        for document in documents:
            path = out / f"{document['workload']}.csv"
            write_atomic(path, to_csv(document["layers"], list(document["layers"][0])))
            click.echo(f"wrote {path}", err=True)
    if as_json:
        click.echo(json.dumps({"schema": 1, "studies": documents}, allow_nan=False))
        return
    for document in documents:
        show_study(document)


def records() -> list[dict[str, Any]]:
    """The shipped technology records."""
    from cosim.components.technology import load_technology
    from cosim.spec.locate import shipped

    rows = []
    for name, path in shipped("arch/memories").items():
        spec = load_technology(path)
        sizes = [float(p.capacity_bytes) / 1024 for p in spec.points]
        rows.append(
            {
                "name": name,
                "technology": spec.technology,
                "node_nm": None if spec.node_nm is None else float(spec.node_nm),
                "scope": spec.scope,
                "bits_per_cell": int(spec.cell.bits_per_cell),
                "arrays_kib": sizes,
                "fields": spec.fields(),
                "description": spec.description,
            }
        )
    return rows


def show_records(as_json: bool) -> None:
    """Print the records."""
    rows = records()
    if as_json:
        click.echo(json.dumps({"schema": 1, "records": rows}))
        return
    from rich.table import Table

    from cosim.cli import render

    table = Table(box=None, pad_edge=False)
    for name in ("record", "technology", "node", "scope", "arrays", "description"):
        table.add_column(name)
    for row in rows:
        sizes = row["arrays_kib"]
        arrays = (
            f"{sizes[0]:g} .. {sizes[-1]:g} KiB" if len(sizes) > 1 else f"{sizes[0]:g} KiB" if sizes else "-"
        )
        node = "-" if row["node_nm"] is None else f"{row['node_nm']:g} nm"
        table.add_row(row["name"], row["technology"], node, row["scope"], arrays, row["description"])
    render.console().print(table)


def _network(name: str, seed: int) -> tuple[Workload, dict[str, Any], str]:
    """A workload, its weights, and where they come from."""
    from cosim.engine import load_workload
    from cosim.noise.placement_content import network_weights

    if name.startswith(TRAINED) or ":" in name:
        from cosim.noise.networks import trained_network
        from cosim.noise.networks_workload import trained_workload

        workload, trained = trained_workload(trained_network(name.removeprefix(TRAINED)))
        return workload, network_weights(workload.layers, trained), "trained"
    workload = load_workload(name)
    return workload, network_weights(workload.layers, None, seed), f"synthetic, seed {seed}"


def study_document(arch: str, name: str, choices: dict[str, Any]) -> dict[str, Any]:
    """The saving of one encoding on one workload as plain data."""
    from cosim.engine import load_arch
    from cosim.explore.buffers_content import HEADLINE, content_study
    from cosim.noise.formats import FP16
    from cosim.noise.patterns import TransitionCost
    from cosim.noise.placement import level_of, protection
    from cosim.noise.placement_content import overwrite_costs

    machine = load_arch(arch)
    level = level_of(machine.params, "weights", choices["level"])
    chosen = choices["encoding"] or (level.protection if level.encoding != "baseline" else "hybrid:16")
    network, weights, origin = _network(name, choices["seed"])
    study = content_study(machine, network, level.path, weights, FP16, protection(chosen))
    rows = _layer_rows(study)
    document: dict[str, Any] = {
        "machine": machine.name,
        "workload": network.name,
        "memory": level.path,
        "encoding": chosen,
        "weights": origin,
        "write_model": choices["write_model"],
        "saving": {
            "read": study.saving_read,
            "write": study.saving_write,
            "gross": study.gross,
            "net": study.net,
            "machine": 1.0 - study.machine_after_j / study.machine_before_j,
        },
        "headline": {**study.headline(), "published_read": HEADLINE[0], "published_write": HEADLINE[1]},
        "layers": rows,
    }
    if choices["write_model"] == "transition":
        cost = TransitionCost.from_pulses(choices["soft_over_hard"], 1.0)
        plain = overwrite_costs(weights, FP16, protection("baseline"), cost)
        coded = overwrite_costs(weights, FP16, protection(chosen), cost)
        for row in rows:
            row["transition_saving"] = 1.0 - coded[row["layer"]] / plain[row["layer"]]
        total = sum(row["weights"] * plain[row["layer"]] for row in rows)
        document["saving"]["write_transition"] = (
            1.0 - sum(row["weights"] * coded[row["layer"]] for row in rows) / total
        )
    return document


def _layer_rows(study: ContentStudy) -> list[dict[str, Any]]:
    return [
        {
            "layer": row.layer,
            "weights": row.weights,
            **{
                f"before_{p}": share
                for p, share in zip(("00", "01", "10", "11"), row.shares_before, strict=True)
            },
            **{
                f"after_{p}": share
                for p, share in zip(("00", "01", "10", "11"), row.shares_after, strict=True)
            },
            "hard_before": row.hard_before,
            "hard_after": row.hard_after,
            "read_j": row.read_j,
            "write_j": row.write_j,
            "encoded_read_j": row.encoded_read_j,
            "encoded_write_j": row.encoded_write_j,
            "metadata_j": row.metadata_j,
            "gross": row.gross,
            "net": row.net,
        }
        for row in study.layers
    ]


def show_study(document: dict[str, Any]) -> None:
    """One study for people."""
    from rich.table import Table

    from cosim.cli import render

    console = render.console()
    title = f"{document['encoding']} in {document['memory']} of {document['machine']}, {document['workload']}"
    table = Table(
        title=f"{title} ({document['weights']} weights)", title_justify="left", box=None, pad_edge=False
    )
    by_change = "write_transition" in document["saving"]
    columns = ["weights", "00/01/10/11 before", "after", "hard", "after", "energy", "gross", "net"]
    table.add_column("layer", overflow="fold", max_width=40)
    for name in columns + (["by change"] if by_change else []):
        table.add_column(name, justify="right")
    for row in document["layers"]:
        shares = [
            "/".join(f"{row[f'{when}_{p}']:.2f}"[1:] for p in ("00", "01", "10", "11"))
            for when in ("before", "after")
        ]
        cells = [
            row["layer"],
            f"{row['weights']:,}",
            *shares,
            f"{row['hard_before']:.3f}",
            f"{row['hard_after']:.3f}",
        ]
        cells += [render.si(row["read_j"] + row["write_j"], "J"), f"{row['gross']:.1%}", f"{row['net']:.1%}"]
        table.add_row(*cells, *([f"{row['transition_saving']:.1%}"] if by_change else []))
    console.print(table)
    s, h = document["saving"], document["headline"]
    console.print(
        f"saved: reads {s['read']:.1%}, writes {s['write']:.1%}, accesses {s['gross']:.1%} gross and {s['net']:.1%} "
        f"net of metadata, {s['machine']:.2%} of the machine's energy"
        + (f"; writes by change of content {s['write_transition']:.1%}" if by_change else "")
    )
    ratios = [f"{h[k]:.3g}" if h[k] is not None else "no" for k in ("delta_read", "delta_write")]
    console.print(
        f"the abstract's {h['published_read']:.0%} on reads and {h['published_write']:.0%} on writes need cost ratios "
        f"of {ratios[0]} and {ratios[1]} with this encoding on these weights (hard cells {h['hard_before']:.3f} -> "
        f"{h['hard_after']:.3f}); the ratios of profile jasemi20-fit, 0.46 and 0.28, are calibrated to the abstract, "
        "not measured"
    )


def show_traffic(arch: str, workloads: tuple[str, ...], as_json: bool) -> None:
    """Traffic, wear, retention and upkeep of every memory of the machine."""
    from cosim.engine import load_arch, load_workload
    from cosim.explore.buffers_traffic import level_traffic

    machine = load_arch(arch)
    rows = [asdict(row) for name in workloads for row in level_traffic(machine, load_workload(name))]
    if as_json:
        click.echo(json.dumps({"schema": 1, "machine": machine.name, "rows": rows}, allow_nan=False))
        return
    from rich.table import Table

    from cosim.cli import render

    def figure(value: float | None) -> str:
        return "unknown" if value is None else f"{value:.3g}"

    table = Table(title=f"memories of {machine.name}", title_justify="left", box=None, pad_edge=False)
    for name in ("workload", "memory", "technology"):
        table.add_column(name)
    for name in ("read", "written", "capacity", "writes a cell", "lifetime, years", "upkeep, mW"):
        table.add_column(name, justify="right")
    for row in rows:
        capacity = "-" if row["capacity_bytes"] is None else render.si(row["capacity_bytes"], "B")
        cells = [row["workload"], row["memory"], row["technology"]]
        cells += [render.si(row["read_bytes"], "B"), render.si(row["written_bytes"], "B"), capacity]
        cells += [figure(row[k]) for k in ("rewrites_per_inference", "lifetime_years", "upkeep_mw")]
        table.add_row(*cells)
    render.console().print(table)


def run_comparison(
    arch: str, workloads: tuple[str, ...], choices: dict[str, Any], as_json: bool, out: Path | None
) -> None:
    """Compare buffers and print or write the report."""
    from cosim.cli.progress import Progress
    from cosim.engine import load_arch, load_workload
    from cosim.explore.buffers import VARIANTS, Variant, compare_buffers, row_dicts
    from cosim.noise.placement import level_of
    from cosim.report.buffer_report import markdown
    from cosim.results.files import to_csv, write_atomic

    machine = load_arch(arch)
    level = level_of(machine.params, "weights", choices["level"]).path
    variants = tuple(Variant(*text.split(",", 1)) for text in choices["variants"]) or VARIANTS
    with Progress("variants", quiet=as_json) as bar:
        rows = row_dicts(
            compare_buffers(
                machine, [load_workload(w) for w in workloads], level, variants, choices["model"], choices["trials"],
                choices["seed"], bar.update,
            )
        )  # fmt: skip
    text = markdown(rows, machine.name, level, choices["model"], choices["trials"])
    document = {
        "schema": 1,
        "machine": machine.name,
        "memory": level,
        "model": choices["model"],
        "rows": rows,
    }
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_atomic(out / "buffers.md", text)
        write_atomic(out / "buffers.csv", to_csv(rows, list(rows[0])))
        write_atomic(out / "buffers.json", json.dumps(document, indent=1, allow_nan=False) + "\n")
        for name in ("buffers.md", "buffers.csv", "buffers.json"):
            click.echo(f"wrote {out / name}", err=True)
    click.echo(json.dumps(document, allow_nan=False) if as_json else text, nl=as_json)
