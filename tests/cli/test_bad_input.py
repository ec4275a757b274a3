"""Wrong input: an exit code, a place, a reason and the nearest spelling, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosim.cli.main import main
from cosim.spec.locate import ROOT

MACHINE = (
    (ROOT / "cosim" / "hardware" / "_template.yaml")
    .read_text(encoding="utf-8")
    .replace("template", "systolic")
)
GPU = (ROOT / "arch" / "gpu_rtx3090.yaml").read_text(encoding="utf-8")


def call(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(list(args))
    out = capsys.readouterr()
    code = caught.value.code
    assert isinstance(code, int)
    assert "Traceback" not in out.err
    return code, out.out, out.err


def changed(tmp_path: Path, old: str, new: str, name: str = "machine.yaml") -> str:
    """A copy of a valid machine file with one thing wrong."""
    assert old in GPU
    path = tmp_path / name
    path.write_text(GPU.replace(old, new, 1), encoding="utf-8")
    return str(path)


def test_missing_file_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(capsys, "run", "arch/gpu_rtx309.yaml", "vit")
    assert code == 3
    assert "arch/gpu_rtx309.yaml" in err
    assert "nearest spelling 'arch/gpu_rtx3090.yaml'" in err


def test_unknown_shipped_name(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(capsys, "run", "gpu_rtx3090", "resnet5")
    assert code == 3
    assert "nearest spelling 'resnet50'" in err


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: gpu", "kind: gpuu", "nearest spelling 'gpu'"),
        ("kind: gpu", "knd: gpu", "kind: found no kind"),
        ("  count: 82", "  cuont: 82", "nearest spelling 'count'"),
        ("  count: 82", "  count: 0", "at least 1"),
        ("  count: 82", "  count: -3", "at least 1"),
        ("  count: 82", "  count: many", "a whole number"),
        ("  count: 82", "  count: 82.5", "a whole number"),
        ("boost_hz: {value: 1.695 GHz", "boost_hz: {value: 5 ns", "a frequency such as"),
        ("  count: 82", "  count: [82", "machine.yaml:"),
    ],
)
def test_a_wrong_machine_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    path = changed(tmp_path, old, new)
    code, _, err = call(capsys, "validate", path)
    assert code == 3
    assert f"{path}:" in err
    assert said in err


def test_all_problems_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "machine.yaml"
    path.write_text(GPU.replace("count: 82", "count: 0").replace("1.695 GHz", "5 ns"), encoding="utf-8")
    code, _, err = call(capsys, "run", str(path), "vit")
    assert code == 3
    assert "multiprocessors.count" in err
    assert "clock.boost_hz" in err


def test_unsourced_constant_is_refused_under_strict_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = "boost_hz: {value: 1.695 GHz, source: nvidia-ga102, kind: datasheet}"
    path = changed(tmp_path, old, "boost_hz: 1.695 GHz")
    assert call(capsys, "validate", path)[0] == 0
    code, _, err = call(capsys, "validate", "--strict", path)
    assert code == 3
    assert "clock.boost_hz: found a constant without a source" in err


def test_unknown_override(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(capsys, "run", "gpu_rtx3090", "vit", "--set", "clock.bost_hz=1 GHz")
    assert code == 3
    assert "boost_hz" in err


def test_override_without_a_value_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(capsys, "run", "gpu_rtx3090", "vit", "--set", "clock.boost_hz")
    assert code == 2
    assert "path=value" in err


def test_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(capsys, "rnu")
    assert code == 2
    assert "nearest: run" in err


def test_unknown_layer_in_a_mapping(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text("kind: mapping\nname: m\nlayers: {no_such_layer: {dataflow: os}}\n", encoding="utf-8")
    code, _, err = call(capsys, "run", "systolic_128", "resnet18", "--mapping", str(path))
    assert code == 3
    assert "no_such_layer" in err


def test_an_output_folder_of_another_result_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "result")
    assert call(capsys, "run", "gpu_rtx3090", "resnet18", "--out", out)[0] == 0
    before = {p.name: p.read_bytes() for p in Path(out).iterdir()}
    assert set(before) == {"manifest.json", "summary.json", "layers.csv", "parameters.csv"}
    assert call(capsys, "run", "gpu_rtx3090", "resnet18", "--out", out)[0] == 0
    code, _, err = call(capsys, "run", "gpu_rtx3090", "resnet50", "--out", out)
    assert code == 3
    assert "another evaluation" in err
    assert {p.name: p.read_bytes() for p in Path(out).iterdir()} == before


def test_json_is_one_document_with_the_contract_keys(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "run", "systolic_128", "resnet18", "--baseline", "gpu_rtx3090", "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["schema"] == 1
    assert set(document) >= {"manifest", "totals", "layers", "breakdown", "coverage", "speedup"}
    assert set(document["totals"]) >= {"macs", "latency_s", "energy_j", "edp_js"}
    layer = document["layers"][0]
    assert set(layer) >= {"name", "op", "macs", "cycles", "latency_s", "energy_j", "utilization", "bound"}
    assert set(document["breakdown"]) == {"energy_j", "latency_s"}
    assert sum(row["energy_j"] for row in document["layers"]) == pytest.approx(document["totals"]["energy_j"])
    assert sum(document["breakdown"]["energy_j"].values()) == pytest.approx(document["totals"]["energy_j"])
    assert sum(row["latency_s"] for row in document["layers"]) == pytest.approx(
        document["totals"]["latency_s"]
    )


def test_explain_an_unknown_layer(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(capsys, "explain", "layer", "gpu_rtx3090", "resnet18", "conv11")
    assert code == 3
    assert "no layer 'conv11'" in err
