"""An ONNX graph as plain records: shapes inferred, dynamic sizes filled in, weights told from constants."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from cosim.frontends.errors import ExtractError, missing_extra, spelled
from cosim.frontends.graph import Kind, Tensor
from cosim.frontends.input_spec import InputSpec
from cosim.spec.problems import nearest_hint

_SCOPES = "pkg.torch.onnx.name_scopes"
_SUBBYTE_BITS = {"UINT4": 4, "INT4": 4, "UINT2": 2, "INT2": 2, "FLOAT4E2M1": 4, "BOOL": 8, "STRING": 8}
_WEIGHT_TYPES = ("FLOAT", "INT8", "UINT8", "INT4", "UINT4", "DOUBLE", "BFLOAT")


@dataclass(frozen=True)
class OnnxNode:
    """One operator: inputs in operand order (None: left out), outputs, plain attributes, and where it came from."""

    op: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    attributes: Mapping[str, Any]
    module: str
    uses: int = 1

    def tensor(self, index: int) -> Tensor:
        """A required input; raises ``TypeError`` if the graph leaves it out."""
        found = self.inputs[index] if index < len(self.inputs) else None
        if found is None:
            raise TypeError(f"ONNX {self.op}: input {index} is missing")
        return found

    def optional(self, index: int) -> Tensor | None:
        """An input that may be left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    @property
    def given(self) -> list[Tensor]:
        """The inputs that are there."""
        return [t for t in self.inputs if t is not None]


@dataclass
class OnnxGraph:
    """Tensors and nodes of a model, ready for conversion."""

    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Any] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    uses: Counter[str] = field(default_factory=Counter)


def onnx_library() -> Any:
    """The onnx package; raises ``ExtractError`` if it is not installed."""
    try:
        import onnx
    except ImportError:
        raise missing_extra("onnx", "onnx", "an ONNX file") from None
    return onnx


def read_graph(path: str, inputs: Sequence[InputSpec]) -> OnnxGraph:
    """Load a model, fix its input sizes, infer every shape (data propagation on). Raises ``ExtractError``."""
    onnx = onnx_library()
    model = _load(onnx, path)
    if model.functions:
        from onnx import inliner

        model = inliner.inline_local_functions(model)
    held = {i.name for i in model.graph.initializer}
    real = [i for i in model.graph.input if i.name not in held]
    _fix_sizes(path, real, inputs)
    _drop_open(model.graph)
    try:
        model = onnx.shape_inference.infer_shapes(model, check_type=False, strict_mode=False, data_prop=True)
    except Exception as error:
        raise ExtractError(f"{path}: shapes cannot be inferred: {error}") from error
    return _collect(onnx, model, {i.name for i in real})


def _drop_open(graph: Any) -> None:
    """Forget stored shapes with open sizes, so that inference from the fixed inputs writes them anew."""
    known = [v for v in graph.value_info if all(d.dim_value > 0 for d in v.type.tensor_type.shape.dim)]
    del graph.value_info[:]
    graph.value_info.extend(known)
    for output in graph.output:
        if any(d.dim_value < 1 for d in output.type.tensor_type.shape.dim):
            output.type.tensor_type.ClearField("shape")


def _load(onnx: Any, path: str) -> Any:
    file = Path(path)
    if not file.is_file():
        siblings = [p.name for p in file.parent.glob("*.onnx")] if file.parent.is_dir() else []
        raise ExtractError(
            f"{path}: no such file, {nearest_hint(file.name, siblings) or 'allowed an ONNX file'}"
        )
    try:
        return onnx.load(str(file), load_external_data=False)
    except Exception as error:
        raise ExtractError(f"{path}: is not an ONNX model: {error}") from error


