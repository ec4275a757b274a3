"""Every kind x every arch file x small layers: what any machine must keep, whatever it models.

A new kind with an arch file is picked up by itself.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cosim.components.estimate import CostTable, price
from cosim.components.params import Params
from cosim.engine import evaluate_points, executed_bytes
from cosim.hardware.base import kinds
from cosim.hardware.load import Machine, load_machine
from cosim.ir.batch import LayerBatch
from cosim.ir.columns import COLUMNS
from cosim.mapping.feasibility import violations
from cosim.mapping.plan import make_plan
from cosim.spec.locate import ROOT
from cosim.spec.strict_yaml import load
from tests.conformance.small import every_class

ARCHS = sorted(path for path in (ROOT / "arch").rglob("*.yaml") if load(path).get("kind") in kinds())
LAYERS = every_class()


@pytest.fixture(scope="module", params=ARCHS, ids=lambda path: str(path.relative_to(ROOT / "arch")))
def machine(request: pytest.FixtureRequest) -> Machine:
    path: Path = request.param
    return load_machine(path, {}, strict=True)


def fitting(machine: Machine) -> LayerBatch:
    """The small layers that the machine can run; at least three quarters of them."""
    batch = LayerBatch.from_layers(LAYERS)
    refused = {reason.layer for reason in violations(costs(machine, batch).limits, batch.names)}
    assert len(refused) <= len(LAYERS) // 4, f"{machine.name} refuses {sorted(refused)}"
    return batch.take([i for i, name in enumerate(batch.names) if name not in refused])


def costs(machine: Machine, batch: LayerBatch, params: Params | None = None) -> CostTable:
    used = params or machine.params
    plan = make_plan(batch, machine.model.choices)
    return price(machine.model.estimate(batch, used, plan), machine.model.energies(used))


def test_every_kind_has_an_arch_file() -> None:
    assert {load(path).get("kind") for path in ARCHS} == set(kinds())


def test_model_describes_itself(machine: Machine) -> None:
    model = machine.model
    assert model.kind == machine.kind
    assert model.summary
    assert model.cycle
    assert model.leaves_out, "a model that leaves nothing out is not believed"
    assert model.holds, "say what the model assumes, and what it was held against"
    assert float(model.cycle_hz(machine.params)) > 0
    assert float(model.peak_macs_per_s(machine.params)) > 0


def test_columns_are_declared_and_complete(machine: Machine) -> None:
    batch = LayerBatch.from_layers(LAYERS)
    table = costs(machine, batch)
    assert set(table.columns) <= set(COLUMNS)
    for name, values in [*table.columns.items(), ("latency_s", table.latency_s)]:
        full = np.broadcast_to(values, (batch.size,))
        assert np.isfinite(full).all(), name
        assert (full >= 0).all(), name
    for name, words in table.labels.items():
        codes = np.broadcast_to(table.columns[name], (batch.size,))
        assert set(codes.astype(int)) <= set(range(len(words))), name
    assert (table.latency_s > 0).all(), "no layer is free"


def test_energy_parts_sum_to_the_total(machine: Machine) -> None:
    batch = LayerBatch.from_layers(LAYERS)
    table = costs(machine, batch)
    energies = machine.model.energies(machine.params)
    actions = sum(
        np.broadcast_to(count * energies.action_pj[key], (batch.size,))
        for key, count in table.action_counts.items()
    )
    static = table.latency_s * sum(energies.static_mw.values()) * 1e9
    np.testing.assert_allclose(table.total_energy_pj, actions + static, rtol=1e-12)
    assert (table.total_energy_pj > 0).all()


def test_every_energy_belongs_to_a_counted_action(machine: Machine) -> None:
    table = costs(machine, LayerBatch.from_layers(LAYERS))
    unused = set(machine.model.energies(machine.params).action_pj) - set(table.action_counts)
    assert not unused, f"energies that nothing counts: {sorted(unused)}"


def test_time_is_at_least_every_resource_and_at_most_their_sum(machine: Machine) -> None:
    table = costs(machine, LayerBatch.from_layers(LAYERS))
    total = np.zeros_like(table.latency_s)
    for seconds in table.resource_s.values():
        assert (np.asarray(seconds) >= 0).all()
        assert (table.latency_s >= seconds * (1 - 1e-12)).all()
        total = total + seconds
    assert (table.latency_s <= total * (1 + 1e-12)).all()


def test_utilization_is_a_share_and_agrees_with_the_peak(machine: Machine) -> None:
    batch = fitting(machine)
    table = costs(machine, batch)
    share = np.broadcast_to(table.utilization, (batch.size,))
    assert (share >= 0).all()
    assert (share <= 1 + 1e-12).all()
    assert (share[~batch.is_mac] == 0).all()


def test_doubling_every_rate_halves_every_time(machine: Machine) -> None:
    batch = LayerBatch.from_layers(LAYERS)
    fast = costs(machine, batch, machine.params.scaled_rates(2.0))
    np.testing.assert_allclose(fast.latency_s * 2, costs(machine, batch).latency_s, rtol=1e-12)


def test_a_batch_of_layers_equals_one_by_one(machine: Machine) -> None:
    together = costs(machine, LayerBatch.from_layers(LAYERS))
    for index, layer in enumerate(LAYERS):
        alone = costs(machine, LayerBatch.from_layers([layer]))
        assert alone.latency_s[0] == together.latency_s[index], layer.name
        assert alone.total_energy_pj[0] == pytest.approx(together.total_energy_pj[index], rel=1e-14), (
            layer.name
        )


def test_columns_of_points_equal_one_by_one(machine: Machine) -> None:
    batch = LayerBatch.from_layers(LAYERS)
    paths = [p for p, v in machine.params.values.items() if p.endswith(("_hz", "_per_s", "_pj", "_mw"))]
    assert paths
    factors = np.array([0.5, 1.0, 3.0])
    columns = {path: factors * np.asarray(machine.params.values[path]) for path in paths}
    chunks = list(
        evaluate_points(machine.model, batch, machine.params, columns, chunk_elements=2 * batch.size)
    )
    assert [chunk.count for chunk in chunks] == [2, 1]
    stacked = np.concatenate([c.every_layer(c.cost.latency_s) for c in chunks])
    energy = np.concatenate([c.every_layer(c.cost.total_energy_pj) for c in chunks])
    totals = np.concatenate([c.latency_s for c in chunks])
    np.testing.assert_allclose(totals, stacked.sum(axis=1), rtol=1e-13)
    for row in range(len(factors)):
        point = machine.params.with_values({path: float(column[row]) for path, column in columns.items()})
        alone = costs(machine, batch, point)
        np.testing.assert_allclose(stacked[row], alone.latency_s, rtol=1e-14)
        np.testing.assert_allclose(energy[row], alone.total_energy_pj, rtol=1e-13)


def test_evaluation_is_deterministic(machine: Machine) -> None:
    batch = LayerBatch.from_layers(LAYERS)
    first, second = costs(machine, batch), costs(machine, batch)
    assert (first.latency_s == second.latency_s).all()
    assert (first.total_energy_pj == second.total_energy_pj).all()


def test_every_constant_is_sourced(machine: Machine) -> None:
    unsourced = [row.path for row in machine.parameters if row.kind != "choice" and not row.source]
    assert not unsourced


def test_more_images_are_never_cheaper(machine: Machine) -> None:
    names = set(fitting(machine).names)
    one = LayerBatch.from_layers([layer for layer in LAYERS if layer.name in names])
    many = LayerBatch.from_layers([layer.with_batch(3) for layer in LAYERS if layer.name in names])
    less, more = costs(machine, one), costs(machine, many)
    assert (more.latency_s >= less.latency_s * (1 - 1e-12)).all()
    assert (more.total_energy_pj >= less.total_energy_pj * (1 - 1e-12)).all()


def test_more_bandwidth_is_never_slower(machine: Machine) -> None:
    batch = LayerBatch.from_layers(LAYERS)
    before = costs(machine, batch).latency_s
    for path, value in machine.params.values.items():
        if path.endswith("_per_s"):
            after = costs(machine, batch, machine.params.with_values({path: value * 2})).latency_s
            assert (after <= before * (1 + 1e-12)).all(), path


def test_executed_bytes_count_every_operand_once(machine: Machine) -> None:
    batch = LayerBatch.from_layers(LAYERS)
    bits = machine.model.execution_bits(machine.params)
    moved = executed_bytes(machine.model, batch, machine.params)
    by_hand = [
        (layer.x_elems * bits["x_bits"] + layer.w_touched * bits["w_bits"] + layer.y_elems * bits["y_bits"])
        / 8
        for layer in LAYERS
    ]
    np.testing.assert_allclose(np.broadcast_to(moved, (batch.size,)), by_hand, rtol=1e-14)


def test_the_equation_of_every_layer_can_be_printed(machine: Machine) -> None:
    batch = fitting(machine)
    plan = make_plan(batch, machine.model.choices)
    for index in range(batch.size):
        lines = machine.model.equation(batch.take([index]), machine.params, plan.take([index]))
        assert any("=" in line for line in lines), batch.names[index]
