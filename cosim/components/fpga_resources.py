"""What a design takes of an FPGA, as a range, and whether it fits.

Before placement nobody knows these counts: tools absorb registers, split memories, move multipliers into
logic. So every figure is (low, high): the low end is what the bits or products need at least, the high end
what builds of known designs took. A design whose low end exceeds the device is refused; one whose high end
does may fail.

Multipliers (products of a x w bits per DSP48E2 of 27 x 18 bits):

    one DSP a product up to 18 x 27 bits, ceil(a / 18) * ceil(w / 27) beyond                   (eq. 1)
    two products that share an operand where both are at most 8 bits (Xilinx WP486)           (eq. 2)
    four where both are at most 4 bits (FINN)                                                 (eq. 3)

Memories: a block of 18 Kbit is 16384x1, 8192x2, 4096x4, 2048x9, 1024x18 or 512x36; an array of depth x width
takes the least of the tilings (eq. 4). Below 1024 bits or 32 words it goes to logic. UltraRAM is 4096x72.

    count18 = min over (d, w) of ceil(depth / d) * ceil(width / w)                            (eq. 4)

Calibration of the high ends: CNNA on a ZU3EG built with 1.88 DSPs a product at 16 bits (360 for 192), and
with 1.00 to 1.07 times eq. 4's blocks; counting only bits misses 16 to 42 % of the blocks.

Sources: Xilinx WP486 (2016); FINN (github.com/Xilinx/finn); fpgaConvNet-model (github.com/AlexMontgomerie);
CNNA reports (github.com/jonathan93sh/CNNA).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from cosim.components.fpga_board import BoardSpec

BRAM18_SHAPES = ((16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36))
BRAM18_BITS = 18 * 1024
URAM_SHAPE = (4096, 72)
LUTRAM_BITS, LUTRAM_DEPTH = 1024, 32
DSP_HIGH_PER_PRODUCT = 360.0 / 192.0
BRAM_HIGH = 1.1
LUTS_PER_PRODUCT = (62.0, 222.0)
FLIP_FLOPS_PER_PRODUCT = (45.0, 386.0)


@dataclass(frozen=True)
class Range:
    """A count that is known between two ends only."""

    low: float
    high: float

    def __post_init__(self) -> None:
        """Ends in order; raises ``ValueError``."""
        if not 0 <= self.low <= self.high:
            raise ValueError(f"found a range from {self.low} to {self.high}, allowed 0 <= low <= high")

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)


@dataclass(frozen=True)
class Products:
    """``count`` multipliers of ``a_bits`` x ``w_bits`` that all work in the same cycle."""

    count: int
    a_bits: int
    w_bits: int


@dataclass(frozen=True)
class MemoryArray:
    """``copies`` memories of ``depth`` words of ``width_bits``, each with its own port."""

    name: str
    depth: int
    width_bits: int
    copies: int = 1


@dataclass(frozen=True)
class Use:
    """Resources of a design."""

    luts: Range
    flip_flops: Range
    dsps: Range
    bram18s: Range
    urams: Range


def dsps_per_product(a_bits: int, w_bits: int) -> float:
    """DSP slices for one product with the packing of eq. 1 to 3."""
    if min(a_bits, w_bits) < 1:
        raise ValueError(f"found a product of {a_bits} x {w_bits} bits, allowed at least 1 bit each")
    if max(a_bits, w_bits) <= 4:
        return 0.25
    if max(a_bits, w_bits) <= 8:
        return 0.5
    narrow, wide = sorted((a_bits, w_bits))
    return float(ceil(narrow / 18) * ceil(wide / 27))


def dsp_range(products: Products) -> Range:
    """Packed as tightly as published, up to one slice a product and what CNNA's build added to that."""
    plain = max(1.0, dsps_per_product(products.a_bits, products.w_bits))
    low = ceil(products.count * dsps_per_product(products.a_bits, products.w_bits))
    return Range(low, ceil(products.count * plain * DSP_HIGH_PER_PRODUCT))


def bram18_count(depth: int, width_bits: int) -> int:
    """Half blocks of one memory (eq. 4), 0 if it is small enough for logic."""
    if depth <= LUTRAM_DEPTH or depth * width_bits < LUTRAM_BITS:
        return 0
    return min(ceil(depth / d) * ceil(width_bits / w) for d, w in BRAM18_SHAPES)


def uram_count(depth: int, width_bits: int) -> int:
    """UltraRAM blocks of one memory."""
    return ceil(depth / URAM_SHAPE[0]) * ceil(width_bits / URAM_SHAPE[1])


def bram18_range(memories: Sequence[MemoryArray]) -> Range:
    """From the bits alone to eq. 4 with the surplus of known builds."""
    low = sum(
        m.copies * ceil(m.depth * m.width_bits / BRAM18_BITS)
        for m in memories
        if bram18_count(m.depth, m.width_bits)
    )
    tiled = sum(m.copies * bram18_count(m.depth, m.width_bits) for m in memories)
    return Range(low, ceil(tiled * BRAM_HIGH))


def design_use(products: Sequence[Products], memories: Sequence[MemoryArray]) -> Use:
    """Resources of a design from its multipliers and memories.

    Logic is scaled from builds: 62 (CHaiDNN, additional ones) to 222 LUTs a product (CNNA at 16 bits) and 45
    (CHaiDNN) to 386 flip-flops (CNNA).
    """
    total = sum(p.count for p in products)
    dsps = Range(0, 0)
    for group in products:
        dsps = dsps + dsp_range(group)
    return Use(
        luts=Range(total * LUTS_PER_PRODUCT[0], total * LUTS_PER_PRODUCT[1]),
        flip_flops=Range(total * FLIP_FLOPS_PER_PRODUCT[0], total * FLIP_FLOPS_PER_PRODUCT[1]),
        dsps=dsps,
        bram18s=bram18_range(memories),
        urams=Range(0, 0),
    )


@dataclass(frozen=True)
class Fit:
    """One resource of a design against a board: ``fits``, ``may fail`` or ``refused``."""

    resource: str
    use: Range
    available: float
    verdict: str

    def __str__(self) -> str:
        return (
            f"{self.resource}: needs {self.use.low:,.0f} to {self.use.high:,.0f}, "
            f"the device has {self.available:,.0f}: {self.verdict}"
        )


class DoesNotFitError(ValueError):
    """A design that cannot be placed on a board; the message names every resource that is short."""


def fit(use: Use, board: BoardSpec) -> tuple[Fit, ...]:
    """Every resource of a design against a board."""
    device = board.device
    have = {
        "luts": float(device.luts),
        "flip_flops": float(device.flip_flops),
        "dsps": float(device.dsps),
        "bram18s": 2 * float(device.bram36s),
        "urams": float(device.urams),
    }
    rows = []
    for name, available in have.items():
        need: Range = getattr(use, name)
        verdict = "refused" if need.low > available else "may fail" if need.high > available else "fits"
        rows.append(Fit(name, need, available, verdict))
    return tuple(rows)


def require_fit(use: Use, board: BoardSpec) -> tuple[Fit, ...]:
    """:func:`fit`, but raises :class:`DoesNotFitError` if even the low end of a resource is not there."""
    rows = fit(use, board)
    short = [row for row in rows if row.verdict == "refused"]
    if short:
        reasons = "; ".join(
            f"{row} (at most {row.available / row.use.low:.2f} of the design would fit)" for row in short
        )
        raise DoesNotFitError(f"design does not fit {board.name} ({board.device.part}): {reasons}")
    return rows
