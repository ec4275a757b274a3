"""ONNX operators whose treatment needs nothing but their name."""

from __future__ import annotations

VIEWS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})

FOLDED = frozenset({"Identity", "Dropout", "CastLike"})


def _same(op: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), op)


# ONNX name -> operator of the vocabulary; every input is read, the output is written.
VECTOR: dict[str, str] = {
    **_same("softmax", "Softmax"),
    **_same("log_softmax", "LogSoftmax"),
    **_same("local_response_norm", "LRN"),
    **_same("relu", "Relu"),
    **_same("leaky_relu", "LeakyRelu"),
    **_same("prelu", "PRelu"),
    **_same("elu", "Elu Selu Celu"),
    **_same("hardswish", "HardSwish"),
    **_same("hardsigmoid", "HardSigmoid"),
    **_same("softplus", "Softplus"),
    **_same("mish", "Mish"),
    **_same("silu", "Swish"),
    **_same("sigmoid", "Sigmoid"),
    **_same("tanh", "Tanh"),
    **_same("erf", "Erf"),
    **_same("add", "Add Sum"),
    **_same("sub", "Sub"),
    **_same("mul", "Mul"),
    **_same("div", "Div Reciprocal Mod"),
    **_same("neg", "Neg"),
    **_same("abs", "Abs Sign"),
    **_same(
        "compare",
        "Equal Less LessOrEqual Greater GreaterOrEqual And Or Not Xor Min Max IsNaN IsInf BitwiseAnd BitwiseOr "
        "BitwiseNot BitwiseXor",
    ),
    **_same("select", "Where Trilu"),
    **_same("pow", "Pow"),
    **_same("sqrt", "Sqrt"),
    **_same("exp", "Exp"),
    **_same("log", "Log"),
    **_same("sin", "Sin"),
    **_same("cos", "Cos"),
    **_same("round", "Round Floor Ceil"),
    **_same("argmax", "ArgMax ArgMin"),
    **_same("concat", "Concat"),
    **_same("gather", "GatherElements GatherND"),
    **_same("scatter", "ScatterElements ScatterND"),
    **_same("permute", "Transpose DepthToSpace SpaceToDepth"),
}
