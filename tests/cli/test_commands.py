"""The commands on shipped documents: what they print and write."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from cosim.cli.main import COMMANDS, main
from cosim.cli.validate import problems_of
from cosim.spec.locate import ROOT


def call(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(list(args))
    out = capsys.readouterr()
    assert caught.value.code == 0, out.err
    return out.out


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        assert "Usage: cosim" in call(capsys, name, "--help")


@pytest.mark.parametrize(
    "topic", ["archs", "workloads", "kinds", "columns", "ops", "sources", "validation", "dram"]
)
def test_list_as_json(capsys: pytest.CaptureFixture[str], topic: str) -> None:
    rows = json.loads(call(capsys, "list", topic, "--json"))[topic]
    assert rows
    assert all(set(row) == set(rows[0]) for row in rows)


def test_schema_states_units(capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads(call(capsys, "schema", "gpu"))
    text = json.dumps(schema)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert '"x-unit": "hz"' in text


@pytest.mark.parametrize(("kind", "unit"), [("memory", "pj"), ("board", "bytes_per_s"), ("nest", "hz")])
def test_schema_of_documents_that_are_no_machines(
    capsys: pytest.CaptureFixture[str], kind: str, unit: str
) -> None:
    schema = json.loads(call(capsys, "schema", kind))
    assert schema["properties"]["kind"]["const"] == kind
    assert f'"x-unit": "{unit}"' in json.dumps(schema)


def test_kinds_say_where_they_hold_and_what_they_leave_out(capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(call(capsys, "list", "kinds", "--json"))["kinds"]
    assert all(row["holds"] and row["leaves_out"] for row in rows)
    assert rows[0]["holds"][0] not in call(capsys, "list", "kinds")


def test_every_shipped_record_board_and_hierarchy_is_valid() -> None:
    folders = ("memories", "boards", "nests", "dram")
    paths = [p for folder in folders for p in (ROOT / "arch" / folder).glob("*.yaml")]
    found = {str(path): problems_of(path, strict=True) for path in paths}
    assert not {path: problems for path, (_, problems) in found.items() if problems}
    assert {kind for kind, _ in found.values()} == {"memory", "board", "nest", "nest_rules", "dram"}


def test_explain_param_gives_value_unit_source_and_who_set_it(capsys: pytest.CaptureFixture[str]) -> None:
    text = call(capsys, "explain", "param", "gpu_rtx3090", "clock.boost_hz")
    assert "clock.boost_hz = 1.695e+09 hz" in text
    assert "nvidia-ga102" in text
    assert "set by file" in text
    text = call(
        capsys, "explain", "param", "gpu_rtx3090", "clock.boost_hz", "--set", "clock.boost_hz=1.2 GHz"
    )
    assert "clock.boost_hz = 1.2e+09 hz" in text
    assert "set by override" in text


def test_explain_layer_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(call(capsys, "run", "gpu_rtx3090", "resnet18", "--json"))
    row = document["layers"][0]
    text = call(capsys, "explain", "layer", "gpu_rtx3090", "resnet18", row["name"])
    (line,) = [line for line in text.splitlines() if line.startswith("latency = sum of stages")]
    assert float(line.split("= ")[2].split()[0]) == pytest.approx(row["latency_s"], rel=1e-5)
    assert f"bound by {row['bound']}" in line
    assert "not modelled:" in text


def test_explain_column(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "explain", "column", "utilization").startswith("utilization [1]: ")


def test_out_folder_holds_what_json_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "r"
    document = json.loads(call(capsys, "run", "systolic_128", "resnet18", "--json", "--out", str(out)))
    with (out / "layers.csv").open(encoding="utf-8") as stream:
        units, *rows = list(csv.DictReader(stream))
    assert units["latency_s"] == "[s]"
    assert [row["name"] for row in rows] == [row["name"] for row in document["layers"]]
    assert [float(row["latency_s"]) for row in rows] == [row["latency_s"] for row in document["layers"]]
    with (out / "parameters.csv").open(encoding="utf-8") as stream:
        parameters = list(csv.DictReader(stream))
    assert all(row["source"] for row in parameters if row["kind"] != "choice")
    assert json.loads((out / "summary.json").read_text())["totals"] == document["totals"]
    assert json.loads((out / "manifest.json").read_text()) == document["manifest"]


def test_compare_geometric_mean(capsys: pytest.CaptureFixture[str]) -> None:
    args = (
        "compare",
        "systolic_128",
        "gpu_t4",
        "-w",
        "resnet18",
        "-w",
        "vit",
        "--baseline",
        "gpu_rtx3090",
        "--json",
    )
    document = json.loads(call(capsys, *args))
    means = {row["machine"]: row["speedup"] for row in document["geometric_mean"]}
    ratios = [row["speedup"] for row in document["rows"] if row["machine"] == "gpu_t4"]
    assert len(ratios) == 2
    assert means["gpu_t4"] == pytest.approx((ratios[0] * ratios[1]) ** 0.5)
    assert means["gpu_rtx3090"] == pytest.approx(1.0)


def test_run_for_people_names_units_and_the_bound(capsys: pytest.CaptureFixture[str]) -> None:
    text = call(capsys, "run", "gpu_rtx3090", "resnet18", "--baseline", "gpu_t4")
    assert "against gpu_t4" in text
    assert "faster" in text or "slower" in text
    assert "one cycle is" in text
    assert "100.00% of MACs" in text
