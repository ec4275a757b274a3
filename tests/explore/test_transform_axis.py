"""Transforms as an axis: rows equal single evaluations, designs differ by them, other sweeps stay as they were."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from cosim.engine import evaluate, load_workload
from cosim.explore.evaluate import context_of
from cosim.explore.executors import Processes, Serial
from cosim.explore.fronts import front_of
from cosim.explore.search import Designs, search
from cosim.explore.space import prepare
from cosim.explore.space_file import load_space
from cosim.explore.store import read
from cosim.explore.sweep import run_sweep
from cosim.ir.transforms import apply_transforms
from cosim.report.sweep_figures import parallel_figure
from cosim.spec.hashing import canonical_hash
from cosim.spec.locate import ROOT
from cosim.spec.problems import SpecError
from tests.explore.helpers import cosim, shards, write

PLAIN = """kind: sweep
archs: [systolic_sram, gpu_rtx3090]
workloads: [alexnet, resnet18]
batch: 2
parameters: {dataflow: [os, ws], array.rows: [8, 16]}
"""
CHAINS = 'transforms: [none, prune_channels:0.5, [prune_channels:0.25, "bits:w4a8"]]\n'
LABELS = ["none", "prune_channels:0.5", "prune_channels:0.25+bits:w4a8"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(sweep file, its folder of results)."""
    folder = tmp_path_factory.mktemp("transforms")
    path = write(folder, PLAIN + CHAINS)
    summary = run_sweep(path, folder / "out")
    assert (summary.points, summary.failed, summary.infeasible) == (3 * 2 * (4 + 1), 0, 0)
    return path, folder / "out"


def test_rows_are_what_single_evaluations_give(swept: tuple[Path, Path]) -> None:
    frame = read(swept[1], where="arch = 'gpu_rtx3090'").set_index(["transforms", "workload"])
    assert list(dict.fromkeys(frame.index.get_level_values(0))) == LABELS
    for text in LABELS:
        chain = [] if text == "none" else text.split("+")
        for network in ("alexnet", "resnet18"):
            single = evaluate("gpu_rtx3090", network, batch=2, transforms=chain)
            row = frame.loc[text, network]
            assert row["latency_s"] == pytest.approx(single.latency_s, rel=1e-12)
            assert row["energy_j"] == pytest.approx(single.energy_j, rel=1e-12)
            assert row["macs_per_j"] == pytest.approx(single.workload.macs / single.energy_j, rel=1e-12)
    assert frame["hash"].is_unique


def test_a_sweep_without_the_key_is_as_it_was(swept: tuple[Path, Path], tmp_path: Path) -> None:
    """Stores of sweeps without transforms go on: no column, no part in the content of the space or of a point."""
    path = write(tmp_path, PLAIN)
    run_sweep(path, tmp_path / "out")
    plain = read(tmp_path / "out")
    space = prepare(load_space(path))
    assert "transforms" not in plain.columns
    assert "transforms" not in space.doc.content()
    group = space.groups[0]
    own = [
        space.machine(group).hash,
        group.workload,
        group.mapping,
        group.batch,
        [list(p) for p in group.words],
    ]
    assert context_of(space, group).key == canonical_hash(own).encode()
    # With the key, the network as it is costs the same, and is another point.
    none = read(swept[1], where="transforms = 'none'")
    for name in ("latency_s", "energy_j", "utilization"):
        assert none[name].tolist() == plain[name].tolist()
    assert not set(none["hash"]) & set(plain["hash"])


def test_parts_and_processes_write_the_same_bytes(swept: tuple[Path, Path], tmp_path: Path) -> None:
    run_sweep(swept[0], tmp_path / "p", Processes(2))
    for k in (2, 1):
        run_sweep(swept[0], tmp_path / "k", Serial(), (k, 2))
    assert shards(tmp_path / "p") == shards(tmp_path / "k") == shards(swept[1])
    assert run_sweep(swept[0], tmp_path / "k").skipped == 1


