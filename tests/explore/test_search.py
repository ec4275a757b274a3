"""Searches look at designs of the grid, their objectives are those of the sweep, and they come near its front."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cosim.explore.fronts import front_of
from cosim.explore.pareto import hypervolume
from cosim.explore.search import Designs, exhaustive, search, true_front
from cosim.explore.search_study import study
from cosim.explore.space import prepare
from cosim.explore.space_file import load_space
from cosim.explore.store import read
from cosim.explore.sweep import run_sweep
from cosim.results.files import OutputError
from tests.explore.helpers import write

TEXT = """
kind: sweep
name: little
archs: [systolic_sram, systolic_mlc_sttram]
workloads: [alexnet, fatnet]
parameters:
  dataflow: [os, ws]
  array.rows: [4, 8, 16, 32, 64]
  array.cols: [4, 8, 16, 32, 64]
  buffers.filter.capacity_bytes: {log_range: [128 KiB, 2 MiB], points: 5}
  buffers.ifmap.capacity_bytes: {log_range: [32 KiB, 512 KiB], points: 5}
conditions: ["array.rows * array.cols <= 2048"]
constraints: ["dsps_low <= 360"]
objectives: [latency_s, energy_j, buffer_cells_mm2]
"""


@pytest.fixture(scope="module")
def space_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("search"), TEXT)


@pytest.fixture(scope="module")
def designs(space_file: Path) -> Designs:
    return Designs.of(prepare(load_space(space_file)))


@pytest.fixture(scope="module")
def swept(space_file: Path) -> Path:
    folder = space_file.parent / "out"
    run_sweep(space_file, folder)
    return folder


def test_the_exhaustive_front_is_that_of_the_sweep(designs: Designs, swept: Path) -> None:
    assert designs.size == 2 * 2 * 5**4
    front = front_of(swept)
    numbers, values = true_front(designs)
    unique = np.unique(np.exp(values), axis=0)
    assert len(unique) == len(front.rows)
    table = np.array([[row[name] for name in front.objectives] for row in front.rows])
    np.testing.assert_allclose(
        unique[np.lexsort(unique.T[::-1])], table[np.lexsort(table.T[::-1])], rtol=1e-12
    )
    assert len(numbers) == sum(row["equal_points"] for row in front.rows)


def test_a_design_is_the_geometric_mean_of_its_rows(designs: Designs, swept: Path) -> None:
    frame = read(swept)
    number = int(true_front(designs)[0][3])
    about = designs.describe(number)
    chosen = np.ones(len(frame), dtype=bool)
    for name, value in about.items():
        chosen &= (frame[name] == value).to_numpy()
    rows = frame[chosen]
    assert sorted(rows["workload"]) == ["alexnet", "fatnet"]
    found = np.exp(designs.evaluate(np.array([number])))[0]
    assert found[0] == pytest.approx(np.sqrt(rows["latency_s"].prod()), rel=1e-12)
    assert found[1] == pytest.approx(np.sqrt(rows["energy_j"].prod()), rel=1e-12)
    assert found[2] == pytest.approx(rows["buffer_cells_mm2"].iloc[0], rel=1e-12)


def test_designs_that_break_a_rule_have_no_objectives(designs: Designs) -> None:
    for numbers, values in exhaustive(designs):
        fine = np.isfinite(values).all(axis=1)
        some = numbers[:: len(numbers) // 40]
        for number, ok in zip(some, fine[:: len(numbers) // 40], strict=True):
            about = designs.describe(int(number)) if ok else None
            assert ok == (about is not None and about["array.rows"] * about["array.cols"] <= 360)
    # Asked for twice in one batch, and out of order: the same answers.
    numbers = np.array([700, 3, 700, 1200, 3], dtype=np.int64)
    one_by_one = np.concatenate([designs.evaluate(numbers[i : i + 1]) for i in range(5)])
    np.testing.assert_array_equal(designs.evaluate(numbers), one_by_one)


@pytest.mark.parametrize("method", ["nsga2", "tpe", "sobol", "random"])
def test_a_search_evaluates_what_it_says(designs: Designs, method: str) -> None:
    trace = search(designs, method, 120, seed=1)
    assert len(set(trace.numbers)) == len(trace.numbers) == 120
    np.testing.assert_array_equal(trace.values, designs.evaluate(trace.numbers))
    again = search(designs, method, 120, seed=1)
    np.testing.assert_array_equal(again.numbers, trace.numbers)
    assert (search(designs, method, 120, seed=2).numbers != trace.numbers).any()


def test_guided_searches_reach_more_than_sampling(space_file: Path) -> None:
    found = study(space_file, ("nsga2", "tpe", "random"), 300, 2, 0, exact=True)
    share = {row["method"]: row for row in found.summary()}
    for method in ("nsga2", "tpe"):
        assert share[method]["hypervolume"] > share["random"]["hypervolume"] + 0.05
    assert share["tpe"]["lowest"] > 0.9
    for _, curve in found.curves:
        shares = [value for _, value in curve]
        assert shares == sorted(shares)
        assert shares[-1] <= 1 + 1e-12


def test_the_exhaustive_method_has_the_whole_hypervolume(space_file: Path) -> None:
    found = study(space_file, ("exhaustive",), 10, 1, 0, exact=True)
    assert found.summary()[0]["hypervolume"] == pytest.approx(1.0, abs=1e-12)
    assert found.summary()[0]["evaluations"] == found.designs
    assert hypervolume(np.array([[0.0, 0.0, 0.0]]), (1.1, 1.1, 1.1)) == pytest.approx(1.331)


def test_a_search_goes_on_from_its_journal(space_file: Path, tmp_path: Path) -> None:
    first = study(space_file, ("nsga2",), 60, 1, 5, tmp_path / "out").curves[0][0]
    whole = study(space_file, ("nsga2",), 110, 1, 5, tmp_path / "out").curves[0][0]
    np.testing.assert_array_equal(whole.numbers[:60], first.numbers)
    assert len(whole.numbers) == 110
    other = write(tmp_path, TEXT.replace("<= 360", "<= 200"))
    with pytest.raises(OutputError, match="found results of sweep"):
        study(other, ("nsga2",), 60, 1, 5, tmp_path / "out")


def test_refusals(designs: Designs, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="remove `sampling`"):
        Designs.of(prepare(load_space(write(tmp_path, TEXT + "sampling: {sobol: 100}\n"))))
    with pytest.raises(OutputError, match="nsga2, tpe, sobol"):
        search(designs, "anneal", 10, 0)
    big = TEXT.replace("points: 5", "points: 450")
    with pytest.raises(OutputError, match="for the exhaustive method"):
        next(exhaustive(Designs.of(prepare(load_space(write(tmp_path, big))))))
    none = TEXT.replace("dsps_low <= 360", "latency_s < 0")
    with pytest.raises(OutputError, match="no design"):
        true_front(Designs.of(prepare(load_space(write(tmp_path, none)))))
