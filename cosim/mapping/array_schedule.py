"""How a layer passes through a systolic array with three double-buffered operand buffers: folds and traffic.

Half of each buffer feeds the array while the other half is filled, so a tile may use half the capacity.
What is held is read from the outermost memory once; what is not held is read again for every fold that
needs it.

Output stationary (rows M, columns N, stream K). Either the row folds or the column folds go outermost,
whichever moves fewer bytes, b of them at a time, as many as are held:

    rows outermost: X_reads = X * (1 if the strip of one row fold is held else F_c)
                    W_reads = W * (1 if all of W is held else ceil(F_r / b)), b >= 1             (eq. 1)
    columns outermost: the same with the roles of X and W exchanged                              (eq. 2)

Weight stationary (rows K, columns N, stream M) accumulates over the row folds. With more than one of them the
stream is cut into t pieces so that the partial sums of one piece and one column fold stay in the output
buffer, and the stationary tiles are loaded again for each piece:

    t = ceil(M * min(cols, N) / A) if F_r > 1 else 1,   A = accumulators in half the output buffer   (eq. 3)
    X_reads = X * (1 if X / t is held or F_c = 1 else F_c)                                       (eq. 4)
    W_reads = W * (1 if all of W is held else t)                                                 (eq. 5)
    cycles = F_r * F_c * (M + t * (fold_cycles - stream))                                        (eq. 6)

It is cut finer, so that X / t is held, where the greater of the array's and the memory's time comes out less.

Input stationary is weight stationary with X and W, M and N exchanged. Results leave once. X counts the
elements of the feature map, not of the im2col matrix: the address generator replicates on the chip, and a
strip of rows holds its share of the map (halo rows between neighbouring strips are kept).

The cycles of a fold are those of :mod:`cosim.mapping.folds` (Samajdar et al., ISPASS 2020,
doi:10.1109/ISPASS48437.2020.00016; SCALE-Sim 3.0.0). The traffic rule is this project's.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from cosim.components.params import Value
from cosim.ir.batch import Array, LayerBatch, Mask
from cosim.mapping.folds import CyclePolicy, Dataflow, fold_cycles


@dataclass(frozen=True)
class Gemm:
    """Matrix products of the layers, shape (L,), sizes at least 1 (``g`` is 0 where a layer has no products).

    ``x``, ``w``, ``y`` are the distinct elements of one group in the outermost memory.
    """

    g: Array
    m: Array
    n: Array
    k: Array
    x: Array
    w: Array
    y: Array

    @classmethod
    def of(cls, layers: LayerBatch, outside: Array | None = None) -> Gemm:
        """The products of a batch; static weights count without their bias.

        ``outside`` is 1 where input and result pass the outermost memory, 0 where they stay on the chip.
        """
        g, m, n, k = (
            layers.gemm_g,
            *(np.maximum(d, 1.0) for d in (layers.gemm_m, layers.gemm_n, layers.gemm_k)),
        )
        per_group = 1.0 / np.maximum(g, 1.0)
        if outside is not None:
            per_group = per_group * outside
        return cls(g, m, n, k, layers.x_elems * per_group, n * k, layers.y_elems * per_group)

    def transposed(self) -> Gemm:
        """Y^T = W^T X^T: the product with the operands exchanged."""
        return Gemm(self.g, self.n, self.m, self.k, self.w, self.x, self.y)


@dataclass(frozen=True)
class Machine:
    """What the schedule needs to know of the array; numbers or (points, 1) arrays.

    ``x_hold, w_hold, acc_hold``: elements of the input, the second operand and the accumulators that half of
    their buffer takes. ``x_bits, w_bits, y_bits``: widths in the outermost memory, which moves
    ``bits_per_cycle`` in a cycle of the array. ``grid_rows`` x ``grid_cols`` equal arrays share the buffers; each
    takes a chunk of both spatial dimensions, and partial sums of chunks along the reduction meet in the output
    buffer.
    """

    rows: Value
    cols: Value
    x_hold: Value
    w_hold: Value
    acc_hold: Value
    x_bits: Value
    w_bits: Value
    y_bits: Value
    bits_per_cycle: Value
    policy: CyclePolicy
    grid_rows: Value = 1.0
    grid_cols: Value = 1.0

    def transposed(self) -> Machine:
        """The machine as the exchanged product sees it."""
        return replace(self, x_hold=self.w_hold, w_hold=self.x_hold, x_bits=self.w_bits, w_bits=self.x_bits)

    def own_folds(self, size_rows: Array, size_cols: Array, folds: Array) -> Array:
        """Folds of the array with the most work; ``folds`` are those of one array for everything."""
        if isinstance(self.grid_rows, float) and self.grid_rows == 1.0 == self.grid_cols:
            return folds
        chunk_rows, chunk_cols = np.ceil(size_rows / self.grid_rows), np.ceil(size_cols / self.grid_cols)
        return np.asarray(np.ceil(chunk_rows / self.rows) * np.ceil(chunk_cols / self.cols))

    @property
    def elements(self) -> Value:
        """Processing elements of all arrays."""
        return self.rows * self.cols * (self.grid_rows * self.grid_cols)


@dataclass(frozen=True)
class Schedule:
    """Counts for the whole layer (all groups); elements unless named otherwise, shape (points, L).

    x_reads, w_reads:   elements read from the outermost memory (each written to its buffer once)
    x_feeds, w_feeds:   elements read from the buffers into the array
    psum_words:         accumulator words written to the output buffer, and as many read: all but the last of
                        each to be accumulated further, the last to leave
    edge_bits:          bits of the first tiles in and of the last results out: nothing runs beside them
    slowest:            cycles of the slower of array (first and last tiles included) and outermost memory
    x_tile, w_tile, acc_tile: what half of each buffer must take at least: the stationary tile, one vector of
                        a streamed operand, one row of accumulators. The array starts when x_tile and w_tile
                        have arrived.
    """

    cycles: Array
    folds: Array
    mapping_efficiency: Array
    x_reads: Array
    w_reads: Array
    x_feeds: Array
    w_feeds: Array
    psum_words: Array
    edge_bits: Array
    slowest: Array
    x_tile: Array
    w_tile: Array
    acc_tile: Array

    def exchanged(self) -> Schedule:
        """The schedule of the exchanged product, named for the original one."""
        return replace(
            self,
            x_reads=self.w_reads,
            w_reads=self.x_reads,
            x_feeds=self.w_feeds,
            w_feeds=self.x_feeds,
            x_tile=self.w_tile,
            w_tile=self.x_tile,
        )


def _once_if(held: Mask, otherwise: Array) -> Array:
    """1 where an operand is held, else the number of times it is read."""
    return np.where(held, 1.0, otherwise)


@dataclass(frozen=True)
class FoldOrder:
    """Output stationary: how often each operand is read, by either loop order; see eq. 1 and 2.

    ``x_block``, ``w_block``: strips held at once; ``x_outer``, ``w_inner``: reads with the row folds outermost,
    ``x_inner``, ``w_outer`` with the column folds outermost; ``bits`` of the better of the two, one group.
    """

    row_folds: Array
    col_folds: Array
    x_block: Array
    w_block: Array
    x_outer: Array
    w_inner: Array
    x_inner: Array
    w_outer: Array
    rows_outermost: Mask
    bits: Array


def fold_order(gemm: Gemm, machine: Machine) -> FoldOrder:
    """Eq. 1 and 2."""
    row_folds, col_folds = np.ceil(gemm.m / machine.rows), np.ceil(gemm.n / machine.cols)
    x_strip = gemm.x * (np.minimum(gemm.m, machine.rows) / gemm.m)
    w_strip = gemm.w * (np.minimum(gemm.n, machine.cols) / gemm.n)
    x_block = np.maximum(np.floor(machine.x_hold / np.maximum(x_strip, 1.0)), 1.0)
    w_block = np.maximum(np.floor(machine.w_hold / np.maximum(w_strip, 1.0)), 1.0)
    x_outer = _once_if(x_strip <= machine.x_hold, col_folds)
    w_inner = _once_if(gemm.w <= machine.w_hold, np.ceil(row_folds / x_block))
    x_inner = _once_if(gemm.x <= machine.x_hold, np.ceil(col_folds / w_block))
    w_outer = _once_if(w_strip <= machine.w_hold, row_folds)
    x_bits, w_bits = gemm.x * machine.x_bits, gemm.w * machine.w_bits
    by_rows, by_cols = x_bits * x_outer + w_bits * w_inner, x_bits * x_inner + w_bits * w_outer
    return FoldOrder(
        row_folds, col_folds, x_block, w_block, x_outer, w_inner, x_inner, w_outer,
        by_rows <= by_cols, np.minimum(by_rows, by_cols),
    )  # fmt: skip


def _output_stationary(gemm: Gemm, machine: Machine) -> Schedule:
    """Eq. 1 and 2."""
    g, m, n, k = gemm.g, gemm.m, gemm.n, gemm.k
    rows, cols = machine.rows, machine.cols
    used_rows, used_cols = np.minimum(m, rows), np.minimum(n, cols)
    order = fold_order(gemm, machine)
    row_folds, col_folds = order.row_folds, order.col_folds
    folds = row_folds * col_folds
    own = machine.own_folds(m, n, folds)
    per_fold = fold_cycles(k, rows, cols, Dataflow.OS, machine.policy)
    cycles = _all_folds(g * own, per_fold, k, rows, machine.policy)
    edge_bits = _edge_bits(gemm, machine, used_rows, used_cols, used_rows * used_cols)
    memory = g * (order.bits + gemm.y * machine.y_bits)
    return Schedule(
        cycles=cycles,
        folds=g * folds,
        mapping_efficiency=np.minimum(g, 1.0) * m * n / (own * machine.elements),
        x_reads=g * gemm.x * np.where(order.rows_outermost, order.x_outer, order.x_inner),
        w_reads=g * gemm.w * np.where(order.rows_outermost, order.w_inner, order.w_outer),
        x_feeds=g * (m * k) * col_folds,
        w_feeds=g * (n * k) * row_folds,
        psum_words=g * (m * n),
        edge_bits=edge_bits,
        slowest=np.maximum(cycles + edge_bits / machine.bits_per_cycle, memory / machine.bits_per_cycle),
        x_tile=used_rows,
        w_tile=used_cols,
        acc_tile=used_cols,
    )


def stream_cut(gemm: Gemm, machine: Machine) -> StreamCut:
    """Eq. 3 to 6, the stream cut for the accumulators or finer for the streamed operand."""
    row_folds, col_folds = np.ceil(gemm.k / machine.rows), np.ceil(gemm.n / machine.cols)
    used_rows, used_cols = np.minimum(gemm.k, machine.rows), np.minimum(gemm.n, machine.cols)
    coarse = np.where(
        row_folds > 1.0, np.minimum(np.ceil(gemm.m * used_cols / machine.acc_hold), gemm.m), 1.0
    )
    fine = np.minimum(np.maximum(np.ceil(gemm.x / machine.x_hold), coarse), gemm.m)
    own = gemm.g * machine.own_folds(gemm.k, gemm.n, row_folds * col_folds)
    held = gemm.w <= machine.w_hold
    edges = _edge_bits(gemm, machine, used_rows, used_rows * used_cols, used_cols) / machine.bits_per_cycle
    options = [_cut(gemm, machine, pieces, own, col_folds, held, edges) for pieces in (coarse, fine)]
    finer = options[1].slowest < options[0].slowest
    return StreamCut(
        **{
            field.name: np.where(finer, getattr(options[1], field.name), getattr(options[0], field.name))
            for field in fields(StreamCut)
        }
    )


def _weight_stationary(gemm: Gemm, machine: Machine) -> Schedule:
    """Eq. 3 to 6."""
    n, k = gemm.n, gemm.k
    row_folds, col_folds = np.ceil(k / machine.rows), np.ceil(n / machine.cols)
    used_rows, used_cols = np.minimum(k, machine.rows), np.minimum(n, machine.cols)
    own = gemm.g * machine.own_folds(k, n, row_folds * col_folds)
    tile = used_rows * used_cols
    cut = stream_cut(gemm, machine)
    return Schedule(
        cycles=cut.cycles,
        folds=gemm.g * (row_folds * col_folds * cut.pieces),
        mapping_efficiency=gemm.g * n * k / (np.maximum(own, 1.0) * machine.elements),
        x_reads=gemm.g * gemm.x * cut.x_factor,
        w_reads=gemm.g * gemm.w * cut.w_factor,
        x_feeds=gemm.g * (gemm.m * k) * col_folds,
        w_feeds=gemm.g * (n * k) * cut.pieces,
        psum_words=gemm.g * (gemm.m * n) * row_folds,
        edge_bits=_edge_bits(gemm, machine, used_rows, tile, used_cols),
        slowest=cut.slowest,
        x_tile=used_rows,
        w_tile=tile,
        acc_tile=used_cols,
    )


@dataclass(frozen=True)
class StreamCut:
    """Weight stationary: a stream cut into pieces, how often each operand is read, cycles of all groups.

    ``slowest``: the greater of array time (first and last tile too) and memory time.
    """

    pieces: Array
    cycles: Array
    x_factor: Array
    w_factor: Array
    slowest: Array


def _cut(
    gemm: Gemm, machine: Machine, pieces: Array, own: Array, col_folds: Array, held: Mask, edges: Array
) -> StreamCut:
    stream = gemm.m / pieces
    per_fold = fold_cycles(stream, machine.rows, machine.cols, Dataflow.WS, machine.policy)
    cycles = _all_folds(own * pieces, per_fold, stream, machine.rows, machine.policy)
    x_factor = _once_if(gemm.x <= pieces * machine.x_hold, col_folds)
    w_factor = _once_if(held, pieces)
    bits = gemm.x * machine.x_bits * x_factor + gemm.w * machine.w_bits * w_factor + gemm.y * machine.y_bits
    memory = gemm.g * bits / machine.bits_per_cycle
    return StreamCut(pieces, cycles, x_factor, w_factor, np.maximum(cycles + edges, memory))


def _edge_bits(gemm: Gemm, machine: Machine, x_tile: Array, w_tile: Array, y_tile: Array) -> Array:
    first = np.minimum(x_tile, gemm.x) * machine.x_bits + np.minimum(w_tile, gemm.w) * machine.w_bits
    return np.asarray(np.minimum(gemm.g, 1.0) * (first + np.minimum(y_tile, gemm.y) * machine.y_bits))


def _all_folds(folds: Array, per_fold: Array, stream: Array, rows: Value, policy: CyclePolicy) -> Array:
    """Folds one after the other, or with the fill of each hidden behind the one before."""
    if not policy.overlap_fill:
        return np.asarray(folds * per_fold)
    return np.asarray(np.where(folds > 0.0, per_fold + (folds - 1.0) * np.maximum(stream, rows), 0.0))


def schedule(gemm: Gemm, machine: Machine, dataflow: Dataflow) -> Schedule:
    """The schedule of every layer under one dataflow."""
    if dataflow is Dataflow.OS:
        return _output_stationary(gemm, machine)
    if dataflow is Dataflow.WS:
        return _weight_stationary(gemm, machine)
    return _weight_stationary(gemm.transposed(), machine.transposed()).exchanged()


def choose(mask: Mask, first: Schedule, second: Schedule) -> Schedule:
    """``first`` where the mask holds, ``second`` elsewhere."""
    return Schedule(
        **{f.name: np.where(mask, getattr(first, f.name), getattr(second, f.name)) for f in fields(Schedule)}
    )


def legal(run: Schedule, machine: Machine) -> Mask | None:
    """Where the smallest tile fits half of every buffer; None if it does everywhere, whatever the layer."""
    largest = np.max(np.asarray(machine.rows) * machine.cols)
    if largest <= min(np.min(machine.x_hold), np.min(machine.w_hold), np.min(machine.acc_hold)):
        return None
    fits = (run.x_tile <= machine.x_hold) & (run.w_tile <= machine.w_hold)
    return np.asarray(fits & (run.acc_tile <= machine.acc_hold))
