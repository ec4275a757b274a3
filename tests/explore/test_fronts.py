"""Fronts of result folders: streamed over shards, over several networks, with ties, and pictures of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cosim.explore import fronts, store
from cosim.explore.fronts import front_of, pairs_of
from cosim.explore.pareto import naive_mask
from cosim.explore.store import read
from cosim.explore.sweep import run_sweep
from cosim.report import sweep_figures as figures
from cosim.report.style import new_figure, save_with_csv
from cosim.results.files import OutputError
from tests.explore.helpers import write

TEXT = """
kind: sweep
archs: [systolic_sram]
workloads: [alexnet, fatnet]
parameters:
  array.rows: [4, 8, 16, 32]
  array.clock_hz: {range: [100 MHz, 300 MHz], points: 30}
  array.mac_pj: {range: [0.5, 3], points: 31}
  array.static_mw: {log_range: [1 mW, 1 W], points: 7}
constraints: ["latency_s < 0.5"]
objectives: [latency_s, energy_j]
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fronts")
    run_sweep(write(folder, TEXT), folder / "out")
    return folder / "out"


def test_streamed_front_is_the_definition(swept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "FILES_AT_ONCE", 1)
    assert len(store.shard_files(swept)) == 7
    frame = read(swept, where="workload = 'fatnet' AND meets_constraints")
    values = frame[["latency_s", "array.static_mw", "energy_j"]].to_numpy() * [1, -1, 1]
    # The definition on a million pairs at a time is slow, so on the points that a loose bound leaves.
    near = frame[naive_mask_fast(values)]
    front = front_of(swept, ("latency_s", "-array.static_mw", "energy_j"), "workload = 'fatnet'")
    assert front.considered == len(frame)
    assert {row["point"] for row in front.rows} <= set(near["point"])
    assert sum(row["equal_points"] for row in front.rows) == len(near)


def naive_mask_fast(values: np.ndarray) -> np.ndarray:
    """The definition, with the dominated ones of a coarse sample left out first (nothing that dominates is lost)."""
    sample = values[:: max(1, len(values) // 300)]
    keep = np.ones(len(values), dtype=bool)
    for point in sample:
        keep &= ~((point <= values).all(axis=1) & (point < values).any(axis=1))
    mask = np.zeros(len(values), dtype=bool)
    mask[keep] = naive_mask(values[keep])
    return mask


def test_several_networks_are_geometric_means(swept: Path) -> None:
    front = front_of(swept)
    assert front.tried_on == 2
    frame = read(swept)
    keys = ["array.rows", "array.clock_hz", "array.mac_pj", "array.static_mw"]
    fine = frame[frame["meets_constraints"]].groupby(keys).filter(lambda part: len(part) == 2)
    logs = (
        fine.assign(l=np.log(fine["latency_s"]), e=np.log(fine["energy_j"])).groupby(keys)[["l", "e"]].mean()
    )
    assert front.considered == len(logs)
    mask = naive_mask_fast(logs.to_numpy())
    best = np.exp(logs[mask].sort_values("l").to_numpy())
    found = np.array([[row["latency_s"], row["energy_j"]] for row in front.rows])
    np.testing.assert_allclose(found[:, 0], np.unique(best[:, 0]), rtol=1e-9)


def test_equal_points_are_one_row(swept: Path) -> None:
    front = front_of(swept, ("latency_s",), "workload = 'fatnet'")
    assert len(front.rows) == 1
    # Energies play no part: every energy and static power of the fastest array is the same point.
    assert front.rows[0]["equal_points"] == 31 * 7
    assert "array.rows" in front.varying()


def test_pairs_take_the_best_over_the_rest(swept: Path) -> None:
    frame = pairs_of(swept, "array.rows", "array.clock_hz", "energy_j", "workload = 'fatnet'")
    all_rows = read(swept, where="workload = 'fatnet' AND meets_constraints")
    expected = all_rows.groupby(["array.rows", "array.clock_hz"])["energy_j"].min()
    assert len(frame) == len(expected)
    np.testing.assert_array_equal(frame["energy_j"], expected.to_numpy())


@pytest.mark.parametrize("objective", ["latency", "arch"])
def test_unknown_columns(swept: Path, objective: str) -> None:
    with pytest.raises(OutputError, match="no numeric column"):
        front_of(swept, (objective,))
    with pytest.raises(OutputError, match="no column 'nowhere'"):
        pairs_of(swept, "nowhere", "array.rows", "latency_s")


def test_conditions_that_leave_nothing_or_are_no_sql(swept: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no point meets"):
        front_of(swept, (), "workload = 'vit'")
    with pytest.raises(OutputError, match="Error"):
        front_of(swept, (), "workload = ")
    with pytest.raises(OutputError, match=r"no manifest\.json"):
        front_of(tmp_path)


def test_pictures_have_their_numbers_beside_them(swept: Path, tmp_path: Path) -> None:
    front = front_of(swept, ("latency_s", "energy_j", "-array.static_mw"), "workload = 'fatnet'")
    frame = pairs_of(swept, "array.rows", "array.clock_hz", "energy_j")
    curve = pd.DataFrame(
        {
            "method": ["a", "a", "b", "b"],
            "seed": 0,
            "evaluations": [1, 9, 1, 9],
            "hypervolume": [0.1, 0.9, 0.2, 0.5],
        }
    )
    made = {
        "front": (figures.front_figure(front), front.frame()),
        "parallel": (figures.parallel_figure(front), front.frame()),
        "heat": (figures.heat_map_figure(frame, "array.rows", "array.clock_hz", "energy_j"), frame),
        "hypervolume": (figures.hypervolume_figure(curve, True), curve),
    }
    for name, (figure, table) in made.items():
        picture, numbers = save_with_csv(figure, table, tmp_path / f"{name}.svg")
        assert picture.stat().st_size > 2000
        assert len(pd.read_csv(numbers)) == len(table)


def test_the_knee_is_named_in_the_picture(swept: Path) -> None:
    front = front_of(swept, (), "workload = 'fatnet'")
    figure = new_figure()
    axes = figures.pareto_front(front, figure.subplots())
    texts = [text.get_text() for text in axes.texts]
    best = front.rows[front.knee]
    assert any(
        text.startswith("knee") and f"clock_hz = {best['array.clock_hz']:.4g}" in text for text in texts
    )
    assert fronts.CLOUD_POINTS >= len(front.cloud) > 0
