"""Several machines on several workloads: one table, speed-ups and their geometric means."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cosim.ir.columns import Column
from cosim.results.intervals import Interval, RatioIntervals, Uncertainty
from cosim.results.notebook import comparison_block
from cosim.results.outcome import Outcome, Ratio, ratio

if TYPE_CHECKING:
    import pandas as pd

COLUMNS: tuple[Column, ...] = (
    Column("machine", "", "name of the machine"),
    Column("workload", "", "name of the network, transforms included"),
    Column("latency_s", "s", "time of the whole batch"),
    Column("energy_j", "J", "energy of the whole batch"),
    Column("edp_js", "J s", "energy times time"),
    Column("images_per_s", "1/s", "images of the batch over its time"),
    Column("speedup", "1", "time of the baseline over that of the machine: above 1 the machine is faster"),
    Column("speedup_low", "1", "5 % quantile of the speed-up over draws of the uncertain parameters"),
    Column("speedup_high", "1", "95 % quantile of the speed-up"),
    Column("energy_ratio", "1", "energy of the baseline over that of the machine: above 1 it needs less"),
    Column("energy_ratio_low", "1", "5 % quantile of the energy ratio"),
    Column("energy_ratio_high", "1", "95 % quantile of the energy ratio"),
    Column("failure", "", "why the machine cannot run the network; empty if it can"),
)


def geometric_mean(values: list[float]) -> float:
    """Geometric mean of positive values; raises ``ValueError`` for an empty list or a value <= 0."""
    if not values or min(values) <= 0:
        raise ValueError(f"a geometric mean needs positive values, found {values}")
    return math.exp(math.fsum(math.log(value) for value in values) / len(values))


@dataclass(frozen=True)
class Comparison:
    """Results by (machine, workload).

    ``failures`` holds the pairs that could not be evaluated, with the reason in words; they are rows of the
    table too, and a geometric mean says over how many workloads it was taken. ``uncertainty`` holds the intervals
    of the ratios, if parameters were drawn (:func:`cosim.explore.intervals.ratio_intervals`).
    """

    machines: tuple[str, ...]
    workloads: tuple[str, ...]
    results: Mapping[tuple[str, str], Outcome]
    failures: Mapping[tuple[str, str], str]
    baseline: str
    uncertainty: Uncertainty | None = None

    def ratio(self, machine: str, workload: str) -> Ratio | None:
        """Baseline over machine on one workload, or None if either failed."""
        this = self.results.get((machine, workload))
        base = self.results.get((self.baseline, workload))
        return ratio(this, base) if this and base else None

    def rows(self) -> list[dict[str, Any]]:
        """One row for every machine and workload; the keys are :data:`COLUMNS`."""
        rows = []
        drawn = self.uncertainty.ratios if self.uncertainty else {}
        for machine in self.machines:
            for workload in self.workloads:
                result = self.results.get((machine, workload))
                ratios = self.ratio(machine, workload)
                totals = result.totals() if result else {}
                rows.append(
                    {
                        "machine": machine,
                        "workload": workload,
                        "latency_s": totals.get("latency_s"),
                        "energy_j": totals.get("energy_j"),
                        "edp_js": totals.get("edp_js"),
                        "images_per_s": totals.get("images_per_s"),
                        **_ratio_columns(
                            ratios.speedup if ratios else None,
                            ratios.energy_ratio if ratios else None,
                            drawn.get((machine, workload)),
                        ),
                        "failure": self.failures.get((machine, workload), ""),
                    }
                )
        return rows

    def means(self) -> list[dict[str, Any]]:
        """Geometric mean of speed-up and energy ratio per machine, over the workloads that both ran."""
        rows = []
        drawn = self.uncertainty.means if self.uncertainty else {}
        for machine in self.machines:
            found = [r for workload in self.workloads if (r := self.ratio(machine, workload))]
            rows.append(
                {
                    "machine": machine,
                    "workloads": len(found),
                    **_ratio_columns(
                        geometric_mean([r.speedup for r in found]) if found else None,
                        geometric_mean([r.energy_ratio for r in found]) if found else None,
                        drawn.get(machine),
                    ),
                }
            )
        return rows

    def to_json(self) -> dict[str, Any]:
        """The document of ``cosim compare --json``."""
        return {
            "schema": 1,
            "baseline": self.baseline,
            "rows": self.rows(),
            "geometric_mean": self.means(),
            "uncertainty": self.uncertainty.to_json() if self.uncertainty else None,
            "manifests": {f"{m} / {w}": dict(r.manifest) for (m, w), r in self.results.items()},
        }

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a data frame."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def _repr_html_(self) -> str:
        return comparison_block(self)


def _ratio_columns(
    speedup: float | None, energy_ratio: float | None, drawn: RatioIntervals | None
) -> dict[str, float | None]:
    def ends(name: str, value: float | None, found: Interval | None) -> dict[str, float | None]:
        low, high = (found.low, found.high) if found else (None, None)
        return {name: value, f"{name}_low": low, f"{name}_high": high}

    return {
        **ends("speedup", speedup, drawn.speedup if drawn else None),
        **ends("energy_ratio", energy_ratio, drawn.energy_ratio if drawn else None),
    }
