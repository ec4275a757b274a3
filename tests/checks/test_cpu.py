"""The SIMD processor model against measured layers, and what the check refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosim.checks.cpu import check_cpu, read_rows
from cosim.checks.metrics import Agreement, CheckInputError, CheckReport, agreement

DATA = Path(__file__).parent.parent / "data" / "cpu"


@pytest.fixture(scope="module")
def report() -> CheckReport:
    return check_cpu(DATA)


def part(report: CheckReport, *words: str) -> Agreement:
    return agreement([row for row in report.rows if all(f" {word}" in f" {row.category}" for word in words)])


def test_every_row_is_compared(report: CheckReport) -> None:
    assert report.cases == len(report.rows) == len(read_rows(DATA)) == 266


@pytest.mark.parametrize(
    ("words", "mape_pct", "rank"),
    [
        # Half of these have equal operation counts and lie within 5 % of one another.
        (("onnxruntime", "fp32", "warm", "conv"), 3.0, 0.97),
        (("onnxruntime", "fp32", "warm", "gemm"), 5.0, 0.98),
        (("onnxruntime", "int8", "warm"), 5.0, 0.98),
        (("onnxruntime", "fp32", "cold"), 10.0, 0.97),
        (("onnxruntime", "int8", "cold"), 12.0, 0.97),
        (("fp32", "conv"), 10.0, 0.98),
        (("fp32",), 12.0, 0.98),
        (("int8",), 15.0, 0.98),
    ],
)
def test_agreement(report: CheckReport, words: tuple[str, ...], mape_pct: float, rank: float) -> None:
    measures = part(report, *words)
    assert measures.mape_pct < mape_pct
    assert measures.spearman is not None
    assert measures.spearman >= rank


def test_only_one_row_is_off_by_more_than_two(report: CheckReport) -> None:
    """A channels-first convolution whose warm time is twice its cold time: an artefact of the measurement."""
    far = [row.case for row in report.rows if not 0.5 <= row.predicted / row.reference <= 2.0]
    assert far == ["resnet50/conv1/torch/nchw/fp32/warm"]
    times = {row.case: row.reference for row in report.rows if "resnet50/conv1/torch/nchw" in row.case}
    assert times["resnet50/conv1/torch/nchw/fp32/warm"] > 2 * times["resnet50/conv1/torch/nchw/fp32/cold"]


def test_fit_free_and_calibrated_classes_are_apart(report: CheckReport) -> None:
    assert {name.rsplit(", ", 1)[1] for name in report.by_class} == {"fit-free", "calibrated"}
    assert any(note.startswith("fit-free classes: ") for note in report.notes)
    assert any(note.startswith("calibrated classes: ") for note in report.notes)


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(CheckInputError, match="no CSV file"):
        check_cpu(tmp_path)
    (tmp_path / "a.csv").write_text("model,layer\nm,l\n")
    with pytest.raises(CheckInputError, match=r"columns \['op', 'runtime'"):
        check_cpu(tmp_path)
    text = (DATA / "cpu_layers_measured.csv").read_text()
    (tmp_path / "a.csv").write_text(text.replace(",maxpool,onnxruntime", ",maxpol,onnxruntime"))
    with pytest.raises(CheckInputError, match="found op 'maxpol'"):
        check_cpu(tmp_path)
