"""One entry for every kind of model: a reference in, a workload out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cosim.frontends.catalogue import CATALOGUE
from cosim.frontends.errors import ExtractError
from cosim.frontends.input_spec import InputSpec, parse_inputs
from cosim.frontends.reference import Reference, parse_reference
from cosim.ir.workload import Workload

__all__ = ["ExtractError", "extract"]


def extract(
    model_ref: str,
    input_shapes: str | Sequence[str] | Sequence[int] | None = None,
    overrides: Mapping[str, Any] | Sequence[str] | None = None,
    name: str | None = None,
) -> Workload:
    """Extract a network.

    Parameters
    ----------
    model_ref:   ``path/file.py:Name``, ``package.module:Name``, ``hf:ViTConfig`` or ``network.onnx``, each with
                 optional arguments ``?key=value,...``
    input_shapes: ``1x3x224x224`` or ``input_ids:1x128:int64``, several separated by commas; may be left out for an
                 image model of transformers and for an ONNX file that states its shapes
    overrides:   further arguments, as a mapping or as texts ``key=value``
    name:        name of the workload; by default derived from the reference

    Raises
    ------
    ExtractError
        The reference, the arguments or the input cannot be used, the model cannot be traced, or an optional package
        is missing; the message says which.
    """
    reference = parse_reference(model_ref, overrides)
    inputs = parse_inputs(input_shapes)
    title = name or reference.short_name
    if reference.kind == "onnx":
        from cosim.frontends.onnx_file import extract_onnx

        workload, origin = extract_onnx(reference, inputs, title)
    else:
        workload, reference, inputs, origin = _from_torch(reference, inputs, title)
    origin = {
        "model": str(reference),
        **_shape_text(inputs),
        "command": _command(model_ref, reference, inputs, title),
        **origin,
    }
    return _with_published(replace(workload, origin=origin), title, model_ref)


def _from_torch(
    reference: Reference, inputs: tuple[InputSpec, ...], title: str
) -> tuple[Workload, Reference, tuple[InputSpec, ...], dict[str, str]]:
    from cosim.frontends.load import load_module, torch_library

    torch = torch_library()
    origin = {"torch": str(torch.__version__).partition("+")[0]}
    if reference.kind == "hf":
        from cosim.frontends import hf

        module, arguments = hf.build(reference.name, reference.arguments)
        reference = replace(reference, arguments=arguments)
        inputs = inputs or hf.default_inputs(module)
        origin["transformers"] = hf.version()
    else:
        module = load_module(reference)
    if not inputs:
        raise ExtractError(
            f"{reference}: found no input shape, allowed one such as 1x3x224x224 (--input-shape)"
        )
    from cosim.frontends.torch_export import trace

    return trace(module, inputs, title, str(reference)), reference, inputs, origin


def _shape_text(inputs: tuple[InputSpec, ...]) -> dict[str, str]:
    return {"input": ",".join(str(i) for i in inputs)} if inputs else {}


def _command(given: str, reference: Reference, inputs: tuple[InputSpec, ...], title: str) -> str:
    """The command that writes this workload again, arguments as the user gave them."""
    body = given.partition("?")[0]
    full = str(reference)
    model = given if title in CATALOGUE and given == CATALOGUE[title].model else body + full[len(body) :]
    shape = f" --input-shape {','.join(str(i) for i in inputs)}" if inputs else ""
    quoted = f"'{model}'" if "?" in model else model
    return f"cosim extract {quoted}{shape} --name {title} --force --out workloads/{title}.yaml"


def _with_published(workload: Workload, title: str, model_ref: str) -> Workload:
    """Attach the published counts if this is a shipped network under its own reference."""
    entry = CATALOGUE.get(title)
    if entry is None or entry.model != model_ref:
        return workload
    return replace(workload, published=entry.published.block(workload))
