"""DRAM documents, devices by name, the table of delays, access patterns and address mappings."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from cosim.components.dram_constraints import CHANNEL, GROUP, STACK, UNIT, command_delays, distances
from cosim.components.dram_spec import COMMANDS
from cosim.components.dram_streams import FOOTPRINT_BYTES, KNOWN, STREAM_BYTES, decode, pattern
from cosim.components.dram_timing import DramError, device_names, find_device, load_dram
from cosim.spec.problems import SpecError
from cosim.spec.strict_yaml import load

DOCUMENTS = sorted(Path("arch/dram").glob("*.yaml"))
ACT, PRE, RD, WR, PREA, REF = range(6)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_every_document_is_sourced_and_every_device_resolves(path: Path) -> None:
    document = load_dram(path, strict=True)
    assert document.name == path.stem
    for speed, timings in document.speeds.items():
        named = timings.organisation is not None
        for organisation in [None] if named else document.organisations:
            device = find_device(speed if organisation is None else f"{speed} {organisation}")
            n = device.clocks
            # A row is open for its cycle less the precharge, to within a cycle of rounding.
            assert abs(n["nRC"] - n["nRAS"] - n["nRP"]) <= 1
            assert n["nFAW"] >= n["nRRDS"]
            assert device.capacity_bytes & (device.capacity_bytes - 1) == 0


def test_names_are_unique_and_may_repeat_the_width_of_the_channel() -> None:
    names = list(device_names())
    assert len(names) == len(set(names))
    plain = find_device("DDR4-2400R 8Gb x8")
    assert find_device("DDR4-2400R 8Gb x8 64-bit").clocks == plain.clocks
    assert find_device("HBM2-2000 2Gb channel").peak_bytes_per_s == pytest.approx(32e9)
    # DDR4-2400: 64 bits at 2 transfers in 833 ps.
    assert plain.peak_bytes_per_s == pytest.approx(8 * 2 / 833e-12)
    assert plain.capacity_bytes == 8 << 30
    # A height may be left out where it is clear; 32 Gb of HBM3 come in two.
    assert find_device("HBM3-6400 16Gb").stacks == 2
    with pytest.raises(DramError, match="is not known"):
        find_device("HBM3-6400 32Gb")
    for wrong in ("DDR4-2400R 8Gb x8 32-bit", "DDR4-2400R", "DDR4-2400R 9Gb x8", ""):
        with pytest.raises(DramError, match="is not known"):
            find_device(wrong)
    with pytest.raises(DramError, match="nearest spelling 'LPDDR5-6400 8Gb x16'"):
        find_device("LPDDR5-6400 8Gb x61")


def test_documents_that_do_not_hold_together_are_refused(tmp_path: Path) -> None:
    text = Path("arch/dram/ddr3.yaml").read_text(encoding="utf-8")
    for old, new, message in [
        ("nRCD: 5,", "nRDC: 5,", "nRCD"),
        ("turnaround: 2\n", "", "nRTW or a turnaround"),
        ("refresh:", "refrehs:", "refresh"),
        ("nRAS: 15, nRC: 20", "nRAS: 25, nRC: 20", "at least nRAS"),
        ("prefetch: 8\n", "prefetch: 8\ncommand_ticks: {ACTT: 2}\n", "nearest spelling 'ACT'"),
    ]:
        assert old in text
        path = tmp_path / "ddr3.yaml"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(SpecError, match=message):
            load_dram(path)


def test_a_width_without_activation_limits_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cosim.components import dram_timing

    lines = Path("arch/dram/ddr3.yaml").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("  - {width_bits: 8, tck_ps: 1250")]
    (tmp_path / "ddr3.yaml").write_text("\n".join(kept) + "\n", encoding="utf-8")
    monkeypatch.setattr(dram_timing, "documents", lambda: {"ddr3": load_dram(tmp_path / "ddr3.yaml")})
    find_device("DDR3-1600K 4Gb x16")
    with pytest.raises(DramError, match="no line for 8 bits at 1250 ps"):
        find_device("DDR3-1600K 4Gb x8")


def test_banks_are_as_far_apart_as_the_smallest_level_they_share() -> None:
    device = find_device("HBM3-6400 8Gb 8hi")
    # Two pseudo-channels of two stacks of four groups of four banks; the bank runs fastest.
    apart = distances(device)
    assert device.bank_count == 64
    assert [int(apart[0, k]) for k in (0, 1, 3, 4, 15, 16, 31, 32)] == [
        0,
        GROUP,
        GROUP,
        STACK,
        STACK,
        UNIT,
        UNIT,
        CHANNEL,
    ]
    assert (apart == apart.T).all()


def test_delays_of_ddr4_are_those_of_the_standard() -> None:
    device = find_device("DDR4-2400R 8Gb x8", units=2)
    n, d = device.clocks, command_delays(device)
    bank, group, rank, other = 0, 1, 4, 16
    assert [d[RD, 0, j, RD] for j in (bank, group, rank, other)] == [6, 6, 4, n["nBL"] + n["nCS"]]
    assert [d[ACT, 0, j, ACT] for j in (bank, group, rank, other)] == [55, 6, 4, 0]
    assert [d[WR, 0, j, RD] for j in (bank, group, rank)] == [12 + 4 + 9, 12 + 4 + 9, 12 + 4 + 3]
    assert [d[ACT, 0, j, RD] for j in (bank, group, rank, other)] == [16, 0, 0, 0]
    assert d[WR, 0, 0, PRE] == 12 + 4 + 18
    # A refresh shuts every bank of its rank and none of another.
    assert {int(d[REF, 0, j, ACT]) for j in range(16)} == {n["nRFC"]}
    assert {int(d[REF, 0, j, ACT]) for j in range(16, 32)} == {0}
    assert d.shape == (len(COMMANDS), 32, 32, len(COMMANDS))


def test_commands_of_two_cycles_move_the_delays_and_hold_the_bus() -> None:
    device = find_device("DDR5-4800BN 16Gb x8")
    n, d = device.clocks, command_delays(device)
    # ACT and RD both take two cycles, PRE takes one: a delay counts from the last cycle of the first command.
    assert d[ACT, 0, 0, RD] == n["nRCD"]
    assert d[ACT, 0, 0, PRE] == n["nRAS"] + 1
    assert d[PRE, 0, 0, ACT] == n["nRP"] - 1
    assert d[RD, 0, 20, PRE] == 2


def test_patterns_worked_by_hand() -> None:
    addresses, writes = pattern("seq_2read_1write_blocks_of_64", 64, 200)
    assert [int(addresses[k]) for k in (0, 63, 64, 128, 191, 192)] == [
        0,
        63 * 64,
        STREAM_BYTES,
        2 * STREAM_BYTES,
        2 * STREAM_BYTES + 63 * 64,
        64 * 64,
    ]
    assert [int(writes[k]) for k in (0, 64, 127, 128, 191, 192)] == [0, 0, 0, 1, 1, 0]
    addresses, writes = pattern("seq_1read_2write_interleaved", 32, 6)
    assert list(addresses) == [
        0,
        STREAM_BYTES,
        2 * STREAM_BYTES,
        32,
        STREAM_BYTES + 32,
        2 * STREAM_BYTES + 32,
    ]
    assert list(writes) == [0, 1, 1, 0, 1, 1]
    # After a pass over the footprint a stride goes on with the next line.
    addresses, writes = pattern("stride_65536B_write", 64, 4098)
    assert list(addresses[[0, 1, 4095, 4096, 4097]]) == [0, 65536, FOOTPRINT_BYTES - 65536, 64, 65600]
    assert writes.all()


def test_random_patterns_stay_in_the_footprint_and_repeat_with_the_seed() -> None:
    addresses, writes = pattern("random_2read_1write", 64, 900)
    assert (addresses % 64 == 0).all()
    assert 0 <= addresses.min() <= addresses.max() < FOOTPRINT_BYTES
    assert list(writes[:6]) == [0, 0, 1, 0, 0, 1]
    np.testing.assert_array_equal(addresses, pattern("random_2read_1write", 64, 900)[0])
    other = pattern("random_2read_1write", 64, 900, random.Random(2))[0]
    assert (addresses != other).any()
    blocks, _ = pattern("random_blocks_512B_read", 64, 100)
    starts = blocks[::8]
    assert (starts % 512 == 0).all()
    np.testing.assert_array_equal(blocks, np.repeat(starts, 8)[:100] + np.arange(100) % 8 * 64)


def test_unknown_patterns_are_refused_with_the_nearest() -> None:
    for name in KNOWN:
        assert pattern(name, 64, 12)[0].size == 12
    with pytest.raises(DramError, match="nearest spelling 'seq_read'"):
        pattern("seq_raed", 64, 1)
    with pytest.raises(DramError, match="divisors"):
        pattern("random_blocks_100B_read", 64, 1)


@pytest.mark.parametrize("mapping", ["RoBaRaCoCh", "ChRaBaRoCo", "MOP4CLXOR", "rochrababgco", "rorabgbachco"])
@pytest.mark.parametrize("name", ["DDR4-2400R 8Gb x8", "HBM3-6400 8Gb 8hi", "LPDDR4_8Gb_x16_2400"])
def test_a_mapping_spreads_lines_evenly_over_banks(mapping: str, name: str) -> None:
    device = find_device(name)
    addresses = np.arange(0, device.capacity_bytes, device.capacity_bytes >> 16, dtype=np.int64)
    low = np.arange(1 << 16, dtype=np.int64) * device.access_bytes
    bank, row = decode(device, mapping, addresses + low % (device.capacity_bytes >> 16))
    assert 0 <= bank.min() <= bank.max() < device.bank_count
    assert 0 <= row.min() <= row.max() < device.rows
    lines = device.bank_count * device.bursts_per_row
    bank, row = decode(device, mapping, np.arange(lines, dtype=np.int64) * device.access_bytes)
    if mapping != "ChRaBaRoCo":
        # One row of every bank holds as many lines as any other.
        counts = np.bincount(bank, minlength=device.bank_count)
        assert (counts == device.bursts_per_row).all()


def test_mappings_worked_by_hand() -> None:
    device = find_device("DDR4-2400R 8Gb x8")
    # Line 0b1_01_10_0000011 of RoBaRaCoCh: column 3, group 2, bank 1, row 1; banks of a group are next to each other.
    address = np.array([0b1_01_10_0000011 * 64])
    bank, row = decode(device, "RoBaRaCoCh", address)
    assert (int(bank[0]), int(row[0])) == (2 * 4 + 1, 1)
    # Line 0b1_10101_01_10_11 of MOP4CLXOR: low column 3, group 2, bank 1, high column 21, row 1. The column is
    # 0b1010111: its low bits 11 go into the group, 01 into the bank, 101 into the row.
    bank, row = decode(device, "MOP4CLXOR", np.array([0b1_10101_01_10_11 * 64]))
    assert (int(bank[0]), int(row[0])) == ((2 ^ 0b11) * 4 + (1 ^ 0b01), 1 ^ 0b101)
    with pytest.raises(DramError, match="in any order"):
        decode(device, "rochrababgxx", address)


def test_the_document_kind_is_what_validate_reads() -> None:
    assert {str(load(path).get("kind")) for path in DOCUMENTS} == {"dram"}
