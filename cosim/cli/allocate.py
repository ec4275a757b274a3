"""``cosim allocate``: machines, memories and bit widths layer by layer, as integer programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cosim.cli.quantity import quantity

if TYPE_CHECKING:
    from cosim.explore.allocate_network import Placed

GAP_SHOWN = 1e-8

_OBJECTIVE = click.option(
    "--objective",
    default="latency",
    show_default=True,
    type=click.Choice(("latency", "energy")),
    help="What is minimised.",
)
_SHARE = click.option(
    "--limit",
    "share",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="Bound the other one of latency and energy: 0 is its least, 1 its most demanding choice.",
)
_BATCH = click.option(
    "--batch", default=1, show_default=True, type=click.IntRange(min=1), help="Images at once."
)
_CSV = click.option(
    "--csv", "csv_path", metavar="FILE", type=click.Path(path_type=Path), help="Write the layers as CSV."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")


@click.group("allocate")
def command() -> None:
    """Choices for each layer of a network, with the proven gap to the optimum.

    \b
    cosim allocate placement resnet50 gpu_rtx3090 optical4f --link "16 GB/s"
    cosim allocate memory resnet50 systolic_sram systolic_mlc_sttram --objective energy
    cosim allocate bits layers.csv --network resnet18 --limit latency=0.5
    """


@command.command("placement")
@click.argument("workload")
@click.argument("archs", nargs=-1, required=True)
@click.option("--link", required=True, metavar="RATE", help='Rate between the machines, e.g. "16 GB/s".')
@click.option("--link-latency", default="0 s", show_default=True, metavar="TIME", help="To start a transfer.")
@click.option(
    "--link-energy", default="0 pJ/bit", show_default=True, metavar="ENERGY", help="Of a transferred bit."
)
@_OBJECTIVE
@_SHARE
@_BATCH
@_CSV
@_JSON
def placement(
    workload: str,
    archs: tuple[str, ...],
    link: str,
    link_latency: str,
    link_energy: str,
    objective: str,
    share: float | None,
    batch: int,
    csv_path: Path | None,
    as_json: bool,
) -> None:
    """Which of ARCHS runs which layer of WORKLOAD; the first one holds the input and takes the output."""
    from cosim.engine import load_arch, load_workload
    from cosim.explore.allocate_network import Link, place

    joined = Link(
        quantity(link, "bytes_per_s", "--link"),
        quantity(link_latency, "s", "--link-latency"),
        quantity(link_energy, "pj_per_bit", "--link-energy"),
    )
    if joined.bytes_per_s <= 0:
        raise click.BadParameter(f"--link: found {link}, allowed a rate above 0")
    _different(archs)
    network = load_workload(workload).with_batch(batch)
    found = place(network, [load_arch(arch) for arch in archs], joined, objective, share)
    _finish(f"{network.name}, batch {network.batch}", found, csv_path, as_json)


@command.command("memory")
@click.argument("workload")
@click.argument("archs", nargs=-1, required=True)
@_OBJECTIVE
@_SHARE
@_BATCH
@_CSV
@_JSON
def memory(
    workload: str,
    archs: tuple[str, ...],
    objective: str,
    share: float | None,
    batch: int,
    csv_path: Path | None,
    as_json: bool,
) -> None:
    """Which memory each layer's data passes through; ARCHS are one machine with another memory in each."""
    from cosim.engine import load_arch, load_workload
    from cosim.explore.allocate_network import through_memories

    _different(archs)
    network = load_workload(workload).with_batch(batch)
    found = through_memories(network, [load_arch(arch) for arch in archs], objective, share)
    _finish(f"{network.name}, batch {network.batch}", found, csv_path, as_json)


@command.command("bits")
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--network", required=True, help="Which network of the table.")
@click.option(
    "--limit",
    "limits",
    multiple=True,
    required=True,
    metavar="RESOURCE=SHARE",
    help="size, bops or latency, from 0 (narrowest) to 1 (widest); repeatable.",
)
@click.option("--tie", "ties", multiple=True, metavar="I,J", help="Layers with equal widths; repeatable.")
@_CSV
@_JSON
def bits(
    table: Path,
    network: str,
    limits: tuple[str, ...],
    ties: tuple[str, ...],
    csv_path: Path | None,
    as_json: bool,
) -> None:
    """Bit width of each layer of least error, from a table of errors and demands (columns as in HAWQ-V3)."""
    from cosim.explore.allocate_network import choose_bits, read_bit_table

    shares: dict[str, float] = {}
    for text in limits:
        name, _, share = text.partition("=")
        try:
            shares[name] = float(share)
        except ValueError:
            raise click.BadParameter(f"--limit: found {text!r}, allowed e.g. latency=0.5") from None
    pairs = []
    for text in ties:
        first, _, second = text.partition(",")
        if not (first.isdecimal() and second.isdecimal()):
            raise click.BadParameter(f"--tie: found {text!r}, allowed two layer numbers, e.g. 4,6")
        pairs.append((int(first), int(second)))
    _finish(network, choose_bits(read_bit_table(table, network), shares, pairs), csv_path, as_json)


def _different(archs: tuple[str, ...]) -> None:
    if len(set(archs)) != len(archs) or len(archs) < 2:
        raise click.BadParameter(f"found {', '.join(archs)}, allowed two or more different machines")


def _finish(title: str, found: Placed, csv_path: Path | None, as_json: bool) -> None:
    if csv_path is not None:
        from cosim.results.files import to_csv, write_atomic

        rows = found.rows()
        write_atomic(csv_path, to_csv(rows, list(rows[0])))
        click.echo(f"wrote {csv_path}", err=True)
    if as_json:
        click.echo(json.dumps(found.to_json(), allow_nan=False))
        return
    from rich.table import Table

    from cosim.cli import render

    console = render.console()

    def text(value: float | None) -> str:
        if value is None:
            return "does not fit"
        return render.si(value, found.unit) if found.unit else f"{value:.5g}"

    solved = found.allocation
    moved = f", of it transfers {text(solved.transfer_cost)}" if solved.transfer_cost else ""
    # Below the solver's own tolerance a gap is rounding.
    gap = "proven optimal" if solved.gap < GAP_SHOWN else f"at most {solved.gap:.1e} above the optimum"
    console.print(f"{title}: {found.objective} {text(solved.objective)}{moved}; {gap}")
    table = Table(box=None, pad_edge=False)
    for head in ("option", "layers", found.objective, "alone"):
        table.add_column(head, justify="left" if head == "option" else "right")
    for name, (count, cost) in found.shares().items():
        table.add_row(name, str(count), text(cost), text(found.alone[name]))
    console.print(table)
    for name, (used, bound) in solved.uses.items():
        console.print(f"{name}: {used / bound:.1%} of its limit")
    for line in _runs(found):
        console.print(line)


def _runs(found: Placed) -> list[str]:
    """Consecutive layers with the same option, a line each."""
    runs: list[list[Any]] = []
    for name, option in zip(found.names, found.allocation.chosen, strict=True):
        if runs and runs[-1][2] == option:
            runs[-1][1] = name
            runs[-1][3] += 1
        else:
            runs.append([name, name, option, 1])
    lines = []
    for first, last, option, count in runs:
        span = first if count == 1 else f"{first} .. {last} ({count})"
        lines.append(f"  {found.options[option]}: {span}")
    return lines
