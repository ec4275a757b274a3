"""torch modules to workloads through torch.export, on shapes alone.

The module is exported on the meta device (no weight is ever allocated). Operators are kept as torch.export records
them, before decomposition, so that a linear layer stays one layer; only operators that have no treatment of their
own are decomposed, and what is still unknown then becomes an ``unknown`` layer.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind
from torch.fx import Node

from cosim.frontends.call import Call
from cosim.frontends.errors import ExtractError
from cosim.frontends.graph import GraphBuilder, Kind, Tensor
from cosim.frontends.input_spec import InputSpec
from cosim.frontends.torch_ops import convert
from cosim.ir.workload import Workload

_LOG = logging.getLogger(__name__)
_LARGEST_CONSTANT = 4_000_000

_KINDS = {
    InputKind.USER_INPUT: Kind.INPUT,
    InputKind.PARAMETER: Kind.PARAMETER,
    InputKind.BUFFER: Kind.CONSTANT,
    InputKind.CONSTANT_TENSOR: Kind.CONSTANT,
}


def export_module(
    module: torch.nn.Module, args: Sequence[torch.Tensor], kwargs: Mapping[str, torch.Tensor] | None = None
) -> ExportedProgram:
    """Export in evaluation mode; fused attention shortcuts that would hide operators are switched off.

    Raises whatever torch.export raises when the module's Python code cannot be traced or refuses the inputs.
    """
    module.eval()
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.export(module, tuple(args), dict(kwargs or {}), strict=False)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
    return program


def _operator_name(target: Any) -> str:
    """``aten.conv2d.default`` for an operator, ``getitem`` for Python's own functions."""
    if isinstance(target, torch._ops.OpOverload):
        return str(target)
    return str(getattr(target, "__name__", target))


def workload_from_program(program: ExportedProgram, name: str, origin: Mapping[str, str]) -> Workload:
    """Convert an exported program; the batch is the first size of the first input.

    Operators that come out unknown are decomposed, where torch knows how, and the program is converted again.
    """
    workload = _Conversion(program).run(name, origin)
    simpler = _decompose(program, set(workload.coverage.unknown))
    return workload if simpler is None else _Conversion(simpler).run(name, origin)


def _decompose(program: ExportedProgram, operators: set[str]) -> ExportedProgram | None:
    """The program with the named operators decomposed, or None where torch has no decomposition for any."""
    table: Any = torch.export.default_decompositions()
    called = {n.target for n in program.graph.nodes if n.op == "call_function"}
    wanted = {op for op in called if _operator_name(op) in operators and op in table}
    if not wanted:
        return None
    _LOG.info("decomposing %s", ", ".join(sorted(str(op) for op in wanted)))
    for op in list(table.keys()):
        if op not in wanted:
            table.pop(op)
    simpler: ExportedProgram = program.run_decompositions(table)
    return simpler


