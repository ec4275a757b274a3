"""Weight buffers of several technologies on one machine, at equal capacity and at equal area.

Each variant is the machine with its weight buffer replaced: technology, energy, leakage and latencies of a record,
the capacity of the basis, and for two-bit cells the pattern shares of every layer's weights under the variant's
protection. Time and energy come from the machine's own formulas, accuracy from the digits networks under the record's
own error rates, wear from the traffic. A record without an error rate counts as free of errors, and is marked so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from cosim.components.memory_spec import PATTERNS
from cosim.components.params import Params, Value
from cosim.components.technology import TechnologyError, TechnologySpec, load_technology
from cosim.explore.buffers_content import PJ_PER_J, component_of, cost_of, with_content
from cosim.hardware.load import Machine
from cosim.ir.batch import LayerBatch
from cosim.ir.workload import Workload
from cosim.noise.formats import FP16
from cosim.noise.lifetime import (
    SECONDS_A_YEAR,
    hottest_rewrites,
    lifetime_s,
    residence_failure,
    rewrites_per_inference,
    upkeep,
)
from cosim.noise.placement import metadata_per_bit, protection
from cosim.noise.placement_content import content_reports, network_weights
from cosim.noise.schemes import EncodingReport
from cosim.noise.trials import Summary

Basis = Literal["capacity", "area"]
GRAIN_BYTES = 1024


@dataclass(frozen=True)
class Variant:
    """A technology record with the protection of the weights in it."""

    record: str
    protection: str = "baseline"

    @property
    def name(self) -> str:
        """Short name."""
        return self.record if self.protection == "baseline" else f"{self.record} {self.protection}"


VARIANTS = (
    Variant("sram_22_lstp_nvsim"),
    Variant("stt_ram_22"),
    Variant("stt_ram_mlc_22"),
    Variant("stt_ram_mlc_22", "hybrid:16"),
    Variant("stt_ram_mlc_22", "baseline+soft"),
    Variant("stt_ram_mlc_22", "sbp_round+range"),
)


@dataclass(frozen=True)
class BufferRow:
    """One variant on one network. Times and energies of one inference; the buffer's energy contains its leakage."""

    workload: str
    basis: str
    variant: str
    capacity_bytes: int
    area_mm2: float
    latency_s: float
    energy_j: float
    buffer_j: float
    buffer_leakage_j: float
    dram_bytes: float
    rewrites_per_inference: float
    hottest_rewrites: float
    lifetime_years: float | None
    lowest_lifetime_years: float | None
    hottest_lifetime_years: float | None
    residence_s: float
    residence_failure: float | None
    upkeep_mw: float
    bound: str
    accuracy: float | None
    accuracy_low: float | None
    accuracy_minimum: float | None
    error_rate: float | None


def capacity_on(
    basis: Basis, record: TechnologySpec, reference: TechnologySpec, capacity: float, banks: float
) -> float:
    """Capacity of a buffer of ``banks`` banks: that of the reference, or what fits the reference's area.

    Whole KiB a bank, rounded down. TechnologyError where a record states no area.
    """
    if basis == "capacity":
        return capacity
    area = reference.array(capacity / banks).area_mm2
    if area is None:
        raise TechnologyError(f"technology {reference.name!r} has no points.area_mm2, which equal area needs")
    bank = record.capacity_for_area(float(area))
    # the inverse of the area law comes back a last bit short of the size that it started from
    grains = math.floor(bank / GRAIN_BYTES + 1e-6)
    return max(1, grains) * GRAIN_BYTES * banks


