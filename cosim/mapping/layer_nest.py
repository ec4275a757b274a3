"""Layers of a network as loop-nest problems."""

from __future__ import annotations

from cosim.ir.layer import Layer
from cosim.ir.ops import OpClass
from cosim.mapping.feasibility import Infeasible, InfeasibleError
from cosim.mapping.nest import AxisTerm, DataSpace, Problem


def layer_problem(layer: Layer) -> Problem:
    """The loop nest of a multiply-accumulate layer over N, G, K, C, P, Q, R, S (K and C per group).

    Inputs have the axes N, G, C, rows and columns; a row is stride * P + dilation * R, so that padding counts as data.
    Weights computed at run time differ per image and have the axis N too. Raises InfeasibleError for layers without
    multiply-accumulates and for transposed convolutions, whose outputs overlap.
    """
    if not layer.is_mac or layer.op_class is OpClass.TRANSPOSED_CONV:
        why = "is a transposed convolution" if layer.is_mac else "has no multiply-accumulates"
        raise InfeasibleError(
            (
                Infeasible(
                    layer.name,
                    f"a loop nest ({layer.op} {why})",
                    1,
                    0,
                    "nests",
                    "leave it to another machine",
                ),
            )
        )
    weights = ("G", "K", "C", "R", "S") if layer.static_weight else ("N", "G", "K", "C", "R", "S")
    rows = (AxisTerm("P", layer.stride[0]), AxisTerm("R", layer.dilation[0]))
    columns = (AxisTerm("Q", layer.stride[1]), AxisTerm("S", layer.dilation[1]))
    return Problem(
        layer.name,
        {dim: getattr(layer, dim) for dim in ("N", "G", "K", "C", "P", "Q", "R", "S")},
        (
            DataSpace("Weights", tuple((AxisTerm(dim),) for dim in weights)),
            DataSpace("Inputs", (*((AxisTerm(dim),) for dim in ("N", "G", "C")), rows, columns)),
            DataSpace(
                "Outputs", tuple((AxisTerm(dim),) for dim in ("N", "G", "K", "P", "Q")), read_write=True
            ),
        ),
    )
