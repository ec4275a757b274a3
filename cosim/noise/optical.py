"""The value of a layer on a 4f machine: what the camera returns, signs undone, channels summed.

The algebra is exact by default: a lens pair and a mask multiply the spectrum of every tile by that of its kernel,

    field = IFFT( FFT(x) conj(FFT(conj(w))) )                                                (Eq. 1)

on tiles padded as their guard pads them, so that no output wraps around. Where channels meet as fields (channel
tiling) they are summed before the camera, elsewhere after it. A mask shifted by d pixels of a plane of N multiplies
tap n of the kernel by exp(i 2 pi d n / N); taps are counted on the plane, so that the blocks of channel tiling, which
lie far apart, lose their common phase first. :mod:`cosim.noise.optical_plane` lays the same tiles on a whole plane.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from cosim.mapping.optical_tiling import SCHEMES
from cosim.noise.optical_detect import Detector, Reading, read_signed
from cosim.noise.optical_snr import Pixel

if TYPE_CHECKING:
    from torch import Generator, Tensor

IDEAL = Pixel(electrons=inf)


@dataclass(frozen=True)
class Setup:
    """How one layer meets the light.

    Attributes
    ----------
    optical_sum: channels of a filter meet in one frame (channel tiling)
    scheme:      sign scheme
    pixel:       camera pixel
    x_bits:      levels of the input modulator; mask_bits: levels of amplitude and of phase of the mask
    shift_px:    mask shift in pixels, rows and columns
    fill_factor: share of a mask pixel that modulates; the rest reflects the input unfiltered
    plane:       rows and columns of the plane in values
    pitch:       distance of tiles; block_columns: tiles a row of a filter's block
    chunk_elements: bound on the field values held at once
    """

    optical_sum: bool = True
    scheme: str = "pn2"
    pixel: Pixel = IDEAL
    x_bits: float = inf
    mask_bits: float = inf
    shift_px: tuple[float, float] = (0.0, 0.0)
    fill_factor: float = 1.0
    plane: tuple[int, int] = (2160, 3840)
    pitch: tuple[int, int] = (1, 1)
    block_columns: int = 1
    chunk_elements: int = 1 << 22

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            raise ValueError(f"sign scheme: found {self.scheme!r}, allowed {', '.join(SCHEMES)}")
        if not 0.0 < self.fill_factor <= 1.0:
            raise ValueError(f"fill factor: found {self.fill_factor:g}, allowed above 0 and at most 1")
        if min(self.x_bits, self.mask_bits) < 1 or self.chunk_elements < 1:
            raise ValueError("bits and chunk: found less than 1, allowed 1 and above")

    @property
    def complex_kernel(self) -> bool:
        """The effective kernel is complex."""
        return any(self.shift_px)


@dataclass(frozen=True)
class Shape:
    """Hyper-parameters of a convolution; padding is (top, left, bottom, right)."""

    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1


@dataclass(frozen=True)
class Outcome:
    """Result of one layer.

    ``snr_db`` compares with the same fields read without noise, ``predicted_snr_db`` is what the closed forms
    expect of it; both are infinite for an ideal pixel. ``unit`` is the field of unit amplitude (the exposure).
    """

    value: Tensor
    snr_db: float
    predicted_snr_db: float
    unit: float


@dataclass
class _Errors:
    """Sums for the signal-to-noise ratios."""

    signal: float = 0.0
    error: float = 0.0
    expected: float = 0.0
    parts: list[Tensor] = field(default_factory=list)

    def add(self, read: Reading, clean: Tensor, unit: float) -> None:
        self.signal += float(clean.square().sum()) * unit**2
        if read.bias is not None and read.variance is not None:
            self.error += float((read.value - clean).square().sum()) * unit**2
            self.expected += float((read.bias.square() + read.variance).sum()) * unit**2

    def ratio_db(self, error: float) -> float:
        from math import log10

        return 10.0 * log10(self.signal / error) if error > 0 and self.signal > 0 else inf


def quantise(x: Tensor, bits: float, peak: Tensor | float) -> Tensor:
    """Symmetric uniform levels: 2^bits - 1 steps from 0 to ``peak``; unchanged for infinite ``bits``."""
    if bits == inf:
        return x
    step = peak / (2.0**bits - 1.0)
    levels: Tensor = (x / step).round() * step
    return levels


def quantise_mask(spectrum: Tensor, bits: float) -> Tensor:
    """A complex mask of 2^bits levels in amplitude (of its largest value) and in phase; masks are the last axes."""
    import torch

    if bits == inf:
        return spectrum
    size = spectrum.abs()
    peak = size.amax(dim=tuple(range(2, spectrum.ndim)), keepdim=True).clamp(min=torch.finfo(size.dtype).tiny)
    turn = 2.0 * torch.pi / 2.0**bits
    angle = (spectrum.angle() / turn).round() * turn
    return torch.polar(quantise(size / peak, bits, 1.0) * peak, angle)


def _parts(x: Tensor, signed: bool) -> dict[str, Tensor]:
    return {"+": x.clamp(min=0.0), "-": (-x).clamp(min=0.0)} if signed else {"+": x}


def operands(x: Tensor, w: Tensor, scheme: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Inputs and weights as the scheme splits them.

    Raises ``ValueError`` where a scheme meets signs that it cannot carry.
    """
    rule = SCHEMES[scheme]
    for name, tensor, allowed in (("inputs", x, rule.signed_inputs), ("weights", w, rule.signed_weights)):
        if not allowed and bool((tensor < 0).any()):
            raise ValueError(
                f"sign scheme {scheme}: found negative {name}, allowed 0 and above; "
                "pn4, reference and two_step carry both signs"
            )
    return _parts(x, scheme == "pn4"), _parts(w, scheme in ("pn2", "pn4"))


