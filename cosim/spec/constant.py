"""A physical constant: a number with its unit, where it comes from, and how far it may be off.

In a file a constant is a number, a text with a unit, or a mapping:

    clock_hz: {value: 250 MHz, source: cnna16, kind: measured, range: [200 MHz, 300 MHz], note: "table 2"}

`provenance: {source, kind, note}` in any mapping holds for every constant of that block, and of the blocks below
it, that does not state its own. A constant that names its own source takes nothing from the block: a kind or a
note written for one source says nothing about another.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from cosim.spec.problems import Path, Refusal, Refused, describe, nearest_hint, one_of
from cosim.spec.units import expected, parse

Kind = Literal["measured", "datasheet", "simulated", "derived", "assumed", "fitted", "published", "unset"]
SetBy = Literal["file", "override", "default"]
KINDS: tuple[str, ...] = tuple(kind for kind in get_args(Kind) if kind != "unset")
COMMAND_LINE = "command line"
_KEYS = ("value", "source", "kind", "range", "note")
_PROVENANCE_KEYS = ("source", "kind", "note")
_NEEDS_NOTE = {
    "assumed": "a note with the reason",
    "fitted": "a note with the data it was fitted to and the error on held-out data",
}


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a number comes from; `source` is a key of the bibliography."""

    source: str | None = None
    kind: Kind = "unset"
    note: str = ""

    def under(self, block: Provenance) -> Provenance:
        """This provenance where it is stated, the block's where it is not."""
        if self.source is not None:
            return self
        kind = block.kind if self.kind == "unset" else self.kind
        return Provenance(block.source, kind, self.note or block.note)


NOWHERE = Provenance()
_REFUSED_BLOCK = Provenance(source="", kind="derived")


@dataclass(frozen=True, slots=True)
class Constant:
    """A number in its canonical unit.

    `value` is an int where the field asks for a whole number. `unit` is the suffix of the field (`hz`,
    `pj_per_bit`), `count`, `fraction` or `ratio`. `range` is (lowest, highest) in the same unit. `set_by` tells a
    number of the file from one of `--set` and from one of the program.
    """

    value: float
    unit: str
    source: str | None = None
    kind: Kind = "unset"
    range: tuple[float, float] | None = None
    note: str = ""
    set_by: SetBy = "default"

    def __float__(self) -> float:
        """The value."""
        return float(self.value)

    def __int__(self) -> int:
        """The value where it is whole; ValueError otherwise, rather than a cut."""
        whole = int(self.value)
        if whole != self.value:
            raise ValueError(f"{self.value!r} {self.unit} is not a whole number")
        return whole


@dataclass(frozen=True, slots=True)
class Limits:
    """What numbers a field takes, in its canonical unit."""

    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    whole: bool = False

    def hold(self, value: float) -> bool:
        """Whether `value` is inside."""
        return not (
            (self.above is not None and not value > self.above)
            or (self.at_least is not None and not value >= self.at_least)
            or (self.at_most is not None and not value <= self.at_most)
            or (self.whole and value != int(value))
        )

    def describe(self, suffix: str) -> str:
        """`a frequency such as '200 MHz', above 0`."""
        what = "a whole number" if self.whole and suffix == "count" else expected(suffix)
        limits = [
            text
            for limit, text in (
                (self.above, f"above {self.above}"),
                (self.at_least, f"at least {self.at_least}"),
                (self.at_most, f"at most {self.at_most}"),
            )
            if limit is not None
        ]
        whole = f" and whole in {suffix}" if self.whole and suffix != "count" else ""
        return what + (", " + " and ".join(limits) if limits else "") + whole


@dataclass(frozen=True, slots=True)
class Reading:
    """How constants are to be read: the known sources (None: any) and whether each must state one."""

    sources: Collection[str] | None = None
    strict: bool = False


def read_number(raw: Any, suffix: str, limits: Limits, at: Path = ()) -> float:
    """A bare number, or text with a unit, in the unit of `suffix` and inside `limits`; raises Refused."""
    if isinstance(raw, str):
        try:
            value = parse(raw, suffix)
        except Refused as error:
            raise Refused(
                [Refusal(r.found, limits.describe(suffix), r.hint, at) for r in error.refusals]
            ) from None
    elif isinstance(raw, int | float) and not isinstance(raw, bool):
        value = raw
    else:
        raise Refused([Refusal(describe(raw), limits.describe(suffix), at=at)])
    if value - value != 0.0 or not limits.hold(value):
        raise Refused([Refusal(describe(raw), limits.describe(suffix), at=at)])
    return int(value) if limits.whole else float(value)


