"""A simulation held against the closed form: bounds, what waited where, and what joining tiles adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cosim.sim.events import Job, Options, Tick, competes, simulate
from cosim.sim.flow import WAITS, passed
from cosim.sim.program import LayerRun, Program
from cosim.sim.record import SimResult

TOLERANCE = 1e-9


@dataclass(frozen=True)
class LayerDifference:
    """A layer of the first image: closed form and simulation in seconds, and what its busiest unit waited for.

    ``reason`` is ``starved`` (no tile was there), ``blocked`` (no room behind it), ``queued`` (others were served) or
    ``refreshing``; ``filled`` if it never waited (the pipeline around it filled and drained).
    """

    job: str
    layer: str
    analytic_s: float
    event_s: float
    unit: str
    reason: str
    waited_s: float

    def to_json(self) -> dict[str, Any]:
        """Plain form."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class Simulation:
    """Closed form, event simulation and serial sum of the same jobs, in seconds.

    ``joined_error_s`` is what joining tiles adds to all stages, each on its own: the recurrence with joined tiles minus
    the recurrence with the tiles of the mapping.
    """

    jobs: tuple[Job, ...]
    options: Options
    result: SimResult
    joined_error_s: float

    @property
    def analytic_s(self) -> float:
        """Closed form for all images of all jobs, one after another."""
        return sum(job.program.analytic_s * job.images for job in self.jobs)

    @property
    def serial_s(self) -> float:
        """Serial sum; with refresh, stretched by it (:func:`stretched`)."""
        work = sum(job.program.serial_s * job.images for job in self.jobs)
        return stretched(work, self.options)

    @property
    def bottleneck_s(self) -> float:
        """Work of the busiest unit: no schedule is shorter."""
        return max(self.result.busy_s.values(), default=0.0)

    @property
    def in_order(self) -> bool:
        """Whether layers and images run one after another, so that the closed form is a lower bound."""
        return (
            self.options.order == "serial"
            and len(self.jobs) == 1
            and (self.jobs[0].in_flight == 1 or self.jobs[0].images == 1)
        )

    @property
    def ratio(self) -> float:
        """Event simulation over closed form."""
        return self.result.makespan_s / self.analytic_s if self.analytic_s else 1.0

    def differences(self) -> list[LayerDifference]:
        """Layers of the first images whose simulation differs from the closed form, largest first."""
        rows = []
        for (number, index), (start, end) in self.result.layer_s.items():
            program = self.jobs[number].program
            layer = program.layers[index]
            waits = self.result.layer_waits_s.get((number, index))
            if waits is None:
                continue
            unit = int(np.argmax(waits[0]))
            own = waits[:, unit].copy()
            own[0] = 0.0
            if self.in_order:  # tiles that queue for the busiest unit are no loss
                own[WAITS.index("queued")] = 0.0
            reason = int(np.argmax(own))
            rows.append(
                LayerDifference(
                    program.name, layer.name, layer.analytic_s, end - start, self.result.units[unit],
                    WAITS[reason] if own[reason] > 0 else "filled", float(own[reason]),
                )
            )  # fmt: skip
        shown = [
            row for row in rows if abs(row.event_s - row.analytic_s) > TOLERANCE * max(row.event_s, 1e-30)
        ]
        return sorted(shown, key=lambda row: row.analytic_s - row.event_s)

    def to_json(self) -> dict[str, Any]:
        """Plain form."""
        found, refresh = self.result, self.options.refresh
        return {
            "jobs": [
                {"name": job.program.name, "images": job.images, "in_flight": job.in_flight, "interval_s": interval}
                for job, interval in zip(self.jobs, found.interval_s, strict=True)
            ],
            "order": self.options.order,
            "arbitration": self.options.arbitration,
            "refresh": None if refresh is None else dict(refresh.__dict__),
            "contention": self.options.contention,
            "analytic_s": self.analytic_s,
            "event_s": found.makespan_s,
            "serial_s": self.serial_s,
            "bottleneck_s": self.bottleneck_s,
            "ratio": self.ratio,
            "joined_error_s": self.joined_error_s,
            "services": found.services,
            "tiles_skipped": found.skipped,
            "images_left_out": found.left_out,
            **{f"{what}_s": _positive(found.by_unit(what)) for what in WAITS},
            "layers": [row.to_json() for row in self.differences()],
        }  # fmt: skip


def _positive(values: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in sorted(values.items(), key=lambda item: -item[1]) if value > 0}


def stretched(work_s: float, options: Options) -> float:
    """Longest time for ``work_s`` of which something is always served unless a memory refreshes.

    Refresh takes at most d of every interval i begun on each channel: t <= work + d * (t / i + 1) for one channel;
    with several, a transfer waits for the slowest, which refreshes d of i as well.                  (Eq. 1)
    """
    refresh = options.refresh
    if refresh is None:
        return work_s
    channels = refresh.channels
    share = min(refresh.share * channels, 1.0)
    if share >= 1.0:
        return float("inf")
    return (work_s + channels * refresh.duration_s) / (1.0 - share)


def joined_error_s(program: Program, options: Options) -> float:
    """What joining the tiles of every layer adds to it on its own, one image."""
    error = 0.0
    for full, short in zip(program.layers, program.joined(options.most_tiles).layers, strict=True):
        error += abs(_alone_s(short) - _alone_s(full))
    return error


def _alone_s(layer: LayerRun) -> float:
    """Time of a layer with its units to itself."""
    return sum(times * passed(stage).end_s for stage, times in layer.all_stages())


def simulation(
    jobs: Sequence[Job] | Job | Program, options: Options | None = None, progress: Tick | None = None
) -> Simulation:
    """Simulate and check the bounds; raises ``ArithmeticError`` if the result leaves them (a defect of the model)."""
    chosen = options or Options()
    if isinstance(jobs, Program):
        jobs = Job(jobs)
    given = (jobs,) if isinstance(jobs, Job) else tuple(jobs)
    joins = chosen.contention and chosen.shortcuts and competes(given, chosen)
    error = sum(joined_error_s(job.program, chosen) * job.images for job in given) if joins else 0.0
    found = Simulation(given, chosen, simulate(given, chosen, progress), error)
    low = found.analytic_s if found.in_order else found.bottleneck_s if chosen.contention else 0.0
    event = found.result.makespan_s
    if not low * (1 - TOLERANCE) <= event <= found.serial_s * (1 + TOLERANCE):
        raise ArithmeticError(f"event simulation {event} s outside [{low}, {found.serial_s}] s")
    return found
