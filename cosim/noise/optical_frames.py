"""Spectra of one layer and the fields they give; see :mod:`cosim.noise.optical`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from cosim.mapping.optical_tiling import SCHEMES
from cosim.noise.optical_snr import Pixel

if TYPE_CHECKING:
    from torch import Tensor

IDEAL = Pixel(electrons=inf)


@dataclass(frozen=True)
class Setup:
    """How one layer meets the light.

    Attributes
    ----------
    optical_sum: channels of a filter meet in one frame (channel tiling)
    scheme:      sign scheme
    pixel:       camera pixel
    x_bits:      levels of the input modulator; mask_bits: levels of each quadrature of the mask
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
    chunk_elements: int = 1 << 18

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


def quantise(x: Tensor, bits: float, peak: Tensor | float) -> Tensor:
    """Symmetric uniform levels: 2^bits - 1 steps from 0 to ``peak``; unchanged for infinite ``bits``."""
    if bits == inf:
        return x
    step = peak / (2.0**bits - 1.0)
    levels: Tensor = (x / step).round() * step
    return levels


def quantise_mask(parts: Tensor, bits: float, peak: Tensor) -> Tensor:
    """Quadratures of a mask at 2^bits levels from minus to plus ``peak``; changes ``parts``.

    Levels lie halfway, so that a single bit is a sign.
    """
    if bits == inf:
        return parts
    step = peak * (2.0 / (2.0**bits - 1.0))
    return parts.div_(step).floor_().add_(0.5).mul_(step)


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


# Kernels of at most this many taps are transformed by a matrix product, larger ones by FFT.
_FEW_TAPS = 30


