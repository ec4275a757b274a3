"""``cosim measure``: the user's own machine as a machine file and a table of layer times."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("measure")
@click.option("--name", metavar="NAME", help="Name of the machine (default: measured_<device>).")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option(
    "--like", metavar="ARCH", help="Shipped machine to start from (default: by instruction set or name)."
)
@click.option(
    "--budget", "budget_s", default=90.0, show_default=True, type=click.FloatRange(min=0), help="Seconds."
)
@click.option(
    "--arch-dir", default="arch", show_default=True, type=click.Path(path_type=Path, file_okay=False)
)
@click.option(
    "--table-dir", default="measured", show_default=True, type=click.Path(path_type=Path, file_okay=False)
)
def command(
    name: str | None, device: str, like: str | None, budget_s: float, arch_dir: Path, table_dir: Path
) -> None:
    """Measure this machine: writes ARCH-DIR/NAME.yaml and TABLE-DIR/NAME_layers.csv.

    \b
    cosim measure --name measured_laptop --budget 60
    cosim check cpu measured/measured_laptop_layers.csv --arch arch/measured_laptop.yaml
    """
    from cosim.bench.measure import measure

    chosen = name or f"measured_{device}"
    paths = measure(
        chosen, device, budget_s, arch_dir, table_dir, like, lambda text: click.echo(text, err=True)
    )
    for path in paths:
        click.echo(f"wrote {path}", err=True)
