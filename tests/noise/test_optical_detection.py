"""Camera noise against its closed forms: published values, Monte Carlo, and whole layers."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.hardware.load import load_machine
from cosim.noise.optical import Setup, Shape, convolve
from cosim.noise.optical_detect import Detector
from cosim.noise.optical_snr import (
    Pixel,
    amplitude_moments,
    amplitude_sigma,
    enob,
    pixel_of,
    pseudo_negative_sigma,
    snr_db,
)
from cosim.spec.locate import ROOT

torch = pytest.importorskip("torch")


def pixel(electrons: float, bits: float = 12, read: float = 10.0) -> Pixel:
    return Pixel(electrons, read, 0.0, 20_000.0, bits)


# Read noise 10 e-, full well 20,000 e-; dB at 8, 10 and 12 bit.
@pytest.mark.parametrize(
    ("electrons", "eight", "ten", "twelve"),
    [
        (100, 11.50, 16.35, 16.95),
        (1e3, 27.94, 29.46, 29.58),
        (1e4, 39.74, 39.94, 39.96),
        (2e4, 42.88, 42.98, 42.99),
    ],
)
def test_snr_of_one_reading(electrons: float, eight: float, ten: float, twelve: float) -> None:
    got = [round(snr_db(pixel(electrons, bits), electrons), 2) for bits in (8, 10, 12)]
    assert got == [eight, ten, twelve]


def test_effective_bits() -> None:
    got = [
        round(enob(pixel(n, bits), n), 2) for n, bits in ((1e3, 8), (1e3, 12), (1e4, 8), (1e4, 12), (2e4, 12))
    ]
    assert got == [4.35, 4.62, 6.31, 6.34, 6.85]


def shot_only(kappa: float) -> Pixel:
    return Pixel(kappa)


@pytest.mark.parametrize(("kappa", "sigma"), [(1e2, 0.05), (1e3, 0.01581), (1e4, 0.005)])
def test_shot_noise_of_an_amplitude_does_not_depend_on_it(kappa: float, sigma: float) -> None:
    levels = np.array([0.3, 0.6, 1.0])
    np.testing.assert_allclose(amplitude_sigma(shot_only(kappa), levels), sigma, rtol=3e-4)
    detector = Detector(shot_only(kappa), torch.Generator().manual_seed(3))
    for level in levels:
        read = detector.amplitude(torch.full((200_000,), float(level), dtype=torch.float64))
        bound = 0.03 if kappa == 1e2 else 0.012
        assert float(read.std()) == pytest.approx(sigma, rel=bound)


def test_pseudo_negative_pair() -> None:
    rng = np.random.default_rng(5)
    plus, minus = rng.uniform(0.3, 1.0, (2, 400_000))
    used = pixel(2e4)
    sigma = np.sqrt(np.mean(np.square(pseudo_negative_sigma(used, plus, minus))))
    signal = np.sqrt(np.mean(np.square(plus - minus)))
    assert sigma == pytest.approx(0.00504, abs=1e-5)
    detector = Detector(used, torch.Generator().manual_seed(1))
    read = detector.amplitude(torch.as_tensor(plus)) - detector.amplitude(torch.as_tensor(minus))
    error = float((read - torch.as_tensor(plus - minus)).square().mean().sqrt())
    assert error == pytest.approx(sigma, rel=0.01)
    assert 20 * np.log10(signal / error) == pytest.approx(20 * np.log10(signal / sigma), abs=0.05)
    assert 20 * np.log10(signal / sigma) == pytest.approx(35.07, abs=0.05)


def test_moments_far_from_zero_are_the_linear_law_and_near_it_monte_carlo() -> None:
    used = pixel(1e3, bits=16)
    bias, variance = amplitude_moments(used, np.array([0.8]))
    assert np.sqrt(variance[0]) == pytest.approx(float(amplitude_sigma(used, 0.8)), rel=5e-3)
    assert abs(bias[0]) < 1e-3
    levels = np.array([0.0, 0.05, 0.2])
    bias, variance = amplitude_moments(used, levels)
    detector = Detector(used, torch.Generator().manual_seed(2))
    for level, b, v in zip(levels, bias, variance, strict=True):
        read = detector.amplitude(torch.full((400_000,), float(level), dtype=torch.float64))
        assert float(read.mean()) - level == pytest.approx(b, abs=0.02 * np.sqrt(v) + 2e-4)
        assert float(read.var()) == pytest.approx(v, rel=0.03)


def test_few_photons_are_poisson() -> None:
    detector = Detector(Pixel(1.0), torch.Generator().manual_seed(4))
    drawn = detector.electrons(torch.full((200_000,), 2.0, dtype=torch.float64))
    assert bool((drawn == drawn.round()).all())
    assert float((drawn == 0).double().mean()) == pytest.approx(np.exp(-2), abs=0.003)


def test_well_and_converter_clip_and_step() -> None:
    coarse = Pixel(20_000.0, 0.0, 0.0, 20_000.0, 3)
    codes = Detector(coarse, torch.Generator().manual_seed(1)).electrons(torch.linspace(0, 3, 4001))
    assert set((codes / 2500.0).tolist()) <= set(range(8))
    assert float(codes.max()) == 17_500.0


@pytest.mark.parametrize("scheme", ["pn2", "pn4", "abs", "reference", "two_step", "square"])
@pytest.mark.parametrize("optical_sum", [True, False])
@pytest.mark.parametrize("electrons", [1e2, 1e3, 1e4])
def test_measured_snr_of_a_layer_meets_the_closed_form(
    scheme: str, optical_sum: bool, electrons: float
) -> None:
    if scheme == "abs" and not optical_sum:
        pytest.skip("magnitudes are not summed electronically")
    torch.manual_seed(11)
    x = torch.rand(4, 12, 20, 20)
    x = x if scheme == "pn2" else x - 0.4
    w = torch.randn(24, 12, 3, 3)
    used = Pixel(electrons, 10.0, 5.0, 20_000.0, 12)
    out = convolve(x, w, Shape(), Setup(optical_sum, scheme, used), torch.Generator().manual_seed(1))
    assert abs(out.snr_db - out.predicted_snr_db) < 0.5


def test_electronic_sums_add_noise_by_channel() -> None:
    # Shot-limited, flat fields: sigma grows as sqrt(C), an optical sum is read once.
    used = Pixel(1e6)
    snr = {}
    for channels in (4, 64):
        x, w = torch.ones(1, channels, 32, 32), torch.ones(8, channels, 1, 1)
        for optical_sum in (True, False):
            out = convolve(
                x, w, Shape(), Setup(optical_sum, "nonnegative", used), torch.Generator().manual_seed(1)
            )
            snr[channels, optical_sum] = out.snr_db
    assert snr[4, True] == pytest.approx(20 * np.log10(2 * np.sqrt(1e6)), abs=0.15)
    assert snr[64, True] == pytest.approx(snr[4, True], abs=0.15)
    # each channel has the unit amplitude to itself: C readings, signal C, noise sqrt(C)
    assert snr[64, False] - snr[4, False] == pytest.approx(10 * np.log10(16), abs=0.2)


def test_zero_photons_are_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Pixel(0.0)
    with pytest.raises(ValueError, match="full well"):
        Pixel(100.0, bits=8)


def test_the_pixel_of_a_machine() -> None:
    machine = load_machine(ROOT / "arch" / "optical4f.yaml", {})
    made = pixel_of(machine.params, exposure_s=1e-3)
    assert (made.electrons, made.read_electrons, made.full_well_electrons, made.bits) == (1e4, 10, 2e4, 12)
    assert made.dark_electrons == pytest.approx(1.0)
