"""Every figure of recorded timeloop-model runs; and that the comparison can fail and refuses broken folders."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from cosim.checks.metrics import CheckInputError
from cosim.checks.timeloop import check_timeloop

GOLDEN = Path(__file__).parents[1] / "data" / "timeloop"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of three cases to tamper with."""
    keep = {"h18", "h62", "h69"}
    for path in GOLDEN.glob("*.csv"):
        with path.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
            header = list(rows[0])
        with (tmp_path / path.name).open("w", newline="") as stream:
            writer = csv.DictWriter(stream, header)
            writer.writeheader()
            writer.writerows(row for row in rows if row.get("case", "h18") in keep)
    return tmp_path


def tamper(folder: Path, file: str, column: str, value: str, line: int = 0) -> None:
    with (folder / file).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    rows[line][column] = value
    with (folder / file).open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_every_recorded_run_is_exact() -> None:
    report = check_timeloop(GOLDEN)
    assert [row.note for row in report.rows if not row.exact] == []
    assert (report.cases, report.exact) == (200, 200)


def test_mapper_examples_differ_only_where_the_table_lacks_the_cluster_size() -> None:
    report = check_timeloop(GOLDEN / "examples")
    assert (report.cases, report.exact) == (15, 11)
    off = [row for row in report.rows if not row.exact]
    assert {row.category for row in off} == {"simba_like"}
    # cycles and all counts agree; the energy of the register that 64 instances share does not
    assert all(row.note.startswith("PEWeightRegs Weights energy") and ";" not in row.note for row in off)


def test_mapper_examples_agree_with_the_cluster_size(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / "examples", tmp_path / "examples")
    file = tmp_path / "examples" / "examples_architectures.csv"
    lines = file.read_text().splitlines()
    sizes = [
        "cluster_size" if i == 0 else "64" if "PEWeightRegs" in text else "" for i, text in enumerate(lines)
    ]
    file.write_text("".join(f"{text},{size}\n" for text, size in zip(lines, sizes, strict=True)))
    report = check_timeloop(tmp_path / "examples")
    assert report.exact == report.cases == 15


@pytest.mark.parametrize(
    ("file", "column"),
    [
        ("accesses.csv", "reads_per_inst"),
        ("accesses.csv", "fills_per_inst"),
        ("accesses.csv", "updates_per_inst"),
        ("accesses.csv", "tile_words"),
        ("accesses.csv", "instances_used"),
        ("accesses.csv", "energy_total_pj"),
        ("networks.csv", "link_transfers"),
        ("levels.csv", "cycles"),
        ("cases.csv", "cycles"),
        ("cases.csv", "energy_total_pj"),
    ],
)
def test_one_changed_figure_is_found(folder: Path, file: str, column: str) -> None:
    assert check_timeloop(folder).exact == 3
    tamper(folder, file, column, "777777")
    report = check_timeloop(folder)
    assert report.exact == 2
    assert any(column in row.note and "777777" in row.note for row in report.rows)


def test_changed_refusals_are_found(folder: Path) -> None:
    with (folder / "cases.csv").open(newline="") as stream:
        names = [row["case"] for row in csv.DictReader(stream)]
    tamper(folder, "cases.csv", "error", "mapped tile size 34 exceeds buffer capacity 4", names.index("h69"))
    tamper(folder, "cases.csv", "rc", "1", names.index("h18"))
    assert check_timeloop(folder).exact == 1


def test_missing_files_and_columns_are_named(folder: Path) -> None:
    (folder / "networks.csv").unlink()
    with pytest.raises(CheckInputError, match=r"networks\.csv is missing"):
        check_timeloop(folder)
    with pytest.raises(CheckInputError, match=r"cases\.csv is missing \(found no CSV file\)"):
        check_timeloop(folder / "nowhere")
    text = (folder / "cases.csv").read_text()
    (folder / "cases.csv").write_text(text.replace("env_switches", "env_switch", 1))
    with pytest.raises(CheckInputError, match="column 'env_switches' is missing; nearest is 'env_switch'"):
        check_timeloop(folder)


@pytest.mark.parametrize(
    ("file", "column", "value", "message"),
    [
        ("cases.csv", "arch", "nothing", r"cases\.csv, line 2, column arch"),
        ("architectures.csv", "instances", "many", r"architectures\.csv, line 2, column instances"),
        ("mapping_loops.csv", "kind", "diagonal", r"mapping_loops\.csv, line 2, column kind"),
        ("mapping_loops.csv", "bound", "0", r"mapping_loops\.csv, line 2, column bound"),
        ("problems.csv", "dims", "R=three", r"problems\.csv, line 2, column dims"),
    ],
)
def test_bad_cells_are_named(folder: Path, file: str, column: str, value: str, message: str) -> None:
    if file == "problems.csv":  # the problem of the first case kept
        with (folder / "cases.csv").open(newline="") as stream:
            wanted = next(csv.DictReader(stream))["problem"]
        with (folder / file).open(newline="") as stream:
            rows = [row for row in csv.DictReader(stream) if row["problem"] == wanted]
        with (folder / file).open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    tamper(folder, file, column, value)
    with pytest.raises(CheckInputError, match=message):
        check_timeloop(folder)


def test_an_unmodelled_switch_is_reported_with_the_case(folder: Path) -> None:
    tamper(folder, "cases.csv", "env_switches", "TIMELOOP_SOMETHING=1")
    rows = check_timeloop(folder).rows
    assert "switch TIMELOOP_SOMETHING is not modelled" in rows[0].note
