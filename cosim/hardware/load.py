"""Machine files: read, validated, lowered, with their companions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from cosim.components.params import ParameterRow, Params
from cosim.hardware.base import MachineModel, kinds, model_of
from cosim.hardware.lowering import lower, parameter_rows
from cosim.spec.base import Spec, parse
from cosim.spec.hashing import canonical_hash
from cosim.spec.machine import MachineSpec
from cosim.spec.overrides import with_overrides
from cosim.spec.problems import Problem, SpecError, describe, nearest_hint, one_of
from cosim.spec.sources import sources_for
from cosim.spec.strict_yaml import Document, load

COMPANION = "companion"

# kind of document -> module and class of its form, beside those of the machines
FORMS: Mapping[str, tuple[str, str]] = {
    "board": ("cosim.components.fpga_board", "BoardSpec"),
    "dram": ("cosim.components.dram_spec", "DramSpec"),
    "memory": ("cosim.components.technology", "TechnologySpec"),
    "nest": ("cosim.mapping.nest_arch", "NestSpec"),
    "nest_rules": ("cosim.mapping.nest_arch", "NestRulesSpec"),
}


@dataclass(frozen=True)
class Machine:
    """A machine ready to evaluate: its model, its numbers, and where every number comes from."""

    path: Path
    spec: MachineSpec
    params: Params
    model: MachineModel
    parameters: tuple[ParameterRow, ...]
    overrides: Mapping[str, str]
    hash: str

    @property
    def name(self) -> str:
        """Name of the machine."""
        return self.spec.name

    @property
    def kind(self) -> str:
        """Kind of the machine."""
        return self.spec.kind

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(
            f"<tr><td>{escape(p.path)}</td><td>{escape(str(p.value))} {escape(p.unit)}</td>"
            f"<td>{escape(p.source)}</td><td>{escape(p.kind)}</td></tr>"
            for p in self.parameters
        )
        title = f"<b>{escape(self.name)}</b> ({escape(self.kind)}): {escape(self.spec.description)}"
        return f"<div>{title}<table>{rows}</table></div>"


def load_machine(
    path: Path, overrides: Mapping[str, str], *, strict: bool = False, _above: tuple[Path, ...] = ()
) -> Machine:
    """Read the machine at ``path`` with ``path=value`` overrides (``companion.…`` reaches the companion).

    Raises :class:`SpecError` with every problem of the file, of its overrides and of its companion.
    """
    own = {p: v for p, v in overrides.items() if not p.startswith(f"{COMPANION}.")}
    below = {
        p.removeprefix(f"{COMPANION}."): v for p, v in overrides.items() if p.startswith(f"{COMPANION}.")
    }
    document = with_overrides(load(path), own)
    model = _model(document)
    spec = parse(model.spec, document, set(sources_for(path)), strict)
    parts: dict[str, Params] = {}
    rows = parameter_rows(spec, frozenset(own))
    if spec.companion is not None:
        companion = _companion(document, path, spec.companion, below, strict, _above)
        parts[COMPANION] = companion.params
        rows += parameter_rows(companion.spec, frozenset(below), f"{COMPANION}.")
    elif below:
        raise SpecError(
            [
                Problem(
                    f"command line (--set {COMPANION}.{name})",
                    0,
                    0,
                    COMPANION,
                    "a companion's parameter",
                    "a parameter of a machine that has a companion",
                )
                for name in below
            ]
        )
    params = lower(spec, parts)
    return Machine(path, spec, params, model, rows, dict(overrides), canonical_hash(_content(params)))


def _model(document: Document) -> MachineModel:
    data = document.data
    if not isinstance(data, dict):
        raise SpecError([document.problem((), describe(data), "a machine file (a mapping with 'kind')")])
    kind = data.get("kind")
    if kind not in kinds():
        found = "no kind" if kind is None else f"the unknown kind {describe(kind)}"
        hint = nearest_hint(kind, kinds()) if isinstance(kind, str) else ""
        raise SpecError([document.problem(("kind",), found, f"one of {one_of(kinds())}", hint)])
    return model_of(kind)


def _companion(
    document: Document,
    path: Path,
    ref: str,
    overrides: Mapping[str, str],
    strict: bool,
    above: tuple[Path, ...],
) -> Machine:
    target = (path.parent / ref).resolve()
    if target in (path.resolve(), *above):
        raise SpecError(
            [document.problem((COMPANION,), f"{ref}, which is this machine itself", "another machine")]
        )
    if not target.is_file():
        near = nearest_hint(ref, [p.name for p in path.parent.glob("*.yaml")])
        raise SpecError(
            [document.problem((COMPANION,), f"no such file {ref!r}", "a machine file beside this one", near)]
        )
    return load_machine(target, overrides, strict=strict, _above=(*above, path.resolve()))


def _content(params: Params) -> dict[str, Any]:
    return {
        "kind": params.kind,
        "values": dict(params.values),
        "options": dict(params.options),
        "parts": {role: _content(part) for role, part in params.parts.items()},
    }


def form_of(kind: str) -> type[Spec]:
    """The form of documents of ``kind``: of a kind of machine, or one of :data:`FORMS`; ``KeyError`` for another."""
    if kind not in FORMS:
        return model_of(kind).spec
    module, name = FORMS[kind]
    form: type[Spec] = getattr(import_module(module), name)
    return form


def schema_of(kind: str) -> dict[str, Any]:
    """JSON Schema of the documents of ``kind``: machines of a kind, ``workload`` files, and :data:`FORMS`.

    Raises :class:`SpecError` for an unknown kind.
    """
    from cosim.spec.schema import json_schema

    if kind == "workload":
        from cosim.ir.workload_schema import workload_schema

        return workload_schema()
    known = (*kinds(), "workload", *FORMS)
    if kind not in known:
        problem = Problem(
            "schema", 0, 0, "kind", repr(kind), f"one of {one_of(known)}", nearest_hint(kind, known)
        )
        raise SpecError([problem])
    return json_schema(form_of(kind))
