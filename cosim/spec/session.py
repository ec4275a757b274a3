"""One reading of one document: what the validators need to know, and the problems they found.

pydantic knows where in its own tree an error sits; this module turns that into a place in the file. Every spec
translates its own errors while its block is at hand, so the path of a problem never depends on how pydantic
names the members of a union.
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from cosim.spec.constant import NOWHERE, Provenance, Reading, read_block_provenance
from cosim.spec.problems import Path, Problem, Refused, describe, nearest_hint, one_of
from cosim.spec.strict_yaml import Document

REPORTED = "reported"


class Block(dict[str, Any]):
    """A mapping of the document with its path and the provenance that holds in it."""

    path: Path = ()
    provenance: Provenance = NOWHERE
    overridden: bool = False


class FromCommandLine:
    """Marks a scalar that `--set` put in place of the file's."""


class _Int(int, FromCommandLine):
    pass


class _Float(float, FromCommandLine):
    pass


class _Str(str, FromCommandLine):
    pass


_TAGGED: dict[type, type] = {int: _Int, float: _Float, str: _Str}


def is_overridden(raw: Any) -> bool:
    """Whether a raw value came from the command line."""
    if isinstance(raw, Block):
        return raw.overridden or isinstance(raw.get("value"), FromCommandLine)
    return isinstance(raw, FromCommandLine)


class Session:
    """The state of one `parse`; handed to the validators as pydantic's context."""

    def __init__(self, document: Document, reading: Reading) -> None:
        """Read `document` by the rules of `reading`."""
        self.document = document
        self.reading = reading
        self.problems: list[Problem] = []
        self.blocks: list[Block] = []
        self.unused: dict[Path, None] = {}

    def prepare(
        self, raw: Any, path: Path = (), inherited: Provenance = NOWHERE, overridden: bool = False
    ) -> Any:
        """The data as the validators take it: blocks with their place, tuples for lists, overrides marked."""
        overridden = overridden or path in self.document.overrides
        if isinstance(raw, dict):
            block = Block()
            block.path, block.overridden, block.provenance = path, overridden, inherited
            if "provenance" in raw:
                own, refusals = read_block_provenance(raw["provenance"], self.reading)
                for refusal in refusals:
                    self.add(
                        (*path, "provenance", *refusal.at),
                        refusal.found,
                        refusal.allowed,
                        refusal.hint,
                        refusal.key,
                    )
                block.provenance = own.under(inherited)
                self.unused[path] = None
            for key, value in raw.items():
                if key != "provenance":
                    block[key] = self.prepare(value, (*path, key), block.provenance, overridden)
            return block
        if isinstance(raw, list):
            return tuple(self.prepare(v, (*path, i), inherited, overridden) for i, v in enumerate(raw))
        tagged = _TAGGED.get(type(raw)) if overridden else None
        return tagged(raw) if tagged is not None else raw

    def enter(self, block: Block) -> None:
        """Constants read from here on belong to `block`."""
        self.blocks.append(block)
        self.unused.pop(block.path, None)

    def leave(self) -> None:
        """The block is done."""
        self.blocks.pop()

    @property
    def provenance(self) -> Provenance:
        """What holds for a constant of the current block that states nothing itself."""
        return self.blocks[-1].provenance if self.blocks else NOWHERE

    def add(self, path: Path, found: str, allowed: str, hint: str = "", key: bool = False) -> None:
        """Record a problem at `path` of the document."""
        self.problems.append(self.document.problem(path, found, allowed, hint, key))

    def finish(self) -> None:
        """Refuse a provenance that stands where no constant could have taken it."""
        if not self.problems:
            for path in self.unused:
                self.add(
                    (*path, "provenance"),
                    "a provenance that no constant takes",
                    "it beside constants",
                    key=True,
                )

    def report(self, error: ValidationError, raw: Any, path: Path, model: type[BaseModel] | None) -> None:
        """Record every error of one block that an inner block has not reported itself."""
        merged: dict[tuple[Path, str, bool], tuple[list[str], str]] = {}
        for details in error.errors(include_url=False):
            for at, found, allowed, hint, key in _translate(details, raw, model):
                alternatives, _ = merged.setdefault((path + at, found, key), ([], hint))
                if allowed and allowed not in alternatives:
                    alternatives.append(allowed)
        for (at, found, key), (alternatives, hint) in merged.items():
            self.add(at, found, " or ".join(alternatives), hint, key)


