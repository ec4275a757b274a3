"""``cosim sweep``: a design space, resumed by running it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cosim.cli.exit_codes import FAILED_POINTS
from cosim.cli.progress import Progress, interrupted, span

if TYPE_CHECKING:
    from cosim.explore.sweep import TaskDone


def _shard(text: str | None) -> tuple[int, int]:
    if text is None:
        return 1, 1
    k, slash, n = text.partition("/")
    if not (slash and k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n)):
        raise click.BadParameter(f"--shard: found {text!r}, allowed k/N with 1 <= k <= N, e.g. 3/16")
    return int(k), int(n)


@click.command("sweep")
@click.argument("sweep", type=click.Path(path_type=Path))
@click.option(
    "--out", metavar="DIR", type=click.Path(path_type=Path), help="Result folder (default: out/NAME)."
)
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(min=1), help="Processes.")
@click.option(
    "--dask", metavar="ADDRESS", help="Dask scheduler (tcp://host:port), or local:N for one started here."
)
@click.option("--shard", metavar="K/N", help="Only every N-th task from the K-th on, for job arrays.")
@click.option("--dry-run", is_flag=True, help="Points, time, disk and memory it will take, from a probe.")
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
def command(
    sweep: Path,
    out: Path | None,
    jobs: int,
    dask: str | None,
    shard: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Evaluate every point of the design space in SWEEP; what the result folder holds already is skipped.

    \b
    cosim sweep arch/sweeps/systolic_buffers.yaml --dry-run
    cosim sweep arch/sweeps/systolic_buffers.yaml --jobs 2 --out out/buffers
    """
    from cosim.explore.executors import choose
    from cosim.explore.space_file import load_space
    from cosim.explore.sweep import forecast, run_sweep

    part = _shard(shard)
    doc = load_space(sweep)
    if dry_run:
        ahead = forecast(sweep)
        if as_json:
            click.echo(json.dumps(ahead.to_json()))
            return
        click.echo(
            f"{doc.name}: {ahead.points:,} points before conditions in {ahead.tasks:,} tasks, about "
            f"{ahead.layers:.0f} layers each; about {span(ahead.cpu_s)} of CPU time, "
            f"{ahead.disk_bytes / 1e6:.1f} MB on disk, {ahead.memory_bytes / 1e6:.0f} MB a process"
        )
        return
    folder = out or Path("out") / doc.name
    with Progress("points", quiet=as_json) as bar:

        def show(done: TaskDone, finished: int, total: int) -> None:
            bar.update(finished, total)

        try:
            summary = run_sweep(sweep, folder, choose(jobs, dask), part, show)
        except KeyboardInterrupt:
            interrupted(f"finished tasks are kept in {folder}")
    if as_json:
        click.echo(json.dumps(summary.to_json()))
    else:
        click.echo(
            f"{doc.name}: {summary.points:,} points in {summary.tasks:,} tasks ({summary.skipped:,} done before), "
            f"{summary.infeasible:,} infeasible, {summary.failed:,} failed"
        )
        click.echo(f"results in {folder}; next: cosim pareto {folder}")
    if summary.infeasible or summary.failed:
        raise click.exceptions.Exit(FAILED_POINTS)
