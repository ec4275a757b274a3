"""Sweeps: rows equal single evaluations, every executor gives the same bits, bad points are rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cosim.engine import evaluate, load_arch
from cosim.explore.executors import Dask, Executor, Processes, Serial
from cosim.explore.space import prepare
from cosim.explore.space_file import load_space
from cosim.explore.store import read
from cosim.explore.sweep import forecast, run_sweep
from tests.explore.helpers import SMALL, cosim, shards, write


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(sweep file, its folder of results by the serial executor)."""
    folder = tmp_path_factory.mktemp("serial")
    path = write(folder, SMALL)
    summary = run_sweep(path, folder / "out")
    assert summary.tasks == 3
    assert summary.failed == summary.infeasible == 0
    return path, folder / "out"


def test_a_machine_without_a_parameter_ignores_it(serial: tuple[Path, Path]) -> None:
    frame = read(serial[1])
    gpu = frame[frame["arch"] == "gpu_rtx3090"]
    systolic = frame[frame["arch"] == "systolic_sram"]
    # 1000 rates of the second-level cache on 2 networks and 2 batches; no dataflow, no rows.
    assert len(gpu) == 1000 * 4
    assert gpu[["array.rows", "array.cols", "dataflow"]].isna().all().all()
    # The condition leaves out 32 rows with more than 512 KiB: 1 MiB and the two steps before it.
    capacities = np.round(np.geomspace(65536, 1048576, 9))
    allowed = sum(int((rows * capacities <= 16777216).sum()) for rows in (8, 16, 32))
    assert len(systolic) == allowed * 60 * 2 * 4
    assert systolic["memory.l2_bytes_per_s"].isna().all()
    assert frame["hash"].is_unique
    assert frame["point"].is_unique


@pytest.mark.parametrize("arch", ["systolic_sram", "gpu_rtx3090"])
@pytest.mark.parametrize("batch", [1, 4])
def test_a_row_is_what_a_single_evaluation_gives(serial: tuple[Path, Path], arch: str, batch: int) -> None:
    from cosim.mapping.plan import MappingDoc

    frame = read(serial[1], where=f"arch = '{arch}' AND batch = {batch}")
    for _, row in frame.sample(4, random_state=batch).iterrows():
        overrides = {}
        for path in (
            "array.rows",
            "array.cols",
            "buffers.filter.capacity_bytes",
            "dram.bandwidth_bytes_per_s",
        ):
            if row[path] == row[path]:
                overrides[path] = repr(row[path] if row[path] % 1 else int(row[path]))
        if row["memory.l2_bytes_per_s"] == row["memory.l2_bytes_per_s"]:
            overrides["memory.l2_bytes_per_s"] = repr(float(row["memory.l2_bytes_per_s"]))
        mapping = MappingDoc("m", {"dataflow": row["dataflow"]}) if arch == "systolic_sram" else None
        single = evaluate(arch, row["workload"], mapping, batch=batch, overrides=overrides)
        assert row["latency_s"] == pytest.approx(single.latency_s, rel=1e-12)
        assert row["energy_j"] == pytest.approx(single.energy_j, rel=1e-12)
        assert row["images_per_s"] == pytest.approx(batch / single.latency_s, rel=1e-12)
        used = sum(layer["utilization"] * layer["latency_s"] for layer in single.layers) / single.latency_s
        assert row["utilization"] == pytest.approx(used, rel=1e-9)


@pytest.mark.parametrize("executor", [Processes(2), Dask("local:2")], ids=["processes", "dask"])
def test_every_executor_gives_the_same_bits(
    serial: tuple[Path, Path], tmp_path: Path, executor: Executor
) -> None:
    run_sweep(serial[0], tmp_path / "out", executor)
    assert shards(tmp_path / "out") == shards(serial[1])


def test_parts_of_a_job_array_make_the_whole(serial: tuple[Path, Path], tmp_path: Path) -> None:
    for k in (2, 1):
        summary = run_sweep(serial[0], tmp_path / "out", Serial(), (k, 2))
        assert summary.tasks == (2 if k == 1 else 1)
    assert shards(tmp_path / "out") == shards(serial[1])
    assert run_sweep(serial[0], tmp_path / "out").skipped == 3


def test_a_finished_sweep_is_not_run_again(serial: tuple[Path, Path]) -> None:
    before = {path: path.stat().st_mtime_ns for path in (serial[1] / "shards").iterdir()}
    summary = run_sweep(serial[0], serial[1])
    assert (summary.skipped, summary.points) == (3, len(read(serial[1])))
    assert before == {path: path.stat().st_mtime_ns for path in (serial[1] / "shards").iterdir()}


def test_the_forecast_counts_without_writing(serial: tuple[Path, Path]) -> None:
    ahead = forecast(serial[0])
    space = prepare(load_space(serial[0]))
    assert ahead.points == space.size == 3 * 9 * 60 * 2 * 4 + 1000 * 4
    assert ahead.tasks == 3
    real = sum(len(content) for content in shards(serial[1]).values())
    assert 0.3 < ahead.disk_bytes / real < 3
    assert ahead.memory_bytes > 30e6


