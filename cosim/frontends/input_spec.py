"""Input shapes as a user writes them: ``1x3x224x224``, ``input_ids:1x128:int64``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cosim.frontends.errors import ExtractError, spelled

DTYPES = ("float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")
_SIZES = re.compile(r"[1-9][0-9]*(x[1-9][0-9]*)*\Z")
_FORM = "sizes such as 1x3x224x224, or name:sizes:type such as input_ids:1x128:int64"


@dataclass(frozen=True)
class InputSpec:
    """One input: name (empty: by position), sizes, element type (empty: the model's usual one)."""

    name: str
    shape: tuple[int, ...]
    dtype: str = ""

    def __str__(self) -> str:
        sizes = "x".join(str(n) for n in self.shape)
        named = f"{self.name}:{sizes}" if self.name else sizes
        return f"{named}:{self.dtype}" if self.dtype else named


def parse_inputs(text: str | Sequence[str] | Sequence[int] | None) -> tuple[InputSpec, ...]:
    """Parse one input, several separated by commas or given as a list, or a list of sizes for a single input.

    Raises ``ExtractError`` for anything else.
    """
    if text is None:
        return ()
    if isinstance(text, str):
        return tuple(_one(part.strip()) for part in text.split(","))
    listed = list(text)
    if listed and all(isinstance(n, int) and not isinstance(n, bool) for n in listed):
        return (_one("x".join(str(n) for n in listed)),)
    return tuple(spec for part in listed for spec in parse_inputs(str(part)))


def _one(text: str) -> InputSpec:
    parts = text.split(":")
    name, dtype = "", ""
    if len(parts) == 2:
        if _SIZES.match(parts[0]):
            parts, dtype = parts[:1], parts[1]
        else:
            name, parts = parts[0], parts[1:]
    elif len(parts) == 3:
        name, dtype = parts[0], parts[2]
        parts = parts[1:2]
    if len(parts) != 1 or not _SIZES.match(parts[0]) or (name and not name.isidentifier()):
        raise ExtractError(f"input shape: found {text!r}, allowed {_FORM}")
    if dtype and dtype not in DTYPES:
        hint = spelled(dtype, DTYPES)
        raise ExtractError(f"input shape: found type {dtype!r}, allowed {', '.join(DTYPES)}{hint}")
    return InputSpec(name, tuple(int(n) for n in parts[0].split("x")), dtype)
