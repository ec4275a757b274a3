"""Layers of a network on several machines, or through several memories: the tables of the integer programs."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.components.estimate import price
from cosim.explore.allocate import Allocation, Limit, Table, Transfers, allocate, sent
from cosim.hardware.load import Machine
from cosim.ir.batch import LayerBatch
from cosim.ir.workload import Workload
from cosim.mapping.feasibility import violations
from cosim.mapping.plan import make_plan
from cosim.results.files import OutputError

PJ_PER_J = 1e12
OUTSIDE = -1
RESOURCES = ("size", "bops", "latency")


@dataclass(frozen=True)
class Link:
    """What joins the machines: its rate, the time to start a transfer, and its energy."""

    bytes_per_s: float
    latency_s: float = 0.0
    pj_per_bit: float = 0.0


@dataclass(frozen=True)
class Placed:
    """A solved allocation of a network's layers to named options.

    ``costs`` (layers, options) is what was minimised; ``alone`` maps an option to the objective if every layer took
    it, or None where a layer does not fit.
    """

    names: tuple[str, ...]
    options: tuple[str, ...]
    objective: str
    unit: str
    costs: Table
    alone: dict[str, float | None]
    allocation: Allocation

    def rows(self) -> list[dict[str, Any]]:
        """One row a layer."""
        return [
            {
                "layer": name,
                "option": self.options[option],
                "cost": float(cost[option]),
                **{f"on {other}": _known(c) for other, c in zip(self.options, cost, strict=True)},
            }
            for name, option, cost in zip(self.names, self.allocation.chosen, self.costs, strict=True)
        ]

    def shares(self) -> dict[str, tuple[int, float]]:
        """Layers and cost of each option."""
        found = {}
        for index, name in enumerate(self.options):
            taken = self.allocation.chosen == index
            found[name] = int(taken.sum()), float(self.costs[taken, index].sum())
        return found

    def to_json(self) -> dict[str, Any]:
        """The document of ``cosim allocate --json``."""
        found = self.allocation
        return {
            "schema": 1,
            "objective": self.objective,
            "unit": self.unit,
            "value": found.objective,
            "transfers": found.transfer_cost,
            "lower_bound": found.bound,
            "gap": found.gap,
            "alone": self.alone,
            "limits": {name: {"used": used, "bound": bound} for name, (used, bound) in found.uses.items()},
            "layers": self.rows(),
        }


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def layer_tables(network: Workload, machines: Sequence[Machine]) -> tuple[Table, Table]:
    """(seconds, joules) of every layer on every machine, shape (layers, machines); infinite where it does not fit."""
    layers = LayerBatch.from_layers(network.layers)
    seconds = np.full((layers.size, len(machines)), np.inf)
    joules = np.full_like(seconds, np.inf)
    row = {name: index for index, name in enumerate(layers.names)}
    for number, machine in enumerate(machines):
        model = machine.model
        plan = make_plan(layers, model.choices)
        cost = price(model.estimate(layers, machine.params, plan), model.energies(machine.params))
        seconds[:, number], joules[:, number] = cost.latency_s, cost.total_energy_pj / PJ_PER_J
        for refused in violations(cost.limits, layers.names):
            seconds[row[refused.layer], number] = joules[row[refused.layer], number] = np.inf
    return seconds, joules


def transfers_of(network: Workload, link: Link, objective: str) -> Transfers:
    """What each result costs to send, in seconds or joules, and who reads it.

    Results travel at the width that the network stores them with. Network inputs come from, and outputs go to, the
    first machine.
    """
    number = {layer.name: index for index, layer in enumerate(network.layers)}
    readers: dict[str, list[int]] = {}
    for index, layer in enumerate(network.layers):
        for source in layer.inputs:
            readers.setdefault(source, []).append(index)
    for name in network.outputs:
        readers.setdefault(name, []).append(OUTSIDE)
    producers, who, cost = [], [], []
    for source, by in readers.items():
        if source in number:
            layer = network.layers[number[source]]
            moved = layer.y_elems * layer.y_bits / 8
        else:
            first = network.layers[by[0]]
            moved = prod(network.inputs[source]) * network.batch * first.x_bits / 8
        producers.append(number.get(source, OUTSIDE))
        who.append(tuple(by))
        time = moved / link.bytes_per_s + link.latency_s
        cost.append(time if objective == "latency" else moved * 8 * link.pj_per_bit / PJ_PER_J)
    return Transfers(tuple(producers), tuple(who), np.array(cost))


def place(
    network: Workload,
    machines: Sequence[Machine],
    link: Link,
    objective: str = "latency",
    share: float | None = None,
) -> Placed:
    """Which machine runs which layer, one layer after another, with the results that cross the link.

    A machine that waits is off: it draws no static power. ``share`` bounds the other one of latency and energy
    (without transfers) at that part of the way from its least to its most demanding placement.
    Raises :class:`OutputError` where a layer fits no machine or the limit cannot be met.
    """
    seconds, joules = layer_tables(network, machines)
    own, other = (seconds, joules) if objective == "latency" else (joules, seconds)
    limits = []
    if share is not None:
        limits.append(Limit.between("energy" if objective == "latency" else "latency", _finite(other), share))
    transfers = transfers_of(network, link, objective)
    found = allocate(own, limits, transfers=transfers)
    alone = {
        machine.name: _known(float(own[:, i].sum()) + _to_and_fro(transfers, i, len(own)))
        for i, machine in enumerate(machines)
    }
    names = tuple(layer.name for layer in network.layers)
    unit = "s" if objective == "latency" else "J"
    return Placed(names, tuple(m.name for m in machines), objective, unit, own, alone, found)


def _finite(use: Table) -> Table:
    """Options that do not exist take the largest use of their layer, so that they do not move a bound."""
    largest = np.max(np.where(np.isfinite(use), use, -np.inf), axis=1, keepdims=True)
    return np.where(np.isfinite(use), use, largest)


def _to_and_fro(transfers: Transfers, machine: int, layers: int) -> float:
    """Transfers of the network's inputs and outputs when everything runs on ``machine``."""
    chosen: NDArray[np.int64] = np.full(layers, machine, dtype=np.int64)
    return sent(transfers, chosen)


