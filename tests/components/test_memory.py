"""Memories: tables, cost by content, refusals. Numbers are worked by hand from the stated rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cosim.components.memory import (
    Content,
    data_capacity_bytes,
    memory_actions,
    memory_busy_s,
    memory_energies,
)
from cosim.components.memory_spec import MemorySpec, Table
from cosim.components.memory_tables import ARRAY_TABLES, KIB, MemoryTableError, array_cost
from cosim.components.params import Params, Value
from cosim.hardware.lowering import leaves
from cosim.spec.base import Constant, parse
from cosim.spec.problems import SpecError
from cosim.spec.strict_yaml import loads

SRAM = {
    "technology": "sram",
    "capacity_bytes": 524288,
    "word_bits": 64,
    "banks": 1,
    "table": "cacti7-22-lstp",
}
CONTENT = {"p00": 0.279, "p01": 0.248, "p10": 0.293, "p11": 0.180}
MLC = SRAM | {
    "technology": "mlc_stt_ram",
    "table": "nvsim-stt-22",
    "delta_read": 0.46,
    "delta_write": 0.28,
    "content": CONTENT,
}
DRAM = {
    "technology": "dram",
    "word_bits": 64,
    "banks": 1,
    "pj_per_bit": 8,
    "scope": "system",
    "leakage_mw": 0,
    "bandwidth_bytes_per_s": 4.0e9,
}


def spec(fields: dict[str, Any]) -> MemorySpec:
    return parse(MemorySpec, loads(yaml.safe_dump(fields), "memory.yaml"))


def lowered(fields: dict[str, Any], **changes: Value) -> Params:
    found = list(leaves(spec(fields), ("m",)))
    values: dict[str, Value] = {path: float(leaf.value) for path, leaf in found if isinstance(leaf, Constant)}
    options = {path: leaf for path, leaf in found if isinstance(leaf, str)}
    return Params("test", "test", values | {f"m.{name}": value for name, value in changes.items()}, options)


def energy_pj(params: Params, read_bits: float, write_bits: float, content: Content | None = None) -> float:
    costs = memory_energies(params, "m", "buffer").action_pj
    counts = memory_actions(params, "m", "buffer", np.array([read_bits]), np.array([write_bits]), content)
    assert set(counts) == set(costs)
    return sum(float(counts[action][0]) * float(costs[action]) for action in counts)


@pytest.mark.parametrize("name", sorted(ARRAY_TABLES))
def test_table_points_come_back(name: str) -> None:
    table = ARRAY_TABLES[name]
    for index, size in enumerate(table.capacity_bytes):
        cost = array_cost(name, size)
        assert cost.read_pj_per_bit * table.access_bits == pytest.approx(table.read_pj[index], rel=1e-12)
        assert cost.write_pj_per_bit * table.access_bits == pytest.approx(table.write_pj[index], rel=1e-12)
        assert cost.leakage_mw == pytest.approx(table.leakage_mw[index], rel=1e-12)


def test_table_names_of_the_spec_are_those_of_the_tables() -> None:
    assert set(Table.__args__) == set(ARRAY_TABLES)  # type: ignore[attr-defined]


def test_between_two_sizes_energy_is_the_geometric_mean() -> None:
    """Half way between 128 and 512 KiB on a logarithmic axis lies 256 KiB."""
    cost = array_cost("cacti7-45-hp", 256 * KIB)
    assert cost.read_pj_per_bit * 64 == pytest.approx(np.sqrt(33.0 * 52.0), rel=1e-12)
    assert cost.leakage_mw == pytest.approx(np.sqrt(119.0 * 477.0), rel=1e-12)


def test_sweep_exponent_is_about_one_half() -> None:
    """From 8 KiB to 2 MiB the read energy of the sweep grows as size ** 0.51 (45 HP)."""
    ends = [float(array_cost("cacti7-45-hp", kib * KIB).read_pj_per_bit) for kib in (8, 2048)]
    assert np.log(ends[1] / ends[0]) / np.log(2048 / 8) == pytest.approx(0.51, abs=0.005)


def test_sizes_beyond_the_table_are_refused() -> None:
    array_cost("cacti7-22-hp", 16384 * KIB)
    with pytest.raises(MemoryTableError, match="split it into banks"):
        array_cost("cacti7-22-hp", 16385 * KIB)
    with pytest.raises(MemoryTableError, match="512 KiB only"):
        array_cost("nvsim-reram-22", 256 * KIB)
    with pytest.raises(MemoryTableError, match="nearest: 'cacti7-22-hp'"):
        array_cost("cacti7-22-hpp", 512 * KIB)


@given(st.lists(st.floats(1024, 8e6), min_size=1, max_size=5))
def test_column_of_sizes_equals_one_by_one(sizes: list[float]) -> None:
    column = array_cost("cacti7-32-hp", np.array(sizes)[:, None])
    singly = [array_cost("cacti7-32-hp", size).read_pj_per_bit for size in sizes]
    np.testing.assert_allclose(np.ravel(column.read_pj_per_bit), singly, rtol=1e-12)


def test_sram_access_is_one_table_access_a_word() -> None:
    """512 KiB at 22 nm LSTP: 15.3 pJ a read, 12.2 pJ a write of 64 bits."""
    params = lowered(SRAM)
    assert energy_pj(params, 640, 0) == pytest.approx(10 * 15.3)
    assert energy_pj(params, 0, 640) == pytest.approx(10 * 12.2)
    assert memory_energies(params, "m", "b").static_mw["b"] == pytest.approx(0.241)


def test_banks_are_smaller_arrays_that_all_leak() -> None:
    params = lowered(SRAM | {"banks": 4})
    assert energy_pj(params, 64, 0) == pytest.approx(7.40)
    assert memory_energies(params, "m", "b").static_mw["b"] == pytest.approx(4 * 0.064)


def test_dram_energy_is_per_bit() -> None:
    assert energy_pj(lowered(DRAM), 1000, 24) == pytest.approx(8.0 * 1024)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 4))
def test_content_cost_follows_the_share_of_hard_cells(p01: float, split: float, delta: float) -> None:
    """Eq. 2: bits / 2 * E_0 * (1 + delta * h), whatever the shares inside the two groups."""
    rest = 1.0 - p01
    content = Content(rest * split * 0.25, p01, rest * (1 - split), rest * split * 0.75)
    params = lowered(MLC, delta_read=delta)
    base = 20.2 / 32
    hard = p01 + rest * (1 - split)
    assert energy_pj(params, 6400, 0, content) == pytest.approx(3200 * base * (1 + delta * hard), rel=1e-12)


def test_cheap_cells_cost_what_the_single_level_array_costs() -> None:
    params = lowered(MLC)
    assert energy_pj(params, 64, 0, Content(1, 0, 0, 0)) == pytest.approx(20.2)
    assert energy_pj(params, 0, 64, Content(0, 0, 0, 1)) == pytest.approx(71.7)


def test_fitted_profile_gives_the_savings_of_the_abstract() -> None:
    """Jasemi et al. 2020: 9 % of read and 6 % of write energy, between a share of hard cells of .541 and .296."""
    params = lowered(MLC)
    before, after = Content(0.459, 0.541, 0, 0), Content(0.704, 0.296, 0, 0)
    read = 1 - energy_pj(params, 64, 0, after) / energy_pj(params, 64, 0, before)
    write = 1 - energy_pj(params, 0, 64, after) / energy_pj(params, 0, 64, before)
    assert read == pytest.approx(0.09, abs=0.0005)
    assert write == pytest.approx(0.06, abs=0.0005)


def test_stated_patterns_win_over_the_profile() -> None:
    stated = {
        f"{verb}_{p}_pj": i + 1.0
        for verb in ("read", "write")
        for i, p in enumerate(("00", "01", "10", "11"))
    }
    fields = {k: v for k, v in MLC.items() if k not in ("table", "delta_read", "delta_write")}
    params = lowered(fields | stated | {"leakage_mw": 1})
    assert energy_pj(params, 8, 0, Content(0.25, 0.25, 0.25, 0.25)) == pytest.approx(1 + 2 + 3 + 4)


def test_check_bits_and_metadata_are_moved_and_take_room() -> None:
    plain, coded = lowered(SRAM), lowered(SRAM | {"ecc": "secded-72-64", "metadata_ratio": 0.125})
    assert energy_pj(coded, 64, 0) == pytest.approx(energy_pj(plain, 64, 0) * 1.125 * 1.125)
    assert data_capacity_bytes(coded, "m") == pytest.approx(524288 / 1.125**2)


def test_port_time_by_bandwidth_and_by_latency() -> None:
    """4 GB/s move 1 GB in 0.25 s; two banks read two words of 2 ns and write one of 10 ns in 7 ns."""
    amount = np.array([1.0e9])
    assert memory_busy_s(lowered(SRAM), "m", amount, amount) is None
    assert memory_busy_s(lowered(DRAM), "m", amount, 0 * amount) == pytest.approx(0.25)
    assert memory_busy_s(lowered(DRAM), "m", 8 * amount, 0 * amount, unit_bits=1.0) == pytest.approx(0.25)
    slow = lowered(SRAM | {"banks": 2, "read_latency_ns": 2.0, "write_latency_ns": 10.0})
    assert memory_busy_s(slow, "m", np.array([16.0]), np.array([8.0])) == pytest.approx(7e-9)
    coded = lowered(
        SRAM | {"banks": 2, "read_latency_ns": 2.0, "write_latency_ns": 10.0, "ecc": "secded-72-64"}
    )
    assert memory_busy_s(coded, "m", np.array([16.0]), np.array([8.0])) == pytest.approx(7e-9 * 1.125)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({k: v for k, v in SRAM.items() if k != "capacity_bytes"}, "without a size"),
        ({k: v for k, v in SRAM.items() if k != "table"}, "0 statements of the energy"),
        (SRAM | {"read_pj": 1, "write_pj": 1}, "2 statements of the energy"),
        (SRAM | {"read_latency_ns": 1}, "one of read_latency_ns and write_latency_ns"),
        (DRAM | {"read_latency_ns": 1, "write_latency_ns": 1}, "both bandwidth_bytes_per_s and latencies"),
        ({k: v for k, v in DRAM.items() if k != "scope"}, "one of pj_per_bit and scope"),
        ({k: v for k, v in DRAM.items() if k != "leakage_mw"}, "without static power"),
        (SRAM | {"content": CONTENT}, "costs by content for technology sram"),
        ({k: v for k, v in MLC.items() if k != "content"}, "two-bit cells without content"),
        ({k: v for k, v in MLC.items() if k != "delta_write"}, "two-bit cells without costs by content"),
        (MLC | {"content": CONTENT | {"p00": 0.5}}, "pattern shares that sum to 1.2210"),
        (SRAM | {"technology": "sramm"}, "sram"),
    ],
)
def test_what_is_not_enough_is_refused_with_the_reason(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        spec(fields)
