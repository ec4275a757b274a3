"""Whole networks on one Zen 4 core: batch 1, one thread, FP32, onnxruntime 1.31.1 and torch 2.13, measured medians."""

from __future__ import annotations

import pytest

from cosim import evaluate, load_arch

MEASURED_MS = {
    "resnet18": 33.4,
    "resnet50": 75.6,
    "mobilenet_v2": 8.0,
    "convnext_tiny": 98.1,
    "vit": 365.7,
    "deit_tiny": 29.0,
}

EAGER_MS = {
    "resnet18": 43.8,
    "resnet50": 109.2,
    "mobilenet_v2": 17.0,
    "convnext_tiny": 119.0,
    "vit": 409.3,
    "deit_tiny": 35.8,
}


@pytest.mark.parametrize(("network", "measured_ms"), MEASURED_MS.items())
def test_network_within_fifteen_percent(network: str, measured_ms: float) -> None:
    result = evaluate("cpu_zen4", network)
    assert result.totals()["latency_s"] * 1e3 == pytest.approx(measured_ms, rel=0.15)


@pytest.mark.parametrize(("network", "measured_ms"), EAGER_MS.items())
def test_eager_torch_within_fifteen_percent(network: str, measured_ms: float) -> None:
    eager = {"name": "torch", "layout": "nhwc", "graph": "eager", "operands": "network"}
    machine = load_arch("cpu_zen4", {f"runtime.{key}": value for key, value in eager.items()})
    assert evaluate(machine, network).totals()["latency_s"] * 1e3 == pytest.approx(measured_ms, rel=0.15)


def test_networks_rank_as_measured() -> None:
    predicted = {name: evaluate("cpu_zen4", name).totals()["latency_s"] for name in MEASURED_MS}
    assert sorted(predicted, key=predicted.__getitem__) == sorted(MEASURED_MS, key=MEASURED_MS.__getitem__)