def with_buffer(
    params: Params, level: str, reference: str, capacity_bytes: float, extra: float = 0.0
) -> Params:
    """The machine with the memory at ``level`` replaced by a record (its name or path); ``extra``: metadata for a bit
    of data."""
    record = load_technology(reference)
    kept = ("word_bits", "banks")
    values = {
        k: v for k, v in params.values.items() if not k.startswith(f"{level}.") or k.rsplit(".", 1)[1] in kept
    }
    options = {k: v for k, v in params.options.items() if not k.startswith(f"{level}.")}
    banks = float(np.ravel(params[f"{level}.banks"])[0])
    bank = record.array(capacity_bytes / banks)
    added: dict[str, Value | None] = {
        "capacity_bytes": capacity_bytes,
        "read_latency_ns": bank.read_ns,
        "write_latency_ns": bank.write_ns,
    }
    if record.technology == "mlc_stt_ram":
        added["delta_read"] = record.need("content.delta_read", "cost by content")
        added["delta_write"] = record.need("content.delta_write", "cost by content")
        added |= {f"content.p{pattern}": 0.25 for pattern in PATTERNS}
    if extra > 0.0:
        added["metadata_ratio"] = extra
    values |= {f"{level}.{name}": value for name, value in added.items() if value is not None}
    options |= {
        f"{level}.technology": record.technology,
        f"{level}.preset": reference,
        f"{level}.ecc": "none",
    }
    return replace(params, values=values, options=options)


def buffer_row(
    machine: Machine,
    network: Workload,
    level: str,
    variant: Variant,
    basis: Basis,
    reference: TechnologySpec,
    reports: Sequence[EncodingReport],
) -> BufferRow:
    """One variant on one network, accuracy apart."""
    record, layers = load_technology(variant.record), LayerBatch.from_layers(network.layers)
    banks = float(np.ravel(machine.params[f"{level}.banks"])[0])
    own = float(np.ravel(machine.params[f"{level}.capacity_bytes"])[0])
    capacity = capacity_on(basis, record, reference, own, banks)
    extra = metadata_per_bit(protection(variant.protection), FP16)
    params = with_buffer(machine.params, level, variant.record, capacity, extra)
    if record.technology == "mlc_stt_ram":
        ratio = {f"{level}.metadata_ratio": extra} if extra > 0.0 else {}
        params = with_content(params, level, layers, reports, encoded=True)
        params = replace(params, values={**params.values, **ratio})
    cost, _ = cost_of(machine, params, layers)
    size, component = layers.size, component_of(level)
    latency = np.broadcast_to(cost.latency_s, (size,))
    written_bits = _written_bits(cost.action_counts, component, params, level, size)
    inference_s, writes = float(latency.sum()), float(written_bits.sum())
    rewrites = rewrites_per_inference(writes, capacity * 8.0)
    hottest = hottest_rewrites(written_bits, capacity * 8.0)
    refills = np.maximum(np.ceil(written_bits / (capacity * 4.0)), 1.0)
    residence_s = float((latency / refills).max())
    keep = upkeep(record, capacity / banks)
    area = record.array(capacity / banks).area_mm2
    bounds = cost.bound_names()
    heaviest = {name: float(latency[[b == name for b in bounds]].sum()) for name in dict.fromkeys(bounds)}
    return BufferRow(
        workload=network.name,
        basis=basis,
        variant=variant.name,
        capacity_bytes=int(capacity),
        area_mm2=float("nan") if area is None else float(area) * banks,
        latency_s=inference_s,
        energy_j=sum(float(np.broadcast_to(e, (size,)).sum()) for e in cost.energy_pj.values()) / PJ_PER_J,
        buffer_j=float(np.broadcast_to(cost.energy_pj[component], (size,)).sum()) / PJ_PER_J,
        buffer_leakage_j=float(np.broadcast_to(cost.static_pj[component], (size,)).sum()) / PJ_PER_J,
        dram_bytes=_column(cost.columns, "dram_read_bytes", size)
        + _column(cost.columns, "dram_write_bytes", size),
        rewrites_per_inference=rewrites,
        hottest_rewrites=hottest,
        lifetime_years=_years(record, rewrites, inference_s),
        lowest_lifetime_years=_years(record, rewrites, inference_s, lowest=True),
        hottest_lifetime_years=_years(record, hottest, inference_s),
        residence_s=residence_s,
        residence_failure=None
        if record.reliability.thermal_stability is None
        else residence_failure(record, residence_s),
        upkeep_mw=0.0 if keep is None else keep.power_mw * banks,
        bound=max(heaviest, key=lambda name: heaviest[name]),
        accuracy=None,
        accuracy_low=None,
        accuracy_minimum=None,
        error_rate=None,
    )


