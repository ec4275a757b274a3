"""Content hashes: equal for equal content, however it was written.

Key order, spacing and number format do not count: `1.2 GHz`, `1.2e9` and `1200000000` are the same number once
read. Of a constant, value and unit count; its source, range and note do not, because they do not change a result.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cosim.spec.constant import Constant


def canonical(obj: Any) -> Any:
    """Plain data of a spec, a dataclass or containers; whole floats become ints; TypeError for the rest."""
    if obj is None or isinstance(obj, bool | str):
        return obj
    if isinstance(obj, int):
        return int(obj)
    if isinstance(obj, float):
        if obj - obj != 0.0:
            raise ValueError(f"{obj!r} has no canonical form")
        return int(obj) if obj.is_integer() else float(obj)
    if isinstance(obj, Constant):
        return {"unit": obj.unit, "value": canonical(obj.value)}
    if isinstance(obj, Mapping):
        return {_key(key): canonical(value) for key, value in obj.items()}
    if isinstance(obj, list | tuple):
        return [canonical(value) for value in obj]
    if isinstance(obj, set | frozenset):
        return sorted((canonical(value) for value in obj), key=canonical_json)
    if dataclasses.is_dataclass(obj) and not isinstance(obj, type):
        return {field.name: canonical(getattr(obj, field.name)) for field in dataclasses.fields(obj)}
    fields = getattr(type(obj), "model_fields", None)
    if isinstance(fields, dict):
        return {name: canonical(getattr(obj, name)) for name in fields}
    item = getattr(obj, "item", None)
    if callable(item) and getattr(obj, "ndim", 0) == 0:
        return canonical(item())
    raise TypeError(f"a {type(obj).__name__} has no canonical form")


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    raise TypeError(f"{key!r} cannot be a key of canonical JSON")


def canonical_json(obj: Any) -> str:
    """JSON with sorted keys and no spaces; floats by their shortest exact form."""
    return json.dumps(
        canonical(obj), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def canonical_hash(obj: Any) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical_json(obj).encode()).hexdigest()[:16]
