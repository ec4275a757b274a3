"""The DRAM channel on streams that can be worked by hand, and what holds for every stream."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.components.dram_channel import (
    bank_queues_state,
    one_queue_state,
    simulate,
    streaming_efficiency,
)
from cosim.components.dram_streams import pattern
from cosim.components.dram_timing import DramError, find_device, refresh_of
from cosim.kernels import dram_bank_queues, dram_channel

DDR4 = find_device("DDR4-2400R 8Gb x8")
N = DDR4.clocks
ROW = 8192
"""Bytes of a row of the channel: the next one is in the next bank group, the one after 16 of them in the same bank."""
READ = N["nCL"] + N["nBL"]
WRITE = N["nCWL"] + N["nBL"]


def drained(*accesses: tuple[int, int], device: str = "DDR4-2400R 8Gb x8") -> int:
    """Cycle in which the last data of a few (address, write) has moved.

    Requests arrive from cycle 0 on and a command goes out in the cycle after its request came: hence the 1 below.
    """
    addresses, writes = np.array(accesses, np.int64).T
    return simulate(find_device(device), addresses, writes, drain=True).cycles


def test_one_read_opens_a_row_and_reads_it() -> None:
    assert drained((0, 0)) == 1 + N["nRCD"] + READ


def test_one_write_moves_its_data_after_the_write_latency() -> None:
    assert drained((0, 1)) == 1 + N["nRCD"] + WRITE


def test_two_reads_of_a_row_are_the_long_column_delay_apart() -> None:
    assert drained((0, 0), (64, 0)) == 1 + N["nRCD"] + N["nCCDL"] + READ


def test_reads_of_two_bank_groups_are_an_activation_delay_apart() -> None:
    # The second row opens nRRDS after the first; nRRDS = nCCDS = 4, so its read is not delayed further.
    assert drained((0, 0), (ROW, 0)) == 1 + N["nRRDS"] + N["nRCD"] + READ


def test_another_row_of_a_bank_waits_for_the_row_cycle() -> None:
    # Activate, wait until the row may be closed (nRAS is longer than nRCD + nRTP), precharge, activate, read.
    assert N["nRAS"] > N["nRCD"] + N["nRTP"]
    assert N["nRAS"] + N["nRP"] == N["nRC"]
    assert drained((0, 0), (16 * ROW, 0)) == 1 + N["nRAS"] + N["nRP"] + N["nRCD"] + READ


def test_a_fifth_activation_waits_for_the_window_of_four() -> None:
    # Four bank groups at nRRDS; the fifth, in the group of the first, is held by nFAW and not by nRRDL.
    banks = [(k * ROW, 0) for k in range(5)]
    assert 4 * N["nRRDS"] < N["nFAW"]
    assert drained(*banks[:4]) == 1 + 3 * N["nRRDS"] + N["nRCD"] + READ
    assert drained(*banks) == 1 + N["nFAW"] + N["nRCD"] + READ


def test_a_read_after_a_write_turns_the_bus_around() -> None:
    # The write is alone when it arrives, so it goes first.
    assert drained((0, 1), (64, 0)) == 1 + N["nRCD"] + WRITE + N["nWTRL"] + READ


def test_a_write_after_a_read_leaves_two_cycles_between_their_bursts() -> None:
    gap = N["nCL"] + N["nBL"] + 2 - N["nCWL"]
    assert drained((0, 0), (64, 1)) == 1 + N["nRCD"] + gap + WRITE


def test_a_line_that_waits_to_be_written_is_read_from_the_queue() -> None:
    # Row 16 of the bank holds the write back, so the read finds it waiting and is answered in a cycle.
    addresses, writes = np.array([0, 16 * ROW, 16 * ROW]), np.array([0, 1, 0])
    run = simulate(DDR4, addresses, writes, drain=True)
    assert (run.reads, run.writes) == (1, 1)
    assert run.read_latency_cycles == pytest.approx(1 + N["nRCD"] + READ + 1)


def test_reads_of_lpddr5_activate_in_two_steps_and_start_the_data_clock() -> None:
    n = find_device("LPDDR5-6400 8Gb x16").clocks
    # The clock has stopped: one more command, a cycle before the read. The second activation is hidden in nRCD.
    assert drained((0, 0), device="LPDDR5-6400 8Gb x16") == 1 + n["nRCD"] + 1 + n["nCL"] + n["nBL"]


def test_pseudo_channels_share_commands_but_no_data_bus() -> None:
    device = find_device("HBM2-2000 2Gb")
    n = device.clocks
    row = device.bursts_per_row * device.access_bytes
    one = drained((0, 0), device="HBM2-2000 2Gb")
    # An activation takes two cycles of the row bus, and nRCD counts from its second one.
    assert one == 1 + 1 + n["nRCD"] + n["nCL"] + n["nBL"]
    assert drained((0, 0), (row, 0), device="HBM2-2000 2Gb") == one + 2


def four_groups(requests: int) -> np.ndarray:
    """Reads that go round the four bank groups and stay in one row of each: 128 lines a row."""
    index = np.arange(requests)
    return index % 4 * ROW + index // 4 * 64


def test_row_hits_in_turn_over_bank_groups_saturate_the_bus() -> None:
    requests = 400
    run = simulate(DDR4, four_groups(requests), np.zeros(requests, np.int64), drain=True)
    assert run.cycles == 1 + N["nRCD"] + (requests - 1) * N["nBL"] + READ
    assert (run.row_hits, run.row_misses, run.row_conflicts) == (requests - 4, 4, 0)


def test_refresh_takes_its_share_of_a_saturated_stream() -> None:
    rounds = 40
    addresses = np.concatenate([four_groups(512) + k * 16 * ROW for k in range(rounds)])
    state = one_queue_state(DDR4, addresses, np.zeros_like(addresses), "RoBaRaCoCh")
    dram_channel.run_channel(*state)
    cycles, refreshes = int(state[-1][dram_channel.CYCLES]), int(state[-1][dram_channel.REFRESHES])
    # One refresh an interval, apart from one that may be due at the end.
    assert refreshes in (cycles // N["nREFI"] - 1, cycles // N["nREFI"])
    plain = one_queue_state(DDR4, addresses, np.zeros_like(addresses), "RoBaRaCoCh")
    plain[-1][dram_channel.REFI] = 0
    dram_channel.run_channel(*plain)
    lost = (cycles - int(plain[-1][dram_channel.CYCLES])) / refreshes
    # The rank is shut for nRFC; around it the rows are closed (nRP) and opened again, while data still moves.
    reopen = N["nRAS"] + N["nRP"] + N["nRCD"] + 3 * N["nRRDS"] + N["nCL"]
    assert N["nRFC"] <= lost <= N["nRFC"] + reopen
    share = 1 - N["nRFC"] / N["nREFI"]
    served = int(state[-1][dram_channel.READS_SERVED])
    assert served * N["nBL"] / cycles < share


def test_refresh_times_are_those_of_the_standard() -> None:
    # JESD79-4: 7.8 us; 550 ns for 16 Gbit. JESD209-5B: 3.906 us, 210 ns for 8 Gbit. Rounded up to a cycle.
    for name, interval_ns, duration_ns in (
        ("DDR4-3200AA 16Gb x8", 7800, 550),
        ("LPDDR5-6400 8Gb x16", 3906, 210),
        ("DDR3-1600K 4Gb x8", 7800, 260),
        ("HBM2-2000 2Gb", 3900, 160),
    ):
        tck_ns = find_device(name).tck_ps / 1000
        interval, duration = refresh_of(name)
        assert 0 <= interval - interval_ns < tck_ns
        assert 0 <= duration - duration_ns < tck_ns


QUEUED = find_device("DDR4_8Gb_x8_2400")


def departures(rows: list[int], cycles: int = 2000) -> tuple[list[int], np.ndarray]:
    """Order in which reads of those rows of one bank get their data, and the counts.

    A row may be closed a cycle after a read or an activation here, so that nothing but the limit keeps it open.
    """
    bank_bytes = QUEUED.bank_count * QUEUED.bursts_per_row * QUEUED.access_bytes
    addresses = np.array([row * bank_bytes + k * QUEUED.access_bytes for k, row in enumerate(rows)])
    state = bank_queues_state(QUEUED, addresses, np.zeros_like(addresses), "rochrababgco", cycles)
    for command in (dram_bank_queues.ACT, dram_bank_queues.RD):
        state[2][command, :, :, dram_bank_queues.PRE] = 1
    dram_bank_queues.run_bank_queues(*state)
    departed = state[0][:, dram_bank_queues.DEPARTED]
    assert (departed > 0).all()
    return [int(k) for k in np.argsort(departed)], state[-1]


def test_one_read_through_the_queue_of_its_bank() -> None:
    n = QUEUED.clocks
    run = simulate(QUEUED, np.array([0]), np.array([0]), cycles=200)
    assert run.reads == 1
    # Taken at the end of one cycle, moved to the queue of its bank in the next, activated in the one after.
    assert run.read_latency_cycles == 1 + n["nRCD"] + n["nCL"] + n["nBL"]


def test_a_row_is_left_after_four_hits_when_another_one_waits_in_front() -> None:
    # With three hits the row stays open for the one behind the other row; with four it is closed.
    assert departures([0, 0, 0, 1, 0])[0] == [0, 1, 2, 4, 3]
    assert departures([0, 0, 0, 0, 1, 0])[0] == [0, 1, 2, 3, 4, 5]


def test_the_hit_limit_costs_an_activation() -> None:
    assert departures([0, 0, 0, 1, 0])[1][dram_bank_queues.ACTIVATIONS] == 2
    assert departures([0, 0, 0, 0, 1, 0])[1][dram_bank_queues.ACTIVATIONS] == 3


def test_ranks_are_refreshed_in_turn_each_once_an_interval() -> None:
    n = QUEUED.clocks
    intervals = 6
    run = simulate(QUEUED, np.array([0]), np.array([0]), cycles=intervals * n["nREFI"] + 1000)
    assert run.refreshes == intervals * QUEUED.ranks


lines = st.lists(st.tuples(st.integers(0, 600), st.integers(0, 1)), min_size=1, max_size=60)


@settings(deadline=None, max_examples=40)
@given(
    lines,
    st.sampled_from(["DDR4-2400R 8Gb x8", "HBM3-6400 4Gb", "LPDDR5-6400 8Gb x16", "DDR5-4800BN 8Gb x8"]),
)
def test_every_request_is_served_once_and_not_faster_than_the_bus(
    accesses: list[tuple[int, int]], name: str
) -> None:
    device = find_device(name)
    addresses = np.array([line * 7919 * device.access_bytes for line, _ in accesses])
    writes = np.array([write for _, write in accesses])
    state = one_queue_state(device, addresses, writes, "RoBaRaCoCh", drain=True)
    dram_channel.run_channel(*state)
    regs, k = state[-1], dram_channel
    served = regs[k.READS_SERVED] + regs[k.WRITES_SERVED]
    assert served + regs[k.FORWARDED] + regs[k.MERGED] == len(accesses)
    assert regs[k.HITS] + regs[k.MISSES] + regs[k.CONFLICTS] == served
    bursts = -(-int(served) // device.pseudo_channels)
    assert regs[k.CYCLES] >= bursts * device.clocks["nBL"] * device.ticks_per_clock
    assert (state[0][:, k.DEPARTED] > state[0][:, k.ARRIVED]).all()


@pytest.mark.parametrize(
    "name", ["seq_read", "seq_2read_1write_interleaved", "random_read", "stride_256B_read"]
)
@pytest.mark.parametrize(
    "device", ["DDR4-2400R 8Gb x8", "HBM2-2000 2Gb", "GDDR6-14000 8Gb x16", "DDR4_8Gb_x8_2400"]
)
def test_efficiency_is_a_share_that_leaves_the_refreshes_out(device: str, name: str) -> None:
    interval, duration = refresh_of(device)
    value = streaming_efficiency(device, name, requests=8000)
    # Two ranks of the second controller refresh at different times, so the other one may fill the gap.
    bound = 1.0 if find_device(device).ranks > 1 else 1 - duration / interval
    assert 0 < value <= bound + 0.01
    assert value == streaming_efficiency(device, name, requests=8000)


def test_arguments_that_a_controller_does_not_take_are_refused() -> None:
    addresses, writes = pattern("seq_read", 64, 10)
    with pytest.raises(DramError, match="runs for a number of cycles"):
        simulate(QUEUED, addresses, writes)
    with pytest.raises(DramError, match="until its requests are taken"):
        simulate(DDR4, addresses, writes, cycles=100)
    with pytest.raises(DramError, match="nearest spelling 'RoBaRaCoCh'"):
        simulate(DDR4, addresses, writes, mapping="RoBaRaCoCo")
