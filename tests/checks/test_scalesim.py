"""`check scalesim` on a sample of the tool's runs, on altered lines, and on folders it must refuse."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cosim.checks.metrics import CheckInputError
from cosim.checks.scalesim import FILE, check_scalesim
from tests.checks.tables import read_lines, write_lines

SAMPLE = Path(__file__).parents[1] / "data" / "scalesim"


def test_every_line_of_the_sample_is_exact() -> None:
    lines = read_lines(SAMPLE / FILE)
    report = check_scalesim(SAMPLE)
    calc = [line for line in lines if line["mode"] == "CALC"]
    assert report.cases == report.exact == len(calc) == len(report.rows)
    assert {line["version"] for line in calc} == {"2.0.2", "3.0.0"}
    assert {line["dataflow"] for line in calc} == set(report.by_class) == {"os", "ws", "is"}
    assert all(not row.note for row in report.rows)
    full = [line for line in calc if line["fidelity"] == "full"]
    new = [line for line in full if line["version"] == "3.0.0"]
    # Every line states seven closed-form figures; where the whole tool ran, also the stalls and seven figures of
    # the memory system, and in version 3 the cycles with the prefetch.
    figures = 7 * len(calc) + 8 * len(full) + len(new)
    assert report.notes[0] == f"{figures} further figures compared, 0 of them differ"
    assert report.notes[1].startswith(f"{len(lines) - len(calc)} lines of mode USER")


def test_a_changed_cycle_count_is_not_exact_and_a_changed_figure_is_named(tmp_path: Path) -> None:
    lines = [
        line for line in read_lines(SAMPLE / FILE) if line["mode"] == "CALC" and line["fidelity"] == "full"
    ][:3]
    lines[0]["total_cycles"] = str(int(lines[0]["total_cycles"]) + 1)
    lines[1]["dram_ofmap_writes"] = "1.0"
    report = check_scalesim(write_lines(tmp_path / FILE, lines))
    assert [row.exact for row in report.rows] == [False, True, True]
    assert "dram_ofmap_writes" in report.rows[1].note
    assert "1 of them differ" in report.notes[0]
    assert report.exact == 2


def test_a_layer_that_is_another_product_keeps_its_cycles_and_says_so(tmp_path: Path) -> None:
    line = next(
        row
        for row in read_lines(SAMPLE / FILE)
        if row["kind"] == "conv" and row["fidelity"] == "full" and row["mode"] == "CALC"
    )
    line["num_filters"] = str(int(line["num_filters"]) + 1)
    row = check_scalesim(write_lines(tmp_path / FILE, [line])).rows[0]
    assert row.exact
    assert row.note.startswith("DRAM not compared: the layer is the product")


def test_unreadable_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckInputError, match=FILE):
        check_scalesim(tmp_path)
    shutil.copy(SAMPLE / FILE, tmp_path / FILE)
    good = read_lines(SAMPLE / FILE)[0]
    for column, value, message in [
        ("mode", "AUTO", "allowed: CALC, USER"),
        ("dataflow", "rs", "allowed: os, ws, is"),
        ("array_rows", "0", "must be 1 or more"),
        ("gemm_K", "many", "is not an integer"),
    ]:
        broken = {**good, "mode": "CALC", column: value}
        with pytest.raises(CheckInputError, match=message) as caught:
            check_scalesim(write_lines(tmp_path / FILE, [broken]))
        assert f"line 2, column {column}" in str(caught.value)
    with pytest.raises(CheckInputError, match="holds no case"):
        check_scalesim(write_lines(tmp_path / FILE, [{**good, "mode": "USER"}]))
