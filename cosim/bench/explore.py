"""Sweeps end to end, one process against two, and the Pareto front of a million points."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from cosim.bench.points import SWEPT
from cosim.engine import evaluate, load_arch
from cosim.explore.executors import Executor, Processes, Serial
from cosim.explore.pareto import naive_mask, pareto_mask
from cosim.explore.space import prepare
from cosim.explore.space_file import load_space
from cosim.explore.store import read
from cosim.explore.sweep import run_sweep
from cosim.ir.bench_row import BenchRow

WORKLOAD = "resnet50"
POINTS = 50_000
ONE_BY_ONE = 40
FRONT_POINTS = 1_000_000
NAIVE_POINTS = 4_000
PAIRED_POINTS = 2_000_000
PAIRED_ROUNDS = 2
SPIN = "for _ in range(60_000_000): pass"

# The kinds of the other benchmark, and those of FPGA engines.
MACHINES = {
    **SWEPT,
    "stream_fpga": ("ultra96_cnna16", ("timing.clock_hz", "dram.bandwidth_bytes_per_s")),
    "deform_fpga": ("ultra96_codenet", ("engine.clock_hz", "dram.bandwidth_bytes_per_s")),
}


def sweep_text(arch: str, paths: tuple[str, ...], points: int, workload: str = WORKLOAD) -> str:
    """A sweep of ``points`` Sobol points with every path between half and twice its value."""
    machine = load_arch(arch)
    lines = [
        f"kind: sweep\narchs: [{arch}]\nworkloads: [{workload}]\nsampling: {{sobol: {points}}}\nparameters:"
    ]
    for path in paths:
        base = float(np.max(machine.params[path]))
        lines.append(f"  {path}: {{range: [{base / 2!r}, {base * 2!r}], points: 2}}")
    return "\n".join(lines) + "\n"


def timed(path: Path, executor: Executor) -> tuple[float, float]:
    """(CPU seconds of this process, wall seconds) of the whole sweep: checks, evaluation, shards."""
    with tempfile.TemporaryDirectory() as folder:
        cpu, wall = time.process_time(), time.perf_counter()
        summary = run_sweep(path, Path(folder) / "out", executor)
        spent = time.process_time() - cpu, time.perf_counter() - wall
    if summary.failed or summary.infeasible:
        raise RuntimeError(f"benchmark {path.name}: {summary.failed} points failed")
    return spent


def one_kind(kind: str, points: int = POINTS) -> tuple[float, float]:
    """((point x layer) evaluations a second of CPU, how many times faster than one evaluation a point)."""
    arch, paths = MACHINES[kind]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{kind}.yaml"
        path.write_text(sweep_text(arch, paths, points), encoding="utf-8")
        space = prepare(load_space(path))
        layers = len(space.network(space.groups[0]))
        seconds, _ = timed(path, Serial())
        single = Path(folder) / "single.yaml"
        single.write_text(sweep_text(arch, paths, ONE_BY_ONE), encoding="utf-8")
        run_sweep(single, Path(folder) / "few")
        rows = read(Path(folder) / "few", [*paths, "latency_s"])
    start = time.process_time()
    for _, row in rows.iterrows():
        overrides = {path: repr(int(row[path]) if row[path] % 1 == 0 else float(row[path])) for path in paths}
        found = evaluate(arch, WORKLOAD, overrides=overrides).latency_s
        if abs(found / row["latency_s"] - 1) > 1e-9:
            raise ArithmeticError(
                f"benchmark {kind}: a row of the sweep is not what the single evaluation gives"
            )
    alone = (time.process_time() - start) / len(rows)
    return points * layers / seconds, alone / (seconds / points)


def sweep_end_to_end() -> BenchRow:
    """The slowest kind of machine; ``against`` lists all of them."""
    one_kind("systolic", 1000)
    found = {kind: one_kind(kind) for kind in MACHINES}
    slowest = min(found, key=lambda kind: found[kind][0])
    rates = ", ".join(f"{kind} {rate / 1e6:.1f}" for kind, (rate, _) in found.items())
    return BenchRow(
        "sweep_end_to_end",
        found[slowest][0] / 1e6,
        "million (point x layer) evaluations / s of CPU, storage included",
        found[slowest][1],
        f"one evaluation a point, {slowest}; {POINTS:,} points of {WORKLOAD} each ({rates})",
    )


def control() -> float:
    """What two processes that share nothing gain over one on this machine at this moment: 2 where cores are free."""

    def wall(count: int) -> float:
        start = time.perf_counter()
        children = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(count)]
        for child in children:
            child.wait()
        return time.perf_counter() - start

    return 2 * wall(1) / wall(2)


def sweep_two_processes() -> BenchRow:
    """Wall time of one process over that of two, in pairs, both started afresh; the control is measured beside it."""
    arch, paths = MACHINES["systolic"]
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "paired.yaml"
        path.write_text(sweep_text(arch, paths, PAIRED_POINTS, "vit"), encoding="utf-8")
        for _ in range(PAIRED_ROUNDS):
            one = timed(path, Processes(1))[1]
            two = timed(path, Processes(2))[1]
            ratios.append((one / two, two, control()))
    best = max(ratios)
    return BenchRow(
        "sweep_two_processes",
        PAIRED_POINTS / best[1] / 1e6,
        "million points / s of wall time in two processes",
        best[0],
        f"one process ({PAIRED_POINTS:,} points of vit, best of {PAIRED_ROUNDS} pairs); two loops that share nothing "
        f"gained {best[2]:.2f} x beside it",
    )


def pareto_1e6x3(points: int = FRONT_POINTS) -> BenchRow:
    """Front of a million random points in three objectives, against the definition on a part of them."""
    cloud = np.random.default_rng(0).random((points, 3))
    pareto_mask(cloud[:100])
    start = time.process_time()
    mask = pareto_mask(cloud)
    seconds = time.process_time() - start
    part = cloud[:NAIVE_POINTS]
    start = time.process_time()
    reference = naive_mask(part)
    # Pair by pair the work grows with the square of the points.
    naive = (time.process_time() - start) * (points / len(part)) ** 2
    if (pareto_mask(part) != reference).any():
        raise ArithmeticError("benchmark pareto_1e6x3: not the front of the definition")
    return BenchRow(
        "pareto_1e6x3",
        seconds,
        "s of CPU",
        naive / seconds,
        f"pair by pair, scaled from {len(part):,} points; {int(mask.sum())} of {points:,} are on the front",
    )