def through_memories(
    network: Workload, variants: Sequence[Machine], objective: str = "energy", share: float | None = None
) -> Placed:
    """Which of several memories each layer's data passes through.

    ``variants`` are the same machine with one memory each; a machine that has all of them chooses for each layer.
    ``share`` bounds the other one of latency and energy as in :func:`place`.
    Raises :class:`OutputError` for variants of different kinds.
    """
    kinds = {machine.kind for machine in variants}
    if len(kinds) != 1:
        raise OutputError(
            f"found machines of the kinds {', '.join(sorted(kinds))}, allowed variants of one kind"
        )
    seconds, joules = layer_tables(network, variants)
    own, other = (seconds, joules) if objective == "latency" else (joules, seconds)
    limits = []
    if share is not None:
        limits.append(Limit.between("energy" if objective == "latency" else "latency", _finite(other), share))
    alone = {machine.name: _known(float(own[:, i].sum())) for i, machine in enumerate(variants)}
    names = tuple(layer.name for layer in network.layers)
    unit = "s" if objective == "latency" else "J"
    options = tuple(machine.name for machine in variants)
    return Placed(names, options, objective, unit, own, alone, allocate(own, limits))


@dataclass(frozen=True)
class BitTable:
    """Layers of a network with the error and the demands of each bit width, all of shape (layers, widths)."""

    network: str
    layers: tuple[str, ...]
    bits: tuple[int, ...]
    error: Table
    uses: dict[str, Table]


def read_bit_table(path: Path, network: str) -> BitTable:
    """A table in the form published with HAWQ-V3, lines starting with # left out.

    Columns: ``network, layer_index, hessian_trace, parameters, bops`` (multiply-accumulates), and for each width b
    ``delta_w_intB_sq`` and ``latency_intB_ms``. The error of a layer at b bits is trace * |W - Q_b(W)|^2, its size
    parameters * b, its bit operations multiply-accumulates * b * b.
    Raises :class:`OutputError` for missing files, columns, networks or numbers.
    """
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}") from error
    rows = list(csv.DictReader(lines))
    header = list(rows[0]) if rows else []
    bits = sorted(int(m.group(1)) for name in header if (m := re.fullmatch(r"delta_w_int(\d+)_sq", name)))
    needed = ["network", "layer_index", "hessian_trace", "parameters", "bops"]
    needed += [f"latency_int{b}_ms" for b in bits]
    missing = [name for name in needed if name not in header]
    if missing or len(bits) < 2:
        raise OutputError(f"{path}: found the columns {', '.join(header)}, missing {', '.join(missing)}")
    own = [row for row in rows if row["network"] == network]
    if not own:
        known = ", ".join(dict.fromkeys(row["network"] for row in rows))
        raise OutputError(f"{path}: found no network {network!r}, allowed {known}")

    def column(name: str) -> Table:
        try:
            return np.array([float(row[name]) for row in own])
        except ValueError as error:
            raise OutputError(f"{path}: column {name}: {error}") from error

    trace, parameters, macs = column("hessian_trace"), column("parameters"), column("bops")
    return BitTable(
        network=network,
        layers=tuple(row["layer_index"] for row in own),
        bits=tuple(bits),
        error=np.column_stack([trace * column(f"delta_w_int{b}_sq") for b in bits]),
        uses={
            "size": np.column_stack([parameters * b for b in bits]),
            "bops": np.column_stack([macs * b * b for b in bits]),
            "latency": np.column_stack([column(f"latency_int{b}_ms") for b in bits]),
        },
    )


def choose_bits(table: BitTable, shares: dict[str, float], ties: Sequence[tuple[int, int]] = ()) -> Placed:
    """Bit widths of least error where each named resource stays at its share of the way between its ends.

    ``shares`` maps one of :data:`RESOURCES` to a number from 0 (narrowest everywhere) to 1 (widest).
    """
    limits = []
    for name, share in shares.items():
        if name not in table.uses or not 0 <= share <= 1:
            raise OutputError(f"found the limit {name}={share:g}, allowed 0 to 1 of {', '.join(RESOURCES)}")
        limits.append(Limit.between(name, table.uses[name], share))
    for pair in ties:
        if not all(0 <= index < len(table.layers) for index in pair):
            raise OutputError(
                f"found the tie {pair[0]},{pair[1]}, allowed layers 0 to {len(table.layers) - 1}"
            )
    found = allocate(table.error, limits, ties)
    options = tuple(f"{b} bits" for b in table.bits)
    alone: dict[str, float | None] = {name: float(table.error[:, i].sum()) for i, name in enumerate(options)}
    return Placed(table.layers, options, "error", "", table.error, alone, found)
