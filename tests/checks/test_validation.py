"""The registry of model errors: what is gathered, what a report shows of it, and that the committed one is whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosim.checks.validation import CHECKS, HEAD, REGISTRY, collect, read_validation
from cosim.engine import compare, load_arch
from cosim.report.html import comparison_html

DATA = Path(__file__).parent.parent / "data"


def test_the_committed_registry_speaks_about_every_check() -> None:
    rows = json.loads(REGISTRY.read_text(encoding="utf-8"))["rows"]
    assert {row["check"] for row in rows} == set(CHECKS)
    assert {row["machine_kind"] for row in rows} == {"simd_cpu", "gpu", "systolic", "dram"}
    for row in rows:
        assert row["fitted"] == ("calibrated" in row["class"])


def test_fitted_and_unfitted_rows_are_apart(tmp_path: Path) -> None:
    (tmp_path / "gpu").symlink_to(DATA / "gpu")
    rows = collect(tmp_path)["rows"]
    assert {row["class"]: row["fitted"] for row in rows} == {
        f"{device}, {kind}": kind == "calibrated"
        for device in ("rtx3090_amp_nchw", "rtx3090_amp_nhwc", "rtx4090_amp_nhwc")
        for kind in ("fit-free", "calibrated")
    }


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no sub-folder"):
        collect(tmp_path)


def test_rows_of_the_kinds_asked_for(tmp_path: Path) -> None:
    rows = read_validation({"gpu"})
    assert rows
    assert all(row[0] == "gpu" and len(row) == len(HEAD) for row in rows)
    assert read_validation({"gpu"}, tmp_path / "none.json") == []


def test_the_report_prints_the_errors_of_its_machines() -> None:
    machines = [load_arch(name) for name in ("gpu_rtx3090", "cpu_zen4")]
    page = comparison_html(compare(machines, ["resnet18"], machines[0]), machines, "t")
    assert "rtx3090_amp_nhwc, fit-free" in page
    assert "onnxruntime fp32 warm, fit-free" in page
    assert "cycles of SCALE-Sim" not in page
