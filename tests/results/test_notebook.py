"""The HTML forms of results in a notebook: totals, bars, coverage, layers folded away, names escaped."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from cosim.engine import compare, evaluate
from cosim.results.comparison import Comparison
from cosim.results.result import Result
from cosim.results.text import better_or_worse, si, times_between


class Balanced(HTMLParser):
    """Raises on tags that do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def require_balanced(text: str) -> None:
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []


@pytest.fixture(scope="module")
def result() -> Result:
    return evaluate("systolic_128", "resnet18", baseline="gpu_t4")


def test_a_result_shows_totals_bars_and_coverage(result: Result) -> None:
    text = result._repr_html_()
    require_balanced(text)
    assert si(result.latency_s, "s") in text
    assert si(result.energy_j, "J") in text
    assert result.speedup is not None
    assert better_or_worse(result.speedup.speedup, "faster", "slower") in text
    assert "coverage: 100.00% of MACs" in text
    for name, joules in list(result.energy_by_component_j.items())[:3]:
        assert f">{name}</td>" in text
        assert f"width:{100 * joules / result.energy_j:.1f}%" in text
    assert "<script" not in text


def test_its_layers_fold_away(result: Result) -> None:
    text = result._repr_html_()
    inside = re.search(r"<details><summary>(\d+) layers</summary>(.*)</details>", text)
    assert inside is not None
    assert int(inside[1]) == len(result.layers)
    assert inside[2].count("<tr>") == len(result.layers) + 1


def test_names_are_escaped(result: Result) -> None:
    network = replace(result.workload, name="<script>alert(1)</script>")
    text = replace(result, workload=network)._repr_html_()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    odd = "<img src=x>"
    found = compare(["systolic_128", "gpu_t4"], ["alexnet"])
    results = {(odd, w) if m == "systolic_128" else (m, w): r for (m, w), r in found.results.items()}
    shown = replace(
        found, machines=(odd, "gpu_t4"), results=results, failures={(odd, odd): odd}, baseline="gpu_t4"
    )
    assert "<img" not in shown._repr_html_()


def test_a_comparison_shows_ratios_as_bars_from_the_tie() -> None:
    found = compare(["systolic_128", "cpu_zen4", "gpu_t4"], ["vit"], "gpu_t4")
    text = found._repr_html_()
    require_balanced(text)
    bars = re.findall(r"left:([\d.]+)%;width:([\d.]+)%", text)
    assert len(bars) == len(found.rows()) + len(found.means())
    for (left, width), row in zip(bars, found.rows(), strict=False):
        assert row["speedup"] is not None
        # A bar of a machine that is faster begins in the middle; that of a slower one ends there.
        start, end = float(left), float(left) + float(width)
        assert (start if row["speedup"] >= 1 else end) == pytest.approx(50, abs=0.9)


def test_failures_are_named() -> None:
    found = compare(["systolic_128", "gpu_t4"], ["alexnet"])
    broken: Comparison = replace(
        found,
        results={k: r for k, r in found.results.items() if k[0] == "gpu_t4"},
        failures={("systolic_128", "alexnet"): "does not fit\nat all"},
        baseline="gpu_t4",
    )
    text = broken._repr_html_()
    require_balanced(text)
    assert "not run" in text
    assert "systolic_128 cannot run alexnet: does not fit<" in text


def test_numbers_for_people() -> None:
    assert [si(v, "s") for v in (0.0, 1.23456e-3, 0.9996, 5e-20)] == ["0 s", "1.23 ms", "1 s", "5e-20 s"]
    assert times_between(1.69098, 0.68272, 2.8785) == "1.69x (0.683-2.88)"
    assert times_between(2.0, None, None) == "2x"
    assert times_between(None, 1.0, 2.0) == "-"
    assert better_or_worse(0.25, "faster", "slower") == "4x slower"
