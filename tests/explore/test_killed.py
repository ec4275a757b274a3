"""A sweep that is killed at any moment and run again is the sweep that was never killed."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from cosim.bench.process import cpu_and_memory
from tests.explore.helpers import COSIM, cosim, environment, shards, write

# 40 tasks of one small network: about as long as starting the program. The first few fill the allocator.
LONG = """
kind: sweep
name: long
archs: [systolic_sram]
workloads: [fatnet]
parameters:
  array.mac_pj: {range: [0.5, 3], points: 40}
  array.clock_hz: {range: [100 MHz, 300 MHz], points: 64}
  dram.bandwidth_bytes_per_s: {log_range: [1 GB/s, 16 GB/s], points: 40}
"""
SHORT = LONG.replace("points: 40}\n  array.clock", "points: 10}\n  array.clock")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("whole")
    path = write(folder, LONG)
    cosim("sweep", str(path), "--out", str(folder / "out"))
    return path, folder / "out"


def _children(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(word) for word in listed.stdout.split()]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_several_times_and_resumed(whole: tuple[Path, Path], tmp_path: Path, jobs: int) -> None:
    command = [*COSIM, "sweep", str(whole[0]), "--out", str(tmp_path / "out"), "--jobs", str(jobs)]
    moments = random.Random(jobs)
    seen = []
    for _ in range(4):
        process = subprocess.Popen(
            command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # From the first shard of this run on, a random moment.
        before = len(list((tmp_path / "out" / "shards").glob("[0-9]*")))
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            there = list((tmp_path / "out" / "shards").glob("[0-9]*"))
            if len(there) > before:
                break
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.05))
        children = _children(process.pid)
        process.kill()
        process.wait()
        seen.append(len(list((tmp_path / "out" / "shards").glob("[0-9]*"))))
        end = time.monotonic() + 10
        while any(_alive(child) for child in children) and time.monotonic() < end:
            time.sleep(0.01)
        assert not any(_alive(child) for child in children), "workers outlive the process that started them"
    assert 0 < seen[0] < 40, "the first kill must hit a sweep at work"
    assert seen == sorted(seen)
    cosim("sweep", str(whole[0]), "--out", str(tmp_path / "out"), "--jobs", str(jobs))
    assert shards(tmp_path / "out") == shards(whole[1])


def test_resuming_a_finished_sweep_writes_nothing(whole: tuple[Path, Path]) -> None:
    before = {path: path.stat().st_mtime_ns for path in (whole[1] / "shards").iterdir()}
    cosim("sweep", str(whole[0]), "--out", str(whole[1]))
    assert {path: path.stat().st_mtime_ns for path in (whole[1] / "shards").iterdir()} == before


def test_memory_does_not_grow_with_the_points(whole: tuple[Path, Path], tmp_path: Path) -> None:
    short = write(tmp_path, SHORT)
    _, small = cpu_and_memory([*COSIM, "sweep", str(short), "--out", str(tmp_path / "small")])
    _, large = cpu_and_memory([*COSIM, "sweep", str(whole[0]), "--out", str(tmp_path / "large")])
    assert large < 1.05 * small


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupt_keeps_what_is_finished(whole: tuple[Path, Path], tmp_path: Path, jobs: int) -> None:
    command = [*COSIM, "sweep", str(whole[0]), "--out", str(tmp_path / "out"), "--jobs", str(jobs)]
    process = subprocess.Popen(
        command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 20
    while not list((tmp_path / "out" / "shards").glob("[0-9]*")) and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=30)
    assert process.returncode == 130, message
    assert "interrupted; finished tasks are kept" in message
    assert "Traceback" not in message
    assert 0 < len(list((tmp_path / "out" / "shards").glob("[0-9]*"))) < 40
