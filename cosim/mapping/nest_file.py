"""Mappings of whole workloads as documents: ``kind: nest_mapping``.

One entry per layer; every level lists what it keeps and its loops from the outermost inwards, as one would write them:
``temporal: [Q 7, K 4]``, ``spatial_y: [R 3]``, ``spatial_x: [P 14]``. Layers of equal shape name the first of them
(``same_as``). Costs are written beside, and come out the same when the file is read and evaluated again.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.mapping.nest import LOOP_KINDS, LevelMapping, Loop, NestArch, NestMapping
from cosim.mapping.nest_arch import load_nest
from cosim.spec.keys import Key
from cosim.spec.locate import find_document
from cosim.spec.problems import Problem as Defect
from cosim.spec.problems import SpecError, describe, nearest_hint, one_of
from cosim.spec.strict_yaml import Document, load

KEYS: Mapping[str, Key] = {
    "kind": Key("`nest_mapping`", "kind of document", True),
    "name": Key("text", "name; that of the file if not given"),
    "arch": Key("text", "hierarchy that the mappings are for", True),
    "workload": Key("text", "network that they are for"),
    "objective": Key("`energy`, `latency` or `edp`", "what was minimised"),
    "layers": Key("layer name: entry", "one entry for each mapped layer, in the order of the network", True),
}
LAYER_KEYS: Mapping[str, Key] = {
    "same_as": Key("layer name", "an entry above of equal shape; no other key is needed then"),
    "energy_pj": Key("number, at least 0", "energy of the layer when it was mapped, in pJ", True),
    "cycles": Key("number, at least 0", "cycles of the layer when it was mapped", True),
    "bound": Key("number, at least 0", "least value of the objective that any mapping can have", True),
    "certificate": Key("text", "`optimal`, or the gap that is left"),
    "levels": Key("level name: loops", "every level of the hierarchy", True),
}
LEVEL_KEYS: Mapping[str, Key] = {
    "keep": Key("list of Inputs, Outputs, Weights", "data spaces that the level holds", True),
    "temporal": Key(
        "list of `K 4` or `K 4 last 2`", "loops in time from the outermost inwards; `last` is a remainder"
    ),
    "spatial_y": Key("list of loops", "loops over children along y"),
    "spatial_x": Key("list of loops", "loops over children along x"),
}
_LOOPS = tuple(LEVEL_KEYS)[1:]
RULES = (
    "Every level of the hierarchy that `arch` names must be listed.",
    "Costs come out the same when the file is read and evaluated again.",
)
_LOOP = re.compile(r"([A-Za-z]\w*) (\d+)(?: last (\d+))?")


@dataclass(frozen=True, slots=True)
class MappedLayer:
    """One entry: the mapping, and what it cost when it was written."""

    mapping: NestMapping
    energy_pj: float
    cycles: int
    bound: float
    certificate: str


@dataclass(frozen=True, slots=True)
class NestMappingDoc:
    """A document: `layers` in the workload's order; layers of equal shape share one object."""

    name: str
    arch: str
    workload: str
    objective: str
    layers: Mapping[str, MappedLayer]


def _loops_text(loops: Iterable[Loop]) -> str:
    words = [f"{p.dim} {p.bound}" + (f" last {p.last}" if p.last != p.bound else "") for p in loops]
    return "[" + ", ".join(words) + "]"


def layer_lines(name: str, layer: MappedLayer, arch: NestArch) -> list[str]:
    """Lines of one entry."""
    lines = [
        f"  {name}:",
        f"    energy_pj: {layer.energy_pj!r}",
        f"    cycles: {layer.cycles}",
        f"    bound: {layer.bound!r}",
        f"    certificate: {layer.certificate}",
        "    levels:",
    ]
    for spec, part in zip(arch.levels, layer.mapping.levels, strict=True):
        text = [f"keep: [{', '.join(sorted(part.keep))}]"]
        for kind in _LOOPS:
            loops = [loop for loop in part.loops if loop.kind == kind]
            if loops:
                text.append(f"{kind}: {_loops_text(loops)}")
        lines.append(f"      {spec.name}: {{{', '.join(text)}}}")
    return lines


