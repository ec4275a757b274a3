"""Running a sweep: what is done is skipped, what is killed is resumed by running it again."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cosim.explore.evaluate import FAILED, INFEASIBLE, GroupContext, context_of, rows_of
from cosim.explore.executors import Executor, Serial
from cosim.explore.space import Space, Task, prepare
from cosim.explore.space_file import load_space
from cosim.explore.store import SHARDS, clean, done_tasks, write_shard
from cosim.results.files import OutputError, dump_json, write_atomic

PROBE_POINTS = 512


@dataclass(frozen=True)
class TaskDone:
    """What became of a task: its rows by status."""

    index: int
    points: int
    infeasible: int
    failed: int
    seconds: float


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
    """Evaluates a task and writes its shard; travels to other processes by its two paths."""

    sweep: Path
    folder: Path

    def __call__(self, task: Task) -> TaskDone:
        start = time.process_time()
        stamp = self.sweep.stat().st_mtime_ns
        rows = rows_of(_space(self.sweep, stamp), _context(self.sweep, stamp, task.group), task)
        write_shard(self.folder, task.index, rows)
        count = rows["status"].count
        return TaskDone(
            task.index, len(rows["status"]), count(INFEASIBLE), count(FAILED), time.process_time() - start
        )


def open_folder(space: Space, folder: Path) -> None:
    """Create the result folder, or check that it belongs to this space and version.

    Raises :class:`OutputError` for a folder of another space, of another version, or with other files.
    """
    manifest = folder / "manifest.json"
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
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder}: found other files, allowed an empty or new folder")
    (folder / SHARDS).mkdir(parents=True, exist_ok=True)
    write_atomic(manifest, dump_json(content))


def run_sweep(
    path: Path,
    folder: Path,
    executor: Executor | None = None,
    shard: tuple[int, int] = (1, 1),
    progress: Callable[[TaskDone, int, int], None] | None = None,
) -> SweepSummary:
    """Run every task of the sweep at ``path`` that ``folder`` does not hold yet.

    ``shard`` (k, n) takes every n-th task from the k-th on, for job arrays. ``progress`` is told each finished
    task, how many are done and how many there are. Raises :class:`cosim.spec.problems.SpecError` and
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
    results: Iterator[TaskDone] = (executor or Serial()).run(Worker(path, folder), todo)
    for number, done in enumerate(results, start=1):
        points, infeasible, failed = points + done.points, infeasible + done.infeasible, failed + done.failed
        if progress is not None:
            progress(done, len(mine) - len(todo) + number, len(mine))
    if n == 1:
        clean(folder)
    if len(todo) < len(mine):
        earlier = _statuses(folder, {task.index for task in mine} - {task.index for task in todo})
        points, infeasible, failed = points + earlier[0], infeasible + earlier[1], failed + earlier[2]
    return SweepSummary(
        folder, len(mine), len(mine) - len(todo), points, infeasible, failed, time.perf_counter() - start
    )


def _statuses(folder: Path, tasks: set[int]) -> tuple[int, int, int]:
    """(points, infeasible, failed) of shards written by an earlier run."""
    import duckdb

    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT task, status, count(*) FROM read_parquet(?) GROUP BY task, status",
            [str(folder / SHARDS / "[0-9]*.parquet")],
        ).fetchall()
    chosen = [(status, count) for task, status, count in rows if task in tasks]
    return (
        sum(count for _, count in chosen),
        sum(count for status, count in chosen if status == INFEASIBLE),
        sum(count for status, count in chosen if status == FAILED),
    )


def forecast(path: Path) -> Forecast:
    """Points, CPU time, disk and memory of a sweep, from a probe of each group's first points; writes nothing."""
    space = _space(path.resolve(), path.stat().st_mtime_ns)
    seconds = 0.0
    layers = 0.0
    row_bytes = 0.0
    probed: dict[str, float] = {}
    for number, group in enumerate(space.groups):
        context = context_of(space, group)
        layers += context.layers.size * group.size
        key = f"{group.arch} {group.workload}"
        if key not in probed:
            count = min(PROBE_POINTS, group.size)
            start = time.process_time()
            rows = rows_of(space, context, Task(0, number, 0, count))
            probed[key] = (time.process_time() - start) / max(1, count)
            row_bytes = 10.0 * len(rows)
        seconds += probed[key] * group.size
    tasks = sum(1 for _ in space.tasks())
    # A worker holds one chunk of intermediate arrays, one task of rows, and the libraries.
    memory = 150e6 + 64 * 8192 * 8 + 8192 * 8 * 40
    return Forecast(
        space.size, tasks, math.floor(layers / space.size), seconds, row_bytes * space.size, memory
    )
