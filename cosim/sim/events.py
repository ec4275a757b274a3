"""The event model: images flow through the layers of a program, tiles through the units of a stage.

Every unit serves one tile at a time (:mod:`cosim.sim.server`). Between two units of a stage stands a buffer of ``room``
tiles; a place is taken when a tile starts on the unit before it and freed when it ends on the unit behind it, so
that two are double buffering. Stages of a layer follow one another. Layers follow one another too, or start as soon
as what they read is there (``order="dataflow"``): an elementwise layer then follows its inputs tile by tile. Several
images may be in flight, and several programs (machines that share a memory) at once: they compete for the units.

    analytic <= event <= serial                            one image, layers in order            (Eq. 4)
    work of the busiest unit <= event <= serial            otherwise                             (Eq. 5)

Where nothing competes, a stage is passed by the recurrence of :mod:`cosim.kernels.flow_shop` instead of events,
and once images complete in a fixed rhythm the rest of them is not simulated: both are exact to rounding, and
``shortcuts=False`` does without. Where images or programs do compete, a stage is cut into at most ``most_tiles``
tiles over all rounds of its layer, each the sum of its neighbours; what that adds is stated
(:mod:`cosim.sim.report`). With ``contention=False`` units are neither shared nor chained, and the makespan is the
closed form's.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import simpy

from cosim.sim.flow import Passed, passed
from cosim.sim.program import LayerRun, Program, StageRun
from cosim.sim.record import Record, SimResult
from cosim.sim.rhythm import Progress, Rhythm
from cosim.sim.server import Arbitration, Refresh, Server

Process = Generator[simpy.Event, Any, None]
Order = Literal["serial", "dataflow"]
Tick = Callable[[int, int], None]


@dataclass(frozen=True)
class Options:
    """How the simulation runs.

    room:       tiles of buffer between units, instead of what the machine states
    most_tiles: tiles of a stage where stages compete
    keep:       the largest number of intervals kept for a timeline (0: none)
    """

    room: int | None = None
    most_tiles: int = 128
    order: Order = "serial"
    arbitration: Arbitration = "fcfs"
    refresh: Refresh | None = None
    contention: bool = True
    shortcuts: bool = True
    keep: int = 0

    def __post_init__(self) -> None:
        for name in ("room", "most_tiles"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}: found {value}, allowed at least 1")


@dataclass(frozen=True)
class Job:
    """``images`` passes of a program, at most ``in_flight`` of them at once."""

    program: Program
    images: int = 1
    in_flight: int = 1

    def __post_init__(self) -> None:
        for name in ("images", "in_flight"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: found {getattr(self, name)}, allowed at least 1")


class _Model:
    def __init__(self, jobs: Sequence[Job], options: Options, progress: Tick | None) -> None:
        self.options, self.progress, self.passed = options, progress, 0
        self.alone = not competes(jobs, options)
        joins = options.shortcuts and not self.alone
        self.jobs = tuple(
            replace(job, program=job.program.joined(options.most_tiles)) if joins else job for job in jobs
        )
        self.env = simpy.Environment()
        units = {name: unit for job in jobs for name, unit in job.program.units.items()}
        self.refreshing = {name for name, unit in units.items() if unit.memory and options.refresh}
        self.servers = {
            name: Server(self.env, options.arbitration, options.refresh if name in self.refreshing else None)
            for name in units
        }
        self.record = Record(options.keep, tuple(units))
        self.rhythms = [self._rhythm(job) for job in jobs]
        self.known: dict[int, Passed] = {}

    def _rhythm(self, job: Job) -> Rhythm:
        settles = len(self.jobs) == 1 and self.options.shortcuts and not self.refreshing
        return Rhythm(job.images, job.in_flight, settles and self.options.keep == 0)

    def run(self) -> SimResult:
        for number, job in enumerate(self.jobs):
            self.env.process(self.source(number, job))
        self.env.run()
        return self.record.finished(
            float(self.env.now), [(j.program, r) for j, r in zip(self.jobs, self.rhythms, strict=True)]
        )

    def source(self, owner: int, job: Job) -> Process:
        """Start images as places for them get free."""
        slots = simpy.Resource(self.env, capacity=job.in_flight)
        rhythm = self.rhythms[owner]
        while rhythm.started < rhythm.limit:
            slot = slots.request()
            yield slot
            if rhythm.started >= rhythm.limit:  # settled while waiting
                return
            rhythm.started += 1
            self.env.process(self.image(owner, rhythm.started - 1, job.program, slots, slot))

    def image(self, owner: int, number: int, program: Program, slots: simpy.Resource, slot: Any) -> Process:
        if self.options.order == "serial":
            for layer in program.layers:
                yield from self.layer(owner, number, layer, None, ())
        else:
            done = {layer.number: Progress(self.env) for layer in program.layers}
            yield simpy.AllOf(
                self.env,
                [
                    self.env.process(
                        self.layer(
                            owner, number, layer, done[layer.number], tuple(done[s] for s in layer.sources)
                        )
                    )
                    for layer in program.layers
                ],
            )
        slots.release(slot)
        self.rhythms[owner].completed(float(self.env.now), self.record.waits)

    def layer(
        self, owner: int, image: int, layer: LayerRun, done: Progress | None, sources: tuple[Progress, ...]
    ) -> Process:
        """All rounds of a layer; with ``sources``, not before they are complete, or tile by tile behind them."""
        follows = layer.elementwise and bool(sources)
        for source in sources:
            yield source.at_least(0.0 if follows else 1.0)
        start = float(self.env.now)
        for stage in layer.before:
            yield from self.stage(stage, _Where(owner, image, layer, 0, stage.name), None, ())
        for turn in range(layer.rounds):
            for place, stage in enumerate(layer.stages):
                where = _Where(owner, image, layer, turn, stage.name)
                last = place == len(layer.stages) - 1
                yield from self.stage(
                    stage, where, done if last else None, sources if follows and last else ()
                )
        if done is not None:
            done.advance(1.0)
        self.record.layer(owner, image, layer.number, start, float(self.env.now))
        self.passed += 1
        if self.progress is not None:
            total = sum(
                len(job.program.layers) * rhythm.limit
                for job, rhythm in zip(self.jobs, self.rhythms, strict=True)
            )
            self.progress(self.passed, total)

    def stage(
        self, stage: StageRun, where: _Where, done: Progress | None, sources: tuple[Progress, ...]
    ) -> Process:
        now = float(self.env.now)
        if not self.options.contention:
            yield self.env.timeout(stage.longest_s)
            self.record.unchained(where.key, stage, now)
        elif self.alone:
            found = self.alone_passed(stage, now)
            self.record.stage(where.key, stage, found, now)
            yield self.env.timeout(found.end_s)
        else:
            yield from self.chained(self.sized(stage), where, done, sources)

    def alone_passed(self, stage: StageRun, now: float) -> Passed:
        """The stage with its units to itself, from time 0 on; the same at any time unless a memory refreshes."""
        keep = self.record.room
        refreshing = tuple(name in self.refreshing for name in stage.units)
        if any(refreshing):
            found = passed(self.sized(stage), now, refreshing, self.options.refresh, keep)
            spans = found.spans.copy()
            spans[:, 2:] -= now
            return replace(found, end_s=found.end_s - now, spans=spans)
        if keep:
            return passed(self.sized(stage), keep=keep)
        if id(stage) not in self.known:
            self.known[id(stage)] = passed(self.sized(stage))
        return self.known[id(stage)]

    def sized(self, stage: StageRun) -> StageRun:
        """The stage with the buffers asked for."""
        room = self.options.room
        return stage if room is None or room == stage.room else replace(stage, room=room)

    def chained(
        self, stage: StageRun, where: _Where, done: Progress | None, sources: tuple[Progress, ...]
    ) -> Process:
        last = len(stage.units) - 1
        arrived = [simpy.Store(self.env) for _ in range(last)]
        places = [simpy.Container(self.env, stage.room, stage.room) for _ in range(last)]
        tiles = np.array(list(stage.each()))
        yield simpy.AllOf(
            self.env,
            [
                self.env.process(
                    self.worker(stage, number, tiles[:, number], where, arrived, places, done, sources)
                )
                for number in range(last + 1)
            ],
        )

    def worker(
        self,
        stage: StageRun,
        place: int,
        works: Any,
        where: _Where,
        arrived: list[simpy.Store],
        places: list[simpy.Container],
        done: Progress | None,
        sources: tuple[Progress, ...],
    ) -> Process:
        """One unit of the stage, tile after tile."""
        env, unit, last = self.env, stage.units[place], len(stage.units) - 1
        server, count = self.servers[unit], len(works)
        for tile, work in enumerate(works.tolist()):
            free = float(env.now)
            came = free
            comes_in = stage.streams and place == 1 and tile == 0
            if place == 0:
                for source in sources:
                    yield source.at_least(where.layer.part(where.turn, (tile + 1) / count))
            elif not comes_in:
                came = yield arrived[place - 1].get()
            ready = float(env.now)
            if place < last:
                yield places[place].get(1)
            placed = float(env.now)
            if work > 0:
                yield server.request(where.owner)
                start = float(env.now)
                service = server.service_s(work)
                yield env.timeout(service)
                server.release()
                queued = start - placed + (max(free - came, 0.0) if place else 0.0)
                waits = (work, queued, ready - free, placed - ready, service - work)
                self.record.tile(where.key, unit, tile, start, float(env.now), waits)
            if comes_in:
                yield arrived[0].get()
            if place:
                yield places[place - 1].put(1)
            if place < last:
                yield arrived[place].put(float(env.now))
            elif done is not None:
                done.advance(where.layer.part(where.turn, (tile + 1) / count))


@dataclass(frozen=True)
class _Where:
    """What a stage is part of."""

    owner: int
    image: int
    layer: LayerRun
    turn: int
    stage: str

    @property
    def key(self) -> tuple[int, int, int, str]:
        """(job, image, layer, stage) as intervals carry it."""
        return self.owner, self.image, self.layer.number, self.stage


def competes(jobs: Sequence[Job], options: Options) -> bool:
    """Whether stages may compete for units, so that tiles have to be events."""
    if not options.shortcuts or options.order == "dataflow" or len(jobs) > 1:
        return True
    return any(job.in_flight > 1 and job.images > 1 for job in jobs)


def simulate(
    jobs: Sequence[Job] | Job | Program, options: Options | None = None, progress: Tick | None = None
) -> SimResult:
    """Run the jobs at once; the same result on every run. ``progress`` hears (layers passed, of how many)."""
    if isinstance(jobs, Program):
        jobs = Job(jobs)
    given = (jobs,) if isinstance(jobs, Job) else tuple(jobs)
    return _Model(given, options or Options(), progress).run()
