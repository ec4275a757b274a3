"""Energy of arithmetic by width, and its scaling between CMOS nodes.

Energies of single operations at 45 nm and 0.9 V are those of Horowitz, "Computing's energy problem", ISSCC
2014, doi:10.1109/ISSCC.2014.6757323; the 16-bit integer multiplication, which he does not give, is read off
between the 8-bit and the 32-bit one by the square of the width (eq. 1). A multiply-accumulate is a
multiplication and an addition in the accumulator's width (eq. 2):

    E_mul(16) = E_mul(8) * (16 / 8) ** 2 = 0.8 pJ                                          (eq. 1)
    E_mac = E_mul(operands) + E_add(accumulator)                                           (eq. 2)

Node scaling uses the energy polynomials of Stillmaker and Baas, Integration 58 (2017) 74-81,
doi:10.1016/j.vlsi.2017.02.002 (eq. 3). They hold for logic; the write energy of a magnetic cell does not scale so.

    E_to = E_from * P_to(V_to) / P_from(V_from),  P(V) = a2 V^2 + a1 V + a0                 (eq. 3)
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

ADD_PJ = {"int8": 0.03, "int16": 0.05, "int32": 0.1, "fp16": 0.4, "fp32": 0.9}
MULTIPLY_PJ = {"int8": 0.2, "int16": 0.8, "int32": 3.1, "fp16": 1.1, "fp32": 3.7}
REFERENCE_NODE = "hp45"
REFERENCE_V = 0.9

ENERGY_POLYNOMIALS: dict[str, tuple[float, float, float]] = {
    "130": (7.171, -6.709, 2.904),
    "90": (4.762, -4.781, 2.092),
    "65": (3.755, -4.398, 1.975),
    "lp45": (1.103, -0.362, 0.2767),
    "hp45": (1.018, -0.3107, 0.1539),
    "lp32": (0.9559, -0.7823, 0.471),
    "hp32": (0.8367, -0.4341, 0.1701),
    "hp20": (0.373, -0.1582, 0.04104),
    "hp16": (0.2958, -0.1241, 0.03024),
    "hp14": (0.2363, -0.09675, 0.02239),
    "hp10": (0.2068, -0.09311, 0.02375),
    "hp7": (0.1776, -0.09097, 0.02447),
}
"""(a2, a1, a0) by node; hp and lp are the high-performance and the low-power process."""


def _known(name: str, table: Mapping[str, object], what: str) -> None:
    if name not in table:
        near = get_close_matches(name, table, n=1)
        hint = f", nearest: {near[0]!r}" if near else ""
        raise KeyError(f"found {what} {name!r}, allowed {sorted(table)}{hint}")


def mac_pj(operands: str, accumulator: str) -> float:
    """Energy of a multiply-accumulate at 45 nm, 0.9 V (eq. 2); raises ``KeyError`` for an unknown width."""
    _known(operands, MULTIPLY_PJ, "operand type")
    _known(accumulator, ADD_PJ, "accumulator type")
    return MULTIPLY_PJ[operands] + ADD_PJ[accumulator]


def node_factor(
    to_node: str, to_v: float, from_node: str = REFERENCE_NODE, from_v: float = REFERENCE_V
) -> float:
    """Energy at ``to_node`` and ``to_v`` over that at ``from_node`` and ``from_v`` (eq. 3)."""
    energies = []
    for node, volt in ((to_node, to_v), (from_node, from_v)):
        _known(node, ENERGY_POLYNOMIALS, "node")
        a2, a1, a0 = ENERGY_POLYNOMIALS[node]
        energies.append(a2 * volt * volt + a1 * volt + a0)
    return energies[0] / energies[1]
