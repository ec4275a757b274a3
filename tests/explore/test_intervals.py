"""Intervals of a comparison: those of single questions, paired over networks, and absent where nothing is uncertain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cosim.components.params import ParameterRow
from cosim.engine import compare, evaluate, load_arch, load_workload
from cosim.explore.intervals import ratio_intervals
from cosim.explore.sensitivity import sample
from cosim.explore.space import sobol_points
from cosim.explore.uncertain import ask
from cosim.hardware.load import Machine
from cosim.results.comparison import COLUMNS, Comparison
from cosim.results.intervals import Uncertainty, interval

DRAWS, SEED = 64, 3
NETWORKS = ("resnet18", "alexnet")


def drawn(*names: str) -> tuple[Comparison, Uncertainty]:
    return drawn_for([load_arch(name) for name in names])


def drawn_for(machines: list[Machine]) -> tuple[Comparison, Uncertainty]:
    networks = [load_workload(name) for name in NETWORKS]
    comparison = compare(machines, networks, machines[-1])
    return comparison, ratio_intervals(comparison, machines, networks, DRAWS, SEED)


def without_ranges(machine: Machine) -> Machine:
    rows: tuple[ParameterRow, ...] = tuple(replace(row, range=None) for row in machine.parameters)
    return replace(machine, parameters=rows)


def test_one_network_is_the_question_that_sensitivity_asks() -> None:
    _, found = drawn("systolic_128", "gpu_t4")
    for network in NETWORKS:
        question = ask(load_arch("systolic_128"), load_workload(network), load_arch("gpu_t4"))
        answers = sample(question, DRAWS, SEED).answers
        own = found.ratios["systolic_128", network]
        assert own.speedup == interval(answers["latency"])
        assert own.energy_ratio == interval(answers["energy"])
    assert found.parameters["systolic_128"] == len(question.parameters)


def test_one_draw_of_a_machine_holds_for_all_networks() -> None:
    """The geometric mean, draw by draw from single evaluations with the same parameters for both networks."""
    _, found = drawn("systolic_sram", "gpu_t4")
    machine, base = load_arch("systolic_sram"), load_arch("gpu_t4")
    question = ask(machine, load_workload(NETWORKS[0]), base)
    shares = sobol_points(len(question.parameters), 0, DRAWS, SEED)
    means = []
    for draw in shares[:4]:
        own, other = {}, {}
        for parameter, share in zip(question.parameters, draw, strict=True):
            value = float(parameter.at(np.array([share]))[0])
            text = repr(int(value) if parameter.whole else value)
            own |= dict.fromkeys(parameter.machine_paths, text)
            other |= dict.fromkeys(parameter.baseline_paths, text)
        ratios = [
            evaluate(base.path, network, overrides=other).latency_s
            / evaluate(machine.path, network, overrides=own).latency_s
            for network in NETWORKS
        ]
        means.append(float(np.sqrt(np.prod(ratios))))
    costs = [ask(machine, load_workload(n), base) for n in NETWORKS]
    columns = {p.name: p.at(share) for p, share in zip(question.parameters, shares.T, strict=True)}
    paired = np.sqrt(np.prod([q.answer(columns, DRAWS) for q in costs], axis=0))
    np.testing.assert_allclose(paired[:4], means, rtol=1e-9)
    assert found.means["systolic_sram"].speedup.median == pytest.approx(np.median(paired), rel=1e-12)


def test_a_machine_without_ranges_has_no_interval_and_says_so() -> None:
    machines = [without_ranges(load_arch("systolic_128")), load_arch("gpu_t4")]
    comparison, found = drawn_for(machines)
    assert found.ratios == {}
    assert found.without == {"systolic_128": "no parameter of its file states a range"}
    row = replace(comparison, uncertainty=found).rows()[0]
    assert row["speedup"] is not None
    assert (row["speedup_low"], row["energy_ratio_high"]) == (None, None)


def test_columns_are_declared_and_filled() -> None:
    comparison, found = drawn("systolic_128", "gpu_t4")
    rows = replace(comparison, uncertainty=found).rows()
    assert [tuple(row) for row in rows] == [tuple(column.name for column in COLUMNS)] * 4
    assert rows[0]["speedup_low"] < rows[0]["speedup_high"]
    assert rows[-1]["speedup_low"] is None, "the baseline against itself is 1, not uncertain"
    plain = comparison.rows()[0]
    assert plain["speedup_low"] is None
    assert comparison.to_json()["uncertainty"] is None
    assert replace(comparison, uncertainty=found).to_json()["uncertainty"]["seed"] == SEED


def test_the_interval_of_known_answers() -> None:
    found = interval(np.linspace(0.0, 2.0, 201))
    assert (found.low, found.median, found.high) == pytest.approx((0.1, 1.0, 1.9))
    assert found.wins == pytest.approx(100 / 201)
    with pytest.raises(ValueError, match="at least one draw"):
        interval(np.empty(0))


def test_draws_are_a_power_of_two() -> None:
    machines = [load_arch("systolic_128"), load_arch("gpu_t4")]
    networks = [load_workload("alexnet")]
    with pytest.raises(ValueError, match="found 100 draws, allowed a power of two"):
        ratio_intervals(compare(machines, networks), machines, networks, 100, 0)
