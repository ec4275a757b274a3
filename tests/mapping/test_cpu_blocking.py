"""Block sizes against published ones."""

from __future__ import annotations

import pytest

from cosim import load_arch
from cosim.mapping.cpu_blocking import Blocks, blocks_of, reduction_block, row_block


def test_sandy_bridge_in_double_precision() -> None:
    """m_r = 8, n_r = 4 with 32 KiB and 256 KiB of 8 ways: the sizes that BLIS uses there, 256 and 96."""
    k_c = reduction_block(8.0, 4.0, 8.0, 32768.0, 8.0)
    assert float(k_c) == 256
    assert float(row_block(4.0, k_c, 8.0, 262144.0, 8.0)) == 96


def test_haswell_in_single_precision_is_near_the_tuned_value() -> None:
    """BLIS ships 256 for its 6 x 16 tile; Eq. 1 gives 5 of 8 ways to 16 columns: 320."""
    assert float(reduction_block(16.0, 6.0, 4.0, 32768.0, 8.0)) == 320


def test_reads_by_hand() -> None:
    import numpy as np

    blocks = Blocks(256.0, 96.0, 4096.0)
    assert blocks.sum_passes(np.array([768.0, 769.0])).tolist() == [3, 4]
    assert blocks.right_reads(np.array([96.0, 197.0])).tolist() == [1, 3]
    assert blocks.left_reads(np.array([4096.0, 4097.0])).tolist() == [1, 2]


@pytest.mark.parametrize("name", ["cpu_zen4", "cpu_i7_9700k", "cpu_cortex_a53", "cpu_cortex_a72"])
def test_blocks_fit_their_levels(name: str) -> None:
    params = load_arch(name).params
    blocks = blocks_of(params, 6.0, 16.0, 4.0, 0.0)
    assert 16 * float(blocks.k_c) * 4 <= params["caches.l1_bytes"]
    assert float(blocks.m_c) * float(blocks.k_c) * 4 <= params["caches.l2_bytes"]