def _dilated(w: Tensor, dilation: tuple[int, int]) -> Tensor:
    if dilation == (1, 1):
        return w
    rows, columns = ((n - 1) * d + 1 for n, d in zip(w.shape[-2:], dilation, strict=True))
    out = w.new_zeros(*w.shape[:-2], rows, columns)
    out[..., :: dilation[0], :: dilation[1]] = w
    return out


def fast_length(n: int) -> int:
    """Smallest length of at least ``n`` whose only prime factors are 2, 3 and 5."""
    while True:
        rest = n
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 1


def shift_phase(w: Tensor, setup: Setup) -> Tensor:
    """Phase of every tap, shape (C, R, S), for a shifted mask; see the module."""
    import torch

    channels, rows, columns = w.shape[-3:]
    c = torch.arange(channels, dtype=w.dtype, device=w.device)
    block_row = torch.div(c, setup.block_columns, rounding_mode="floor") if setup.optical_sum else 0 * c
    block_column = c - block_row * setup.block_columns if setup.optical_sum else 0 * c
    r = torch.arange(rows, dtype=w.dtype, device=w.device) - (rows - 1) / 2
    s = torch.arange(columns, dtype=w.dtype, device=w.device) - (columns - 1) / 2
    y = (block_row * setup.pitch[0])[:, None, None] + r[None, :, None]
    x = (block_column * setup.pitch[1])[:, None, None] + s[None, None, :]
    turns = setup.shift_px[0] * y / setup.plane[0] + setup.shift_px[1] * x / setup.plane[1]
    return torch.polar(torch.ones_like(turns), 2.0 * torch.pi * turns)


