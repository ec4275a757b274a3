"""Memories: cells exchanged in an array, ratios and powers by hand, protections beside the free bit, triple errors."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from cosim.noise.ecc import Secded
from cosim.noise.formats import storage_format
from cosim.papers import mlc_stt_ram, nvm_explorer
from cosim.papers._digits import highest_equal


def test_a_cell_exchanged_in_the_array() -> None:
    """80.440 pJ of a word of 64 cells of 1 pJ leave 16.440 pJ; 10.869 ns with 10 ns of pulse leave 0.869 ns."""
    found = nvm_explorer.with_cell(4.5, 200.0)
    assert found.write_pj == pytest.approx(16.440 + 64 * 4.5)
    assert found.write_ns == pytest.approx(200.869)
    own = nvm_explorer.record("stt_ram_22", nvm_explorer.MIB_2)
    assert tuple(nvm_explorer.with_cell(1.0, 10.0)) == pytest.approx(tuple(own))
    assert found.read_pj == own.read_pj


def test_published_ratios_by_hand() -> None:
    """At best read energy-delay 43.509 / 17.016; over all targets the least is that target, the most 295.0 / 2.565."""
    ratio = nvm_explorer.RATIOS["write energy, STT-RAM over SRAM"]
    stt, sram = (nvm_explorer.PUBLISHED[name][0] for name in ("STT best", "SRAM"))
    assert ratio.of(stt, sram) == pytest.approx(43.509 / 17.016)
    assert nvm_explorer.spread(ratio) == pytest.approx((43.509 / 17.016, 295.0 / 2.565))


def test_printed_power_is_micro_added_to_milli() -> None:
    """The printed "mW" of the accesses are a thousand times accesses times energy; the total adds them to leakage."""
    for name in ("SRAM", "STT best"):
        own = nvm_explorer.dynamic_mw(nvm_explorer.PUBLISHED[name][0])
        assert nvm_explorer.DYNAMIC[name] == pytest.approx(1000 * own)
        assert nvm_explorer.TOTAL[name] == pytest.approx(1000 * own + nvm_explorer.LEAKAGE_MW[name])


def test_highest_rate_of_equal_accuracy() -> None:
    """Half an image of 450 is 1 / 900; a rate above one that loses does not count."""
    ratios = {
        ("a", 1e-4): 1.0,
        ("a", 1e-3): 1 - 0.9 / 900,
        ("a", 1e-2): 1 - 1.1 / 900,
        ("a", 0.1): 1.0,
        ("b", 1e-4): 0.9,
    }
    assert highest_equal(ratios, "a") == 1e-3
    assert highest_equal(ratios, "b") == 0.0


def test_triple_errors_are_those_the_decoder_miscorrects() -> None:
    """The decoder itself on triples of every second data bit: status 1 is a correction that is wrong."""
    bits = range(0, 64, 2)
    words = np.zeros(4, np.uint16)
    fmt = storage_format("fp16")
    stage = Secded()
    _, metadata = stage.encode(words, fmt, "w", None)
    columns = mlc_stt_ram.hsiao_columns()
    for triple in list(combinations(bits, 3))[::40]:
        hit = np.zeros(1, np.uint64)
        for bit in triple:
            hit[0] ^= np.uint64(1 << bit)
        status = stage.decode_with_status(hit.view(np.uint16), metadata)[1]
        syndrome = columns[triple[0]] ^ columns[triple[1]] ^ columns[triple[2]]
        assert (status[0] == 1) == (syndrome in columns)


def test_share_of_triples_lies_between_none_and_all() -> None:
    """An odd syndrome of 8 bits has 128 values, 72 of them single errors; the columns decide how far from 72 / 128."""
    share = mlc_stt_ram.triples_corrected_wrongly()
    assert share * 72 * 71 * 70 / 6 == pytest.approx(33_568)
    assert share == pytest.approx(72 / 128, abs=0.01)
