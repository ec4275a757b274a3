"""`cosim map`: what it prints and writes, rules, state, refusals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from cosim.cli.main import cli
from cosim.cli.map import command
from cosim.engine import load_workload
from cosim.mapping.feasibility import InfeasibleError
from cosim.mapping.layer_nest import layer_problem
from cosim.mapping.mapper_workload import read_back
from cosim.mapping.nest_arch import load_nest
from cosim.mapping.nest_file import load_nest_mapping
from cosim.spec.locate import ROOT
from cosim.spec.problems import SpecError

EYERISS = str(ROOT / "arch" / "nests" / "eyeriss.yaml")
LAYERS = ["--layer", "layer4.*.conv3"]


def run(*args: str) -> str:
    result = CliRunner().invoke(command, list(args), catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_json_is_one_document_with_certificates() -> None:
    found = json.loads(run("eyeriss", "resnet50", *LAYERS, "--json"))
    assert found["totals"]["optimal"] == found["totals"]["shapes"] == 1
    (row,) = found["layers"]
    assert row["layers"] == ["layer4.0.conv3", "layer4.1.conv3", "layer4.2.conv3"]
    assert row["certificate"] == "optimal"
    assert row["bound"] == pytest.approx(row["energy_j"] * 1e12)
    assert set(row["mapping"]) == {"DRAM", "GLB", "IfmapSpad", "WeightSpad", "PsumSpad"}


def test_file_reads_back_to_the_same_cost(tmp_path: Path) -> None:
    out = tmp_path / "found.yaml"
    text = run(EYERISS, "resnet50", *LAYERS, "--out", str(out))
    assert "optimal" in text
    machine = load_nest(Path(EYERISS))
    doc = load_nest_mapping(out, machine.arch)
    layers = {layer.name: layer for layer in load_workload("resnet50").layers}
    assert list(doc.layers) == ["layer4.0.conv3", "layer4.1.conv3", "layer4.2.conv3"]
    for name, entry in doc.layers.items():
        counts = read_back(layer_problem(layers[name]), machine.arch, entry.mapping)
        assert (counts.energy_pj, counts.cycles) == (entry.energy_pj, entry.cycles)


@pytest.mark.parametrize("name", ["resnet50_eyeriss", "vit_eyeriss"])
def test_shipped_mappings_cost_what_they_say(name: str) -> None:
    machine = load_nest(Path(EYERISS))
    doc = load_nest_mapping(ROOT / "mappings" / f"{name}.yaml", machine.arch)
    layers = {layer.name: layer for layer in load_workload(doc.workload).layers}
    assert set(doc.layers) == {layer.name for layer in layers.values() if layer.is_mac}
    for layer_name, entry in doc.layers.items():
        counts = read_back(layer_problem(layers[layer_name]), machine.arch, entry.mapping)
        assert counts.energy_pj == pytest.approx(entry.energy_pj, rel=1e-12)
        assert counts.cycles == entry.cycles
        assert entry.certificate == "optimal"


def test_rules_by_layer_name(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "kind: nest_rules\nlevels: {GLB: {keep: [Outputs]}}\n"
        "layers: {'layer4.?.conv3': {GLB: {keep: [Weights], spatial: {K: 16}, spatial_x: [C], spatial_y: [K]}}}\n"
    )
    with pytest.raises(Exception, match="spatial"):
        run(EYERISS, "resnet50", *LAYERS, "--json", "--constraints", str(rules))
    rules.write_text(rules.read_text().replace("K: 16", "K: 8"))
    (row,) = json.loads(run(EYERISS, "resnet50", *LAYERS, "--json", "--constraints", str(rules)))["layers"]
    glb = row["mapping"]["GLB"]
    assert {"Outputs", "Weights"} <= set(glb["keep"])
    assert [loop for loop in glb["loops"] if loop["kind"] == "spatial_y"] == [
        {"dim": "K", "bound": 8, "kind": "spatial_y"}
    ]
    assert all(loop["dim"] == "C" for loop in glb["loops"] if loop["kind"] == "spatial_x")


def test_goes_on_from_a_state(tmp_path: Path) -> None:
    state = tmp_path / "state.yaml"
    first = json.loads(run(EYERISS, "resnet50", *LAYERS, "--state", str(state), "--json"))
    more = json.loads(
        run(EYERISS, "resnet50", "--layer", "layer4.*.conv[13]", "--state", str(state), "--json")
    )
    again = next(row for row in more["layers"] if row["layers"][0] == "layer4.0.conv3")
    assert again["labels"] == 0 < first["layers"][0]["labels"]
    assert again["mapping"] == first["layers"][0]["mapping"]
    other = json.loads(
        run(EYERISS, "resnet50", *LAYERS, "--state", str(state), "--objective", "latency", "--json")
    )
    assert other["layers"][0]["labels"] > 0


def test_wrong_input_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["map", EYERISS, "resnet50", "--layer", "layer4.0.conv4"])
    assert result.exit_code == 2
    assert "layer4.0.conv" in result.stderr
    with pytest.raises(SpecError, match="found 'systolic'"):
        run(str(ROOT / "arch" / "systolic_128.yaml"), "resnet50")
    rules = tmp_path / "rules.yaml"
    rules.write_text("kind: nest_rules\nlevels: {GBL: {keep: [Outputs]}}\n")
    with pytest.raises(SpecError, match=r"GBL.*GLB"):
        run(EYERISS, "resnet50", *LAYERS, "--constraints", str(rules))


def test_a_layer_that_does_not_fit(tmp_path: Path) -> None:
    small = tmp_path / "small.yaml"
    text = (
        Path(EYERISS)
        .read_text()
        .replace("value: 24,", "value: 1,")
        .replace("keep: [Outputs]", "keep: [Outputs, Inputs]")
    )
    small.write_text(text.replace("bypass: [Inputs, Weights]", "bypass: [Weights]"))
    with pytest.raises(InfeasibleError, match=r"PsumSpad.*needs 2 words.*has 1.*capacity of 2 words"):
        run(str(small), "resnet50", *LAYERS)


def test_a_broken_mapping_file_is_refused_with_every_defect(tmp_path: Path) -> None:
    arch = load_nest(Path(EYERISS)).arch
    path = tmp_path / "broken.yaml"
    path.write_text(
        "kind: nest_mapping\nlayers:\n  a: {energy_pj: -1, cycles: 1, bound: 1,"
        " levels: {DRAM: {keep: [Weights], temporal: [K x]}}}\n"
        "  b: {same_as: c}\n"
    )
    with pytest.raises(SpecError) as caught:
        load_nest_mapping(path, arch)
    text = str(caught.value)
    assert all(word in text for word in ("energy_pj", "'K 4'", "GLB", "same_as"))


def test_interrupted_with_its_state(tmp_path: Path) -> None:
    """The first shape is in the state before the second is searched; a signal then ends the run with 130."""
    state = tmp_path / "state.yaml"
    script = "from cosim.cli.main import main; main()"
    args = ["map", EYERISS, "resnet50", "--layer", "layer[14].*", "--state", str(state)]
    child = subprocess.Popen(
        [sys.executable, "-c", script, *args], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while not state.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, message = child.communicate(timeout=60)
    assert child.returncode == 130, message
    doc = load_nest_mapping(state, load_nest(Path(EYERISS)).arch)
    assert doc.layers["layer1.0.conv1"].certificate == "optimal"


def test_budget_gives_the_best_so_far_and_its_gap() -> None:
    args = ["eyeriss", "resnet50", "--layer", "layer1.0.conv2", "--budget-s", "1.5", "--json"]
    (row,) = json.loads(run(*args))["layers"]
    assert row["certificate"].startswith("gap <= ")
    assert 0 < row["bound"] < row["energy_j"] * 1e12
