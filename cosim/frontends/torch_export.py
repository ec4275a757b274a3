"""torch modules to workloads through torch.export, on shapes alone.

The module is exported on the meta device (no weight is ever allocated). Operators are kept as torch.export records
them, before decomposition, so that a linear layer stays one layer; only operators that have no treatment of their
own are decomposed, and what is still unknown then becomes an ``unknown`` layer.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import Node

from cosim.frontends.call import Call
from cosim.frontends.errors import ExtractError
from cosim.frontends.input_spec import InputSpec
from cosim.frontends.torch_convert import Conversion, operator_name
from cosim.frontends.torch_tables import PARTS, VIEWS
from cosim.ir.workload import Workload

_LOG = logging.getLogger(__name__)
_NOISY = ("torch._subclasses.fake_tensor", "torch.fx.experimental.symbolic_shapes", "torch.export")


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
        with torch.no_grad(), _quiet():
            return _export(module, tuple(args), dict(kwargs or {}))
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)


def _export(
    module: torch.nn.Module, args: tuple[torch.Tensor, ...], kwargs: dict[str, torch.Tensor]
) -> ExportedProgram:
    """Export; code that creates tensors on the default device is traced again with that device set to meta."""
    try:
        return torch.export.export(module, args, kwargs, strict=False)
    except RuntimeError as error:
        if "same device" not in str(error):
            raise
    with torch.device("meta"):
        return torch.export.export(module, args, kwargs, strict=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's own warnings and dumps of failed traces off the output; the error itself is raised."""
    loggers = [logging.getLogger(name) for name in ("torch", *_NOISY)]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def workload_from_program(program: ExportedProgram, name: str, origin: Mapping[str, str]) -> Workload:
    """Convert an exported program; the batch is the first size of the first input.

    Writes through views are made explicit first. Operators that come out unknown are decomposed, where torch knows
    how, and the program is converted again.
    """
    if any(_writes_through_view(node) for node in program.graph.nodes):
        program = _simplify(program, set())
    workload = Conversion(program).run(name, origin)
    called = {n.target for n in program.graph.nodes if n.op == "call_function"}
    unknown = {op for op in called if operator_name(op) in workload.coverage.unknown}
    table: Any = torch.export.default_decompositions()
    wanted = {op for op in unknown if op in table}
    if not wanted:
        return workload
    _LOG.info("decomposing %s", ", ".join(sorted(str(op) for op in wanted)))
    return Conversion(_simplify(program, wanted)).run(name, origin)


def _simplify(program: ExportedProgram, operators: set[Any]) -> ExportedProgram:
    """The program without side effects, the given operators decomposed."""
    table: Any = torch.export.default_decompositions()
    for op in list(table.keys()):
        if op not in operators:
            table.pop(op)
    with _quiet():
        simpler: ExportedProgram = program.run_decompositions(table)
    return simpler


def _writes_through_view(node: Node) -> bool:
    """True for an in-place operator on a view: later readers see the change through another tensor."""
    target = node.target
    if not isinstance(target, torch._ops.OpOverload) or not target._schema.is_mutable or not node.args:
        return False
    written = node.args[0]
    if not isinstance(written, Node) or written.op != "call_function":
        return False
    name = Call(operator_name(written.target), (), ()).name
    return name in VIEWS or name in PARTS or name == "getitem"
