"""A network as the machines see it: layers in execution order, their edges, and what was (not) understood."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from cosim.ir.layer import Layer
from cosim.ir.ops import OpClass


@dataclass(frozen=True)
class OperatorCoverage:
    """One operator of the original graph.

    ``treatment`` is ``modelled`` (became a layer), ``alias`` (a view: no bytes move), ``folded`` (its work is
    inside another layer) or ``unknown`` (named, its bytes counted, its operations not modelled).
    """

    operator: str
    treatment: str
    count: int
    macs: int = 0
    moved_bytes: float = 0.0


@dataclass(frozen=True)
class CoverageReport:
    """Which operators of the network are modelled, with their share of MACs and bytes."""

    operators: tuple[OperatorCoverage, ...] = ()

    def _sum(self, known_only: bool) -> tuple[float, float]:
        rows = [o for o in self.operators if not (known_only and o.treatment == "unknown")]
        return float(sum(o.macs for o in rows)), float(sum(o.moved_bytes for o in rows))

    @property
    def macs_share(self) -> float:
        """Modelled MACs over all MACs (1.0 for a network without any)."""
        total = self._sum(False)[0]
        return self._sum(True)[0] / total if total else 1.0

    @property
    def bytes_share(self) -> float:
        """Modelled bytes over all bytes (1.0 for a network that moves none)."""
        total = self._sum(False)[1]
        return self._sum(True)[1] / total if total else 1.0

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of the operators that are not modelled."""
        return tuple(o.operator for o in self.operators if o.treatment == "unknown")

    def to_json(self) -> dict[str, object]:
        """Plain form for results."""
        return {
            "macs_share": self.macs_share,
            "bytes_share": self.bytes_share,
            "unknown": list(self.unknown),
            "operators": [
                {
                    "operator": o.operator,
                    "treatment": o.treatment,
                    "count": o.count,
                    "macs": o.macs,
                    "bytes": o.moved_bytes,
                }
                for o in self.operators
            ],
        }


@dataclass(frozen=True)
class Workload:
    """A network.

    Attributes
    ----------
    name:        short name
    layers:      layers in execution order; names are unique
    inputs:      name -> shape of every network input
    outputs:     names of the layers whose results leave the network
    origin:      where it came from: model, command, versions (free text values)
    published:   published counts it is checked against: ``macs``, ``params`` and their ``source``
    batch:       images per execution that the layer sizes stand for
    """

    name: str
    layers: tuple[Layer, ...]
    inputs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    origin: Mapping[str, str] = field(default_factory=dict)
    published: Mapping[str, float | str] = field(default_factory=dict)
    coverage: CoverageReport = field(default_factory=CoverageReport)
    batch: int = 1

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for layer in self.layers:
            if layer.name in seen:
                raise ValueError(
                    f"workload {self.name}: two layers are named {layer.name!r}; names must be unique"
                )
            seen.add(layer.name)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one execution."""
        return sum(layer.macs for layer in self.layers)

    @property
    def params(self) -> int:
        """Trained parameters; tied weights count once."""
        return sum(layer.params - layer.shared_params for layer in self.layers)

    @property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """(producer, consumer) pairs; producers may be workload inputs."""
        return tuple((source, layer.name) for layer in self.layers for source in layer.inputs)

    @property
    def unknown_layers(self) -> tuple[Layer, ...]:
        """Layers whose operator is not modelled."""
        return tuple(layer for layer in self.layers if layer.op_class is OpClass.UNKNOWN)

    def with_batch(self, batch: int) -> Workload:
        """The network run on ``batch`` images at once (``batch`` times the batch it was extracted with)."""
        if batch == 1:
            return self
        return replace(
            self, layers=tuple(layer.with_batch(batch) for layer in self.layers), batch=self.batch * batch
        )

    def select(self, names: Iterable[str]) -> Workload:
        """The same network with only the named layers, in execution order."""
        wanted = set(names)
        return replace(self, layers=tuple(layer for layer in self.layers if layer.name in wanted))
