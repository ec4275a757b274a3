"""Run a matrix product through the cycle-level simulation of a systolic array.

The result is the product, the cycles that the simulation took, and on request what left the array in every
cycle. The cycles equal the closed form of :mod:`cosim.mapping.folds`, which the simulation does not use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.kernels.systolic_cycles import simulate
from cosim.mapping.folds import SCALESIM_POLICY, CyclePolicy, Dataflow, dataflow_named

Values = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class CycleRun:
    """A simulated matrix product.

    product:   [M, N], in the type of the operands
    cycles:    cycles from the first operand or weight entering to the last slot leaving
    pe_cycles: cycles * rows * cols, the element updates that were simulated
    valid:     bool[cycles, cols], a result left column j in that cycle; no rows without trace
    value:     [cycles, cols], that result: an element of the product for os, a partial sum for ws and is
    """

    product: Values
    cycles: int
    pe_cycles: int
    valid: npt.NDArray[np.bool_]
    value: Values


def simulate_gemm(
    a: Values,
    b: Values,
    rows: int,
    cols: int,
    dataflow: Dataflow | str,
    policy: CyclePolicy = SCALESIM_POLICY,
    trace: bool = False,
) -> CycleRun:
    """Multiply a [M, K] by b [K, N], both of one NumPy type, on a rows x cols array, cycle by cycle.

    The arithmetic is that of the type: int32 wraps as a 32-bit accumulator does. A trace costs a second run.
    Raises ValueError for operands that do not fit each other, for sizes below 1, and for a policy without
    skew, which is not a systolic array.
    """
    flow = dataflow_named(dataflow) if isinstance(dataflow, str) else dataflow
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0] or a.dtype != b.dtype:
        raise ValueError(
            f"found {a.dtype}{a.shape} times {b.dtype}{b.shape}; allowed two matrices of one type, "
            "the second with as many rows as the first has columns"
        )
    if min(rows, cols, *a.shape, *b.shape) < 1:
        raise ValueError(
            f"array {rows} x {cols}, operands {a.shape} and {b.shape}: every size must be 1 or more"
        )
    if not policy.skew:
        raise ValueError("skew is False: operands broadcast to all elements have no wave to simulate")
    if flow is Dataflow.IS:
        run = _run(b.T, a.T, rows, cols, flow, policy, trace)
        return CycleRun(run.product.T, run.cycles, run.pe_cycles, run.valid, run.value)
    return _run(a, b, rows, cols, flow, policy, trace)


def _run(
    a: Values, b: Values, rows: int, cols: int, flow: Dataflow, policy: CyclePolicy, trace: bool
) -> CycleRun:
    """Run os or ws; is comes here as ws on transposed operands."""
    output_stationary = flow is Dataflow.OS
    left = np.ascontiguousarray(a if output_stationary else a.T)
    top = np.ascontiguousarray(b.T)
    row_starts = np.arange(0, left.shape[0], rows)
    col_starts = np.arange(0, top.shape[0], cols)
    bases = np.stack([np.tile(row_starts, col_starts.size), np.repeat(col_starts, row_starts.size)])
    flags = output_stationary, policy.os_drain, policy.overlap_fill
    product = np.zeros((a.shape[0], b.shape[1]), a.dtype)
    valid, value = np.zeros((0, 0), np.bool_), np.zeros((0, 0), a.dtype)
    cycles = simulate(left, top, rows, cols, bases, *flags, product, valid, value)
    if trace:
        product = np.zeros_like(product)
        valid, value = np.zeros((cycles, cols), np.bool_), np.zeros((cycles, cols), a.dtype)
        simulate(left, top, rows, cols, bases, *flags, product, valid, value)
    return CycleRun(product, cycles, cycles * rows * cols, valid, value)
