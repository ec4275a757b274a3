"""Wave optics of the lens pair, to check the algebra: free space, lenses, finite apertures, real pixels.

Free space over z and a lens of focal length f in samples of pitch d:

    H(f_x, f_y) = exp(i k z sqrt(1 - (lambda f_x)^2 - (lambda f_y)^2))       (angular spectrum, Eq. 1)
    H(f_x, f_y) = exp(-i pi lambda z (f_x^2 + f_y^2))                        (its Fresnel form, Eq. 2)
    L(x, y) = exp(-i pi (x^2 + y^2) / (lambda f))                            (thin lens, Eq. 3)

(Goodman, "Introduction to Fourier Optics", sections 3.10, 4.2 and 5.1.) With f = N d^2 / lambda, critical sampling,
free space over f, a lens, and free space over f are exactly a Fourier transform of N samples, for even N only: the
phases of Eq. 2 and Eq. 3 are then chirps of one period. Odd N is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Bench:
    """A 4f bench with devices of ``values`` pixels a side of ``pitch_m``, sampled ``oversampling`` times a pixel.

    The sampled window is ``oversampling`` times as wide as the devices, so that the mask plane has the same
    sampling. ``fill_factor`` is the lit share of a pixel's width; 0 stands for one sample, a point.
    ``shift_px`` moves the mask, ``defocus_m`` the camera; ``paraxial`` picks Eq. 2 over Eq. 1.
    """

    values: int
    pitch_m: float = 8e-6
    wavelength_m: float = 532e-9
    oversampling: int = 1
    fill_factor: float = 1.0
    shift_px: tuple[float, float] = (0.0, 0.0)
    defocus_m: float = 0.0
    paraxial: bool = True

    def __post_init__(self) -> None:
        if self.values % 2 or self.values < 2:
            raise ValueError(
                f"samples a side: found {self.values}, allowed even numbers from 2 "
                f"({self.values + 1} fits); the lens chain is no Fourier transform for odd ones"
            )
        if self.oversampling < 1:
            raise ValueError(f"oversampling: found {self.oversampling}, allowed 1 and above")
        if not 0.0 <= self.fill_factor <= 1.0:
            raise ValueError(f"fill factor: found {self.fill_factor:g}, allowed 0 to 1")

    @property
    def samples(self) -> int:
        """Samples of the window a side."""
        return self.values * self.oversampling**2

    @property
    def sample_m(self) -> float:
        """Distance of samples."""
        return self.pitch_m / self.oversampling

    @property
    def focal_m(self) -> float:
        """Focal length that matches the pixels of input and mask, N d^2 / lambda."""
        return self.values * self.pitch_m**2 / self.wavelength_m


def _coordinates(bench: Bench) -> Tensor:
    import torch

    return (torch.arange(bench.samples, dtype=torch.float64) - bench.samples // 2) * bench.sample_m


def free_space(field: Tensor, bench: Bench, distance_m: float) -> Tensor:
    """A field after ``distance_m`` of free space (Eq. 1 or 2)."""
    import torch

    f = torch.fft.fftfreq(bench.samples, bench.sample_m, dtype=torch.float64)
    squares = f.square()[:, None] + f.square()[None, :]
    if bench.paraxial:
        phase = -torch.pi * bench.wavelength_m * distance_m * squares
        transfer = torch.polar(torch.ones_like(phase), phase)
    else:
        inside = 1.0 - bench.wavelength_m**2 * squares
        wave = 2.0 * torch.pi / bench.wavelength_m * distance_m
        # The constant phase of the axis is left out; evanescent waves do not arrive.
        phase = wave * (inside.clamp(min=0.0).sqrt() - 1.0)
        transfer = torch.where(inside > 0, torch.polar(torch.ones_like(phase), phase), 0.0)
    behind: Tensor = torch.fft.ifft2(torch.fft.fft2(field) * transfer)
    return behind


def lens(field: Tensor, bench: Bench) -> Tensor:
    """A field behind a thin lens of the bench's focal length (Eq. 3)."""
    import torch

    x = _coordinates(bench)
    phase = -torch.pi * (x.square()[:, None] + x.square()[None, :]) / (bench.wavelength_m * bench.focal_m)
    return field * torch.polar(torch.ones_like(phase), phase)


def half(field: Tensor, bench: Bench, defocus_m: float = 0.0) -> Tensor:
    """Free space, lens, free space: the transform from one focal plane to the other."""
    front = lens(free_space(field, bench, bench.focal_m), bench)
    return free_space(front, bench, bench.focal_m + defocus_m)


def transform(field: Tensor) -> Tensor:
    """What :func:`half` should be: the centred, unitary Fourier transform, up to a constant phase."""
    import torch

    centred: Tensor = torch.fft.fftshift(torch.fft.fft2(torch.fft.ifftshift(field), norm="ortho"))
    return centred


def show(pixels: Tensor, bench: Bench) -> Tensor:
    """A device: every pixel a square of samples (or one sample) in the middle of the window."""
    import torch

    over = bench.oversampling
    lit = 1 if bench.fill_factor == 0.0 else max(1, round(bench.fill_factor * over))
    cell = torch.zeros(over, over, dtype=pixels.dtype)
    first = (over - lit + 1) // 2 if bench.fill_factor > 0 else over // 2
    cell[first : first + lit, first : first + lit] = 1.0
    device = torch.kron(pixels, cell)
    window = torch.zeros(bench.samples, bench.samples, dtype=pixels.dtype)
    start = (bench.samples - device.shape[0]) // 2
    # A pixel's centre sample is over // 2: shifting by it puts pixel N/2 on the axis.
    at = start - (over // 2)
    index = (torch.arange(device.shape[0]) + at) % bench.samples
    window[index[:, None], index[None, :]] = device
    return window


def sample(field: Tensor, bench: Bench) -> Tensor:
    """The field at the centres of the pixels of a device in the middle of the window."""
    start = (bench.samples - bench.values * bench.oversampling) // 2
    stop = start + bench.values * bench.oversampling
    return field[start : stop : bench.oversampling, start : stop : bench.oversampling]


def correlate(x: Tensor, w: Tensor, bench: Bench) -> Tensor:
    """Field on the camera for an input plane and the kernel whose transform the mask shows, both (N, N).

    The output of two transforms is reversed; it is turned back here, so that ideal pixels give the circular
    correlation of ``x`` with ``w``, scaled by 1 / N. Centre of both planes is pixel N/2.
    """
    import torch

    mask = transform(w.to(torch.complex128)).conj()
    if any(bench.shift_px):
        mask = _moved(mask, bench.shift_px)
    before = half(show(x.to(torch.complex128), bench), bench)
    scale = float(bench.oversampling) ** 2
    behind = before * show(mask, bench) * scale
    after = sample(half(behind, bench, bench.defocus_m), bench)
    return torch.roll(after.flip(0, 1), (1, 1), (0, 1)) * scale


def _moved(mask: Tensor, shift_px: tuple[float, float]) -> Tensor:
    """The mask shifted by a fraction of pixels (band-limited, as a shift of what it is sampled from)."""
    import torch

    n = mask.shape[0]
    f = torch.fft.fftfreq(n, dtype=torch.float64)
    turns = shift_px[0] * f[:, None] + shift_px[1] * f[None, :]
    phase = torch.polar(torch.ones_like(turns), -2.0 * torch.pi * turns)
    moved: Tensor = torch.fft.ifft2(torch.fft.fft2(mask) * phase)
    return moved
