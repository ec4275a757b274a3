"""``cosim map``: the best mapping of every layer on a storage hierarchy, with a certificate."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cosim.cli.progress import Progress, interrupted

if TYPE_CHECKING:
    from cosim.mapping.mapper import Objective
    from cosim.mapping.mapper_workload import Job, LayerMap
    from cosim.mapping.nest_arch import NestMachine, RuleBook


@click.command("map")
@click.argument("arch")
@click.argument("workload")
@click.option(
    "--layer", "pattern", metavar="NAME", default="*", help="Only layers of this name (shell wildcards)."
)
@click.option(
    "--objective", type=click.Choice(["energy", "latency", "edp", "pareto"]), default="energy", show_default=True,
    help="What is least; pareto: all mappings that none beats in energy and cycles.",
)  # fmt: skip
@click.option(
    "--constraints", metavar="FILE", type=click.Path(path_type=Path), help="Rules (kind: nest_rules)."
)
@click.option(
    "--budget-s",
    type=click.FloatRange(min=0, min_open=True),
    help="Wall time; the best so far and its gap after that.",
)
@click.option("--batch", default=1, show_default=True, type=click.IntRange(min=1), help="Images at once.")
@click.option(
    "--state", metavar="FILE", type=click.Path(path_type=Path), help="Keep what is found, and go on from it."
)
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path), help="Write the mappings (kind: nest_mapping)."
)
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
def command(
    arch: str, workload: str, pattern: str, objective: Objective, constraints: Path | None, budget_s: float | None,
    batch: int, state: Path | None, out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Map WORKLOAD on the storage hierarchy ARCH (kind: nest, such as arch/nests/eyeriss.yaml).

    Over all divisors of the layer's dimensions, all loop orders, all spatial choices and all bypasses that the rules
    leave, the result is proven to be the best, or the gap says how much could be saved at most.

    \b
    cosim map arch/nests/eyeriss.yaml resnet50 --layer 'layer1.0.*'
    cosim map eyeriss vit --objective edp --out mappings/vit_eyeriss.yaml
    """
    from cosim.mapping.mapper_workload import space_hash

    machine, book = _inputs(arch, constraints)
    work = _jobs(machine, book, workload, pattern, batch)
    begun = time.process_time()
    tag = space_hash(machine, book, objective)
    maps = _search(work, machine, objective, budget_s, state, tag, workload, quiet=as_json)
    cpu_s = time.process_time() - begun
    if out is not None:
        from cosim.mapping.mapper_workload import document
        from cosim.mapping.nest_file import mapping_text, write_atomically

        name = Path(workload).stem
        doc = document(out.stem, machine.arch.name, name, objective, maps)
        write_atomically(out, mapping_text(doc, machine.arch))
        click.echo(f"wrote {out}", err=True)
    if as_json:
        click.echo(json.dumps(_document(maps, machine, workload, objective, cpu_s), allow_nan=False))
    else:
        _show(maps, machine, objective, cpu_s)


def _inputs(arch: str, constraints: Path | None) -> tuple[NestMachine, RuleBook]:
    from cosim.mapping.nest_arch import NO_RULES, RuleBook, load_nest, load_rules
    from cosim.spec.locate import find_document

    machine = load_nest(find_document(arch, "arch/nests"))
    book = RuleBook(NO_RULES) if constraints is None else load_rules(constraints, machine.arch)
    return machine, book


def _jobs(machine: NestMachine, book: RuleBook, workload: str, pattern: str, batch: int) -> list[Job]:
    from fnmatch import fnmatchcase

    from cosim.engine import load_workload
    from cosim.mapping.mapper_workload import jobs

    everything = load_workload(workload).layers
    layers = [layer.with_batch(batch) for layer in everything if fnmatchcase(layer.name, pattern)]
    work = jobs(layers, machine, book)
    if not work:
        from difflib import get_close_matches

        names = [layer.name for layer in everything if layer.is_mac]
        close = get_close_matches(pattern, names, n=1)
        raise click.BadParameter(
            f"--layer: {pattern!r} matches no layer with multiply-accumulates"
            + (f"; nearest: {close[0]!r}" if close else "")
        )
    return work


