"""Random layers on every default machine: what must hold for any size, including 1 and primes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.components.estimate import CostTable, price
from cosim.engine import load_arch
from cosim.hardware.load import Machine
from cosim.ir.batch import LayerBatch
from cosim.ir.layer import Layer, mac_layer
from cosim.mapping.plan import make_plan

MACHINES = ("optical4f", "systolic_128", "cpu_zen4", "gpu_rtx3090")
SIZES = st.sampled_from([1, 2, 3, 7, 8, 13, 16, 31, 64, 97])


@st.composite
def convolutions(draw: st.DrawFn) -> Layer:
    kernel = draw(st.sampled_from([1, 2, 3, 5, 7]))
    stride = draw(st.sampled_from([1, 2]))
    side = draw(SIZES)
    pad = draw(st.integers(0, kernel // 2))
    if (side - 1) * stride + kernel - 2 * pad < 1:
        pad = 0
    return mac_layer(
        "layer",
        "conv",
        N=draw(st.sampled_from([1, 3])),
        K=draw(SIZES),
        C=draw(SIZES),
        P=side,
        Q=side,
        R=kernel,
        S=kernel,
        stride=(stride, stride),
        padding=(pad, pad, pad, pad),
    )


def cost(machine: Machine, *layers: Layer) -> CostTable:
    named = [replace(layer, name=f"layer{i}") for i, layer in enumerate(layers)]
    batch = LayerBatch.from_layers(named)
    plan = make_plan(batch, machine.model.choices)
    return price(machine.model.estimate(batch, machine.params, plan), machine.model.energies(machine.params))


@pytest.fixture(scope="module", params=MACHINES)
def machine(request: pytest.FixtureRequest) -> Machine:
    return load_arch(str(request.param))


@given(layer=convolutions())
@settings(max_examples=40, deadline=None)
def test_time_is_at_least_the_macs_at_peak_rate(machine: Machine, layer: Layer) -> None:
    table = cost(machine, layer)
    peak = float(np.max(machine.model.peak_macs_per_s(machine.params)))
    assert table.latency_s[0] >= layer.macs / peak * (1 - 1e-9)


@given(layer=convolutions(), factor=st.sampled_from([2, 3, 5]))
@settings(max_examples=40, deadline=None)
def test_more_output_channels_are_never_cheaper(machine: Machine, layer: Layer, factor: int) -> None:
    wider = mac_layer(
        "wider",
        "conv",
        N=layer.N,
        K=layer.K * factor,
        C=layer.C,
        P=layer.P,
        Q=layer.Q,
        R=layer.R,
        S=layer.S,
        stride=layer.stride,
        padding=layer.padding,
    )
    table = cost(machine, layer, wider)
    assert table.latency_s[1] >= table.latency_s[0] * (1 - 1e-9)
    assert table.total_energy_pj[1] >= table.total_energy_pj[0] * (1 - 1e-9)


@given(layers=st.lists(convolutions(), min_size=2, max_size=5))
@settings(max_examples=25, deadline=None)
def test_layers_cost_the_same_in_any_company(machine: Machine, layers: list[Layer]) -> None:
    together = cost(machine, *layers)
    alone = [cost(machine, layer) for layer in layers]
    assert [float(t) for t in together.latency_s] == [float(t.latency_s[0]) for t in alone]
    np.testing.assert_allclose(
        together.total_energy_pj, [float(t.total_energy_pj[0]) for t in alone], rtol=1e-14
    )
