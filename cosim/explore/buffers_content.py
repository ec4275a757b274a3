"""What an encoding saves in a machine's weight memory, per layer: pattern counts, traffic and energy together.

The machine's own formulas run twice, with the pattern shares of every layer before and after the encoding. Gross
saving counts the cells of the data; net adds the metadata, each bit of it one cheap cell, as in the pattern model of
:mod:`cosim.noise.patterns`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cosim.components.estimate import CostTable, price
from cosim.components.memory_spec import PATTERNS
from cosim.components.params import Params, Value
from cosim.hardware.load import Machine
from cosim.ir.batch import Array, LayerBatch
from cosim.ir.workload import Workload
from cosim.mapping.feasibility import InfeasibleError, violations
from cosim.mapping.plan import make_plan
from cosim.noise.formats import StorageFormat
from cosim.noise.placement import PlacementError, metadata_per_bit
from cosim.noise.placement_content import content_reports
from cosim.noise.schemes import Encoding, EncodingReport, delta_for_saving, total_hard_share

PJ_PER_J = 1e12
HEADLINE = (0.09, 0.06)
"""Savings on reads and on writes stated in the abstract of doi 10.1016/j.compeleceng.2020.106698."""


@dataclass(frozen=True)
class LayerEnergy:
    """One layer: pattern shares before and after, energy of the weight memory's accesses [J] and what is saved."""

    layer: str
    weights: int
    hard_before: float
    hard_after: float
    shares_before: tuple[float, ...]
    shares_after: tuple[float, ...]
    read_j: float
    write_j: float
    encoded_read_j: float
    encoded_write_j: float
    metadata_j: float

    @property
    def gross(self) -> float:
        """Share of the access energy saved, metadata apart; 0 for a layer that moves nothing."""
        before = self.read_j + self.write_j
        return 0.0 if before == 0 else 1.0 - (self.encoded_read_j + self.encoded_write_j) / before

    @property
    def net(self) -> float:
        """Share saved with the metadata counted."""
        before = self.read_j + self.write_j
        return 0.0 if before == 0 else self.gross - self.metadata_j / before


@dataclass(frozen=True)
class ContentStudy:
    """Per-layer energies of one memory under one encoding, and the reports behind them."""

    layers: tuple[LayerEnergy, ...]
    reports: tuple[EncodingReport, ...]
    machine_before_j: float
    machine_after_j: float

    def total(self, field: str) -> float:
        """Sum over layers of an energy."""
        return float(sum(getattr(row, field) for row in self.layers))

    @property
    def saving_read(self) -> float:
        """Gross saving on reads of the whole network."""
        return 1.0 - self.total("encoded_read_j") / self.total("read_j")

    @property
    def saving_write(self) -> float:
        """Gross saving on writes of the whole network."""
        return 1.0 - self.total("encoded_write_j") / self.total("write_j")

    @property
    def gross(self) -> float:
        """Gross saving on all accesses."""
        before = self.total("read_j") + self.total("write_j")
        return 1.0 - (self.total("encoded_read_j") + self.total("encoded_write_j")) / before

    @property
    def net(self) -> float:
        """Saving on all accesses with the metadata counted."""
        return self.gross - self.total("metadata_j") / (self.total("read_j") + self.total("write_j"))

    def headline(self) -> dict[str, float | None]:
        """The two cost ratios at which this encoding, on these weights, saves the 9 % and the 6 % of the abstract."""
        before = total_hard_share(self.reports, encoded=False)
        after = total_hard_share(self.reports)
        return {
            "delta_read": _delta(before, after, HEADLINE[0]),
            "delta_write": _delta(before, after, HEADLINE[1]),
            "hard_before": before,
            "hard_after": after,
        }


def _delta(before: float, after: float, saving: float) -> float | None:
    try:
        return delta_for_saving(before, after, saving)
    except ValueError:
        return None


def component_of(level: str) -> str:
    """Name under which a memory's accesses are counted: ``buffers.filter`` is ``filter_buffer``."""
    head, _, last = level.rpartition(".")
    return f"{last}_buffer" if head == "buffers" else last


