"""The result of a comparison in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cosim.results.comparison import Comparison
from cosim.results.intervals import QUANTILES, RatioIntervals
from cosim.results.outcome import Outcome, shares_of
from cosim.results.text import better_or_worse, si, times

FEW = 3
LEAST = 0.005


def headline(comparison: Comparison) -> tuple[str, ...]:
    """One item a machine: how it fares against the baseline, how sure that is, where it is best and worst."""
    return tuple(
        _machine(comparison, row)
        for row in comparison.means()
        if row["machine"] != comparison.baseline and row["speedup"] is not None
    )


def _machine(comparison: Comparison, row: dict[str, Any]) -> str:
    machine, count = row["machine"], row["workloads"]
    of = f"geometric mean of {count} networks" if count > 1 else "one network"
    text = (
        f"{machine} is {better_or_worse(row['speedup'], 'faster', 'slower')} than {comparison.baseline} and needs "
        f"{better_or_worse(row['energy_ratio'], 'less energy', 'more energy')} ({of})."
    )
    return " ".join([text, *_interval(comparison, row), *_extremes(comparison, machine)])


def _interval(comparison: Comparison, row: dict[str, Any]) -> Iterator[str]:
    drawn, machine = comparison.uncertainty, row["machine"]
    if drawn is None:
        return
    if machine in drawn.without:
        yield f"No interval: {drawn.without[machine]}."
        return
    found: RatioIntervals = drawn.means[machine]
    yield (
        f"With the {drawn.parameters[machine]} uncertain parameters of both drawn from their ranges the speed-up is "
        f"{times(found.speedup.low)} to {times(found.speedup.high)} (faster in {found.speedup.wins:.0%} of the draws), "
        f"the energy ratio {times(found.energy_ratio.low)} to {times(found.energy_ratio.high)}."
    )
    outside = [
        name
        for name, value, ends in (
            ("speed-up", row["speedup"], found.speedup),
            ("energy ratio", row["energy_ratio"], found.energy_ratio),
        )
        if not ends.low <= value <= ends.high
    ]
    if outside:
        are = "s lie" if len(outside) > 1 else " lies"
        yield f"The stated {' and '.join(outside)}{are} outside: parameters are stated near one end of their ranges."


def _extremes(comparison: Comparison, machine: str) -> Iterator[str]:
    found = {w: r.speedup for w in comparison.workloads if (r := comparison.ratio(machine, w)) is not None}
    if len(found) < FEW:
        return
    best, worst = max(found, key=lambda w: found[w]), min(found, key=lambda w: found[w])
    yield f"Best on {best} ({times(found[best])}), worst on {worst} ({times(found[worst])})."


def how_intervals(comparison: Comparison) -> str:
    """What the intervals are, in words; empty without any."""
    drawn = comparison.uncertainty
    if drawn is None:
        return "No intervals: parameters were not drawn. `cosim compare --draws 256` draws those that state a range."
    low, high = (f"{100 * q:g} %" for q in QUANTILES)
    lost = {name: count for name, count in drawn.left_out.items() if count}
    left_out = ", ".join(f"{count} of {name}" for name, count in lost.items())
    return (
        f"Intervals: {low} to {high} of {drawn.draws:,} draws (seed {drawn.seed}) of every parameter that states a "
        "range; one draw of a machine holds for all its networks, and a device that is in a machine and in the "
        "baseline moves in both. Errors of the models themselves are not in them; see the table of validation errors."
        + (f" Draws left out because a layer does not fit: {left_out}." if left_out else "")
    )


def where_it_goes(result: Outcome) -> str:
    """Largest bounds of the time and largest components of the energy, in a sentence."""
    bounds = _largest(shares_of(result))
    energy = result.energy_j
    parts = _largest({name: j / energy for name, j in result.energy_by_component_j.items()} if energy else {})
    return (
        f"{result.workload.name} on {result.machine}: {si(result.latency_s, 's')}, bound by {bounds}; "
        f"{si(energy, 'J')}, spent in {parts}."
    )


def _largest(shares: dict[str, float], count: int = 2) -> str:
    shown = [(name, share) for name, share in list(shares.items())[:count] if share >= LEAST]
    return " and ".join(f"{name} ({share:.0%})" for name, share in shown) or "nothing"
