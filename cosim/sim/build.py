"""From a machine with a network laid out on it to the program of the event simulation.

The same estimate as the closed form's: seconds by resource and stage, cut into tiles as the machine's method
``tilings`` states. Summed over its tiles every unit works as long as the closed form says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.components.estimate import CostTable, price
from cosim.components.tiling import Tiling, Tilings
from cosim.hardware.load import Machine
from cosim.ir.batch import LayerBatch
from cosim.ir.ops import OpClass
from cosim.ir.workload import Workload
from cosim.mapping.plan import MappingDoc, make_plan
from cosim.sim.program import LayerRun, Program, StageRun, TileRun, Unit

COMPANION = "companion."
FOLLOWS = (OpClass.ACTIVATION, OpClass.ELEMENTWISE)
PJ_PER_J = 1e12


@dataclass(frozen=True)
class Laid:
    """A network laid on a machine: what programs are made of."""

    machine: Machine
    network: Workload
    layers: LayerBatch
    cost: CostTable
    tilings: Tilings

    def unit(self, stage: str, resource: str) -> str:
        """The unit behind a resource of a stage."""
        return self.tilings.units.get(resource, resource.removeprefix(f"{stage}."))


def lay(machine: Machine, network: Workload, mapping: MappingDoc | None = None) -> Laid:
    """Evaluate ``network`` on ``machine`` and keep what the simulation needs."""
    layers = LayerBatch.from_layers(network.layers)
    model, params = machine.model, machine.params
    plan = make_plan(layers, model.choices, mapping)
    estimate = model.estimate(layers, params, plan)
    return Laid(
        machine,
        network,
        layers,
        price(estimate, model.energies(params)),
        model.tilings(layers, params, plan, estimate),
    )


def program_of(laid: Laid) -> Program:
    """The program of one machine: every layer on it."""
    runs = layer_runs(laid)
    return Program(laid.network.name, tuple(runs), units_of(laid, runs))


def units_of(laid: Laid, runs: Sequence[LayerRun], names: Mapping[str, str] | None = None) -> dict[str, Unit]:
    """The units that occur, by their names in the simulation, in order of first use."""
    back = {new: old for old, new in (names or {}).items()}
    found: dict[str, Unit] = {}
    for run in runs:
        for stage, _ in run.all_stages():
            for name in stage.units:
                own = back.get(name, name)
                device = laid.machine.name + (" companion" if own.startswith(COMPANION) else "")
                found.setdefault(name, Unit(name, device, own in laid.tilings.memories))
    return found


def layer_runs(laid: Laid, names: Mapping[str, str] | None = None, slowed: float = 1.0) -> list[LayerRun]:
    """Every layer of the network as it runs on the machine.

    ``names`` renames units; transfers of the outer memories take ``slowed`` times as long.
    """
    count = laid.layers.size
    rounds = np.broadcast_to(laid.tilings.rounds, (count,))
    number = {layer.name: index for index, layer in enumerate(laid.network.layers)}
    follows = laid.layers.of_class(*FOLLOWS)
    rates = _memory_rates(laid)
    energy_j = np.broadcast_to(laid.cost.total_energy_pj, (count,)) / PJ_PER_J
    stages = [_Stage(laid, index) for index in range(len(laid.cost.stages))]
    runs = []
    for layer, made in enumerate(laid.network.layers):
        times = max(1, round(float(rounds[layer])))
        built = [stage.run(layer, times, names or {}, slowed, rates[layer]) for stage in stages]
        latency_s = float(laid.cost.latency_s[layer])
        runs.append(
            LayerRun(
                number=layer,
                name=made.name,
                device=laid.machine.name,
                stages=tuple(run for run in built if run is not None),
                rounds=times,
                sources=tuple(number[source] for source in made.inputs if source in number),
                elementwise=bool(follows[layer]),
                power_w=float(energy_j[layer]) / latency_s if latency_s else 0.0,
            )
        )
    return runs


class _Stage:
    """One stage of the cost table with its tiling, read layer by layer."""

    def __init__(self, laid: Laid, index: int) -> None:
        count = laid.layers.size
        stage = laid.cost.stages[index]
        self.laid, self.name = laid, stage.name
        self.tiling = laid.tilings.stages.get(stage.name, Tiling())
        order = [name for name in self.tiling.flow if name in stage.resources]
        self.order = (*order, *(name for name in stage.resources if name not in order))
        self.seconds = {r: np.broadcast_to(t, (count,)) for r, t in stage.resources.items()}
        self.tiles: NDArray[np.float64] = np.broadcast_to(self.tiling.tiles, (count,))

    def run(
        self, layer: int, rounds: int, names: Mapping[str, str], slowed: float, rate: float | None
    ) -> StageRun | None:
        """The stage of one layer, or None if it has nothing to do."""
        used = [name for name in self.order if self.seconds[name][layer] > 0]
        if not used:
            return None
        memories = self.laid.tilings.memories
        totals: dict[str, float] = {}
        column: dict[str, str] = {}
        for resource in used:
            unit = self.laid.unit(self.name, resource)
            factor = slowed if unit in memories else 1.0
            totals[unit] = totals.get(unit, 0.0) + float(self.seconds[resource][layer]) * factor / rounds
            column.setdefault(unit, resource)
        tiles, repeats = self._tiles(layer, np.array(list(totals.values())), list(column.values()))
        return StageRun(
            name=self.name,
            units=tuple(names.get(unit, unit) for unit in totals),
            sequences=tiles,
            repeats=repeats,
            room=self.tiling.room,
            streams=self.tiling.streams,
            bytes_per_s=rate / slowed if rate and any(unit in memories for unit in totals) else None,
        )

    def _tiles(
        self, layer: int, totals: NDArray[np.float64], resources: list[str]
    ) -> tuple[tuple[TileRun, ...], int]:
        """Tiles of the stage, with the seconds of each unit, and how often they are passed."""
        uneven = self.tiling.uneven(layer) if self.tiling.uneven else None
        if uneven is None or uneven.resource not in resources:
            count = max(1, round(float(self.tiles[layer])))
            return (TileRun(np.array([count]), totals[None, :] / count),), 1
        place = resources.index(uneven.resource)
        per_round = sum(int(s.counts.sum()) * s.repeats for s in uneven.sequences)
        even = totals / (per_round * uneven.repeats)
        runs = []
        for part in uneven.sequences:
            seconds = np.tile(even, (part.counts.size, 1))
            seconds[:, place] = totals[place] * part.shares
            runs.append(TileRun(part.counts, seconds, part.repeats))
        return tuple(runs), uneven.repeats


def _memory_rates(laid: Laid) -> list[float | None]:
    """Bytes a second of the machine's outer memory while it serves, by layer; None where no bytes are reported."""
    count = laid.layers.size
    columns = laid.cost.columns
    moved = np.zeros(count)
    for name in ("dram_read_bytes", "dram_write_bytes"):
        moved = moved + np.broadcast_to(columns.get(name, 0.0), (count,))
    busy = np.zeros(count)
    for stage in laid.cost.stages:
        for resource, seconds in stage.resources.items():
            unit = laid.unit(stage.name, resource)
            if unit in laid.tilings.memories and not unit.startswith(COMPANION):
                busy = busy + np.broadcast_to(seconds, (count,))
    rates: list[float | None] = []
    for size, seconds in zip(moved, busy, strict=True):
        rates.append(float(size / seconds) if size > 0 and seconds > 0 else None)
    return rates
