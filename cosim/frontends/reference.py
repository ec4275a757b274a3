"""Model references: where a model is and with which arguments it is built.

``path/file.py:Name``, ``package.module:Name``, ``hf:ViTConfig``, ``network.onnx``; arguments follow a question mark,
separated by commas: ``hf:ViTConfig?hidden_size=192,num_attention_heads=3``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cosim.frontends.errors import ExtractError
from cosim.spec.problems import SpecError
from cosim.spec.strict_yaml import loads

_FORMS = "path/file.py:Name, package.module:Name, hf:ViTConfig or network.onnx"


@dataclass(frozen=True)
class Reference:
    """``kind`` is ``file``, ``module``, ``hf`` or ``onnx``; ``place`` the file, module or empty; ``name`` in it."""

    kind: str
    place: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        body = {"hf": f"hf:{self.name}", "onnx": self.place}.get(self.kind, f"{self.place}:{self.name}")
        given = ",".join(f"{key}={_text(value)}" for key, value in self.arguments.items())
        return f"{body}?{given}" if given else body

    @property
    def short_name(self) -> str:
        """A name for the workload when the user gives none."""
        if self.kind == "onnx":
            return self.place.replace("\\", "/").rpartition("/")[2].removesuffix(".onnx")
        return self.name.removesuffix("Config").lower() if self.kind == "hf" else self.name


def parse_reference(text: str, overrides: Mapping[str, Any] | Sequence[str] | None = None) -> Reference:
    """Split a reference; ``overrides`` (a mapping, or texts ``key=value``) win over those in the text.

    Raises ``ExtractError`` if the text has none of the four forms.
    """
    body, _, tail = text.partition("?")
    arguments = _arguments(_split(tail))
    arguments.update(overrides if isinstance(overrides, Mapping) else _arguments(overrides or ()))
    place, colon, name = body.rpartition(":")
    if body.endswith(".onnx"):
        return Reference("onnx", body, "", arguments)
    if not colon or not place or not name:
        raise ExtractError(f"model: found {text!r}, allowed {_FORMS}")
    if place == "hf":
        return Reference("hf", "", name, arguments)
    return Reference("file" if place.endswith(".py") else "module", place, name, arguments)


def _split(text: str) -> list[str]:
    """Split at commas that are not inside brackets."""
    parts, depth = [""], 0
    for char in text:
        depth += (char in "[{(") - (char in "]})")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return [part for part in parts if part.strip()]


def _arguments(pairs: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip().isidentifier():
            raise ExtractError(f"model argument: found {pair!r}, allowed name=value")
        try:
            values[key.strip()] = loads(f"value: {value}", pair).data["value"]
        except SpecError as error:
            raise ExtractError(f"model argument {key.strip()}: {error}") from None
    return values


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_text(v) for v in value) + "]"
    return str(value)
