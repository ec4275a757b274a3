"""Several machines on several workloads: one table, speed-ups and their geometric means."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from cosim.results.result import Ratio, Result, ratio

if TYPE_CHECKING:
    import pandas as pd


def geometric_mean(values: list[float]) -> float:
    """Geometric mean of positive values; raises ``ValueError`` for an empty list or a value <= 0."""
    if not values or min(values) <= 0:
        raise ValueError(f"a geometric mean needs positive values, found {values}")
    return math.exp(math.fsum(math.log(value) for value in values) / len(values))


@dataclass(frozen=True)
class Comparison:
    """Results by (machine, workload).

    ``failures`` holds the pairs that could not be evaluated, with the reason in words; they are rows of the
    table too, and a geometric mean says over how many workloads it was taken.
    """

    machines: tuple[str, ...]
    workloads: tuple[str, ...]
    results: Mapping[tuple[str, str], Result]
    failures: Mapping[tuple[str, str], str]
    baseline: str

    def ratio(self, machine: str, workload: str) -> Ratio | None:
        """Baseline over machine on one workload, or None if either failed."""
        this = self.results.get((machine, workload))
        base = self.results.get((self.baseline, workload))
        return ratio(this, base) if this and base else None

    def rows(self) -> list[dict[str, Any]]:
        """One row for every machine and workload."""
        rows = []
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
                        "speedup": ratios.speedup if ratios else None,
                        "energy_ratio": ratios.energy_ratio if ratios else None,
                        "failure": self.failures.get((machine, workload), ""),
                    }
                )
        return rows

    def means(self) -> list[dict[str, Any]]:
        """Geometric mean of speed-up and energy ratio per machine, over the workloads that both ran."""
        rows = []
        for machine in self.machines:
            found = [r for workload in self.workloads if (r := self.ratio(machine, workload))]
            rows.append(
                {
                    "machine": machine,
                    "workloads": len(found),
                    "speedup": geometric_mean([r.speedup for r in found]) if found else None,
                    "energy_ratio": geometric_mean([r.energy_ratio for r in found]) if found else None,
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
            "manifests": {f"{m} / {w}": dict(r.manifest) for (m, w), r in self.results.items()},
        }

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a data frame."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def _repr_html_(self) -> str:
        rows = self.rows()
        head = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_cell(value))}</td>" for value in row.values()) + "</tr>"
            for row in rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
