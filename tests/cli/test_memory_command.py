"""``cosim memory``: savings by content, comparison of buffers, traffic, records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosim.cli.main import main
from cosim.components.technology import load_technology
from cosim.engine import evaluate, load_arch, load_workload
from cosim.explore.buffers import Variant, capacity_on, compare_buffers, with_buffer
from cosim.explore.buffers_content import component_of, content_study, cost_of
from cosim.ir.batch import LayerBatch
from cosim.noise.formats import FP16
from cosim.noise.placement import PlacementError, protection
from cosim.noise.placement_content import network_weights

MLC = "systolic_mlc_sttram"
LEVEL = "buffers.filter"


def call(capsys: pytest.CaptureFixture[str], *args: str, code: int = 0) -> str:
    with pytest.raises(SystemExit) as done:
        main(list(args))
    out = capsys.readouterr()
    assert done.value.code == code, out.err
    return out.out if code == 0 else out.err


def document(capsys: pytest.CaptureFixture[str], *args: str) -> Any:
    return json.loads(call(capsys, *args, "--json"))


@pytest.fixture(scope="module")
def study() -> Any:
    machine, network = load_arch(MLC), load_workload("vgg16")
    weights = network_weights(network.layers)
    return content_study(machine, network, LEVEL, weights, FP16, protection("hybrid"))


def test_headline_is_met_with_the_ratios_that_were_calibrated_to_it(study: Any) -> None:
    """Hybrid, single weights, VGG16: 9 % of reads and 6 % of writes, with 0.458 and 0.282 as the ratios needed."""
    found = study.headline()
    assert found["delta_read"] == pytest.approx(0.458, abs=0.01)
    assert found["delta_write"] == pytest.approx(0.282, abs=0.006)
    assert found["hard_before"] == pytest.approx(0.541, abs=0.003)
    assert found["hard_after"] == pytest.approx(0.296, abs=0.003)
    # writes go once over every weight, as the shares are weighted; reads favour convolutions, which are read again
    assert study.saving_write == pytest.approx(0.06, abs=0.001)
    assert study.saving_read == pytest.approx(0.09, abs=0.004)


def test_saving_of_a_layer_follows_its_own_pattern_counts(study: Any) -> None:
    """1 - (1 + d h1) / (1 + d h0) with d = 0.46 for reads and 0.28 for writes."""
    for row in study.layers:
        read = 1 - (1 + 0.46 * row.hard_after) / (1 + 0.46 * row.hard_before)
        write = 1 - (1 + 0.28 * row.hard_after) / (1 + 0.28 * row.hard_before)
        assert 1 - row.encoded_read_j / row.read_j == pytest.approx(read, rel=1e-9)
        assert 1 - row.encoded_write_j / row.write_j == pytest.approx(write, rel=1e-9)
        assert row.net < row.gross


def test_metadata_costs_one_cheap_cell_a_bit(study: Any) -> None:
    """Hybrid of single weights stores 2 bits for 8 cells: a quarter of what eight cheap cells cost."""
    for row in study.layers:
        cheap_read = row.read_j / (1 + 0.46 * row.hard_before)
        cheap_write = row.write_j / (1 + 0.28 * row.hard_before)
        assert row.metadata_j == pytest.approx((cheap_read + cheap_write) / 4, rel=1e-9)


def test_energies_before_are_those_of_the_machine_with_that_content(study: Any) -> None:
    machine, network = load_arch(MLC), load_workload("vgg16")
    result = evaluate(machine, network)
    own = (
        float(np.sum(result.cost.energy_pj["filter_buffer"] - result.cost.static_pj["filter_buffer"])) * 1e-12
    )
    # the file's content is the mean over the network: per-layer counts move single layers by a few percent only
    assert study.total("read_j") + study.total("write_j") == pytest.approx(own, rel=0.02)


def test_savings_as_a_document(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (found,) = document(capsys, "memory", MLC, "vgg16", "-e", "hybrid:16", "--out", str(tmp_path))["studies"]
    assert found["encoding"] == "hybrid:16"
    assert found["weights"] == "synthetic, seed 0"
    assert len(found["layers"]) == 16
    assert all(
        sum(row[f"before_{p}"] for p in ("00", "01", "10", "11")) == pytest.approx(1)
        for row in found["layers"]
    )
    assert found["saving"]["net"] > 0.03, "with groups of 16 the metadata do not eat the saving"
    assert (tmp_path / "vgg16.csv").read_text().startswith("layer,weights,before_00")


def test_trained_weights_are_counted_for_a_trained_network(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn")
    args = ("memory", MLC, "digits/cnn", "-e", "sbp_round", "--write-model", "transition")
    (found,) = document(capsys, *args)["studies"]
    assert [row["weights"] for row in found["layers"]] == [144, 3456, 6912, 1280]
    assert found["weights"] == "trained"
    assert found["saving"]["gross"] == found["saving"]["net"], "rounding needs no metadata"
    assert all(0 < row["transition_saving"] < 1 for row in found["layers"])


def test_a_memory_of_one_bit_cells_has_nothing_to_save(capsys: pytest.CaptureFixture[str]) -> None:
    text = call(capsys, "memory", "systolic_sram", "vgg16", code=3)
    assert "its cost does not depend on the content" in text
    text = call(capsys, "memory", MLC, "vgg16", "--level", "buffers.filtr", code=3)
    assert "nearest: 'buffers.filter'" in text
    with pytest.raises(PlacementError, match="'hybrid'"):
        protection("hybird")


def test_equal_area_is_equal_area() -> None:
    """The single-level array of NVSim is 3.39 times denser than its SRAM at 128 KiB a bank."""
    sram, stt = load_technology("sram_22_lstp_nvsim"), load_technology("stt_ram_22")
    assert capacity_on("area", sram, sram, 2**20, 8) == 2**20
    capacity = capacity_on("area", stt, sram, 2**20, 8)
    assert stt.array(capacity / 8).area_mm2 == pytest.approx(0.151605, rel=0.005)
    assert capacity / 2**20 == pytest.approx(3.39, abs=0.01)
    assert capacity_on("capacity", stt, sram, 2**20, 8) == 2**20


def test_a_buffer_put_in_place_is_the_machine_whose_file_names_it() -> None:
    """systolic_sram with the record in place costs what the formulas give for the stated fields."""
    machine, network = load_arch("systolic_sram"), load_workload("resnet18")
    layers = LayerBatch.from_layers(network.layers)
    params = with_buffer(machine.params, LEVEL, "stt_ram_22", 2**20)
    cost, prices = cost_of(machine, params, layers)
    assert prices["filter_buffer", "write"] == pytest.approx(67.242)
    own, _ = cost_of(machine, machine.params, layers)
    for action in own.action_counts:
        np.testing.assert_allclose(own.action_counts[action], cost.action_counts[action])
    assert component_of(LEVEL) == "filter_buffer"
    assert component_of("dram") == "dram"


VARIANTS = (Variant("sram_22_lstp_nvsim"), Variant("stt_ram_22"), Variant("stt_ram_mlc_22", "sbp+range"))


def test_comparison_orders_as_the_records_do() -> None:
    pytest.importorskip("sklearn")
    rows = compare_buffers(load_arch(MLC), [load_workload("resnet18")], LEVEL, VARIANTS, "mlp", 3)
    at = {(row.basis, row.variant): row for row in rows}
    assert len(rows) == 6
    for basis in ("capacity", "area"):
        sram, slc, mlc = (at[basis, v.name] for v in VARIANTS)
        assert sram.buffer_j < slc.buffer_j < mlc.buffer_j
        assert mlc.latency_s >= slc.latency_s
        assert slc.dram_bytes <= sram.dram_bytes
        assert sram.error_rate is None
        assert sram.accuracy_minimum is None
        assert mlc.error_rate == 3.5e-3
        assert slc.accuracy is not None
        assert slc.accuracy >= mlc.accuracy
    same, wide = at["capacity", "stt_ram_22"], at["area", "stt_ram_22"]
    assert same.area_mm2 < wide.area_mm2 < 1.01 * at["area", "sram_22_lstp_nvsim"].area_mm2
    assert same.capacity_bytes == 2**20
    written = same.rewrites_per_inference * same.capacity_bytes
    assert wide.rewrites_per_inference * wide.capacity_bytes <= written
    assert same.lifetime_years == pytest.approx(
        1e15 * same.latency_s / same.rewrites_per_inference / (365.25 * 86400), rel=1e-9
    )
    assert same.lowest_lifetime_years == pytest.approx(same.lifetime_years * 1e-10, rel=1e-9)


def test_comparison_writes_its_report(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    args = ["memory", MLC, "resnet18", "--compare", "--model", "mlp", "--trials", "2", "--out", str(tmp_path)]
    args += ["--variant", "sram_22_lstp_nvsim", "--variant", "stt_ram_mlc_22,hybrid:16"]
    text = call(capsys, *args)
    assert "## resnet18, equal area" in text
    assert (tmp_path / "buffers.md").read_text() == text
    assert len((tmp_path / "buffers.csv").read_text().splitlines()) == 5
    assert len(json.loads((tmp_path / "buffers.json").read_text())["rows"]) == 4


def test_a_record_without_area_cannot_be_compared_at_equal_area(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn")
    args = ("memory", MLC, "resnet18", "--compare", "--trials", "1", "--variant", "sot_mram")
    assert "'sot_mram' has no points" in call(capsys, *args, code=3)


def test_traffic_of_every_memory_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["memory"]: row for row in document(capsys, "memory", MLC, "vgg16", "--traffic")["rows"]}
    assert set(rows) == {"buffers.ifmap", "buffers.filter", "buffers.ofmap", "dram"}
    result = evaluate(load_arch(MLC), load_workload("vgg16"))
    columns = {
        name: float(np.sum(result.cost.columns[name])) for name in ("dram_read_bytes", "sram_write_bytes")
    }
    assert rows["dram"]["read_bytes"] == pytest.approx(columns["dram_read_bytes"])
    written = sum(rows[f"buffers.{name}"]["written_bytes"] for name in ("ifmap", "filter", "ofmap"))
    assert written == pytest.approx(columns["sram_write_bytes"])
    assert rows["buffers.filter"]["rewrites_per_inference"] == pytest.approx(
        rows["buffers.filter"]["written_bytes"] / 2**20
    )
    assert rows["buffers.filter"]["lifetime_years"] is None, "the file names a table, which has no endurance"


def test_records_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["name"]: row for row in document(capsys, "memory", "--list")["records"]}
    assert rows["hbm2"]["scope"] == "device"
    assert "errors.hard_rate" in rows["stt_ram_mlc_22"]["fields"]
    assert "stt_ram_22" in call(capsys, "memory", "--list")
    assert "WORKLOAD" in call(capsys, "memory", MLC, code=2)