def mapping_text(doc: NestMappingDoc, arch: NestArch) -> str:
    """The document as YAML."""
    lines = [
        "kind: nest_mapping",
        f"name: {doc.name}",
        f"arch: {doc.arch}",
        f"workload: {doc.workload}",
        f"objective: {doc.objective}",
        "layers:",
    ]
    first: dict[int, str] = {}
    for name, layer in doc.layers.items():
        if id(layer) in first:
            lines.append(f"  {name}: {{same_as: {first[id(layer)]}}}")
            continue
        first[id(layer)] = name
        lines += layer_lines(name, layer, arch)
    return "\n".join(lines) + "\n"


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class _Reader:
    """Reads one document, collecting everything that is wrong with it."""

    def __init__(self, document: Document, arch: NestArch) -> None:
        self.document = document
        self.names = [level.name for level in arch.levels]
        self.defects: list[Defect] = []

    def complain(self, path: tuple[str | int, ...], found: object, allowed: str, hint: str = "") -> None:
        """Note a defect."""
        self.defects.append(self.document.problem(path, describe(found), allowed, hint))

    def block(self, path: tuple[str | int, ...], value: Any, keys: Iterable[str]) -> dict[str, Any]:
        """A mapping with known keys only."""
        if not isinstance(value, dict):
            self.complain(path, value, "a mapping")
            return {}
        known = tuple(keys)
        for key in value:
            if key not in known:
                hint = nearest_hint(key, known)
                self.defects.append(
                    self.document.problem((*path, key), f"unknown key {key!r}", one_of(known), hint, key=True)
                )
        return value

    def number(self, path: tuple[str | int, ...], value: Any) -> float:
        """A finite number of at least 0."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            self.complain(path, value, "a number of at least 0")
            return 0.0
        return value

    def loops(self, path: tuple[str | int, ...], value: Any, kind: str) -> list[Loop]:
        """Loops such as ``K 4`` or, with a remainder, ``K 4 last 2``."""
        found = []
        for index, text in enumerate(value if isinstance(value, list) else [value]):
            match = _LOOP.fullmatch(text) if isinstance(text, str) else None
            try:
                if match is None or kind not in LOOP_KINDS:
                    raise ValueError("no loop")
                last = int(match[3]) if match[3] else None
                found.append(Loop(match[1], int(match[2]), kind, last))
            except ValueError:
                self.complain(
                    (*path, index), text, "a dimension and how often, such as 'K 4' or 'K 4 last 2'"
                )
        return found

    def mapping(self, path: tuple[str | int, ...], value: Any) -> NestMapping:
        """The levels of one layer."""
        levels = self.block(path, value, self.names)
        parts = []
        for name in self.names:
            if name not in levels:
                self.complain(path, list(levels), f"every level of the hierarchy, {name} too")
                continue
            block = self.block((*path, name), levels[name], LEVEL_KEYS)
            loops = [
                loop
                for kind in _LOOPS
                if kind in block
                for loop in self.loops((*path, name, kind), block[kind], kind)
            ]
            keep = block.get("keep")
            if not isinstance(keep, list) or not all(isinstance(space, str) for space in keep):
                self.complain((*path, name, "keep"), keep, "a list of data spaces")
                keep = []
            parts.append(LevelMapping(tuple(loops), frozenset(keep)))
        return NestMapping(tuple(parts))

    def layer(self, name: str, value: Any, before: Mapping[str, MappedLayer]) -> MappedLayer | None:
        """One entry."""
        path = ("layers", name)
        block = self.block(path, value, LAYER_KEYS)
        if "same_as" in block:
            if block["same_as"] not in before:
                self.complain((*path, "same_as"), block["same_as"], "a layer that stands above")
                return None
            return before[block["same_as"]]
        return MappedLayer(
            self.mapping((*path, "levels"), block.get("levels")),
            float(self.number((*path, "energy_pj"), block.get("energy_pj"))),
            int(self.number((*path, "cycles"), block.get("cycles"))),
            float(self.number((*path, "bound"), block.get("bound"))),
            str(block.get("certificate", "")),
        )


def load_nest_mapping(path: Path, arch: NestArch) -> NestMappingDoc:
    """Read a document; SpecError with everything that is wrong in it, levels that `arch` has not included."""
    document = load(path)
    reader = _Reader(document, arch)
    data = reader.block((), document.data, KEYS)
    if data.get("kind") != "nest_mapping":
        reader.complain(("kind",), data.get("kind"), "nest_mapping")
    layers: dict[str, MappedLayer] = {}
    entries = data.get("layers")
    if isinstance(entries, dict):
        for name, value in entries.items():
            layer = reader.layer(name, value, layers)
            if layer is not None:
                layers[name] = layer
    else:
        reader.complain(("layers",), entries, "layer name: {levels: ...}")
    if reader.defects:
        raise SpecError(reader.defects)
    texts = {key: str(data.get(key, "")) for key in ("name", "arch", "workload", "objective")}
    return NestMappingDoc(
        texts["name"] or path.stem, texts["arch"], texts["workload"], texts["objective"], layers
    )


def check_nest_mapping(path: Path) -> None:
    """Read a document for the shipped hierarchy that it names; SpecError with everything that is wrong."""
    document = load(path)
    load_nest_mapping(path, load_nest(find_document(str(document.get("arch")), "arch/nests")).arch)
