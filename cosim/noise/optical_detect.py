"""From fields to numbers: intensity, camera noise, converter, and the sign schemes that undo the square.

Shapes are free; every function works on whole batches of frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cosim.noise.optical_snr import Pixel, amplitude_moments

if TYPE_CHECKING:
    from torch import Generator, Tensor

# Where shot and read noise together have at least this variance, electrons are drawn from the normal law of equal mean
# and variance (skewness below 1/8); where they have less, shots are drawn from Poisson's law itself.
_NORMAL_ABOVE = 64.0
_TABLE = 513


@dataclass(frozen=True)
class Reading:
    """One signed result: its estimate, and what the closed forms expect of its error.

    ``bias`` and ``variance`` are None for an ideal pixel.
    """

    value: Tensor
    bias: Tensor | None
    variance: Tensor | None


class Detector:
    """A camera: intensity of normalised amplitudes to electrons to codes and back.

    ``generator`` draws the noise. Amplitudes are in units of the exposure's unit amplitude, which gives
    ``pixel.electrons`` electrons.
    """

    def __init__(self, pixel: Pixel, generator: Generator | None = None) -> None:
        self.pixel, self.generator = pixel, generator
        self._moments: tuple[Tensor, Tensor] | None = None

    def electrons(self, intensity: Tensor) -> Tensor:
        """Electrons read for an intensity (1 at unit amplitude): shot, dark and read noise, well, converter."""
        import torch

        pixel = self.pixel
        mean = intensity * pixel.electrons
        if pixel.dark_electrons:
            mean += pixel.dark_electrons
        read2 = pixel.read_electrons**2
        noise = torch.randn(mean.shape, generator=self.generator, dtype=mean.dtype, device=mean.device)
        if read2 < _NORMAL_ABOVE and bool((mean < _NORMAL_ABOVE - read2).any()):
            few = mean < _NORMAL_ABOVE
            drawn = mean + mean.sqrt() * noise
            drawn[few] = torch.poisson(mean[few], generator=self.generator)
            if read2:
                drawn += pixel.read_electrons * torch.randn(
                    mean.shape, generator=self.generator, dtype=mean.dtype, device=mean.device
                )
        else:
            drawn = noise.mul_((mean + read2).sqrt_()).add_(mean)
        # The converter codes what lies below zero as well: cameras add an offset, so read noise is not folded.
        if pixel.step_electrons:
            top = pixel.full_well_electrons - pixel.step_electrons
            drawn = drawn.div_(pixel.step_electrons).round_().mul_(pixel.step_electrons).clamp_(max=top)
        else:
            drawn = drawn.clamp_(max=pixel.full_well_electrons)
        return drawn.sub_(pixel.dark_electrons) if pixel.dark_electrons else drawn

    def amplitude(self, amplitude: Tensor) -> Tensor:
        """Estimate of |amplitude| from its intensity; ``amplitude`` may be complex."""
        if self.pixel.ideal:
            return amplitude.abs()
        intensity = _square(amplitude)
        return self.electrons(intensity).div_(self.pixel.electrons).clamp_(min=0.0).sqrt_()

    def intensity(self, amplitude: Tensor) -> Tensor:
        """Estimate of |amplitude|^2."""
        squared = _square(amplitude)
        return squared if self.pixel.ideal else self.electrons(squared) / self.pixel.electrons

    def amplitude_error(self, amplitude: Tensor) -> tuple[Tensor, Tensor]:
        """Expected bias and variance of :meth:`amplitude` (a table of the closed forms, interpolated)."""
        import torch

        level = amplitude.abs()
        if self._moments is None:
            grid = np.linspace(0.0, 1.1, _TABLE)
            bias, variance = amplitude_moments(self.pixel, grid)
            self._moments = (
                torch.as_tensor(bias, dtype=level.dtype, device=level.device),
                torch.as_tensor(variance, dtype=level.dtype, device=level.device),
            )
        place = (level * ((_TABLE - 1) / 1.1)).clamp(max=_TABLE - 1.001)
        index = place.long()
        part = place - index
        low, high = self._moments
        return (
            torch.lerp(low[index], low[index + 1], part),
            torch.lerp(high[index], high[index + 1], part),
        )

    def intensity_variance(self, amplitude: Tensor) -> Tensor:
        """Expected variance of :meth:`intensity`."""
        signal = amplitude.abs().square() * self.pixel.electrons
        return (signal + self.pixel.floor_electrons2) / self.pixel.electrons**2


def read_signed(detector: Detector, scheme: str, fields: dict[str, Tensor], predict: bool) -> Reading:
    """The signed result of a scheme from its normalised fields.

    ``fields`` holds ``++``, ``+-``, ``-+``, ``--`` (sign of input and weight parts) for the split schemes and
    ``y`` for the others. ``predict`` asks for the expected error.
    """
    if scheme in ("pn2", "pn4"):
        return _split(detector, fields, predict and not detector.pixel.ideal)
    field = fields["y"]
    known = predict and not detector.pixel.ideal
    if scheme in ("abs", "nonnegative"):
        b, v = detector.amplitude_error(field) if known else (None, None)
        return Reading(detector.amplitude(field), b, v)
    if scheme == "square":
        read = detector.intensity(field)
        if not known:
            return Reading(read, None, None)
        spread = detector.intensity_variance(field)
        return Reading(read, 0 * spread, spread)
    # A reference of the unit amplitude: the exposure is set for twice of it.
    if scheme == "reference":
        shifted = (field + 1.0) / 2.0
        b, v = detector.amplitude_error(shifted) if known else (None, None)
        return Reading(
            2.0 * detector.amplitude(shifted) - 1.0,
            None if b is None else 2.0 * b,
            None if v is None else 4.0 * v,
        )
    if scheme == "two_step":
        high, low = (field + 1.0) / 2.0, (field - 1.0) / 2.0
        read = detector.intensity(high) - detector.intensity(low)
        if not known:
            return Reading(read, None, None)
        spread = detector.intensity_variance(high) + detector.intensity_variance(low)
        return Reading(read, 0 * spread, spread)
    raise ValueError(
        f"sign scheme: found {scheme!r}, allowed pn2, pn4, abs, reference, two_step, square, nonnegative"
    )


def _split(detector: Detector, fields: dict[str, Tensor], known: bool) -> Reading:
    """Amplitudes of the sign parts, added with their signs; variances of all of them add."""
    total: list[Tensor] = []
    biases: list[Tensor] = []
    spreads: list[Tensor] = []
    for name, field in fields.items():
        sign = 1.0 if name[0] == name[1] else -1.0
        total.append(sign * detector.amplitude(field))
        if known:
            bias, spread = detector.amplitude_error(field)
            biases.append(sign * bias)
            spreads.append(spread)
    if not known:
        return Reading(_sum(total), None, None)
    return Reading(_sum(total), _sum(biases), _sum(spreads))


def _sum(parts: list[Tensor]) -> Tensor:
    out = parts[0]
    for part in parts[1:]:
        out = out + part
    return out


def _square(field: Tensor) -> Tensor:
    return (field.real.square() + field.imag.square()) if field.is_complex() else field.square()
