"""One definition of the quantisers that the machines share: grid, granularity, scale rule, calibration.

A quantised tensor is codes with a scale (and, when affine, a zero point) for each group of values:

    x ~ scale * (code - zero)        integer grids                                          (1)
    x ~ scale * grid[code]           small floats and powers of two                         (2)

Uniform affine and symmetric quantisation as in Jacob et al., CVPR 2018 (arXiv 1712.05877). Presets are in ``PRESETS``.
"""

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cosim.noise.formats import FORMATS, FP4_E2M1, FP8_E4M3, FP8_E5M2, float_codes, nearest_code

Array = npt.NDArray[Any]
Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class IntegerGrid:
    """Integers of ``bits`` bits; ``narrow`` leaves out the most negative code, so that the grid is symmetric."""

    bits: int
    signed: bool = True
    narrow: bool = False

    @property
    def low(self) -> int:
        """Smallest code."""
        return -(1 << (self.bits - 1)) + int(self.narrow) if self.signed else 0

    @property
    def high(self) -> int:
        """Largest code."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1


@dataclass(frozen=True)
class FloatGrid:
    """The values of a small float format (``fp8_e4m3``, ``fp8_e5m2``, ``fp4_e2m1``); codes are its bit patterns."""

    name: str

    @property
    def bits(self) -> int:
        """Bits a code."""
        return FORMATS[self.name].bits


@dataclass(frozen=True)
class PowerOfTwoGrid:
    """0 and +-2^0, 2^-1, ..., 2^-(2^(bits-1) - 2): a sign and an exponent code."""

    bits: int


Grid = IntegerGrid | FloatGrid | PowerOfTwoGrid


@lru_cache(maxsize=16)
def grid_magnitudes(grid: FloatGrid | PowerOfTwoGrid) -> Real:
    """Magnitudes that the grid holds, ascending from 0."""
    if isinstance(grid, PowerOfTwoGrid):
        levels = (1 << (grid.bits - 1)) - 1
        return np.concatenate([[0.0], np.ldexp(1.0, np.arange(1 - levels, 1))])
    table = float_codes(FORMATS[grid.name])[: 1 << (grid.bits - 1)]
    return table[np.isfinite(table)]


ScaleRule = Literal["free", "fixed", "power_of_two", "mx", "e4m3", "released_cnna"]


@dataclass(frozen=True)
class Scale:
    """Scale and zero point of each group [groups]."""

    scale: Real
    zero: Real


@dataclass(frozen=True)
class Quantizer:
    """How a tensor becomes codes.

    granularity: one scale a tensor, a channel (``axis``) or a block of ``block`` values along the last axis.
    scale_rule: ``free`` (any number), ``fixed`` (``fixed_scale``), ``power_of_two`` (the smallest that does not clip;
    for a power-of-two grid the nearest, Zhou et al., ICLR 2017, arXiv 1702.03044), ``mx`` (shared exponent of OCP
    Microscaling Formats 1.0, section 6.3), ``e4m3`` (FP8 block scale under an FP32 tensor scale), ``released_cnna``.
    calibration: the range is the largest magnitude, its ``percentile``, or the clip with the least squared error.
    rounding: ``half_even``, or ``half_up`` (SystemC's SC_RND); values beyond the grid saturate.
    """

    grid: Grid
    symmetric: bool = True
    granularity: Literal["tensor", "channel", "block"] = "tensor"
    axis: int = 0
    block: int = 0
    scale_rule: ScaleRule = "free"
    fixed_scale: float = 1.0
    calibration: Literal["max", "percentile", "mse"] = "max"
    percentile: float = 99.9
    rounding: Literal["half_even", "half_up"] = "half_even"

    def __post_init__(self) -> None:
        if not 2 <= self.grid.bits <= 32:
            raise ValueError(f"quantiser: {self.grid.bits} bits; 2 to 32 are allowed")
        if not self.symmetric and not isinstance(self.grid, IntegerGrid):
            raise ValueError("quantiser: a zero point needs an integer grid")
        if self.granularity == "block" and self.block < 1:
            raise ValueError(f"quantiser: block of {self.block} values; at least 1 is needed")
        if not 0.0 < self.percentile <= 100.0:
            raise ValueError(f"quantiser: percentile {self.percentile} is outside (0, 100]")
        if self.scale_rule == "fixed" and not self.fixed_scale > 0.0:
            raise ValueError(f"quantiser: fixed scale {self.fixed_scale} must be positive")

    def calibrate(self, x: Array, what: str = "tensor") -> Scale:
        """Scales for the values of ``x``. ValueError for values not finite, or negative on an unsigned grid."""
        groups = self._groups(_finite(x, what))
        if (
            self.symmetric
            and isinstance(self.grid, IntegerGrid)
            and not self.grid.signed
            and groups.min() < 0
        ):
            raise ValueError(
                f"{what}: smallest value {groups.min():g} is negative; a symmetric unsigned grid starts at 0"
            )
        low, high = self._range(groups)
        if self.calibration != "mse":
            return self._scale(low, high, groups)
        best, error = self._scale(low, high, groups), np.full(len(groups), np.inf)
        for ratio in np.linspace(1.0, 0.2, 81):
            trial = self._scale(ratio * low, ratio * high, groups)
            loss = np.square(self._values(self._codes(groups, trial), trial) - groups).sum(axis=1)
            better = loss < error
            error = np.where(better, loss, error)
            best = Scale(np.where(better, trial.scale, best.scale), np.where(better, trial.zero, best.zero))
        return best

    def quantize(self, x: Array, scale: Scale | None = None, what: str = "tensor") -> "Quantized":
        """Codes of ``x`` (its shape); ``scale`` from an earlier calibration, or of these values themselves."""
        x = _finite(x, what)
        groups = self._groups(x)
        scale = self.calibrate(x, what) if scale is None else scale
        if scale.scale.size != len(groups):
            raise ValueError(f"{what}: {scale.scale.size} scales for {len(groups)} groups")
        return Quantized(self._ungroup(self._codes(groups, scale), x.shape), scale, self)

    def scale_bits(self, shape: tuple[int, ...]) -> int:
        """Bits stored for the scales (and zero points) of a tensor of that shape; a fixed scale costs none."""
        groups = len(self._groups(np.zeros(shape)))
        if self.scale_rule == "fixed":
            return 0
        each = {"mx": 8, "e4m3": 8, "power_of_two": 8}.get(self.scale_rule, 32)
        zeros = 0 if self.symmetric else groups * self.grid.bits
        return groups * each + zeros + (32 if self.scale_rule == "e4m3" else 0)

    def _groups(self, x: Array) -> Real:
        """[groups, values]; a short last block is filled up with zeros."""
        if x.size == 0:
            raise ValueError("quantiser: the tensor is empty")
        if self.granularity == "tensor":
            return x.reshape(1, -1)
        if self.granularity == "channel":
            return np.moveaxis(x, self.axis, 0).reshape(x.shape[self.axis], -1)
        rows = x.reshape(-1, x.shape[-1])
        return np.pad(rows, ((0, 0), (0, -rows.shape[1] % self.block))).reshape(-1, self.block)

    def _ungroup(self, groups: Array, shape: tuple[int, ...]) -> Array:
        if self.granularity == "tensor":
            return groups.reshape(shape)
        if self.granularity == "channel":
            moved = (shape[self.axis], *(s for i, s in enumerate(shape) if i != self.axis % len(shape)))
            return np.ascontiguousarray(np.moveaxis(groups.reshape(moved), 0, self.axis))
        per_row = -(-shape[-1] // self.block) * self.block
        return np.ascontiguousarray(groups.reshape(-1, per_row)[:, : shape[-1]]).reshape(shape)

    def _range(self, groups: Real) -> tuple[Real, Real]:
        """Smallest and largest value to be represented, per group; symmetric about 0 when the quantiser is."""
        tail = self.percentile if self.calibration == "percentile" else 100.0
        if self.symmetric:
            top = np.percentile(np.abs(groups), tail, axis=1)
            return -top, top
        low = np.percentile(groups, 100.0 - tail, axis=1)
        return np.minimum(low, 0.0), np.maximum(np.percentile(groups, tail, axis=1), 0.0)

    def _scale(self, low: Real, high: Real, groups: Real) -> Scale:
        """Scale and zero point that map [low, high] onto the grid."""
        none = np.zeros_like(high)
        if self.scale_rule == "fixed":
            return Scale(np.full_like(high, self.fixed_scale), none)
        if self.scale_rule == "released_cnna":
            return _released_cnna(self.grid, groups)
        top = float(self.grid.high) if isinstance(self.grid, IntegerGrid) else grid_magnitudes(self.grid)[-1]
        if not self.symmetric:
            assert isinstance(self.grid, IntegerGrid)
            scale = _positive((high - low) / (self.grid.high - self.grid.low))
            zero = np.clip(np.rint(self.grid.low - low / scale), self.grid.low, self.grid.high)
            return Scale(scale, zero)
        if self.scale_rule == "free":
            return Scale(_positive(high / top), none)
        if self.scale_rule == "e4m3":
            tensor_scale = _positive(high.max(keepdims=True) / (top * 448.0))
            table = grid_magnitudes(FloatGrid("fp8_e4m3"))
            return Scale(table[nearest_code(high / (top * tensor_scale), table)] * tensor_scale, none)
        safe = _positive(high)
        if self.scale_rule == "mx":
            exponent = np.floor(np.log2(safe)) - math.floor(math.log2(top))
        elif isinstance(self.grid, PowerOfTwoGrid):
            exponent = np.floor(np.log2(4.0 * safe / 3.0))
        else:
            exponent = np.ceil(np.log2(safe / top))
        return Scale(np.exp2(exponent), none)

    def _codes(self, groups: Real, scale: Scale) -> npt.NDArray[np.int64]:
        step = scale.scale[:, None]
        units = np.divide(groups, step, out=np.zeros_like(groups), where=step > 0)
        if isinstance(self.grid, IntegerGrid):
            units = np.rint(units) if self.rounding == "half_even" else np.floor(units + 0.5)
            return np.clip(units + scale.zero[:, None], self.grid.low, self.grid.high).astype(np.int64)
        sign = np.signbit(units).astype(np.int64) << (self.grid.bits - 1)
        return np.asarray(nearest_code(np.abs(units), grid_magnitudes(self.grid)) | sign)

    def _values(self, codes: npt.NDArray[np.int64], scale: Scale) -> Real:
        if isinstance(self.grid, IntegerGrid):
            return np.asarray((codes - scale.zero[:, None]) * scale.scale[:, None])
        sign_bit = 1 << (self.grid.bits - 1)
        table = grid_magnitudes(self.grid)
        magnitude = table[np.minimum(codes & (sign_bit - 1), len(table) - 1)]
        return np.asarray(np.where(codes & sign_bit, -magnitude, magnitude) * scale.scale[:, None])


def _finite(x: Array, what: str) -> Real:
    values = np.asarray(x, np.float64)
    if not np.isfinite(values).all():
        raise ValueError(
            f"{what}: {int((~np.isfinite(values)).sum())} values are not finite; they have no code"
        )
    return values


def _positive(scale: Real) -> Real:
    """1 where a group holds only zeros, whose codes are 0 under any scale."""
    return np.asarray(np.where(scale > 0.0, scale, 1.0))


def _released_cnna(grid: Grid, groups: Real) -> Scale:
    """The auto-scale of CNNA's released pre-processing: the largest weight (not magnitude) becomes 2^2.

    Q2.14 reaches only 2, so weights above half of the largest saturate; the training code of the same project divides
    by the largest magnitude instead, which is the ``free`` rule. Both are offered because both are published.
    """
    largest = groups.max(axis=1)
    if (largest <= 0.0).any():
        raise ValueError("CNNA auto-scale divides by the largest weight, and a group has no positive one")
    return Scale(largest / 4.0 * 2.0 ** -(grid.bits - 2), np.zeros_like(largest))


@dataclass(frozen=True)
class Quantized:
    """Codes (the tensor's shape, int64), their scales, and the quantiser that made them."""

    codes: npt.NDArray[np.int64]
    scale: Scale
    quantizer: Quantizer

    def dequantize(self) -> Real:
        """The values that the codes stand for, float64, by equations 1 and 2."""
        quantizer = self.quantizer
        groups = quantizer._groups(self.codes).astype(np.int64)
        return np.asarray(
            quantizer._ungroup(quantizer._values(groups, self.scale), self.codes.shape), np.float64
        )

    @property
    def bits(self) -> int:
        """Stored bits: codes and scales."""
        return int(self.codes.size) * self.quantizer.grid.bits + self.quantizer.scale_bits(self.codes.shape)


def fake_quantize(x: Array, quantizer: Quantizer, what: str = "tensor") -> Array:
    """Quantise and dequantise, in the shape and type of ``x``."""
    return quantizer.quantize(x, what=what).dequantize().astype(np.asarray(x).dtype)


def fake_quantize_tensor(tensor: Any, quantizer: Quantizer, what: str = "tensor") -> Any:
    """``fake_quantize`` of a torch tensor: same type and device, no gradient."""
    import torch

    values = fake_quantize(tensor.detach().cpu().to(torch.float64).numpy(), quantizer, what)
    return torch.from_numpy(values).to(dtype=tensor.dtype, device=tensor.device)


def sqnr_db(reference: Array, approximation: Array) -> float:
    """Signal to quantisation noise ratio, 10 log10(sum x^2 / sum (x - q)^2) [dB]; infinite when nothing differs."""
    signal = np.asarray(reference, np.float64)
    noise = float(np.square(signal - np.asarray(approximation, np.float64)).sum())
    power = float(np.square(signal).sum())
    if power <= 0.0:
        raise ValueError("SQNR: the reference is zero everywhere, so the ratio has no meaning")
    return math.inf if noise == 0.0 else 10.0 * math.log10(power / noise)


def sqnr_by_layer_db(tensors: Mapping[str, Array], quantizer: Quantizer) -> dict[str, float]:
    """SQNR [dB] of each named tensor under one quantiser."""
    return {
        name: sqnr_db(x, fake_quantize(np.asarray(x, np.float64), quantizer, name))
        for name, x in tensors.items()
    }


def dyadic_scale(scale: float, bits: int = 16) -> tuple[int, int]:
    """(multiplier, shift) with scale ~ multiplier / 2^shift and the largest multiplier of ``bits`` bits (unsigned).

    How integer hardware rescales an accumulator (Jacob et al., eq. 6; CoDeNet keeps 16-bit scales and shifts).
    """
    if not scale > 0.0 or not 2 <= bits <= 31:
        raise ValueError(f"dyadic scale: scale {scale} must be positive and 2 <= bits = {bits} <= 31")
    shift = bits - math.frexp(scale)[1]
    multiplier = round(math.ldexp(scale, shift))
    return (multiplier // 2, shift - 1) if multiplier >> bits else (multiplier, shift)


def _blocks(name: str, block: int, rule: ScaleRule) -> Quantizer:
    return Quantizer(FloatGrid(name), granularity="block", block=block, scale_rule=rule)


PRESETS: dict[str, Quantizer] = {
    "int8": Quantizer(IntegerGrid(8, narrow=True)),
    "int8_affine": Quantizer(IntegerGrid(8, signed=False), symmetric=False),
    "int8_per_channel": Quantizer(IntegerGrid(8, narrow=True), granularity="channel"),
    "int4_per_channel": Quantizer(IntegerGrid(4, narrow=True), granularity="channel"),
    "int2_per_channel": Quantizer(IntegerGrid(2), granularity="channel", calibration="mse"),
    # CNNA (Bjerge et al., arXiv 2004.13075): sc_fixed<16,2>, SC_RND, SC_SAT; largest magnitude to the largest code.
    "q2_14": Quantizer(IntegerGrid(16), scale_rule="fixed", fixed_scale=2.0**-14, rounding="half_up"),
    "q2_14_auto": Quantizer(IntegerGrid(16), rounding="half_up"),
    "q2_14_released": Quantizer(IntegerGrid(16), scale_rule="released_cnna", rounding="half_up"),
    # CoDeNet (arXiv 2006.08357): 4-bit weights per output channel, 8-bit activations.
    "codenet_weight": Quantizer(IntegerGrid(4, narrow=True), granularity="channel"),
    "codenet_activation": Quantizer(IntegerGrid(8, narrow=True)),
    "fp8_e4m3": Quantizer(FloatGrid(FP8_E4M3.name)),
    "fp8_e5m2": Quantizer(FloatGrid(FP8_E5M2.name)),
    # NVFP4 (arXiv 2509.25149): blocks of 16, E4M3 block scale, FP32 tensor scale amax / (6 * 448).
    "nvfp4": _blocks(FP4_E2M1.name, 16, "e4m3"),
    # OCP Microscaling Formats 1.0: blocks of 32, E8M0 scale.
    "mxfp4": _blocks(FP4_E2M1.name, 32, "mx"),
    "mxfp8_e4m3": _blocks(FP8_E4M3.name, 32, "mx"),
    "power_of_two_4": Quantizer(PowerOfTwoGrid(4), scale_rule="power_of_two"),
}


def quantizer(name: str, **changes: Any) -> Quantizer:
    """A preset, with fields replaced if wanted: ``quantizer("int8", calibration="percentile")``."""
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"; nearest is {near[0]!r}" if near else ""
        raise ValueError(f"unknown quantiser {name!r}; allowed: {', '.join(PRESETS)}{hint}")
    return replace(PRESETS[name], **changes)
