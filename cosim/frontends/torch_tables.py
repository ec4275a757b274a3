"""ATen operators whose treatment needs nothing but their name."""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Views of the whole tensor: no element moves.
VIEWS = _names(
    "view _unsafe_view view_as unflatten transpose permute t numpy_T swapaxes swapdims movedim moveaxis expand "
    "expand_as squeeze unsqueeze broadcast_to broadcast_tensors detach alias adjoint mT ravel unfold diagonal "
    "atleast_1d atleast_2d as_strided"
)

# Views of a part of the tensor.
PARTS = _names(
    "select slice split split_with_sizes tensor_split chunk unbind narrow unsafe_chunk unsafe_split hsplit vsplit"
)

# Does nothing at inference, or only checks.
FOLDED = _names(
    "dropout alpha_dropout feature_dropout native_dropout identity lift_fresh_copy lift_fresh lift _assert_async "
    "_assert_tensor_metadata _assert_scalar sym_constrain_range_for_size item resolve_conj resolve_neg "
    "requires_grad"
)


def _same(op: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), op)


# ATen name -> operator of the vocabulary; every tensor argument is read, the output is written.
VECTOR: dict[str, str] = {
    **_same("softmax", "softmax _softmax _safe_softmax"),
    **_same("log_softmax", "log_softmax _log_softmax"),
    **_same("layer_norm", "layer_norm native_layer_norm"),
    **_same("group_norm", "group_norm native_group_norm"),
    **_same("instance_norm", "instance_norm"),
    **_same("rms_norm", "rms_norm _fused_rms_norm"),
    **_same("relu", "relu"),
    **_same("relu6", "relu6"),
    **_same("leaky_relu", "leaky_relu"),
    **_same("hardswish", "hardswish"),
    **_same("hardsigmoid", "hardsigmoid"),
    **_same("silu", "silu"),
    **_same("mish", "mish"),
    **_same("elu", "elu celu selu"),
    **_same("prelu", "prelu _prelu_kernel"),
    **_same("softplus", "softplus"),
    **_same("sigmoid", "sigmoid"),
    **_same("tanh", "tanh"),
    **_same("erf", "erf"),
    **_same("add", "add"),
    **_same("sub", "sub subtract rsub"),
    **_same("mul", "mul multiply square"),
    **_same("div", "div divide true_divide reciprocal floor_divide remainder fmod"),
    **_same("neg", "neg negative"),
    **_same("abs", "abs sign"),
    **_same(
        "compare",
        "eq ne ge gt le lt maximum minimum logical_and logical_or logical_not logical_xor bitwise_and bitwise_or "
        "bitwise_not bitwise_xor __and__ __or__ isnan isinf isfinite",
    ),
    **_same("select", "where masked_fill tril triu"),
    **_same("clamp", "clamp clip clamp_min clamp_max"),
    **_same("pow", "pow"),
    **_same("sqrt", "sqrt"),
    **_same("rsqrt", "rsqrt"),
    **_same("exp", "exp expm1 exp2"),
    **_same("log", "log log1p log2 log10"),
    **_same("sin", "sin"),
    **_same("cos", "cos"),
    **_same("round", "round floor ceil trunc"),
    **_same("sum", "sum prod count_nonzero"),
    **_same("max", "max amax any"),
    **_same("min", "min amin all"),
    **_same("argmax", "argmax argmin"),
    **_same("variance", "var std var_mean std_mean"),
    **_same("vector_norm", "linalg_vector_norm norm frobenius_norm"),
    **_same("cumsum", "cumsum"),
    **_same("copy", "clone repeat tile repeat_interleave flip copy"),
    **_same("concat", "cat concat stack hstack vstack"),
    **_same("pad", "reflection_pad1d reflection_pad2d replication_pad2d"),
    **_same("roll", "roll"),
    **_same("gather", "gather index index_select take_along_dim"),
    **_same(
        "scatter",
        "scatter scatter_add index_put index_copy index_add slice_scatter select_scatter masked_scatter",
    ),
    **_same("permute", "pixel_shuffle pixel_unshuffle channel_shuffle im2col"),
    **_same("upsample_nearest", "upsample_nearest1d upsample_nearest2d _upsample_nearest_exact2d"),
    **_same("upsample_bilinear", "upsample_bilinear2d _upsample_bilinear2d_aa upsample_linear1d"),
    **_same("fill", "fill zeros_like ones_like full_like empty_like new_zeros new_ones new_full zero"),
}
