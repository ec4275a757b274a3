"""Small sweeps as files, and whole `cosim` processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cosim.spec.locate import ROOT

COSIM = [sys.executable, "-c", "from cosim.cli.main import main; main()"]

# Two machines, words, a range, a derived value and a condition: 4 groups a machine and three tasks in all.
SMALL = """
kind: sweep
name: small
archs: [systolic_sram, gpu_rtx3090]
workloads: [alexnet, fatnet]
batch: [1, 4]
parameters:
  dataflow: [os, ws]
  array.rows: [8, 16, 32]
  buffers.filter.capacity_bytes: {log_range: [64 KiB, 1 MiB], points: 9}
  dram.bandwidth_bytes_per_s: {log_range: [1 GB/s, 16 GB/s], points: 60}
  memory.l2_bytes_per_s: {range: [1.5 TB/s, 3.5 TB/s], points: 1000}
derived:
  array.cols: array.rows
conditions: ["array.rows * buffers.filter.capacity_bytes <= 16777216"]
constraints: ["average_power_w < 100000"]
"""


def write(folder: Path, text: str, name: str = "sweep.yaml") -> Path:
    """The sweep as a file."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def environment() -> dict[str, str]:
    """One thread a process, and the package on the path from any folder."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    return {**os.environ, **threads, "PYTHONPATH": str(ROOT)}


def cosim(*args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a whole `cosim` process; its exit code must be ``code``."""
    done = subprocess.run([*COSIM, *args], capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == code, done.stderr[-2000:] + done.stdout[-500:]
    return done


def shards(folder: Path) -> dict[str, bytes]:
    """Name -> content of everything in the folder of shards."""
    return {path.name: path.read_bytes() for path in (folder / "shards").iterdir()}
