"""What each fold of a systolic array loads and stores: :mod:`cosim.mapping.array_schedule`, fold by fold.

The closed form spreads the traffic of a layer evenly over its folds. In truth a strip is loaded when it is needed
first and stays while it is held, so the first folds of a strip load much and the others nothing. Here they stand in
order, run by run; summed over all folds they are the bits of the schedule, exactly.

Output stationary, rows outermost (columns outermost: the same with the operands exchanged):

    for block of strips of X that are held together:                (blocks of one where no strip is held)
      for strip of W:  for strip of X in the block:  one fold
    X strips are loaded with the first strip of W (with every one where none is held), W strips with the first strip
    of X of a block (of the first block only, where all of W is held), results leave with every fold.       (Eq. 1)

Weight stationary (input stationary: the operands exchanged):

    for piece of the stream:  for column fold:  for row fold:  one fold
    X is loaded with the first column fold of a piece (with each where the piece is not held), the stationary tile with
    every fold (of the first piece only, where all of W is held). Results stream out during the last row fold, beside
    what the next fold loads; those of the very last fold stand with the first.                              (Eq. 2)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.mapping.array_schedule import Gemm, Machine, fold_order, stream_cut
from cosim.mapping.folds import Dataflow

Counts = NDArray[np.int64]
Bits = NDArray[np.float64]


@dataclass(frozen=True)
class FoldRun:
    """Folds in order: ``counts`` (K,) of each kind in a row, ``bits`` (K,) through the outer memory with one of them,
    the whole ``repeats`` times."""

    counts: Counts
    bits: Bits
    repeats: int

    @property
    def folds(self) -> int:
        """Folds of all repetitions."""
        return int(self.counts.sum()) * self.repeats

    @property
    def total_bits(self) -> float:
        """Bits of all repetitions."""
        return float(self.counts @ self.bits) * self.repeats


def fold_loads(gemm: Gemm, machine: Machine, dataflow: Dataflow) -> tuple[FoldRun, ...]:
    """The folds of one group of a single layer on a single design, arrays of one element."""
    if dataflow is Dataflow.OS:
        return _output_stationary(gemm, machine)
    if dataflow is Dataflow.WS:
        return _weight_stationary(gemm, machine)
    return _weight_stationary(gemm.transposed(), machine.transposed())


def _one(value: object) -> float:
    return float(np.ravel(np.asarray(value))[0])


def _run(parts: list[tuple[int, float]], repeats: int) -> FoldRun:
    kept = [(count, bits) for count, bits in parts if count > 0]
    return FoldRun(
        np.array([count for count, _ in kept], dtype=np.int64), np.array([bits for _, bits in kept]), repeats
    )


def _output_stationary(gemm: Gemm, machine: Machine) -> tuple[FoldRun, ...]:
    """Eq. 1."""
    order = fold_order(gemm, machine)
    rows, cols = int(_one(order.row_folds)), int(_one(order.col_folds))
    by_rows = bool(_one(order.rows_outermost))
    outer, inner = (rows, cols) if by_rows else (cols, rows)
    x_bits, w_bits = _one(gemm.x * machine.x_bits), _one(gemm.w * machine.w_bits)
    outer_bits, inner_bits = (x_bits, w_bits) if by_rows else (w_bits, x_bits)
    block = int(_one(order.x_block if by_rows else order.w_block))
    outer_held = _one(order.x_outer if by_rows else order.w_outer) == 1.0 or inner == 1
    inner_reads = int(_one(order.w_inner if by_rows else order.x_inner))
    a, b = outer_bits / outer, inner_bits / inner
    y = _one(gemm.y * machine.y_bits) / (rows * cols)

    def blocks(size: int, loads_inner: bool, repeats: int) -> list[FoldRun]:
        new = b if loads_inner else 0.0
        again = 0.0 if outer_held else a
        parts = [(1, a + new + y), (size - 1, a + y)]
        parts += [(1, again + new + y), (size - 1, again + y)] * (inner - 1)
        return [_run(parts, repeats)] if repeats and size else []

    if (
        inner_reads == 1 and block < outer
    ):  # all of the inner operand is held: it is loaded with the first strip
        return (*blocks(1, True, 1), *blocks(1, False, outer - 1))
    size = min(block, outer) if outer_held else 1
    full, rest = divmod(outer, size)
    return (*blocks(size, True, full), *blocks(rest, True, 1 if rest else 0))


def _weight_stationary(gemm: Gemm, machine: Machine) -> tuple[FoldRun, ...]:
    """Eq. 2."""
    cut = stream_cut(gemm, machine)
    pieces = int(_one(cut.pieces))
    row_folds, col_folds = (
        int(np.ceil(_one(size) / _one(side)))
        for size, side in ((gemm.k, machine.rows), (gemm.n, machine.cols))
    )
    x = _one(gemm.x * machine.x_bits) / (pieces * row_folds)
    w = _one(gemm.w * machine.w_bits) / (row_folds * col_folds)
    y = _one(gemm.y * machine.y_bits) / (pieces * col_folds)
    again = x if _one(cut.x_factor) > 1.0 else 0.0

    def piece(tile: float, repeats: int) -> list[FoldRun]:
        parts = [(1, x + tile + y), (row_folds - 1, x + tile)]
        parts += [(1, again + tile + y), (row_folds - 1, again + tile)] * (col_folds - 1)
        return [_run(parts, repeats)] if repeats else []

    if _one(cut.w_factor) > 1.0 or pieces == 1:
        return tuple(piece(w, pieces))
    return (*piece(w, 1), *piece(0.0, pieces - 1))
