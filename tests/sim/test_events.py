"""Event simulation against hand-worked schedules, the flow-shop formula and the closed form."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.engine import evaluate
from cosim.sim.events import Options, simulate
from cosim.sim.program import Program, StageRun, program_of, unit_of
from cosim.sim.report import joined_error_s, simulation
from cosim.sim.timeline import write_trace

TIMES = st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0])


def stage(name: str, tiles: int, *services: tuple[str, float], layer: int = 0) -> StageRun:
    return StageRun(layer, f"layer{layer}", name, tiles, services)


RUNS = st.lists(
    st.builds(
        lambda tiles, times, layer: stage(
            "s", tiles, *((f"u{i}", t) for i, t in enumerate(times)), layer=layer
        ),
        st.integers(1, 7),
        st.lists(TIMES, min_size=1, max_size=4),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=5,
)


def test_two_units_three_tiles_by_hand() -> None:
    # Unit a: 0-1, 1-2, 2-3. Unit b takes 2 a tile: 1-3, 3-5, 5-7.
    program = Program("hand", (stage("s", 3, ("a", 1.0), ("b", 2.0)),))
    result = simulate(program)
    assert result.makespan_s == 7.0
    assert result.busy_s == {"a": 3.0, "b": 6.0}
    assert program.analytic_s == 6.0
    assert program.serial_s == 9.0


def test_two_images_share_a_unit_by_hand() -> None:
    # Each image: 2 on a, then 3 on b. Image 1 has a at 2-4, waits for b until 5, ends at 8.
    program = Program("hand", (stage("first", 1, ("a", 2.0)), stage("second", 1, ("b", 3.0), layer=1)))
    result = simulate(program, Options(images=2, in_flight=2))
    assert result.makespan_s == 8.0
    assert result.waited_s["a"] == 2.0
    assert result.waited_s["b"] == 1.0
    assert simulate(program, Options(images=2)).makespan_s == 10.0


@given(RUNS)
@settings(max_examples=80, deadline=None)
def test_one_image_is_a_series_of_flow_shops(runs: list[StageRun]) -> None:
    program = Program("p", tuple(runs))
    found = simulation(program)
    assert found.result.makespan_s == pytest.approx(sum(run.pipelined_s for run in runs), rel=1e-12)
    assert program.analytic_s <= found.result.makespan_s <= program.serial_s


@given(RUNS)
@settings(max_examples=40, deadline=None)
def test_without_contention_it_is_the_closed_form(runs: list[StageRun]) -> None:
    program = Program("p", tuple(runs))
    assert simulate(program, Options(contention=False)).makespan_s == pytest.approx(
        program.analytic_s, rel=1e-15
    )


@given(RUNS, st.integers(2, 4), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_images_in_flight_stay_between_the_busiest_unit_and_the_serial_sum(
    runs: list[StageRun], images: int, depth: int
) -> None:
    found = simulation(Program("p", tuple(runs)), Options(images=images, in_flight=images, depth=depth))
    one = simulation(Program("p", tuple(runs)), Options(depth=depth)).result.makespan_s
    assert found.bottleneck_s <= found.result.makespan_s * (1 + 1e-12)
    assert one <= found.result.makespan_s * (1 + 1e-12)
    assert found.result.makespan_s <= found.serial_s * (1 + 1e-12)


@pytest.mark.parametrize(
    "arch", ["optical4f", "systolic_128", "systolic_mlc_sttram", "cpu_zen4", "gpu_rtx3090"]
)
def test_every_kind_keeps_the_bounds_and_meets_the_closed_form(arch: str) -> None:
    result = evaluate(arch, "resnet18")
    names = tuple(layer.name for layer in result.workload.layers)
    program = program_of("resnet18", names, result.cost, max_tiles=32)
    assert program.analytic_s == pytest.approx(result.latency_s, rel=1e-12)
    found = simulation(program)
    assert found.ratio >= 1 - 1e-12
    assert found.result.makespan_s <= found.serial_s * (1 + 1e-12)
    off = simulate(program, Options(contention=False)).makespan_s
    assert abs(off - result.latency_s) * result.cycle_hz < 1e-3, "equal to the cycle"


def test_error_of_joining_tiles_is_what_the_full_run_shows() -> None:
    fine = stage("s", 1000, ("a", 1e-3), ("b", 2e-3), ("c", 1.5e-3))
    joined = StageRun(0, "layer0", "s", 10, (("a", 0.1), ("b", 0.2), ("c", 0.15)), merged=100.0)
    full, short = simulate(Program("f", (fine,))).makespan_s, simulate(Program("j", (joined,))).makespan_s
    assert short - full == pytest.approx(joined_error_s(Program("j", (joined,))), rel=1e-9)


def test_units_of_two_stages_and_of_two_machines() -> None:
    assert unit_of("new_mask", "new_mask.readout", {}) == "readout"
    assert unit_of("companion.kernel", "companion.device memory", {}) == "companion.device memory"
    assert unit_of("s", "companion.device memory", {"companion.device memory": "memory"}) == "memory"


def test_trace_is_valid_and_equal_on_every_run(tmp_path: Path) -> None:
    result = evaluate("systolic_128", "resnet18")
    names = tuple(layer.name for layer in result.workload.layers)
    program = program_of("resnet18", names, result.cost, max_tiles=4)
    power = tuple(1.0 for _ in names)
    texts = []
    for name in ("a.json.gz", "b.json.gz"):
        found = simulation(program, Options(keep=10_000))
        write_trace(tmp_path / name, found, "systolic_128", names, power)
        texts.append((tmp_path / name).read_bytes())
    assert texts[0] == texts[1]
    events = json.loads(gzip.decompress(texts[0]))["traceEvents"]
    spans = [event for event in events if event["ph"] == "X"]
    assert {event["name"] for event in spans} == set(names)
    assert all(event["dur"] >= 0 for event in spans)
    last: dict[tuple[int, int], float] = {}
    for event in sorted(spans, key=lambda e: e["ts"]):
        key = (event["pid"], event["tid"])
        assert event["ts"] >= last.get(key, 0.0) - 1e-6, "a unit does one thing at a time"
        last[key] = event["ts"] + event["dur"]


@pytest.mark.parametrize("name", ["images", "in_flight", "depth"])
def test_options_below_one_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Options(**{name: 0})
