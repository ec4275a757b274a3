"""Running a sweep: what is done is skipped, what is killed is resumed by running it again."""

from __future__ import annotations

import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from cosim.explore.evaluate import (
    FAILED,
    INFEASIBLE,
    GroupContext,
    Words,
    context_of,
    evaluate,
    parameters_of,
    rows_of,
)
from cosim.explore.executors import Executor, Serial
from cosim.explore.space import TASK_POINTS, Space, Task, prepare
from cosim.explore.space_file import load_space
from cosim.explore.store import SHARDS, clean, done_tasks, query, write_shard
from cosim.results.files import OutputError, dump_json, write_atomic

PROBE_POINTS = 512
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class TaskDone:
    """What became of a task: its rows by status; ``looked_at`` counts its points before the conditions."""

    index: int
    points: int
    infeasible: int
    failed: int
    seconds: float
    looked_at: int


@dataclass(frozen=True)
class SweepSummary:
    """A finished (or interrupted) sweep."""

    folder: Path
    tasks: int
    skipped: int
    points: int
    infeasible: int
    failed: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain form."""
        return {"schema": 1, **{k: str(v) if isinstance(v, Path) else v for k, v in self.__dict__.items()}}


@dataclass(frozen=True)
class Forecast:
    """What a sweep will take, from a probe of a few hundred points of each machine."""

    points: int
    tasks: int
    layers: float
    cpu_s: float
    disk_bytes: float
    memory_bytes: float

    def to_json(self) -> dict[str, Any]:
        """Plain form."""
        return {"schema": 1, **self.__dict__}


@lru_cache(maxsize=4)
def _space(path: Path, stamp: int) -> Space:
    return prepare(load_space(path))


@lru_cache(maxsize=64)
def _context(path: Path, stamp: int, group: int) -> GroupContext:
    space = _space(path, stamp)
    return context_of(space, space.groups[group])


@dataclass(frozen=True)
class Worker:
    """Evaluates a task and writes its shard; travels to other processes by its two paths.

    Names in the sweep are looked up in the working directory first, so workers run in the same one.
    """

    sweep: Path
    folder: Path
    space_hash: str

    def __call__(self, task: Task) -> TaskDone:
        start = time.process_time()
        stamp = self.sweep.stat().st_mtime_ns
        space = _space(self.sweep, stamp)
        if space.hash != self.space_hash:
            raise OutputError(
                f"{self.sweep}: the sweep, or a file it names, has changed while it was running"
            )
        rows = rows_of(space, partial(_context, self.sweep, stamp), task)
        write_shard(self.folder, task.index, rows)
        status = rows["status"]
        assert isinstance(status, Words)
        of = [status.words[code] for code in status.codes]
        seconds = time.process_time() - start
        failed, infeasible = of.count(FAILED), of.count(INFEASIBLE)
        return TaskDone(task.index, len(of), infeasible, failed, seconds, task.stop - task.start)


def open_folder(space: Space, folder: Path) -> None:
    """Create the result folder, or check that it belongs to this space and version.

    Raises :class:`OutputError` for a folder of another space, of another version, or with other files.
    """
    manifest = folder / MANIFEST
    content = {
        "cosim": version("cosim"),
        "hash": space.hash,
        "name": space.doc.name,
        "points": space.size,
        "objectives": list(space.doc.objectives),
        "space": space.doc.content(),
    }
    if manifest.exists():
        try:
            found = json.loads(manifest.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise OutputError(f"{manifest}: found an unreadable manifest ({error})") from error
        if found.get("hash") != space.hash:
            raise OutputError(
                f"{folder}: found results of sweep {found.get('name')!r} (hash {found.get('hash')}, cosim "
                f"{found.get('cosim')}), this is {space.doc.name!r} (hash {space.hash}, cosim {content['cosim']}); "
                "choose another folder"
            )
    elif folder.exists() and (not folder.is_dir() or any(_foreign(entry) for entry in folder.iterdir())):
        raise OutputError(f"{folder}: found other files, allowed an empty or new folder")
    folder.mkdir(parents=True, exist_ok=True)
    if not manifest.exists():
        write_atomic(manifest, dump_json(content))
    (folder / SHARDS).mkdir(exist_ok=True)


def _foreign(entry: Path) -> bool:
    """Not the manifest of this sweep that another of its processes is writing at this moment."""
    return not entry.name.startswith(f".{MANIFEST}.") and entry.name != MANIFEST


def run_sweep(
    path: Path,
    folder: Path,
    executor: Executor | None = None,
    shard: tuple[int, int] = (1, 1),
    progress: Callable[[TaskDone, int, int], None] | None = None,
) -> SweepSummary:
    """Run every task of the sweep at ``path`` that ``folder`` does not hold yet.

    ``shard`` (k, n) takes every n-th task from the k-th on, for job arrays. ``progress`` is told each finished
    task, and how many points of this run are done and how many there are. Raises
    :class:`cosim.spec.problems.SpecError` and
    :class:`OutputError` before anything runs.
    """
    k, n = shard
    if not 1 <= k <= n:
        raise OutputError(f"--shard {k}/{n}: allowed k/n with 1 <= k <= n")
    start = time.perf_counter()
    path = path.resolve()
    space = _space(path, path.stat().st_mtime_ns)
    folder = folder.resolve()
    open_folder(space, folder)
    mine = [task for task in space.tasks() if task.index % n == k - 1]
    there = done_tasks(folder)
    todo = [task for task in mine if task.index not in there]
    points = infeasible = failed = 0
    results: Iterator[TaskDone] = (executor or Serial()).run(Worker(path, folder, space.hash), todo)
    total = sum(task.stop - task.start for task in todo)
    finished = 0
    for done in results:
        points, infeasible, failed = points + done.points, infeasible + done.infeasible, failed + done.failed
        finished += done.looked_at
        if progress is not None:
            progress(done, finished, total)
    clean(folder)
    if len(todo) < len(mine):
        earlier = _statuses(folder, {task.index for task in mine} - {task.index for task in todo})
        points, infeasible, failed = points + earlier[0], infeasible + earlier[1], failed + earlier[2]
    return SweepSummary(
        folder, len(mine), len(mine) - len(todo), points, infeasible, failed, time.perf_counter() - start
    )


def _statuses(folder: Path, tasks: set[int]) -> tuple[int, int, int]:
    """(points, infeasible, failed) of shards written by an earlier run."""
    frame = query(
        folder,
        f"SELECT point // {TASK_POINTS} AS task, status, count(*) AS rows FROM results GROUP BY ALL",
    )
    rows = zip(frame["task"], frame["status"], frame["rows"], strict=True)
    chosen = [(status, count) for task, status, count in rows if task in tasks]
    return (
        int(sum(count for _, count in chosen)),
        int(sum(count for status, count in chosen if status == INFEASIBLE)),
        int(sum(count for status, count in chosen if status == FAILED)),
    )


def forecast(path: Path) -> Forecast:
    """Points, CPU time, disk and memory of a sweep, from a probe of each machine and network; keeps nothing.

    Time and bytes are measured on a few hundred points and scaled; memory is that of this process after it held
    one full task, which is what a worker needs however many tasks there are.
    """
    space = _space(path.resolve(), path.stat().st_mtime_ns)
    seconds = layers = 0.0
    probed: dict[tuple[str, str], tuple[float, int]] = {}
    for group in space.groups:
        key = (group.arch, group.workload)
        if key not in probed:
            probed[key] = _probe_s(space, context_of(space, group))
        layers += probed[key][1] * group.size
        seconds += probed[key][0] * group.size
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / SHARDS).mkdir()
        task = next(space.tasks())
        rows = rows_of(space, lambda number: context_of(space, space.groups[number]), task)
        size = write_shard(Path(folder), 0, rows).stat().st_size
        start = time.process_time()
        write_shard(Path(folder), 0, rows)
        write_s = time.process_time() - start
    share = space.size / (task.stop - task.start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if os.uname().sysname == "Darwin" else 1024
    )
    return Forecast(
        points=space.size,
        tasks=space.task_count,
        layers=layers / space.size,
        cpu_s=seconds + write_s * share,
        disk_bytes=size * share,
        memory_bytes=float(peak),
    )


def _probe_s(space: Space, context: GroupContext) -> tuple[float, int]:
    """CPU seconds a point, and layers; measured on the second of two equal evaluations."""
    index = np.arange(min(PROBE_POINTS, context.group.size), dtype=np.int64)
    seconds = 0.0
    for _ in range(2):
        start = time.process_time()
        parameters, kept = parameters_of(space, context, index)
        evaluate(space, context, parameters, len(kept))
        seconds = time.process_time() - start
    return seconds / len(index), context.layers.size
