"""Workload files, written: one layer a line, byte for byte the same for the same workload."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cosim.ir.layer_fields import fields_of
from cosim.ir.workload import Workload

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@-]*\Z")
_WORDS = frozenset(("true", "false", "null", "yes", "no", "on", "off"))
_HEAD = """\
# A network as `cosim` reads it. Convolution dimensions N G K C P Q R S, K and C per group; the input size H W, the
# element counts of multiply-accumulate layers and the operations of the others are left out where they follow.
# Without `inputs` a layer reads the one above it; without `module` its module path is its name.
"""


def save_workload(workload: Workload, path: Path | str) -> None:
    """Write ``workload`` to ``path`` in the form that :func:`~cosim.ir.workload_file.load_workload` reads.

    Raises ``OSError`` if the file cannot be written.
    """
    Path(path).write_text(dump_workload(workload), encoding="utf-8")


def dump_workload(workload: Workload) -> str:
    """The text of a workload file."""
    lines = [f"{_HEAD}kind: workload", f"name: {_scalar(workload.name)}"]
    if workload.batch != 1:
        lines.append(f"batch: {workload.batch}")
    lines += _block("origin", workload.origin)
    lines += _block("published", workload.published)
    lines += _block("inputs", workload.inputs)
    if workload.outputs:
        lines.append(f"outputs: {_flow(workload.outputs)}")
    lines.append("layers:")
    previous = tuple(workload.inputs)[:1]
    for layer in workload.layers:
        lines.append(f"  - {_flow(_short(fields_of(layer, previous, workload.batch)))}")
        previous = (layer.name,)
    if workload.coverage.operators:
        lines.append("coverage:")
    for row in workload.coverage.operators:
        fields = {"operator": row.operator, "treatment": row.treatment, "count": row.count}
        more = {"macs": row.macs, "moved_bytes": row.moved_bytes}
        lines.append(f"  - {_flow({**fields, **{k: v for k, v in more.items() if v}})}")
    return "\n".join(lines) + "\n"


def _block(key: str, values: Mapping[str, Any]) -> list[str]:
    return [f"{key}:", *(f"  {_scalar(k)}: {_flow(v)}" for k, v in values.items())] if values else []


def _short(fields: dict[str, Any]) -> dict[str, Any]:
    """Equal pairs become one number, symmetric paddings one or two."""
    out = dict(fields)
    for key in ("stride", "dilation", "padding"):
        if key in out:
            values = tuple(out[key])
            if len(set(values)) == 1:
                out[key] = values[0]
            elif len(values) == 4 and values[:2] == values[2:]:
                out[key] = values[:2]
    if len(out.get("inputs", ())) == 1:
        out["inputs"] = out["inputs"][0]
    return out


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(v) for v in value) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    """A scalar that the strict reader gives back as the same value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, int):
        return str(value)
    text = str(value)
    return text if _PLAIN.match(text) and text.lower() not in _WORDS else json.dumps(text, ensure_ascii=False)
