"""Published systems: every row keeps its status, and the reference forms behind the rows are right by hand."""

from __future__ import annotations

import pytest

from cosim.ir.batch import LayerBatch
from cosim.ir.layer import mac_layer, vector_layer
from cosim.mapping.fpga_dpu import ENGINES, dpu_cycles
from cosim.mapping.row_stationary import RowStationaryLayer, RowStationaryMapping, passes
from cosim.papers import _cnna_designs as designs
from cosim.papers import _cnna_errors as errors
from cosim.papers import cnna, codenet, dpu, eyeriss, tpu_v1
from cosim.papers.row import PaperRow, below, bracketed, exact, fitted, missing, within

PAPERS = {"cnna": cnna, "codenet": codenet, "eyeriss": eyeriss, "tpu_v1": tpu_v1, "dpu": dpu}


@pytest.fixture(scope="module")
def rows() -> dict[str, list[PaperRow]]:
    return {name: module.ROWS() for name, module in PAPERS.items()}


def test_what_can_be_computed_is_reproduced(rows: dict[str, list[PaperRow]]) -> None:
    missed = [
        row.what for part in rows.values() for row in part if row.status == "not reproduced" and row.ratio
    ]
    assert missed == ["AlexNet conv3, buffer accesses"]


def test_counts_are_exact(rows: dict[str, list[PaperRow]]) -> None:
    assert sum(row.status == "exact" for row in rows["cnna"]) == 6
    assert sum(row.status == "exact" for row in rows["codenet"]) == 7


def test_eyeriss_ratios_are_the_known_ones(rows: dict[str, list[PaperRow]]) -> None:
    """Processing latency of table V over passes: 0.845 to 0.958 by layer, 0.887 together, 0.940 with loads."""
    ratios = [row.ratio for row in rows["eyeriss"][:7]]
    assert ratios == pytest.approx([0.845, 0.846, 0.953, 0.899, 0.958, 0.887, 0.940], abs=0.001)


def test_tpu_roofline_ratios_are_the_known_ones(rows: dict[str, list[PaperRow]]) -> None:
    ratios = [row.ratio for row in rows["tpu_v1"][:6]]
    assert ratios == pytest.approx([0.90, 0.85, 0.85, 0.43, 0.94, 0.15], abs=0.006)


def test_passes_by_hand() -> None:
    """AlexNet conv3: 4/4 * ceil(384 / 64) * ceil(256 / 4) * 1 = 384 passes of 4 * 16 * 4 * 3 * 13 = 9984 cycles."""
    found = passes(RowStationaryLayer(4, 1, 384, 256, 13, 13, 3), RowStationaryMapping(4, 13, 16, 4, 1, 4))
    assert (found.count, found.compute_cycles, found.filter_load_cycles) == (384, 9984, 576)
    with pytest.raises(ValueError, match="allowed at most the 1 of the layer"):
        passes(RowStationaryLayer(1, 1, 8, 8, 8, 8, 3), RowStationaryMapping(4, 8, 1, 1, 1, 1))


def test_dpu_cycles_by_hand() -> None:
    """B1600 on 14 x 14: 14 rows of two 8-pixel blocks; 9 taps; 64 channels in 7 blocks of 10, 25 filters in 3."""
    layers = LayerBatch.from_layers(
        [
            mac_layer("conv", "conv", C=64, K=25, P=14, Q=14, R=3, S=3),
            mac_layer("dw", "depthwise_conv", G=64, P=14, Q=14, R=3, S=3),
            vector_layer("relu", "relu", x_elems=9, y_elems=9),
        ]
    )
    cycles = dpu_cycles(layers, ENGINES["B1600"])
    assert cycles.tolist() == [14 * 2 * 9 * 7 * 3, 14 * 4 * 9 * 7, 0]
    assert {name: 2 * engine.macs_per_cycle for name, engine in ENGINES.items()} == {
        n: int(n[1:]) for n in ENGINES
    }


def test_status_follows_from_the_numbers() -> None:
    assert exact("p", "w", "t", 10.0, 10.0, "1").status == "exact"
    assert exact("p", "w", "t", 10.0, 10.1, "1").status == "not reproduced"
    assert exact("p", "w", "t", 0.0779, 0.07786, "1", digits=3).status == "exact"
    assert exact("p", "w", "t", 0.0779, 0.07784, "1", digits=3).status == "not reproduced"
    assert within("p", "w", "t", 10.0, 10.9, "1", 0.2).status == "within 10 %"
    assert within("p", "w", "t", 10.0, 10.8, "1", 0.09).status == "within 9 %"
    assert within("p", "w", "t", 10.0, 11.0, "1", 0.2).kind == "within"
    assert within("p", "w", "t", 10.0, 13.0, "1", 0.2).status == "not reproduced"
    assert fitted("p", "w", "t", 10.0, 9.0, "s", "held out 3 %").status == "fitted"
    assert below("p", "w", "t", 10.0, 11.0, "s").status == "not reproduced"
    bound = below("p", "w", "t", 10.0, 9.0, "s")
    assert (bound.status, bound.interval) == ("bracketed", (9.0, None))
    inside, outside = (bracketed("p", "w", "t", x, 2.0, 8.0, "1", "over x") for x in (4.0, 9.0))
    assert inside.note.endswith("holds the published value")
    assert outside.note.endswith("does not hold the published value")
    assert inside.simulated == pytest.approx(4.0)
    assert missing("p", "w", "t", 10.0, "1", "everything").note == "missing: everything"
    with pytest.raises(ValueError, match="wrong way round"):
        bracketed("p", "w", "t", 1.0, 3.0, 2.0, "1", "over x")


@pytest.mark.parametrize("bench", designs.BENCHES)
def test_every_design_is_within_four_thousandths(bench: str) -> None:
    """Fifty simulated times of each test bench, point by point."""
    for point in designs.points():
        assert designs.bench_us(bench, point) == pytest.approx(
            designs.published_us(bench, point), rel=0.004
        ), point


def test_pooling_law_gives_its_two_ends_back() -> None:
    for lanes in (4, 16):
        found = designs.pool_us(designs.POOLED_512, designs.CHANNELS_512, lanes)
        assert found == pytest.approx(designs.POOL_512_US[lanes])


def test_wrapped_sums_far_out_of_range_square_to_sixteen_thirds() -> None:
    """Uniform on [-2, 2) against an end: the integral of u^2 / 4 over 0 .. 4; 128 sums scatter by 0.42."""
    found = [errors.connected_square(8, 2.0, seed) for seed in range(20)]
    assert sum(found) / len(found) == pytest.approx(16 / 3, abs=3 * 0.42 / 20**0.5)


def test_cut_off_weights_by_hand() -> None:
    """At 8 bits half a step is 1/128: (1/128)^2 * 249.6 and the spread of 27 weights."""
    assert errors.first_layer_bracket(8)[1] == pytest.approx(249.6 / 128**2 + 27 * 0.3814 / 64**2 / 12)
    assert errors.first_layer_bracket(16)[1] < 1e-6


def test_the_log_of_the_engine_is_bracketed_where_the_host_is_small() -> None:
    """Layers of few splits lie between one and two cycles a packet; many splits and calls of the host do not."""
    held = {
        row.what.split(",")[0]: not row.note.endswith("does not hold the published value")
        for row in cnna.ROWS()
        if row.what.endswith(", time")
    }
    few = [row.name for row in cnna.LOGGED if row.name.startswith(("conv1", "conv2", "conv3", "conv4"))]
    assert all(held[name] for name in few)
    assert not any(held[name] for name in ("conv5_1", "fc1", "fc2", "fc3"))