def test_fronts_tell_designs_apart_by_their_transforms(swept: tuple[Path, Path]) -> None:
    """The front over two networks, against means taken by hand from the rows."""
    front = front_of(swept[1], ["latency_s", "energy_j"], "arch = 'gpu_rtx3090'")
    assert (front.considered, front.tried_on) == (3, 2)
    assert "transforms" in front.rows[0]
    rows = read(swept[1], where="arch = 'gpu_rtx3090'")
    for row in front.rows:
        own = rows[rows["transforms"] == row["transforms"]]
        assert row["latency_s"] == pytest.approx(np.exp(np.log(own["latency_s"]).mean()), rel=1e-12)
    best = min(front.rows, key=lambda row: row["energy_j"])
    assert best["transforms"] == "prune_channels:0.25+bits:w4a8"
    assert front.varying()[0] == "transforms" or len(front.rows) == 1


@pytest.mark.parametrize("method", ["nsga2", "tpe", "random", "exhaustive"])
def test_searches_know_the_axis(swept: tuple[Path, Path], method: str) -> None:
    designs = Designs.of(prepare(load_space(swept[0])))
    assert designs.size == 3 * (4 + 1)
    trace = search(designs, method, designs.size, 0)
    found = {designs.describe(int(number))["transforms"] for number in trace.numbers}
    assert found == set(LABELS)
    rows = read(swept[1])
    for number, values in zip(trace.numbers, trace.values, strict=True):
        design = designs.describe(int(number))
        own = rows[(rows["arch"] == design["arch"]) & (rows["transforms"] == design["transforms"])]
        if "dataflow" in design:
            own = own[(own["dataflow"] == design["dataflow"]) & (own["array.rows"] == design["array.rows"])]
        assert values[0] == pytest.approx(np.log(own["latency_s"]).mean(), rel=1e-12)


def test_sizes_of_the_network_are_columns_where_they_are_named(tmp_path: Path) -> None:
    text = (
        "kind: sweep\narchs: [gpu_rtx3090]\nworkloads: [resnet18]\nbatch: 4\n"
        'transforms: [none, ["prune_channels:0.5", "bits:w4a8"]]\n'
        "objectives: [latency_s, -network_macs]\nconstraints: ['network_weight_bytes < 1e9']\n"
        "columns: {left: network_params * 2}\n"
    )
    run_sweep(write(tmp_path, text), tmp_path / "out")
    frame = read(tmp_path / "out")
    network = load_workload("resnet18")
    half = apply_transforms(network, ["prune_channels:0.5"])
    assert frame["network_macs"].tolist() == [network.macs, half.macs]
    assert frame["network_params"].tolist() == [network.params, half.params]
    assert frame["left"].tolist() == [2 * network.params, 2 * half.params]
    # 32 bits as extracted, 4 after the transform.
    assert frame["network_weight_bytes"].tolist() == [4 * network.params, half.params / 2]