def _written_bits(
    counts: Mapping[tuple[str, str], Value], component: str, params: Params, level: str, size: int
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Bits written to the memory by each layer: words of ``word_bits``, or cells of two bits."""
    word = float(np.ravel(params[f"{level}.word_bits"])[0])
    total = np.zeros(size)
    for (name, action), count in counts.items():
        if name == component and action.startswith("write"):
            total = total + np.broadcast_to(count, (size,)) * (word if action == "write" else 2.0)
    return total


def _column(columns: Mapping[str, Value], name: str, size: int) -> float:
    return float(np.broadcast_to(columns[name], (size,)).sum()) if name in columns else 0.0


def _years(record: TechnologySpec, rewrites: float, inference_s: float, lowest: bool = False) -> float | None:
    """Years until the endurance is used up: the record's, or the lowest of its range; None without one."""
    endurance = record.reliability.endurance_writes
    if endurance is None:
        return None
    writes = endurance.range[0] if lowest and endurance.range is not None else float(endurance)
    seconds = lifetime_s(writes, rewrites, inference_s)
    return seconds / SECONDS_A_YEAR if math.isfinite(seconds) else None


def accuracies(
    variants: Sequence[Variant], model: str, trials: int, progress: Callable[[int, int], None] | None = None
) -> dict[str, tuple[Summary, float] | float]:
    """Accuracy of a digits network under each record's own errors: (summary, hard error rate), or the exact accuracy
    where the record states no rate."""
    from cosim.noise.accuracy import Campaign, Runner
    from cosim.noise.networks import trained_network

    network = trained_network(model)
    found: dict[str, tuple[Summary, float] | float] = {}
    for number, variant in enumerate(variants):
        record = load_technology(variant.record)
        if record.errors.uniform_rate is None and record.errors.hard_rate is None:
            found[variant.name] = network.accuracy()
        else:
            rate = record.bit_error_rates()[1]
            campaign = Campaign((variant.protection,), "technology", (rate,), trials, record=record)
            runner = Runner(network, campaign)
            (point,) = runner.points(runner.run({}))
            found[variant.name] = (point.summary, rate)
        if progress is not None:
            progress(number + 1, len(variants))
    return found


def compare_buffers(
    machine: Machine,
    networks: Sequence[Workload],
    level: str,
    variants: Sequence[Variant] = VARIANTS,
    model: str = "cnn",
    trials: int = 10,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[BufferRow]:
    """Every variant on every network at equal capacity and at equal area; the first variant is the reference.

    Raises :class:`TechnologyError` for a record without what the comparison needs, ``InfeasibleError`` for layers
    that do not fit.
    """
    reference = load_technology(variants[0].record)
    scores = accuracies(variants, model, trials, progress)
    rows = []
    for network in networks:
        weights = network_weights(network.layers, None, seed)
        reports = {
            text: content_reports(network.layers, weights, FP16, protection(text))
            for text in dict.fromkeys(v.protection for v in variants)
        }
        for basis in ("capacity", "area"):
            for variant in variants:
                row = buffer_row(
                    machine, network, level, variant, basis, reference, reports[variant.protection]
                )
                rows.append(_with_accuracy(row, scores[variant.name]))
    return rows


def _with_accuracy(row: BufferRow, score: tuple[Summary, float] | float) -> BufferRow:
    if isinstance(score, tuple):
        summary, rate = score
        return replace(
            row,
            accuracy=summary.mean,
            accuracy_low=summary.low,
            accuracy_minimum=summary.minimum,
            error_rate=rate,
        )
    return replace(row, accuracy=score)


def row_dicts(rows: Sequence[BufferRow]) -> list[dict[str, Any]]:
    """Rows as plain data."""
    return [asdict(row) for row in rows]
