"""``cosim report``: a report from folders that other commands wrote."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument("sources", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder of the report (default: the first SOURCE).",
)
@click.option(
    "--format",
    "formats",
    default="html,md,csv",
    show_default=True,
    help="What to write, separated by commas.",
)
@click.option("--baseline", metavar="NAME", help="Among several runs, the machine to compare with.")
@click.option("--published", is_flag=True, help="The page of published results alone; takes no SOURCE.")
def command(
    sources: tuple[Path, ...], out: Path | None, formats: str, baseline: str | None, published: bool
) -> None:
    """Make a report of what the folders in SOURCES hold.

    A SOURCE was written by run, compare, sweep or accuracy with --out. Several runs are compared; accuracy results join
    a run or a comparison.

    \b
    cosim report out/vit_on_systolic out/vit_on_gpu --baseline gpu_rtx3090 --out reports/two
    cosim report reports/machines out/accuracy --out reports/with_accuracy
    cosim report --published --out reports/published
    """
    if published == bool(sources):
        raise click.UsageError("give folders, or --published alone")
    if published and (out is None or baseline is not None):
        raise click.UsageError("--published needs --out DIR and takes no --baseline")
    from cosim.report.write import formats_of, open_folder, write_report

    chosen = formats_of(formats)
    folder = out if out is not None else sources[0]
    if published:
        from cosim.report.published import published_document

        document = published_document()
    else:
        from cosim.report.sources import document_of

        document = document_of(sources, baseline)
    open_folder(folder, sources)
    for path in write_report(document, folder, chosen):
        if path.parent == folder:
            click.echo(f"wrote {path}", err=True)