def _search(
    work: list[Job], machine: NestMachine, objective: Objective, budget_s: float | None, state: Path | None, tag: str,
    workload: str, quiet: bool,
) -> list[LayerMap]:  # fmt: skip
    """All jobs; what is done is in the state when the user interrupts."""
    from cosim.mapping.mapper_workload import known_layers, map_jobs, write_state

    maps: list[LayerMap] = []
    known = known_layers(state, machine, tag)
    with Progress("shapes", quiet=quiet) as bar:

        def progress(layer: str, number: int, count: int, share: float, left: float | None) -> None:
            bar.update(number + share, count, f" ({layer})")

        try:
            for one in map_jobs(work, machine, objective, budget_s=budget_s, known=known, progress=progress):
                maps.append(one)
                if state is not None:
                    write_state(state, tag, machine, Path(workload).stem, objective, maps)
        except KeyboardInterrupt:
            kept = f"finished shapes are kept in {state}" if state else "nothing is kept without --state FILE"
            interrupted(f"{len(maps)} of {len(work)} shapes done; {kept}")
    return maps


def _document(
    maps: list[LayerMap], machine: NestMachine, workload: str, objective: str, cpu_s: float
) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for one in maps:
        counts = one.best.counts
        rows.append(
            {
                "layers": list(one.job.layers), "macs": one.job.problem.macs, "energy_j": counts.energy_pj * 1e-12,
                "cycles": counts.cycles, "latency_s": counts.cycles / machine.clock_hz,
                "utilization": counts.utilization, "bound": one.bound, "certificate": one.certificate,
                "labels": one.result.labels if one.result else 0, "cpu_s": one.result.cpu_s if one.result else 0.0,
                "mapping": _levels(one, machine),
                "front": [
                    {"energy_j": c.counts.energy_pj * 1e-12, "cycles": c.counts.cycles}
                    for c in (one.result.front if one.result else (one.best,))
                ],
            }
        )  # fmt: skip
    energy = sum(row["energy_j"] * len(row["layers"]) for row in rows)
    cycles = sum(row["cycles"] * len(row["layers"]) for row in rows)
    return {
        "schema": 1,
        "arch": machine.arch.name,
        "workload": Path(workload).stem,
        "objective": objective,
        "totals": {
            "energy_j": energy, "cycles": cycles, "latency_s": cycles / machine.clock_hz, "cpu_s": cpu_s,
            "optimal": sum(one.certificate == "optimal" for one in maps), "shapes": len(maps),
        },
        "layers": rows,
    }  # fmt: skip


def _levels(one: LayerMap, machine: NestMachine) -> dict[str, Any]:
    return {
        spec.name: {
            "keep": sorted(part.keep),
            "loops": [{"dim": loop.dim, "bound": loop.bound, "kind": loop.kind} for loop in part.loops],
        }
        for spec, part in zip(machine.arch.levels, one.best.mapping.levels, strict=True)
    }


def _show(maps: list[LayerMap], machine: NestMachine, objective: str, cpu_s: float) -> None:
    """For people: the mapping of every shape, its cost, its certificate."""
    for one in maps:
        counts, problem = one.best.counts, one.job.problem
        also = f" (and {len(one.job.layers) - 1} of the same shape)" if len(one.job.layers) > 1 else ""
        sizes = " ".join(f"{dim}{size}" for dim, size in problem.dims.items() if size > 1)
        click.echo(f"{one.job.layers[0]}{also}  {sizes}")
        for spec, part in zip(machine.arch.levels, one.best.mapping.levels, strict=True):
            words = [
                f"{p.dim} {p.bound}{'' if p.kind == 'temporal' else ' ' + p.kind[-1]}" for p in part.loops
            ]
            click.echo(
                f"  {spec.name:12s} {', '.join(words) or '-':50s} keeps {', '.join(sorted(part.keep)) or '-'}"
            )
        click.echo(
            f"  {counts.energy_pj * 1e-6:,.4g} uJ, {counts.cycles:,} cycles,"
            f" utilization {counts.utilization:.1%}: {one.certificate}"
        )
        if one.result is not None and len(one.result.front) > 1:
            for c in one.result.front:
                click.echo(f"    {c.counts.energy_pj * 1e-6:,.6g} uJ at {c.counts.cycles:,} cycles")
    energy = sum(one.best.counts.energy_pj * len(one.job.layers) for one in maps)
    cycles = sum(one.best.counts.cycles * len(one.job.layers) for one in maps)
    proven = sum(one.certificate == "optimal" for one in maps)
    click.echo(
        f"{objective} on {machine.arch.name}: {energy * 1e-9:,.4g} mJ,"
        f" {cycles / machine.clock_hz * 1e3:,.4g} ms in all;"
        f" {proven} of {len(maps)} shapes proven optimal; {cpu_s:.1f} s of CPU"
    )
