"""Scaling of CMOS between nodes: Stillmaker and Baas, Integration 58 (2017), doi 10.1016/j.vlsi.2017.02.002.

With the paper's polynomials of the supply voltage V, fitted to HSPICE runs of inverters with predictive models,

    P(V) = a2 V^2 + a1 V + a0                    (energy of a switching event)                (1)
    D(V) = a3 V^3 + a2 V^2 + a1 V + a0           (delay)                                      (2)

a figure at one node and voltage becomes another's by the ratio of P, or of D. The coefficients are as used by two
public tools that cite the paper (Accelergy's library plug-in and nodeScale), which agree. From 20 nm on they are of
high-performance transistors; mixing them with low-power ones at 32 and 45 nm makes that step too good, so the
transistors are part of a node's name here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cosim.components.technology import NOT_CMOS, TechnologyError, TechnologySpec

ENERGY: dict[str, tuple[float, float, float]] = {
    "130": (7.171, -6.709, 2.904),
    "90": (4.762, -4.781, 2.092),
    "65": (3.755, -4.398, 1.975),
    "45-lp": (1.103, -0.362, 0.2767),
    "45-hp": (1.018, -0.3107, 0.1539),
    "32-lp": (0.9559, -0.7823, 0.471),
    "32-hp": (0.8367, -0.4341, 0.1701),
    "20-hp": (0.373, -0.1582, 0.04104),
    "16-hp": (0.2958, -0.1241, 0.03024),
    "14-hp": (0.2363, -0.09675, 0.02239),
    "10-hp": (0.2068, -0.09311, 0.02375),
    "7-hp": (0.1776, -0.09097, 0.02447),
}
DELAY: dict[str, tuple[float, float, float, float]] = {
    "45-hp": (-501.6, 1567.0, -1619.0, 566.1),
    "32-hp": (-1047.0, 2982.0, -2797.0, 873.5),
    "20-hp": (0.0, 34.63, -66.37, 41.15),
    "16-hp": (0.0, 24.8, -47.52, 28.87),
    "14-hp": (-40.66, 109.2, -100.6, 35.92),
    "10-hp": (-34.95, 93.65, -85.99, 30.4),
    "7-hp": (-28.58, 76.6, -70.26, 24.69),
}
AREA_FROM_45 = {"65": 1.5, "45": 1.0, "32": 0.46, "20": 0.21, "16": 0.19, "14": 0.17, "10": 0.10, "7": 0.059}
LOWEST_V, HIGHEST_V = 0.5, 1.3


def _ratio(
    table: Mapping[str, tuple[float, ...]], what: str, to: str, to_v: float, of: str, of_v: float
) -> float:
    found = []
    for node, volt in ((to, to_v), (of, of_v)):
        if node not in table:
            raise TechnologyError(f"{what} scaling: found node {node!r}, allowed {', '.join(table)}")
        if not LOWEST_V <= volt <= HIGHEST_V:
            raise TechnologyError(f"{what} scaling: found {volt} V, allowed {LOWEST_V} .. {HIGHEST_V} V")
        value = float(np.polyval(table[node], volt))
        if value <= 0.0:
            raise TechnologyError(f"{what} scaling: the fit of node {node} does not reach {volt} V")
        found.append(value)
    return found[0] / found[1]


def energy_factor(to: str, to_v: float, of: str, of_v: float) -> float:
    """Energy at node ``to`` and ``to_v`` volt over that at ``of`` and ``of_v`` (eq. 1).

    TechnologyError for a node or a voltage outside the fits.
    """
    return _ratio(ENERGY, "energy", to, to_v, of, of_v)


def delay_factor(to: str, to_v: float, of: str, of_v: float) -> float:
    """Delay at node ``to`` over that at ``of`` (eq. 2); high-performance transistors only."""
    return _ratio(DELAY, "delay", to, to_v, of, of_v)


def area_factor(to: str, of: str) -> float:
    """Area of the same layout at node ``to`` over that at ``of``; nodes without their transistors."""
    for node in (to, of):
        if node not in AREA_FROM_45:
            raise TechnologyError(f"area scaling: found node {node!r}, allowed {', '.join(AREA_FROM_45)}")
    return AREA_FROM_45[to] / AREA_FROM_45[of]


def scaled_access_pj(
    spec: TechnologySpec, capacity_bytes: float, to: str, to_v: float, of: str, of_v: float
) -> tuple[float, float]:
    """(read, write) energy [pJ] of a CMOS array at another node.

    Refused (TechnologyError) for cells whose write is set by a magnetic junction, a filament or a melt: their
    current does not follow the transistors.
    """
    if spec.technology in NOT_CMOS:
        raise TechnologyError(
            f"technology {spec.name!r} ({spec.technology}): its writes are set by the cell, not by CMOS, and do not "
            "scale with the node; import an array of the wanted node"
        )
    figures, factor = spec.array(capacity_bytes), energy_factor(to, to_v, of, of_v)
    return float(figures.read_pj) * factor, float(figures.write_pj) * factor
