"""Which numbers a parameter of a machine may take, for whole columns at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from cosim.engine import load_arch
from cosim.explore.axes import Axis
from cosim.hardware.load import COMPANION, Machine
from cosim.spec.base import Unit


def numbers_of(machine: Machine) -> dict[str, float]:
    """Every numeric parameter of the machine and of its parts, by full path."""
    found = {path: float(np.max(value)) for path, value in machine.params.values.items()}
    for role, part in machine.params.parts.items():
        found.update({f"{role}.{path}": float(np.max(value)) for path, value in part.values.items()})
    return found


def words_of(machine: Machine) -> dict[str, str]:
    """Every word of the machine file and of its parts, by full path."""
    found = dict(machine.params.options)
    for role, part in machine.params.parts.items():
        found.update({f"{role}.{path}": value for path, value in part.options.items()})
    return found


def unit_of(machine: Machine, path: str) -> Unit | None:
    """Unit and limits of a numeric parameter; None for a plain number, which has no declared limits."""
    return _units(machine.path.resolve(), type(machine.spec).__name__).get(path)


@cache
def _units(path: Path, _kind: str) -> dict[str, Unit]:
    machine = load_arch(path)
    found = dict(_walk(machine.spec, ()))
    if machine.spec.companion is not None:
        companion = load_arch(path.parent / machine.spec.companion)
        found.update({f"{COMPANION}.{name}": unit for name, unit in _walk(companion.spec, ())})
    return found


def _walk(spec: BaseModel, above: tuple[str, ...]) -> Iterator[tuple[str, Unit]]:
    for name, info in type(spec).model_fields.items():
        value = getattr(spec, name)
        if isinstance(value, BaseModel):
            yield from _walk(value, (*above, name))
            continue
        units = [m for m in info.metadata if isinstance(m, Unit)] or list(_inside(info.annotation))
        if units:
            yield ".".join((*above, name)), units[0]


def _inside(annotation: Any) -> Iterator[Unit]:
    for part in get_args(annotation):
        if isinstance(part, Unit):
            yield part
        else:
            yield from _inside(part)


def illegal(values: NDArray[np.float64], unit: Unit) -> NDArray[np.bool_]:
    """Mask of the values outside the limits of ``unit``."""
    wrong = ~np.isfinite(values)
    if unit.above is not None:
        wrong |= ~(values > unit.above)
    if unit.at_least is not None:
        wrong |= ~(values >= unit.at_least)
    if unit.at_most is not None:
        wrong |= ~(values <= unit.at_most)
    if unit.whole:
        wrong |= values != np.floor(values)
    return np.asarray(wrong)


def applies(axis: Axis, machine: Machine) -> bool:
    """True if the machine has the parameter, word or choice of the axis."""
    if axis.numeric:
        return axis.path in numbers_of(machine)
    return axis.path in words_of(machine) or axis.path in machine.model.choices
