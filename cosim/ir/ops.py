"""The operator vocabulary: which operators exist, how they are computed, and what one element costs.

Every layer has an ``op`` (its precise name, for instance ``gelu``) and, through it, an :class:`OpClass`
(how a machine treats it). The tables below are the only place where an operator is declared.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class OpClass(IntEnum):
    """How an operator is computed. The integer is the code stored in a :class:`~cosim.ir.batch.LayerBatch`."""

    CONV = 0
    DEPTHWISE_CONV = 1
    TRANSPOSED_CONV = 2
    DEFORM_CONV = 3
    LINEAR = 4
    MATMUL = 5
    SOFTMAX = 6
    NORM = 7
    ACTIVATION = 8
    POOL = 9
    ELEMENTWISE = 10
    EMBEDDING = 11
    DATA = 12
    UNKNOWN = 13


MAC_CLASSES = frozenset(
    {
        OpClass.CONV,
        OpClass.DEPTHWISE_CONV,
        OpClass.TRANSPOSED_CONV,
        OpClass.DEFORM_CONV,
        OpClass.LINEAR,
        OpClass.MATMUL,
    }
)


@dataclass(frozen=True)
class OpInfo:
    """One operator.

    ``simple_ops`` counts additions, multiplications, comparisons and selects per *counted element*;
    ``special_ops`` counts divisions, square roots and transcendental functions. The counted element is an
    output element, except for reductions (``per_input=True``), where it is an input element. Pooling counts
    one operation per window tap, which the frontend multiplies in, because the window belongs to the layer.
    """

    name: str
    op_class: OpClass
    simple_ops: float = 0.0
    special_ops: float = 0.0
    per_input: bool = False


def _table(*rows: OpInfo) -> dict[str, OpInfo]:
    return {row.name: row for row in rows}


OPS: dict[str, OpInfo] = _table(
    # Multiply-accumulate operators: their work is `macs`; bias additions are folded into the accumulator.
    OpInfo("conv", OpClass.CONV),
    OpInfo("grouped_conv", OpClass.CONV),
    OpInfo("depthwise_conv", OpClass.DEPTHWISE_CONV),
    OpInfo("transposed_conv", OpClass.TRANSPOSED_CONV),
    OpInfo("deform_conv", OpClass.DEFORM_CONV),
    OpInfo("linear", OpClass.LINEAR),
    OpInfo("matmul", OpClass.MATMUL),
    # max, subtract, exp, accumulate, divide
    OpInfo("softmax", OpClass.SOFTMAX, simple_ops=3, special_ops=2),
    # max, subtract, exp, accumulate, subtract the logarithm of the sum (one logarithm a row)
    OpInfo("log_softmax", OpClass.SOFTMAX, simple_ops=4, special_ops=1),
    # mean (1), variance (2), subtract and scale (2), gamma and beta (2); the root is once per row
    OpInfo("layer_norm", OpClass.NORM, simple_ops=7),
    OpInfo("group_norm", OpClass.NORM, simple_ops=7),
    OpInfo("instance_norm", OpClass.NORM, simple_ops=7),
    OpInfo("rms_norm", OpClass.NORM, simple_ops=4),
    # inference form: one scale and one shift
    OpInfo("batch_norm", OpClass.NORM, simple_ops=2),
    # square, sum over five channels, scale and shift, multiply; the power counts as logarithm and exponential
    OpInfo("local_response_norm", OpClass.NORM, simple_ops=8, special_ops=2),
    OpInfo("relu", OpClass.ACTIVATION, simple_ops=1),
    OpInfo("relu6", OpClass.ACTIVATION, simple_ops=2),
    OpInfo("leaky_relu", OpClass.ACTIVATION, simple_ops=2),
    OpInfo("hardtanh", OpClass.ACTIVATION, simple_ops=2),
    OpInfo("hardswish", OpClass.ACTIVATION, simple_ops=5),
    OpInfo("hardsigmoid", OpClass.ACTIVATION, simple_ops=4),
    # x/2 * (1 + erf(x/sqrt 2))
    OpInfo("gelu", OpClass.ACTIVATION, simple_ops=4, special_ops=1),
    # x/2 * (1 + tanh(a(x + b x^3)))
    OpInfo("gelu_tanh", OpClass.ACTIVATION, simple_ops=8, special_ops=1),
    OpInfo("silu", OpClass.ACTIVATION, simple_ops=2, special_ops=2),
    OpInfo("sigmoid", OpClass.ACTIVATION, simple_ops=1, special_ops=2),
    OpInfo("tanh", OpClass.ACTIVATION, special_ops=1),
    OpInfo("elu", OpClass.ACTIVATION, simple_ops=3, special_ops=1),
    OpInfo("prelu", OpClass.ACTIVATION, simple_ops=2),
    # log(1 + exp x)
    OpInfo("softplus", OpClass.ACTIVATION, simple_ops=1, special_ops=2),
    # x * tanh(softplus x)
    OpInfo("mish", OpClass.ACTIVATION, simple_ops=2, special_ops=3),
    OpInfo("erf", OpClass.ACTIVATION, special_ops=1),
    OpInfo("max_pool", OpClass.POOL, simple_ops=1),
    OpInfo("avg_pool", OpClass.POOL, simple_ops=1),
    OpInfo("global_avg_pool", OpClass.POOL, simple_ops=1, per_input=True),
    OpInfo("add", OpClass.ELEMENTWISE, simple_ops=1),
    OpInfo("sub", OpClass.ELEMENTWISE, simple_ops=1),
    OpInfo("mul", OpClass.ELEMENTWISE, simple_ops=1),
    OpInfo("div", OpClass.ELEMENTWISE, special_ops=1),
    OpInfo("neg", OpClass.ELEMENTWISE, simple_ops=1),
    OpInfo("abs", OpClass.ELEMENTWISE, simple_ops=1),
    OpInfo("compare", OpClass.ELEMENTWISE, simple_ops=1),
    OpInfo("select", OpClass.ELEMENTWISE, simple_ops=1),
    OpInfo("clamp", OpClass.ELEMENTWISE, simple_ops=2),
    OpInfo("pow", OpClass.ELEMENTWISE, special_ops=1),
    OpInfo("sqrt", OpClass.ELEMENTWISE, special_ops=1),
    OpInfo("rsqrt", OpClass.ELEMENTWISE, special_ops=2),
    OpInfo("exp", OpClass.ELEMENTWISE, special_ops=1),
    OpInfo("log", OpClass.ELEMENTWISE, special_ops=1),
    OpInfo("sin", OpClass.ELEMENTWISE, special_ops=1),
    OpInfo("cos", OpClass.ELEMENTWISE, special_ops=1),
    OpInfo("round", OpClass.ELEMENTWISE, simple_ops=1),
    # scale, round, two limits
    OpInfo("quantize", OpClass.ELEMENTWISE, simple_ops=4),
    OpInfo("sum", OpClass.ELEMENTWISE, simple_ops=1, per_input=True),
    OpInfo("mean", OpClass.ELEMENTWISE, simple_ops=1, per_input=True),
    OpInfo("max", OpClass.ELEMENTWISE, simple_ops=1, per_input=True),
    OpInfo("min", OpClass.ELEMENTWISE, simple_ops=1, per_input=True),
    OpInfo("argmax", OpClass.ELEMENTWISE, simple_ops=1, per_input=True),
    # mean, difference, square, accumulate
    OpInfo("variance", OpClass.ELEMENTWISE, simple_ops=4, per_input=True),
    # square, accumulate; the root is once per result
    OpInfo("vector_norm", OpClass.ELEMENTWISE, simple_ops=2, per_input=True),
    OpInfo("cumsum", OpClass.ELEMENTWISE, simple_ops=1),
    OpInfo("embedding", OpClass.EMBEDDING),
    # Data movement: bytes are read and written, nothing is computed.
    OpInfo("copy", OpClass.DATA),
    OpInfo("concat", OpClass.DATA),
    OpInfo("slice", OpClass.DATA),
    OpInfo("pad", OpClass.DATA),
    OpInfo("gather", OpClass.DATA),
    OpInfo("scatter", OpClass.DATA),
    OpInfo("roll", OpClass.DATA),
    OpInfo("permute", OpClass.DATA),
    OpInfo("upsample_nearest", OpClass.DATA),
    OpInfo("upsample_bilinear", OpClass.POOL, simple_ops=7),
    OpInfo("fill", OpClass.DATA),
    OpInfo("cast", OpClass.DATA),
    # Named, counted in bytes, never costed as if it were understood.
    OpInfo("unknown", OpClass.UNKNOWN),
)


def op_class(op: str) -> OpClass:
    """Class of an operator name; raises ``KeyError`` for a name that is not in :data:`OPS`."""
    return OPS[op].op_class
