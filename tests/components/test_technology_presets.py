"""A machine's memory that names a technology record: energies, latencies and refusals."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import yaml

from cosim.components.memory import memory_actions, memory_energies
from cosim.components.memory_spec import MemorySpec
from cosim.components.params import Params, Value
from cosim.components.technology import load_technology
from cosim.components.technology_preset import Encoding
from cosim.hardware.lowering import leaves
from cosim.noise.schemes import SCHEMES
from cosim.spec.base import Constant, parse
from cosim.spec.problems import SpecError
from cosim.spec.strict_yaml import loads

STT = {
    "technology": "slc_stt_ram",
    "preset": "stt_ram_22",
    "capacity_bytes": 1048576,
    "word_bits": 64,
    "banks": 2,
}
CONTENT = {"p00": 0.25, "p01": 0.25, "p10": 0.25, "p11": 0.25}


def lowered(fields: dict[str, Any]) -> Params:
    spec = parse(MemorySpec, loads(yaml.safe_dump(fields), "memory.yaml"))
    found = list(leaves(spec, ("m",)))
    values: dict[str, Value] = {path: float(leaf.value) for path, leaf in found if isinstance(leaf, Constant)}
    return Params("test", "test", values, {path: leaf for path, leaf in found if isinstance(leaf, str)})


def test_energy_latency_and_leakage_are_those_of_a_bank() -> None:
    """Two banks of 512 KiB: 20.182 pJ a read, 71.724 a write, 2 x 0.164714 mW, 2.227 and 10.766 ns."""
    params = lowered(STT)
    cost = memory_energies(params, "m", "b")
    assert cost.action_pj["b", "read"] == pytest.approx(20.182)
    assert cost.action_pj["b", "write"] == pytest.approx(71.724)
    assert cost.static_mw["b"] == pytest.approx(2 * 0.164714)
    assert params["m.read_latency_ns"] == pytest.approx(2.227)
    assert params["m.write_latency_ns"] == pytest.approx(10.766)


def test_a_wider_word_costs_in_proportion() -> None:
    assert memory_energies(lowered(STT | {"word_bits": 128}), "m", "b").action_pj[
        "b", "read"
    ] == pytest.approx(40.364)


def test_stated_latencies_win_over_the_record() -> None:
    params = lowered(STT | {"read_latency_ns": 1, "write_latency_ns": 2})
    assert (params["m.read_latency_ns"], params["m.write_latency_ns"]) == (1.0, 2.0)


def test_two_bit_cells_take_their_cost_by_content_from_the_record() -> None:
    """E = cells x E_0 (1 + delta h): 512 KiB banks, delta 0.46 and 0.28, half of the cells hard."""
    params = lowered(STT | {"technology": "mlc_stt_ram", "preset": "stt_ram_mlc_22", "content": CONTENT})
    prices = memory_energies(params, "m", "b").action_pj
    counts = memory_actions(params, "m", "b", np.array([64.0]), np.array([64.0]))
    total = sum(float(counts[action][0]) * float(prices[action]) for action in counts)
    assert total == pytest.approx(20.182 * 1.23 + 71.724 * 1.14)


def test_dram_of_a_record_costs_per_bit() -> None:
    dram = {"technology": "dram", "preset": "lpddr4", "word_bits": 128, "banks": 1, "leakage_mw": 50}
    params = lowered(dram | {"bandwidth_bytes_per_s": 4.0e9})
    assert memory_energies(params, "m", "d").action_pj["d", "read"] == pytest.approx(8.0 * 128)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (STT | {"technology": "sram"}, "technology: slc_stt_ram"),
        (STT | {"preset": "stt_ram_23"}, "nearest"),
        (STT | {"table": "nvsim-stt-22"}, "2 statements of the energy"),
        (STT | {"capacity_bytes": 1024}, "found 0.5 KiB in one array"),
        (STT | {"encoding": "hybrid"}, "encoding hybrid without the share of its metadata"),
        (STT | {"encoding": "hybird", "metadata_ratio": 0}, "hybrid"),
        (STT | {"technology": "sot_mram", "preset": "sot_mram", "leakage_mw": 1}, "no array and no link"),
        (STT | {"technology": "mlc_stt_ram", "preset": "stt_ram_mlc_22"}, "two-bit cells without content"),
        (
            {
                "technology": "dram",
                "preset": "ddr4",
                "word_bits": 64,
                "banks": 1,
                "bandwidth_bytes_per_s": 1.0e9,
            },
            "without static power",
        ),
    ],
)
def test_what_does_not_fit_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        lowered(fields)


def test_encodings_that_a_memory_may_name_are_those_of_the_value_model() -> None:
    """Flip-N-Write needs the previous content, so it is no property of a memory at rest."""
    assert set(get_args(Encoding)) == set(SCHEMES) - {"flip_n_write"}


def test_mlc_record_is_consistent_with_its_single_level_twin() -> None:
    one, two = load_technology("stt_ram_22"), load_technology("stt_ram_mlc_22")
    for size in (131072.0, 524288.0, 2097152.0):
        a, b = one.array(size), two.array(size)
        assert (b.read_pj, b.write_pj) == (pytest.approx(a.read_pj), pytest.approx(a.write_pj))
        assert b.read_ns == pytest.approx(float(a.read_ns) * two.need("cell.read_steps", "test"))
        assert b.area_mm2 == pytest.approx(
            float(a.area_mm2) / two.need("cell.density_gain", "test"), rel=1e-4
        )
