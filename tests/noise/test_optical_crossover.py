"""Crossovers of a 4f machine and a baseline: the crossing is where both are equal."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.explore.crossover import (
    Crossover,
    kernel_crossover,
    measure,
    optical_crossovers,
    parameter_crossover,
    same_convolution,
)
from cosim.hardware.load import Machine, load_machine
from cosim.ir.batch import LayerBatch
from cosim.spec.locate import ROOT


def machine(name: str) -> Machine:
    return load_machine(ROOT / "arch" / f"{name}.yaml", {})


OPTICS, GPU = "optical4f", "gpu_rtx3090"
LAYERS = LayerBatch.from_layers([same_convolution(16, 16, 224, 15, images=16)])


def test_times_are_equal_at_the_crossing() -> None:
    light, board = machine(OPTICS), machine(GPU)
    found = parameter_crossover(light, board, LAYERS, "input.frame_s", np.geomspace(1e-7, 1e-1, 25))
    assert len(found.crossings) == 1
    at = light.params.with_values({"input.frame_s": found.crossings[0]})
    assert float(measure(light, LAYERS, at, "latency_s")) == pytest.approx(found.baseline[0], rel=1e-5)
    assert found.ahead.startswith("from 1e-07")
    # slower modulators never help
    assert (np.diff(found.machine) >= 0).all()


def test_kernels_decide() -> None:
    light, board = machine(OPTICS), machine(GPU)
    found = kernel_crossover(
        light, board, lambda k: same_convolution(16, 16, 224, k, images=16), range(1, 33, 2)
    )
    assert len(found.crossings) == 1
    first = int(found.crossings[0])
    index = list(found.values).index(first)
    assert found.machine[index] < found.baseline[index]
    assert found.machine[index - 1] >= found.baseline[index - 1]
    # light pays for frames and pixels, not for the kernel's size
    assert found.machine[-1] < 2 * found.machine[0]
    assert found.baseline[-1] > 20 * found.baseline[0]


@pytest.mark.parametrize("metric", ["latency_s", "energy_j", "edp_js"])
def test_every_quantity_is_tried(metric: str) -> None:
    rows = optical_crossovers(machine(OPTICS), machine(GPU), LAYERS, metric, reach=10.0)  # type: ignore[arg-type]
    assert {row.path for row in rows} >= {
        "input.frame_s",
        "camera.rate_px_per_s",
        "plane.rows",
        "converters.dac_pj",
    }
    for row in rows:
        assert isinstance(row, Crossover)
        assert row.values.shape == row.machine.shape == row.baseline.shape
        ahead = row.machine < row.baseline
        assert len(row.crossings) == int((ahead[1:] != ahead[:-1]).sum())


def test_ranges_must_rise() -> None:
    light, board = machine(OPTICS), machine(GPU)
    with pytest.raises(ValueError, match="rise"):
        parameter_crossover(light, board, LAYERS, "input.frame_s", [1.0, 0.5])
    with pytest.raises(KeyError, match=r"input\.frame_s"):
        parameter_crossover(light, board, LAYERS, "input.frames_s", [1.0, 2.0])
    with pytest.raises(ValueError, match="odd"):
        same_convolution(1, 1, 8, 4)


def test_figures_show_what_was_found() -> None:
    from cosim.noise.optical_accuracy import AccuracyRow
    from cosim.report.crossover_figures import accuracy, crossover
    from cosim.report.style import new_figure

    found = Crossover(
        "input.frame_s",
        "latency_s",
        np.array([1.0, 2, 4]),
        np.array([1.0, 2, 4]),
        np.full(3, 3.0),
        (3.0,),
        "",
    )
    axes = crossover(found, "light", "board", new_figure().subplots())
    assert [line.get_label() for line in axes.lines[:2]] == ["light", "board"]
    assert axes.texts[0].get_text() == "3"
    rows = [AccuracyRow("exact", 0, 0.98, 0.9, 1, 3, 40.0)]
    rows += [AccuracyRow("electrons", n, 0.5, 0.4, 0.6, 3, 9.0) for n in (10.0, 100.0)]
    drawn = accuracy(rows, "electrons", new_figure().subplots())
    assert drawn.get_xscale() == "log"
    assert list(drawn.lines[0].get_xdata()) == [10.0, 100.0]
    with pytest.raises(ValueError, match="shift_px"):
        accuracy(rows, "shift_px", new_figure().subplots())
