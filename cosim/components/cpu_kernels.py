"""Inner kernels of SIMD processors as data: how many instructions one step of a register tile takes.

A kernel computes a tile of ``rows x vectors`` accumulators; one step adds ``k_step`` products to every lane of
every accumulator. Per step and accumulator it issues ``multiplies`` on the multiplier pipes, ``alu`` on any
vector pipe and ``shuffles`` on the shuffle pipe; every tile row costs ``row_loads`` scalar broadcasts and every
tile vector ``vector_loads`` full loads. The cycles of a step are the largest of four bounds (Eq. 1):

    multiplies   m * v * multiplies / multiplier pipes
    issue        m * v * (multiplies + alu + shuffles) / vector pipes
    shuffles     m * v * shuffles / shuffle pipes
    loads        v * vector_loads / vector load ports + m * row_loads / load ports of the row operand
    latency      latency of the chain through one accumulator

Port counting without a front end is within a few percent of measurement on such loops (Abel and Reineke,
"uiCA", ICS 2022, doi 10.1145/3524059.3532396); the register-tile form is Low et al., "Analytical modeling is
enough for high-performance BLIS", ACM TOMS 2016, doi 10.1145/2925987.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cosim.components.params import Value
from cosim.ir.batch import Array


@dataclass(frozen=True)
class Kernel:
    """One kernel; instruction counts are per accumulator and step unless said otherwise.

    Attributes
    ----------
    name, form:    its name in a mapping; ``gemm`` (im2col where needed), ``indirect``, ``direct``,
                   ``winograd``, ``depthwise`` or ``sliding``
    precision:     number format of the network that it serves
    x_bits, w_bits: widths of the operands in memory
    k_step:        reduction elements per step and lane
    lane_bits:     width of one accumulator lane; 0 for kernels whose whole register reduces to one output
                   (``k_step`` then counts products per 256 register bits)
    multiplies, alu, shuffles, vector_loads, row_loads: see the module
    chain:         ``multiply`` if consecutive steps of an accumulator wait for a multiply, ``alu`` if only
                   for an addition
    features:      instruction sets it needs
    automatic:     may be picked without being named; kernels that change the weights' values are not
    pack_ops:      vector instructions per register of activations to bring them into the kernel's format
    source:        publication that the counts come from
    """

    name: str
    form: str
    precision: str
    x_bits: float
    w_bits: float
    k_step: float = 1.0
    lane_bits: int = 32
    multiplies: float = 1.0
    alu: float = 0.0
    shuffles: float = 0.0
    vector_loads: float = 1.0
    row_loads: float = 1.0
    chain: str = "multiply"
    features: tuple[str, ...] = ()
    automatic: bool = True
    pack_ops: float = 0.0
    source: str = ""


def bit_serial(x_bits: int, w_bits: int, bipolar: bool) -> Kernel:
    """A product of a-bit by w-bit operands as a*w binary products: AND, CNT, pairwise add, shift-accumulate.

    One step of a 256-bit register covers 256 binary products. Unipolar weights (0, 1) against signed weights
    (-1, 1): a bipolar weight plane needs one XNOR and count, a unipolar one two ANDs and counts, since
    popcount(x & w) - popcount(x & ~w) is wanted (Cowan et al., "Automating generation of low precision deep
    learning operators", arXiv 1810.11066; TVM's bit-serial operators). NEON counts bytes, so a pairwise add
    follows each count.
    """
    planes = x_bits * w_bits
    counted = 1 if bipolar else 2
    word = "bipolar" if bipolar else "unipolar"
    return Kernel(
        name=f"bitserial_a{x_bits}w{w_bits}_{word}",
        form="gemm",
        precision=f"int{max(x_bits, w_bits)}",
        x_bits=x_bits,
        w_bits=w_bits,
        k_step=256,
        lane_bits=0,
        multiplies=0,
        alu=planes * 3.0 * counted + planes,
        vector_loads=w_bits,
        row_loads=x_bits,
        chain="alu",
        pack_ops=4.0 * x_bits,
        features=("popcount",),
        source="arXiv 1810.11066; arXiv 2309.10878",
    )


_ROWS = (
    Kernel("fp32_gemm", "gemm", "fp32", 32, 32, source="doi 10.1145/2925987"),
    Kernel("fp32_indirect", "indirect", "fp32", 32, 32, source="arXiv 1907.02129"),
    Kernel("fp32_direct", "direct", "fp32", 32, 32, source="Georganas et al., SC 2018, doi 10.1109/SC.2018.00069"),
    Kernel("fp32_winograd", "winograd", "fp32", 32, 32, source="Lavin and Gray, CVPR 2016, arXiv 1509.09308"),
    Kernel("fp32_depthwise", "depthwise", "fp32", 32, 32, row_loads=0, source="arXiv 1907.02129"),
    Kernel("fp32_sliding", "sliding", "fp32", 32, 32, row_loads=0, source="arXiv 2310.05218"),
    Kernel(
        "fp32_sparse_2_4", "gemm", "fp32", 32, 16, k_step=2, shuffles=1.0, automatic=False,
        source="n:m sparsity, arXiv 2104.08378; one permute per kept pair",
    ),
    Kernel("bf16_dot", "gemm", "bf16", 16, 16, k_step=2, features=("bf16",), source="Intel SDM, VDPBF16PS"),
    Kernel("bf16_depthwise", "depthwise", "bf16", 16, 16, shuffles=1.0, row_loads=0, source="widening to FP32"),
    Kernel(
        "int16_dfp", "gemm", "int16", 16, 16, k_step=2, alu=1.0, chain="alu",
        source="Das et al., ICLR 2018, arXiv 1802.00930: VPMADDWD and VPADDD",
    ),
    Kernel(
        "int8_maddubs", "gemm", "int8", 8, 8, k_step=4, multiplies=2.0, alu=1.0, chain="alu",
        features=("ssse3",), source="VPMADDUBSW, VPMADDWD, VPADDD",
    ),
    Kernel("int8_vnni", "gemm", "int8", 8, 8, k_step=4, features=("vnni",), source="VPDPBUSD"),
    Kernel(
        "int8_vnni_indirect", "indirect", "int8", 8, 8, k_step=4, features=("vnni",),
        source="VPDPBUSD over an indirection buffer, arXiv 1907.02129",
    ),
    Kernel("int8_sdot", "gemm", "int8", 8, 8, k_step=4, features=("neon_dot",), source="SDOT"),
    Kernel(
        "int8_smlal", "gemm", "int8", 8, 8, k_step=4, multiplies=2.0, alu=1.0, chain="alu", features=("neon",),
        source="SMULL and SMLAL of two products into 16 bits, SADALP into 32: three instructions for 16 products",
    ),
    Kernel(
        "int8_depthwise", "depthwise", "int8", 8, 8, shuffles=1.0, row_loads=0,
        source="every byte operand is widened to 32 bits on the shuffle pipe, then multiplied and added",
    ),
    Kernel(
        "lut16_2bit", "gemm", "int2", 2, 2, k_step=128, lane_bits=0, multiplies=0, alu=17.0, shuffles=4.0,
        vector_loads=1, row_loads=1, chain="alu", pack_ops=4.0, features=("byte_shuffle",),
        source="DeepGEMM, arXiv 2304.09049: 6 index, 2 shift, 4 select, 4 shuffle, 3 add, 1 sum, 1 accumulate",
    ),
    bit_serial(2, 2, False),
    bit_serial(2, 1, False),
    bit_serial(1, 1, True),
    Kernel(
        "int8_sse2", "gemm", "int8", 8, 8, k_step=2, multiplies=1.0, alu=1.25, shuffles=1.5, chain="alu",
        features=("ssse3",), automatic=False,
        source="QNNPACK q8gemm 4x4c2-sse2: PMADDWD and PADDD of pairs, a broadcast shuffle, widening; 128 bits wide",
    ),
    Kernel(
        "xnor_popcount", "gemm", "int1", 1, 1, k_step=256, lane_bits=0, multiplies=0, alu=3.0,
        vector_loads=1, row_loads=1, chain="alu", pack_ops=2.0, features=("popcount",),
        source="XNOR-Net, arXiv 1603.05279: XNOR, count, add",
    ),
    Kernel(
        "shift_add", "gemm", "int8", 8, 4, k_step=1, multiplies=0, alu=2.0, chain="alu", automatic=False,
        source="ShiftAddViT, arXiv 2306.06446: shift and add in 32-bit lanes",
    ),
)  # fmt: skip

KERNELS: Mapping[str, Kernel] = {row.name: row for row in _ROWS}


@dataclass(frozen=True)
class Ports:
    """Rates of one core in instructions of full register width per cycle; numbers or (points, 1) arrays.

    ``registers`` is the number of architectural vector registers. Scalar loads include broadcasts.
    """

    vector_bits: Value
    registers: Value
    multiply: Value
    vector: Value
    shuffle: Value
    vector_load: Value
    scalar_load: Value
    store: Value
    multiply_latency_cycles: Value
    alu_latency_cycles: float = 1.0

    def step_cycles(self, kernel: Kernel, rows: Value, vectors: Value) -> Array:
        """Cycles of one step of a tile of ``rows x vectors`` accumulators (Eq. 1)."""
        cells = rows * vectors
        issued = kernel.multiplies + kernel.alu + kernel.shuffles
        bound = cells * issued / self.vector
        if kernel.multiplies:
            bound = np.maximum(bound, cells * kernel.multiplies / self.multiply)
        if kernel.shuffles:
            bound = np.maximum(bound, cells * kernel.shuffles / self.shuffle)
        row_port = self.vector_load if kernel.lane_bits == 0 else self.scalar_load
        loads = vectors * kernel.vector_loads / self.vector_load + rows * kernel.row_loads / row_port
        latency = self.multiply_latency_cycles if kernel.chain == "multiply" else self.alu_latency_cycles
        return np.asarray(np.maximum(np.maximum(bound, loads), latency))

    def outputs_per_vector(self, kernel: Kernel) -> Value:
        """Outputs that one accumulator register holds."""
        return 1.0 if kernel.lane_bits == 0 else self.vector_bits / kernel.lane_bits

    def products_per_step(self, kernel: Kernel) -> Value:
        """Reduction elements of one output that one step covers."""
        return kernel.k_step * self.vector_bits / 256 if kernel.lane_bits == 0 else kernel.k_step

    def products_per_cycle(self, kernel: Kernel) -> Value:
        """Products a cycle if nothing but the kernel's vector instructions took time."""
        slots = np.maximum(
            (kernel.multiplies + kernel.alu + kernel.shuffles) / self.vector,
            np.maximum(kernel.multiplies / self.multiply, kernel.shuffles / self.shuffle),
        )
        return np.asarray(self.outputs_per_vector(kernel) * self.products_per_step(kernel) / slots)

    def tile(self, kernel: Kernel) -> tuple[float, Value]:
        """(rows, vectors) of the register tile: 6 x 4 with 32 registers, 6 x 2 with 16 (Low et al. 2016).

        Kernels that reduce a whole register to one output work on four outputs of one row at a time.
        """
        if kernel.lane_bits == 0:
            return 1.0, 4.0
        return 6.0, np.where(np.asarray(self.registers) >= 32, 4.0, 2.0)


def xnor_speedup(channels: float, window: float) -> float:
    """Ideal speed-up of a binary convolution over FP32 on scalar words of 64 bits: 64 c n / (c n + 64).

    ``channels`` input channels, ``window`` taps; Rastegari et al., "XNOR-Net", arXiv 1603.05279, section 3.3:
    64 binary products per clock against one, plus one unavoidable full-precision product per output.
    """
    products = channels * window
    return 64.0 * products / (products + 64.0)


def indirection_bytes(pixels: Value, taps: Value, tile_rows: float, pointer_bytes: float = 8.0) -> Array:
    """Size of an indirection buffer: a pointer per tap for every output pixel, rounded up to the tile's rows.

    Dukhan, "The indirect convolution algorithm", arXiv 1907.02129, section 3; the rounding is that of the
    XNNPACK implementation.
    """
    return np.asarray(pointer_bytes * taps * np.ceil(pixels / tile_rows) * tile_rows)
