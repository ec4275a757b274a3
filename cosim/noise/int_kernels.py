"""The integer kernels of SIMD processors as value models: codes in, codes out, as the instructions compute them.

The names are those of the cost model (:mod:`cosim.components.cpu_kernels`), so that what is timed is what is
computed. Codes are int64 arrays; the arithmetic is in :mod:`cosim.kernels`, imported at the first call.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]

# Kernel -> range of the left and the right operand.
RANGES: dict[str, tuple[tuple[int, int], tuple[int, int]]] = {
    "int8_maddubs": ((0, 255), (-128, 127)),
    "int8_vnni": ((0, 255), (-128, 127)),
    "int8_vnni_indirect": ((0, 255), (-128, 127)),
    "int8_sdot": ((-128, 127), (-128, 127)),
    "int8_smlal": ((-128, 127), (-128, 127)),
    "int16_dfp": ((-32768, 32767), (-32768, 32767)),
    "lut16_2bit": ((0, 3), (0, 3)),
    "bitserial_a2w2_unipolar": ((0, 3), (0, 3)),
    "bitserial_a2w1_unipolar": ((0, 3), (0, 1)),
    "bitserial_a1w1_bipolar": ((0, 1), (-1, 1)),
    "xnor_popcount": ((-1, 1), (-1, 1)),
}


class IntKernelError(ValueError):
    """Operands or a kernel name that the integer kernels do not take."""


def _codes(values: Any) -> Codes:
    return np.asarray(values, dtype=np.int64)


def _checked(values: npt.NDArray[Any], allowed: tuple[int, int], what: str) -> Codes:
    codes = np.ascontiguousarray(values, dtype=np.int64)
    if codes.ndim != 2:
        raise IntKernelError(f"{what}: found {codes.ndim} dimensions, allowed 2")
    if codes.size and (codes.min() < allowed[0] or codes.max() > allowed[1]):
        raise IntKernelError(
            f"{what}: found values {codes.min()}..{codes.max()}, allowed {allowed[0]}..{allowed[1]}"
        )
    return codes


def product(
    kernel: str,
    x: npt.NDArray[Any],
    w: npt.NDArray[Any],
    table: npt.NDArray[Any] | None = None,
    shift: int = 0,
) -> Codes:
    """Sums of products of x (M, K) and w (N, K) under a kernel, shape (M, N).

    Parameters
    ----------
    kernel   a key of :data:`RANGES`
    table    the sixteen products of ``lut16_2bit`` at index 4*w + x
    shift    places that ``int16_dfp`` shifts each pair of products

    Raises
    ------
    IntKernelError
        For an unknown kernel, operands out of its range or of different K, a table that is not sixteen bytes.
    """
    if kernel not in RANGES:
        close = get_close_matches(kernel, RANGES, n=1)
        hint = f", nearest: {close[0]!r}" if close else ""
        raise IntKernelError(f"found kernel {kernel!r}, allowed {sorted(RANGES)}{hint}")
    left, right = RANGES[kernel]
    x_codes, w_codes = (
        _checked(x, left, f"{kernel}: left operand"),
        _checked(w, right, f"{kernel}: right operand"),
    )
    if x_codes.shape[1] != w_codes.shape[1]:
        raise IntKernelError(
            f"{kernel}: found K = {x_codes.shape[1]} and {w_codes.shape[1]}, allowed equal lengths"
        )
    if kernel.startswith("bitserial") or kernel == "xnor_popcount":
        return _bitwise(kernel, x_codes, w_codes)
    from cosim.kernels import int_dot

    if kernel == "int8_maddubs":
        return _codes(int_dot.maddubs_dot(x_codes, w_codes)[0])
    if kernel == "int16_dfp":
        return _codes(int_dot.dfp16_dot(x_codes, w_codes, shift))
    if kernel == "lut16_2bit":
        entries = np.arange(16, dtype=np.int64) if table is None else np.asarray(table, dtype=np.int64)
        if table is None or entries.shape != (16,) or entries.min() < -128 or entries.max() > 127:
            raise IntKernelError("lut16_2bit: allowed a table of sixteen values in -128..127")
        return _codes(int_dot.lut16_dot(x_codes, w_codes, entries))
    return _codes(int_dot.vnni_dot(x_codes, w_codes))


def _bitwise(kernel: str, x: Codes, w: Codes) -> Codes:
    from cosim.kernels import int_bits

    if kernel == "xnor_popcount":
        if np.any(x == 0) or np.any(w == 0):
            raise IntKernelError("xnor_popcount: found 0, allowed -1 and 1")
        x_plane, w_plane = int_bits.pack_planes((x + 1) // 2, 1)[0], int_bits.pack_planes((w + 1) // 2, 1)[0]
        return _codes(int_bits.xnor_dot(x_plane, w_plane, x.shape[1]))
    bipolar = kernel.endswith("bipolar")
    if bipolar and np.any(w == 0):
        raise IntKernelError(f"{kernel}: found 0 in the right operand, allowed -1 and 1")
    x_bits, w_bits = int(kernel[11]), int(kernel[13])
    w_planes = int_bits.pack_planes((w + 1) // 2 if bipolar else w, w_bits)
    return _codes(int_bits.bitserial_dot(int_bits.pack_planes(x, x_bits), w_planes, bipolar))


def shift_add(x: npt.NDArray[Any], sign: npt.NDArray[Any], exponent: npt.NDArray[Any]) -> Codes:
    """Sums of x (M, K) shifted by ``exponent`` (N, K) with ``sign`` (N, K) in -1, 0, 1; ShiftAddViT's kernel."""
    from cosim.kernels import int_dot

    signs, powers = _checked(sign, (-1, 1), "sign"), _checked(exponent, (-31, 31), "exponent")
    return _codes(
        int_dot.shift_add_dot(_checked(x, (-(1 << 31), (1 << 31) - 1), "left operand"), signs, powers)
    )


