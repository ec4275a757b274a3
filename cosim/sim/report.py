"""A simulation held against the closed form: bounds, what waited, and the error of joining tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cosim.sim.events import Options, SimResult, simulate
from cosim.sim.program import Program

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Simulation:
    """Closed form, event simulation and serial sum of the same program, in seconds.

    ``joined_error_s`` bounds what joining tiles adds over all images: the fill of every pipeline with joined tiles
    minus its fill with the tiles of the mapping (Eq. 3 evaluated for both).
    """

    program: Program
    options: Options
    result: SimResult
    joined_error_s: float

    @property
    def analytic_s(self) -> float:
        """Closed form for all images, one after another."""
        return self.program.analytic_s * self.options.images

    @property
    def serial_s(self) -> float:
        """Serial sum for all images."""
        return self.program.serial_s * self.options.images

    @property
    def bottleneck_s(self) -> float:
        """Work of the busiest unit: no schedule is shorter."""
        return max(self.result.busy_s.values(), default=0.0)

    @property
    def ratio(self) -> float:
        """Event simulation over closed form."""
        return self.result.makespan_s / self.analytic_s if self.analytic_s else 1.0

    def to_json(self) -> dict[str, Any]:
        """Plain form."""
        waited = sorted(self.result.waited_s.items(), key=lambda item: -item[1])
        return {
            "images": self.options.images,
            "in_flight": self.options.in_flight,
            "buffer_tiles": self.options.depth,
            "contention": self.options.contention,
            "analytic_s": self.analytic_s,
            "event_s": self.result.makespan_s,
            "serial_s": self.serial_s,
            "ratio": self.ratio,
            "joined_error_s": self.joined_error_s,
            "busy_s": dict(self.result.busy_s),
            "waited_s": {name: seconds for name, seconds in waited if seconds > 0},
            "services": self.result.events,
        }


def joined_error_s(program: Program) -> float:
    """Fill that joining tiles adds over one image: exact for stages that overlap with nothing else."""
    error = 0.0
    for run in program.runs:
        if run.merged > 1:
            fill = run.pipelined_s - run.longest_s
            error += fill * (1 - 1 / run.merged)
    return error


def simulation(program: Program, options: Options | None = None) -> Simulation:
    """Simulate and check the bounds; raises ``ArithmeticError`` if the result leaves them (a defect of the model).

    One image at a time: analytic <= event <= serial. Several in flight: the busiest unit's work <= event.
    """
    chosen = options or Options()
    error = joined_error_s(program) * chosen.images
    found = Simulation(program, chosen, simulate(program, chosen), error)
    low = found.analytic_s if chosen.in_flight == 1 else found.bottleneck_s
    event = found.result.makespan_s
    if not low * (1 - TOLERANCE) <= event <= found.serial_s * (1 + TOLERANCE):
        raise ArithmeticError(f"event simulation {event} s outside [{low}, {found.serial_s}] s")
    return found