def read_constant(
    raw: Any,
    suffix: str,
    limits: Limits,
    block: Provenance = NOWHERE,
    reading: Reading = Reading(),
    set_by: SetBy = "file",
) -> Constant:
    """A constant from a number, a text with a unit, or a mapping.

    `block` is the provenance of the enclosing blocks; a value set on the command line takes none of it.
    Raises Refused with every reason at once.
    """
    fields: Mapping[str, Any] = raw if isinstance(raw, dict) else {"value": raw}
    refusals = _unknown_keys(fields, _KEYS, "a constant")
    at: Path = ("value",) if isinstance(raw, dict) else ()
    value, span = 0.0, None
    if "value" not in fields:
        refusals.append(Refusal("no 'value' in the mapping of a constant", limits.describe(suffix)))
    else:
        try:
            value = read_number(fields["value"], suffix, limits, at)
            span = _range(fields.get("range"), value, suffix, limits)
        except Refused as error:
            refusals.extend(error.refusals)
    provenance = Provenance(COMMAND_LINE, "assumed", "set with --set")
    if set_by != "override":
        own, wrong = read_provenance(fields, reading)
        refusals.extend(wrong)
        provenance = own.under(block)
        if not wrong:
            refusals.extend(unsourced(provenance, reading))
    if refusals:
        raise Refused(refusals)
    return Constant(value, suffix, provenance.source, provenance.kind, span, provenance.note, set_by)


def unsourced(stated: Provenance | Constant, reading: Reading) -> list[Refusal]:
    """An unknown source; under strict reading also no source, no kind, or no reason for what was assumed."""
    if stated.source is not None and not _is_known(stated.source, reading):
        return [_unknown_source(stated.source, reading)]
    if not reading.strict:
        return []
    missing = []
    if stated.source is None:
        allowed = "{value, source, kind}, or `provenance` on its block"
        missing.append(Refusal("a constant without a source", allowed))
    elif stated.kind == "unset":
        missing.append(Refusal("a constant without a kind", f"one of {one_of(KINDS)}"))
    if stated.kind in _NEEDS_NOTE and not stated.note:
        missing.append(Refusal(f"the kind '{stated.kind}' without a note", _NEEDS_NOTE[stated.kind]))
    return missing


def _is_known(source: str, reading: Reading) -> bool:
    return reading.sources is None or source in reading.sources or source == _REFUSED_BLOCK.source


def _unknown_source(source: str, reading: Reading, at: Path = ()) -> Refusal:
    hint = nearest_hint(source, reading.sources or ())
    return Refusal(f"the unknown source '{source}'", "a key of arch/sources.yaml", hint, at)


def read_provenance(fields: Mapping[str, Any], reading: Reading) -> tuple[Provenance, list[Refusal]]:
    """The source, kind and note of a mapping, and what is wrong with them."""
    refusals = []
    source, kind, note = fields.get("source"), fields.get("kind", "unset"), fields.get("note", "")
    if source is not None and not isinstance(source, str):
        refusals.append(Refusal(describe(source), "the key of a source", at=("source",)))
    elif source is not None and not _is_known(source, reading):
        refusals.append(_unknown_source(source, reading, ("source",)))
    if "kind" in fields and kind not in KINDS:
        hint = nearest_hint(kind, KINDS) if isinstance(kind, str) else ""
        refusals.append(Refusal(describe(kind), f"one of {one_of(KINDS)}", hint, ("kind",)))
    if not isinstance(note, str):
        refusals.append(Refusal(describe(note), "text", at=("note",)))
    if refusals:
        return NOWHERE, refusals
    return Provenance(source, cast(Kind, kind), note), []


def read_block_provenance(raw: Any, reading: Reading) -> tuple[Provenance, list[Refusal]]:
    """The value of a `provenance` key."""
    if not isinstance(raw, dict):
        return _REFUSED_BLOCK, [Refusal(describe(raw), "{source, kind, note}")]
    unknown = _unknown_keys(raw, _PROVENANCE_KEYS, "a provenance")
    provenance, wrong = read_provenance(raw, reading)
    if unknown + wrong:
        # the document is refused already; its constants need not be called unsourced as well
        return _REFUSED_BLOCK, unknown + wrong
    return provenance, []


def _unknown_keys(fields: Mapping[str, Any], known: tuple[str, ...], where: str) -> list[Refusal]:
    return [
        Refusal(f"the unknown key '{key}' in {where}", one_of(known), nearest_hint(key, known), (key,), True)
        for key in fields
        if key not in known
    ]


def _range(raw: Any, value: float, suffix: str, limits: Limits) -> tuple[float, float] | None:
    """The ends of a range, checked against the value they surround."""
    if raw is None:
        return None
    if not isinstance(raw, list | tuple) or len(raw) != 2:
        raise Refused([Refusal(describe(raw), "[lowest, highest]", at=("range",))])
    low, high = (read_number(end, suffix, limits, ("range", i)) for i, end in enumerate(raw))
    if not low <= value <= high:
        found = f"a range from {low} to {high} around the value {value}"
        raise Refused([Refusal(found, "lowest <= value <= highest", at=("range",))])
    return (low, high)
