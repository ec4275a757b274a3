"""An 8-bit network runs on every shipped core, with or without the dot-product instructions of its library."""

from __future__ import annotations

import pytest

from cosim.engine import evaluate


@pytest.mark.parametrize("core", ["cpu_cortex_a53", "cpu_cortex_a72", "cpu_i7_9700k", "cpu_zen4"])
@pytest.mark.parametrize("network", ["resnet18", "mobilenet_v2"])
def test_int8_is_never_refused_and_never_slower_than_half_of_fp32(core: str, network: str) -> None:
    narrow = evaluate(core, network, overrides={"datapath.precision": "int8"})
    wide = evaluate(core, network)
    assert all(row["latency_s"] > 0 for row in narrow.layers)
    # Four 8-bit operands fill the register of one 32-bit one; even a widening kernel does not lose that twice over.
    assert narrow.latency_s < 2 * wide.latency_s
