"""A result folder read back is the result that was written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosim.engine import evaluate
from cosim.results.files import OutputError, write_result
from cosim.results.stored import read_result

SAME = (
    *("machine", "latency_s", "energy_j", "layers", "energy_by_component_j", "busy_by_resource_s"),
    *("parameters", "leaves_out", "roof", "speedup"),
)


@pytest.mark.parametrize("arch", ["optical4f", "systolic_mlc_sttram", "gpu_t4", "cpu_zen4", "ultra96_cnna16"])
def test_what_is_written_is_what_is_read(arch: str, tmp_path: Path) -> None:
    result = evaluate(arch, "vgg16", baseline="gpu_rtx3090", batch=2)
    write_result(result, tmp_path / "run")
    found = read_result(tmp_path / "run")
    for name in SAME:
        assert getattr(found, name) == getattr(result, name), name
    assert found.totals() == result.totals()
    assert found.manifest == json.loads(json.dumps(dict(result.manifest)))
    assert (found.workload.name, len(found.workload), found.workload.batch) == (
        "vgg16",
        len(result.workload),
        2,
    )
    assert found.workload.coverage == result.workload.coverage
    assert found.to_pandas().equals(result.to_pandas())


def test_the_roof_is_that_of_the_model() -> None:
    """systolic_128: 128 x 128 multiply-accumulates a cycle at 700 MHz; its bandwidth is the effective one."""
    roof = evaluate("systolic_128", "alexnet").roof
    assert roof.peak_macs_per_s == pytest.approx(128 * 128 * 700e6)
    assert roof.bandwidth_bytes_per_s == pytest.approx(230.4e9)
    assert roof.ridge_macs_per_byte == pytest.approx(128 * 128 * 700e6 / 230.4e9)


def test_folders_that_hold_no_result_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"found no manifest\.json, summary\.json"):
        read_result(tmp_path)
    write_result(evaluate("gpu_t4", "alexnet"), tmp_path / "run")
    summary = tmp_path / "run" / "summary.json"
    whole = summary.read_text(encoding="utf-8")
    summary.write_text(whole[:100], encoding="utf-8")
    with pytest.raises(OutputError, match="unreadable document"):
        read_result(tmp_path / "run")
    older = {key: value for key, value in json.loads(whole).items() if key != "roof"}
    summary.write_text(json.dumps(older), encoding="utf-8")
    with pytest.raises(OutputError, match="found no roof; run `cosim run` again"):
        read_result(tmp_path / "run")
    summary.write_text(whole, encoding="utf-8")
    (tmp_path / "run" / "layers.csv").write_text("name,what\n,\nx,1\n", encoding="utf-8")
    with pytest.raises(OutputError, match="tables that cannot be read"):
        read_result(tmp_path / "run")
