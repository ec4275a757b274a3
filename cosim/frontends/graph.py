"""The conversion core shared by every front end: tensors in, layers with edges and a coverage report out.

Nothing here knows torch or ONNX. A front end walks its own graph, describes the operands of each operator as
:class:`Tensor` records and calls the :class:`GraphBuilder`; the builder turns them into
:class:`~cosim.ir.layer.Layer` records, follows aliases, recognises weights that are used twice and names the layers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import prod

from cosim.ir.layer import Layer
from cosim.ir.ops import OpClass
from cosim.ir.workload import CoverageReport, OperatorCoverage, Workload


class Kind(StrEnum):
    """Where the elements of a tensor come from."""

    INPUT = "input"
    COMPUTED = "computed"
    PARAMETER = "parameter"
    CONSTANT = "constant"


@dataclass(frozen=True)
class Tensor:
    """One tensor of the original graph.

    Attributes
    ----------
    name:    unique name in the graph
    shape:   sizes
    bits:    width of one element
    kind:    where it comes from
    stored:  distinct elements in memory (fewer than the product of the sizes for an expanded view)
    strides: element strides where the front end knows them
    root:    name of the parameter that this is (a view of); empty for other kinds
    fill:    the common value of a constant whose elements are all equal
    """

    name: str
    shape: tuple[int, ...]
    bits: int = 32
    kind: Kind = Kind.COMPUTED
    stored: int | None = None
    strides: tuple[int, ...] | None = None
    root: str = ""
    fill: float | None = None

    @property
    def elems(self) -> int:
        """Product of the sizes."""
        return prod(self.shape)

    @property
    def distinct(self) -> int:
        """Elements that really are in memory."""
        return self.elems if self.stored is None else self.stored

    @property
    def runtime(self) -> bool:
        """True if the elements are known only when the network runs."""
        return self.kind in (Kind.INPUT, Kind.COMPUTED)


@dataclass(frozen=True)
class Draft:
    """A layer that still carries a provisional name; ``hint`` is the wanted last part of the final one."""

    layer: Layer
    hint: str


@dataclass
class _Operator:
    """What the operator now being converted has produced."""

    name: str
    treatment: str = ""
    macs: int = 0
    moved_bytes: float = 0.0


@dataclass
class GraphBuilder:
    """Collects layers. ``batch`` is the number of images that the sizes stand for."""

    batch: int = 1
    drafts: list[Draft] = field(default_factory=list)
    inputs: dict[str, tuple[int, ...]] = field(default_factory=dict)
    _producer: dict[str, str] = field(default_factory=dict)
    _held: set[str] = field(default_factory=set)
    _operators: dict[tuple[str, str], list[_Operator]] = field(default_factory=dict)
    _current: _Operator = field(default_factory=lambda: _Operator("(none)"))
    module: str = ""

    # -- operators -----------------------------------------------------------------------------------------------

    @contextmanager
    def operator(self, name: str, module: str) -> Iterator[None]:
        """Attribute everything built inside to the operator ``name`` of the original graph."""
        self._current, self.module = _Operator(name), module
        yield
        done = self._current
        key = (done.name, done.treatment or "folded")
        self._operators.setdefault(key, []).append(done)

    def treat(self, treatment: str) -> None:
        """Say how the current operator is treated; ``modelled`` wins over ``alias`` and ``folded``."""
        if self._current.treatment not in ("modelled", "unknown"):
            self._current.treatment = treatment

    # -- tensors -------------------------------------------------------------------------------------------------

    def input(self, tensor: Tensor) -> None:
        """Declare a network input."""
        self.inputs[tensor.name] = tensor.shape
        self._producer[tensor.name] = tensor.name

    def alias(self, source: Tensor, target: Tensor, *, part: bool = False) -> Tensor:
        """``target`` is a view of ``source``; ``part`` says that it covers only some of the elements."""
        self.treat("alias")
        return self._follow(source, target, part=part)

    def fold(self, source: Tensor, target: Tensor) -> Tensor:
        """``target`` equals ``source``; the operator between them does nothing at inference."""
        self.treat("folded")
        return self._follow(source, target, part=False)

    def _follow(self, source: Tensor, target: Tensor, *, part: bool) -> Tensor:
        if source.name in self._producer:
            self._producer[target.name] = self._producer[source.name]
        root = f"{source.root}[{target.name}]" if source.root and part else source.root
        stored = min(source.distinct, target.elems)
        return replace(target, kind=source.kind, root=root, stored=stored, fill=source.fill)

    def constant(self, target: Tensor, fill: float | None = None) -> Tensor:
        """``target`` follows from constants alone and is computed once, before the network runs."""
        self.treat("folded")
        return replace(target, kind=Kind.CONSTANT, fill=fill)

    def sources(self, tensors: Sequence[Tensor]) -> tuple[str, ...]:
        """Provisional names of the layers or inputs that the tensors come from, in operand order."""
        return tuple(self._producer[t.name] for t in tensors if t.runtime or t.name in self._producer)

    # -- layers --------------------------------------------------------------------------------------------------

    def emit(
        self,
        layer: Layer,
        operands: Sequence[Tensor],
        output: Tensor,
        *,
        hint: str = "",
        parameters: Sequence[Tensor] = (),
    ) -> Tensor:
        """Append a layer that computes ``output`` from ``operands`` with the given trained parameters.

        Parameters that an earlier layer already holds, or that are constants and not trained, are entered as
        ``shared_params``.
        """
        own = {p.root: p.distinct for p in parameters if p.root not in self._held}
        self._held.update(own)
        shared = layer.params - sum(own.values())
        name = f"#{len(self.drafts)}"
        final = replace(
            layer, name=name, inputs=self.sources(operands), module=self.module, shared_params=shared
        )
        self.drafts.append(Draft(final, hint))
        self._producer[output.name] = name
        self._current.macs += final.macs
        self._current.moved_bytes += final.bytes_moved
        self._current.treatment = "unknown" if final.op_class is OpClass.UNKNOWN else "modelled"
        return replace(output, kind=Kind.COMPUTED)

    def also(self, output: Tensor, first: Tensor) -> Tensor:
        """A further output of the layer that computed ``first``."""
        self._producer[output.name] = self._producer[first.name]
        return replace(output, kind=Kind.COMPUTED)

    def absorb_bias(self, product: Tensor, bias: Tensor, output: Tensor) -> Tensor | None:
        """Make ``bias`` the bias of the linear layer that computed ``product``; None if there is no such layer."""
        name = self._producer.get(product.name, "")
        draft = self.drafts[int(name[1:])] if name.startswith("#") else None
        if draft is None or draft.layer.op != "linear" or draft.layer.bias:
            return None
        layer = draft.layer
        if bias.distinct != layer.G * layer.K or output.elems != layer.y_elems:
            return None
        shared = layer.shared_params + (bias.distinct if bias.root in self._held else 0)
        self._held.add(bias.root)
        joined = replace(layer, bias=True, w_elems=layer.w_elems + bias.distinct, shared_params=shared)
        self.drafts[int(name[1:])] = replace(draft, layer=joined)
        self.treat("folded")
        self._current.moved_bytes += joined.bytes_moved - layer.bytes_moved
        self._producer[output.name] = name
        return replace(output, kind=Kind.COMPUTED)

    # -- result --------------------------------------------------------------------------------------------------

    def coverage(self) -> CoverageReport:
        """One row for each (operator, treatment), in order of first appearance."""
        rows = (
            OperatorCoverage(name, treatment, len(o), sum(x.macs for x in o), sum(x.moved_bytes for x in o))
            for (name, treatment), o in self._operators.items()
        )
        return CoverageReport(tuple(rows))

    def finish(self, name: str, outputs: Sequence[Tensor], origin: Mapping[str, str]) -> Workload:
        """Name the layers and close the workload; an output that is a bare input or constant has no layer."""
        names = _final_names(self.drafts, set(self.inputs))
        layers = tuple(
            replace(d.layer, name=names[d.layer.name], inputs=tuple(names.get(i, i) for i in d.layer.inputs))
            for d in self.drafts
        )
        produced = (names.get(self._producer.get(t.name, "")) for t in outputs)
        return Workload(
            name=name,
            layers=layers,
            inputs=dict(self.inputs),
            outputs=tuple(dict.fromkeys(p for p in produced if p)),
            origin=dict(origin),
            coverage=self.coverage(),
            batch=self.batch,
        )


def _final_names(drafts: Sequence[Draft], taken: set[str]) -> dict[str, str]:
    """Provisional -> final name.

    A module that is a leaf and does one kind of operation lends its path (``layer1.0.conv1``); elsewhere the
    operator or the hint is appended (``layer1.0.add``). A further layer of the same name gets ``_2``, ``_3`` ...
    """
    ops: dict[str, set[str]] = {}
    parents: set[str] = set()
    for draft in drafts:
        path = draft.layer.module
        ops.setdefault(path, set()).add(draft.hint or draft.layer.op)
        while "." in path:
            path = path.rpartition(".")[0]
            parents.add(path)
    counts: Counter[str] = Counter()
    used = set(taken)
    names: dict[str, str] = {}
    for draft in drafts:
        path, last = draft.layer.module, draft.hint or draft.layer.op
        leaf = path and not draft.hint and path not in parents and len(ops[path]) == 1
        base = path if leaf else f"{path}.{last}" if path else last
        counts[base] += 1
        candidate = base if counts[base] == 1 else f"{base}_{counts[base]}"
        while candidate in used:
            counts[base] += 1
            candidate = f"{base}_{counts[base]}"
        used.add(candidate)
        names[draft.layer.name] = candidate
    return names
