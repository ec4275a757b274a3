"""`cosim sweep`, `pareto`, `search`, `sensitivity`, `allocate`: documents, pictures, exit codes, light start."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from cosim.cli.main import main
from cosim.spec.locate import ROOT
from tests.cli.test_import_budget import HEAVY, command, modules_after

HAWQ = str(ROOT / "tests" / "data" / "hawq_v3" / "layers.csv")
SWEEP = """
kind: sweep
name: tiny
archs: [systolic_sram]
workloads: [fatnet]
parameters:
  array.rows: [4, 8, 16]
  array.mac_pj: {range: [0.5, 3], points: 3}
  array.cols: [4, 8, 16]
constraints: ["average_power_w < 5"]
objectives: [latency_s, energy_j, dsps_low]
"""


def call(capsys: pytest.CaptureFixture[str], *args: str, code: int = 0) -> tuple[str, str]:
    with pytest.raises(SystemExit) as caught:
        main([str(arg) for arg in args])
    out = capsys.readouterr()
    assert caught.value.code == code, out.err + out.out
    return out.out, out.err


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(SWEEP)
    return path


@pytest.mark.parametrize("name", ["sweep", "pareto", "search", "sensitivity", "allocate"])
def test_help_is_light(name: str) -> None:
    assert not modules_after(command(name, "--help")) & HEAVY


def test_dry_run_writes_nothing(
    capsys: pytest.CaptureFixture[str], sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sweep.parent)
    ahead = json.loads(call(capsys, "sweep", sweep, "--dry-run", "--json")[0])
    assert ahead["points"] == 27
    assert ahead["tasks"] == 1
    assert ahead["cpu_s"] > 0
    assert "27 points" in call(capsys, "sweep", sweep, "--dry-run")[0]
    assert [p.name for p in sweep.parent.iterdir()] == ["tiny.yaml"]


def test_sweep_then_pareto(capsys: pytest.CaptureFixture[str], sweep: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = json.loads(call(capsys, "sweep", sweep, "--out", out, "--json")[0])
    assert (done["points"], done["skipped"], done["failed"]) == (27, 0, 0)
    assert "(1 done before)" in call(capsys, "sweep", sweep, "--out", out)[0]
    document = json.loads(call(capsys, "pareto", out, "--json")[0])
    assert document["objectives"] == ["latency_s", "energy_j", "dsps_low"]
    assert document["considered"] == 27
    assert all(row["array.mac_pj"] == 0.5 for row in document["front"])
    assert document["knee"] in document["front"]
    text, _ = call(capsys, "pareto", out, "--objective", "latency_s", "--objective", "-array.mac_pj")
    assert "1 of 27 points are not dominated" in text
    assert "<- knee" in text


def test_pictures_and_tables(capsys: pytest.CaptureFixture[str], sweep: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    call(capsys, "sweep", sweep, "--out", out)
    _, err = call(
        capsys,
        *(
            "pareto",
            out,
            "--plot",
            tmp_path / "f.svg",
            "--parallel",
            tmp_path / "p.svg",
            "--csv",
            tmp_path / "t.csv",
        ),
        *("--heat-map", "array.rows", "array.cols", tmp_path / "h.png"),
    )
    for name in ("f.svg", "f.csv", "p.svg", "p.csv", "h.png", "h.csv", "t.csv"):
        assert f"wrote {tmp_path / name}" in err
    assert len(pd.read_csv(tmp_path / "h.csv")) == 9
    first = (tmp_path / "f.svg").read_bytes()
    call(capsys, "pareto", out, "--plot", tmp_path / "f.svg")
    assert (tmp_path / "f.svg").read_bytes() == first


def test_pareto_refuses(capsys: pytest.CaptureFixture[str], sweep: Path, tmp_path: Path) -> None:
    assert "no manifest.json" in call(capsys, "pareto", tmp_path, code=3)[1]
    call(capsys, "sweep", sweep, "--out", tmp_path / "out")
    _, err = call(capsys, "pareto", tmp_path / "out", "--objective", "latency", code=3)
    assert "nearest spelling 'latency_s'" in err


def test_search(capsys: pytest.CaptureFixture[str], sweep: Path, tmp_path: Path) -> None:
    args = ("search", sweep, "--method", "nsga2", "--method", "random", "--evaluations", "20", "--true-front")
    document = json.loads(call(capsys, *args, "--json", "--plot", tmp_path / "hv.svg")[0])
    assert [row["method"] for row in document["methods"]] == ["nsga2", "random"]
    assert document["designs"] == 27
    assert all(0 < row["hypervolume"] <= 1 + 1e-12 for row in document["methods"])
    assert list(pd.read_csv(tmp_path / "hv.csv")) == ["method", "seed", "evaluations", "hypervolume"]
    text, _ = call(capsys, *args, "--out", tmp_path / "journal")
    assert "27 designs" in text
    assert (tmp_path / "journal" / "search.journal").exists()


def test_sensitivity(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    args = ("sensitivity", "systolic_mlc_sttram", "fatnet", "--baseline", "systolic_sram", "--draws", "64")
    document = json.loads(call(capsys, *args, "--metric", "energy", "--json")[0])
    assert document["metric"] == "energy"
    assert document["draws"] == 64
    first = document["parameters"][0]
    assert first["factor"] >= document["parameters"][-1]["factor"]
    text, err = call(capsys, *args, "--plot", tmp_path / "t.svg")
    assert "times as good as the baseline" in text
    assert f"wrote {tmp_path / 't.csv'}" in err
    assert "power of two" in call(capsys, *args[:-1], "100", code=2)[1]
    assert "latency:" in call(capsys, "sensitivity", "systolic_sram", "fatnet", "--draws", "64")[0]
    call(capsys, "sensitivity", "systolic_sram", "fatnet", "--only", "nothing", code=3)


def test_allocate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    link = ("--link", "16 GB/s", "--link-latency", "5 us")
    placed = ("allocate", "placement", "fatnet", "gpu_rtx3090", "optical4f_projected")
    document = json.loads(call(capsys, *placed, *link, "--json")[0])
    assert document["value"] < min(document["alone"].values())
    assert document["gap"] < 1e-6
    assert len(document["layers"]) == 59
    assert "proven optimal" in call(capsys, *placed, *link)[0]
    call(capsys, *placed, "--link", "16 GHz", code=2)
    call(capsys, "allocate", "placement", "fatnet", "gpu_rtx3090", *link, code=2)
    text, _ = call(capsys, "allocate", "memory", "fatnet", "systolic_sram", "systolic_mlc_sttram")
    assert "systolic_mlc_sttram" in text
    bits = ("allocate", "bits", HAWQ, "--network", "resnet18", "--limit", "latency=0.5")
    document = json.loads(call(capsys, *bits, "--tie", "4,6", "--json", "--csv", tmp_path / "b.csv")[0])
    assert document["limits"]["latency"]["used"] <= document["limits"]["latency"]["bound"]
    assert len(pd.read_csv(tmp_path / "b.csv")) == 19
    call(capsys, *bits, "--tie", "4;6", code=2)
    call(capsys, *bits[:-1], "energy=0.5", code=3)
