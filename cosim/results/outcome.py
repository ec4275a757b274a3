"""What reports and comparisons need of a result, whether it was evaluated just now or read from a folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from cosim.components.params import ParameterRow
from cosim.ir.workload import CoverageReport

if TYPE_CHECKING:
    import pandas as pd


class NetworkFacts(Protocol):
    """A network as far as a report speaks of it."""

    @property
    def name(self) -> str:
        """Short name, transforms included."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one execution."""

    @property
    def params(self) -> int:
        """Trained parameters."""

    @property
    def batch(self) -> int:
        """Images per execution."""

    @property
    def coverage(self) -> CoverageReport:
        """Which operators are modelled."""

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Ratio:
    """This machine against the baseline: above 1 is better than the baseline."""

    baseline: str
    speedup: float
    energy_ratio: float
    edp_ratio: float

    def to_json(self) -> dict[str, object]:
        """Plain form."""
        return {
            "baseline": self.baseline,
            "latency": self.speedup,
            "energy": self.energy_ratio,
            "edp": self.edp_ratio,
        }


class Outcome(Protocol):
    """One network on one machine: :class:`cosim.results.result.Result`, or one read from a folder."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What was evaluated: versions, hashes, batch, seed, overrides."""

    @property
    def machine(self) -> str:
        """Name of the machine."""

    @property
    def workload(self) -> NetworkFacts:
        """The network, with its batch."""

    @property
    def latency_s(self) -> float:
        """Time of the whole batch."""

    @property
    def energy_j(self) -> float:
        """Energy of the whole batch."""

    @property
    def layers(self) -> list[dict[str, Any]]:
        """One row a layer; keys are declared in :mod:`cosim.ir.columns`."""

    @property
    def energy_by_component_j(self) -> dict[str, float]:
        """Energy by component, largest first."""

    @property
    def busy_by_resource_s(self) -> dict[str, float]:
        """Seconds that each resource is busy, largest first."""

    @property
    def parameters(self) -> tuple[ParameterRow, ...]:
        """Every effective parameter with its source."""

    @property
    def leaves_out(self) -> tuple[str, ...]:
        """What the model does not contain."""

    @property
    def roof(self) -> Roof:
        """Peak rate and bandwidth of the machine."""

    @property
    def speedup(self) -> Ratio | None:
        """Ratios against the baseline, or None if there is none."""

    def totals(self) -> dict[str, Any]:
        """Whole-network figures."""

    def to_pandas(self) -> pd.DataFrame:
        """The per-layer table as a data frame."""


@dataclass(frozen=True)
class Roof:
    """Peak rate of a machine, and the bandwidth of its outermost memory (None without one)."""

    peak_macs_per_s: float
    bandwidth_bytes_per_s: float | None

    @property
    def ridge_macs_per_byte(self) -> float | None:
        """Intensity at which the two meet."""
        return (
            None if self.bandwidth_bytes_per_s is None else self.peak_macs_per_s / self.bandwidth_bytes_per_s
        )

    def to_json(self) -> dict[str, float | None]:
        """Plain form."""
        return {
            "peak_macs_per_s": self.peak_macs_per_s,
            "bandwidth_bytes_per_s": self.bandwidth_bytes_per_s,
        }


def ratio(this: Outcome, baseline: Outcome) -> Ratio:
    """Baseline over this machine, for time, energy and their product."""
    speed = baseline.latency_s / this.latency_s
    energy = baseline.energy_j / this.energy_j if this.energy_j else float("inf")
    return Ratio(baseline.machine, speed, energy, speed * energy)


def bound_shares(bounds: Iterable[str], latency_s: Iterable[float]) -> dict[str, float]:
    """Share of the time by what bounds the layers, largest first; empty where nothing takes time."""
    seconds: dict[str, float] = {}
    for bound, time in zip(bounds, latency_s, strict=True):
        seconds[bound] = seconds.get(bound, 0.0) + time
    total = sum(seconds.values())
    ordered = sorted(seconds.items(), key=lambda item: -item[1])
    return {name: value / total for name, value in ordered} if total else {}


def shares_of(result: Outcome) -> dict[str, float]:
    """:func:`bound_shares` of a result."""
    return bound_shares((row["bound"] for row in result.layers), (row["latency_s"] for row in result.layers))
