"""Whole processes, by the operating system's own accounting of the finished child."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median

import yaml

from cosim.ir.bench_row import BenchRow
from cosim.ir.workload_file import load_workload
from cosim.spec.locate import ROOT, find_document

RUNS = 3


def cpu_and_memory(args: Sequence[str]) -> tuple[float, float]:
    """CPU seconds (user and system) and peak resident MB of a finished child; raises ``RuntimeError`` on failure."""
    child = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    message = child.stderr.read() if child.stderr else b""
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.stderr:
        child.stderr.close()
    if child.returncode != 0:
        raise RuntimeError(
            f"{' '.join(args)} failed ({child.returncode}): {message.decode(errors='replace')[-500:]}"
        )
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def _median_cpu_s(args: Sequence[str]) -> float:
    cpu_and_memory(args)
    return median(cpu_and_memory(args)[0] for _ in range(RUNS))


def _cosim(*args: str) -> list[str]:
    return [sys.executable, "-c", "from cosim.cli.main import main; main()", *args]


def run_vit() -> BenchRow:
    """`cosim run` on ViT-B/16 as JSON, warm; the naive form imports torch as well, as a direct tool would."""
    arch, workload = ROOT / "arch" / "optical4f.yaml", ROOT / "workloads" / "vit.yaml"
    own = _median_cpu_s(_cosim("run", str(arch), str(workload), "--json"))
    torch = _median_cpu_s([sys.executable, "-c", "import torch"])
    return BenchRow("run_vit", own, "s of CPU", torch / own, "`import torch` alone")


def run_help() -> BenchRow:
    """`cosim --help`; the naive form imports numpy, pandas and pydantic first."""
    own = _median_cpu_s(_cosim("--help"))
    eager = _median_cpu_s([sys.executable, "-c", "import numpy, pandas, pydantic"])
    return BenchRow("help", own, "s of CPU", eager / own, "importing numpy, pandas and pydantic")


def load_vit() -> BenchRow:
    """Reading the workload file, against PyYAML's safe loader on the same file (which checks nothing)."""
    path = find_document("vit", "workloads")
    load_workload(path)
    start = time.process_time()
    for _ in range(RUNS):
        load_workload(path)
    own = (time.process_time() - start) / RUNS
    start = time.process_time()
    yaml.safe_load(path.read_text(encoding="utf-8"))
    naive = time.process_time() - start
    return BenchRow("load_vit", own * 1e3, "ms of CPU", naive / own, "yaml.safe_load of the same file")
