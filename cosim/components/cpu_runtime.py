"""What software around the inner kernels does: layouts, conversions, vector code.

A runtime is a row of switches and instruction counts; the formulas that read them are in
:mod:`cosim.components.cpu_layout` and :mod:`cosim.hardware.simd_cpu`, the costs of a call in the machine file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Vector instructions per special operation where an operator has no row of its own: an exponential is a range
# reduction and a polynomial of degree 5 to 6 (Cephes); a division takes about five issue slots.
SPECIAL_OPS = 10.0


@dataclass(frozen=True)
class VectorCode:
    """Instructions of one operator per counted simple and special operation (:mod:`cosim.ir.ops`).

    ``lane_bits``: width of the vectors that the code is compiled for, 0 for the machine's own. Narrow code is
    generic C++ whose instructions depend on one another: one a cycle.
    ``overlaps``: operands are streamed in order, so that prefetching hides memory behind the computation.
    """

    simple: float = 1.0
    special: float = SPECIAL_OPS
    lane_bits: int = 0
    overlaps: bool = True


@dataclass(frozen=True)
class Runtime:
    """Which overheads a library has.

    Attributes
    ----------
    kernels:         kernels it can choose from; empty for all
    blocks_layout:   dense FP32 convolutions work on a channel-blocked layout; a layer on its own converts its
                     input and output
    transposes_int8: INT8 convolutions work on channels-last; a layer on its own converts both ways
    line_instructions: instructions to convert 64 bytes of FP32 activations between layouts
    weight_cycles:   cycles per 64 bytes to bring weights into the kernel's layout at every call; 0: done once
    group_weight_cycles: the same for the weights of depthwise convolutions, per element
    packs_matmul:    a computed right operand is packed before use
    plain_pointwise: convolutions of one tap are matrix products on the tensor as it is; on a channels-first
                     tensor the plane runs along the vectors
    depthwise_tile:  output columns of a depthwise kernel that share one load of the weights
    gemm_efficiency: rate of its matrix product on large square matrices over the port bound
    k_block:         reduction block of its matrix product; 0: from the geometry of the caches
    folds:           operators that a fused graph computes inside the layer before, at no cost
    applies_in_cache: operators that a fused graph applies to a layer's result while it is in cache: their
                     instructions count, their bytes and their call do not
    linear_passes:   further passes over the result of a linear layer in a graph (broadcasting the bias,
                     restoring the shape), reads and writes counted apart
    split_heads_cycles: cycles per element to bring the operands of attention products into place in a graph
    code:            operator -> its vector code
    nchw_code:       the same where the layout is channels-first
    """

    name: str
    kernels: tuple[str, ...] = ()
    blocks_layout: bool = False
    transposes_int8: bool = False
    line_instructions: float = 22.0
    weight_cycles: float = 0.0
    group_weight_cycles: float = 0.0
    packs_matmul: bool = False
    plain_pointwise: bool = False
    depthwise_tile: float = 6.0
    gemm_efficiency: float = 1.0
    k_block: float = 256.0
    folds: tuple[str, ...] = ()
    applies_in_cache: tuple[str, ...] = ()
    linear_passes: float = 0.0
    split_heads_cycles: float = 0.0
    code: Mapping[str, VectorCode] = field(default_factory=dict)
    nchw_code: Mapping[str, VectorCode] = field(default_factory=dict)

    def code_of(self, op: str, layout: str) -> VectorCode:
        """Vector code of an operator in a layout (``nchw`` or ``nhwc``)."""
        default = self.code.get(op, VectorCode())
        return self.nchw_code.get(op, default) if layout == "nchw" else default


# Counts from the functions themselves: erf and tanh as rational or piecewise polynomials with an exponential.
_BARE = {
    "gelu": VectorCode(special=26.0),
    "erf": VectorCode(special=26.0),
    "gelu_tanh": VectorCode(special=18.0),
    "tanh": VectorCode(special=14.0),
    "div": VectorCode(special=5.0),
    "sqrt": VectorCode(special=6.0),
}

_LIBRARY = (
    "fp32_gemm",
    "fp32_direct",
    "fp32_depthwise",
    "int8_vnni",
    "int8_vnni_indirect",
    "int8_maddubs",
    "int8_sdot",
    "int8_smlal",
    "int8_depthwise",
    "bf16_dot",
    "bf16_depthwise",
)

# Counts of the two libraries: cycles of one measured layer of each operator over its vectors (ResNet-50 and
# ViT-B/16 layers on a Zen 4 core), so other layers of the same operator are predictions. Pooling and
# normalisation of onnxruntime are generic code compiled for 128-bit vectors.
_ORT_CODE = {
    **_BARE,
    "softmax": VectorCode(special=9.3),
    "gelu": VectorCode(special=32.0),
    "layer_norm": VectorCode(simple=1.0, lane_bits=128),
    "relu6": VectorCode(simple=1.0, lane_bits=128),
    "hardswish": VectorCode(simple=1.0, lane_bits=128),
    "global_avg_pool": VectorCode(simple=2.7, lane_bits=128),
    "avg_pool": VectorCode(simple=1.25, lane_bits=128, overlaps=False),
    "max_pool": VectorCode(simple=1.25, lane_bits=128, overlaps=False),
}
_TORCH_CODE = {
    **_BARE,
    "softmax": VectorCode(special=18.8),
    "gelu": VectorCode(special=23.3),
    "layer_norm": VectorCode(simple=2.67),
    "batch_norm": VectorCode(simple=7.6),
    "max_pool": VectorCode(simple=10.5),
    "global_avg_pool": VectorCode(simple=9.0),
}

RUNTIMES: Mapping[str, Runtime] = {
    "bare": Runtime("bare", k_block=0.0, code=_BARE, folds=("batch_norm", "relu", "relu6")),
    "onnxruntime": Runtime(
        "onnxruntime",
        _LIBRARY,
        blocks_layout=True,
        transposes_int8=True,
        folds=("batch_norm", "relu"),
        applies_in_cache=("relu6", "hardswish"),
        linear_passes=3.0,
        split_heads_cycles=0.9,
        code=_ORT_CODE,
    ),
    "torch": Runtime(
        "torch",
        _LIBRARY,
        line_instructions=36.0,
        weight_cycles=12.0,
        group_weight_cycles=3.0,
        packs_matmul=True,
        plain_pointwise=True,
        # 100.4 of 118.2 GFLOP/s at 1536 x 1536 on a Zen 4 core.
        gemm_efficiency=0.85,
        code=_TORCH_CODE,
        nchw_code={
            # One scalar comparison chain with index bookkeeping per tap.
            "max_pool": VectorCode(simple=12.4, lane_bits=32),
            "batch_norm": VectorCode(simple=4.8),
            "global_avg_pool": VectorCode(simple=8.0),
        },
    ),
}
