"""``cosim explain crossover``: where an optical machine overtakes a baseline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cosim.explore.crossover import Crossover

METRICS = ("latency_s", "energy_j", "edp_js")


@click.command("crossover")
@click.argument("arch")
@click.argument("workload")
@click.option("--baseline", required=True, metavar="ARCH", help="Machine to overtake.")
@click.option("--layer", "layer_name", help="One layer instead of the whole network.")
@click.option("--batch", default=1, show_default=True, type=click.IntRange(min=1), help="Images at once.")
@click.option("--metric", default="latency_s", show_default=True, type=click.Choice(METRICS))
@click.option(
    "--plot", metavar="FILE", type=click.Path(path_type=Path), help="Draw every quantity (.svg, .png, .pdf)."
)
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
def command(
    arch: str,
    workload: str,
    baseline: str,
    layer_name: str | None,
    batch: int,
    metric: str,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Vary frame time, plane, camera and converters of ARCH one by one, and the kernel of a layer: where does it win?

    \b
    cosim explain crossover optical4f resnet18 --baseline gpu_rtx3090 --layer layer1.0.conv1 --batch 64
    """
    from cosim.engine import load_arch, load_workload
    from cosim.explore.crossover import optical_crossovers, same_convolution_crossover
    from cosim.ir.batch import LayerBatch
    from cosim.mapping.plan import MappingError
    from cosim.spec.problems import nearest_hint

    machine, other, network = load_arch(arch), load_arch(baseline), load_workload(workload)
    names = [found.name for found in network.layers]
    if layer_name is not None and layer_name not in names:
        hint = nearest_hint(layer_name, names) or "see its file"
        raise MappingError(f"workload {network.name}: no layer {layer_name!r}, {hint}")
    chosen = network.select([layer_name]) if layer_name else network
    layers = LayerBatch.from_layers(chosen.with_batch(batch).layers)
    found = list(optical_crossovers(machine, other, layers, metric))  # type: ignore[arg-type]
    if layer_name is not None and chosen.layers[0].op == "conv":
        found.append(same_convolution_crossover(machine, other, chosen.layers[0], batch, metric))  # type: ignore[arg-type]
    if plot is not None:
        from cosim.report.style import save

        save(_figure(found, machine.name, other.name), plot)
        click.echo(f"wrote {plot}", err=True)
    if as_json:
        rows = [
            {"path": c.path, "metric": c.metric, "crossings": list(c.crossings), "ahead": c.ahead}
            for c in found
        ]
        click.echo(
            json.dumps({"schema": 1, "machine": machine.name, "baseline": other.name, "crossovers": rows})
        )
        return
    what = f"{layer_name} of {network.name}" if layer_name else network.name
    click.echo(f"{metric} of {what}, batch {batch}: where {machine.name} is ahead of {other.name}")
    for crossing in found:
        click.echo(f"  {crossing.path}: {crossing.ahead}")


def _figure(found: list[Crossover], machine: str, baseline: str) -> Figure:
    from cosim.report.crossover_figures import crossover
    from cosim.report.style import new_figure

    rows = (len(found) + 1) // 2
    figure = new_figure(9.0, 2.6 * rows)
    for axes, crossing in zip(figure.subplots(rows, 2, squeeze=False).flat, found, strict=False):
        crossover(crossing, machine, baseline, axes)
    for axes in figure.axes[len(found) :]:
        axes.set_visible(False)
    return figure
