"""Traces and figures of simulations: valid, equal on every run, counters are integrals that can be checked."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from cosim.engine import simulate
from cosim.report.gantt import gantt, gantt_frame
from cosim.report.style import new_figure
from cosim.sim.counters import counters
from cosim.sim.events import Job, Options
from cosim.sim.program import LayerRun, Program, StageRun, Unit, equal_tiles
from cosim.sim.report import Simulation, simulation
from cosim.sim.timeline import trace_events, write_trace


def memory_and_array() -> Simulation:
    """Three tiles: memory 1 s each at 4e9 bytes/s, array 2 s each; array 1-3, 3-5, 5-7, memory 0-1, 1-2, 3-4."""
    one = equal_tiles("run", 3, [("memory", 1.0), ("array", 2.0)])
    stage = StageRun(one.name, one.units, one.sequences, bytes_per_s=4e9)
    units = {"memory": Unit("memory", "m", True), "array": Unit("array", "m")}
    program = Program("net", (LayerRun(0, "conv", "m", (stage,), power_w=5.0),), units)
    return simulation(Job(program), Options(keep=100))


def test_counters_by_hand() -> None:
    found = memory_and_array()
    by_name = {counter.name: counter for counter in counters(found.result, [j.program for j in found.jobs])}
    traffic = by_name["memory traffic"]
    step = 7.0 / traffic.times_s.size
    assert traffic.unit == "GB/s"
    assert traffic.values.sum() * step == pytest.approx(3 * 4.0), "three transfers of 4 GB"
    at = dict(zip(np.round(traffic.times_s, 6), traffic.values, strict=True))
    assert max(at.values()) == pytest.approx(4.0)
    assert traffic.values[-100:].tolist() == [0.0] * 100
    buffer = by_name["tiles between memory and array"]
    # Taken at 0, 1, 3 (starts on the memory), freed at 3, 5, 7 (ends on the array): the one of 3 is freed and taken.
    assert buffer.times_s.tolist() == [0.0, 1.0, 3.0, 5.0, 7.0]
    assert buffer.values.tolist() == [1.0, 2.0, 2.0, 1.0, 0.0]
    work = by_name["units at work"]
    assert work.values.sum() * step == pytest.approx(3 * 1 + 3 * 2)
    power = by_name["power, mean of a layer"]
    assert (power.times_s.tolist(), power.values.tolist()) == ([0.0, 7.0], [5.0, 0.0])


def test_trace_events_by_hand() -> None:
    events = list(trace_events(memory_and_array()))
    spans = [(e["tid"], e["ts"], e["dur"], e["args"]["tile"]) for e in events if e["ph"] == "X"]
    assert spans == [
        (1, 0.0, 1e6, 0), (2, 1e6, 2e6, 0), (1, 1e6, 1e6, 1), (2, 3e6, 2e6, 1), (1, 3e6, 1e6, 2), (2, 5e6, 2e6, 2),
    ]  # fmt: skip
    names = {
        e["args"]["name"] for e in events if e["ph"] == "M" and e["name"] in ("process_name", "thread_name")
    }
    assert names == {"m", "memory", "array"}


def test_trace_is_valid_and_equal_on_every_run(tmp_path: Path) -> None:
    texts = []
    for name in ("a.json.gz", "b.json.gz"):
        found = simulate(
            "systolic_128", "resnet18", images=2, in_flight=2, options=Options(keep=100_000, most_tiles=4)
        )
        write_trace(tmp_path / name, found)
        texts.append((tmp_path / name).read_bytes())
    assert texts[0] == texts[1]
    events = json.loads(gzip.decompress(texts[0]))["traceEvents"]
    spans = [event for event in events if event["ph"] == "X"]
    layers = {layer.name for layer in found.jobs[0].program.layers}
    assert {event["name"] for event in spans} == layers
    last: dict[tuple[int, int], float] = {}
    for event in sorted(spans, key=lambda e: e["ts"]):
        key = (event["pid"], event["tid"])
        assert event["ts"] >= last.get(key, 0.0) - 1e-6, "a unit does one thing at a time"
        last[key] = event["ts"] + event["dur"]
    counted = {event["name"] for event in events if event["ph"] == "C"}
    assert {
        "dram traffic [GB/s]",
        "tiles between dram and array [tiles]",
        "power, mean of a layer [W]",
    } <= counted
    traffic = [event["args"]["GB/s"] for event in events if event["name"] == "dram traffic [GB/s]"]
    assert max(traffic) <= 256 * 0.9 * (1 + 1e-9), "not above the stated bandwidth and efficiency"


@pytest.mark.parametrize("shortcuts", [True, False])
def test_a_cap_says_how_much_is_left_out(shortcuts: bool) -> None:
    everything = simulate("systolic_fpga", "resnet18", options=Options(keep=10**6, shortcuts=shortcuts))
    assert everything.result.dropped == 0
    assert len(everything.result.intervals) == everything.result.services
    capped = simulate("systolic_fpga", "resnet18", options=Options(keep=500, shortcuts=shortcuts))
    assert len(capped.result.intervals) == 500
    assert capped.result.dropped == everything.result.services - 500
    assert capped.result.makespan_s == pytest.approx(everything.result.makespan_s, rel=1e-12)


def test_gantt_shows_the_work_of_every_unit() -> None:
    found = simulate("optical4f", "resnet18", options=Options(keep=10**6))
    frame = gantt_frame(found)
    work = (frame["end_s"] - frame["start_s"]).groupby(frame["unit"]).sum()
    for unit, busy in found.result.busy_s.items():
        if busy:
            # Stretches join what is less than a hair line apart, so they are at least the work.
            assert work[unit] >= busy * (1 - 1e-9)
            assert frame.loc[frame["unit"] == unit, "end_s"].max() <= found.result.makespan_s * (1 + 1e-12)
    assert frame["tiles"].sum() == found.result.services
    axes = gantt(frame, new_figure().subplots())
    assert [label.get_text() for label in axes.get_yticklabels()][:2] == ["memory", "mask"]
    assert axes.get_xlabel() == "time [ms]"
