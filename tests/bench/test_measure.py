"""Measuring the machine that the tests run on, with hardly any time: what is written can be read and checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosim.bench import measure_rates as rates
from cosim.bench.measure import Measured, machine_document, measure, nearest_preset
from cosim.bench.measure_layers import callable_of, rows
from cosim.checks.cpu import check_cpu, layers_of_row
from cosim.engine import load_arch
from cosim.spec.locate import ROOT


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("measured")
    return measure("measured_test", "cpu", 0.5, folder / "arch", folder / "table", None, lambda text: None)


def test_the_machine_file_is_valid_and_says_what_was_measured(written: tuple[Path, Path]) -> None:
    machine = load_arch(written[0], strict=True)
    measured = {row.path: row for row in machine.parameters if row.source == "measured-here"}
    assert {"memory.core_bytes_per_s", "runtime.libraries.torch.mac_call_s"} <= set(measured)
    assert all(row.kind == "measured" and row.note for row in measured.values())
    assert 0.5e9 < float(machine.model.cycle_hz(machine.params)) < 8e9


def test_the_table_can_be_checked(written: tuple[Path, Path]) -> None:
    report = check_cpu(written[1], written[0])
    assert report.cases == 2 * len(list(rows()))
    assert all(row.reference > 0 and row.predicted > 0 for row in report.rows)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_what_is_timed_is_what_the_row_says(layout: str) -> None:
    """The timed result has as many elements as the layer of the row."""
    for row in rows(batch=2):
        result = callable_of(row, "cpu", "fp32", layout)()
        (layer,) = layers_of_row(row | {"runtime": "torch"}, "l")
        assert result.numel() == layer.y_elems, row


def test_samples_are_per_call() -> None:
    calls = []
    found = rates.samples_s(lambda: calls.append(0), 0.0)
    assert len(found) == 1
    assert 0 < found[0] < 1e-3
    assert len(calls) > 10, "short calls are averaged over many"


def test_refusals() -> None:
    with pytest.raises(KeyError, match="no parameter"):
        machine_document("cpu_zen4", "n", "d", [Measured("core.colour", 1.0, "")])
    import torch

    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="PyTorch sees no GPU"):
            measure("n", "cuda", 0.1, Path("a"), Path("b"), None, lambda text: None)


def test_the_starting_point_is_a_shipped_machine() -> None:
    assert (ROOT / "arch" / f"{nearest_preset('cpu')}.yaml").is_file()
