"""The bibliography: ``sources.yaml`` beside the machine files, key -> where a constant comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cosim.spec.keys import Key
from cosim.spec.locate import ROOT
from cosim.spec.problems import SpecError, describe
from cosim.spec.strict_yaml import load

KEYS: Mapping[str, Key] = {
    "kind": Key("`sources`", "kind of document; lets `cosim validate` read it"),
    "sources": Key("key: entry", "the entries by the key that constants name", True),
    "sources.<key>.title": Key("text", "author and title, or what it is", True),
    "sources.<key>.<field>": Key("text or number", "anything else worth saying: where, doi, year, url"),
}
RULES = (
    "A machine file uses the nearest `sources.yaml` above it, else the shipped one; a constant that names a key "
    "which is not there is refused.",
)


@dataclass(frozen=True)
class Source:
    """One entry of the bibliography."""

    key: str
    title: str
    fields: Mapping[str, str]

    def __str__(self) -> str:
        rest = "; ".join(f"{name} {value}" for name, value in self.fields.items() if name != "title")
        return f"{self.title} ({rest})" if rest else self.title


def sources_for(machine_file: Path) -> Mapping[str, Source]:
    """The bibliography that serves ``machine_file``: the nearest ``sources.yaml`` above it, else the shipped one."""
    for folder in machine_file.resolve().parents:
        candidate = folder / "sources.yaml"
        if candidate.is_file():
            return load_sources(candidate)
        if (folder / "pyproject.toml").exists():
            break
    return load_sources(ROOT / "arch" / "sources.yaml")


@cache
def load_sources(path: Path) -> Mapping[str, Source]:
    """Read a bibliography; raises :class:`SpecError` if it is not ``{sources: {key: {title: ...}}}``."""
    document = load(path)
    data = document.data
    entries = data.get("sources") if isinstance(data, dict) else None
    if not isinstance(entries, dict):
        raise SpecError([document.problem(("sources",), describe(entries), "sources: {key: {title: ...}}")])
    problems = [
        document.problem(("sources", key), "an entry without a title", "{title: ..., where: ...}")
        for key, entry in entries.items()
        if not isinstance(entry, dict) or "title" not in entry
    ]
    if problems:
        raise SpecError(problems)
    return {
        key: Source(key, str(entry["title"]), {k: str(v) for k, v in entry.items()})
        for key, entry in entries.items()
    }
