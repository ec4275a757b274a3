"""Import of array tools' output: real runs come back as the figures that they print, failures as errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosim.cli.main import main
from cosim.components.technology import TechnologyError, load_technology
from cosim.components.technology_import import detect_tool, merged_points, read_points

DATA = Path(__file__).parents[1] / "data" / "memory"


def text(name: str) -> str:
    return (DATA / name).read_text()


# file, tool, technology, capacity, read pJ, write pJ, read ns, write ns, leakage mW, area mm2
RUNS = [
    ("cacti_sram_22_lstp_512.csv", "cacti", "sram", 524288, 15.3195, 12.2171, 1.90593, 1.90593, 0.303681, 0.442175),
    ("cacti_sram_22_lstp_512.txt", "cacti", "sram", 524288, 15.3195, 12.2171, 1.90593, 1.90593, 0.303681, 0.442175),
    ("nvsim_sram_128.txt", "nvsim", "sram", 131072, 8.440, 8.394, 0.192346, 0.157, 0.016757, 0.151605),
    ("nvsim_stt_512.txt", "nvsim", "slc_stt_ram", 524288, 20.182, 71.724, 2.227, 10.766, 0.164714, 0.178600),
    ("nvsim_stt_2048.txt", "nvsim", "slc_stt_ram", 2097152, 29.069, 80.440, 2.442, 10.869, 0.351604, 0.648210),
    ("nvsim_rram_512.txt", "nvsim", "reram", 524288, 16.765, 48.597, 2.176, 20.759, 0.159843, 0.084985),
    ("destiny_edram_512.txt", "destiny", "edram", 524288, 17.842, 17.793, 0.235345, 0.193428, 208.499, 0.414981),
]  # fmt: skip


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run[0])
def test_figures_of_real_runs(run: tuple) -> None:
    name, tool, technology, capacity, *figures = run
    assert detect_tool(text(name), name) == tool
    (point,) = read_points(text(name), name)
    assert (point.technology, point.capacity_bytes, point.access_bits) == (technology, capacity, 64)
    got = [point.read_pj, point.write_pj, point.read_ns, point.write_ns, point.leakage_mw, point.area_mm2]
    assert got == pytest.approx(figures, rel=2e-5)


def test_refresh_of_edram_is_read() -> None:
    (point,) = read_points(text("destiny_edram_512.txt"), "x")
    assert point.refresh_nj == pytest.approx(16.505)


def test_a_table_of_nvmexplorer_gives_one_point_for_many_workloads() -> None:
    (point,) = read_points(text("nvmexplorer_stt.csv"), "x.csv", where="STT_best")
    assert (point.read_pj, point.write_pj, point.leakage_mw, point.node_nm) == (7.19, 45.638, 42.51, 22.0)
    assert point.capacity_bytes == 2 * 1024 * 1024


@pytest.mark.parametrize(
    ("name", "where", "message"),
    [
        ("nvsim_pcm_512_failed.txt", None, r"no valid solution \(Read current too large or too small"),
        ("nvmexplorer_rram.csv", "RRAM_worst", r"is -1: the tool found no design for 2,097,152 bytes"),
        ("nvmexplorer_rram.csv", None, "found several cells .*choose with --where"),
        ("nvmexplorer_rram.csv", "FeFET", "found no row with 'FeFET'"),
        ("destiny_edram_cache.txt", None, "a cache with its tags"),
    ],
)
def test_no_solution_is_an_error_with_its_reason(name: str, where: str | None, message: str) -> None:
    with pytest.raises(TechnologyError, match=message):
        read_points(text(name), name, None, where)


def test_cut_or_foreign_output_is_refused() -> None:
    report = text("nvsim_stt_512.txt")
    with pytest.raises(TechnologyError, match="Leakage Power"):
        read_points(report[: report.index(" - Leakage Power")], "cut.txt")
    with pytest.raises(TechnologyError, match=r"CACTI found no design: .*no valid data array"):
        read_points("CACTI\nERROR: no valid data array organizations found\n", "x", "cacti")
    with pytest.raises(TechnologyError, match="found no output of"):
        read_points("hello", "x")


def test_points_that_do_not_belong_together() -> None:
    sram, stt = (read_points(text(n), n)[0] for n in ("nvsim_sram_512.txt", "nvsim_stt_512.txt"))
    with pytest.raises(TechnologyError, match="does not say the node_nm; state it with --node-nm"):
        merged_points([stt], None, None)
    with pytest.raises(TechnologyError, match="differ in technology"):
        merged_points([sram, stt], None, 22)
    with pytest.raises(TechnologyError, match="524,288 bytes twice"):
        merged_points([stt, stt], None, 22)


def test_command_writes_a_record_that_gives_the_figures_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "stt_mine.yaml"
    files = [str(DATA / f"nvsim_stt_{kib}.txt") for kib in (512, 128, 2048)]
    with pytest.raises(SystemExit) as done:
        main(["import-memory", *files, "--node-nm", "22", "--out", str(out)])
    assert done.value.code == 0
    assert "3 arrays (128 KiB, 512 KiB, 2048 KiB) from nvsim" in capsys.readouterr().out
    got, shipped = load_technology(out), load_technology("stt_ram_22")
    for kib in (128, 300, 512, 2048):
        assert got.array(kib * 1024.0).write_pj == pytest.approx(
            shipped.array(kib * 1024.0).write_pj, rel=1e-3
        )
    assert {str(p.read_pj.source) for p in got.points} == {"nvsim"}


def test_command_says_why_a_failed_search_is_no_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pcm.yaml"
    with pytest.raises(SystemExit) as done:
        main(["import-memory", str(DATA / "nvsim_pcm_512_failed.txt"), "--node-nm", "22", "--out", str(out)])
    assert done.value.code == 3
    assert "no valid solution" in capsys.readouterr().err
    assert not out.exists()
    assert json.dumps(sorted(tmp_path.iterdir()), default=str) == "[]"
