"""The event model: images flow through the stages of a program, tiles through the units of a stage.

Every unit serves one tile at a time, in order of arrival. Between two units of a stage stands a buffer of
``depth`` tiles (2: double buffering); a unit that finds it full waits. Stages of an image follow one another;
several images may be in flight, and then they compete for the units. With ``contention=False`` units are
neither shared nor chained, and the makespan is the closed form's.

    analytic <= event <= serial                                                                      (Eq. 4)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import simpy

from cosim.sim.program import Program, StageRun

Process = Generator[simpy.Event, Any, None]


@dataclass(frozen=True)
class Options:
    """How the simulation runs.

    ``images`` passes of the network; at most ``in_flight`` of them at once; ``depth`` tiles of buffer between
    units; ``keep`` the largest number of intervals kept for a timeline (0: none).
    """

    images: int = 1
    in_flight: int = 1
    depth: int = 2
    contention: bool = True
    keep: int = 0

    def __post_init__(self) -> None:
        for name in ("images", "in_flight", "depth"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: found {getattr(self, name)}, allowed at least 1")


@dataclass(frozen=True)
class Interval:
    """A unit at work: on which image, layer and stage, from when to when."""

    unit: str
    image: int
    layer: int
    stage: str
    start_s: float
    end_s: float


@dataclass
class SimResult:
    """Outcome of a simulation.

    ``busy_s`` is the time each unit works; ``waited_s`` the time tiles queue for it; ``layer_s`` (start, end) of
    every layer in the first image; ``dropped`` how many intervals were not kept.
    """

    makespan_s: float = 0.0
    busy_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    waited_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    layer_s: dict[int, tuple[float, float]] = field(default_factory=dict)
    intervals: list[Interval] = field(default_factory=list)
    dropped: int = 0
    events: int = 0


class _Model:
    def __init__(self, program: Program, options: Options) -> None:
        self.program = program
        self.options = options
        self.env = simpy.Environment()
        self.units = {unit: simpy.Resource(self.env) for unit in program.units}
        self.result = SimResult()

    def run(self) -> SimResult:
        slots = simpy.Resource(self.env, capacity=self.options.in_flight)
        for image in range(self.options.images):
            self.env.process(self.image(image, slots))
        self.env.run()
        self.result.makespan_s = float(self.env.now)
        return self.result

    def image(self, number: int, slots: simpy.Resource) -> Process:
        with slots.request() as slot:
            yield slot
            for run in self.program.runs:
                start = float(self.env.now)
                yield self.env.process(self.stage(number, run))
                if number == 0:
                    first = self.result.layer_s.get(run.layer, (start, start))[0]
                    self.result.layer_s[run.layer] = (first, float(self.env.now))

    def stage(self, image: int, run: StageRun) -> Process:
        if not self.options.contention:
            yield self.env.timeout(run.longest_s)
            for unit, seconds in run.services:
                self.record(image, run, unit, float(self.env.now) - run.longest_s, seconds * run.tiles)
            return
        last = len(run.services) - 1
        buffers = [simpy.Store(self.env, capacity=self.options.depth) for _ in run.services[:-1]]
        workers = [
            self.env.process(
                self.worker(
                    image,
                    run,
                    unit,
                    seconds,
                    buffers[i - 1] if i > 0 else None,
                    buffers[i] if i < last else None,
                )
            )
            for i, (unit, seconds) in enumerate(run.services)
        ]
        yield simpy.AllOf(self.env, workers)

    def worker(
        self,
        image: int,
        run: StageRun,
        unit: str,
        seconds: float,
        inbox: simpy.Store | None,
        outbox: simpy.Store | None,
    ) -> Process:
        env, server = self.env, self.units[unit]
        for tile in range(run.tiles):
            if inbox is not None:
                yield inbox.get()
            asked = float(env.now)
            with server.request() as turn:
                yield turn
                start = float(env.now)
                yield env.timeout(seconds)
            self.result.waited_s[unit] += start - asked
            self.record(image, run, unit, start, seconds)
            if outbox is not None:
                yield outbox.put(tile)

    def record(self, image: int, run: StageRun, unit: str, start: float, seconds: float) -> None:
        result = self.result
        result.busy_s[unit] += seconds
        result.events += 1
        if len(result.intervals) < self.options.keep:
            result.intervals.append(Interval(unit, image, run.layer, run.stage, start, start + seconds))
        elif self.options.keep:
            result.dropped += 1


def simulate(program: Program, options: Options | None = None) -> SimResult:
    """Run the program; the result is the same on every run."""
    return _Model(program, options or Options()).run()
