"""``cosim reproduce``: published figures against simulated ones."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cosim.cli.progress import Progress, interrupted

if TYPE_CHECKING:
    from cosim.papers.row import PaperRow


@click.command("reproduce")
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All published results.")
@click.option("--list", "only_list", is_flag=True, help="Names of the published results.")
@click.option(
    "--notes/--no-notes", default=None, help="Print scenario and notes; by default for a single result."
)
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
@click.option("--markdown", is_flag=True, help="Print a table for a page of documentation.")
@click.option(
    "--plot", metavar="FILE", type=click.Path(path_type=Path), help="Draw one result (.svg, .png, .pdf)."
)
def command(
    names: tuple[str, ...],
    everything: bool,
    only_list: bool,
    notes: bool | None,
    as_json: bool,
    markdown: bool,
    plot: Path | None,
) -> None:
    """Recompute published figures: value, ratio and an honest status.

    \b
    cosim reproduce cnna
    cosim reproduce hawq_v3 --plot hawq.svg
    cosim reproduce --all --json
    """
    from cosim.papers import papers, rows_of

    known = papers()
    if only_list:
        click.echo("\n".join(known))
        return
    chosen = _chosen(names, everything, known)
    if plot is not None and (len(chosen) != 1 or plot.suffix not in (".svg", ".png", ".pdf")):
        raise click.BadParameter(
            f"--plot draws one result to .svg, .png or .pdf; found {len(chosen)} and {plot}"
        )
    found: dict[str, list[PaperRow]] = {}
    with Progress("results", quiet=as_json) as bar:
        try:
            for number, name in enumerate(chosen, start=1):
                bar.update(number - 1, len(chosen), f" ({name})")
                found[name] = rows_of(name)
        except KeyboardInterrupt:
            if found and not as_json:
                _show(found, False)
            rest = " ".join(name for name in chosen if name not in found)
            interrupted(
                "what is finished is above; the rest: " + f"cosim reproduce {rest}", same_command=False
            )
    if plot is not None:
        from cosim.papers import figure_of
        from cosim.report.style import save

        save(figure_of(chosen[0], found[chosen[0]]), plot)
        click.echo(f"wrote {plot}", err=True)
    if as_json:
        click.echo(json.dumps(_document(found), allow_nan=False))
    elif markdown:
        click.echo(markdown_table(found))
    else:
        _show(found, len(chosen) == 1 if notes is None else notes)


def _chosen(names: tuple[str, ...], everything: bool, known: tuple[str, ...]) -> tuple[str, ...]:
    """Names to run; unknown ones are usage errors with the nearest spelling."""
    for name in names:
        if name not in known:
            from difflib import get_close_matches

            close = get_close_matches(name, known, n=1)
            hint = f"; nearest: {close[0]}" if close else ""
            raise click.BadParameter(f"no published result {name!r}{hint}; --list shows them")
    if not names and not everything:
        raise click.UsageError("name a published result, or give --all; --list shows them")
    return known if everything else names


def _document(found: dict[str, list[PaperRow]]) -> dict[str, object]:
    """The JSON document: rows, and the scenario of every result."""
    from cosim.papers import scenario_of

    rows = [asdict(row) for rows in found.values() for row in rows]
    return {"schema": 1, "rows": rows, "scenarios": {name: scenario_of(name).to_json() for name in found}}


def markdown_table(found: dict[str, list[PaperRow]]) -> str:
    """One line for each result: how many rows of each status."""
    from cosim.papers import scenario_of
    from cosim.papers.row import STATUS_MEANINGS

    lines = [
        f"| result | publication | {' | '.join(STATUS_MEANINGS)} |",
        f"|---|---|{'---:|' * len(STATUS_MEANINGS)}",
    ]
    for name, rows in found.items():
        counts = [sum(row.kind == kind for row in rows) for kind in STATUS_MEANINGS]
        cells = " | ".join(str(count) if count else "" for count in counts)
        lines.append(f"| `{name}` | {scenario_of(name).title} | {cells} |")
    return "\n".join(lines)


def headline_table(found: dict[str, list[PaperRow]]) -> str:
    """What each publication is known for, beside what comes out; statuses of all rows in the last column."""
    from cosim.papers import scenario_of
    from cosim.papers.headlines import HEADLINES
    from cosim.papers.row import STATUS_MEANINGS

    short = {
        "exact": "exact",
        "within": "within",
        "fitted": "fitted",
        "bracketed": "bracketed",
        "not reproduced": "not",
    }
    lines = [
        "| publication | figure | published | simulated | ratio | status | all rows |",
        "|---|---|---:|---:|---:|---|---|",
    ]
    for name in (n for n in HEADLINES if n in found):
        rows = {row.what: row for row in found[name]}
        counts = {kind: sum(row.kind == kind for row in found[name]) for kind in STATUS_MEANINGS}
        every = ", ".join(f"{count} {short[kind]}" for kind, count in counts.items() if count)
        for place, what in enumerate(HEADLINES[name]):
            row = rows[what]
            unit = "" if row.unit == "1" else f" {row.unit}"
            published, simulated = (
                "-" if value is None else f"{value:.4g}{unit}" for value in (row.published, row.simulated)
            )
            ratio = "-" if row.ratio is None else f"{row.ratio:.3g}"
            title = f"{_author(scenario_of(name).title)} (`{name}`)" if place == 0 else ""
            held = _held(row)
            lines.append(
                f"| {title} | {what} | {published} | {simulated} | {ratio} | {row.status}{held} "
                f"| {every if place == 0 else ''} |"
            )
    return "\n".join(lines)


def _author(title: str) -> str:
    """The first author or the name before the first comma or semicolon."""
    return title.split(";")[0].split(",")[0]


def _held(row: PaperRow) -> str:
    """Whether a bracket holds the published value, with its ends."""
    if row.interval is None:
        return ""
    low, high = row.interval
    inside = "outside" if row.note.endswith("does not hold the published value") else "inside"
    return f", {inside} {low:.3g} to {'...' if high is None else f'{high:.3g}'}"


def _show(found: dict[str, list[PaperRow]], notes: bool) -> None:
    """Print the rows for people."""
    from collections import Counter

    from rich.table import Table

    from cosim.cli import render
    from cosim.papers import scenario_of

    console = render.console()
    table = Table(box=None, pad_edge=False)
    for title in ("result", "what", "published", "simulated", "unit", "ratio", "status"):
        table.add_column(title, justify="right" if title in ("published", "simulated", "ratio") else "left")
    for name, rows in found.items():
        if notes:
            for key, value in scenario_of(name).to_json().items():
                text = "; ".join(value) if isinstance(value, list | tuple) else str(value)
                if text:
                    console.print(f"{key + ':':13}{text}", highlight=False)
            console.print()
        for row in rows:
            cells = (_number(row.published), _number(row.simulated), row.unit, _number(row.ratio, 4))
            table.add_row(name, row.what, *cells, row.status)
            if notes and row.note:
                table.add_row("", f"  {row.note}", "", "", "", "", "")
    console.print(table)
    counts = Counter(row.kind for rows in found.values() for row in rows)
    console.print()
    console.print(", ".join(f"{count} {kind}" for kind, count in counts.items()), highlight=False)


def _number(value: float | None, digits: int = 5) -> str:
    return "-" if value is None else f"{value:.{digits}g}"
