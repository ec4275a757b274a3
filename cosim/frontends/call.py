"""One call of an ATen operator, described without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cosim.frontends.graph import Tensor


@dataclass(frozen=True)
class Call:
    """An operator call in an exported graph.

    ``operator`` is the full name with overload (``aten.conv2d.default``); ``args`` and ``kwargs`` hold
    :class:`Tensor` records in place of tensors, and plain numbers, strings, lists and None otherwise.
    """

    operator: str
    args: tuple[Any, ...]
    outputs: tuple[Tensor, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    module: str = ""

    @property
    def name(self) -> str:
        """Operator name without namespace, overload and in-place mark: ``aten.relu_.default`` -> ``relu``."""
        parts = self.operator.split(".")
        base = parts[1] if len(parts) > 1 else parts[0]
        return base if base.startswith("__") else base.rstrip("_")

    @property
    def output(self) -> Tensor:
        """The first output."""
        return self.outputs[0]

    def get(self, index: int, key: str, default: Any = None) -> Any:
        """Argument ``key`` of the operator's schema, given by position ``index`` or by keyword."""
        if len(self.args) > index:
            return self.args[index]
        return self.kwargs.get(key, default)

    def tensor(self, index: int, key: str) -> Tensor:
        """A required tensor argument; raises ``TypeError`` if it is something else."""
        value = self.get(index, key)
        if not isinstance(value, Tensor):
            raise TypeError(f"{self.operator}: argument {key}: found {value!r}, allowed a tensor")
        return value

    def optional(self, index: int, key: str) -> Tensor | None:
        """A tensor argument that may be None."""
        value = self.get(index, key)
        return value if isinstance(value, Tensor) else None

    @property
    def tensors(self) -> list[Tensor]:
        """Every tensor among the arguments, lists included, in operand order."""
        return list(_tensors((*self.args, *self.kwargs.values())))


def _tensors(values: Sequence[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


def ints(value: Any, dims: int) -> list[int]:
    """A size argument as a list: ATen accepts one number for all dimensions."""
    if isinstance(value, int):
        return [value] * dims
    listed = [int(v) for v in value]
    return listed * dims if len(listed) == 1 else listed
