"""Parts of a free-space optical processor: modulators, converters, laser, camera; their limits and costs.

    photon energy       E = h c / lambda                                                     (Eq. 1)
    laser energy        E = N_px N_e h c / (lambda eta T_path eta_diff WPE)                  (Eq. 2)
    converter energy    E = FOM_W 2^ENOB                                                     (Eq. 3)
    modulator period    t = planes (t_frame + rows t_row)                                    (Eq. 4)

with N_e electrons in each of N_px lit pixels, quantum efficiency eta, path transmission T_path, diffraction
efficiency eta_diff and wall-plug efficiency WPE. Eq. 3 is Walden's figure of merit, as tabulated in Murmann's
ADC Performance Survey. Eq. 4 is the row-load model of the DMD maker's forum answers (16 clocks of 400 MHz a row).
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from pydantic import model_validator

from cosim.components.params import Params, Value
from cosim.spec.base import (
    Bits,
    Constant,
    Count,
    Hz,
    Mw,
    Nm,
    Pj,
    PxPerS,
    Ratio,
    S,
    Spec,
    Unit,
    refuse,
)

PLANCK_J_S = 6.62607015e-34
LIGHT_M_PER_S = 299792458.0

Electrons = Annotated[Constant, Unit("electrons", at_least=0)]
SomeElectrons = Annotated[Constant, Unit("electrons", above=0)]
ElectronsPerS = Annotated[Constant, Unit("electrons_per_s", at_least=0)]
JPerS = Annotated[Constant, Unit("j_per_s", above=0)]
Efficiency = Annotated[Constant, Unit("fraction", above=0, at_most=1)]

SchemeName = Literal["pn2", "pn4", "abs", "reference", "two_step", "square", "nonnegative"]
# Schemes that need only what a mask trained in the Fourier domain gives: one non-negative reading.
_FOURIER_TRAINED_SCHEMES = ("abs", "square", "nonnegative")


class PlaneSpec(Spec):
    """Pixels of the input, mask and camera planes, which are matched one to one."""

    rows: Count
    """Rows of pixels."""
    columns: Count
    """Columns of pixels."""
    shape: Literal["rectangular", "square"] = "rectangular"
    """``square`` uses the short side both ways."""
    superpixel: Count
    """Modulator pixels along one side of a value."""
    guard: Literal["exact", "published", "double"] = "exact"
    """Zeros between tiles: the padding of one side; K-1; or a whole tile, for masks of wide response."""
    guard_values: Ratio
    """Further zeros between tiles, in values, against crosstalk."""
    split: bool = True
    """Maps and kernels beyond the plane are split; false refuses them."""
    packing: Literal["blocks", "whole", "pairs"] = "blocks"
    """How channel tiling packs filters; see :func:`cosim.mapping.optical_tiling.filters_per_frame`."""


class InputModulator(Spec):
    """The modulator of the input plane."""

    frame_s: S
    """Time of one plane beside the loading of its rows."""
    row_load_s: S
    """Time to load one row (Eq. 4)."""
    bits: Bits
    """Levels of one pixel as bits; wider inputs take several planes."""
    bit_planes: Literal["integrated", "separate"] = "integrated"
    """Planes of a modulator with too few bits: summed by pulsed light in one exposure, or read one by one."""
    redrive: Literal["changed", "every_frame"] = "changed"
    """Whether an unchanged plane is driven again for every frame."""
    drive: Literal["tiles", "plane"] = "tiles"
    """Whether only pixels of tiles are driven (and lit), or the whole plane."""


class MaskModulator(Spec):
    """The modulator of the Fourier plane."""

    type: Literal["complex", "amplitude", "phase", "binary"]
    """What a pixel sets: amplitude and phase, one of them, or on and off."""
    encoding: Literal["direct", "double_phase", "hologram"] = "direct"
    """How complex values are written: natively or not at all; by pairs of phases; by a carrier."""
    pixels_per_value: Count
    """Mask pixels along a row that encode one complex value."""
    frame_s: S
    """Time of one mask beside the loading of its rows."""
    row_load_s: S
    """Time to load one row (Eq. 4)."""
    bits: Bits
    """Bits of one conversion: what the memory delivers for a pixel, once for every converter."""
    converters_per_pixel: Count
    """Conversions that set one pixel; two for amplitude and phase."""
    drive: Literal["plane", "tiles"] = "plane"
    """Whether the whole mask is driven, or only the part behind lit tiles."""

    @model_validator(mode="after")
    def _encodes(self) -> MaskModulator:
        """`double_phase` needs a phase mask, `hologram` an amplitude or binary one; a direct mask has one pixel for a
        value."""
        pairs = {("phase", "double_phase"), ("amplitude", "hologram"), ("binary", "hologram")}
        if self.encoding != "direct" and (self.type, self.encoding) not in pairs:
            raise refuse(
                f"encoding {self.encoding} on a {self.type} mask",
                "direct; double_phase on a phase mask; hologram on an amplitude or binary mask",
            )
        if self.encoding == "direct" and self.pixels_per_value.value != 1:
            raise refuse(f"{self.pixels_per_value.value} pixels per value of a direct mask", "1")
        return self


class SignSpec(Spec):
    """How signed results come out of an intensity camera."""

    scheme: SchemeName
    """Where channels are summed electronically."""
    channel_scheme: SchemeName | None = None
    """Where channels are summed as fields (channel tiling); the same unless stated."""


class CameraSpec(Spec):
    """Readout of the camera."""

    rate_px_per_s: PxPerS
    """Pixels read in a second."""
    frame_hz: Hz
    """Highest frame rate, however small the window."""
    roi: Literal["outputs", "window", "plane"] = "outputs"
    """Pixels read: valid outputs only; one fixed window that holds the fullest frame; the whole plane."""
    ideal_readout: bool = False
    """Leave readout time out, as published speed-ups do."""
    bits: Bits
    """Bits of a pixel that is read."""


class DetectorSpec(Spec):
    """Noise and range of one pixel (linear model of the EMVA 1288 kind)."""

    electrons: SomeElectrons
    """Mean photo-electrons of a lit pixel at full signal: the photon budget."""
    full_well_electrons: SomeElectrons
    """Electrons that a pixel holds."""
    read_noise_electrons: Electrons
    """Standard deviation of a read."""
    dark_electrons_per_s: ElectronsPerS
    """Electrons of a dark pixel in a second."""
    quantum_efficiency: Efficiency
    """Electrons for each photon."""

    @model_validator(mode="after")
    def _fits_the_well(self) -> DetectorSpec:
        """The photon budget is at most the full well."""
        if self.electrons.value > self.full_well_electrons.value:
            raise refuse(
                f"a photon budget of {self.electrons.value:g} electrons in a well of "
                f"{self.full_well_electrons.value:g}",
                "a budget of at most the full well",
            )
        return self


class LaserSpec(Spec):
    """Light source and losses on the way to the sensor."""

    wavelength_nm: Nm
    """Wavelength of the light."""
    path_transmission: Efficiency
    """Share of the light that modulators, splitters and lenses let pass."""
    diffraction_efficiency: Efficiency
    """Share of the light that the mask sends into the used order."""
    wall_plug_efficiency: Efficiency
    """Optical over electrical power of the source."""
    delivered_j_per_s: JPerS
    """Optical energy that the source delivers per second: sets the exposure."""


class ConverterSpec(Spec):
    """Energy of one conversion."""

    dac_pj: Pj
    """One conversion for a pixel of a modulator."""
    adc_pj: Pj
    """One conversion of a pixel that is read."""


class BenchSpec(Spec):
    """What the set-up draws whatever it does: camera electronics, modulator drivers, controllers."""

    static_mw: Mw
    """Power while running, whatever is computed."""


def check_scheme(mask: MaskModulator, signs: SignSpec) -> None:
    """Refuse a sign scheme that needs kernels which the mask cannot represent."""
    if forms_any_kernel(mask.type, mask.encoding):
        return
    for name in (signs.scheme, signs.channel_scheme):
        if name is not None and name not in _FOURIER_TRAINED_SCHEMES:
            raise refuse(
                f"sign scheme {name} on a {mask.type} mask, which holds no arbitrary kernel",
                f"one of {', '.join(_FOURIER_TRAINED_SCHEMES)}, or a complex mask, or a complex encoding",
            )


def forms_any_kernel(mask_type: str, encoding: str) -> bool:
    """True if the mask represents the transform of any kernel; else its values are trained directly."""
    return mask_type == "complex" or encoding in ("double_phase", "hologram")


def photon_energy_j(wavelength_nm: Value) -> Value:
    """Energy of one photon (Eq. 1); 3.734e-19 J at 532 nm."""
    return PLANCK_J_S * LIGHT_M_PER_S / (wavelength_nm * 1e-9)


def light_j_per_electron(params: Params) -> Value:
    """Optical energy that leaves the laser for one photo-electron (Eq. 2 without wall-plug efficiency)."""
    losses = (
        params["detector.quantum_efficiency"]
        * params["laser.path_transmission"]
        * params["laser.diffraction_efficiency"]
    )
    return photon_energy_j(params["laser.wavelength_nm"]) / losses


def laser_pj_per_electron(params: Params) -> Value:
    """Electrical energy of the laser for one photo-electron in pJ (Eq. 2)."""
    return light_j_per_electron(params) * 1e12 / params["laser.wall_plug_efficiency"]


def modulator_period_s(params: Params, block: str) -> Value:
    """Time to write one plane of one bit depth (Eq. 4 with one plane); every row of the device is loaded."""
    return params[f"{block}.frame_s"] + params["plane.rows"] * params[f"{block}.row_load_s"]


def bit_planes(params: Params) -> Value:
    """Planes that the input modulator shows for one input of the machine's width."""
    return np.ceil(params["datapath.x_bits"] / params["input.bits"])


