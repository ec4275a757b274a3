"""A validated spec to plain numbers and choices, by one generic walk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from cosim.components.params import ParameterRow, Params, Value
from cosim.spec.constant import Constant
from cosim.spec.machine import MachineSpec

_IDENTITY = ("kind", "name", "description", "companion")


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """(dotted path, constant or plain value) of everything a spec states; absent optional parts are left out."""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            if path or name not in _IDENTITY:
                yield from leaves(getattr(value, name), (*path, name))
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from leaves(inner, (*path, str(name)))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, str(index)))
    elif value is not None:
        yield ".".join(path), value


def lower(spec: MachineSpec, parts: Mapping[str, Params] | None = None) -> Params:
    """Numbers to ``values``, words and switches to ``options`` (``true``/``false``), by dotted path."""
    values: dict[str, Value] = {}
    options: dict[str, str] = {}
    for path, leaf in leaves(spec):
        if isinstance(leaf, Constant):
            values[path] = float(leaf.value)
        elif isinstance(leaf, bool):
            options[path] = "true" if leaf else "false"
        elif isinstance(leaf, int | float):
            values[path] = float(leaf)
        else:
            options[path] = str(leaf)
    return Params(kind=spec.kind, name=spec.name, values=values, options=options, parts=dict(parts or {}))


def parameter_rows(
    spec: MachineSpec, overridden: frozenset[str], prefix: str = ""
) -> tuple[ParameterRow, ...]:
    """Every effective parameter of a spec with its source; ``overridden`` names the paths set by the user."""
    rows = []
    for path, leaf in leaves(spec):
        full = prefix + path
        if isinstance(leaf, Constant):
            unit = "" if leaf.unit in ("count", "fraction", "ratio") else leaf.unit
            rows.append(
                ParameterRow(
                    full,
                    float(leaf.value),
                    unit,
                    leaf.source or "",
                    leaf.kind,
                    leaf.set_by,
                    leaf.note,
                    leaf.range,
                )
            )
        else:
            text = ("true" if leaf else "false") if isinstance(leaf, bool) else str(leaf)
            rows.append(
                ParameterRow(full, text, "", "", "choice", "override" if path in overridden else "file")
            )
    return tuple(rows)
