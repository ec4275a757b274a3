"""DPU, CHaiDNN, NVDLA: resources and bounds by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.ir.batch import LayerBatch
from cosim.ir.layer import mac_layer
from cosim.mapping.fpga_dpu import ENGINES, dpu_bram36s, dpu_dsps
from cosim.papers import chaidnn, codenet, deformable, dpu, nvdla


def test_dpu_resources_by_hand() -> None:
    """B1600: 800 products / 4 + 2 = 202 slices, 80 accumulators; 80 bits x 2048 are nine 18-Kbit halves of 9 bits."""
    engine = ENGINES["B1600"]
    assert (dpu_dsps(engine, False), dpu_dsps(engine, True)) == (202, 282)
    assert dpu_bram36s(engine, high=False) == (2 * 8 + 10 + 2) * 4.5
    assert dpu_bram36s(engine, high=True) - dpu_bram36s(engine, high=False) == 8 * 4.5


def test_builds_that_nothing_was_read_off_are_exact() -> None:
    """Three builds gave the numbers of banks and the two slices; the other five are predictions."""
    kinds = {
        row.what: row.status for row in dpu.ROWS() if "DSP slices" in row.what or "block RAMs" in row.what
    }
    for what, status in kinds.items():
        read_off = what.split(",")[0] in dpu.READ_OFF and "more" not in what
        assert status == ("fitted" if read_off else "exact"), what


@pytest.mark.parametrize("build", chaidnn.BUILDS, ids=lambda build: str(build.dsps))
def test_chaidnn_layouts_use_every_multiplier(build: chaidnn.Build) -> None:
    """Two cycles of the multipliers in one of the core; two products a slice at 6 bits."""
    for bits, products in ((8, 1), (6, 2)):
        assert {engine.macs_per_cycle for engine in chaidnn.engines(build.dsps, bits)} == {
            2 * products * build.dsps
        }
        for network in build.frames_per_s:
            flat_ms = (
                float(chaidnn.convolutions(network).macs.sum())
                / (2 * products * build.dsps * build.core_hz)
                * 1e3
            )
            assert chaidnn.bound_ms(build, network, bits) >= flat_ms


def test_alexnet_has_its_published_products() -> None:
    assert float(chaidnn.convolutions("AlexNet").macs.sum()) == pytest.approx(665.8e6, rel=1e-3)


def test_nvdla_traffic_by_hand() -> None:
    """X 12,544, W 36,864, Y 12,544 bytes; half a buffer of 8 KB: W four or ten times over against one of X."""
    layers = LayerBatch.from_layers(
        [mac_layer("c", "conv", C=64, K=64, P=14, Q=14, R=3, S=3, padding=(1, 1, 1, 1))]
    )
    x, w, y = 64 * 14 * 14, 64 * 64 * 9, 64 * 14 * 14
    for half in (4_000.0, 20_000.0, 1e6):
        again = min(x * np.ceil(w / half) + w, w * np.ceil(x / half) + x)
        assert float(nvdla.traffic_bytes(layers, 2 * half)[0]) == again + y
    assert float(nvdla.traffic_bytes(layers, 2e6)[0]) == x + w + y


def test_nvdla_arrays_have_the_multipliers_of_their_row() -> None:
    assert all(c * k == size.macs for size in nvdla.SIZES for c, k in size.arrays)


def test_codenet_block_rams_by_hand() -> None:
    """15 rows of 1024 x 128 bits: eight 1024 x 18 halves; 2 x 16 banks of 2048 x 64 bits: eight 2048 x 9 halves."""
    assert codenet.buffer_bram36s() == (15 * 8 + 2 * 16 * 8) / 2


def test_deformable_operators_by_hand() -> None:
    """64 x 64 x 256 x 9 x 256 products on 576 multipliers at 100.9 MHz; unbounded adds 589,824 reads of 31.4 ns."""
    products_ms = 64 * 64 * 256 * 9 * 256 / 576 / 100.9e3
    assert deformable.products_ms(False) == pytest.approx(products_ms)
    assert deformable.operator_ms(False, "bound") == pytest.approx(products_ms)
    reads_ms = 64 * 64 * 16 * 9 * 31.4e-6
    assert deformable.operator_ms(False, "deform") == pytest.approx(products_ms + reads_ms)


def test_the_one_fitted_read_predicts_the_full_operator() -> None:
    rows = {row.what: row for row in deformable.ROWS()}
    assert [what for what, row in rows.items() if row.status == "fitted"] == [
        "depthwise 3 x 3, deform over square",
        "depthwise 3 x 3, deform",
    ]
    assert rows["full 3 x 3, deform"].status == "within 2 %"
