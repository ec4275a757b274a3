"""What software around the inner kernels costs: layouts, conversions, vector code, calls.

A runtime is a row of switches; the formulas are in :mod:`cosim.hardware.simd_cpu`. The rows describe the
published organisation of each library, not a fit to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Runtime:
    """Which overheads a library has.

    Attributes
    ----------
    kernels:          kernels it can choose from; empty for all
    blocks_layout:    FP32 convolutions work on a channel-blocked layout; a layer on its own converts both ways
    transposes_int8:  INT8 convolutions work on channels-last; a layer on its own converts both ways
    packs_weights:    weights are brought into the kernel's layout at every call, not once
    packs_matmul:     a computed right operand is packed before use
    op_scale:         operator -> vector instructions per counted simple operation, where it is not one
    special_scale:    operator -> vector instructions per counted special operation
    """

    name: str
    kernels: tuple[str, ...] = ()
    blocks_layout: bool = False
    transposes_int8: bool = False
    packs_weights: bool = False
    packs_matmul: bool = False
    op_scale: Mapping[str, float] = field(default_factory=dict)
    special_scale: Mapping[str, float] = field(default_factory=dict)


# Vector instructions per special operation: an exponential is a range reduction and a polynomial of degree 5
# to 6 (Cephes); erf is a rational or piecewise polynomial with an exponential; a division about one slot of 5.
SPECIAL_OPS = 10.0
_SPECIAL: Mapping[str, float] = {
    "gelu": 26.0,
    "erf": 26.0,
    "gelu_tanh": 18.0,
    "tanh": 14.0,
    "div": 5.0,
    "sqrt": 6.0,
}

_LIBRARY = (
    "fp32_gemm",
    "fp32_direct",
    "fp32_depthwise",
    "int8_vnni",
    "int8_maddubs",
    "int8_sdot",
    "int8_smlal",
    "int8_depthwise",
    "bf16_dot",
)

RUNTIMES: Mapping[str, Runtime] = {
    "bare": Runtime("bare", special_scale=_SPECIAL),
    "onnxruntime": Runtime(
        "onnxruntime",
        kernels=_LIBRARY,
        blocks_layout=True,
        transposes_int8=True,
        special_scale=_SPECIAL,
    ),
    "torch": Runtime(
        "torch",
        kernels=_LIBRARY,
        packs_weights=True,
        packs_matmul=True,
        special_scale=_SPECIAL,
    ),
}


def operator_scales(runtime: Runtime, ops: tuple[str, ...]) -> tuple[list[float], list[float]]:
    """Vector instructions per simple and per special operation of each operator."""
    return (
        [runtime.op_scale.get(op, 1.0) for op in ops],
        [runtime.special_scale.get(op, SPECIAL_OPS) for op in ops],
    )