def _fix_sizes(path: str, real: Sequence[Any], inputs: Sequence[InputSpec]) -> None:
    """Write the sizes that the user gives into the graph inputs and refuse what stays open."""
    names = [i.name for i in real]
    for position, spec in enumerate(inputs):
        if spec.name and spec.name not in names:
            hint = spelled(spec.name, names)
            raise ExtractError(f"{path}: has no input {spec.name!r}, allowed {', '.join(names)}{hint}")
        if not spec.name and position >= len(names):
            raise ExtractError(
                f"{path}: found {len(inputs)} input shapes, allowed {len(names)} ({', '.join(names)})"
            )
        entry = real[names.index(spec.name) if spec.name else position]
        dims = entry.type.tensor_type.shape.dim
        stated = [d.dim_value for d in dims]
        fits = len(stated) == len(spec.shape) and all(
            s in (0, n) for s, n in zip(stated, spec.shape, strict=True)
        )
        if not fits:
            allowed = "x".join(str(d.dim_value or d.dim_param or "?") for d in dims)
            raise ExtractError(f"{path}: input {entry.name}: found {spec}, allowed {allowed}")
        for dim, size in zip(dims, spec.shape, strict=True):
            dim.ClearField("dim_param")
            dim.dim_value = size
    for entry in real:
        dims = entry.type.tensor_type.shape.dim
        if any(d.dim_value < 1 for d in dims):
            shape = "x".join(str(d.dim_value or d.dim_param or "?") for d in dims)
            raise ExtractError(
                f"{path}: input {entry.name}: found the open shape {shape}, allowed fixed sizes, "
                f"give --input-shape {entry.name}:1x..."
            )


def _collect(onnx: Any, model: Any, real: set[str]) -> OnnxGraph:
    graph = OnnxGraph(outputs=[o.name for o in model.graph.output], nodes=list(model.graph.node))
    bits = {v: _bits(onnx, v) for v in onnx.TensorProto.DataType.values()}
    for entry in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        kind = entry.type.tensor_type
        if not kind.HasField("shape") or any(d.dim_value < 1 for d in kind.shape.dim):
            continue
        shape = tuple(int(d.dim_value) for d in kind.shape.dim)
        tensor = Tensor(
            entry.name, shape, bits[kind.elem_type], Kind.INPUT if entry.name in real else Kind.COMPUTED
        )
        graph.tensors[entry.name] = tensor
        if entry.name in real:
            graph.inputs.append(tensor)
    for held in model.graph.initializer:
        graph.tensors[held.name] = weight(onnx, held.name, held)
    for node in model.graph.node:
        graph.uses.update(node.input)
    graph.uses.update(graph.outputs)
    return graph


def _bits(onnx: Any, data_type: int) -> int:
    name = onnx.TensorProto.DataType.Name(data_type)
    if name in _SUBBYTE_BITS or data_type == 0:
        return _SUBBYTE_BITS.get(name, 32)
    return int(onnx.helper.tensor_dtype_to_np_dtype(data_type).itemsize) * 8


def weight(onnx: Any, name: str, proto: Any) -> Tensor:
    """A stored tensor: a trained parameter if it has several real (or quantised) elements, else a constant."""
    shape = tuple(int(d) for d in proto.dims)
    bits = _bits(onnx, proto.data_type)
    kind_name = onnx.TensorProto.DataType.Name(proto.data_type)
    if prod(shape) > 1 and kind_name.startswith(_WEIGHT_TYPES):
        return Tensor(name, shape, bits, Kind.PARAMETER, root=name)
    fill = None
    if prod(shape) == 1 and kind_name != "STRING":
        fill = float(onnx.numpy_helper.to_array(proto).reshape(-1)[0])
    return Tensor(name, shape, bits, Kind.CONSTANT, fill=fill)


def attributes(onnx: Any, node: Any) -> dict[str, Any]:
    """Plain attribute values: text as str, lists as lists."""
    plain: dict[str, Any] = {}
    for entry in node.attribute:
        value = onnx.helper.get_attribute_value(entry)
        plain[entry.name] = value.decode() if isinstance(value, bytes) else value
    return plain


def module_path(node: Any) -> str:
    """The torch module if the exporter recorded it, else the node's own name."""
    for entry in node.metadata_props:
        if entry.key == _SCOPES:
            scopes = [str(s) for s in ast.literal_eval(entry.value)]
            return scopes[-2] if len(scopes) > 1 else ""
    if node.name.startswith("/"):
        return str(node.name).strip("/").rpartition("/")[0].replace("/", ".")
    return str(node.name or (node.output[0] if node.output else ""))