def walden_fj_per_step(power_mw: float, rate_hz: float, sndr_db: float) -> float:
    """Figure of merit of a converter: energy per sample over 2^ENOB, ENOB = (SNDR - 1.76) / 6.02."""
    return float(power_mw * 1e12 / rate_hz / 2.0 ** effective_bits(sndr_db))


def adc_pj(fom_fj_per_step: float, bits: float) -> float:
    """Energy of one conversion in pJ (Eq. 3)."""
    return float(fom_fj_per_step * 2.0**bits / 1e3)


def effective_bits(snr_db: float) -> float:
    """Effective number of bits of a signal-to-noise ratio: (dB - 1.76) / 6.02."""
    return (snr_db - 1.76) / 6.02


def electrons_for_bits(bits: float) -> float:
    """Photo-electrons per pixel for ``bits`` effective bits if shot noise is all there is."""
    return float(10.0 ** ((6.02 * bits + 1.76) / 10.0))


def waveguide_laser_mw(
    insertion_loss_db: float,
    sensitivity_dbm: float,
    extinction_db: float,
    bits: float,
    wall_plug: float,
    fanout: float = 1.0,
) -> float:
    """Laser power of an integrated photonic link, the law of SimPhony (arXiv:2411.13715), for comparison.

    P = 10^((IL + S + 10 log10 fanout) / 10) / WPE * 2^bits / (1 - 10^(-ER/10)).
    """
    light_mw = 10.0 ** ((insertion_loss_db + sensitivity_dbm + 10.0 * math.log10(fanout)) / 10.0)
    return float(light_mw / wall_plug * 2.0**bits / (1.0 - 10.0 ** (-extinction_db / 10.0)))


