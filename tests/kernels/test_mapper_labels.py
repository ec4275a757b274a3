"""The search kernels: compiled equals plain Python, and hand-worked bounds."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.kernels import mapper_fanout, mapper_labels, mapper_loops
from cosim.mapping import mapper, mapper_search, mapper_tables
from cosim.mapping.mapper_search import Limits, Search
from cosim.mapping.mapper_tables import energy_prices
from cosim.mapping.mapspace import MapSpaceError, fanout_of, shape_of, streams_of
from cosim.mapping.nest import AxisTerm, ComputeLevel, DataSpace, NestArch, Problem, StorageLevel

PROBLEM = Problem(
    "conv",
    {"K": 4, "C": 2, "P": 4, "R": 3},
    (
        DataSpace("Weights", ((AxisTerm("K"),), (AxisTerm("C"),), (AxisTerm("R"),))),
        DataSpace("Inputs", ((AxisTerm("C"),), (AxisTerm("P"), AxisTerm("R")))),
        DataSpace("Outputs", ((AxisTerm("K"),), (AxisTerm("P"),)), read_write=True),
    ),
)
ARCH = NestArch(
    "two",
    (
        StorageLevel("Far", energy_read_pj=40, energy_write_pj=40, energy_update_pj=40, link_transfers=False),
        StorageLevel(
            "Near", 2, 2, capacity_words=20, energy_read_pj=1, energy_write_pj=1, energy_update_pj=1
        ),
    ),
    ComputeLevel("MAC", 2, 2, energy_compute_pj=1.0),
)


def search() -> Search:
    shape = shape_of(PROBLEM)
    keep = np.ones((2, 3), np.int64)
    inner = mapper.Mapper(PROBLEM, ARCH, {}, "energy").fanouts[0]
    fanouts = [inner, fanout_of(shape, ARCH, 1, {})]
    return Search(shape, ARCH, keep, streams_of(keep), fanouts, energy_prices(ARCH, 3), {})


def test_compiled_equals_python(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, made, whole = search().run(Limits())
    for name, function in (
        ("spatial", mapper_fanout.spatial), ("temporal", mapper_loops.temporal), ("keep_best", mapper_labels.keep),
        ("least_costs", mapper_labels.least_costs), ("outermost", mapper_loops.outermost),
    ):  # fmt: skip
        monkeypatch.setattr(mapper_search, name, function.py_func)
    monkeypatch.setattr(mapper_tables, "link", mapper_labels.link.py_func)
    plain, plain_made, plain_whole = search().run(Limits())
    assert (made, whole) == (plain_made, plain_whole)
    assert [found.cost for found in compiled] == [found.cost for found in plain]
    assert (compiled[0].temporal == plain[0].temporal).all()


def test_bound_without_search_is_compulsory_traffic() -> None:
    """96 multiply-accumulates of 1 pJ with 96 reads of each operand and 96 reads and updates of sums at 1 pJ; every
    word (24 weights, 12 inputs, 16 outputs) once between the memories, at 40 pJ there and 1 pJ here, outputs read
    and updated there; the first of each partial sum is neither read far away nor, in up to two copies, here."""
    near, far = 96 * (1 + 1 + 1 + 2), (24 + 12) * 41 + 16 * 81
    bound = search().root_bound()
    assert bound <= near + far - 16 * 40
    assert bound >= near - 96 + far - 16 * 40 - 2 * 2 * 16
    best = mapper.map_problem(PROBLEM, ARCH, {}).best.counts.energy_pj
    assert bound <= best


def test_narrow_search_is_an_upper_bound_and_says_that_it_is_narrow() -> None:
    whole, _, complete = search().run(Limits())
    assert complete
    found, _, complete = search().run(Limits(), 1)
    assert not complete
    assert found[0].cost >= whole[0].cost


def test_a_limit_leaves_what_is_below_it() -> None:
    whole, made, _ = search().run(Limits())
    least = whole[0].cost
    below, fewer, _ = search().run(Limits(cost=least * 1.000001))
    assert below[0].cost == least
    assert fewer < made
    assert search().run(Limits(cost=least * 0.999999))[0] == []


def test_full_batches_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that fills in the middle of a tile goes on where it was."""
    whole, made, _ = search().run(Limits(parallel=True))
    for room in (40, 100):
        monkeypatch.setattr(mapper_search, "BATCH", room)
        found, again, _ = search().run(Limits(parallel=True))
        assert [f.cost for f in found] == [f.cost for f in whole]
        assert again >= made
    monkeypatch.setattr(mapper_search, "BATCH", 1)
    with pytest.raises(MapSpaceError, match="loop orders"):
        search().run(Limits())
