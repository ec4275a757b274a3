"""Closed forms of a systolic array: folds, cycles, utilisation and SRAM accesses of a GEMM.

A GEMM of M x K times K x N runs on an array of ``rows`` x ``cols`` processing elements. Two of its dimensions
are laid over the array (``spatial_rows``, ``spatial_cols``) and folded where they exceed it, the third one
streams through:

========================  ======  ======  ======
dataflow                  rows    cols    stream
========================  ======  ======  ======
output stationary (os)    M       N       K
weight stationary (ws)    K       N       M
input stationary (is)     K       M       N
========================  ======  ======  ======

One fold takes (eq. 1)

    fold_cycles = stream + skew * (rows + cols - 2) + fixed * rows

where ``fixed`` is 1 for ws and is (the stationary operand is shifted in row by row) and, for os, 1 only
with ``os_drain`` (the results are shifted out row by row instead of leaving over a bus for each column).
Without ``overlap_fill`` the folds follow one another (eq. 2); with it the fill of a fold hides behind the
fold before, as in an array that holds a spare weight tile (eq. 3):

    total_cycles = folds * fold_cycles                                        (eq. 2)
    total_cycles = fold_cycles + (folds - 1) * max(stream, rows)              (eq. 3)

The defaults (no drain, no overlap, skewed operands) are those of the released SCALE-Sim v2 and v3; the model
of the paper counts the drain as well.

Every function takes scalars or NumPy arrays of any mutually broadcastable shape. Integers stay 64-bit
integers, floating-point input stays float64; counts are exact below 2**52. Nothing checks for positive sizes
here: sizes are validated where they enter the program.

Sources: Samajdar et al., "A Systematic Methodology for Characterizing Scalability of DNN Accelerators using
SCALE-Sim", ISPASS 2020, doi:10.1109/ISPASS48437.2020.00016 (eq. 1 with drain, partitions); SCALE-Sim 3.0.0
(defaults); Jouppi et al., ISCA 2017, doi:10.1145/3079856.3080246 (hidden weight shift).
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Number = int | float | np.integer[Any] | np.floating[Any] | Array


class Dataflow(IntEnum):
    """The operand that stays in the processing elements."""

    OS = 0
    WS = 1
    IS = 2


DataflowLike = Dataflow | str | int | Array


@dataclass(frozen=True, slots=True)
class CyclePolicy:
    """Conventions of the cycle count; the defaults are SCALE-Sim's.

    os_drain: output-stationary results are shifted out through the rows, ``rows`` cycles after each fold.
    overlap_fill: fills and drains hide behind the neighbouring fold (eq. 3).
    skew: operands enter as a diagonal wave; False models operands broadcast to all elements at once.
    """

    os_drain: bool = False
    overlap_fill: bool = False
    skew: bool = True


SCALESIM_POLICY = CyclePolicy()
ISPASS_POLICY = CyclePolicy(os_drain=True)


class Folding(NamedTuple):
    """How a GEMM lies on the array; all fields in elements or folds, broadcast to the shape of the inputs."""

    spatial_rows: Array
    spatial_cols: Array
    stream: Array
    row_folds: Array
    col_folds: Array


class SramCounts(NamedTuple):
    """Words moved between the array and its three buffers.

    psum_reads is what a buffer that accumulates partial sums has to read back; SCALE-Sim never counts it.
    """

    ifmap_reads: Array
    filter_reads: Array
    ofmap_writes: Array
    psum_reads: Array


class GemmCounts(NamedTuple):
    """All figures of one GEMM on one array, see :func:`evaluate_gemm`."""

    folding: Folding
    fold_cycles: Array
    total_cycles: Array
    reported_total_cycles: Array
    macs: Array
    mapping_efficiency: Array
    utilization: Array
    sram: SramCounts


def dataflow_named(name: str) -> Dataflow:
    """The dataflow of that name, in either case.

    Raises ValueError for an unknown name, with what is allowed and the nearest spelling.
    """
    if name.strip().upper() in Dataflow.__members__:
        return Dataflow[name.strip().upper()]
    near = difflib.get_close_matches(name.strip().lower(), ["os", "ws", "is"], n=1, cutoff=0.3)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"unknown dataflow {name!r}; allowed: os, ws, is{hint}")


def parse_dataflow(dataflow: DataflowLike) -> Dataflow | Array:
    """Return a member of :class:`Dataflow`, or an array of its codes where an array was given.

    Raises ValueError for an unknown name or code.
    """
    if isinstance(dataflow, str):
        return dataflow_named(dataflow)
    codes = np.asarray(dataflow)
    if codes.dtype.kind not in "iu" or bool(np.any((codes < 0) | (codes > 2))):
        raise ValueError(f"dataflow codes must be 0 (os), 1 (ws) or 2 (is), got {dataflow!r}")
    return Dataflow(int(codes)) if codes.ndim == 0 else codes


def widen(value: Number) -> Array:
    """Widen to int64 or float64 so that products of sizes do not overflow a narrow type."""
    array = np.asarray(value)
    wide = np.int64 if array.dtype.kind in "iub" else np.float64
    return array if array.dtype == wide else array.astype(wide)


def ceil_div(numerator: Array, denominator: Array) -> Array:
    """Smallest integer not below the quotient of two positive counts.

    In floating point the quotient is exact when it is whole, and otherwise lies at least 1/denominator above
    the next lower integer, which rounding cannot bridge below 2**52.
    """
    if numerator.dtype.kind == "f" or denominator.dtype.kind == "f":
        return np.ceil(numerator / denominator)
    quotient: Array = (numerator + (denominator - 1)) // denominator
    return quotient


def fold_gemm(m: Number, n: Number, k: Number, rows: Number, cols: Number, dataflow: DataflowLike) -> Folding:
    """Lay a GEMM over an array of rows x cols elements (table in the module docstring)."""
    m, n, k = widen(m), widen(n), widen(k)
    flow = parse_dataflow(dataflow)
    if isinstance(flow, Dataflow):
        spatial_rows = m if flow is Dataflow.OS else k
        spatial_cols = m if flow is Dataflow.IS else n
        stream = (k, m, n)[flow]
    else:
        is_os, is_is = flow == Dataflow.OS, flow == Dataflow.IS
        spatial_rows = np.where(is_os, m, k)
        spatial_cols = np.where(is_is, m, n)
        stream = np.where(is_os, k, np.where(is_is, n, m))
    return Folding(
        spatial_rows,
        spatial_cols,
        stream,
        ceil_div(spatial_rows, widen(rows)),
        ceil_div(spatial_cols, widen(cols)),
    )


def fold_cycles(
    stream: Number,
    rows: Number,
    cols: Number,
    dataflow: DataflowLike,
    policy: CyclePolicy = SCALESIM_POLICY,
) -> Array:
    """Cycles of one fold (eq. 1)."""
    flow = parse_dataflow(dataflow)
    rows = widen(rows)
    cycles: Array = widen(stream)
    if policy.skew:
        cycles = cycles + (rows + (widen(cols) - 2))
    if isinstance(flow, Dataflow):
        if flow is not Dataflow.OS or policy.os_drain:
            cycles = cycles + rows
    elif policy.os_drain:
        cycles = cycles + rows
    else:
        cycles = cycles + rows * (flow != Dataflow.OS)
    return cycles


def compute_cycles(
    m: Number,
    n: Number,
    k: Number,
    rows: Number,
    cols: Number,
    dataflow: DataflowLike,
    policy: CyclePolicy = SCALESIM_POLICY,
    repeats: Number = 1,
) -> Array:
    """Cycles of ``repeats`` equal GEMMs run one after the other, operands always ready (eq. 2 or 3).

    SCALE-Sim calls this the number of demand lines. The shortest way to a cycle count, meant for sweeps.
    """
    folding = fold_gemm(m, n, k, rows, cols, dataflow)
    per_fold = fold_cycles(folding.stream, rows, cols, dataflow, policy)
    return sum_folds(folding, per_fold, widen(rows), policy, repeats)


def sum_folds(
    folding: Folding,
    per_fold: Array,
    rows: Array,
    policy: CyclePolicy,
    repeats: Number = 1,
) -> Array:
    folds = folding.row_folds * folding.col_folds
    if not (isinstance(repeats, int) and repeats == 1):
        folds = folds * widen(repeats)
    hidden = policy.overlap_fill
    total: Array = per_fold + (folds - 1) * np.maximum(folding.stream, rows) if hidden else folds * per_fold
    return total


def reported_total_cycles(total_cycles: Number, stall_cycles: Number = 0) -> Array:
    """SCALE-Sim's ``total_cycles`` of one GEMM: the index of the last line, one less than their number."""
    reported: Array = widen(total_cycles) - 1 + widen(stall_cycles)
    return reported


