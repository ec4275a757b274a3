"""``cosim trace``: the event simulation with everything it can do, and its timeline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cosim.cli.progress import Progress
from cosim.cli.quantity import quantity
from cosim.cli.run import parse_settings
from cosim.cli.simulate import (
    check_names,
    chosen_options,
    show_simulation,
    simulation_options,
    write_timelines,
)

if TYPE_CHECKING:
    from cosim.hardware.load import Machine
    from cosim.sim.build import Laid
    from cosim.sim.events import Job
    from cosim.sim.together import LinkTime


@click.command("trace")
@click.argument("arch")
@click.argument("workload")
@click.option(
    "--with",
    "others",
    multiple=True,
    metavar="ARCH",
    help="Place the network on this machine too (repeatable).",
)
@click.option(
    "--place",
    "rules",
    multiple=True,
    metavar="PATTERN=ARCH",
    help="Where layers go, the last rule that matches; without rules each goes where it is fastest.",
)
@click.option(
    "--beside",
    "besides",
    nargs=2,
    multiple=True,
    metavar="ARCH WORKLOAD",
    help="Another machine at work on its own network (repeatable).",
)
@click.option("--share", is_flag=True, help="All machines use the outer memory of ARCH.")
@click.option(
    "--link", metavar="RATE[,LATENCY]", help='What joins memories of their own, e.g. "16 GB/s,5 us".'
)
@click.option("--mapping", metavar="FILE", help="Mapping document for ARCH.")
@click.option(
    "--batch", default=1, show_default=True, type=click.IntRange(min=1), help="Images at once in every layer."
)
@click.option(
    "--set", "settings", multiple=True, metavar="PATH=VALUE", help="Change a parameter of ARCH (repeatable)."
)
@click.option(
    "--transform",
    "transforms",
    multiple=True,
    metavar="NAME[:VALUE]",
    help="Change the workload first (repeatable).",
)
@simulation_options
@click.option(
    "--out",
    "trace",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write a timeline for Perfetto (.json, .json.gz).",
)
@click.option(
    "--gantt",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Draw it (.svg, .png, .pdf), with its numbers as CSV.",
)
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
def command(**values: Any) -> None:
    """Simulate WORKLOAD on ARCH as events, alone or together with other machines.

    \b
    cosim trace optical4f vit --out vit.json.gz --gantt vit.svg
    cosim trace systolic_128 resnet50 --with cpu_zen4 --share --images 8 --in-flight 4
    cosim trace systolic_128 resnet50 --beside systolic_fpga resnet18 --share --arbitration round_robin
    """
    from cosim.sim.report import simulation

    trace, gantt, as_json = values.pop("trace"), values.pop("gantt"), values.pop("as_json")
    check_names(trace, gantt)
    options = chosen_options(values)
    jobs = _jobs(**values)
    with Progress("layers", quiet=as_json) as bar:
        found = simulation(jobs, options, bar.update)
    written = write_timelines(found, trace, gantt)
    if as_json:
        click.echo(json.dumps({"schema": 1, **found.to_json()}, allow_nan=False))
    else:
        show_simulation(found)
    for path in written:
        click.echo(f"wrote {path}", err=True)


def _jobs(
    arch: str, workload: str, others: Sequence[str], rules: Sequence[str], besides: Sequence[tuple[str, str]],
    share: bool, link: str | None, mapping: str | None, batch: int, settings: tuple[str, ...],
    transforms: tuple[str, ...], images: int, in_flight: int,
) -> list[Job]:  # fmt: skip
    """The programs to simulate."""
    from cosim.engine import lay_out, load_arch
    from cosim.sim.build import program_of
    from cosim.sim.events import Job
    from cosim.sim.together import programs_beside

    if others and besides:
        raise click.UsageError("--with and --beside: found both, allowed one of them")
    if rules and not others:
        raise click.UsageError("--place: found no second machine, allowed with --with ARCH")
    if (share or link) and not (others or besides):
        raise click.UsageError(
            f"--{'share' if share else 'link'}: found one machine, allowed with --with or --beside"
        )
    if link and besides:
        raise click.UsageError("--link: found --beside, whose networks exchange nothing; allowed with --with")
    if others:
        machines = [load_arch(arch, parse_settings(settings)), *(load_arch(other) for other in others)]
        return [
            Job(
                _placed(machines, workload, rules, share, link, mapping, batch, transforms), images, in_flight
            )
        ]
    laid = [
        lay_out(
            arch, workload, mapping, batch=batch, overrides=parse_settings(settings), transforms=transforms
        )
    ]
    if not besides:
        return [Job(program_of(laid[0]), images, in_flight)]
    laid += [lay_out(machine, network, batch=batch) for machine, network in besides]
    _different([one.machine.name for one in laid])
    return [Job(program, images, in_flight) for program in programs_beside(laid, share)]


def _placed(
    machines: Sequence[Machine], workload: str, rules: Sequence[str], share: bool, link: str | None,
    mapping: str | None, batch: int, transforms: tuple[str, ...],
) -> Any:  # fmt: skip
    """One program of a network on several machines."""
    from cosim.engine import load_workload
    from cosim.ir.transforms import apply_transforms
    from cosim.mapping.mapping_file import load_mapping
    from cosim.sim.build import lay
    from cosim.sim.together import placed_program

    _different([machine.name for machine in machines])
    if share == (link is not None):
        raise click.UsageError(
            "--with: found " + ("both" if share else "none") + " of --share and --link, allowed one"
        )
    network = apply_transforms(load_workload(workload), transforms).with_batch(batch)
    first = load_mapping(Path(mapping)) if mapping else None
    laid = [lay(machine, network, first if i == 0 else None) for i, machine in enumerate(machines)]
    joined = _link(link)
    chosen = _by_rules(laid, rules) if rules else _fastest(laid, joined)
    return placed_program(laid, chosen, share, joined)


def _link(text: str | None) -> LinkTime | None:
    from cosim.sim.together import LinkTime

    if text is None:
        return None
    rate, _, latency = text.partition(",")
    found = LinkTime(
        quantity(rate.strip(), "bytes_per_s", "--link"), quantity((latency or "0 s").strip(), "s", "--link")
    )
    if found.bytes_per_s <= 0 or found.latency_s < 0:
        raise click.BadParameter(
            f"--link: found {text!r}, allowed a rate above 0 and a latency of at least 0"
        )
    return found


def _by_rules(laid: Sequence[Laid], rules: Sequence[str]) -> list[int]:
    """Machine of every layer by the last rule that matches; the first machine where none does."""
    from cosim.spec.problems import nearest_hint

    names = [one.machine.name for one in laid]
    layers = [layer.name for layer in laid[0].network.layers]
    chosen = [0] * len(layers)
    for rule in rules:
        pattern, equals, machine = rule.rpartition("=")
        if not equals or machine not in names:
            raise click.BadParameter(
                f"--place: found {rule!r}, allowed PATTERN=ARCH with one of {', '.join(names)}"
            )
        matched = [i for i, layer in enumerate(layers) if fnmatchcase(layer, pattern)]
        if not matched:
            hint = nearest_hint(pattern, layers)
            raise click.BadParameter(f"--place: {pattern!r} matches no layer" + (f"; {hint}" if hint else ""))
        for index in matched:
            chosen[index] = names.index(machine)
    return chosen


def _fastest(laid: Sequence[Laid], link: LinkTime | None) -> list[int]:
    """The placement of least latency, transfers over the link included (``cosim allocate placement``)."""
    from cosim.explore.allocate_network import Link, place

    joined = Link(link.bytes_per_s, link.latency_s) if link else Link(float("inf"))
    found = place(laid[0].network, [one.machine for one in laid], joined)
    return [int(option) for option in found.allocation.chosen]


def _different(names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        raise click.UsageError(f"found the machines {', '.join(names)}, allowed machines of different names")
