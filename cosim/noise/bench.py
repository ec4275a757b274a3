"""Speed of injection and encoding on one core, each figure with its ratio to the naive numpy form.

Throughput counts stored bits of an FP16 tensor of 32 MiB by processor time (the best of several passes, each with its
own random stream, after one that compiles). The naive forms draw one random number a bit or cell; they run on a slice,
as their cost a bit does not depend on the size.
"""

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from cosim.ir.bench_row import BenchRow
from cosim.noise.channels import PatternErrors, UniformFlips
from cosim.noise.formats import FP16
from cosim.noise.inject import Channel, Stream, inject
from cosim.noise.patterns import pattern_histogram
from cosim.noise.schemes import scheme

Halfs = npt.NDArray[np.uint16]
WORDS = 1 << 24
NAIVE_WORDS = 1 << 19
REPEATS = 7


def weight_words(count: int, seed: int = 1) -> Halfs:
    """Words of ``count`` half-precision weights from N(0, 0.03)."""
    values = np.random.default_rng(seed).standard_normal(count, dtype=np.float32) * np.float32(0.03)
    return values.astype(np.float16).view(np.uint16)


def naive_uniform(words: Halfs, rate: float, seed: int) -> Halfs:
    """A Bernoulli draw for every bit, packed into masks."""
    flips = np.random.default_rng(seed).random(words.size * 16, dtype=np.float32) < rate
    return words ^ np.packbits(flips, bitorder="little").view(np.uint16)


def naive_pattern(words: Halfs, rates: tuple[float, ...], seed: int) -> Halfs:
    """A draw for every cell against the rate of its pattern, then a draw for the bit that flips."""
    rng = np.random.default_rng(seed)
    shifts = np.arange(0, 16, 2, dtype=np.uint16)
    cells = (words[:, None] >> shifts) & np.uint16(3)
    hit = rng.random(cells.shape, dtype=np.float32) < np.array(rates, np.float32)[cells]
    bit = np.where(rng.random(cells.shape, dtype=np.float32) < 0.5, 1, 2).astype(np.uint16)
    flips = np.where(hit, bit, 0).astype(np.uint16) << shifts
    return np.asarray(words ^ np.bitwise_or.reduce(flips, axis=1))


def naive_encode(words: Halfs) -> tuple[Halfs, npt.NDArray[np.int64]]:
    """Sign backup and the best of three forms per word, then pattern counts, one numpy pass a step."""
    backed = words | ((words >> np.uint16(15)) << np.uint16(14))
    low = backed & np.uint16(0x3FFF)
    turned = (backed & np.uint16(0xC000)) | (low >> np.uint16(1)) | ((low & np.uint16(1)) << np.uint16(13))
    tail = np.array([0, 0] + [3] * 6 + [12] * 6 + [15, 15], np.uint16)
    forms = np.stack([backed, turned, (backed & np.uint16(0xFFF0)) | tail[backed & np.uint16(15)]])
    hard = np.bitwise_count((forms ^ (forms >> np.uint16(1))) & np.uint16(0x5555))
    out = np.take_along_axis(forms, hard.argmin(axis=0)[None], axis=0)[0]
    cells = (out[:, None] >> np.arange(14, -1, -2, dtype=np.uint16)) & np.uint16(3)
    return out, np.stack([np.bincount(cells[:, k], minlength=4) for k in range(8)])


def _gbit_per_s(work: Callable[[int], object], words: int, repeats: int) -> float:
    """Best throughput of ``work(repetition)`` over ``words`` FP16 words [Gbit/s of processor time]."""
    work(0)
    best = float("inf")
    for repetition in range(1, repeats + 1):
        start = time.process_time_ns()
        work(repetition)
        best = min(best, max(time.process_time_ns() - start, 1))
    return words * 16 / best


def _row(name: str, work: Callable[[int], object], naive: Callable[[int], object], against: str) -> BenchRow:
    value = _gbit_per_s(work, WORDS, REPEATS)
    return BenchRow(name, value, "Gbit/s", value / _gbit_per_s(naive, NAIVE_WORDS, 2), against)


def _injection(name: str, channel: Channel, naive: Callable[[Halfs, int], object]) -> BenchRow:
    words = weight_words(WORDS)
    part = words[:NAIVE_WORDS].copy()
    return _row(
        name,
        lambda n: inject(words, FP16, [channel], Stream(n, "bench"), in_place=True),
        lambda n: naive(part, n),
        "numpy Bernoulli draw per bit" if isinstance(channel, UniformFlips) else "numpy draw per cell",
    )


def bench_uniform(rate: float) -> BenchRow:
    """Uniform flips at ``rate``."""
    name = f"inject_uniform_1e-{round(-np.log10(rate))}"
    return _injection(name, UniformFlips(rate), lambda w, n: naive_uniform(w, rate, n))


def bench_pattern(rate: float) -> BenchRow:
    """Errors in cells that hold 01 or 10, at ``rate`` a cell."""
    name = f"inject_pattern_1e-{round(-np.log10(rate))}"
    rates = (0.0, rate, rate, 0.0)
    return _injection(name, PatternErrors(rates), lambda w, n: naive_pattern(w, rates, n))


def bench_encode() -> BenchRow:
    """Sign backup, the best of {identity, rot14, round} for every word, and the pattern counts of the result."""
    words = weight_words(WORDS)
    part = words[:NAIVE_WORDS].copy()
    encoding = scheme("hybrid", 1)

    def work(_: int) -> object:
        return pattern_histogram(encoding.encode(words, FP16).words, FP16)

    return _row("encode", work, lambda _: naive_encode(part), "numpy, one pass a step")


def inject_uniform_1e_4() -> BenchRow:
    """Uniform flips at a bit error rate of 1e-4."""
    return bench_uniform(1e-4)


def inject_uniform_1e_2() -> BenchRow:
    """Uniform flips at a bit error rate of 1e-2."""
    return bench_uniform(1e-2)


def inject_pattern_1e_4() -> BenchRow:
    """Errors of hard cells at 1e-4 a cell."""
    return bench_pattern(1e-4)


def inject_pattern_1e_2() -> BenchRow:
    """Errors of hard cells at 1e-2 a cell."""
    return bench_pattern(1e-2)


BENCHES: dict[str, Callable[[], BenchRow]] = {
    "inject_uniform_1e-4": inject_uniform_1e_4,
    "inject_uniform_1e-2": inject_uniform_1e_2,
    "inject_pattern_1e-4": inject_pattern_1e_4,
    "inject_pattern_1e-2": inject_pattern_1e_2,
    "encode": bench_encode,
}