def cost_of(machine: Machine, params: Params, layers: LayerBatch) -> tuple[CostTable, Mapping[Any, Value]]:
    """Costs of the layers on the machine with these parameters, and its energy per action.

    Raises :class:`InfeasibleError` where a layer does not fit.
    """
    plan = make_plan(layers, machine.model.choices)
    energies = machine.model.energies(params)
    cost = price(machine.model.estimate(layers, params, plan), energies)
    reasons = violations(cost.limits, layers.names)
    if reasons:
        raise InfeasibleError(reasons)
    return cost, energies.action_pj


def with_content(
    params: Params, level: str, layers: LayerBatch, reports: Sequence[EncodingReport], encoded: bool
) -> Params:
    """The machine with the pattern shares of each layer's own weights, shape (L,); other layers keep the file's."""
    by_name = {row.layer: (row.after if encoded else row.before).shares for row in reports}
    own = np.array([float(np.ravel(params[f"{level}.content.p{pattern}"])[0]) for pattern in PATTERNS])
    table = np.array([by_name.get(name, own) for name in layers.names])
    values: dict[str, Value] = {f"{level}.content.p{p}": table[:, i] for i, p in enumerate(PATTERNS)}
    if params.has(f"{level}.metadata_ratio"):
        values[f"{level}.metadata_ratio"] = 0.0
    return replace(params, values={**params.values, **values})


def _access_j(cost: CostTable, prices: Mapping[Any, Value], component: str, verb: str, size: int) -> Array:
    total = np.zeros(size)
    for (name, action), count in cost.action_counts.items():
        if name == component and action.startswith(verb):
            total = total + np.broadcast_to(count * prices[name, action], (size,))
    return total / PJ_PER_J


def _cells(cost: CostTable, component: str, verb: str, size: int) -> Array:
    total = np.zeros(size)
    for (name, action), count in cost.action_counts.items():
        if name == component and action.startswith(verb):
            total = total + np.broadcast_to(count, (size,))
    return total


def content_study(
    machine: Machine,
    network: Workload,
    level: str,
    weights: Mapping[str, Any],
    fmt: StorageFormat,
    encoding: Encoding,
) -> ContentStudy:
    """The saving of ``encoding`` in the memory at ``level``, layer by layer.

    Raises :class:`PlacementError` for a memory whose cost does not depend on the content, or a layer that the
    encoding cannot hold.
    """
    params, component = machine.params, component_of(level)
    if params.options.get(f"{level}.technology") != "mlc_stt_ram":
        technology = params.options.get(f"{level}.technology", "no technology")
        raise PlacementError(
            f"memory {level} of {machine.name} is {technology}: its cost does not depend on the content, so no "
            "encoding saves energy there; allowed a memory of two-bit cells"
        )
    layers = LayerBatch.from_layers(network.layers)
    reports = content_reports(network.layers, weights, fmt, encoding)
    before, prices = cost_of(machine, with_content(params, level, layers, reports, False), layers)
    after, _ = cost_of(machine, with_content(params, level, layers, reports, True), layers)
    size = layers.size
    found = {
        (when, verb): _access_j(cost, prices, component, verb, size)
        for when, cost in (("before", before), ("after", after))
        for verb in ("read", "write")
    }
    extra = metadata_per_bit(encoding, fmt)
    metadata_j = sum(
        2.0 * _cells(after, component, verb, size) * extra * prices[component, f"{verb}_00"] / PJ_PER_J
        for verb in ("read", "write")
    )
    metadata = np.broadcast_to(metadata_j, (size,))
    index = {name: i for i, name in enumerate(layers.names)}
    rows = []
    for row in reports:
        i = index[row.layer]
        rows.append(
            LayerEnergy(
                layer=row.layer,
                weights=int(row.weight),
                hard_before=row.before.hard_share,
                hard_after=row.after.hard_share,
                shares_before=tuple(row.before.shares.tolist()),
                shares_after=tuple(row.after.shares.tolist()),
                read_j=float(found["before", "read"][i]),
                write_j=float(found["before", "write"][i]),
                encoded_read_j=float(found["after", "read"][i]),
                encoded_write_j=float(found["after", "write"][i]),
                metadata_j=float(metadata[i]),
            )
        )
    own_j = float(sum(np.broadcast_to(e, (size,)).sum() for e in before.energy_pj.values())) / PJ_PER_J
    new_j = float(sum(np.broadcast_to(e, (size,)).sum() for e in after.energy_pj.values())) / PJ_PER_J
    return ContentStudy(tuple(rows), tuple(reports), own_j, new_j + float(metadata.sum()))