def reported() -> PydanticCustomError:
    """The error a block raises towards its parent after it recorded its own problems."""
    return PydanticCustomError(REPORTED, "reported")


_ALLOWED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "none_required": "nothing (null)",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "string_too_short": "text of at least {min_length} characters",
    "string_pattern_mismatch": "text that matches {pattern}",
    "too_short": "at least {min_length} items",
    "too_long": "at most {max_length} items",
}

_Row = tuple[Path, str, str, str, bool]


def _translate(details: ErrorDetails, raw: Any, model: type[BaseModel] | None) -> list[_Row]:
    """(path, found, allowed, hint, point at the key) of one pydantic error; none if reported already."""
    kind, context, loc = details["type"], details.get("ctx", {}), details["loc"]
    fields = model.model_fields if model is not None else {}
    at = _path_in(raw, loc, fields)
    if kind == REPORTED:
        return []
    if kind == "missing":
        path = (*_path_in(raw, loc[:-1]), loc[-1])
        return [
            (
                path,
                f"no key '{loc[-1]}'",
                _field_takes(fields.get(str(loc[0])) if len(loc) == 1 else None),
                "",
                True,
            )
        ]
    if kind == "extra_forbidden":
        known = list(fields) if len(loc) == 1 else []
        found = f"the unknown key '{loc[-1]}'"
        return [(at, found, one_of(known), nearest_hint(str(loc[-1]), known), True)]
    if kind == "literal_error":
        choices = _quoted(context["expected"])
        found_value = details["input"]
        hint = nearest_hint(found_value, choices) if isinstance(found_value, str) else ""
        return [(at, describe(found_value), one_of(choices), hint, False)]
    if kind == "union_tag_invalid":
        name, choices = context["discriminator"].strip("'"), _quoted(context["expected_tags"])
        hint = nearest_hint(str(context["tag"]), choices)
        return [((*at, name), describe(context["tag"]), one_of(choices), hint, False)]
    if kind == "union_tag_not_found":
        name = context["discriminator"].strip("'")
        return [((*at, name), f"no key '{name}'", "the key that names the form of this block", "", True)]
    if kind in ("value_error", "assertion_error"):
        error = context.get("error")
        if isinstance(error, Refused):
            return [(at + r.at, r.found, r.allowed, r.hint, r.key) for r in error.refusals]
        return [(at, str(error), "", "", False)]
    if kind in _ALLOWED:
        return [(at, describe(details["input"]), _ALLOWED[kind].format(**context), "", False)]
    return [(at, describe(details["input"]), details["msg"], "", False)]


def _path_in(raw: Any, loc: tuple[str | int, ...], fields: Container[Any] = ()) -> Path:
    """The steps of `loc` that exist in the data; pydantic puts union members and tags between them.

    A first step that is one of `fields` is kept although the data lack it: it has a default that is wrong.
    """
    path: list[str | int] = []
    for step in loc:
        if isinstance(raw, dict) and step in raw:
            raw = raw[str(step)]
        elif isinstance(raw, list | tuple) and isinstance(step, int) and step < len(raw):
            raw = raw[step]
        elif not path and step in fields:
            return (step,)
        else:
            continue
        path.append(step)
    return tuple(path)


def _field_takes(info: FieldInfo | None) -> str:
    """What a missing field would take."""
    if info is None:
        return "this key, which has no default"
    for extra in info.metadata:
        describe_field = getattr(extra, "describe", None)
        if callable(describe_field):
            return str(describe_field())
    if get_origin(info.annotation) is Literal:
        return one_of(map(str, get_args(info.annotation)))
    plain = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
    if info.annotation in plain:
        return plain[info.annotation]
    if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
        return f"a mapping with {one_of(info.annotation.model_fields)}"
    return "this key, which has no default"


def _quoted(listing: str) -> list[str]:
    """`'a', 'b' or 'c'` as its words."""
    return re.findall(r"'([^']*)'", listing) or [listing]