class _Conversion:
    """One pass over the nodes of an exported graph."""

    def __init__(self, program: ExportedProgram) -> None:
        self.program = program
        self.tensors: dict[str, Tensor | tuple[Tensor, ...]] = {}
        self.values: dict[str, Any] = {}
        self.graph = GraphBuilder()

    def run(self, name: str, origin: Mapping[str, str]) -> Workload:
        specs = {getattr(s.arg, "name", ""): s for s in self.program.graph_signature.input_specs}
        nodes = list(self.program.graph.nodes)
        self.graph.batch = self._batch(nodes, specs)
        for node in nodes:
            if node.op == "placeholder":
                self._placeholder(node, specs[node.name])
            elif node.op == "call_function":
                self._call(node)
        wanted = [
            s.arg.name for s in self.program.graph_signature.output_specs if s.kind is OutputKind.USER_OUTPUT
        ]
        outputs = [t for n in wanted if isinstance(t := self.tensors.get(n), Tensor)]
        return self.graph.finish(name, outputs, origin)

    @staticmethod
    def _batch(nodes: Sequence[Node], specs: Mapping[str, Any]) -> int:
        for node in nodes:
            if node.op == "placeholder" and specs[node.name].kind is InputKind.USER_INPUT:
                value = node.meta.get("val")
                if isinstance(value, torch.Tensor) and value.dim() > 0:
                    return int(value.shape[0])
        return 1

    def _placeholder(self, node: Node, spec: Any) -> None:
        value = node.meta.get("val")
        if not isinstance(value, torch.Tensor):
            return
        kind = _KINDS.get(spec.kind, Kind.CONSTANT)
        tensor = replace(_describe(node.name, value), kind=kind)
        if kind is Kind.INPUT:
            self.graph.input(tensor)
        elif kind is Kind.PARAMETER:
            tensor = replace(tensor, root=spec.target)
        self.tensors[node.name] = tensor
        if spec.kind is InputKind.CONSTANT_TENSOR:
            self._keep(node.name, self.program.constants.get(spec.target))

    def _call(self, node: Node) -> None:
        value = node.meta.get("val")
        operator = _operator_name(node.target)
        if operator == "getitem":
            self._getitem(node)
            return
        parts = value if isinstance(value, tuple | list) else (value,)
        single = not isinstance(value, tuple | list)
        outputs = tuple(
            _describe(node.name if single else f"{node.name}.{i}", p)
            for i, p in enumerate(parts)
            if isinstance(p, torch.Tensor)
        )
        if not outputs:
            self._scalar(node)
            return
        args, kwargs = self._map(node.args), {k: self._map(v) for k, v in node.kwargs.items()}
        call = Call(operator, args, outputs, kwargs, _module_path(node))
        if not any(t.runtime or t.kind is Kind.PARAMETER for t in call.tensors):
            self._evaluate(node)
            fill = _uniform(self.values.get(node.name))
            call = replace(call, outputs=tuple(replace(o, fill=fill) for o in outputs))
        if _module_class(node).endswith("Dropout"):
            call = replace(call, operator="aten.dropout.default")
        done = convert(self.graph, call)
        self.tensors[node.name] = done[0] if single else done

    def _getitem(self, node: Node) -> None:
        source, index = node.args
        held = self.tensors.get(source.name) if isinstance(source, Node) else None
        if isinstance(held, tuple) and isinstance(index, int) and index < len(held):
            self.tensors[node.name] = held[index]

    def _scalar(self, node: Node) -> None:
        """A call without a tensor result (a check, a size): nothing runs on the machine."""
        with self.graph.operator(_operator_name(node.target), _module_path(node)):
            self.graph.treat("folded")

    def _map(self, value: Any) -> Any:
        if isinstance(value, Node):
            return self.tensors.get(value.name)
        if isinstance(value, list | tuple):
            return tuple(self._map(v) for v in value)
        return value

    # -- values of constants, to recognise masks that mask nothing ------------------------------------------------

    def _keep(self, name: str, value: Any) -> None:
        if (
            isinstance(value, torch.Tensor)
            and value.device.type == "cpu"
            and value.numel() <= _LARGEST_CONSTANT
        ):
            self.values[name] = value

    def _evaluate(self, node: Node) -> None:
        """Compute a node that depends on constants alone, if it is small and all its operands have values."""
        names = [n.name for n in node.all_input_nodes]
        shape = node.meta["val"].shape if isinstance(node.meta.get("val"), torch.Tensor) else ()
        if any(n not in self.values for n in names) or torch.Size(shape).numel() > _LARGEST_CONSTANT:
            return
        kwargs = {k: torch.device("cpu") if k == "device" else self._real(v) for k, v in node.kwargs.items()}
        target: Any = node.target
        try:
            self._keep(node.name, target(*self._real(node.args), **kwargs))
        except (RuntimeError, TypeError, NotImplementedError) as error:
            _LOG.debug("the constant %s has no value: %s", node.name, error)

    def _real(self, value: Any) -> Any:
        if isinstance(value, Node):
            return self.values[value.name]
        if isinstance(value, list | tuple):
            return type(value)(self._real(v) for v in value)
        return value


def _describe(name: str, value: torch.Tensor) -> Tensor:
    shape = tuple(int(s) for s in value.shape)
    return Tensor(name, shape, value.element_size() * 8, strides=tuple(int(s) for s in value.stride()))


def _uniform(value: Any) -> float | None:
    """The common value of all elements, or None."""
    if not isinstance(value, torch.Tensor) or value.numel() == 0:
        return None
    first = value.flatten()[0]
    return float(first) if bool((value == first).all()) else None


def _module_path(node: Node) -> str:
    """Path of the innermost module that the call came from; empty for the outermost one."""
    stack = node.meta.get("nn_module_stack") or {}
    path = list(stack.values())[-1][0] if stack else ""
    return str(path).removeprefix("L['self'].").removeprefix("L['self']")


def _module_class(node: Node) -> str:
    """Class of the innermost module, as a dotted name."""
    stack = node.meta.get("nn_module_stack") or {}
    return str(list(stack.values())[-1][1]) if stack else ""


def trace(module: torch.nn.Module, inputs: Sequence[InputSpec], name: str, where: str) -> Workload:
    """Export ``module`` (on the meta device) on inputs of the given shapes and convert it.

    Inputs without a name are positional; without a type they are int64 where the module's main input is token ids,
    else float32. Raises ``ExtractError`` if the module refuses the inputs or cannot be traced.
    """
    args = [_empty(module, i) for i in inputs if not i.name]
    kwargs = {i.name: _empty(module, i) for i in inputs if i.name}
    shapes = ", ".join(str(i) for i in inputs)
    try:
        program = export_module(module, args, kwargs)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ExtractError(f"{where}: cannot be traced on the input {shapes}: {reason}") from error
    return workload_from_program(program, name, {})


def _empty(module: torch.nn.Module, spec: InputSpec) -> torch.Tensor:
    tokens = "input_ids" in (spec.name, getattr(module, "main_input_name", ""))
    dtype = getattr(torch, spec.dtype or ("int64" if tokens else "float32"))
    return torch.empty(spec.shape, dtype=dtype, device="meta")
