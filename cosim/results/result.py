"""The result of evaluating one workload on one machine: manifest, layers, totals, breakdown, parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cosim.components.clock import s_to_cycles
from cosim.components.estimate import CostTable
from cosim.components.params import ParameterRow
from cosim.ir.columns import COLUMNS
from cosim.ir.workload import Workload
from cosim.results.notebook import result_block
from cosim.results.outcome import Ratio, Roof, ratio

if TYPE_CHECKING:
    import pandas as pd

PJ_PER_J = 1e12


@dataclass(frozen=True)
class Result:
    """One workload on one machine.

    Attributes
    ----------
    manifest:    what was evaluated: versions, hashes, batch, seed, overrides
    workload:    the network with its batch applied
    cost:        arrays of shape (L,)
    cycle_hz:    rate of the machine's reference cycle; ``cycle`` says what it is
    bytes_:      operand and result bytes of every layer at the executed widths, shape (L,)
    parameters:  every effective parameter with its source
    roof:        peak rate of the machine and bandwidth of its outermost memory
    leaves_out:  what the model does not contain
    baseline:    the result of the baseline machine on the same workload, if one was asked for
    """

    manifest: Mapping[str, Any]
    workload: Workload
    cost: CostTable
    cycle_hz: float
    cycle: str
    bytes_: Any
    parameters: tuple[ParameterRow, ...]
    roof: Roof
    leaves_out: tuple[str, ...] = ()
    baseline: Result | None = field(default=None, repr=False)

    @property
    def machine(self) -> str:
        """Name of the machine."""
        return str(self.manifest["arch"]["name"])

    @property
    def latency_s(self) -> float:
        """Time of the whole batch, layers one after another."""
        return float(self.cost.latency_s.sum())

    @property
    def energy_j(self) -> float:
        """Energy of the whole batch."""
        return float(self.cost.total_energy_pj.sum()) / PJ_PER_J

    @property
    def speedup(self) -> Ratio | None:
        """Ratios against the baseline, or None if there is none."""
        if self.baseline is None:
            return None
        return ratio(self, self.baseline)

    @cached_property
    def layers(self) -> list[dict[str, Any]]:
        """One row a layer; keys are declared in :mod:`cosim.ir.columns`."""
        return list(self._rows())

    def _rows(self) -> Iterator[dict[str, Any]]:
        cost = self.cost
        count = len(self.workload)
        energy = np.broadcast_to(cost.total_energy_pj, (count,))
        utilization = np.broadcast_to(cost.utilization, (count,))
        bounds = cost.bound_names()
        extra = {name: np.broadcast_to(value, (count,)) for name, value in cost.columns.items()}
        for index, layer in enumerate(self.workload.layers):
            latency = float(cost.latency_s[index])
            row: dict[str, Any] = {
                "name": layer.name,
                "op": layer.op,
                "shape": shape_text(layer),
                "macs": layer.macs,
                "cycles": float(s_to_cycles(latency, self.cycle_hz)),
                "latency_s": latency,
                "energy_j": float(energy[index]) / PJ_PER_J,
                "utilization": float(utilization[index]),
                "bound": bounds[index],
                "bytes": float(self.bytes_[index]),
            }
            for name, values in extra.items():
                words = cost.labels.get(name)
                row[name] = words[int(values[index])] if words else float(values[index])
            yield row

    @cached_property
    def energy_by_component_j(self) -> dict[str, float]:
        """Energy by component, largest first."""
        sums = {name: float(np.sum(value)) / PJ_PER_J for name, value in self.cost.energy_pj.items()}
        return dict(sorted(sums.items(), key=lambda item: -item[1]))

    @cached_property
    def busy_by_resource_s(self) -> dict[str, float]:
        """Seconds that each resource is busy (resources of one stage overlap, so these do not add up)."""
        count = len(self.workload)
        sums = {
            name: float(np.broadcast_to(value, (count,)).sum())
            for name, value in self.cost.resource_s.items()
        }
        return dict(sorted(sums.items(), key=lambda item: -item[1]))

    def totals(self) -> dict[str, Any]:
        """Whole-network figures."""
        seconds, joules = self.latency_s, self.energy_j
        macs = self.workload.macs
        return {
            "macs": macs,
            "params": self.workload.params,
            "batch": self.workload.batch,
            "latency_s": seconds,
            "energy_j": joules,
            "edp_js": joules * seconds,
            "macs_per_s": macs / seconds if seconds else 0.0,
            "macs_per_j": macs / joules if joules else 0.0,
            "images_per_s": self.workload.batch / seconds if seconds else 0.0,
            "average_power_w": joules / seconds if seconds else 0.0,
        }

    def to_json(self) -> dict[str, Any]:
        """The document of ``cosim run --json``: schema 1."""
        ratios = self.speedup
        return {
            "schema": 1,
            "manifest": dict(self.manifest),
            "totals": self.totals(),
            "layers": self.layers,
            "breakdown": {
                "energy_j": self.energy_by_component_j,
                "latency_s": self.busy_by_resource_s,
            },
            "coverage": self.workload.coverage.to_json(),
            "speedup": ratios.to_json() if ratios else {},
            "leaves_out": list(self.leaves_out),
            "roof": self.roof.to_json(),
            "columns": {
                name: {"unit": COLUMNS[name].unit, "meaning": COLUMNS[name].meaning}
                for name in self.layers[0]
            },
        }

    def to_pandas(self) -> pd.DataFrame:
        """The per-layer table as a data frame."""
        import pandas as pd

        return pd.DataFrame(self.layers)

    def _repr_html_(self) -> str:
        return result_block(self)


def shape_text(layer: Any) -> str:
    """Canonical dimensions of a layer in a few words."""
    if not layer.is_mac:
        return f"{layer.x_elems:,} -> {layer.y_elems:,}"
    groups, m, n, k = layer.gemm()
    if layer.R * layer.S == 1 and layer.H == layer.P and layer.W == 1:
        prefix = f"{groups} x " if groups > 1 else ""
        return f"{prefix}[{m} x {k}] . [{k} x {n}]"
    text = f"N{layer.N} C{layer.C * layer.G} {layer.H}x{layer.W} -> "
    text += f"K{layer.K * layer.G} {layer.P}x{layer.Q}, {layer.R}x{layer.S}"
    if layer.stride != (1, 1):
        text += f" /{layer.stride[0]}"
    if layer.dilation != (1, 1):
        text += f" dilation {layer.dilation[0]}"
    if layer.G > 1:
        text += f" G{layer.G}"
    return text
