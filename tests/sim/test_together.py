"""Machines that share a memory or a network: what is moved, what waits, what is refused; and the command."""

from __future__ import annotations

import json
from math import ceil
from pathlib import Path

import pytest
from click.testing import CliRunner

from cosim.cli.trace import command
from cosim.components.dram_timing import refresh_of
from cosim.engine import lay_out, load_arch, load_workload
from cosim.sim.build import Laid, lay, program_of
from cosim.sim.events import Job, Options
from cosim.sim.report import simulation
from cosim.sim.together import LinkTime, TogetherError, placed_program, programs_beside, slowdown


@pytest.fixture(scope="module")
def pair() -> list[Laid]:
    network = load_workload("resnet18")
    return [lay(load_arch(name), network) for name in ("systolic_128", "systolic_fpga")]


def test_all_layers_on_one_machine_are_that_machine_alone(pair: list[Laid]) -> None:
    placed = placed_program(pair, [0] * len(pair[0].network.layers), share=True)
    assert placed.analytic_s == program_of(pair[0]).analytic_s
    assert set(placed.units) == {f"systolic_128: {unit}" for unit in program_of(pair[0]).units}


def test_a_common_memory_serves_both(pair: list[Laid]) -> None:
    """The slow machine's own memory is slower than the common one, so its transfers take what they took."""
    count = len(pair[0].network.layers)
    placed = placed_program(pair, [i % 2 for i in range(count)], share=True)
    memory = placed.units["systolic_128: dram"]
    assert (memory.device, memory.memory) == ("systolic_128", True)
    assert "systolic_fpga: dram" not in placed.units
    alone = [program_of(one).layers for one in pair]
    wanted = sum(alone[i % 2][i].analytic_s for i in range(count))
    assert placed.analytic_s == pytest.approx(wanted, rel=1e-12)


def test_a_slower_common_memory_slows_transfers_by_the_ratio_of_rates(pair: list[Laid]) -> None:
    """256 GB/s * 0.9 against 4.264 GB/s * 0.925."""
    fast, slow = pair
    ratio = 256e9 * 0.9 / (4.264e9 * 0.925)
    assert slowdown(fast.machine, slow.machine) == pytest.approx(ratio)
    assert slowdown(slow.machine, fast.machine) == 1.0
    _, guest = programs_beside([slow, fast], share=True)
    own = program_of(fast)
    for mine, theirs in zip(own.layers, guest.layers, strict=True):
        for before, after in zip(mine.stages, theirs.stages, strict=True):
            for unit, a, b in zip(before.units, before.busy_s, after.busy_s, strict=True):
                assert b == pytest.approx(a * (ratio if unit == "dram" else 1.0))


def test_a_link_moves_what_crosses(pair: list[Laid]) -> None:
    """Layers alternate: each reads what the other machine made; bytes over the rate, and the latency each time."""
    layers = pair[0].network.layers
    link = LinkTime(1e9, 1e-6)
    placed = placed_program(pair, [i % 2 for i in range(len(layers))], share=False, link=link)
    number = {layer.name: i for i, layer in enumerate(layers)}
    wanted = 0.0
    for i, layer in enumerate(layers):
        for source in layer.inputs:
            if source in number and number[source] % 2 != i % 2:
                made = layers[number[source]]
                wanted += made.y_elems * made.y_bits / 8 / 1e9 + 1e-6
    assert placed.busy_s["link"] == pytest.approx(wanted)


def test_neither_and_both_are_refused(pair: list[Laid]) -> None:
    chosen = [0] * len(pair[0].network.layers)
    with pytest.raises(TogetherError, match="neither"):
        placed_program(pair, chosen, share=False)
    with pytest.raises(TogetherError, match="both"):
        placed_program(pair, chosen, share=True, link=LinkTime(1e9, 0.0))


def test_neighbours_on_a_common_memory_slow_each_other() -> None:
    """Two equal machines on one memory: never faster than alone, and the memory does the work of both."""
    laid = [lay_out(name, "vgg16") for name in ("systolic_fpga", "systolic_sram")]
    programs = programs_beside(laid, share=True)
    both = simulation([Job(one) for one in programs], Options(most_tiles=32))
    alone = [simulation(Job(one), Options(most_tiles=32, shortcuts=True)).result for one in programs]
    memory = "systolic_fpga: dram"
    assert both.result.busy_s[memory] == pytest.approx(sum(one.busy_s[memory] for one in alone))
    assert both.result.makespan_s >= max(one.analytic_s for one in programs) * (1 - 1e-12)
    assert both.result.by_unit("queued")[memory] > 0


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(command, list(arguments))
    return done.exit_code, done.stdout, done.stderr


