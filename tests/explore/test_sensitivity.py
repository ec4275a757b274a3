"""Sensitivity against functions with known answers, and against single evaluations of machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from cosim.engine import evaluate, load_arch, load_workload
from cosim.explore.sensitivity import crossings, decisions, interval, sample, sensitivity, sobol, tornado
from cosim.explore.uncertain import Question, Uncertain, ask, spanning
from cosim.report.sensitivity_figures import tornado_figure
from cosim.results.files import OutputError


def uncertain(name: str, low: float, high: float, whole: bool = False) -> Uncertain:
    return Uncertain(name, low, high, (low + high) / 2, "", "assumed", "x", whole, (name,), ())


class Known:
    """A question whose answer is a function of its parameters."""

    metric = "latency"

    def __init__(self, parameters: list[Uncertain], function: Callable[..., np.ndarray]) -> None:
        self.parameters = tuple(parameters)
        self.function = function

    def answer(self, draws: Mapping[str, np.ndarray], count: int, metric: str | None = None) -> np.ndarray:
        columns = [draws.get(p.name, np.full(count, p.value)) for p in self.parameters]
        return np.broadcast_to(self.function(*columns), (count,)).astype(float)


def known(parameters: list[Uncertain], function: Callable[..., np.ndarray]) -> Question:
    return cast(Question, Known(parameters, function))


def test_sobol_indices_of_the_ishigami_function() -> None:
    # Ishigami and Homma (1990) with a = 7, b = 0.1: S1 = 0.3139, S2 = 0.4424, S3 = 0; T1 = 0.5576, T3 = 0.2437.
    three = [uncertain(name, -np.pi, np.pi) for name in "xyz"]
    question = known(three, lambda x, y, z: np.exp(np.sin(x) + 7 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x)))
    indices = sobol(question, 4096, 0)
    expected = {"x": (0.3139, 0.5576), "y": (0.4424, 0.4424), "z": (0.0, 0.2437)}
    for name, pair in expected.items():
        assert indices[name] == pytest.approx(pair, abs=0.02)


def test_sobol_indices_where_nothing_varies() -> None:
    question = known([uncertain("x", 1, 2)], lambda x: np.ones_like(x))
    assert sobol(question, 64, 0) == {"x": (0.0, 0.0)}


def test_interval_of_a_uniform_parameter() -> None:
    question = known([uncertain("x", 1.0, 3.0)], lambda x: x)
    found = interval(sample(question, 4096, 0).answers["latency"])
    assert (found.low, found.median, found.high) == pytest.approx((1.1, 2.0, 2.9), abs=0.01)
    assert found.wins == pytest.approx(1.0)


def test_a_range_over_decades_is_drawn_by_its_logarithm() -> None:
    question = known([uncertain("x", 0.01, 100.0)], lambda x: x)
    found = interval(sample(question, 4096, 0).answers["latency"])
    assert found.median == pytest.approx(1.0, rel=0.02)
    assert found.wins == pytest.approx(0.5, abs=0.01)


def test_whole_numbers_stay_whole() -> None:
    parameter = uncertain("n", 1, 8, whole=True)
    assert set(parameter.at(np.linspace(0, 1, 1000))) == set(range(1, 9))


def test_crossings_are_where_the_winner_changes() -> None:
    x = uncertain("x", 0.0, 10.0)
    # Above 1 between 2 and 7 only.
    question = known([x], lambda x: np.where((x > 2) & (x < 7), 1.5, 0.5))
    assert crossings(question, x) == pytest.approx([2.0, 7.0], abs=1e-5)
    assert crossings(known([x], lambda x: 2 + x), x) == []
    n = uncertain("n", 1, 16, whole=True)
    assert crossings(known([n], lambda n: n / 5.5), n) == [6.0]


def test_the_decisive_parameter_comes_first() -> None:
    names = [uncertain("idle", 0.0, 1.0), uncertain("strong", 0.0, 2.0), uncertain("weak", 0.0, 0.2)]
    question = known(names, lambda idle, strong, weak: strong + weak)
    found = decisions(question, sample(question, 2048, 0))
    assert found[0].parameter.name == "strong"
    assert (found[0].wins_low, found[0].wins_high) == (0.0, 1.0)
    assert found[-1].parameter.name == "idle"


def test_tornado_is_single_evaluations() -> None:
    question = ask(load_arch("systolic_sram"), load_workload("alexnet"))
    swings = {swing.parameter.name: swing for swing in tornado(question)}
    stated = {p.path for p in load_arch("systolic_sram").parameters if p.range}
    assert set(swings) == stated
    for name in ("host.call_s", "array.cols"):
        for end in ("low", "high"):
            value = getattr(swings[name].parameter, end)
            text = repr(int(value) if value == int(value) else value)
            single = evaluate("systolic_sram", "alexnet", overrides={name: text})
            assert getattr(swings[name], f"at_{end}") == pytest.approx(single.latency_s, rel=1e-12)
    assert question.nominal == pytest.approx(evaluate("systolic_sram", "alexnet").latency_s, rel=1e-12)
    assert [s.factor for s in tornado(question)] == sorted((s.factor for s in swings.values()), reverse=True)


def test_a_device_on_both_sides_is_one_device() -> None:
    question = ask(load_arch("optical4f"), load_workload("fatnet"), load_arch("gpu_rtx3090"))
    shared = {p.name: p for p in question.parameters if p.baseline_paths and p.machine_paths}
    assert "companion.host.launch_gap_s" in shared
    assert shared["companion.host.launch_gap_s"].baseline_paths == ("host.launch_gap_s",)
    assert not any(p.name.startswith("baseline.") for p in question.parameters)
    swing = next(s for s in tornado(question) if s.parameter.name == "companion.host.launch_gap_s")
    value = repr(swing.parameter.high)
    own = evaluate("optical4f", "fatnet", overrides={"companion.host.launch_gap_s": value})
    other = evaluate("gpu_rtx3090", "fatnet", overrides={"host.launch_gap_s": value})
    assert swing.at_high == pytest.approx(other.latency_s / own.latency_s, rel=1e-12)


def test_a_tie_of_two_machines_is_a_tie() -> None:
    # A processor beats the 4f machine once a frame takes long enough.
    network = load_workload("alexnet")
    question = ask(
        load_arch("optical4f"), network, load_arch("cpu_zen4"), only=("input.frame_s", "*.eager_s")
    )
    (frame,) = [p for p in question.parameters if p.name == "input.frame_s"]
    (value,) = crossings(question, frame)
    assert frame.low < value < frame.high
    own = evaluate("optical4f", network, overrides={"input.frame_s": repr(value)})
    assert own.latency_s == pytest.approx(evaluate("cpu_zen4", network).latency_s, rel=1e-5)


def test_a_tie_beyond_the_stated_range() -> None:
    machine, baseline = load_arch("optical4f"), load_arch("cpu_zen4")
    over = spanning(machine, baseline, "camera.rate_px_per_s", "1 Mpx/s", "1 Tpx/s")
    assert (over.low, over.high, over.unit) == (1e6, 1e12, "px_per_s")
    network = load_workload("fatnet")
    found = sensitivity(ask(machine, network, baseline, only=("input.frame_s",)), 64, 0, [over]).asked_ties
    ((same, (value,)),) = found
    assert same is over
    own = evaluate(machine.path, network, overrides={"camera.rate_px_per_s": repr(value)})
    assert own.latency_s == pytest.approx(evaluate(baseline, network).latency_s, rel=1e-5)
    with pytest.raises(OutputError, match=r"nearest spelling 'camera\.rate_px_per_s'"):
        spanning(machine, baseline, "camera.rate_px", "1", "2")
    with pytest.raises(OutputError, match="1 s"):
        spanning(machine, baseline, "camera.rate_px_per_s", "1 s", "2 s")
    with pytest.raises(OutputError, match="lower end first"):
        spanning(machine, baseline, "camera.rate_px_per_s", "2e9", "1e9")


def test_the_document_and_the_figure() -> None:
    question = ask(
        load_arch("systolic_mlc_sttram"), load_workload("fatnet"), load_arch("systolic_sram"), "edp"
    )
    found = sensitivity(question, 256, 0)
    document = found.to_json()
    assert document["ratio"] is True
    assert set(document["intervals"]) == {"latency", "energy", "edp"}
    edp = document["intervals"]["edp"]
    assert edp["p05"] <= edp["median"] <= edp["p95"]
    assert len(document["parameters"]) == len(question.parameters)
    shown = [text.get_text() for text in tornado_figure(found, 5).axes[0].get_yticklabels()]
    assert shown[-1] == found.swings[0].parameter.name


def test_refusals() -> None:
    machine, network = load_arch("systolic_sram"), load_workload("fatnet")
    with pytest.raises(OutputError, match="latency, energy, edp"):
        ask(machine, network, metric="speed")
    with pytest.raises(OutputError, match="asked for"):
        ask(machine, network, only=("nothing.*",))
    question = ask(machine, network)
    broken = replace(question.parameters[0], low=1.0, high=1e9)
    assert broken.logarithmic
