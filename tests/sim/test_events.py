"""Event simulation against hand-worked schedules, the recurrence, bounds that hold for any program, and full runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.sim.events import Job, Options, Order, simulate
from cosim.sim.flow import passed
from cosim.sim.program import LayerRun, Program, StageRun, TileRun, Unit, equal_tiles
from cosim.sim.report import joined_error_s, simulation
from cosim.sim.server import Arbitration, Refresh

TIMES = st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 3.0])
POSITIVE = st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0])
UNITS = ("u0", "u1", "u2", "u3")


def program(*layers: LayerRun, memories: tuple[str, ...] = ()) -> Program:
    names = dict.fromkeys(unit for layer in layers for stage, _ in layer.all_stages() for unit in stage.units)
    return Program("p", layers, {name: Unit(name, "machine", name in memories) for name in names})


def layer(
    number: int, *stages: StageRun, sources: tuple[int, ...] = (), elementwise: bool = False, rounds: int = 1
) -> LayerRun:
    return LayerRun(number, f"layer{number}", "machine", stages, rounds, sources, elementwise)


@st.composite
def stages(draw: st.DrawFn) -> StageRun:
    """Uneven tiles on one to four units, none of which has nothing to do."""
    width = draw(st.integers(1, 4))
    sequences = []
    for _ in range(draw(st.integers(1, 2))):
        kinds = draw(st.integers(1, 3))
        counts = draw(st.lists(st.integers(1, 4), min_size=kinds, max_size=kinds))
        row = st.lists(TIMES, min_size=width, max_size=width)
        seconds = draw(st.lists(row, min_size=kinds, max_size=kinds))
        sequences.append(TileRun(np.array(counts), np.array(seconds), draw(st.integers(1, 3))))
    found = StageRun(
        "s",
        UNITS[:width],
        tuple(sequences),
        draw(st.integers(1, 2)),
        draw(st.integers(1, 3)),
        draw(st.booleans()),
    )
    extra = TileRun(np.array([1]), np.full((1, width), draw(POSITIVE)))
    return StageRun("s", found.units, (*found.sequences, extra), found.repeats, found.room, found.streams)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    layers = []
    for number in range(draw(st.integers(1, 4))):
        sources = draw(st.lists(st.integers(0, number - 1), max_size=2, unique=True)) if number else []
        layers.append(
            layer(number, *draw(st.lists(stages(), min_size=1, max_size=2)), sources=tuple(sources),
                  elementwise=draw(st.booleans()), rounds=draw(st.integers(1, 2)))
        )  # fmt: skip
    return program(*layers)


def test_two_images_share_a_unit_by_hand() -> None:
    """Each image: 2 on a, then 3 on b. Image 1 has a at 2-4, waits for b until 5, ends at 8."""
    both = program(layer(0, equal_tiles("s", 1, [("a", 2.0)])), layer(1, equal_tiles("s", 1, [("b", 3.0)])))
    found = simulate(Job(both, images=2, in_flight=2))
    assert found.makespan_s == 8.0
    assert found.by_unit("queued") == {"a": 2.0, "b": 1.0}
    assert found.interval_s == (3.0,)
    assert simulate(Job(both, images=2)).makespan_s == 10.0


def test_rounds_and_what_comes_before_by_hand() -> None:
    """A transfer of 4 once, then twice (1 on a, two tiles of 2 and 3 through b and c: 2 + 3 + 3)."""
    before = (equal_tiles("transfer", 1, [("link", 4.0)]),)
    own = (equal_tiles("call", 1, [("a", 1.0)]), equal_tiles("run", 2, [("b", 2.0), ("c", 3.0)]))
    one = program(LayerRun(0, "l", "m", own, rounds=2, before=before))
    for shortcuts in (True, False):
        assert simulate(one, Options(shortcuts=shortcuts)).makespan_s == 4 + 2 * (1 + 8)
    assert one.analytic_s == 4 + 2 * (1 + 6)
    assert one.serial_s == 4 + 2 * (1 + 10)


def test_layers_start_as_soon_as_their_inputs_are_there_by_hand() -> None:
    """Layers 1 and 2 both read layer 0 and use different units: 1 + max(4, 3), then layer 3 reads both: + 2."""
    diamond = program(
        layer(0, equal_tiles("s", 1, [("a", 1.0)])),
        layer(1, equal_tiles("s", 1, [("b", 4.0)]), sources=(0,)),
        layer(2, equal_tiles("s", 1, [("c", 3.0)]), sources=(0,)),
        layer(3, equal_tiles("s", 1, [("a", 2.0)]), sources=(1, 2)),
    )
    assert simulate(diamond, Options(order="dataflow")).makespan_s == 7.0
    assert simulate(diamond).makespan_s == 10.0


def test_an_elementwise_layer_follows_tile_by_tile_by_hand() -> None:
    """Four tiles of 2 on a, then four of 1 on b: 8 + 4 behind each other, 8 + 1 tile by tile."""
    first = layer(0, equal_tiles("s", 4, [("a", 2.0)]))
    follows = program(first, layer(1, equal_tiles("s", 4, [("b", 1.0)]), sources=(0,), elementwise=True))
    waits = program(first, layer(1, equal_tiles("s", 4, [("b", 1.0)]), sources=(0,)))
    dataflow = Options(order="dataflow")
    assert simulate(follows, dataflow).makespan_s == 9.0
    assert simulate(waits, dataflow).makespan_s == 12.0


def test_arbitration_by_hand() -> None:
    """Two machines want one memory from time 0 on, tiles of 1: the first has 4, the second 2.

    fcfs and round robin take turns (requests alternate), so the second is done at 4; priority serves the first alone
    until 4, then the second until 6.
    """
    ends = {}
    for arbitration in ("fcfs", "round_robin", "priority"):
        jobs = [
            Job(program(layer(0, equal_tiles("s", count, [("m", 1.0)])), memories=("m",))) for count in (4, 2)
        ]
        found = simulate(jobs, Options(arbitration=arbitration))
        assert found.makespan_s == 6.0
        ends[arbitration] = found.layer_s[1, 0][1]
    assert ends == {"fcfs": 4.0, "round_robin": 4.0, "priority": 6.0}


def test_round_robin_gives_every_owner_its_turn() -> None:
    """Three images of the first job queue at once; first come first served lets them all pass before the second job."""
    busy = program(layer(0, equal_tiles("s", 1, [("m", 1.0)])))
    late = program(layer(0, equal_tiles("s", 1, [("x", 0.5)]), equal_tiles("s", 1, [("m", 1.0)])))
    jobs = [Job(busy, images=3, in_flight=3), Job(late)]
    assert simulate(jobs, Options(arbitration="fcfs")).layer_s[1, 0][1] == 4.0
    assert simulate(jobs, Options(arbitration="round_robin")).layer_s[1, 0][1] == 2.0


@given(programs())
@settings(max_examples=120, deadline=None)
def test_one_image_in_order(one: Program) -> None:
    """Eq. 4; the recurrence is what events give; without contention it is the closed form to the last digit."""
    found = simulation(one)
    event = found.result.makespan_s
    assert one.analytic_s * (1 - 1e-12) <= event <= one.serial_s * (1 + 1e-12)
    assert simulate(one, Options(shortcuts=False)).makespan_s == pytest.approx(event, rel=1e-12)
    off = simulate(one, Options(contention=False)).makespan_s
    assert off == pytest.approx(one.analytic_s, rel=1e-14)
    for name, seconds in one.busy_s.items():
        assert found.result.busy_s[name] == pytest.approx(seconds, rel=1e-12)


@given(programs(), st.integers(1, 4), st.integers(1, 4), st.sampled_from(["serial", "dataflow"]))
@settings(max_examples=80, deadline=None)
def test_several_images_stay_between_the_busiest_unit_and_the_serial_sum(
    one: Program, images: int, in_flight: int, order: Order
) -> None:
    found = simulation(Job(one, images, in_flight), Options(order=order))
    assert found.bottleneck_s == pytest.approx(images * max(one.busy_s.values()), rel=1e-12)
    assert found.bottleneck_s <= found.result.makespan_s * (1 + 1e-12)
    assert found.result.makespan_s <= images * one.serial_s * (1 + 1e-12)


@given(
    st.lists(programs(), min_size=2, max_size=3),
    st.sampled_from(["fcfs", "round_robin", "priority"]),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_machines_that_share_units(jobs: list[Program], arbitration: Arbitration, refreshes: bool) -> None:
    """All programs use the same units: the work of each is conserved, Eq. 5 holds, every tile is served once."""
    named = [
        Program(f"p{i}", one.layers, {n: Unit(n, "m", n == "u0") for n in one.units})
        for i, one in enumerate(jobs)
    ]
    refresh = Refresh(10.0, 0.5) if refreshes else None
    found = simulation([Job(one) for one in named], Options(arbitration=arbitration, refresh=refresh))
    for name in found.result.units:
        work = sum(one.busy_s.get(name, 0.0) for one in named)
        assert found.result.busy_s[name] == pytest.approx(work, rel=1e-12)
    assert found.result.services == sum(one.joined(Options().most_tiles).services for one in named)


@given(programs(), st.floats(4.0, 40.0), st.floats(0.05, 1.0), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_refresh_costs_at_most_its_share(
    one: Program, interval: float, duration: float, channels: int
) -> None:
    memory = Program("p", one.layers, {n: Unit(n, "m", n == "u0") for n in one.units})
    refresh = Refresh(interval, duration, channels)
    plain, held = simulation(memory), simulation(memory, Options(refresh=refresh))
    events = simulate(memory, Options(refresh=refresh, shortcuts=False)).makespan_s
    assert events == pytest.approx(held.result.makespan_s, rel=1e-9)
    assert held.result.makespan_s >= plain.analytic_s * (1 - 1e-12)
    assert held.result.makespan_s <= held.serial_s * (1 + 1e-12)


@given(programs(), st.integers(1, 3), st.integers(0, 25))
@settings(max_examples=25, deadline=None)
def test_images_left_out_change_nothing(one: Program, in_flight: int, more: int) -> None:
    """Eq. 6 of the rhythm against a run of all images, joined alike."""
    images = 12 + more
    short = simulate(Job(one, images, in_flight), Options(most_tiles=10_000))
    full = simulate(Job(one, images, in_flight), Options(shortcuts=False))
    assert short.makespan_s == pytest.approx(full.makespan_s, rel=1e-9)
    assert short.services == full.services
    np.testing.assert_allclose(short.waits_s[0], full.waits_s[0], rtol=1e-9)


def test_a_thousand_images_are_not_simulated() -> None:
    one = program(
        layer(0, equal_tiles("s", 4, [("a", 1.0), ("b", 2.0)])), layer(1, equal_tiles("s", 1, [("c", 5.0)]))
    )
    found = simulate(Job(one, images=1000, in_flight=2))
    assert found.left_out > 900
    full = simulate(Job(one, images=1000, in_flight=2), Options(shortcuts=False))
    assert found.makespan_s == pytest.approx(full.makespan_s, rel=1e-12)
    assert found.interval_s[0] == pytest.approx(8.0), "b is busy 8 s for each image"


@given(stages(), st.integers(1, 12))
@settings(max_examples=80, deadline=None)
def test_joined_tiles_are_the_same_work(stage: StageRun, most: int) -> None:
    short = stage.joined(most)
    assert short.tiles <= most or short is stage
    np.testing.assert_allclose(short.busy_s, stage.busy_s, rtol=1e-12)
    every = np.array(list(stage.each()))
    ends = [round(k * stage.tiles / most) for k in range(most + 1)] if stage.tiles > most else []
    for k, row in enumerate(short.each()) if ends else ():
        np.testing.assert_allclose(row, every[ends[k] : ends[k + 1]].sum(axis=0), atol=1e-12)


def test_what_joining_adds_is_what_the_full_run_shows() -> None:
    stage = equal_tiles("s", 1000, [("a", 1e-3), ("b", 2e-3), ("c", 1.5e-3)])
    one = program(layer(0, stage))
    options = Options(most_tiles=10)
    full, short = passed(stage).end_s, passed(stage.joined(10)).end_s
    assert full == pytest.approx(4.5e-3 + 999 * 2e-3)
    assert short == pytest.approx(0.45 + 9 * 0.2)
    assert joined_error_s(one, options) == pytest.approx(short - full)


@given(programs(), st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_joined_layers_are_the_same_work(one: Program, most: int) -> None:
    short = one.joined(most)
    for name, seconds in one.busy_s.items():
        assert short.busy_s[name] == pytest.approx(seconds, rel=1e-12)
    for layer_run in short.layers:
        assert layer_run.rounds * max(stage.tiles for stage in layer_run.stages) <= max(
            most, layer_run.rounds
        )
        assert layer_run.rounds <= max(1, most // 4)


def test_differences_name_the_layer_and_what_it_waited_for() -> None:
    """Layer 1: its busiest unit b (4) waits 1 for the first tile of a."""
    one = program(
        layer(0, equal_tiles("s", 1, [("a", 3.0)])), layer(1, equal_tiles("s", 2, [("a", 1.0), ("b", 2.0)]))
    )
    (row,) = simulation(one).differences()
    assert (row.layer, row.unit, row.reason, row.waited_s) == ("layer1", "b", "starved", 1.0)
    assert (row.analytic_s, row.event_s) == (4.0, 5.0)


@pytest.mark.parametrize(("name", "make"), [
    ("images", lambda: Job(program(), images=0)),
    ("in_flight", lambda: Job(program(), in_flight=0)),
    ("room", lambda: Options(room=0)),
    ("most_tiles", lambda: Options(most_tiles=0)),
    ("refresh", lambda: Refresh(1.0, 1.0)),
    ("channels", lambda: Refresh(1.0, 0.1, 0)),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(name: str, make: object) -> None:
    with pytest.raises(ValueError, match=name):
        make()  # type: ignore[operator]
