"""An exported torch program, node by node, into layers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind
from torch.fx import GraphModule, Node

from cosim.frontends.call import Call
from cosim.frontends.graph import GraphBuilder, Kind, Tensor
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


def operator_name(target: Any) -> str:
    """``aten.conv2d.default`` for an operator, ``getitem`` for Python's own functions."""
    if isinstance(target, torch._ops.OpOverload):
        return str(target)
    return str(getattr(target, "__name__", target))


class Conversion:
    """One pass over the nodes of an exported graph."""

    def __init__(self, program: ExportedProgram) -> None:
        self.program = program
        self.tensors: dict[Node, Tensor | tuple[Any, ...]] = {}
        self.values: dict[Node, Any] = {}
        self.graph = GraphBuilder()

    def run(self, name: str, origin: Mapping[str, str]) -> Workload:
        """The workload of the whole program."""
        specs = {getattr(s.arg, "name", ""): s for s in self.program.graph_signature.input_specs}
        nodes = list(self.program.graph.nodes)
        self.graph.batch = _batch(nodes, specs)
        for node in nodes:
            if node.op == "placeholder":
                self._placeholder(node, specs[node.name])
            elif node.op == "call_function":
                self._call(node)
        signature = self.program.graph_signature
        wanted = {
            getattr(s.arg, "name", "") for s in signature.output_specs if s.kind is OutputKind.USER_OUTPUT
        }
        results = [self.tensors.get(node) for node in nodes if node.name in wanted]
        return self.graph.finish(name, [t for t in results if isinstance(t, Tensor)], origin)

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
        self.tensors[node] = tensor
        if spec.kind is InputKind.CONSTANT_TENSOR:
            self._keep(node, self.program.constants.get(spec.target))

    def _call(self, node: Node) -> None:
        operator = operator_name(node.target)
        body = _body(node)
        if operator == "getitem":
            source, index = node.args
            held = self.tensors.get(source) if isinstance(source, Node) else None
            if isinstance(held, tuple) and isinstance(index, int):
                self.tensors[node] = held[index]
        elif body is not None:
            self._inline(node, body)
        else:
            self._operator(node, operator)

    def _operator(self, node: Node, operator: str) -> None:
        value: Any = node.meta.get("val")
        single = not isinstance(value, tuple | list)
        parts = (value,) if single else tuple(value)
        outputs = tuple(
            _describe(node.name if single else f"{node.name}.{i}", p)
            for i, p in enumerate(parts)
            if isinstance(p, torch.Tensor)
        )
        if not outputs:
            with self.graph.operator(operator, _module_path(node)):
                self.graph.treat("folded")
            return
        args, kwargs = self._map(node.args), {k: self._map(v) for k, v in node.kwargs.items()}
        if _module_class(node).endswith("Dropout"):
            operator = "aten.dropout.default"
        call = Call(operator, args, outputs, kwargs, _module_path(node))
        if not any(t.runtime or t.kind is Kind.PARAMETER for t in call.tensors):
            self._evaluate(node)
            fill = _uniform(self.values.get(node))
            call = replace(call, outputs=tuple(replace(o, fill=fill) for o in outputs))
        done = convert(self.graph, call)
        self.tensors[node] = done[0] if single else done

    def _inline(self, node: Node, body: GraphModule) -> None:
        """Convert the body of a call that only wraps it (a region without gradients, an autocast region)."""
        operands = iter(node.args[_body_index(node) + 1 :])
        for inner in body.graph.nodes:
            if inner.op == "placeholder":
                outer = next(operands)
                if isinstance(outer, Node) and outer in self.tensors:
                    self.tensors[inner] = self.tensors[outer]
                    if outer in self.values:
                        self.values[inner] = self.values[outer]
            elif inner.op == "call_function":
                self._call(inner)
            elif inner.op == "output":
                self.tensors[node] = self._map(inner.args[0])

    def _map(self, value: Any) -> Any:
        if isinstance(value, Node):
            return self.tensors.get(value)
        if isinstance(value, list | tuple):
            return tuple(self._map(v) for v in value)
        return value

    # -- values of constants, to recognise masks that mask nothing ------------------------------------------------

    def _keep(self, node: Node, value: Any) -> None:
        if (
            isinstance(value, torch.Tensor)
            and value.device.type == "cpu"
            and value.numel() <= _LARGEST_CONSTANT
        ):
            self.values[node] = value

    def _evaluate(self, node: Node) -> None:
        """Compute a node that depends on constants alone, if it is small and all its operands have values."""
        value = node.meta.get("val")
        size = value.numel() if isinstance(value, torch.Tensor) else 0
        if any(n not in self.values for n in node.all_input_nodes) or size > _LARGEST_CONSTANT:
            return
        kwargs = {k: torch.device("cpu") if k == "device" else self._real(v) for k, v in node.kwargs.items()}
        target: Any = node.target
        try:
            self._keep(node, target(*self._real(node.args), **kwargs))
        except (RuntimeError, TypeError, NotImplementedError) as error:
            _LOG.debug("the constant %s has no value: %s", node.name, error)

    def _real(self, value: Any) -> Any:
        if isinstance(value, Node):
            return self.values[value]
        if isinstance(value, list | tuple):
            return type(value)(self._real(v) for v in value)
        return value


def _batch(nodes: Sequence[Node], specs: Mapping[str, Any]) -> int:
    """First size of the first network input."""
    for node in nodes:
        if node.op == "placeholder" and specs[node.name].kind is InputKind.USER_INPUT:
            value = node.meta.get("val")
            if isinstance(value, torch.Tensor) and value.dim() > 0:
                return int(value.shape[0])
    return 1


def _describe(name: str, value: torch.Tensor) -> Tensor:
    shape = tuple(int(s) for s in value.shape)
    return Tensor(name, shape, value.element_size() * 8, strides=tuple(int(s) for s in value.stride()))


def _uniform(value: Any) -> float | None:
    """The common value of all elements, or None."""
    if not isinstance(value, torch.Tensor) or value.numel() == 0:
        return None
    first = value.flatten()[0]
    return float(first) if bool((value == first).all()) else None


def _body_index(node: Node) -> int:
    """Position of the only graph among the operands of a higher-order call, or -1."""
    owner = node.graph.owning_module
    graphs = [
        index
        for index, arg in enumerate(node.args)
        if isinstance(arg, Node) and arg.op == "get_attr" and isinstance(_attribute(owner, arg), GraphModule)
    ]
    return graphs[0] if len(graphs) == 1 else -1


def _body(node: Node) -> GraphModule | None:
    """The graph that a wrapping call runs; None for plain operators, and for branches and loops (several graphs)."""
    if not str(node.target).startswith("wrap") and "wrap" not in getattr(node.target, "__name__", ""):
        return None
    index = _body_index(node)
    if index < 0:
        return None
    found = _attribute(node.graph.owning_module, node.args[index])
    return found if isinstance(found, GraphModule) else None


def _attribute(owner: Any, node: Any) -> Any:
    return getattr(owner, str(node.target), None)


def _module_path(node: Node) -> str:
    """Path of the innermost module that the call came from; empty for the outermost one."""
    stack = node.meta.get("nn_module_stack") or {}
    path = list(stack.values())[-1][0] if stack else ""
    return str(path).removeprefix("L['self'].").removeprefix("L['self']")


def _module_class(node: Node) -> str:
    """Class of the innermost module, as a dotted name."""
    stack = node.meta.get("nn_module_stack") or {}
    return str(list(stack.values())[-1][1]) if stack else ""
