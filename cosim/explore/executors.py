"""Where the tasks of a sweep run: here, in a process pool, or on a Dask cluster; the results are the same bits."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from cosim.explore.space import Task
from cosim.results.files import OutputError

T = TypeVar("T")
Work = Callable[[Task], T]
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS")
LOCAL = "local"
STALL_S = 20.0
CONNECT_TIMEOUT_S = 5


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

        if not tasks:
            return
        before = {name: os.environ.get(name) for name in THREADS}
        os.environ.update(dict.fromkeys(THREADS, "1"))
        jobs = min(self.jobs, len(tasks))
        pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_start_worker)
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


def _start_worker() -> None:
    """An interrupt is for the parent to handle; a parent that is killed takes its workers along."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def follow() -> None:
        from multiprocessing import parent_process

        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


class Dask:
    """A Dask cluster: ``tcp://host:port`` of a scheduler, or ``local:N`` for one that is started here.

    The workers must see the same files under the same paths (a shared file system), because they read the sweep
    and write the shards. Raises :class:`OutputError` where there is no scheduler, or no Dask.
    """

    def __init__(self, address: str) -> None:
        name, _, count = address.partition(":")
        if name == LOCAL and not (count.isdecimal() and int(count) >= 1):
            raise OutputError(f"--dask {address}: allowed tcp://host:port, or local:N with N workers")
        if name != LOCAL and "://" not in address:
            raise OutputError(f"--dask {address}: allowed tcp://host:port, or local:N with N workers")
        self.address = address

    def run(self, work: Work[T], tasks: Sequence[Task]) -> Iterator[T]:
        try:
            from distributed import Client, LocalCluster
        except ImportError as error:
            raise OutputError(
                f"--dask needs the extra `cluster` (pip install cosim[cluster]): {error}"
            ) from error

        if not tasks:
            return
        cluster: Any = None
        if self.address.startswith(LOCAL):
            cluster = LocalCluster(
                n_workers=int(self.address.partition(":")[2]),
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                silence_logs=40,
            )
        try:
            client = Client(cluster or self.address, timeout=CONNECT_TIMEOUT_S)
        except OSError as error:
            raise OutputError(f"--dask {self.address}: found no scheduler there ({error})") from error
        try:
            yield from _as_they_come(client, client.map(work, list(tasks), pure=False))
        finally:
            client.close()
            if cluster is not None:
                cluster.close()


def _as_they_come(client: Any, futures: list[Any]) -> Iterator[Any]:
    """Results of ``futures`` in any order; raises :class:`OutputError` if the cluster has lost all its workers."""
    from distributed import wait

    left = set(futures)
    while left:
        try:
            done = wait(list(left), timeout=STALL_S, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            # Tasks may be long; only a cluster without anyone to do them will never finish.
            if not client.scheduler_info()["workers"]:
                raise OutputError(
                    "the cluster has no workers left; finished tasks are kept, run again"
                ) from None
            continue
        for future in done:
            left.discard(future)
            yield future.result()


def choose(jobs: int, dask: str | None) -> Executor:
    """The executor that the options ask for."""
    if dask:
        return Dask(dask)
    return Processes(jobs) if jobs > 1 else Serial()
