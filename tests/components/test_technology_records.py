"""Technology records: shipped presets, laws between points, node scaling, refusals. Numbers are worked by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.components.technology import TechnologyError, TechnologySpec, load_technology
from cosim.components.technology_scaling import area_factor, energy_factor, scaled_access_pj
from cosim.spec.base import parse
from cosim.spec.locate import ROOT
from cosim.spec.problems import SpecError
from cosim.spec.sources import sources_for
from cosim.spec.strict_yaml import load, loads

PRESETS = sorted((ROOT / "arch" / "memories").glob("*.yaml"))
MIB = 1024.0 * 1024.0


@pytest.mark.parametrize("path", PRESETS, ids=lambda p: p.stem)
def test_every_number_of_a_shipped_record_has_a_source(path: Path) -> None:
    spec = parse(TechnologySpec, load(path), set(sources_for(path)), strict=True)
    assert spec.name == path.stem
    assert spec.description


def test_the_technologies_asked_for_are_there() -> None:
    found = {load_technology(path).technology for path in PRESETS}
    assert found == {"sram", "edram", "dram", "slc_stt_ram", "mlc_stt_ram", "sot_mram", "reram", "pcm"}


@pytest.mark.parametrize("path", PRESETS, ids=lambda p: p.stem)
def test_points_come_back(path: Path) -> None:
    spec = load_technology(path)
    for point in spec.points:
        got = spec.array(float(point.capacity_bytes))
        assert got.read_pj == pytest.approx(float(point.read_pj), rel=1e-12)
        assert got.leakage_mw == pytest.approx(float(point.leakage_mw), rel=1e-12)


def test_between_two_sizes_figures_are_geometric_means() -> None:
    spec = load_technology("stt_ram_22")
    half_way = spec.array(256 * 1024.0)
    assert half_way.read_pj == pytest.approx(np.sqrt(15.7 * 20.182), rel=1e-9)
    assert half_way.area_mm2 == pytest.approx(np.sqrt(0.044650 * 0.178600), rel=1e-9)


def test_a_single_point_grows_as_the_root_of_the_capacity() -> None:
    """17.842 pJ and 0.414981 mm2 at 512 KiB: at 128 KiB half the energy and a quarter of the area."""
    spec = load_technology("edram_32_hp")
    small = spec.array(128 * 1024.0)
    assert small.read_pj == pytest.approx(17.842 / 2, rel=1e-12)
    assert small.area_mm2 == pytest.approx(0.414981 / 4, rel=1e-12)
    with pytest.raises(TechnologyError, match=r"128 .. 2,048 KiB"):
        spec.array(4 * MIB)


def test_sweep_exponent_of_cacti_is_about_one_half() -> None:
    spec = load_technology("sram_22_lstp")
    ends = [float(spec.array(kib * 1024.0).read_pj) for kib in (8, 2048)]
    assert np.log(ends[1] / ends[0]) / np.log(256) == pytest.approx(0.54, abs=0.005)


@given(st.floats(64 * 1024, 8 * MIB))
def test_capacity_for_an_area_is_the_inverse_of_the_area(capacity: float) -> None:
    spec = load_technology("sram_22_lstp_nvsim")
    area = spec.array(capacity).area_mm2
    assert spec.capacity_for_area(float(area)) == pytest.approx(capacity, rel=1e-9)


@given(st.lists(st.floats(16384, 4e6), min_size=1, max_size=4))
def test_columns_equal_one_by_one(sizes: list[float]) -> None:
    spec = load_technology("sram_22_lstp")
    column = spec.array(np.array(sizes)[:, None])
    np.testing.assert_allclose(np.ravel(column.write_pj), [spec.array(s).write_pj for s in sizes], rtol=1e-12)


def test_transitions_come_from_the_two_pulses() -> None:
    spec = load_technology("stt_ram_mlc_22")
    assert spec.write_transition_cost() == (0.0, 0.25, 1.0, 1.25)
    # a word waits for its slowest cell: both pulses, or the soft one alone
    assert spec.word_write_ns() == 20.0
    assert spec.word_write_ns(hard=False) == 10.0


def test_confusion_of_independent_soft_and_hard_bits() -> None:
    """State 00 stays with (1 - 1.5e-8)(1 - 3.5e-3); the hard bit is the upper one."""
    table = load_technology("stt_ram_mlc_22").confusion()
    assert table[0][0] == pytest.approx((1 - 1.5e-8) * (1 - 3.5e-3), rel=1e-12)
    assert table[0][2] == pytest.approx((1 - 1.5e-8) * 3.5e-3, rel=1e-12)
    assert table[0][1] == pytest.approx(1.5e-8 * (1 - 3.5e-3), rel=1e-12)
    assert all(sum(row) == pytest.approx(1.0, abs=1e-15) for row in table)


def test_what_a_record_lacks_is_named() -> None:
    sram = load_technology("sram_22_lstp")
    with pytest.raises(TechnologyError, match=r"no errors.uniform_rate, which .* needs; it has: .*endurance"):
        sram.bit_error_rates()
    with pytest.raises(TechnologyError, match="1-bit cells, not two-bit"):
        sram.confusion()
    with pytest.raises(TechnologyError, match=r"'sot_mram' has no points, which an array needs"):
        load_technology("sot_mram").array(MIB)
    with pytest.raises(TechnologyError, match=r"no points.area_mm2"):
        load_technology("ddr4").capacity_for_area(1.0)
    with pytest.raises(SpecError, match="nearest"):
        load_technology("stt_ram_23")


SCALING = [
    ("32-lp", 0.9, "45-lp", 0.9, 0.641),
    ("20-hp", 0.9, "45-lp", 0.9, 0.238),
    ("16-hp", 0.8, "45-lp", 0.9, 0.142),
    ("7-hp", 0.7, "45-lp", 0.9, 0.057),
    ("130", 0.8, "45-lp", 0.8, 3.07),
    ("65", 0.8, "45-lp", 0.8, 1.24),
    ("20-hp", 0.8, "45-lp", 0.8, 0.221),
    ("7-hp", 0.8, "45-lp", 0.8, 0.094),
]


@pytest.mark.parametrize(("to", "to_v", "of", "of_v", "factor"), SCALING)
def test_node_scaling_against_recorded_factors(
    to: str, to_v: float, of: str, of_v: float, factor: float
) -> None:
    assert energy_factor(to, to_v, of, of_v) == pytest.approx(
        factor, abs=0.6 * 10 ** -(3 if factor < 1 else 2)
    )


def test_scaling_is_for_cmos() -> None:
    sram = load_technology("sram_22_lstp")
    read, write = scaled_access_pj(sram, MIB, "16-hp", 0.8, "20-hp", 0.8)
    assert read == pytest.approx(23.4672 * energy_factor("16-hp", 0.8, "20-hp", 0.8))
    assert write < 17.5006
    for name in ("stt_ram_22", "stt_ram_mlc_22", "reram_22", "pcm_22"):
        with pytest.raises(TechnologyError, match="do not scale with the node"):
            scaled_access_pj(load_technology(name), MIB, "16-hp", 0.8, "20-hp", 0.8)
    assert area_factor("7", "45") == 0.059
    with pytest.raises(TechnologyError, match="found node '22'"):
        energy_factor("22", 0.8, "45-lp", 0.8)
    with pytest.raises(TechnologyError, match=r"found 3.3 V"):
        energy_factor("32-hp", 3.3, "45-lp", 0.8)


BASE = "kind: memory\nname: m\ntechnology: sram\nscope: array\naccess_bits: 64\ncell: {bits_per_cell: 1}\n"
POINT = "  - {capacity_bytes: %d, read_pj: 1, write_pj: 1, leakage_mw: 1}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BASE + "points:\n" + POINT % 64 + POINT % 64, "increasing capacities"),
        (BASE.replace("scope: array", "scope: core") + "points:\n" + POINT % 64, "scope: array"),
        (BASE + "content: {delta_read: 1}\n", "no block 'content'"),
        (BASE.replace("cell: 1", "cell: 2"), "cells of several bits without a cost by content"),
        (BASE + "errors: {soft_rate: 0.1}\n", "one of soft_rate and hard_rate"),
        (BASE + "errors: {uniform_rate: 1.5}\n", "at most 1"),
        (BASE + "link: {pj_per_bit: 1}\npoints:\n" + POINT % 64, "points, or link"),
        (BASE.replace("sram", "srm"), "sram"),
    ],
)
def test_records_that_do_not_hold_together(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse(TechnologySpec, loads(text, "m.yaml"))