def mapping_efficiency(folding: Folding, rows: Number, cols: Number) -> Array:
    """Share of processing elements that hold a used element, averaged over all folds; in (0, 1]."""
    covered = (folding.row_folds * widen(rows)) * (folding.col_folds * widen(cols))
    share: Array = folding.spatial_rows * folding.spatial_cols / covered
    return share


def utilization(macs: Number, rows: Number, cols: Number, total_cycles: Number) -> Array:
    """The utilisation used everywhere in this program: MACs / (elements * cycles), in [0, 1]."""
    return np.asarray(widen(macs) / (widen(rows) * widen(cols) * widen(total_cycles)))


def scalesim_compute_utilization(
    folding: Folding, rows: Number, cols: Number, dataflow: DataflowLike
) -> Array:
    """The column "compute util" as SCALE-Sim prints it (as a share, not in percent).

    For ws and is its denominator is cols - 1 cycles longer than the fold that it simulates, so the value
    comes out below its own "overall util". Kept for comparison only; use :func:`utilization`.
    """
    flow = parse_dataflow(dataflow)
    per_fold = fold_cycles(folding.stream, rows, cols, flow)
    not_os = np.asarray(flow != Dataflow.OS)
    denominator = per_fold + (widen(cols) - 1) * not_os
    share: Array = mapping_efficiency(folding, rows, cols) * folding.stream / denominator
    return share


