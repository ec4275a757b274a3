"""``cosim accuracy``: a trained network under the errors of a machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from cosim.hardware.load import Machine
    from cosim.noise.accuracy import Campaign, Runner

RATES = "1e-6,1e-5,1e-4,3e-4,1e-3,3e-3,1e-2,3e-2"
STORAGE_OF_BITS = {32: "fp32", 16: "fp16", 8: "int8", 4: "int4_per_channel"}


def parse_rates(text: str) -> tuple[float, ...]:
    """Numbers separated by commas, in increasing order."""
    try:
        return tuple(sorted({float(part) for part in text.split(",") if part.strip()}))
    except ValueError:
        raise click.BadParameter(f"--rates: found {text!r}, allowed numbers such as {RATES}") from None


@click.command("accuracy")
@click.argument("arch")
@click.argument("model")
@click.option(
    "--level", help="Memory that holds the tensors, by path (default: the machine's weight memory)."
)
@click.option("--memory", help="Technology record to hold them instead (name or path).")
@click.option(
    "--protection",
    "-p",
    "protections",
    multiple=True,
    help="NAME[:GROUP][+range][+soft][+secded] (repeatable; default: none, and the machine's own).",
)
@click.option(
    "--errors",
    help="pattern, uniform, soft_hard, one_to_zero, stuck, retention (rates are seconds), technology.",
)
@click.option("--rates", default=RATES, show_default=True, help="Error rates, separated by commas.")
@click.option(
    "--trials", default=30, show_default=True, type=click.IntRange(min=1), help="Paired trials a rate."
)
@click.option("--seed", default=0, show_default=True, help="Seed of the first trial.")
@click.option(
    "--tensors", default="weights", show_default=True, type=click.Choice(["weights", "activations", "both"])
)
@click.option("--storage", help="Format or quantiser of the weights (default: the machine's width).")
@click.option(
    "--activation-storage", default="fp16", show_default=True, help="Format or quantiser of layer inputs."
)
@click.option(
    "--persistence", default="persistent", show_default=True, type=click.Choice(["persistent", "transient"])
)
@click.option("--images", type=click.IntRange(min=1), help="Test images (default: all).")
@click.option("--images-per-access", default=50, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--out", metavar="DIR", type=click.Path(path_type=Path), help="Keep trials here; run again to go on."
)
@click.option(
    "--plot",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Accuracy against rate (.svg, .png, .pdf).",
)
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
def command(
    arch: str,
    model: str,
    level: str | None,
    memory: str | None,
    protections: tuple[str, ...],
    errors: str | None,
    rates: str,
    out: Path | None,
    plot: Path | None,
    as_json: bool,
    **choices: Any,
) -> None:
    """Accuracy of MODEL (mlp, cnn, vit, convsharevit, or module:function) with its tensors in a memory of ARCH.

    \b
    cosim accuracy systolic_mlc_sttram cnn -p baseline -p sbp -p hybrid:16 --trials 10
    cosim accuracy gpu_a100 vit --memory stt_ram_mlc_22 --errors technology
    """
    from cosim.engine import load_arch
    from cosim.noise.networks import trained_network

    if plot is not None and plot.suffix not in (".svg", ".png", ".pdf"):
        raise click.BadParameter(f"--plot: found the ending {plot.suffix!r}, allowed .svg, .png, .pdf")
    machine = load_arch(arch)
    if machine.kind == "optical4f" and level is None and memory is None and errors is None:
        from cosim.cli.accuracy_optical import show_optical

        show_optical(machine, model, choices["trials"], choices["images"], as_json)
        return
    campaign, about = campaign_for(machine, level, memory, protections, errors, parse_rates(rates), choices)
    from cosim.noise.accuracy import Runner

    runner = Runner(trained_network(model), campaign)
    results = run(runner, out, as_json, {**about, "model": model})
    document = to_document(runner, results, {**about, "model": model})
    written = write(document, out, plot)
    if as_json:
        click.echo(json.dumps(document, allow_nan=False))
    else:
        show(document)
    for path in written:
        click.echo(f"wrote {path}", err=True)


def campaign_for(
    machine: Machine,
    level: str | None,
    memory: str | None,
    protections: tuple[str, ...],
    errors: str | None,
    rates: tuple[float, ...],
    choices: dict[str, Any],
) -> tuple[Campaign, dict[str, Any]]:
    """The campaign that the machine and the options ask for, and what to say about it."""
    from cosim.components.technology import load_technology
    from cosim.noise.accuracy import Campaign
    from cosim.noise.placement import PlacementError, default_errors, level_of

    record = load_technology(memory) if memory else None
    if record is None:
        tensor = "activations" if choices["tensors"] == "activations" else "weights"
        place = level_of(machine.params, tensor, level)
        record, path, technology, own = place.record, place.path, place.technology, place.protection
    else:
        path, technology, own = memory or "", record.technology, "baseline"
    storage = choices.pop("storage")
    if storage is None:
        bits = int(float(machine.model.execution_bits(machine.params)["w_bits"]))
        if bits not in STORAGE_OF_BITS:
            raise PlacementError(f"machine {machine.name} computes with {bits} bits; name a --storage")
        storage = STORAGE_OF_BITS[bits]
    kind = errors or default_errors(technology)
    if kind == "technology" and record is not None:
        rates = (record.bit_error_rates()[1],)
    chosen = protections or tuple(dict.fromkeys(("baseline", own)))
    campaign = Campaign(chosen, kind, rates, storage=storage, record=record, **choices)
    about = {"machine": machine.name, "memory": path, "technology": technology}
    return campaign, about


def run(runner: Runner, out: Path | None, quiet: bool, about: dict[str, Any]) -> dict[Any, float]:
    """Run the trials with a progress bar, keeping each in ``out`` if there is one."""
    from cosim.cli.progress import Progress, interrupted
    from cosim.noise.trials_file import TrialFile

    with Progress("trials", quiet=quiet) as bar:
        if out is None:
            return runner.run({}, lambda key, accuracy, done, total: bar.update(done, total))
        with TrialFile(out / "trials.jsonl", runner.campaign.digest(runner.network), about) as kept:

            def keep(key: Any, accuracy: float, done: int, total: int) -> None:
                kept.add(key, accuracy)
                bar.update(done, total)

            try:
                return runner.run(kept.done, keep)
            except KeyboardInterrupt:
                interrupted(f"finished trials are kept in {out}")


def to_document(runner: Runner, results: dict[Any, float], about: dict[str, Any]) -> dict[str, Any]:
    """The JSON document of a campaign."""
    c = runner.campaign
    points = []
    for point in runner.points(results):
        points.append(
            {
                "protection": point.protection,
                "rate": point.rate,
                "stored": point.stored,
                **asdict(point.summary),
            }
        )
    rows = [asdict(row) for row in runner.rows()]
    for row in rows:
        row["sqnr_db"] = None if row["sqnr_db"] == float("inf") else row["sqnr_db"]
    return {
        "schema": 1,
        **about,
        "errors": c.errors,
        "tensors": c.tensors,
        "storage": c.storage,
        "persistence": c.persistence,
        "trials": c.trials,
        "seed": c.seed,
        "images": runner.last,
        "exact": runner.exact,
        "points": points,
        "layers": rows,
        "single_faults_needed": runner.trials_needed(),
    }


def write(document: dict[str, Any], out: Path | None, plot: Path | None) -> list[Path]:
    """accuracy.json and accuracy.csv in ``out``, the figure in ``plot``."""
    from cosim.report.accuracy_figure import accuracy_figure
    from cosim.report.style import save
    from cosim.results.files import to_csv, write_atomic

    written: list[Path] = []
    if out is not None:
        files: dict[str, Callable[[], str]] = {
            "accuracy.json": lambda: json.dumps(document, indent=1, allow_nan=False) + "\n",
            "accuracy.csv": lambda: to_csv(document["points"], list(document["points"][0])),
        }
        for name, text in files.items():
            write_atomic(out / name, text())
            written.append(out / name)
    if plot is not None:
        title = f"{document['model']} in {document['memory']} of {document['machine']}, {document['trials']} trials"
        axis = "age [s]" if document["errors"] == "retention" else f"error rate ({document['errors']})"
        save(accuracy_figure(document["points"], title, axis), plot)
        written.append(plot)
    return written


def show(document: dict[str, Any]) -> None:
    """The campaign for people."""
    from rich.table import Table

    from cosim.cli import render

    console = render.console()
    console.print(
        f"{document['model']}: {document['exact']:.2%} exact; {document['tensors']} as {document['storage']} in "
        f"{document['memory']} of {document['machine']} ({document['technology']}), {document['errors']} errors, "
        f"{document['persistence']}, {document['trials']} paired trials, {document['images']} images"
    )
    table = Table(box=None, pad_edge=False)
    age = document["errors"] == "retention"
    for name in (
        "protection",
        "age, s" if age else "rate",
        "mean",
        "95 % interval",
        "5 % quantile",
        "minimum",
    ):
        table.add_column(name, justify="left" if name == "protection" else "right")
    table.add_column("P(drop > 1 %)", justify="right")
    for p in document["points"]:
        table.add_row(
            p["protection"],
            f"{p['rate']:g}",
            f"{p['mean']:.2%}",
            f"{p['low']:.2%} .. {p['high']:.2%}",
            f"{p['quantile_5']:.2%}",
            f"{p['minimum']:.2%}",
            f"{p['loss_probability']:.2f} ({p['loss_low']:.2f} .. {p['loss_high']:.2f})",
        )
    console.print(table)
    first = document["points"][0]["protection"]
    layers = [row for row in document["layers"] if row["protection"] == first and row["sqnr_db"] is not None]
    if layers:
        parts = ", ".join(f"{row['tensor']} {row['sqnr_db']:.1f} dB" for row in layers)
        console.print(f"signal to quantisation noise: {parts}")
    needed = document["single_faults_needed"]
    text = ", ".join(f"{count:,} for a margin of {margin}" for margin, count in needed.items())
    console.print(f"single faults that stand for all of them (95 % confidence): {text}")
