"""Tables of the fields of a spec, for the written pages: path, form, whether it is needed, meaning.

A block that stands at several places, and any memory, is shown once, in a table of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cosim.components.memory_spec import MemorySpec
from cosim.report.page_text import inline, table
from cosim.spec.base import Unit
from cosim.spec.constant import Constant
from cosim.spec.schema import field_docs
from cosim.spec.units import symbol_of

HEAD = ("path", "unit or words", "needed", "meaning")
_PLAIN = {str: "text", bool: "true or false", int: "whole number", float: "number"}


@dataclass(frozen=True)
class FieldRow:
    """One field of a document."""

    path: str
    form: str
    needed: str
    meaning: str

    @property
    def cells(self) -> tuple[str, ...]:
        """As a row of a table with :data:`HEAD`."""
        return f"`{self.path}`" if self.path else "", self.form, self.needed, self.meaning


@dataclass(frozen=True)
class FieldTable:
    """Fields of a spec, or of a block of it that stands at several places."""

    spec: type[BaseModel]
    rows: tuple[FieldRow, ...]
    places: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The table; those of shared blocks below a heading with their places."""
        rows = table(HEAD, [row.cells for row in self.rows])
        if not self.places:
            return rows
        about = inline(" ".join((self.spec.__doc__ or "").split()))
        return "\n\n".join(
            [f"### {title_of(self.spec)}", f"At {', '.join(f'`{p}`' for p in self.places)}. {about}", rows]
        )


def title_of(spec: type[BaseModel]) -> str:
    """A heading for a block that is shown once: its name in words."""
    return "Fields of a memory" if spec is MemorySpec else f"Fields of `{spec.__name__}`"


def field_tables(spec: type[BaseModel]) -> tuple[FieldTable, ...]:
    """Tables of a spec: its own fields, then each shared block."""
    places: dict[type[BaseModel], list[str]] = {}
    counts = Counter(inner for inner, _, _ in set(_inner(spec)))
    shared = {inner for inner, count in counts.items() if count > 1} | ({MemorySpec} & set(counts))
    own = tuple(_rows(spec, "", shared, places))
    tables = [FieldTable(spec, own)]
    done: set[type[BaseModel]] = set()
    while open_ := [inner for inner in places if inner not in done]:
        inner = open_[0]
        done.add(inner)
        tables.append(FieldTable(inner, tuple(_rows(inner, "", shared, places))))
    return tuple(FieldTable(t.spec, t.rows, tuple(places.get(t.spec, ()))) for t in tables)


def rules_of(spec: type[BaseModel]) -> tuple[str, ...]:
    """What a spec and its blocks check beyond types: the docstrings of their validators, each block once."""
    seen = dict.fromkeys([spec, *(inner for inner, _, _ in _inner(spec))])
    return tuple(doc for one in seen for doc in own_rules(one).values())


def own_rules(spec: type[BaseModel]) -> dict[str, str]:
    """Validators of a spec by name with their docstrings; empty text for one without."""
    found = spec.__pydantic_decorators__.model_validators
    return {
        name: " ".join((getattr(decorator.func, "__doc__", None) or "").split())
        for name, decorator in found.items()
        if name != "_in_block"
    }


def _inner(spec: type[BaseModel]) -> Iterator[tuple[type[BaseModel], type[BaseModel], str]]:
    """Blocks below a spec: the block, the one that it stands in, and as which field."""
    for name, info in spec.model_fields.items():
        inner, _ = block_of(info.annotation)
        if inner is not None:
            yield inner, spec, name
            yield from _inner(inner)


def _rows(
    spec: type[BaseModel],
    above: str,
    shared: set[type[BaseModel]],
    places: dict[type[BaseModel], list[str]],
) -> Iterator[FieldRow]:
    docs = field_docs(spec)
    for name, info in spec.model_fields.items():
        inner, suffix = block_of(info.annotation)
        path = f"{above}{name}{suffix}"
        doc = docs.get(name) or ((inner.__doc__ or "") if inner is not None else "")
        meaning = inline(" ".join(doc.split()))
        if inner is None:
            yield FieldRow(path, form_of(info), _needed(info), meaning)
        elif inner in shared:
            places.setdefault(inner, []).append(path)
            yield FieldRow(path, f"see {title_of(inner)} below", _needed(info), meaning)
        else:
            yield FieldRow(path, "block", _needed(info), meaning)
            yield from _rows(inner, f"{path}.", shared, places)


def block_of(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The spec inside a type, and what stands for its place in a list or mapping: ``[]``, ``.<name>``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    marks: dict[Any, str] = {tuple: "[]", list: "[]", dict: ".<name>"}
    for part in get_args(annotation):
        inner, suffix = block_of(part)
        if inner is not None:
            return inner, marks.get(get_origin(annotation), "") + suffix
    return None, ""


def _needed(info: FieldInfo) -> str:
    if info.is_required():
        return "yes"
    default = info.get_default()
    if default is None or isinstance(default, BaseModel) or default in ("", ()):
        return "no"
    if isinstance(default, Constant):
        return f"no, {default.value:g}"
    if isinstance(default, bool):
        return f"no, {str(default).lower()}"
    return f"no, `{default}`" if isinstance(default, str) else "no"


def form_of(info: FieldInfo) -> str:
    """Unit with limits, words, or the sort of value that a field takes."""
    for extra in info.metadata:
        if isinstance(extra, Unit):
            return _unit(extra)
    return _form(info.annotation)


def _form(annotation: Any) -> str:
    for extra in getattr(annotation, "__metadata__", ()):
        if isinstance(extra, Unit):
            return _unit(extra)
        least = [m.ge for m in getattr(extra, "metadata", ()) if isinstance(m, Ge)]
        if least:
            return f"whole number, at least {least[0]}"
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    origin, parts = get_origin(annotation), [p for p in get_args(annotation) if p not in (NoneType, Ellipsis)]
    if origin is Literal:
        return ", ".join(f"`{word}`" for word in parts)
    if origin is tuple:
        return f"list of {_form(parts[0])}"
    if origin is dict:
        return f"name: {_form(parts[1])}"
    if not parts:
        raise TypeError(f"no form for {annotation}")
    return _form(parts[0])


def _unit(unit: Unit) -> str:
    """``Hz, above 0``."""
    name = "whole number" if unit.suffix == "count" else symbol_of(unit.suffix) + ", whole" * unit.whole
    if unit.at_least is not None and unit.at_most is not None:
        return f"{name}, {unit.at_least:g} to {unit.at_most:g}"
    limits = (("above", unit.above), ("at least", unit.at_least), ("at most", unit.at_most))
    return ", ".join([name, *(f"{word} {limit:g}" for word, limit in limits if limit is not None)])
