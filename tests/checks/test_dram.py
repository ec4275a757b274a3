"""`check dram` on the runs of both simulators, on altered lines, and on names it does not know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosim.checks.dram import FILE, check_dram
from cosim.checks.metrics import CheckInputError
from tests.checks.tables import read_lines, write_lines

SAMPLE = Path(__file__).parents[1] / "data" / "dram"


def test_every_run_of_ramulator_is_reproduced_and_dramsim3_within_half_a_per_cent() -> None:
    report = check_dram(SAMPLE)
    document = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert report.cases == len(read_lines(SAMPLE / FILE)) == len(document["rows"])
    assert set(report.by_class) == {"Ramulator 2.1", "DRAMsim3"}
    ramulator, dramsim = report.by_class["Ramulator 2.1"], report.by_class["DRAMsim3"]
    # Requests, cycles, row hits, misses and conflicts of all lines.
    assert ramulator["exact"] == ramulator["cases"] == 84
    # The configurations that the tool ships; that of LPDDR4-3200 is not published, its record holds JEDEC timings.
    own = [row for row in report.rows if row.case.startswith("LPDDR4_3200_x16_own")]
    assert dramsim["cases"] == 27
    assert dramsim["exact"] >= 27 - len(own)
    assert all(row.exact for row in report.rows if row not in own)
    assert all(abs(row.predicted / row.reference - 1) < 0.005 for row in own)
    # The table prints four decimals.
    assert all(abs(row.predicted - row.reference) < 0.6e-4 for row in report.rows if row not in own)


def test_devices_beyond_the_sample_are_reproduced() -> None:
    report = check_dram(SAMPLE / "more")
    assert report.exact == report.cases == len(read_lines(SAMPLE / "more" / FILE))
    standards = {row.case.split("-")[0].split("_")[0] for row in report.rows}
    assert standards == {"DDR3", "DDR4", "DDR5", "GDDR6", "HBM1", "HBM2", "HBM3", "HBM4", "LPDDR3", "LPDDR5"}


def test_a_changed_figure_is_named(tmp_path: Path) -> None:
    lines = read_lines(SAMPLE / FILE)[:3]
    lines[0]["row_hits"] = "1"
    lines[1]["dram_clock_cycles"] = str(int(lines[1]["dram_clock_cycles"]) + 1)
    report = check_dram(write_lines(tmp_path / FILE, lines))
    assert [row.exact for row in report.rows] == [False, False, True]
    assert report.rows[0].note == "row_hits: 39626, reference 1"
    assert "dram_clock_cycles" in report.rows[1].note
    assert report.notes[0].startswith("row_hits: 2 of 3 lines equal")


def test_what_is_not_known_is_reported_with_the_nearest_and_never_dropped(tmp_path: Path) -> None:
    known = read_lines(SAMPLE / FILE)[0]
    ranks = next(line for line in read_lines(SAMPLE / FILE) if line["device"].startswith("HBM2"))
    lines = [
        known,
        known | {"device": "DDR4-2400R 8Gb x88"},
        known | {"pattern": "seq_raed"},
        known | {"address_mapping": "RoBaRaCoCx"},
        known | {"simulator": "Ramulator 2.2"},
        known | {"device": "DDR4_8Gb_x8_2400"},
        known | {"bytes_per_request": "32"},
        ranks | {"ranks": "4 pseudochannels"},
    ]
    report = check_dram(write_lines(tmp_path / FILE, lines))
    assert report.cases == 1
    skipped = [note for note in report.notes if "is not compared" in note]
    for note, number, text in zip(
        skipped,
        range(3, 10),
        (
            "nearest spelling 'DDR4-2400R 8Gb x8'",
            "nearest spelling 'seq_read'",
            "nearest spelling 'RoBaRaCoCh'",
            "nearest spelling 'Ramulator 2.1'",
            "record of another simulator",
            "moves 64 bytes, found 32",
            "has 2 pseudo-channels, found 4",
        ),
        strict=True,
    ):
        assert note.startswith(f"line {number} is not compared: ")
        assert text in note


def test_unreadable_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckInputError, match=FILE):
        check_dram(tmp_path)
    good = read_lines(SAMPLE / FILE)[0]
    for column, value, message in [
        ("requests_served", "0", "must be 1 or more"),
        ("dram_clock_cycles", "many", "is not an integer"),
        ("ranks", "none", "begins with a number"),
        ("fraction_of_peak", "all", "is not a number"),
    ]:
        with pytest.raises(CheckInputError, match=message):
            check_dram(write_lines(tmp_path / FILE, [good | {column: value}]))
    with pytest.raises(CheckInputError, match="holds no case"):
        check_dram(write_lines(tmp_path / FILE, [good | {"pattern": "seq_raed"}]))


def test_a_pattern_that_the_runs_did_not_have_is_compared(tmp_path: Path) -> None:
    line = read_lines(SAMPLE / FILE)[0] | {"pattern": "random_blocks_64B_write"}
    report = check_dram(write_lines(tmp_path / FILE, [line]))
    assert report.rows[0].exact is False
