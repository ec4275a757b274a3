"""Arithmetic energies: published values and published scaling factors."""

from __future__ import annotations

import pytest

from cosim.components.mac import mac_pj, node_factor


def test_multiply_accumulate_adds_in_the_accumulator() -> None:
    """Horowitz, ISSCC 2014: int8 multiply 0.2 pJ, int32 add 0.1 pJ; fp32 3.7 and 0.9 pJ."""
    assert mac_pj("int8", "int32") == pytest.approx(0.3)
    assert mac_pj("fp32", "fp32") == pytest.approx(4.6)


@pytest.mark.parametrize(
    ("node", "volt", "factor"),
    [("lp32", 0.9, 0.641), ("hp20", 0.9, 0.238), ("hp16", 0.8, 0.142), ("hp7", 0.7, 0.057)],
)
def test_node_factors_from_45_nm(node: str, volt: float, factor: float) -> None:
    assert node_factor(node, volt, "lp45", 0.9) == pytest.approx(factor, abs=0.0006)


@pytest.mark.parametrize(("node", "factor"), [("130", 3.07), ("90", 1.90), ("65", 1.24), ("hp7", 0.094)])
def test_node_factors_at_equal_voltage(node: str, factor: float) -> None:
    assert node_factor(node, 0.8, "lp45", 0.8) == pytest.approx(factor, abs=0.006)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(KeyError, match="nearest: 'int8'"):
        mac_pj("int9", "int32")
    with pytest.raises(KeyError, match="found node"):
        node_factor("hp3", 0.7)
