"""Where the tasks of a sweep run: here, in a process pool, or on a Dask cluster; the results are the same bits."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from cosim.explore.space import Task

T = TypeVar("T")
Work = Callable[[Task], T]
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Executor(Protocol):
    """Runs ``work`` on every task and yields the results as they come, in any order."""

    def run(self, work: Work[T], tasks: Sequence[Task]) -> Iterator[T]:
        """Yield one result a task."""
        ...


class Serial:
    """One task after another in this process."""

    def run(self, work: Work[T], tasks: Sequence[Task]) -> Iterator[T]:
        for task in tasks:
            yield work(task)


class Processes:
    """A pool of ``jobs`` fresh processes, one thread each."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def run(self, work: Work[T], tasks: Sequence[Task]) -> Iterator[T]:
        from concurrent.futures import ProcessPoolExecutor, as_completed
        from multiprocessing import get_context

        before = {name: os.environ.get(name) for name in THREADS}
        os.environ.update(dict.fromkeys(THREADS, "1"))
        pool = ProcessPoolExecutor(self.jobs, mp_context=get_context("spawn"))
        try:
            futures = [pool.submit(work, task) for task in tasks]
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


class Dask:
    """A Dask cluster: ``tcp://host:port`` of a scheduler, or ``local:N`` for one that is started here.

    The workers must see the same files (a shared file system), because they write the shards.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def run(self, work: Work[T], tasks: Sequence[Task]) -> Iterator[T]:
        from distributed import Client, LocalCluster, as_completed

        cluster: Any = None
        if self.address.startswith("local"):
            workers = int(self.address.partition(":")[2] or 2)
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                silence_logs=40,
            )
        client = Client(cluster or self.address)
        try:
            futures = client.map(work, list(tasks), pure=False)
            for future in as_completed(futures):
                yield future.result()
        finally:
            client.close()
            if cluster is not None:
                cluster.close()


def choose(jobs: int, dask: str | None) -> Executor:
    """The executor that the options ask for."""
    if dask:
        return Dask(dask)
    return Processes(jobs) if jobs > 1 else Serial()
