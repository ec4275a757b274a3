"""``cosim import-memory``: output of CACTI, NVSim, DESTINY or NVMExplorer to a technology record."""

from __future__ import annotations

import re
from pathlib import Path

import click


@click.command("import-memory")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option(
    "--tool",
    type=click.Choice(["cacti", "nvsim", "destiny", "nvmexplorer"]),
    help="Tool that wrote the files (default: seen from their text).",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Record to write (.yaml).")
@click.option("--technology", help="Technology, where the tool does not say it (sram, slc_stt_ram, ...).")
@click.option(
    "--node-nm", type=click.FloatRange(min=1), help="Node, where the tool does not print it (NVSim, DESTINY)."
)
@click.option("--where", help="Text that a row of an NVMExplorer table must contain.")
@click.option("--source", help="Key of arch/sources.yaml (default: the tool).")
@click.option("--note", default="", help="What the record stands for; becomes its description.")
def command(
    files: tuple[Path, ...],
    tool: str | None,
    out: Path,
    technology: str | None,
    node_nm: float | None,
    where: str | None,
    source: str | None,
    note: str,
) -> None:
    """Write the arrays in FILES as a record that a machine's memory can name as its preset.

    \b
    cosim import-memory stt_128.txt stt_512.txt --node-nm 22 --out arch/memories/stt_ram_22.yaml
    """
    from typing import cast

    from cosim.components.technology import TechnologySpec
    from cosim.components.technology_import import (
        SOURCE_OF,
        Tool,
        detect_tool,
        merged_points,
        read_points,
        record_text,
    )
    from cosim.results.files import write_atomic
    from cosim.spec.base import parse
    from cosim.spec.sources import sources_for
    from cosim.spec.strict_yaml import loads

    if out.suffix not in (".yaml", ".yml"):
        raise click.BadParameter(f"--out: found the ending {out.suffix!r}, allowed .yaml")
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in files}
    used = cast(Tool, tool) if tool else detect_tool(texts[files[0]], str(files[0]))
    points = [p for path, text in texts.items() for p in read_points(text, str(path), used, where)]
    merged = merged_points(points, technology, node_nm)
    description = note or f"{merged[0].technology} at {merged[0].node_nm:g} nm, computed by {used}"
    name = re.sub(r"[^A-Za-z0-9_]+", "_", out.stem)
    text = record_text(merged, name, source or SOURCE_OF[used], description.replace('"', "'"))
    parse(TechnologySpec, loads(text, str(out)), set(sources_for(out)))
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(out, text)
    sizes = ", ".join(f"{p.capacity_bytes / 1024:g} KiB" for p in merged)
    click.echo(
        f"{name}: {merged[0].technology}, {merged[0].node_nm:g} nm, {len(merged)} arrays ({sizes}) from {used}"
    )
    click.echo(f"wrote {out}", err=True)
