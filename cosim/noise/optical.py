"""The value of a layer on a 4f machine: what the camera returns, signs undone, channels summed.

The algebra is exact by default: a lens pair and a mask multiply the spectrum of every tile by that of its kernel,

    field = IFFT( FFT(x) conj(FFT(conj(w))) )                                                (Eq. 1)

on tiles padded as their guard pads them, so that no output wraps around. Where channels meet as fields (channel
tiling) they are summed before the camera, elsewhere after it. A mask shifted by d pixels of a plane of N multiplies
tap n of the kernel by exp(i 2 pi d n / N); taps are counted on the plane, so that the blocks of channel tiling, which
lie far apart, lose their common phase first. :mod:`cosim.noise.optical_plane` lays the same tiles on a whole plane.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from cosim.noise.optical_detect import Detector, Reading, read_signed
from cosim.noise.optical_frames import IDEAL, Frames, Setup, Shape, quantise

if TYPE_CHECKING:
    from torch import Generator, Tensor

__all__ = ["IDEAL", "Outcome", "Setup", "Shape", "convolve", "quantise"]


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
    frames = Frames(x, w, shape, setup)
    held = list(frames.chunks()) if frames.step >= frames.filters else None
    unit = frames.peak() if held is None else None
    if unit is None:
        every = (part for chunk in (held or frames.chunks()) for part in chunk.values())
        unit = max((float(part.abs().max()) for part in every), default=0.0)
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
