"""Micro-benchmarks of the machine that the program runs on: clock, bandwidths, rates, cost of a call.

A figure is the best of repeated runs where it is a rate (other work on the machine only lowers it) and the median
where it is the time of a call.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

# Multiply (3 cycles) and add (1) in a chain of integers: the same latency on x86 cores since 2013.
CHAIN_CYCLES = 4


def samples_s(
    call: Callable[[], Any], budget_s: float, finish: Callable[[], Any] | None = None
) -> list[float]:
    """Seconds a call, one entry a sample; short calls are averaged over 50 us or more.

    ``finish`` waits for an asynchronous device; it is called once a sample.
    """
    end = finish or (lambda: None)
    for _ in range(3):
        call()
    end()
    start = time.perf_counter()
    call()
    end()
    once = max(time.perf_counter() - start, 1e-9)
    inner = max(1, math.ceil((50e-6 if finish is None else 2e-3) / once))
    found: list[float] = []
    stop = time.perf_counter() + budget_s
    while not found or (time.perf_counter() < stop and len(found) < 2000):
        start = time.perf_counter()
        for _ in range(inner):
            call()
        end()
        found.append((time.perf_counter() - start) / inner)
    return found


@cache
def _loops() -> tuple[Callable[[int], int], Callable[[Any, int], float]]:
    """(chain of dependent integer multiply-adds, repeated sum of an array), compiled when first used."""
    from numba import njit

    @njit  # type: ignore[untyped-decorator]
    def chain(steps: int) -> int:
        value = np.uint64(1)
        for _ in range(steps):
            # A square cannot be folded over several steps, as a linear step would be.
            value = value * value + np.uint64(1442695040888963407)
        return int(value)

    @njit(fastmath=True)  # type: ignore[untyped-decorator]
    def total(data: Any, repeats: int) -> float:
        out = np.float32(0.0)
        for _ in range(repeats):
            for index in range(data.size):
                out += data[index]
        return float(out)

    return chain, total


def clock_hz(budget_s: float) -> float:
    """Clock under load from a chain of dependent integer operations (Intel and AMD latencies)."""
    chain, _ = _loops()
    steps = 1_000_000
    return steps * CHAIN_CYCLES / min(samples_s(lambda: chain(steps), budget_s))


def read_bytes_per_s(size_bytes: int, budget_s: float) -> float:
    """Bandwidth of one core that reads an array of ``size_bytes`` over and over."""
    _, total = _loops()
    data = np.ones(size_bytes // 4, dtype=np.float32)
    repeats = max(1, (1 << 22) // size_bytes)
    return repeats * data.nbytes / min(samples_s(lambda: total(data, repeats), budget_s))


def matmul_flops_per_s(device: str, dtype: str, size: int, budget_s: float) -> float:
    """Rate of a square matrix product of the framework."""
    import torch

    kind = {"fp32": torch.float32, "fp16": torch.float16}[dtype]
    left, right = (torch.randn(size, size, dtype=kind, device=device) for _ in range(2))
    return 2.0 * size**3 / min(samples_s(lambda: torch.mm(left, right), budget_s, finish_of(device)))


def conv_flops_per_s(budget_s: float) -> float:
    """Rate of a 3x3 convolution of 256 channels on 14x14 in FP32, channels innermost, on the processor."""
    import torch
    from torch.nn import functional as F

    memory = torch.channels_last
    x = torch.randn(1, 256, 14, 14).to(memory_format=memory)
    w = torch.randn(256, 256, 3, 3).to(memory_format=memory)
    flops = 2.0 * 256 * 256 * 9 * 14 * 14
    return flops / min(samples_s(lambda: F.conv2d(x, w, None, 1, 1), budget_s))


def call_s(call: Callable[[], Any], budget_s: float) -> float:
    """Median time of a call."""
    return statistics.median(samples_s(call, budget_s))


def finish_of(device: str) -> Callable[[], Any] | None:
    """What waits for the device: nothing on a processor."""
    if device == "cpu":
        return None
    import torch

    return torch.cuda.synchronize


def copy_bytes_per_s(size_bytes: int, budget_s: float) -> float:
    """Bytes read and written a second by a copy on the GPU."""
    import torch

    source = torch.empty(size_bytes // 4, dtype=torch.float32, device="cuda")
    target = torch.empty_like(source)
    return 2.0 * size_bytes / min(samples_s(lambda: target.copy_(source), budget_s, torch.cuda.synchronize))


def launch_gap_s(budget_s: float, kernels: int = 500) -> float:
    """Time from one tiny kernel to the next in a replayed CUDA graph."""
    import torch

    value = torch.zeros(32, device="cuda")
    value.add_(1.0)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(kernels):
            value.add_(1.0)
    return min(samples_s(graph.replay, budget_s, torch.cuda.synchronize)) / kernels


def eager_s(budget_s: float, kernels: int = 500) -> float:
    """Time of the host for one operator of an eager loop whose kernels are tiny."""
    import torch

    value = torch.zeros(32, device="cuda")

    def loop() -> None:
        for _ in range(kernels):
            value.add_(1.0)

    return min(samples_s(loop, budget_s, torch.cuda.synchronize)) / kernels
