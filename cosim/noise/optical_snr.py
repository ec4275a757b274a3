"""Closed forms of a camera pixel that reads a field amplitude.

With N electrons at the pixel, read noise sigma_r, D dark electrons, and a converter step q (EMVA 1288 kind):

    var_e = N + sigma_r^2 + D + q^2 / 12                                                     (Eq. 1)
    SNR = N / sqrt(var_e),  SNR_dB = 20 log10 SNR,  ENOB = (SNR_dB - 1.76) / 6.02            (Eq. 2)

An amplitude a in [0, 1] gives N = kappa a^2; its estimate sqrt(e / kappa) has, where N is large against its noise,

    sigma_a = sqrt(var_e) / (2 sqrt(kappa N)), shot-limited 1 / (2 sqrt kappa) for every a    (Eq. 3)

Near zero the square root bends the noise, so mean and variance of the estimate are integrated over a normal
distribution of e (:func:`amplitude_moments`); far from zero they are Eq. 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.components.optics import effective_bits
from cosim.components.params import Params
from cosim.ir.batch import Array


@dataclass(frozen=True)
class Pixel:
    """One camera pixel.

    Attributes
    ----------
    electrons:       electrons at unit amplitude (kappa); infinity leaves all noise and the converter out
    read_electrons:  rms read noise
    dark_electrons:  mean dark electrons of one exposure
    full_well_electrons: largest charge
    bits:            converter width; its step is full well / 2^bits
    """

    electrons: float
    read_electrons: float = 0.0
    dark_electrons: float = 0.0
    full_well_electrons: float = np.inf
    bits: float = np.inf

    def __post_init__(self) -> None:
        if not self.electrons > 0:
            raise ValueError(f"electrons at unit amplitude: found {self.electrons:g}, allowed above 0")
        if self.full_well_electrons <= 0 or min(self.read_electrons, self.dark_electrons) < 0:
            raise ValueError(
                "full well, read and dark electrons: found a negative or empty one, allowed 0 and above"
            )
        if np.isfinite(self.bits) and not np.isfinite(self.full_well_electrons):
            raise ValueError("a converter of finite width needs a full well of finite size")

    @property
    def ideal(self) -> bool:
        """No noise at all."""
        return not np.isfinite(self.electrons)

    @property
    def step_electrons(self) -> float:
        """Converter step q; 0 for infinite width."""
        return float(self.full_well_electrons / 2.0**self.bits) if np.isfinite(self.bits) else 0.0

    @property
    def floor_electrons2(self) -> float:
        """Variance that does not depend on the signal: read, dark and converter."""
        return self.read_electrons**2 + self.dark_electrons + self.step_electrons**2 / 12.0


def pixel_of(params: Params, exposure_s: float) -> Pixel:
    """The pixel of a machine, its dark electrons gathered over ``exposure_s``."""
    return Pixel(
        electrons=float(params["detector.electrons"]),
        read_electrons=float(params["detector.read_noise_electrons"]),
        dark_electrons=float(params["detector.dark_electrons_per_s"]) * exposure_s,
        full_well_electrons=float(params["detector.full_well_electrons"]),
        bits=float(params["camera.bits"]),
    )


def snr_db(pixel: Pixel, electrons: float) -> float:
    """Signal-to-noise ratio of one reading of ``electrons`` in dB (Eq. 2)."""
    return float(20.0 * np.log10(electrons / np.sqrt(electrons + pixel.floor_electrons2)))


def enob(pixel: Pixel, electrons: float) -> float:
    """Effective bits of one reading (Eq. 2)."""
    return effective_bits(snr_db(pixel, electrons))


def amplitude_sigma(pixel: Pixel, amplitude: Array | float) -> Array:
    """Noise of an amplitude readout by Eq. 3, in units of the unit amplitude."""
    signal = pixel.electrons * np.square(amplitude)
    return np.asarray(np.sqrt(signal + pixel.floor_electrons2) / (2.0 * np.sqrt(pixel.electrons * signal)))


# Nodes of the integral over the noise; 64 are exact to 1e-6 for a root with its kink at zero.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(64)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def amplitude_moments(pixel: Pixel, amplitude: Array) -> tuple[Array, Array]:
    """Bias and variance of sqrt(max(e, 0) / kappa) for e normal with mean kappa a^2 and the variance of Eq. 1."""
    signal = pixel.electrons * np.square(amplitude)
    sigma = np.sqrt(signal + pixel.floor_electrons2)
    read = signal[..., None] + sigma[..., None] * _NODES
    values = np.sqrt(np.maximum(np.minimum(read, pixel.full_well_electrons), 0.0) / pixel.electrons)
    mean = values @ _WEIGHTS
    variance = np.square(values - mean[..., None]) @ _WEIGHTS
    return mean - amplitude, variance


def pseudo_negative_sigma(pixel: Pixel, plus: Array, minus: Array) -> Array:
    """Noise of y = sqrt(I+) - sqrt(I-): the variances of both passes add."""
    return np.asarray(np.hypot(amplitude_sigma(pixel, plus), amplitude_sigma(pixel, minus)))
