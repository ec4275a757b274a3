"""ONNX files to workloads, through ONNX shape inference with data propagation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cosim.frontends.errors import ExtractError
from cosim.frontends.graph import GraphBuilder, Kind, Tensor
from cosim.frontends.input_spec import InputSpec
from cosim.frontends.onnx_graph import (
    OnnxGraph,
    OnnxNode,
    attributes,
    module_path,
    onnx_library,
    read_graph,
    weight,
)
from cosim.frontends.onnx_ops import convert
from cosim.frontends.reference import Reference
from cosim.ir.workload import Workload

# The result depends on shapes alone, and shapes are fixed here.
_SHAPE_ONLY = ("Shape", "Size")


def extract_onnx(
    reference: Reference, inputs: Sequence[InputSpec], name: str
) -> tuple[Workload, dict[str, str]]:
    """(workload, origin) of an ONNX file.

    ``inputs`` fill in open sizes. Raises ``ExtractError`` for a file that cannot be read, sizes that stay open or do
    not fit, arguments (an ONNX file takes none), and tensors whose shape cannot be inferred.
    """
    if reference.arguments:
        raise ExtractError(f"{reference}: found arguments, allowed none for an ONNX file")
    onnx = onnx_library()
    source = read_graph(reference.place, inputs)
    graph = GraphBuilder(batch=source.inputs[0].shape[0] if source.inputs and source.inputs[0].shape else 1)
    for tensor in source.inputs:
        graph.input(tensor)
    for node in source.nodes:
        _convert(onnx, reference.place, graph, source, node)
    outputs = [source.tensors[name] for name in source.outputs if name in source.tensors]
    return graph.finish(name, outputs, {}), {"onnx": str(onnx.__version__)}


def _convert(onnx: Any, place: str, graph: GraphBuilder, source: OnnxGraph, node: Any) -> None:
    operator = f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
    if node.op_type == "Constant":
        _constant(onnx, graph, source, node)
        return
    for wanted in node.input:
        if wanted and wanted not in source.tensors:
            raise ExtractError(f"{place}: {operator}: the shape of its input {wanted!r} cannot be inferred")
    inputs = tuple(source.tensors[i] if i else None for i in node.input)
    kept = [o for i, o in enumerate(node.output) if o and (i == 0 or source.uses[o])]
    folds = node.op_type in _SHAPE_ONLY or not any(
        t and (t.runtime or t.kind is Kind.PARAMETER) for t in inputs
    )
    missing = [o for o in kept if o not in source.tensors]
    if missing and not folds:
        raise ExtractError(f"{place}: {operator}: the shape of its output {missing[0]!r} cannot be inferred")
    outputs = tuple(source.tensors.get(o) or Tensor(o, (), 64) for o in kept)
    call = OnnxNode(
        operator,
        inputs,
        outputs,
        attributes(onnx, node),
        module_path(node),
        uses=source.uses[node.output[0]] if node.output else 0,
    )
    with graph.operator(operator, call.module):
        done = (
            tuple(graph.constant(o, _fill(call)) for o in outputs)
            if folds
            else convert(graph, call, source.uses)
        )
    for tensor in done:
        source.tensors[tensor.name] = tensor


def _fill(call: OnnxNode) -> float | None:
    """The common value of a constant that another operator only spreads (exporters write absent biases so)."""
    spread = call.op in (
        "Expand",
        "Reshape",
        "Identity",
        "Cast",
        "CastLike",
        "Squeeze",
        "Unsqueeze",
        "Transpose",
    )
    return call.given[0].fill if spread and call.given else None


def _constant(onnx: Any, graph: GraphBuilder, source: OnnxGraph, node: Any) -> None:
    """A Constant node: its tensor is a weight or a constant like any stored one."""
    given = attributes(onnx, node)
    name = node.output[0]
    with graph.operator("Constant", ""):
        graph.treat("folded")
    if "value" in given:
        source.tensors[name] = weight(onnx, name, given["value"])
        return
    value = next(iter(given.values()), None)
    shape = (len(value),) if isinstance(value, list | tuple) else ()
    fill = float(value) if isinstance(value, int | float) else None
    source.tensors[name] = replace(Tensor(name, shape, 32), kind=Kind.CONSTANT, fill=fill)
