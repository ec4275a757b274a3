"""Writes a report into a folder as HTML, Markdown and CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cosim.report.document import Document
from cosim.report.html import render
from cosim.report.markdown import markdown
from cosim.report.svg import compact
from cosim.results.files import OutputError, write_atomic
from cosim.spec.problems import nearest_hint

FORMATS = ("html", "md", "csv")
FIGURES = "figures"
OWN = ("report.html", "report.md", "layers.csv", "front.csv", FIGURES)


def formats_of(text: str) -> tuple[str, ...]:
    """Formats from words separated by commas; raises :class:`OutputError` for a word that is none."""
    chosen = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for name in chosen:
        if name not in FORMATS:
            hint = nearest_hint(name, FORMATS)
            raise OutputError(f"--format: found {name!r}, allowed {', '.join(FORMATS)}; {hint}".rstrip("; "))
    if not chosen:
        raise OutputError(f"--format: found nothing, allowed {', '.join(FORMATS)}")
    return chosen


def open_folder(folder: Path, sources: Sequence[Path] = ()) -> None:
    """Refuse (:class:`OutputError`) a folder with files that no report has, unless it is one of the sources."""
    if not folder.exists() or any(folder.resolve() == source.resolve() for source in sources):
        return
    if not folder.is_dir():
        raise OutputError(f"{folder}: found a file, allowed a folder")
    foreign = sorted(path.name for path in folder.iterdir() if path.name not in OWN)
    if foreign:
        raise OutputError(
            f"{folder}: found {foreign[0]!r} in it, allowed an empty or new folder, or one with a report"
        )


def write_report(document: Document, folder: Path, formats: Sequence[str] = FORMATS) -> Iterator[Path]:
    """Write report.html, report.md with its figures, and the CSV behind tables and figures; yields the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    texts: dict[str, str] = {}
    if "html" in formats:
        texts["report.html"] = render(document)
    if "md" in formats:
        texts["report.md"] = markdown(document, FIGURES, with_data="csv" in formats)
        texts |= {f"{FIGURES}/{f.id}.svg": compact(f.svg, f.id, f.caption) for f in document.figures()}
    if "csv" in formats:
        # A result folder has a layers.csv of its own, which is part of the result.
        stays = {"layers.csv"} if (folder / "summary.json").is_file() else set()
        texts |= {name: text for name, text in document.tables.items() if name not in stays}
        texts |= {f"{FIGURES}/{f.id}.csv": f.data for f in document.figures()}
    for name, text in texts.items():
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        write_atomic(target, text)
        yield target
