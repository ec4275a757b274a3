"""Intervals of a comparison: every parameter that states a range is drawn, and each draw holds for all networks.

Ranges, distributions and shared devices are those of :mod:`cosim.explore.uncertain`; the draws are those of ``cosim
sensitivity`` with the same seed, so both give the same interval for one network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.explore.space import sobol_points
from cosim.explore.uncertain import ask
from cosim.hardware.load import Machine
from cosim.ir.workload import Workload
from cosim.results.comparison import Comparison
from cosim.results.files import OutputError
from cosim.results.intervals import RatioIntervals, Uncertainty, interval

Column = NDArray[np.float64]
Ratios = tuple[Column, Column]


def ratio_intervals(
    comparison: Comparison, machines: Sequence[Machine], networks: Sequence[Workload], draws: int, seed: int
) -> Uncertainty:
    """5 % to 95 % of every speed-up, energy ratio and geometric mean of ``comparison``.

    ``networks`` carry their batch. A machine without a range, or whose cost breaks down inside its ranges, has no
    interval and a reason instead. Raises ``ValueError`` unless ``draws`` is a power of two (the sequence is balanced
    only then).
    """
    if draws < 1 or draws & (draws - 1):
        raise ValueError(f"found {draws} draws, allowed a power of two")
    base = next(machine for machine in machines if machine.name == comparison.baseline)
    by_name = {network.name: network for network in networks}
    ratios: dict[tuple[str, str], RatioIntervals] = {}
    means: dict[str, RatioIntervals] = {}
    parameters: dict[str, int] = {}
    left_out: dict[str, int] = {}
    without: dict[str, str] = {}
    for machine in machines:
        if machine.name == base.name:
            continue
        ran = [w for w in comparison.workloads if comparison.ratio(machine.name, w)]
        if not any(p.range is not None and p.range[0] < p.range[1] for p in machine.parameters):
            without[machine.name] = "no parameter of its file states a range"
            continue
        if not ran:
            without[machine.name] = "it ran no network that the baseline ran"
            continue
        try:
            found, parameters[machine.name] = _drawn(machine, base, [by_name[w] for w in ran], draws, seed)
        except OutputError as error:
            without[machine.name] = str(error)
            continue
        fine = {w: np.isfinite(speed) & np.isfinite(energy) for w, (speed, energy) in found.items()}
        everywhere = np.logical_and.reduce(list(fine.values()))
        left_out[machine.name] = int((~everywhere).sum())
        if not everywhere.any():
            without[machine.name] = "no draw of its parameters can run every network"
            continue
        for workload, pair in found.items():
            ratios[machine.name, workload] = _intervals(pair, fine[workload])
        means[machine.name] = _intervals(_geometric_means(found), everywhere)
    return Uncertainty(draws, seed, ratios, means, parameters, left_out, without)


def _drawn(
    machine: Machine, base: Machine, networks: Sequence[Workload], draws: int, seed: int
) -> tuple[dict[str, Ratios], int]:
    """((speed-up, energy ratio) by network, number of parameters); not-a-number where a layer does not fit."""
    found: dict[str, Ratios] = {}
    questions = [ask(machine, network, base) for network in networks]
    parameters = questions[0].parameters
    shares = sobol_points(len(parameters), 0, draws, seed)
    columns = {p.name: p.at(share) for p, share in zip(parameters, shares.T, strict=True)}
    for network, question in zip(networks, questions, strict=True):
        (own_s, own_j), (base_s, base_j) = question.costs(columns, draws)
        found[network.name] = (base_s / own_s, base_j / own_j)
    return found, len(parameters)


def _geometric_means(found: Mapping[str, Ratios]) -> Ratios:
    speed, energy = (
        np.exp(np.mean([np.log(pair[index]) for pair in found.values()], axis=0)) for index in (0, 1)
    )
    return speed, energy


def _intervals(pair: Ratios, fine: NDArray[np.bool_]) -> RatioIntervals:
    return RatioIntervals(interval(pair[0][fine]), interval(pair[1][fine]))
