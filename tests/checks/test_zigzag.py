"""`check zigzag` on a sample of the tool's runs, on altered lines, and on folders it must refuse."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cosim.checks import zigzag, zigzag_nest
from cosim.checks.metrics import CheckInputError, CheckReport
from cosim.checks.zigzag import check_zigzag
from cosim.checks.zigzag_nest import NestComparison, compare_nest
from cosim.checks.zigzag_tables import read_cases
from cosim.mapping import zigzag_model_latency as latency
from cosim.mapping.zigzag_model_latency import layer_cost
from tests.checks.tables import read_lines, write_lines

SAMPLE = Path(__file__).parents[1] / "data" / "zigzag"


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the engine's rows, which take most of the time."""
    monkeypatch.setattr(zigzag, "compare_nest", lambda *_: "left out")


@pytest.fixture(scope="module")
def sample() -> CheckReport:
    """The report of the sample; long walks of mappings with remainders are left out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zigzag_nest, "LONGEST_WALK", 20_000)
        return check_zigzag(SAMPLE)


def _copy(folder: Path, name: str = "", change: Callable[[list[dict[str, str]]], None] | None = None) -> Path:
    """The sample in `folder`, with the lines of one file changed."""
    shutil.copytree(SAMPLE, folder, dirs_exist_ok=True)
    if change is not None:
        lines = read_lines(SAMPLE / name)
        change(lines)
        write_lines(folder / name, lines)
    return folder


def test_every_layer_of_the_sample_is_exact(sample: CheckReport) -> None:
    report = sample
    lines = read_lines(SAMPLE / "zigzag_layers.csv")
    assert report.cases == report.exact == len(lines) == 25
    assert report.overall.mape_pct == pytest.approx(0, abs=1e-9)
    judged = [row for row in report.rows if not row.category.startswith("engine")]
    assert len(judged) == 4 * len(lines)
    assert all(row.exact for row in judged)
    quantities = {"energy", "accesses", "ideal cycles", "latency"}
    assert set(report.by_class) >= {f"{line['arch']} {name}" for line in lines for name in quantities}
    assert {line["layer_type"] for line in lines} == {"Conv", "Gemm", "Add", "Pooling"}
    document = report.to_json()
    assert document["kind"] == "zigzag"
    assert set(document["rows"][0]) == {"case", "predicted", "reference", "unit", "class", "exact"}


def test_the_engine_has_the_same_ideal_cycles_and_its_energy_is_explained(
    sample: CheckReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = sample
    beside = [row for row in report.rows if row.category.startswith("engine")]
    assert all(row.predicted == row.reference for row in beside if row.category.endswith("cycles"))
    assert any(row.predicted != row.reference for row in beside if row.category.endswith("energy"))
    assert any(note.startswith("engine minus ZigZag by port words") for note in report.notes)
    assert not any("by other" in note for note in report.notes)
    monkeypatch.setattr(zigzag_nest, "LONGEST_WALK", 0)  # perfect factors only
    for case in read_cases(SAMPLE)[0]:
        cost = layer_cost(case.layer, case.machine, case.mappings, case.first)
        nest = compare_nest(case.layer, case.machine, case.mappings, cost)
        if isinstance(nest, NestComparison):
            assert sum(nest.differences_pj.values()) == pytest.approx(nest.energy_pj - cost.energy_pj)
            assert nest.differences_pj["other"] == pytest.approx(0, abs=1e-6 * cost.energy_pj)


@pytest.mark.parametrize(
    ("column", "row"),
    [("stall", "latency"), ("energy_total_pJ", "energy"), ("ideal_temporal_cycle", "ideal cycles")],
)
@pytest.mark.usefixtures("no_engine")
def test_a_changed_figure_is_named_and_inexact(tmp_path: Path, column: str, row: str) -> None:
    def change(lines: list[dict[str, str]]) -> None:
        lines[0][column] = str(float(lines[0][column]) + 1)

    report = check_zigzag(_copy(tmp_path, "zigzag_layers.csv", change))
    assert report.exact == report.cases - 1
    wrong = [found for found in report.rows if found.exact is False]
    assert [found.category for found in wrong] == [f"gemm_l1 {row}"]
    assert column in wrong[0].note


@pytest.mark.usefixtures("no_engine")
def test_a_changed_access_count_is_named(tmp_path: Path) -> None:
    def change(lines: list[dict[str, str]]) -> None:
        lines[0]["rd_to_low"] = "1"
        del lines[1]

    report = check_zigzag(_copy(tmp_path, "zigzag_access.csv", change))
    wrong = [row for row in report.rows if row.exact is False]
    assert [row.category for row in wrong] == ["gemm_l1 accesses"]
    assert "rd_to_low: 262144, reference 1" in wrong[0].note
    assert "O l1: not in the reference" in wrong[0].note


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize("rule", ["windows", "stationary", "copies", "union", "reduction"])
def test_a_broken_rule_is_seen(monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    from cosim.mapping import zigzag_model as model

    broken: dict[str, tuple[object, str, object]] = {
        "windows": (model.Window, "size", lambda self, a, b: int(a) * int(b)),
        "stationary": (model, "_stationary", lambda *_: 1.0),
        "copies": (model, "_units", lambda layer, operand, spatial: ([1] * len(spatial), [1] * len(spatial))),
        "union": (latency, "window_union", lambda activities: 0),
        "reduction": (latency, "share_reduction", lambda cycles, least, budget: list(cycles)),
    }
    monkeypatch.setattr(*broken[rule])
    report = check_zigzag(SAMPLE)
    assert report.exact < report.cases


@pytest.mark.usefixtures("no_engine")
def test_machines_without_mac_energy_are_left_out_and_counted(tmp_path: Path) -> None:
    def change(lines: list[dict[str, str]]) -> None:
        lines[0]["arch"] = "dimc"

    report = check_zigzag(_copy(tmp_path, "zigzag_layers.csv", change))
    assert report.cases == report.exact == 24
    assert any(note.startswith("1 layers on machines without") for note in report.notes)


@pytest.mark.parametrize(
    ("name", "column", "value", "message"),
    [
        ("zigzag_layers.csv", "arch", "tpu", "'tpu' is not in accelerators.csv"),
        ("zigzag_layers.csv", "layer_id", "77", "has no layer 77"),
        ("zigzag_layers.csv", "dims", "D0:128", "is not NAME=INTEGER"),
        ("zigzag_layers.csv", "precision", "W=8;I=8", "no width or no memory operand for O"),
        ("zigzag_layers.csv", "spatial_mapping", "{}", "no JSON object with the operand O"),
        ("zigzag_layers.csv", "spatial_mapping", '{"O": "[]"}', "O has 1 levels, gemm_l1 needs 3"),
        ("zigzag_layers.csv", "loops_per_operand_level", '{"O": "[]/[Z:4]"}', "no dimension 'Z'"),
        ("zigzag_layers.csv", "loops_per_operand_level", '{"O": "[]/[D0:x]"}', "'D0:x' is not DIM:FACTOR"),
        ("zigzag_layers.csv", "energy_total_pJ", "much", "'much' is not a number"),
        ("ports.csv", "direction", "up", "allowed: tl, fl, th, fh"),
    ],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, name: str, column: str, value: str, message: str
) -> None:
    def change(lines: list[dict[str, str]]) -> None:
        lines[0][column] = value

    with pytest.raises(CheckInputError, match=message) as error:
        check_zigzag(_copy(tmp_path, name, change))
    assert name in str(error.value)


def test_missing_files_and_columns_are_named(tmp_path: Path) -> None:
    folder = _copy(tmp_path)
    (folder / "ports.csv").unlink()
    with pytest.raises(CheckInputError, match=r"ports.csv is missing"):
        check_zigzag(folder)

    def change(lines: list[dict[str, str]]) -> None:
        for line in lines:
            line["sizes_bits"] = line.pop("size_bits")

    with pytest.raises(CheckInputError, match=r"column 'size_bits' is missing; nearest is 'sizes_bits'"):
        check_zigzag(_copy(tmp_path, "memories.csv", change))


@pytest.mark.usefixtures("no_engine")
def test_loops_of_different_length_are_refused(tmp_path: Path) -> None:
    def change(lines: list[dict[str, str]]) -> None:
        text = lines[0]["loops_per_operand_level"]
        lines[0]["loops_per_operand_level"] = text.replace("D1:4", "D1:2", 1)

    with pytest.raises(CheckInputError, match="different cycle counts"):
        check_zigzag(_copy(tmp_path, "zigzag_layers.csv", change))