class _Frames:
    """Spectra of one layer and the fields they give, filter chunk by filter chunk."""

    def __init__(self, x: Tensor, w: Tensor, shape: Shape, setup: Setup) -> None:
        import torch

        top, left, bottom, right = shape.padding
        x = torch.nn.functional.pad(x, (left, right, top, bottom))
        self.shape, self.setup = shape, setup
        self.groups, self.channels = shape.groups, w.shape[1]
        self.images = x.shape[0]
        w = w.reshape(self.groups, -1, *w.shape[1:])
        self.filters = w.shape[1]
        xs, ws = operands(x, w, setup.scheme)
        self.weights = {name: _dilated(part, shape.dilation) for name, part in ws.items()}
        self.kernel = next(iter(self.weights.values())).shape[-2:]
        self.outputs = (x.shape[-2] - self.kernel[0] + 1, x.shape[-1] - self.kernel[1] + 1)
        # A 1x1 kernel has a flat spectrum: its fields need no transform.
        self.point = self.kernel == (1, 1)
        rows, columns = x.shape[-2:]
        self.size = (rows, columns) if self.point else (fast_length(rows), fast_length(columns))
        peak = x.abs().max()
        self.inputs = {
            name: self._forward(quantise(part, setup.x_bits, peak)).reshape(
                self.images, self.groups, 1, self.channels, *self._spectrum_size
            )
            for name, part in xs.items()
        }
        maps = self.images * self.groups * (1 if self._summed else self.channels)
        self.step = max(1, setup.chunk_elements // (maps * self.size[0] * self.size[1]))
        if self._summed:
            per_filter = self.groups * self.channels * self.size[0] * self.size[1]
            self.step = max(1, min(self.step, setup.chunk_elements // per_filter))

    @property
    def _summed(self) -> bool:
        return self.setup.optical_sum and self.channels > 1

    @property
    def _spectrum_size(self) -> tuple[int, int]:
        half = self.size[1] // 2 + 1
        return self.size if self.setup.complex_kernel or self.point else (self.size[0], half)

    def _forward(self, x: Tensor) -> Tensor:
        import torch

        if self.point:
            return x
        whole: Tensor = (torch.fft.fft2 if self.setup.complex_kernel else torch.fft.rfft2)(x, s=self.size)
        return whole

    def _backward(self, spectrum: Tensor) -> Tensor:
        import torch

        back = torch.fft.ifft2 if self.setup.complex_kernel else torch.fft.irfft2
        fields: Tensor = spectrum if self.point else back(spectrum, s=self.size)
        rows, columns = self.outputs
        return fields[..., : rows : self.shape.stride[0], : columns : self.shape.stride[1]]

    def _mask(self, name: str, part: slice) -> Tensor:
        """Mask spectra of a chunk of filters, (groups, filters, channels, f, f)."""
        w = self.weights[name][:, part]
        if self.setup.complex_kernel:
            w = w * shift_phase(w, self.setup).conj()
        mask = quantise_mask(self._forward(w).conj(), self.setup.mask_bits)
        fill = self.setup.fill_factor
        if fill == 1.0:
            return mask
        leak = (1.0 - fill) * mask.abs().amax(dim=(2, 3, 4), keepdim=True)
        mask = fill * mask
        mask[:, :, :1] = mask[:, :, :1] + leak
        return mask

    def _field(self, x: Tensor, mask: Tensor) -> Tensor:
        if not self._summed:
            return self._backward(x * mask[None])
        if self.point:
            import torch

            kernel = mask[..., 0, 0]
            point = torch.einsum("ngchw,gkc->ngkhw", x[:, :, 0].to(kernel.dtype), kernel)
            return self._backward(point.unsqueeze(3))
        # Sum over channels as one matrix product a frequency: (f, g, n, c) @ (f, g, c, k).
        left = x[:, :, 0].permute(3, 4, 1, 0, 2)
        product = left @ mask.permute(3, 4, 0, 2, 1)
        return self._backward(product.permute(3, 2, 4, 0, 1).unsqueeze(3))

    def chunks(self) -> Iterator[dict[str, Tensor]]:
        """Fields (images, groups, filters, channels or 1, rows, columns) of successive filters, by sign part."""
        split = self.setup.scheme in ("pn2", "pn4")
        for start in range(0, self.filters, self.step):
            part = slice(start, start + self.step)
            masks = {name: self._mask(name, part) for name in self.weights}
            yield {
                (a + b if split else "y"): self._field(x, mask)
                for a, x in self.inputs.items()
                for b, mask in masks.items()
            }


def check_sums(scheme: str, optical_sum: bool, channels: int) -> None:
    """Refuse magnitudes that would have to add up electronically; ``ValueError``."""
    if scheme == "abs" and not optical_sum and channels > 1:
        raise ValueError(
            f"sign scheme abs: found {channels} magnitudes to be summed electronically, allowed 1; "
            "channel tiling sums them as fields"
        )


def convolve(
    x: Tensor, w: Tensor, shape: Shape, setup: Setup, generator: Generator | None = None, predict: bool = True
) -> Outcome:
    """A convolution on the light.

    Parameters
    ----------
    x, w
        Inputs (N, G*C, H, W) and weights (G*K, C, R, S), floating point of the same type.
    predict
        Also form the expected error; costs a table look-up per reading.

    Returns
    -------
    Outcome
        Values (N, G*K, P, Q): the convolution for the linear schemes, its magnitude for ``abs``, its square for
        ``square``.

    Raises
    ------
    ValueError
        Signs that the scheme cannot carry, or magnitudes that would be summed electronically.
    """
    import torch

    check_sums(setup.scheme, setup.optical_sum, w.shape[1])
    frames = _Frames(x, w, shape, setup)
    single = frames.step >= frames.filters
    held = list(frames.chunks()) if single else None
    unit = max(
        (float(part.abs().max()) for chunk in (held or frames.chunks()) for part in chunk.values()),
        default=0.0,
    )
    unit = unit if unit > 0 else 1.0
    detector, clean = Detector(setup.pixel, generator), Detector(IDEAL)
    errors = _Errors()
    for chunk in held or frames.chunks():
        scaled = {name: part / unit for name, part in chunk.items()}
        read = _summed(read_signed(detector, setup.scheme, scaled, predict))
        ideal = read if setup.pixel.ideal else _summed(read_signed(clean, setup.scheme, scaled, False))
        scale = unit**2 if setup.scheme == "square" else unit
        errors.add(read, ideal.value, scale)
        errors.parts.append(read.value * scale)
    value = torch.cat(errors.parts, dim=2).flatten(1, 2)
    return Outcome(value, errors.ratio_db(errors.error), errors.ratio_db(errors.expected), unit)


def _summed(read: Reading) -> Reading:
    """Channels summed electronically: values and biases add, variances add."""
    if read.bias is None or read.variance is None:
        return Reading(read.value.sum(dim=3), None, None)
    return Reading(read.value.sum(dim=3), read.bias.sum(dim=3), read.variance.sum(dim=3))
