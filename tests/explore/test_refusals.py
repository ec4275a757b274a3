"""What a sweep refuses before anything runs, with the reason and the nearest spelling."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosim.explore.executors import Dask
from cosim.explore.space import prepare
from cosim.explore.space_file import load_space
from cosim.explore.sweep import run_sweep
from cosim.results.files import OutputError
from cosim.spec.problems import SpecError
from tests.explore.helpers import cosim, write

BASE = "kind: sweep\narchs: [systolic_sram]\nworkloads: [alexnet]\n"

REFUSED = {
    "unknown path": ("parameters: {array.row: [1, 2]}", ["unknown path 'array.row'", "array.rows"]),
    "unknown word": ("parameters: {dataflow: [os, wz]}", ["'wz'", "ws"]),
    "words for a number": ("parameters: {array.rows: [many]}", ["takes numbers"]),
    "illegal number": ("parameters: {array.rows: [8, 0]}", ["found 0", "at least 1"]),
    "fraction of a count": ("parameters: {array.rows: [8.5]}", ["8.5", "whole number"]),
    "fraction above one": ("parameters: {dram_efficiency: [0.5, 1.5]}", ["1.5", "at most 1"]),
    "wrong unit": ("parameters: {array.clock_hz: [200 MB]}", ["200 MB", "frequency"]),
    "empty list": ("parameters: {array.rows: []}", ["empty list"]),
    "value twice": ("parameters: {array.rows: [8, 8]}", ["twice"]),
    "infinite value": ("parameters: {array.rows: [.inf]}", ["finite"]),
    "reversed range": ("parameters: {array.rows: {range: [9, 2], points: 3}}", ["lower one first"]),
    "log range from zero": ("parameters: {array.rows: {log_range: [0, 2], points: 3}}", ["positive"]),
    "range without end": ("parameters: {array.rows: {range: [1, .inf], step: 1}}", ["finite"]),
    "too many points": (
        "parameters: {array.mac_pj: {range: [1, 2], points: 100000}, array.static_mw: {range: [1, 2], points: 1000}}",
        ["100,000,000 points"],
    ),
    "unknown key": ("objective: [latency_s]", ["unknown key 'objective'", "objectives"]),
    "unknown objective": ("objectives: [latency]", ["unknown column 'latency'", "latency_s"]),
    "unknown column in a constraint": ("constraints: ['acuracy > 0.7']", ["unknown name 'acuracy'"]),
    "unknown name in a condition": ("conditions: ['array.rowz > 1']", ["array.rowz", "array.rows"]),
    "result in a condition": ("conditions: ['latency_s > 1']", ["unknown name 'latency_s'"]),
    "python in a constraint": ("constraints: ['__import__(\"os\") > 1']", ["allowed numbers, names"]),
    "derived and swept": ("parameters: {array.rows: [8]}\nderived: {array.rows: '8'}", ["swept as well"]),
    "unknown derived": ("derived: {array.colz: '8'}", ["array.colz", "array.cols"]),
    "column that exists": ("columns: {latency_s: array.rows}", ["exists already"]),
    "sampling": ("sampling: {sobol: many}", ["sampling"]),
    "batch": ("batch: [0]", ["at least 1"]),
    "mapping": ("mappings: [nowhere]", ["nowhere"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    text, words = REFUSED[name]
    with pytest.raises(SpecError) as caught:
        prepare(load_space(write(tmp_path, BASE + text)))
    for word in words:
        assert word in str(caught.value)
    assert "sweep.yaml:" in str(caught.value) or name == "mapping"


def test_every_problem_at_once(tmp_path: Path) -> None:
    text = BASE + "parameters: {array.row: [1]}\nobjectives: [latency]\nconstraints: ['x < 1']"
    with pytest.raises(SpecError) as caught:
        prepare(load_space(write(tmp_path, text)))
    assert len(caught.value.problems) == 3


def test_an_objective_that_one_machine_lacks(tmp_path: Path) -> None:
    text = "kind: sweep\narchs: [systolic_sram, gpu_rtx3090]\nworkloads: [alexnet]\nobjectives: [dsps_low]"
    with pytest.raises(SpecError, match="machine gpu_rtx3090 has none"):
        prepare(load_space(write(tmp_path, text)))


def test_folders_of_others(tmp_path: Path) -> None:
    path = write(tmp_path, BASE)
    out = tmp_path / "out"
    run_sweep(path, out)
    write(tmp_path, BASE + "batch: 2\n")
    with pytest.raises(OutputError, match="found results of sweep 'sweep'"):
        run_sweep(path, out)
    write(tmp_path, BASE)
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps({**manifest, "hash": "0", "cosim": "0.0.1"}))
    with pytest.raises(OutputError, match=r"cosim 0\.0\.1"):
        run_sweep(path, out)
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").touch()
    with pytest.raises(OutputError, match="other files"):
        run_sweep(path, other)
    assert [p.name for p in other.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("shard", [(0, 2), (3, 2)])
def test_parts_that_do_not_exist(tmp_path: Path, shard: tuple[int, int]) -> None:
    with pytest.raises(OutputError, match="k/n"):
        run_sweep(write(tmp_path, BASE), tmp_path / "out", shard=shard)


@pytest.mark.parametrize("address", ["nowhere", "local:x", "local:0", "local"])
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(OutputError, match="tcp://host:port"):
        Dask(address)


def test_exit_codes(tmp_path: Path) -> None:
    bad = write(tmp_path, BASE + "parameters: {array.row: [1, 2]}")
    done = cosim("sweep", str(bad), "--out", str(tmp_path / "out"), code=3)
    assert "nearest spelling 'array.rows'" in done.stderr
    assert not (tmp_path / "out").exists()
    cosim("sweep", str(bad), "--shard", "5/2", code=2)
    assert (
        "found no scheduler"
        in cosim(
            "sweep",
            str(write(tmp_path, BASE)),
            "--dask",
            "tcp://127.0.0.1:9",
            "--out",
            str(tmp_path / "o"),
            code=3,
        ).stderr
    )