def optical_buffer(reuses: int, split: float, loss_db: float) -> tuple[float, float]:
    """Laser power over that of a system without the buffer, and dynamic range, of light that is used again in a loop.

    A junction sends the share ``split`` of the light to the computation and the rest round a delay line of
    ``loss_db``; each round leaves q = (1 - l)(1 - split) of what the one before had. The last of ``reuses`` rounds
    must still be seen, so range = q^-R and laser = range / ((R + 1) split). ReFOCUS (MICRO 2023), eq. 2 and 3, table 5.

    Raises ``ValueError`` for a split that is not between 0 and 1.
    """
    if not 0.0 < split < 1.0:
        raise ValueError(f"found a junction that splits off {split}, allowed between 0 and 1")
    dynamic_range = ((1.0 - split) * 10.0 ** (-loss_db / 10.0)) ** -reuses
    return float(dynamic_range / ((reuses + 1) * split)), float(dynamic_range)


def matched_focal_length_m(values: float, pitch_m: float, wavelength_m: float) -> float:
    """Focal length at which input and mask of equal pitch match, f = N dx^2 / lambda."""
    return values * pitch_m**2 / wavelength_m


def fourier_zone_m(wavelength_m: float, focal_m: float, pitch_m: float) -> float:
    """Width of one spectral zone in the mask plane, lambda f / dx."""
    return wavelength_m * focal_m / pitch_m


def shift_gain(kernel: int, shift_px: float, values: int) -> float:
    """Flat-field gain of a uniform kernel when the mask is shifted: sin(pi K d/N) / (K sin(pi d/N))."""
    angle = math.pi * shift_px / values
    return math.sin(kernel * angle) / (kernel * math.sin(angle)) if angle else 1.0