class Frames:
    """Spectra of one layer and the fields they give, filter chunk by filter chunk."""

    def __init__(self, x: Tensor, w: Tensor, shape: Shape, setup: Setup) -> None:
        import torch

        top, left, bottom, right = shape.padding
        x = torch.nn.functional.pad(x, (left, right, top, bottom))
        self.shape, self.setup = shape, setup
        self.groups, self.channels, self.images = shape.groups, w.shape[1], x.shape[0]
        w = w.reshape(self.groups, -1, *w.shape[1:])
        self.filters = w.shape[1]
        xs, ws = operands(x, w, setup.scheme)
        peak = x.abs().max()
        self.plain = {name: quantise(part, setup.x_bits, peak) for name, part in xs.items()}
        self.weights = {name: _dilated(part, shape.dilation) for name, part in ws.items()}
        self.kernel = next(iter(self.weights.values())).shape[-2:]
        rows, columns = x.shape[-2:]
        self.outputs = (rows - self.kernel[0] + 1, columns - self.kernel[1] + 1)
        # A 1x1 kernel has a flat spectrum: its fields need no transform.
        self.point = self.kernel == (1, 1)
        self.size = (rows, columns) if self.point else (fast_length(rows), fast_length(columns))
        self.inputs = {
            name: self._rows(
                self._forward(part).reshape(self.images, self.groups, self.channels, *self._bins)
            )
            for name, part in self.plain.items()
        }
        few = self.kernel[0] * self.kernel[1] <= _FEW_TAPS and not self.point
        self.waves = self._taps(next(iter(self.weights.values()))) if few else None
        maps = self.images * self.groups * (1 if self.summed else self.channels)
        held = max(maps, self.groups * self.channels) if not self.point else maps
        self.step = max(1, setup.chunk_elements // (held * self.size[0] * self.size[1]))

    @property
    def summed(self) -> bool:
        """Channels meet as fields."""
        return self.setup.optical_sum and self.channels > 1

    @property
    def _bins(self) -> tuple[int, int]:
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

    def _rows(self, x: Tensor) -> Tensor:
        """Spectra as :meth:`_field` wants them: for sums over channels (bins, g, 2 n, 2 c), all real.

        Rows (re, -im) and (im, re) of the inputs against (re, im) of a mask are the complex product.
        """
        import torch

        if not self.summed or self.point:
            return x
        bins = x.flatten(3).permute(3, 1, 0, 2)
        upper, lower = torch.cat((bins.real, -bins.imag), -1), torch.cat((bins.imag, bins.real), -1)
        return torch.cat((upper, lower), dim=2)

    def _taps(self, w: Tensor) -> Tensor:
        """Conjugate transform of few taps as a matrix (taps, bins): exp(+i 2 pi (f r / F + g s / G))."""
        import torch

        angles = [
            torch.arange(bins, dtype=torch.float64)[:, None] * torch.arange(taps, dtype=torch.float64) / size
            for bins, taps, size in zip(self._bins, self.kernel, self.size, strict=True)
        ]
        turns = (angles[0][:, None, :, None] + angles[1][None, :, None, :]).flatten(2).flatten(0, 1)
        waves = torch.polar(torch.ones_like(turns), 2.0 * torch.pi * turns).T
        return waves.to(device=w.device, dtype=torch.promote_types(w.dtype, torch.complex64))

    def _mask(self, name: str, part: slice) -> Tensor:
        """Mask of a chunk of filters as real quadratures: (bins, g, 2 c, k) where channels are summed, else
        (g, k, c, bins, 2)."""
        import torch

        w = self.weights[name][:, part]
        if self.setup.complex_kernel:
            w = w * shift_phase(w, self.setup)
        if self.summed and self.waves is not None and not w.is_complex():
            # One real product writes both quadratures where the sum over channels wants them.
            waves = torch.view_as_real(self.waves).permute(1, 2, 0).flatten(0, 1)
            flat = w.permute(3, 4, 0, 2, 1)
            mask = (waves @ flat.reshape(waves.shape[1], -1)).reshape(-1, 2, *flat.shape[2:])
            mask = mask.transpose(1, 2).flatten(2, 3)
        else:
            mask = self._spectrum(w)
            if self.summed:
                mask = mask.permute(3, 0, 4, 2, 1).flatten(2, 3)
        return self._real_mask(mask, w)

    def _spectrum(self, w: Tensor) -> Tensor:
        """Quadratures of the conjugate transform, (g, k, c, bins, 2)."""
        import torch

        if self.point:
            spectrum = w.flatten(3)
        elif self.waves is not None:
            if not w.is_complex():
                flat = w.flatten(3) @ torch.view_as_real(self.waves).flatten(1)
                return flat.reshape(*flat.shape[:-1], -1, 2)
            spectrum = w.flatten(3) @ self.waves
        else:
            spectrum = self._forward(w.conj() if w.is_complex() else w).conj().flatten(3)
        if not spectrum.is_complex():
            spectrum = torch.complex(spectrum, torch.zeros_like(spectrum))
        return torch.view_as_real(spectrum.resolve_conj())

    def _real_mask(self, mask: Tensor, w: Tensor) -> Tensor:
        """What the modulator makes of a mask: its levels, and light that it does not modulate."""
        import torch

        # No component of a spectrum exceeds the sum of the kernel's magnitudes; split kernels reach it.
        size = w.abs().sum(dim=(3, 4)).amax(dim=2)
        peak = size.clamp(min=torch.finfo(size.dtype).tiny)
        peak = peak[None, :, None, :] if self.summed else peak[:, :, None, None, None]
        mask = quantise_mask(mask.contiguous(), self.setup.mask_bits, peak)
        fill = self.setup.fill_factor
        if fill == 1.0:
            return mask
        mask = fill * mask
        first = mask[:, :, :1] if self.summed else mask[:, :, :1, :, :1]
        first += (1.0 - fill) * peak
        return mask

    def _field(self, x: Tensor, mask: Tensor) -> Tensor:
        """(images, groups, filters, channels or 1, rows, columns)."""
        import torch

        if not self.summed:
            bins = torch.view_as_complex(mask)
            bins = bins.reshape(*bins.shape[:-1], *((1, 1) if self.point else self._bins))
            field = self._backward(x[:, :, None] * bins[None])
        elif self.point:
            kernel = torch.complex(*mask[0].unflatten(1, (2, -1)).unbind(1))  # type: ignore[no-untyped-call]
            point = torch.einsum("ngchw,gck->ngkhw", x.to(kernel.dtype), kernel)
            field = self._backward(point.unsqueeze(3))
        else:
            product = x @ mask
            spectrum = torch.complex(*product.permute(2, 1, 3, 0).contiguous().chunk(2))
            field = self._backward(spectrum.reshape(*spectrum.shape[:-1], 1, *self._bins))
        return field.real if self.point and not self.setup.complex_kernel else field

    def peak(self) -> float | None:
        """Largest field of the layer from plain convolutions, or None where only the light knows."""
        import torch

        if not self.summed or self.setup.complex_kernel or self.setup.fill_factor < 1.0:
            return None
        return max(
            float(
                torch.nn.functional.conv2d(x, w.flatten(0, 1), None, self.shape.stride, groups=self.groups)
                .abs()
                .max()
            )
            for x in self.plain.values()
            for w in self.weights.values()
        )

    def chunks(self) -> Iterator[dict[str, Tensor]]:
        """Fields of successive filters by sign part."""
        split = self.setup.scheme in ("pn2", "pn4")
        for start in range(0, self.filters, self.step):
            part = slice(start, start + self.step)
            masks = {name: self._mask(name, part) for name in self.weights}
            yield {
                (a + b if split else "y"): self._field(x, mask)
                for a, x in self.inputs.items()
                for b, mask in masks.items()
            }
