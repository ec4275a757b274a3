"""Pages of docs/machines/, one a kind, and docs/files.md: written from the models and specs themselves.

``python -m cosim.report.pages`` rewrites them; a test holds the committed pages to what this module writes.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from cosim.hardware.base import MachineModel, kinds, model_of
from cosim.ir.columns import COLUMNS
from cosim.spec.base import Unit
from cosim.spec.locate import ROOT
from cosim.spec.schema import field_docs
from cosim.spec.strict_yaml import load

NOTE = "<!-- Written by `make docs` from the source; edit the docstrings there. -->"


def machine_page(kind: str) -> str:
    """Markdown of one kind: what the model is, what it leaves out, its choices, parameters and presets."""
    model = model_of(kind)
    module = sys.modules[type(model).__module__]
    parts = [
        f"# `{kind}`: {model.summary}",
        NOTE,
        "## Model",
        inspect.cleandoc(module.__doc__ or "")
        .replace(":mod:", "")
        .replace(":class:", "")
        .replace(":func:", ""),
        f"One cycle in the results is {model.cycle}.",
        "## What the model leaves out",
        "\n".join(f"- {text}" for text in model.leaves_out),
    ]
    if model.choices:
        rows = [(f"`{name}`", ", ".join(f"`{v}`" for v in values)) for name, values in model.choices.items()]
        parts += [
            "## Choices per layer (mapping files)",
            _table(("choice", "values, the first is the default"), rows),
        ]
    parts += ["## Parameters of a machine file", _table(("path", "unit", "meaning"), list(_fields(model)))]
    parts += ["## Machines that are shipped", _table(("file", "what it is"), list(_presets(kind)))]
    return "\n\n".join(parts) + "\n"


def files_page() -> str:
    """Markdown of the document kinds and the result columns."""
    documents = [
        ("`arch/*.yaml`", "a machine", "`kind` names the model; blocks of constants with sources"),
        ("`arch/sources.yaml`", "the bibliography", "`sources: {key: {title, ...}}`"),
        ("`arch/boards/*.yaml`", "an FPGA board", "`kind: board`; resources, clock, memory"),
        (
            "`arch/dram/*.yaml`",
            "DRAM devices of a standard",
            "`kind: dram`; organisations, speeds, refresh, activation limits",
        ),
        (
            "`arch/sweeps/*.yaml`",
            "a design space",
            "`kind: sweep`; axes, conditions, constraints, objectives",
        ),
        ("`workloads/*.yaml`", "a network", "`kind: workload`; one layer a line in execution order"),
        (
            "`mappings/*.yaml`",
            "choices per layer",
            "`kind: mapping`; `defaults`, and `layers` by name or wildcard",
        ),
    ]
    columns = [(f"`{c.name}`", c.unit or "text", c.meaning) for c in COLUMNS.values()]
    text = (
        "A constant is a number in the unit of its field's suffix, a text with a unit (`850 fJ`, `1.2 GHz`, `64 KiB`), "
        "or a mapping `{value, source, kind, range, note}`. `provenance: {source, kind, note}` in a block holds for "
        "every constant of the block that names no source of its own. `cosim schema KIND` prints the JSON Schema "
        "that editors use; `cosim validate --strict` checks a file."
    )
    return (
        "\n\n".join(
            [
                "# Files",
                NOTE,
                text,
                _table(("file", "what", "form"), documents),
                "## Columns of the layer table",
                _table(("column", "unit", "meaning"), columns),
            ]
        )
        + "\n"
    )


def _fields(model: MachineModel) -> Iterator[tuple[str, str, str]]:
    yield from _walk(model.spec, ())


def _walk(spec: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    docs = field_docs(spec)
    for name, info in spec.model_fields.items():
        inner = _inner_spec(info.annotation)
        here = (*path, name)
        meaning = " ".join((docs.get(name) or (first_line(inner) if inner else "")).split())
        if inner is not None:
            yield from _walk(inner, here)
            continue
        optional = "" if info.is_required() else " (optional)"
        yield f"`{'.'.join(here)}`", _unit(info), meaning + optional


def first_line(spec: type[BaseModel]) -> str:
    """First line of a spec's docstring."""
    return (spec.__doc__ or "").strip().splitlines()[0] if spec.__doc__ else ""


def _inner_spec(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = [a for a in get_args(annotation) if isinstance(a, type) and issubclass(a, BaseModel)]
    return found[0] if len(found) == 1 else None


def _unit(info: Any) -> str:
    for extra in (
        *info.metadata,
        *(m for a in get_args(info.annotation) for m in getattr(a, "__metadata__", ())),
    ):
        if isinstance(extra, Unit):
            return extra.suffix
    if info.annotation is bool:
        return "true or false"
    words = [str(a) for a in get_args(info.annotation) if isinstance(a, str)]
    return " or ".join(f"`{w}`" for w in words) if words else "text"


def _presets(kind: str) -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "arch").glob("*.yaml")):
        document = load(path)
        if document.get("kind") == kind:
            yield f"`arch/{path.name}`", " ".join(str(document.get("description") or "").split())


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    lines += [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def pages() -> dict[Path, str]:
    """Every generated page by its path below the root."""
    made = {Path("docs/machines") / f"{kind}.md": machine_page(kind) for kind in kinds()}
    return {**made, Path("docs/files.md"): files_page()}


def main() -> None:
    """Rewrite the pages."""
    for path, text in pages().items():
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
