"""Storage hierarchies for the mapper as documents: ``kind: nest``, and rules on mappings: ``kind: nest_rules``.

A hierarchy lists its levels from the outermost inwards; ``children`` are the instances of the next level (or of the
arithmetic units) below one instance, along x and y. The mapper takes such documents only: the other machine kinds
schedule by closed forms of their own and have no loop nest that could be permuted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from pydantic import Field

from cosim.mapping.mapspace import LevelRule, Rules
from cosim.mapping.nest import ComputeLevel, NestArch, StorageLevel
from cosim.spec.base import Bits, Count, Hz, Pj, Ratio, Size, Spec, parse
from cosim.spec.problems import SpecError, nearest_hint
from cosim.spec.sources import sources_for
from cosim.spec.strict_yaml import Document, load


class RuleSpec(Spec):
    """What mappings must and may do at one level."""

    keep: tuple[str, ...] = ()
    """Data spaces that the level keeps."""
    bypass: tuple[str, ...] = ()
    """Data spaces that pass the level by."""
    factors: dict[str, Size] = Field(default_factory=dict)
    """Trip counts of temporal loops that are fixed."""
    most: dict[str, Size] = Field(default_factory=dict)
    """Largest trip counts of temporal loops."""
    order: tuple[str, ...] = ()
    """Dimensions of the innermost temporal loops, innermost first."""
    spatial: dict[str, Size] = Field(default_factory=dict)
    """Children along a dimension, fixed."""
    most_spatial: dict[str, Size] = Field(default_factory=dict)
    """Children along a dimension at most."""
    spatial_x: tuple[str, ...] | None = None
    """Dimensions that may be spread along x; all if not given."""
    spatial_y: tuple[str, ...] | None = None
    """Dimensions that may be spread along y; all if not given."""

    def rule(self) -> LevelRule:
        """The rule."""
        return LevelRule(
            frozenset(self.keep), frozenset(self.bypass), dict(self.factors), dict(self.most), self.order,
            dict(self.spatial), dict(self.most_spatial), self.spatial_x, self.spatial_y,
        )  # fmt: skip


class ChildrenSpec(Spec):
    """How many instances of the next level one instance feeds."""

    x: Count
    """Along x."""
    y: Count | None = None
    """Along y; 1 if not given."""


class LevelSpec(Spec):
    """One storage level. Energies are per access of one row; words per cycle are per instance."""

    name: str
    """Name of the level."""
    capacity_words: Count | None = None
    """Words that one instance holds; unbounded if not given."""
    words_per_row: Count | None = None
    """Words that one access moves; 1 if not given."""
    buffers: Ratio | None = None
    """Tiles held at once (2: double buffering); 1 if not given."""
    read_pj: Pj
    """Energy of a read."""
    write_pj: Pj
    """Energy of a write: words that come from above."""
    update_pj: Pj | None = None
    """Energy of a write of a partial sum that comes from below; as `write_pj` if not given."""
    leak_pj: Pj | None = None
    """Energy that an instance in use leaks in one cycle; 0 if not given."""
    read_words_per_cycle: Ratio | None = None
    """Largest read rate; unlimited if not given."""
    write_words_per_cycle: Ratio | None = None
    """Largest write rate; unlimited if not given."""
    words_per_cycle: Ratio | None = None
    """Largest rate of reads and writes together; unlimited if not given."""
    children: ChildrenSpec | None = None
    """Instances of the next level; one if not given."""
    multicast: bool = True
    """One read serves all children that want the same word."""
    rule: RuleSpec = RuleSpec()
    """What mappings must and may do at this level."""


class ComputeSpec(Spec):
    """The arithmetic units."""

    name: str = "MAC"
    """Name."""
    mac_pj: Pj
    """Energy of a multiply-accumulate."""
    leak_pj: Pj | None = None
    """Energy that a unit in use leaks in one cycle; 0 if not given."""


class NestSpec(Spec):
    """A storage hierarchy."""

    kind: Literal["nest"]
    """Kind of document."""
    name: str
    """Short name, shown in results."""
    description: str = ""
    """What it stands for."""
    clock_hz: Hz
    """Cycles a second."""
    word_bits: Bits
    """Width of a word of every data space."""
    levels: tuple[LevelSpec, ...]
    """Storage levels, outermost first."""
    compute: ComputeSpec
    """The arithmetic units."""


class NestRulesSpec(Spec):
    """Rules on mappings: for all layers, then by layer name (shell wildcards; later ones replace whole levels)."""

    kind: Literal["nest_rules"]
    """Kind of document."""
    name: str = ""
    """Short name."""
    description: str = ""
    """What the rules stand for."""
    levels: dict[str, RuleSpec] = Field(default_factory=dict)
    """Rule by level name."""
    layers: dict[str, dict[str, RuleSpec]] = Field(default_factory=dict)
    """Layer name pattern -> rule by level name."""


@dataclass(frozen=True, slots=True)
class NestMachine:
    """A hierarchy ready for the mapper; `path` is where it was read."""

    arch: NestArch
    rules: Rules
    clock_hz: float
    path: Path


@dataclass(frozen=True, slots=True)
class RuleBook:
    """Rules for all layers and by layer name pattern, in order."""

    levels: Rules
    layers: tuple[tuple[str, Rules], ...] = ()

    def of(self, layer: str, machine: Rules) -> Rules:
        """Rules for one layer: the machine's, then the general ones, then those whose pattern matches.

        What a later rule does not say stays as it was.
        """
        found: Rules = dict(machine)
        for rules in (self.levels, *(r for pattern, r in self.layers if fnmatchcase(layer, pattern))):
            found = {**found, **{level: _merged(found.get(level), rule) for level, rule in rules.items()}}
        return found


def _merged(old: LevelRule | None, new: LevelRule) -> LevelRule:
    """`new` where it says something, else `old`; a space that is newly kept is no longer bypassed and vice versa."""
    if old is None:
        return new
    return LevelRule(
        keep=(old.keep - new.bypass) | new.keep,
        bypass=(old.bypass - new.keep) | new.bypass,
        factors={**old.factors, **new.factors},
        most={**old.most, **new.most},
        order=new.order or old.order,
        spatial={**old.spatial, **new.spatial},
        most_spatial={**old.most_spatial, **new.most_spatial},
        spatial_x=new.spatial_x if new.spatial_x is not None else old.spatial_x,
        spatial_y=new.spatial_y if new.spatial_y is not None else old.spatial_y,
    )


def _storage(spec: LevelSpec, instances: int, mesh_x: int, word_bits: int) -> StorageLevel:
    """One level; peers do not hand words to each other (the mapper's counts know no such links)."""

    def limit(value: object) -> float | None:
        return None if value is None else float(value.value)  # type: ignore[attr-defined]

    return StorageLevel(
        name=spec.name,
        instances=instances,
        mesh_x=mesh_x,
        mesh_y=instances // mesh_x,
        word_bits=word_bits,
        words_per_row=int(spec.words_per_row.value) if spec.words_per_row else 1,
        capacity_words=int(spec.capacity_words.value) if spec.capacity_words else None,
        multiple_buffering=limit(spec.buffers) or 1.0,
        read_bandwidth_words_per_cycle=limit(spec.read_words_per_cycle),
        write_bandwidth_words_per_cycle=limit(spec.write_words_per_cycle),
        shared_bandwidth_words_per_cycle=limit(spec.words_per_cycle),
        energy_read_pj=float(spec.read_pj.value),
        energy_write_pj=float(spec.write_pj.value),
        energy_update_pj=float((spec.update_pj or spec.write_pj).value),
        energy_leak_pj_per_cycle=limit(spec.leak_pj) or 0.0,
        multicast=spec.multicast,
        link_transfers=False,
    )


def arch_of(spec: NestSpec) -> NestArch:
    """The hierarchy of a spec; ValueError where it has no level."""
    levels = []
    instances, mesh_x = 1, 1
    for level in spec.levels:
        levels.append(_storage(level, instances, mesh_x, int(spec.word_bits.value)))
        if level.children is not None:
            x = int(level.children.x.value)
            instances *= x * (int(level.children.y.value) if level.children.y else 1)
            mesh_x *= x
    compute = ComputeLevel(
        name=spec.compute.name,
        instances=instances,
        mesh_x=mesh_x,
        mesh_y=instances // mesh_x,
        word_bits=int(spec.word_bits.value),
        energy_compute_pj=float(spec.compute.mac_pj.value),
        energy_leak_pj_per_cycle=float(spec.compute.leak_pj.value) if spec.compute.leak_pj else 0.0,
    )
    return NestArch(spec.name, tuple(levels), compute)


def load_nest(path: Path, strict: bool = False) -> NestMachine:
    """A hierarchy from its document; SpecError with every problem of the file."""
    document = load(path)
    kind = document.get("kind")
    if kind != "nest":
        hint = "hierarchies for the mapper are in arch/nests"
        raise SpecError([document.problem(("kind",), repr(kind), "'nest'", hint)])
    spec = parse(NestSpec, document, set(sources_for(path)), strict)
    names = [level.name for level in spec.levels]
    if not names or len(set(names)) != len(names):
        raise SpecError(
            [document.problem(("levels",), f"levels {names}", "one or more, with different names")]
        )
    return NestMachine(
        arch_of(spec), {level.name: level.rule.rule() for level in spec.levels}, spec.clock_hz.value, path
    )


def load_rules(path: Path, arch: NestArch) -> RuleBook:
    """Rules from their document; SpecError with every problem, names of levels that `arch` has not included."""
    document = load(path)
    spec = parse(NestRulesSpec, document)
    known = [level.name for level in arch.levels]
    problems = [
        document.problem(
            where, f"level {name!r}", f"one of {', '.join(known)}", nearest_hint(name, known), key=True
        )
        for where, name in _level_names(spec, document)
        if name not in known
    ]
    if problems:
        raise SpecError(problems)
    return RuleBook(
        {name: rule.rule() for name, rule in spec.levels.items()},
        tuple((pattern, {n: r.rule() for n, r in rules.items()}) for pattern, rules in spec.layers.items()),
    )


def check_rules_file(path: Path) -> None:
    """Read rules on their own; SpecError with every problem. Level names are checked where the rules are used."""
    parse(NestRulesSpec, load(path))


def _level_names(spec: NestRulesSpec, document: Document) -> Iterator[tuple[tuple[str, ...], str]]:
    for name in spec.levels:
        yield ("levels", name), name
    for pattern, rules in spec.layers.items():
        for name in rules:
            yield ("layers", pattern, name), name


NO_RULES: Mapping[str, LevelRule] = {}
