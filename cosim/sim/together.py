"""Machines at work together: one network placed on several, or one network each, with or without a common memory.

A common memory is the outer memory of the first machine. Transfers of the others take as long as on their own
memory, or longer where the common one is slower (:func:`slowdown`). Placing a network on machines with memories of
their own adds a transfer for each result that a layer of another machine reads:

    time = bytes / rate + latency                                                                (Eq. 1)

With a common memory nothing is added: what one machine stores the other reads, and both are in the layers' times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cosim.hardware.load import Machine
from cosim.sim.build import Laid, layer_runs, units_of
from cosim.sim.program import LayerRun, Program, Unit, equal_tiles

LINK = "link"


class TogetherError(ValueError):
    """Machines that cannot be simulated together, with the reason."""


@dataclass(frozen=True)
class LinkTime:
    """A link between the memories of two machines."""

    bytes_per_s: float
    latency_s: float


def slowdown(own: Machine, common: Machine) -> float:
    """How much longer transfers take on the outer memory of ``common`` than on one's own; 1 if that is the slower.

    Raises :class:`TogetherError` where a machine states no bandwidth.
    """
    rates = []
    for machine in (own, common):
        rate = machine.model.bandwidth_bytes_per_s(machine.params)
        if rate is None:
            raise TogetherError(f"{machine.name}: found no bandwidth of an outer memory, needed to share one")
        rates.append(float(np.max(rate)))
    return max(1.0, rates[0] / rates[1])


def _names(laid: Laid, first: Laid, share: bool) -> dict[str, str]:
    """Names of a machine's units beside another's; a common memory keeps the name that it has on the first."""
    machine = laid.machine.name
    used = {laid.unit(stage.name, resource) for stage in laid.cost.stages for resource in stage.resources}
    names = {unit: f"{machine}: {unit}" for unit in sorted(used)}
    if share:
        own, common = laid.tilings.memories[:1], first.tilings.memories[:1]
        if not own or not common:
            raise TogetherError(f"{machine}: found no outer memory, needed to share one")
        names[own[0]] = f"{first.machine.name}: {common[0]}"
    return names


def programs_beside(laid: Sequence[Laid], share: bool) -> list[Program]:
    """One program for each machine with its own network; ``share``: all use the first one's outer memory."""
    programs = []
    for one in laid:
        names = _names(one, laid[0], share)
        slowed = slowdown(one.machine, laid[0].machine) if share else 1.0
        runs = layer_runs(one, names, slowed)
        units = _common(units_of(one, runs, names), laid[0], share)
        programs.append(Program(f"{one.network.name} on {one.machine.name}", tuple(runs), units))
    return programs


def placed_program(
    laid: Sequence[Laid], chosen: Sequence[int], share: bool, link: LinkTime | None = None
) -> Program:
    """One network on several machines: layer i on machine ``chosen[i]``.

    Without a common memory ``link`` moves what crosses. Raises :class:`TogetherError` for neither or both.
    """
    if share == (link is not None):
        raise TogetherError(
            "found " + ("both" if share else "neither") + ", allowed a common memory or a link"
        )
    found = programs_beside(laid, share)
    units: dict[str, Unit] = {}
    for program in found:
        units |= program.units
    runs: list[LayerRun] = []
    for layer, machine in enumerate(chosen):
        run = found[machine].layers[layer]
        crossing = [s for s in run.sources if chosen[s] != machine]
        if link is not None and crossing:
            sizes = [laid[0].network.layers[s] for s in crossing]
            moved = sum(one.y_elems * one.y_bits / 8 for one in sizes)
            seconds = moved / link.bytes_per_s + link.latency_s * len(crossing)
            send = equal_tiles("transfer", 1, [(LINK, seconds)])
            run = replace(run, before=(replace(send, bytes_per_s=moved / seconds),))
            units.setdefault(LINK, Unit(LINK, "link"))
        runs.append(run)
    names = " and ".join(one.machine.name for one in laid)
    used = {unit for run in runs for stage, _ in run.all_stages() for unit in stage.units}
    return Program(
        f"{laid[0].network.name} on {names}",
        tuple(runs),
        {name: unit for name, unit in units.items() if name in used},
    )


def _common(units: dict[str, Unit], first: Laid, share: bool) -> dict[str, Unit]:
    """The common memory belongs to the first machine and is a memory whatever it is called."""
    if not share:
        return units
    name = f"{first.machine.name}: {first.tilings.memories[0]}"
    return {key: Unit(name, first.machine.name, True) if key == name else unit for key, unit in units.items()}