def test_mappings_are_an_axis(tmp_path: Path) -> None:
    write(tmp_path, "kind: mapping\ndefaults: {dataflow: ws}\n", "mine.yaml")
    text = f"""
kind: sweep
archs: [systolic_sram]
workloads: [alexnet]
mappings: [default, {tmp_path}/mine.yaml]
"""
    run_sweep(write(tmp_path, text), tmp_path / "out")
    frame = read(tmp_path / "out").set_index("mapping")
    assert list(frame.index) == ["default", f"{tmp_path}/mine.yaml"]
    single = evaluate("systolic_sram", "alexnet", tmp_path / "mine.yaml")
    assert frame["latency_s"].iloc[1] == pytest.approx(single.latency_s, rel=1e-12)
    assert frame["latency_s"].iloc[0] < frame["latency_s"].iloc[1]


BAD = """
kind: sweep
archs: [systolic_sram]
workloads: [alexnet]
parameters:
  array.rows: [7, 8]
  buffers.filter.capacity_bytes: [64 KiB, 1 MiB, 64 GiB]
derived:
  array.cols: array.rows * 1.5
"""


def test_a_point_that_fails_is_a_row_with_its_reason(tmp_path: Path) -> None:
    path = write(tmp_path, BAD)
    done = cosim("sweep", str(path), "--out", str(tmp_path / "out"), "--json", code=5)
    # 7 rows give 10.5 columns; the memory tables end before 64 GiB.
    assert json.loads(done.stdout)["failed"] == 4
    frame = read(tmp_path / "out")
    assert list(frame["status"]) == ["failed"] * 3 + ["ok", "ok", "failed"]
    assert "derived array.cols = 10.5" in frame["reason"][0]
    assert "allowed 1 .. 16,384 KiB" in frame["reason"][5]
    assert frame["latency_s"].isna().tolist() == [True] * 3 + [False, False, True]
    assert not frame["meets_constraints"][:3].any()
    # The neighbours of a bad point are as if it were not there.
    single = evaluate(
        "systolic_sram",
        "alexnet",
        overrides={"array.rows": "8", "array.cols": "12", "buffers.filter.capacity_bytes": "65536"},
    )
    assert frame["latency_s"][3] == pytest.approx(single.latency_s, rel=1e-12)
    assert (
        json.loads(cosim("sweep", str(path), "--out", str(tmp_path / "out"), "--json", code=5).stdout)[
            "failed"
        ]
        == 4
    )


def test_columns_and_resources(tmp_path: Path) -> None:
    from cosim.components.fpga_resources import MemoryArray, bram18_range

    text = """
kind: sweep
archs: [systolic_fpga]
workloads: [alexnet]
parameters:
  array.rows: [8, 16, 32]
columns:
  elements: array.rows * array.cols
  pj_per_element: energy_j * 1e12 / (array.rows * array.cols)
constraints: ["dsps_low <= 360", "bram18s_low < 500"]
objectives: [latency_s, dsps_low, elements]
"""
    run_sweep(write(tmp_path, text), tmp_path / "out")
    frame = read(tmp_path / "out")
    assert frame["dsps_low"].tolist() == [8 * 16, 16 * 16, 32 * 16]
    assert frame["meets_constraints"].tolist() == [True, True, False]
    assert frame["elements"].tolist() == [128, 256, 512]
    assert frame["pj_per_element"].tolist() == pytest.approx(
        (frame["energy_j"] * 1e12 / frame["elements"]).tolist()
    )
    depth = 256 * 1024 * 8 // (64 * 8)
    assert frame["bram18s_low"][0] == bram18_range([MemoryArray("b", depth, 64, 8)] * 3).low


def test_sobol_samples_a_range_and_rounds_counts(tmp_path: Path) -> None:
    text = """
kind: sweep
archs: [systolic_sram]
workloads: [alexnet]
sampling: {sobol: 1000, seed: 3}
parameters:
  array.rows: {range: [4, 64], points: 2}
  dram_efficiency: {range: [0.5, 0.9], points: 3}
  dram.bandwidth_bytes_per_s: {log_range: [1 GB/s, 100 GB/s], points: 2}
"""
    run_sweep(write(tmp_path, text), tmp_path / "out")
    frame = read(tmp_path / "out")
    assert len(frame) == 1000
    assert (frame["array.rows"] % 1 == 0).all()
    assert set(frame["array.rows"]) == set(range(4, 65))
    assert frame["dram_efficiency"].between(0.5, 0.9).all()
    assert frame["dram_efficiency"].nunique() == 1000
    # Low discrepancy: every decade of a log range and every half of a linear one holds its share.
    assert abs((frame["dram.bandwidth_bytes_per_s"] < 10e9).mean() - 0.5) < 0.01
    assert abs((frame["dram_efficiency"] < 0.7).mean() - 0.5) < 0.01


def test_a_range_of_a_fraction_is_not_rounded(tmp_path: Path) -> None:
    text = """
kind: sweep
archs: [systolic_sram]
workloads: [alexnet]
parameters: {dram_efficiency: {range: [0.5, 0.9], points: 3}, array.rows: {range: [8, 9], points: 5}}
"""
    groups = prepare(load_space(write(tmp_path, text))).groups
    axes = {axis.path: axis.values for axis in groups[0].axes}
    assert axes["dram_efficiency"] == pytest.approx((0.5, 0.7, 0.9))
    assert axes["array.rows"] == (8.0, 9.0)
    assert load_arch("systolic_sram").params["array.rows"] == 16
