"""How long a memory lasts, how long it keeps what it holds, and what keeping it costs.

With the cells written evenly, each is written ``w = bits written / bits stored`` times an inference, so that

    lifetime = endurance / (w * inferences per second)                                        (1)

Without levelling the first cells of a half buffer are written at every refill, which bounds it from below. A cell of
thermal stability Delta loses its state over a residence t with 1 - exp(-(t / tau0) exp(-Delta)) (Neel, Brown); the
interval after which a scrub is due is that formula solved for t.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cosim.components.technology import TechnologySpec
from cosim.noise.retention import retention_failure, spread_failure

SECONDS_A_YEAR = 365.25 * 24 * 3600
TEN_YEARS_S = 10 * SECONDS_A_YEAR


def rewrites_per_inference(written_bits: float, capacity_bits: float) -> float:
    """Mean writes of a cell an inference. ValueError for no capacity or negative traffic."""
    if capacity_bits <= 0 or written_bits < 0:
        raise ValueError(f"{written_bits} bits written to {capacity_bits}: need traffic >= 0 and a capacity")
    return written_bits / capacity_bits


def hottest_rewrites(written_bits: Any, capacity_bits: float) -> float:
    """Writes of the first cells of a half buffer an inference: one a refill, refills alternate between the halves.

    ``written_bits`` [layers]; a layer that writes anything starts a refill.
    """
    refills = np.ceil(np.asarray(written_bits, np.float64) / (capacity_bits / 2.0))
    return float(refills.sum()) / 2.0


def lifetime_s(endurance_writes: float, rewrites: float, inference_s: float) -> float:
    """Equation 1 with inferences back to back; infinite where nothing is written."""
    if endurance_writes <= 0 or inference_s <= 0:
        raise ValueError(f"endurance {endurance_writes}, {inference_s} s an inference: both must be positive")
    return math.inf if rewrites == 0 else endurance_writes * inference_s / rewrites


def residence_failure(record: TechnologySpec, residence_s: float) -> float:
    """Chance that a stored bit is lost while it waits. TechnologyError without a thermal stability on record."""
    needed = "retention over a residence time"
    delta, tau0_s = (
        record.need("reliability.thermal_stability", needed),
        record.need("reliability.attempt_ns", needed) * 1e-9,
    )
    sigma = record.reliability.thermal_stability_sigma
    if sigma is not None:
        return spread_failure(delta, float(sigma), residence_s, tau0_s)
    return float(retention_failure(delta, residence_s, tau0_s))


def scrub_interval_s(record: TechnologySpec, failure: float) -> float:
    """Time after which a bit has been lost with probability ``failure``: -tau0 exp(Delta) ln(1 - P)."""
    if not 0.0 < failure < 1.0:
        raise ValueError(f"failure probability {failure} is outside (0, 1)")
    needed = "a scrubbing interval"
    delta, tau0_s = (
        record.need("reliability.thermal_stability", needed),
        record.need("reliability.attempt_ns", needed) * 1e-9,
    )
    return -tau0_s * math.exp(delta) * math.log1p(-failure)


@dataclass(frozen=True)
class Upkeep:
    """What keeping the content costs: interval between rewrites, and their mean power."""

    interval_s: float
    power_mw: float
    why: str


def upkeep(record: TechnologySpec, capacity_bytes: float, failure: float = 1e-9) -> Upkeep | None:
    """Refresh of a volatile memory, or scrubbing of one whose cells lose their state within ten years; else None.

    A scrub reads and writes every word of the array; refresh energy grows with the capacity.
    """
    rel = record.reliability
    if rel.refresh_us is not None and rel.refresh_nj is not None:
        share = capacity_bytes / float(record.points[0].capacity_bytes)
        interval_s = float(rel.refresh_us) * 1e-6
        return Upkeep(interval_s, float(rel.refresh_nj) * 1e-9 * share / interval_s * 1e3, "refresh")
    if rel.thermal_stability is None:
        return None
    interval_s = scrub_interval_s(record, failure)
    if interval_s >= TEN_YEARS_S / 2:
        return None
    figures = record.array(capacity_bytes)
    words = capacity_bytes * 8.0 / float(record.access_bits)
    energy_j = words * (float(figures.read_pj) + float(figures.write_pj)) * 1e-12
    return Upkeep(interval_s, energy_j / interval_s * 1e3, f"scrub at {failure:g} lost bits")
