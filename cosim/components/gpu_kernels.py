"""How the kernels of a deep-learning library differ from a plain matrix product or stream on a GPU.

Layout. Tensor-core convolutions work on channels-innermost tensors. An input with channels outermost (NCHW) is
first written over into the other order (one more read and write of it); results are stored in the order that the
caller wants. Channels are padded to what one 16-byte access holds, which takes the same copy. ("Tensor layouts in
memory: NCHW vs NHWC", NVIDIA Deep Learning Performance documentation, convolutional layers.)

Grouped convolutions. Depthwise kernels issue instructions on the vector lanes rather than matrix
instructions. Per multiply-accumulate a lane spends

    4   channels innermost, square 1, 3, 5, 7: half a load (two channels a register), two conversions to FP32, the
        multiply-accumulate; weights stay in registers for several results
    8   channels outermost, square 1, 3, 5: two loads, two conversions, multiply-accumulate, address, bounds check
        and select
    16  other sizes, by a general kernel: two addresses, two bounds checks and the loop around it besides

instruction slots: counts of what such loops contain, rounded to powers of two, not disassembled. Which of them
runs is PyTorch's dispatch rule for NCHW (``ConvParams::use_cudnn_depthwise``, aten/src/ATen/native/Convolution.cpp)
and an assumption for channels innermost.

Interpolation. PyTorch's bilinear kernel for NCHW starts one thread for each output pixel of a plane and loops
over images and channels (``upsample_bilinear2d_out_frame``, aten/src/ATen/native/cuda/UpSampleBilinear2d.cu);
with few pixels it waits for memory latency once an iteration.
"""

from __future__ import annotations

import numpy as np

from cosim.ir.batch import Array, LayerBatch
from cosim.ir.ops import OpClass

SLOTS_CHANNELS_LAST = 4.0
SLOTS_LIBRARY = 8.0
SLOTS_GENERIC = 16.0
ALIGN_BYTES = 16


def grouped(layers: LayerBatch) -> Array:
    """1 where a convolution has groups, 0 elsewhere; shape (L,)."""
    return np.asarray((layers.G > 1) & layers.static_weight & layers.is_mac, dtype=np.float64)


def lane_slots(layers: LayerBatch, channels_last: bool) -> Array:
    """Instruction slots per multiply-accumulate of a grouped convolution on the vector lanes, shape (L,)."""
    sizes = (1, 3, 5, 7) if channels_last else (1, 3, 5)
    library = (layers.R == layers.S) & np.isin(layers.R, sizes)
    return np.where(library, SLOTS_CHANNELS_LAST if channels_last else SLOTS_LIBRARY, SLOTS_GENERIC)


def padded_depth(layers: LayerBatch, elem_bytes: float) -> Array:
    """Reduction length of the matrix products with input channels padded to one aligned access, shape (L,)."""
    align = ALIGN_BYTES / elem_bytes
    convolution = layers.of_class(OpClass.CONV, OpClass.DEFORM_CONV)
    channels = np.ceil(layers.C / align) * align
    return np.where(convolution, channels * layers.R * layers.S, layers.gemm_k)


def converted_elems(layers: LayerBatch, elem_bytes: float, channels_last: bool) -> Array:
    """Elements of the input that a tensor-core convolution copies before it starts, shape (L,).

    All of them where channels are outermost or do not fill whole aligned accesses, none otherwise.
    """
    spatial = layers.of_class(OpClass.CONV, OpClass.TRANSPOSED_CONV, OpClass.DEFORM_CONV)
    if channels_last:
        spatial = spatial & ((layers.C * layers.G) % (ALIGN_BYTES / elem_bytes) != 0)
    return np.where(spatial, layers.x_elems, 0.0)


def fusable(layers: LayerBatch) -> Array:
    """1 for operators that a compiler applies as the result before them is stored, 0 elsewhere; shape (L,).

    Activations, elementwise operators of one or two whole operands, and inference batch norm.
    """
    norms = np.array([op == "batch_norm" for op in layers.ops], dtype=np.bool_)
    whole = (layers.x_elems == layers.y_elems) | (layers.x_elems == 2 * layers.y_elems)
    pointwise = layers.of_class(OpClass.ACTIVATION, OpClass.ELEMENTWISE) & whole
    return np.asarray(pointwise | norms, dtype=np.float64)


def serial_iterations(layers: LayerBatch) -> Array:
    """Iterations, one after another, of a kernel that has one thread for each of P x Q pixels, shape (L,).

    Known for bilinear interpolation whose layer states P and Q; 0 elsewhere.
    """
    bilinear = np.array([op == "upsample_bilinear" for op in layers.ops], dtype=np.float64)
    pixels = layers.P * layers.Q
    return bilinear * (pixels > 1) * layers.y_elems / pixels