REFUSED = {
    "unknown": ("[prune_chanels:0.5]", 4, ["'prune_chanels'", "nearest spelling 'prune_channels'"]),
    "misspelled none": ("[non]", 4, ["'non'", "nearest spelling 'none'"]),
    "null": ("[null]", 4, ["nothing (null)", "write none"]),
    "mapping": (
        "[{prune_channels: 0.5}]",
        4,
        ["a mapping", "write prune_channels:0.5, without a space"],
    ),
    "comma without quotes": (
        "[prune_tokens:0.7,blocks=4]",
        4,
        ["'blocks=4'", "a transform that has a comma in quotes"],
    ),
    "number": ("[0.5]", 4, ["0.5 (number)", "prune_channels:0.5"]),
    "empty": ("[]", 4, ["a list of 0"]),
    "empty chain": ("[[]]", 4, ["a list of 0"]),
    "none in a chain": ("[[none, bits:8]]", 4, ["'none' beside other transforms"]),
    "number in a chain": ("[[bits:8, 8]]", 4, ["8 (whole number)"]),
    "twice": ("[bits:8, [bits:8]]", 4, ["'bits:8' a second time", "each item once"]),
    "setting": ("['prune_channels:0.5,keep=2']", 4, ["keep=2", "settings: none"]),
    "share": ("[prune_channels:1.5]", 4, ["at most 1", "a transform such as prune_channels:0.5"]),
    "one of two networks": (
        "\n  - none\n  - convsharevit",
        6,
        ["'convsharevit', which does not apply to resnet18", "no linear layer on more than one token"],
    ),
    "in a chain": ("\n  - [bits:8, partial_conv:0.3]", 5, ["to resnet18", "channels of 64 scaled by 0.3"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_place_reason_and_spelling(name: str, tmp_path: Path) -> None:
    text, line, words = REFUSED[name]
    path = write(
        tmp_path,
        f"kind: sweep\narchs: [systolic_sram]\nworkloads: [resnet18, convsharevit]\ntransforms: {text}\n",
    )
    with pytest.raises(SpecError) as caught:
        prepare(load_space(path))
    assert re.search(rf"sweep.yaml:{line}:\d+  transforms", str(caught.value)), str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_every_problem_at_once_and_a_common_reason_once(tmp_path: Path) -> None:
    head = "kind: sweep\narchs: [systolic_sram]\nworkloads: [alexnet, resnet18]\n"
    written = write(tmp_path, f"{head}transforms: [nome, [bits:8, 3], {{bits: 8}}]\nbatch: 0\n")
    with pytest.raises(SpecError) as caught:
        load_space(written)
    assert [p.path for p in caught.value.problems] == [
        "transforms.0",
        "transforms.1.1",
        "transforms.2",
        "batch",
    ]
    late = (
        f"{head}transforms: [prune_tokens:0.5, bits:0, prune_channels:0.5]\nparameters: {{array.row: [1]}}\n"
    )
    with pytest.raises(SpecError) as caught:
        prepare(load_space(write(tmp_path, late)))
    paths = [p.path for p in caught.value.problems]
    # Neither network has attention, each for itself; no width is 0 bits, whatever the network.
    assert paths == ["transforms.0", "transforms.0", "transforms.1", "parameters.array.row"]


def test_a_workload_with_a_bad_transform_is_refused_in_its_place(tmp_path: Path) -> None:
    path = write(tmp_path, "kind: sweep\narchs: [systolic_sram]\nworkloads: [alexnet+prune_tokens:0.5]\n")
    done = cosim("sweep", str(path), "--out", str(tmp_path / "out"), code=3)
    assert "sweep.yaml:3:13  workloads.0" in done.stderr
    assert "has no attention" in done.stderr


def test_the_shipped_example(tmp_path: Path) -> None:
    """Every machine takes every chain; what the array computes with is not what the network is stored with."""
    path = ROOT / "arch" / "sweeps" / "pruning_bits.yaml"
    run_sweep(path, tmp_path / "out")
    frame = read(tmp_path / "out")
    assert (frame["status"] == "ok").all()
    chains = frame["transforms"].nunique()
    # 3 widths of the array, 2 precisions of the processor, 4 of the GPU with its widths; two networks.
    assert len(frame) == chains * (3 + 2 + 4) * 2
    array = frame[frame["arch"] == "systolic_sram"].pivot_table(
        index=["workload", "datapath.w_bits"], columns="transforms", values="energy_j"
    )
    assert (array["bits:w4a8"] == array["none"]).all()
    gpu = frame[(frame["arch"] == "gpu_rtx3090") & (frame["runtime.widths"] == "stored")].pivot_table(
        index=["workload", "datapath.precision"], columns="transforms", values="energy_j"
    )
    assert (gpu["bits:w4a8"] < gpu["none"]).all()
    front = front_of(tmp_path / "out")
    assert {row["transforms"].split("+")[0] for row in front.rows} >= {"none", "prune_channels:0.25"}
    # Words that only some machines have: a dash where there is none.
    drawn = parallel_figure(front).axes[0]
    assert {"none", "–", "int8"} <= {text.get_text() for text in drawn.texts}
