"""Finding documents: a path as given, or the name of a shipped one."""

from __future__ import annotations

from pathlib import Path

from cosim.spec.problems import Problem, SpecError, nearest_hint

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("arch", "workloads", "mappings")


def shipped(folder: str) -> dict[str, Path]:
    """Name -> path of the documents in ``folder`` of the working directory and of the program's own tree.

    A document of the working directory wins over a shipped one of the same name.
    """
    found: dict[str, Path] = {}
    here = Path.cwd()
    bases = [Path()] if here == ROOT else [Path(), ROOT]
    for base in bases:
        for path in sorted((base / folder).glob("*.yaml")):
            if path.stem != "sources":
                found.setdefault(path.stem, path)
    return found


def find_document(ref: str | Path, folder: str) -> Path:
    """The file that ``ref`` names: an existing path, or a shipped name such as ``optical4f``.

    Raises :class:`SpecError` (missing file) with the nearest shipped name.
    """
    path = Path(ref)
    if path.exists() or path.suffix in (".yaml", ".yml"):
        if path.exists():
            return path
        # A path relative to the program's own tree works from anywhere.
        if not path.is_absolute() and (ROOT / path).exists():
            return ROOT / path
        known = [str(Path(folder) / f"{name}.yaml") for name in shipped(folder)]
        raise SpecError(
            [Problem(str(ref), 0, 0, "", "no such file", "a path that exists", nearest_hint(str(ref), known))]
        )
    known_names = shipped(folder)
    if str(ref) in known_names:
        return known_names[str(ref)]
    raise SpecError(
        [
            Problem(
                str(ref),
                0,
                0,
                "",
                "no such file and no shipped document of that name",
                f"a path, or one of {', '.join(known_names)}" if known_names else "a path",
                nearest_hint(str(ref), known_names),
            )
        ]
    )
