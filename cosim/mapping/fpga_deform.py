"""Deformable gathers operator by operator: which addresses each variant reads, and what its buffer makes of
them.

The variants restrict the learned offsets one after the other (Huang et al., CoDeNet, arXiv 2006.08357 v1,
section 3.2): ``deform`` any integer offset, ``bound`` clipped to 0 .. N, ``square`` one value a position that
dilates the 3 x 3 kernel; all rounded to integers. A regular convolution is the square variant of offset 0.

Without a bound no line buffer can hold what may be read: every sample is a random read of the memory. With it
2N + 1 rows (square), or -1 to N + 1, suffice. Without the square nothing says in which row a sample lies,
so the buffer is one memory of two ports; with it the nine samples lie in three rows, which are three banks.

    gather = sum over groups of cycles / clock                 bounded (eq. 1 of cosim.kernels.deform_gather)
    gather = samples * random_read_ns                          unbounded                            (eq. 1)
    time = max(multiply, gather) bounded;  multiply + gather unbounded (the reads stall the engine)  (eq. 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cosim.kernels.deform_gather import bank_cycles, cache_misses, outside_window

Variant = Literal["regular", "deform", "bound", "square"]
VARIANTS: tuple[Variant, ...] = ("regular", "deform", "bound", "square")
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Operator:
    """A 3 x 3 operator on a map of ``rows`` x ``cols`` with ``channels`` in and ``filters`` out.

    ``depthwise`` multiplies each channel with its own kernel, ``lanes`` channels at a time.
    """

    rows: int
    cols: int
    channels: int
    filters: int
    depthwise: bool
    lanes: int = 16

    @property
    def groups(self) -> int:
        """Positions times channel blocks: one gather of nine samples each."""
        return self.rows * self.cols * (self.channels // self.lanes)

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.rows * self.cols * self.channels * 9 * (1 if self.depthwise else self.filters)


@dataclass(frozen=True)
class Gather:
    """What a variant costs: cycles of the buffer, reads that pass it, misses behind an optional cache."""

    buffer_cycles: int
    random_reads: int
    window_misses: int
    cache_line_misses: int


def sample_positions(
    operator: Operator, variant: Variant, bound: int, seed: int, rounded: bool = True
) -> tuple[Rows, Rows]:
    """Rows and columns of the samples at every position, int64, clipped to the map.

    Shape (positions, 9), or (positions, 36) if offsets are not ``rounded``: a fractional position is weighed from
    its four neighbours. Offsets are drawn evenly: from the whole map for ``deform``, from 0 .. bound otherwise.
    """
    random = np.random.default_rng(seed)
    row, col = (a.reshape(-1, 1) for a in np.mgrid[0 : operator.rows, 0 : operator.cols])
    taps_r, taps_c = (t.reshape(1, 9) for t in np.mgrid[-1:2, -1:2])
    shape = (operator.rows * operator.cols, 9)
    if variant == "deform":
        add_r = random.integers(-operator.rows, operator.rows, shape)
        add_c = random.integers(-operator.cols, operator.cols, shape)
    elif variant == "bound":
        add_r, add_c = random.integers(0, bound + 1, shape), random.integers(0, bound + 1, shape)
    else:
        high = bound if variant == "square" else 0
        grow = random.integers(0, high + 1, (shape[0], 1))
        add_r, add_c = grow * taps_r, grow * taps_c
    rows, cols = row + taps_r + add_r, col + taps_c + add_c
    if not rounded:
        rows = np.concatenate([rows, rows, rows + 1, rows + 1], axis=1)
        cols = np.concatenate([cols, cols + 1, cols, cols + 1], axis=1)
    rows, cols = np.clip(rows, 0, operator.rows - 1), np.clip(cols, 0, operator.cols - 1)
    return rows.astype(np.int64), cols.astype(np.int64)


def buffer_of(variant: Variant, bound: int) -> tuple[int, int]:
    """(banks, ports) of the line buffer: rows as banks where the rows are known, else one memory of two
    ports."""
    return (1, 2) if variant == "bound" else (2 * bound + 1, 1)


def gather(
    operator: Operator,
    variant: Variant,
    bound: int = 7,
    seed: int = 0,
    cache_bytes: int = 1 << 20,
    ways: int = 16,
    line_bytes: int = 64,
    rounded: bool = True,
) -> Gather:
    """Simulate the gathers of a variant address by address.

    Clipping at the border can pile the samples of a position into fewer rows than the kernel has; such
    positions take longer, as they do in the buffer.
    """
    rows, cols = sample_positions(operator, variant, bound, seed, rounded)
    blocks = operator.channels // operator.lanes
    centre = np.repeat(np.arange(operator.rows, dtype=np.int64), operator.cols)
    missed = int(outside_window(rows, centre, bound + 1, bound + 1).sum())
    pixel = rows * operator.cols + cols
    lines_a_pixel = operator.channels // line_bytes
    lines = (pixel[:, :, None] * lines_a_pixel + np.arange(max(lines_a_pixel, 1))).reshape(-1)
    misses = int(cache_misses(lines.astype(np.int64), cache_bytes // (ways * line_bytes), ways, seed))
    if variant == "deform":
        return Gather(0, rows.size * blocks, missed * blocks, misses)
    banks, ports = buffer_of(variant, bound)
    return Gather(int(bank_cycles(rows, banks, ports).sum()) * blocks, 0, missed * blocks, misses)


def operator_s(
    operator: Operator,
    variant: Variant,
    clock_hz: float,
    macs_per_cycle: float,
    random_read_ns: float,
    bound: int = 7,
) -> float:
    """Time of a variant (eq. 2)."""
    found = gather(operator, variant, bound)
    multiply_s = operator.macs / macs_per_cycle / clock_hz
    if variant == "deform":
        regular = gather(operator, "regular", bound).buffer_cycles / clock_hz
        return max(multiply_s, regular) + found.random_reads * random_read_ns * 1e-9
    return max(multiply_s, found.buffer_cycles / clock_hz)
