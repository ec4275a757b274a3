"""Feasibility with reasons: a demand against a bound, and what would fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.ir.batch import Array, Mask


@dataclass(frozen=True)
class Limit:
    """A layer is infeasible where ``demand`` exceeds ``bound``.

    ``demand`` and ``bound`` broadcast to (points, L); ``resource`` names what runs out, ``unit`` its unit, and
    ``remedy`` says in words what would make it fit (it may use ``{demand}`` and ``{bound}``).
    """

    resource: str
    demand: Array | float
    bound: Array | float
    unit: str
    remedy: str

    @property
    def violated(self) -> Mask:
        """Where the demand does not fit."""
        return np.asarray(self.demand > self.bound)


@dataclass(frozen=True)
class Infeasible:
    """One layer that does not fit, with the reason."""

    layer: str
    resource: str
    demand: float
    bound: float
    unit: str
    remedy: str

    def __str__(self) -> str:
        return (
            f"layer {self.layer}: {self.resource} needs {self.demand:,.6g} {self.unit}, "
            f"the machine has {self.bound:,.6g}; {self.remedy}"
        )


class InfeasibleError(ValueError):
    """A workload that cannot be mapped as asked."""

    def __init__(self, reasons: tuple[Infeasible, ...]) -> None:
        super().__init__("\n".join(str(reason) for reason in reasons))
        self.reasons = reasons


def violations(limits: tuple[Limit, ...], names: tuple[str, ...]) -> tuple[Infeasible, ...]:
    """The violated limits of a single design point, layer by layer."""
    found = []
    for limit in limits:
        demand = np.broadcast_to(limit.demand, (len(names),))
        bound = np.broadcast_to(limit.bound, (len(names),))
        for index in np.flatnonzero(demand > bound):
            need, have = float(demand[index]), float(bound[index])
            text = limit.remedy.format(demand=f"{need:,.6g}", bound=f"{have:,.6g}")
            found.append(Infeasible(names[index], limit.resource, need, have, limit.unit, text))
    return tuple(found)
