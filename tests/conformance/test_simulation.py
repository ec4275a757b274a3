"""Every kind x every arch file as events: the same work as the closed form, inside the bounds, shortcuts exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cosim.hardware.load import Machine
from cosim.ir.layer import Layer
from cosim.ir.workload import Workload
from cosim.sim.build import lay, program_of
from cosim.sim.events import Job, Options, simulate
from cosim.sim.program import Program
from cosim.sim.report import simulation
from tests.conformance.test_machines import fitting
from tests.conformance.test_machines import machine as machine  # the fixture over all arch files


def chain(layers: list[Layer]) -> Workload:
    """The layers one after another, each reading the one before."""
    made = [replace(layer, inputs=(layers[i - 1].name,) if i else ("x",)) for i, layer in enumerate(layers)]
    return Workload("small", tuple(made), inputs={"x": (1, 1, 1, 1)}, outputs=(made[-1].name,))


@pytest.fixture(scope="module")
def program(machine: Machine) -> Program:
    from tests.conformance.small import every_class

    names = set(fitting(machine).names)
    return program_of(lay(machine, chain([layer for layer in every_class() if layer.name in names])))


def test_units_work_as_long_as_resources_are_busy(machine: Machine, program: Program) -> None:
    from tests.conformance.small import every_class

    names = set(fitting(machine).names)
    laid = lay(machine, chain([layer for layer in every_class() if layer.name in names]))
    wanted: dict[str, float] = {}
    for stage in laid.cost.stages:
        for resource, seconds in stage.resources.items():
            unit = laid.unit(stage.name, resource)
            total = float(np.broadcast_to(seconds, (laid.layers.size,)).sum())
            wanted[unit] = wanted.get(unit, 0.0) + total
    for name, busy in program.busy_s.items():
        assert busy == pytest.approx(wanted[name], rel=1e-9)
    assert {unit for unit, busy in wanted.items() if busy > 0} == set(program.units)


def test_analytic_event_serial(machine: Machine, program: Program) -> None:
    """Eq. 4; without contention equal to the closed form, to a thousandth of a cycle."""
    found = simulation(program)
    closed = float(sum(layer.analytic_s for layer in program.layers))
    assert found.result.makespan_s >= closed * (1 - 1e-12)
    assert found.result.makespan_s <= program.serial_s * (1 + 1e-12)
    off = simulate(program, Options(contention=False)).makespan_s
    assert abs(off - closed) * float(machine.model.cycle_hz(machine.params)) < 1e-3


def test_a_closed_form_of_layers_is_the_program_s(machine: Machine, program: Program) -> None:
    from tests.conformance.small import every_class

    names = set(fitting(machine).names)
    laid = lay(machine, chain([layer for layer in every_class() if layer.name in names]))
    for layer, seconds in zip(program.layers, laid.cost.latency_s, strict=True):
        # Several resources of a stage that are one unit add up, which the closed form overlaps.
        assert layer.analytic_s >= float(seconds) * (1 - 1e-9), layer.name
        assert layer.analytic_s == pytest.approx(float(seconds), rel=1e-9), layer.name


def test_events_give_what_the_recurrence_gives(program: Program) -> None:
    """Tiles joined to at most 24 a stage, so that every one can be an event."""
    small = Program(
        program.name,
        tuple(
            replace(
                layer, stages=tuple(stage.joined(24) for stage in layer.stages), rounds=min(layer.rounds, 2)
            )
            for layer in program.layers
        ),
        program.units,
    )
    fast, full = simulate(small), simulate(small, Options(shortcuts=False))
    assert fast.makespan_s == pytest.approx(full.makespan_s, rel=1e-12)
    np.testing.assert_allclose(fast.waits_s[0], full.waits_s[0], rtol=1e-9)


def test_images_in_flight_and_dataflow_keep_their_bounds(program: Program) -> None:
    for options in (Options(most_tiles=8), Options(most_tiles=8, order="dataflow")):
        found = simulation(Job(program, images=3, in_flight=2), options)
        assert found.bottleneck_s <= found.result.makespan_s * (1 + 1e-12)
        assert found.result.makespan_s <= 3 * program.serial_s * (1 + 1e-12)


def test_outer_memories_are_units_that_occur(machine: Machine, program: Program) -> None:
    assert any(unit.memory for unit in program.units.values()), "no unit is an outer memory"