def saturation_share(x: npt.NDArray[Any], w: npt.NDArray[Any]) -> float:
    """Share of neighbouring product pairs that VPMADDUBSW saturates; 0 if one operand keeps to seven bits."""
    from cosim.kernels import int_dot

    left, right = RANGES["int8_maddubs"]
    x_codes, w_codes = _checked(x, left, "left operand"), _checked(w, right, "right operand")
    _, saturated = int_dot.maddubs_dot(x_codes, w_codes)
    pairs = x_codes.shape[0] * w_codes.shape[0] * ((x_codes.shape[1] + 1) // 2)
    return saturated / pairs if pairs else 0.0


def fixed_point(factor: Real) -> tuple[Codes, Codes]:
    """(multiplier, shift) with factor = multiplier * 2**-31 * 2**-shift, multiplier in 2**30 .. 2**31 - 1.

    Jacob et al., CVPR 2018, arXiv 1712.05877, Eq. 6. Raises IntKernelError for a factor outside (0, 1).
    """
    values = np.atleast_1d(np.asarray(factor, dtype=np.float64))
    if np.any(values <= 0) or np.any(values >= 1):
        raise IntKernelError(f"found a factor of {values.min()}..{values.max()}, allowed between 0 and 1")
    mantissa, exponent = np.frexp(values)
    multiplier = np.rint(mantissa * 2.0**31).astype(np.int64)
    overflow = multiplier == 1 << 31
    multiplier = np.where(overflow, 1 << 30, multiplier)
    shift = -(exponent + overflow).astype(np.int64)
    # A factor that rounds up to one keeps the largest multiplier.
    return np.where(shift < 0, (1 << 31) - 1, multiplier), np.maximum(shift, 0)


def dyadic(factor: Real, bits: int = 31) -> tuple[Codes, Codes]:
    """(numerator, places) with factor ~ numerator / 2**places and a numerator of ``bits`` bits.

    HAWQ-V3, arXiv 2011.10680, section 3.2. Raises IntKernelError for a factor that is not positive or needs a
    left shift.
    """
    values = np.atleast_1d(np.asarray(factor, dtype=np.float64))
    mantissa, exponent = np.frexp(values)
    places = bits - exponent.astype(np.int64)
    if np.any(values <= 0) or np.any(places < 1) or np.any(places > 62):
        raise IntKernelError(
            f"found a factor of {values.min()}..{values.max()}, allowed 2**-{62 - bits} to 2**{bits}"
        )
    numerator = np.minimum(np.rint(mantissa * 2.0**bits), 2.0**bits - 1).astype(np.int64)
    return numerator, places


def requantise(
    sums: npt.NDArray[Any],
    factor: Real,
    method: str = "dyadic",
    zero_point: int = 0,
    low: int = -128,
    high: int = 127,
) -> Codes:
    """Sums (M, N) times a factor per column, rounded and clamped without floating point.

    ``method``: ``jacob`` or ``dyadic`` (which takes no zero point). Raises IntKernelError for another.
    """
    from cosim.kernels import int_requant

    codes = _checked(sums, (-(1 << 31), (1 << 31) - 1), "sums")
    factors = np.broadcast_to(np.asarray(factor, dtype=np.float64), (codes.shape[1],))
    if method == "jacob":
        multiplier, shift = fixed_point(factors)
        return _codes(int_requant.requantise_jacob(codes, multiplier, shift, zero_point, low, high))
    if method != "dyadic" or zero_point:
        raise IntKernelError(
            f"found method {method!r} with zero point {zero_point}, allowed 'jacob', or 'dyadic' with 0"
        )
    numerator, places = dyadic(factors)
    return _codes(int_requant.requantise_dyadic(codes, numerator, places, low, high))


def shiftmax(codes: npt.NDArray[Any], step: float, bits: int = 8) -> Codes:
    """I-ViT's softmax of codes (rows, cols) with step ``step``, in steps of 2**-(bits - 1)."""
    from cosim.kernels import int_shift

    x = _checked(codes, (-(1 << 31), (1 << 31) - 1), "codes")
    return _codes(int_shift.shiftmax(x, int(np.floor(-1.0 / step)), 15, bits))


def shift_gelu(codes: npt.NDArray[Any], step: float, bits: int = 8) -> Codes:
    """I-ViT's GELU of codes (rows, cols) with step ``step``, in steps of ``step * 2**-(bits - 1)``."""
    from cosim.kernels import int_shift

    x = _checked(codes, (-(1 << 31), (1 << 31) - 1), "codes")
    return _codes(int_shift.shift_gelu(x, int(np.floor(-1.0 / (1.702 * step))), 23, bits))