def test_the_command_writes_what_it_says(tmp_path: Path) -> None:
    trace, picture = tmp_path / "t.json", tmp_path / "g.svg"
    code, out, _ = run(
        "systolic_128", "resnet18", "--with", "cpu_zen4", "--share", "--place", "*relu*=cpu_zen4", "--images", "3",
        "--in-flight", "2", "--out", str(trace), "--gantt", str(picture), "--json",
    )  # fmt: skip
    assert code == 0
    document = json.loads(out)
    assert document["schema"] == 1
    assert document["bottleneck_s"] <= document["event_s"] <= document["serial_s"]
    events = json.loads(trace.read_text())["traceEvents"]
    assert {e["args"]["name"] for e in events if e["name"] == "process_name"} == {"systolic_128", "cpu_zen4"}
    relus = {e["pid"] for e in events if e["ph"] == "X" and "relu" in e["name"]}
    others = {e["pid"] for e in events if e["ph"] == "X" and "conv" in e["name"]}
    assert relus
    assert relus.isdisjoint(others)
    assert picture.read_text().startswith("<?xml")
    assert picture.with_suffix(".csv").exists()


def test_refresh_by_the_name_of_a_device_is_that_of_its_times() -> None:
    """tREFI 7.8 us and tRFC 360 ns (arch/dram/ddr4.yaml), each in whole cycles of 0.833 ns."""
    code, named, _ = run("systolic_fpga", "alexnet", "--refresh", "DDR4-2400R 8Gb x8", "--json")
    assert code == 0
    interval_ns, duration_ns = ceil(7800 / 0.833) * 0.833, ceil(360 / 0.833) * 0.833
    assert refresh_of("DDR4-2400R 8Gb x8") == pytest.approx((interval_ns, duration_ns))
    code, timed, _ = run(
        "systolic_fpga", "alexnet", "--refresh", f"{interval_ns!r} ns,{duration_ns!r} ns", "--json"
    )
    assert code == 0
    assert json.loads(named)["event_s"] == pytest.approx(json.loads(timed)["event_s"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--with", "cpu_zen4"], "none of --share and --link"),
        (["--with", "cpu_zen4", "--share", "--link", "1 GB/s"], "both of --share and --link"),
        (["--share"], "found one machine"),
        (["--place", "x=cpu_zen4"], "no second machine"),
        (["--with", "cpu_zen4", "--share", "--place", "conv1"], "allowed PATTERN=ARCH with one of"),
        (["--with", "cpu_zen4", "--share", "--place", "conv9=cpu_zen4"], "matches no layer; nearest"),
        (["--with", "systolic_128", "--share"], "machines of different names"),
        (["--with", "cpu_zen4", "--link", "0 GB/s"], "a rate above 0"),
        (["--with", "cpu_zen4", "--link", "5 kg"], "--link"),
        (["--refresh", "3.9 us"], "an interval and a duration"),
        (["--refresh", "350 ns,3.9 us"], "a duration above 0 and below the interval"),
        (["--refresh", "DDR4-2400R 8Gb x9"], "nearest spelling 'DDR4-2400R 8Gb x8'"),
        (["--channels", "4"], "found no --refresh"),
        (["--out", "trace.txt"], "allowed a name ending in .json or .json.gz"),
        (["--gantt", "g.doc"], "allowed .svg, .png, .pdf"),
        (["--order", "data"], "'data' is not one of"),
        (["--beside", "cpu_zen4", "resnet18", "--with", "cpu_a"], "found both"),
    ],
)
def test_wrong_use_is_refused_in_words(arguments: list[str], message: str) -> None:
    code, _, err = run("systolic_128", "resnet18", *arguments)
    assert code == 2
    assert message in " ".join(err.replace("│", " ").split())


def test_a_machine_without_a_memory_rate_cannot_share(tmp_path: Path) -> None:
    plain = load_arch("optical4f_fatnet_2023")
    assert plain.model.bandwidth_bytes_per_s(plain.params) is None
    with pytest.raises(TogetherError, match="found no bandwidth"):
        slowdown(plain, load_arch("systolic_128"))


def test_options_of_a_simulation_that_is_not_run_are_refused() -> None:
    from cosim.cli.run import command as run_command

    done = CliRunner().invoke(run_command, ["systolic_128", "resnet18", "--images", "4", "--in-flight", "2"])
    assert done.exit_code == 2
    assert "--images, --in-flight: found no simulation" in " ".join(done.stderr.split())
