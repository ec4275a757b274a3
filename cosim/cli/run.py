"""``cosim run``: one workload on one machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cosim.cli.progress import Progress
from cosim.cli.simulate import (
    check_names,
    chosen_options,
    refuse_unused,
    show_simulation,
    simulation_options,
    write_timelines,
)

if TYPE_CHECKING:
    from cosim.results.result import Result


def parse_settings(settings: tuple[str, ...]) -> dict[str, str]:
    """``path=value`` pairs as a mapping; a pair without ``=`` or set twice is a usage error."""
    chosen: dict[str, str] = {}
    for setting in settings:
        path, equals, value = setting.partition("=")
        if not equals or not path:
            raise click.BadParameter(f"found {setting!r}, allowed path=value, e.g. --set array.rows=64")
        if path in chosen:
            raise click.BadParameter(f"{path} is set twice: {chosen[path]!r} and {value!r}")
        chosen[path] = value
    return chosen


@click.command("run")
@click.argument("arch")
@click.argument("workload")
@click.option(
    "--mapping", metavar="FILE", help="Mapping document; without one every layer takes the machine's best."
)
@click.option("--batch", default=1, show_default=True, type=click.IntRange(min=1), help="Images at once.")
@click.option("--baseline", metavar="ARCH", help="Machine to compare with.")
@click.option(
    "--set", "settings", multiple=True, metavar="PATH=VALUE", help="Change a machine parameter (repeatable)."
)
@click.option(
    "--transform",
    "transforms",
    multiple=True,
    metavar="NAME[:VALUE]",
    help="Change the workload first, e.g. prune_channels:0.5 (repeatable, in order).",
)
@click.option(
    "--min-coverage", default=0.99, show_default=True, help="Smallest share of MACs that must be modelled."
)
@click.option("--seed", default=0, show_default=True, help="Seed, recorded in the manifest.")
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
@click.option(
    "--out", metavar="DIR", type=click.Path(path_type=Path), help="Write manifest, summary and tables."
)
@click.option(
    "--simulate", is_flag=True, help="Also run the event simulation (tiles, transfers, contention)."
)
@simulation_options
@click.option(
    "--trace",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write a timeline for Perfetto (.json, .json.gz).",
)
@click.option(
    "--gantt", metavar="FILE", type=click.Path(path_type=Path), help="Draw the timeline (.svg, .png, .pdf)."
)
@click.option(
    "--plot", metavar="FILE", type=click.Path(path_type=Path), help="Draw time and energy (.svg, .png, .pdf)."
)
@click.option(
    "--layers/--no-layers", "show_layers", default=True, show_default=True, help="Print the layer table."
)
def command(
    arch: str,
    workload: str,
    mapping: str | None,
    batch: int,
    baseline: str | None,
    settings: tuple[str, ...],
    transforms: tuple[str, ...],
    min_coverage: float,
    seed: int,
    as_json: bool,
    out: Path | None,
    simulate: bool,
    trace: Path | None,
    gantt: Path | None,
    plot: Path | None,
    show_layers: bool,
    images: int,
    in_flight: int,
    **simulation: Any,
) -> None:
    """Evaluate WORKLOAD on ARCH, layer by layer.

    \b
    cosim run arch/optical4f.yaml workloads/vit.yaml --baseline arch/gpu_rtx3090.yaml
    cosim run systolic_128 resnet50 --batch 8 --set array.rows=64
    """
    from cosim.engine import evaluate

    simulated = simulate or trace is not None or gantt is not None
    check_names(trace, gantt)
    if not simulated:
        refuse_unused(click.get_current_context())
    if plot is not None and plot.suffix not in (".svg", ".png", ".pdf"):
        raise click.BadParameter(f"--plot: found the ending {plot.suffix!r}, allowed .svg, .png, .pdf")
    result = evaluate(
        arch,
        workload,
        mapping,
        batch=batch,
        baseline=baseline,
        overrides=parse_settings(settings),
        min_coverage=min_coverage,
        transforms=transforms,
        seed=seed,
    )
    found = None
    written: tuple[Path, ...] = ()
    options = chosen_options(simulation) if simulated else None
    if options is not None:
        from cosim.engine import simulate as simulated_on

        with Progress("layers", quiet=as_json) as bar:
            found = simulated_on(
                arch, result.workload, mapping, images=images, in_flight=in_flight, options=options,
                overrides=parse_settings(settings), min_coverage=min_coverage, progress=bar.update,
            )  # fmt: skip
        written = write_timelines(found, trace, gantt)
    written += write_files(result, out, plot)
    if as_json:
        document = result.to_json() | ({"simulation": found.to_json()} if found else {})
        click.echo(json.dumps(document, allow_nan=False))
    else:
        show(result, show_layers)
        if found is not None:
            click.echo()
            show_simulation(found)
    for path in written:
        click.echo(f"wrote {path}", err=True)


def write_files(result: Result, out: Path | None, plot: Path | None) -> tuple[Path, ...]:
    """Write the result folder and the picture that were asked for; returns what was written."""
    written: tuple[Path, ...] = ()
    if out is not None:
        from cosim.results.files import write_result

        written += write_result(result, out)
    if plot is not None:
        from cosim.report.layer_figures import result_figure
        from cosim.report.style import save

        save(result_figure(result), plot)
        written += (plot,)
    return written


def show(result: Result, show_layers: bool) -> None:
    """Print a result for people."""
    from cosim.cli import render

    console = render.console()
    if show_layers:
        console.print(render.layer_table(result))
        console.print()
    for line in render.totals_lines(result):
        console.print(line)
    console.print()
    energy = result.energy_by_component_j
    console.print(render.breakdown_table("energy by component", energy, "J", result.energy_j))
    console.print()
    busy = result.busy_by_resource_s
    console.print(render.breakdown_table("busy time by resource", busy, "s", result.latency_s))
    coverage = result.workload.coverage
    console.print()
    console.print(
        f"coverage: {coverage.macs_share:.2%} of MACs and {coverage.bytes_share:.2%} of bytes are modelled"
        + (f"; not modelled: {', '.join(coverage.unknown)}" if coverage.unknown else "")
    )
    if result.leaves_out:
        console.print("the model leaves out: " + "; ".join(result.leaves_out))
    comparison = render.speedup_line(result)
    if comparison:
        console.print(comparison, style="bold")