def sram_counts(
    m: Number,
    n: Number,
    k: Number,
    folding: Folding,
    rows: Number,
    cols: Number,
    dataflow: DataflowLike,
    count_padding: bool = True,
) -> SramCounts:
    """Words read from and written to the three operand buffers.

    With ``count_padding`` the os output writes include the rows + cols empty slots per fold that SCALE-Sim
    counts; without it they are the M * N results. SCALE-Sim writes a partial sum for every row fold of ws and
    is and reads none back; the reads an accumulating buffer needs are given apart as ``psum_reads``.
    """
    flow = parse_dataflow(dataflow)
    m, n, k = widen(m), widen(n), widen(k)
    row_folds, col_folds = folding.row_folds, folding.col_folds
    mk, kn, mn = m * k, k * n, m * n
    padding = row_folds * col_folds * (widen(rows) + widen(cols)) if count_padding else np.int64(0) * mn
    if isinstance(flow, Dataflow):
        if flow is Dataflow.OS:
            return SramCounts(col_folds * mk, row_folds * kn, mn + padding, mn * 0 * row_folds)
        ifmap = col_folds * mk if flow is Dataflow.WS else mk * (row_folds * 0 + 1)
        weights = col_folds * kn if flow is Dataflow.IS else kn * (row_folds * 0 + 1)
        return SramCounts(ifmap, weights, row_folds * mn, (row_folds - 1) * mn)
    is_os, is_ws, is_is = flow == Dataflow.OS, flow == Dataflow.WS, flow == Dataflow.IS
    return SramCounts(
        np.where(is_is, mk, col_folds * mk),
        kn * np.where(is_os, row_folds, np.where(is_ws, 1, col_folds)),
        np.where(is_os, mn + padding, row_folds * mn),
        np.where(is_os, 0, (row_folds - 1) * mn),
    )


def evaluate_gemm(
    m: Number,
    n: Number,
    k: Number,
    rows: Number,
    cols: Number,
    dataflow: DataflowLike,
    policy: CyclePolicy = SCALESIM_POLICY,
    repeats: Number = 1,
) -> GemmCounts:
    """All counts of ``repeats`` equal GEMMs (the groups of a convolution) on one array.

    ``reported_total_cycles`` takes one cycle off for each repeat, because SCALE-Sim reports each GEMM as a
    layer of its own; MACs and SRAM words are totals over the repeats.
    """
    flow = parse_dataflow(dataflow)
    folding = fold_gemm(m, n, k, rows, cols, flow)
    per_fold = fold_cycles(folding.stream, rows, cols, flow, policy)
    total = sum_folds(folding, per_fold, widen(rows), policy, repeats)
    times = widen(repeats)
    macs = widen(m) * widen(n) * widen(k) * times
    sram = sram_counts(m, n, k, folding, rows, cols, flow)
    return GemmCounts(
        folding,
        per_fold,
        total,
        total - times,
        macs,
        mapping_efficiency(folding, rows, cols),
        utilization(macs, rows, cols, total),
        SramCounts(*(words * times for words in sram)),
    )
