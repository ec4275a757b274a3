"""The cycle-level simulation of an array, in PE-cycles a second."""

from __future__ import annotations

import time

import numpy as np

from cosim.ir.bench_row import BenchRow
from cosim.mapping.cycle_level import simulate_gemm

SIDE = 32
M, N, K = 512, 512, 512
NAIVE = 24


def cycle_simulation() -> BenchRow:
    """Every PE of a 32 x 32 array in every cycle, all three dataflows, against the same kernel as plain Python.

    The plain form runs a smaller product, because it is slow; both are rates.
    """
    rng = np.random.default_rng(0)
    a = rng.integers(-8, 8, (M, K), dtype=np.int32)
    b = rng.integers(-8, 8, (K, N), dtype=np.int32)
    flows = ("os", "ws", "is")
    for flow in flows:
        simulate_gemm(a[:40, :40], b[:40, :40], SIDE, SIDE, flow)
    pe_cycles = 0
    start = time.process_time()
    for flow in flows:
        run = simulate_gemm(a, b, SIDE, SIDE, flow)
        pe_cycles += run.pe_cycles
    rate = pe_cycles / (time.process_time() - start)
    if not (run.product == a @ b).all():
        raise ArithmeticError("the simulated array does not compute the matrix product")
    naive = _plain_python_rate(a[:NAIVE, :NAIVE], b[:NAIVE, :NAIVE])
    return BenchRow(
        "cycle_simulation",
        rate / 1e6,
        "million PE-cycles / s of CPU",
        rate / naive,
        "every PE of every cycle in plain Python",
    )


def _plain_python_rate(a: np.ndarray, b: np.ndarray) -> float:
    """PE-cycles a second of an output-stationary array simulated with nested Python loops."""
    left, right = a.tolist(), b.tolist()
    m, k, n = len(left), len(right), len(right[0])
    sums = [[0] * n for _ in range(m)]
    cycles = m + n + k - 2
    start = time.process_time()
    for cycle in range(cycles):
        for i in range(m):
            for j in range(n):
                step = cycle - i - j
                if 0 <= step < k:
                    sums[i][j] += left[i][step] * right[step][j]
    return cycles * m * n / (time.process_time() - start)
