"""Fields of the 4f model: tiles alone, tiles on a plane, and waves through lenses agree with each other and torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cosim.components.optics import shift_gain
from cosim.mapping.optical_tiling import Mode
from cosim.noise.optical import IDEAL, Setup, Shape, convolve, quantise
from cosim.noise.optical_plane import Layout, plane_fields
from cosim.noise.optical_wave import Bench, correlate, half, sample, show, transform

torch = pytest.importorskip("torch")
functional = torch.nn.functional


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(7)


def conv2d(x: Any, w: Any, shape: Shape) -> Any:
    top, left, bottom, right = shape.padding
    padded = functional.pad(x, (left, right, top, bottom))
    return functional.conv2d(padded, w, None, shape.stride, 0, shape.dilation, shape.groups)


SHAPES = [
    Shape(),
    Shape(padding=(1, 1, 1, 1)),
    Shape(stride=(2, 3), padding=(3, 0, 2, 1)),
    Shape(dilation=(2, 1), padding=(2, 1, 2, 1)),
    Shape(groups=3, padding=(1, 1, 1, 1)),
]


@pytest.mark.parametrize("shape", SHAPES, ids=range(len(SHAPES)))
@pytest.mark.parametrize("optical_sum", [True, False])
@pytest.mark.parametrize("scheme", ["pn2", "pn4", "reference", "two_step"])
def test_ideal_light_is_the_convolution(shape: Shape, optical_sum: bool, scheme: str) -> None:
    for dtype, bound in ((torch.float64, 1e-12), (torch.float32, 1e-6)):
        x = torch.rand(2, 6, 13, 11, dtype=dtype)
        x = x if scheme == "pn2" else x - 0.5
        w = torch.randn(9, 6 // shape.groups, 3, 3, dtype=dtype)
        out = convolve(x, w, shape, Setup(optical_sum, scheme))
        exact = conv2d(x, w, shape)
        assert float((out.value - exact).abs().max() / exact.abs().max()) < bound
        assert out.snr_db == out.predicted_snr_db == np.inf


def test_chunks_do_not_change_the_result() -> None:
    x, w = torch.rand(2, 6, 13, 11), torch.randn(9, 6, 3, 3)
    for optical_sum in (True, False):
        whole = convolve(x, w, Shape(), Setup(optical_sum, "pn2")).value
        small = convolve(x, w, Shape(), Setup(optical_sum, "pn2", chunk_elements=1500)).value
        torch.testing.assert_close(whole, small)


def test_magnitude_and_square_schemes() -> None:
    x, w = torch.randn(1, 5, 9, 9, dtype=torch.float64), torch.randn(4, 5, 3, 3, dtype=torch.float64)
    exact = functional.conv2d(x, w)
    torch.testing.assert_close(convolve(x, w, Shape(), Setup(True, "abs")).value, exact.abs())
    torch.testing.assert_close(convolve(x, w, Shape(), Setup(True, "square")).value, exact.square())


def test_schemes_refuse_signs_that_they_cannot_carry() -> None:
    x, w = torch.rand(1, 2, 6, 6), torch.randn(3, 2, 3, 3)
    with pytest.raises(ValueError, match="negative inputs"):
        convolve(x - 0.5, w, Shape(), Setup(True, "pn2"))
    with pytest.raises(ValueError, match="negative weights"):
        convolve(x, w, Shape(), Setup(True, "nonnegative"))
    with pytest.raises(ValueError, match="magnitudes"):
        convolve(x, w, Shape(), Setup(False, "abs"))
    with pytest.raises(ValueError, match="sign scheme"):
        Setup(True, "pn3")


# --- whole planes ----------------------------------------------------------------------------------------------

SIDE, KERNEL = 8, 3


def planes(mode: Mode, guard: int, padding: int, aperture: float = 1.0) -> float:
    """Largest error of a plane of 5 x 7 tiles against torch, relative to the largest value."""
    pitch = SIDE + guard
    out = SIDE + 2 * padding - KERNEL + 1
    layout = Layout(
        5 * pitch + 1, 7 * pitch, (pitch, pitch), (5, 7), (out, out), (padding, padding), (3, 3), aperture
    )
    x = torch.rand(40, 2, SIDE, SIDE, dtype=torch.float64)
    w = torch.randn(3, 2, KERNEL, KERNEL, dtype=torch.float64)
    if mode == "kernel":
        x, w = x[:2], torch.randn(40, 2, KERNEL, KERNEL, dtype=torch.float64)
    if mode == "channel":
        x, w = x[:2].repeat(1, 5, 1, 1)[:, :9], torch.randn(5, 9, KERNEL, KERNEL, dtype=torch.float64)
    exact = functional.conv2d(x, w, padding=padding)
    got = plane_fields(x, w, mode, layout).sum(dim=2)
    return float((got - exact).abs().max() / exact.abs().max())


@pytest.mark.parametrize("mode", ["none", "batch", "kernel", "channel"])
def test_guards_that_a_layer_needs_are_exact(mode: Mode) -> None:
    assert planes(mode, guard=KERNEL // 2, padding=KERNEL // 2) < 1e-13  # same
    assert planes(mode, guard=0, padding=0) < 1e-13  # valid
    assert planes(mode, guard=KERNEL - 1, padding=1) < 1e-13  # the published rule


@pytest.mark.parametrize("mode", ["batch", "kernel", "channel"])
def test_same_without_a_guard_fails(mode: Mode) -> None:
    assert planes(mode, guard=0, padding=1) > 0.05


def test_a_finite_aperture_couples_neighbours() -> None:
    errors = [planes("batch", guard=1, padding=1, aperture=a) for a in (1.0, 0.9, 0.6)]
    assert errors[0] < 1e-13 < errors[1] < errors[2]


def test_layouts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="tiles"):
        Layout(20, 20, (8, 8), (3, 2), (8, 8))
    small = Layout(32, 32, (8, 8), (4, 4), (6, 6), block=(2, 2))
    with pytest.raises(ValueError, match="channels"):
        plane_fields(torch.rand(1, 5, 8, 8), torch.rand(1, 5, 3, 3), "channel", small)


# --- misalignment ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", [3, 7, 15])
def test_shifted_masks_lose_flat_gain_by_the_closed_form(kernel: int) -> None:
    x = torch.ones(1, 1, 20, 20, dtype=torch.float64)
    w = torch.full((1, 1, kernel, kernel), 1.0 / kernel**2, dtype=torch.float64)
    moved = Setup(True, "abs", shift_px=(1.0, 0.0), plane=(64, 64))
    gain = convolve(x, w, Shape(), moved).value
    assert float(gain.max()) == pytest.approx(shift_gain(kernel, 1.0, 64), rel=1e-12)
    assert float(gain.min()) == pytest.approx(shift_gain(kernel, 1.0, 64), rel=1e-12)


def error_of_shift(scheme: str, channels: int, optical_sum: bool = True) -> float:
    x = torch.rand(1, channels, 16, 16, dtype=torch.float64)
    w = torch.randn(8, channels, 7, 7, dtype=torch.float64)
    exact = functional.conv2d(x, w)
    exact = exact.abs() if scheme == "abs" else exact
    setup = Setup(optical_sum, scheme, shift_px=(1.0, 0.0), plane=(64, 64), pitch=(16, 16), block_columns=2)
    got = convolve(x, w, Shape(), setup).value
    return float((got - exact).square().mean().sqrt() / exact.square().mean().sqrt())


def test_split_signs_and_separate_channels_bear_misalignment() -> None:
    assert error_of_shift("pn2", 1) < error_of_shift("abs", 1)
    # blocks of channel tiling lie far apart on the plane: their sum loses its phase
    assert error_of_shift("pn2", 4, optical_sum=True) > 2 * error_of_shift("pn2", 4, optical_sum=False)


def test_a_shift_of_the_wave_mask_is_the_linear_phase_of_the_kernel() -> None:
    n = 32
    x, w = torch.zeros(n, n, dtype=torch.float64), torch.zeros(n, n, dtype=torch.float64)
    x[10:22, 9:23] = torch.rand(12, 14, dtype=torch.float64)
    w[15:18, 15:18] = torch.rand(3, 3, dtype=torch.float64)
    waves = correlate(x, w, Bench(n, shift_px=(0.7, 0.0))).abs() * n
    taps = w[15:18, 15:18][None, None]
    algebra = convolve(
        x[None, None],
        taps,
        Shape(padding=(1, 1, 1, 1)),
        Setup(True, "abs", shift_px=(0.7, 0.0), plane=(n, n)),
    )
    assert float((waves - algebra.value[0, 0]).abs().max() / algebra.value.max()) < 1e-12


# --- waves -----------------------------------------------------------------------------------------------------


def without_phase(got: Any, wanted: Any) -> float:
    constant = (got.conj() * wanted).sum()
    return float((got * constant / constant.abs() - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("n", [14, 32, 36, 64, 128])
def test_the_lens_chain_is_a_fourier_transform_for_even_sizes(n: int) -> None:
    x = torch.randn(n, n, dtype=torch.complex128)
    assert without_phase(half(x, Bench(n)), transform(x)) < 1e-13


@pytest.mark.parametrize("n", [33, 37])
def test_odd_sizes_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match=f"{n + 1} fits"):
        Bench(n)


def pair(n: int) -> tuple[Any, Any, Any]:
    """An input, a 3 x 3 kernel, and the circular correlation about the centre."""
    x, w = torch.zeros(n, n, dtype=torch.float64), torch.zeros(n, n, dtype=torch.float64)
    x[8:20, 9:25] = torch.rand(12, 16, dtype=torch.float64)
    w[15:18, 15:18] = torch.randn(3, 3, dtype=torch.float64)
    wanted = torch.fft.ifft2(torch.fft.fft2(x) * torch.fft.fft2(w).conj()).real / n
    return x, w, torch.roll(wanted, (n // 2, n // 2), (0, 1))


@pytest.mark.parametrize("oversampling", [1, 2, 3])
def test_waves_through_point_pixels_are_the_correlation(oversampling: int) -> None:
    x, w, wanted = pair(32)
    got = correlate(x, w, Bench(32, oversampling=oversampling, fill_factor=0.0))
    assert float((got.abs() - wanted.abs()).abs().max() / wanted.abs().max()) < 1e-12


@pytest.mark.parametrize("oversampling", [2, 3])
def test_whole_pixels_are_two_transforms_of_what_the_devices_show(oversampling: int) -> None:
    bench = Bench(32, oversampling=oversampling)
    x, w, plain = pair(32)
    mask = transform(w.to(torch.complex128)).conj()
    fine = transform(transform(show(x.to(torch.complex128), bench)) * show(mask, bench))
    wanted = torch.roll(sample(fine, bench).flip(0, 1), (1, 1), (0, 1)).abs() * oversampling**4
    got = correlate(x, w, bench).abs()
    assert float((got - wanted).abs().max() / wanted.max()) < 1e-11
    # square pixels dim high frequencies and the edge of the camera: the correlation is off by some percent
    off = float((got / got.norm() - plain.abs() / plain.norm()).norm())
    assert 0.03 < off < 0.3


def test_fresnel_and_exact_waves_agree_at_small_angles_and_defocus_blurs() -> None:
    x, w, wanted = pair(32)
    exact = correlate(x, w, Bench(32, pitch_m=40e-6, paraxial=False)).abs()
    assert float((exact - wanted.abs()).norm() / wanted.norm()) < 1e-3
    blurred = correlate(x, w, Bench(32, defocus_m=2e-3)).abs()
    assert float((blurred - wanted.abs()).norm() / wanted.norm()) > 0.05


# --- quantised masks and inputs --------------------------------------------------------------------------------


def test_levels_of_quantised_values() -> None:
    x = torch.linspace(-1, 1, 1001, dtype=torch.float64)
    assert len(quantise(x, 3, 1.0).unique()) == 15
    assert float((quantise(x, 8, 1.0) - x).abs().max()) <= 0.5 / 255 + 1e-15


def test_error_falls_with_bits() -> None:
    x, w = torch.rand(1, 8, 12, 12, dtype=torch.float64), torch.randn(8, 8, 3, 3, dtype=torch.float64)
    exact = functional.conv2d(x, w)

    def error(**bits: float) -> float:
        got = convolve(x, w, Shape(), Setup(True, "pn2", IDEAL, **bits)).value
        return float((got - exact).square().mean().sqrt() / exact.square().mean().sqrt())

    for name in ("x_bits", "mask_bits"):
        errors = [error(**{name: b}) for b in (4, 6, 8, 10)]
        assert (np.diff(errors) < 0).all()
        assert 32 < errors[0] / errors[-1] < 128, (name, errors)  # a factor of 2 a bit, six bits
    assert error(x_bits=24, mask_bits=24) < 1e-6


def test_unmodulated_light_overlays_the_input() -> None:
    x, w = torch.rand(1, 1, 8, 8, dtype=torch.float64), torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    w[0, 0, 0, 0] = 1.0  # flat spectrum of magnitude one
    got = convolve(x, w, Shape(), Setup(True, "reference", fill_factor=0.9)).value
    torch.testing.assert_close(got, 0.9 * functional.conv2d(x, w) + 0.1 * x[..., :6, :6])


def test_the_naive_form_of_the_benchmark_computes_the_same() -> None:
    from cosim.noise.optical_bench import naive_layer
    from cosim.noise.optical_detect import Detector

    x, w = torch.rand(1, 3, 10, 10), torch.randn(2, 3, 3, 3)
    one_by_one, frames = naive_layer(x[0], w, Detector(IDEAL), 2.0)
    assert frames == 12
    batched = convolve(x, w, Shape(padding=(1, 1, 1, 1)), Setup(False, "pn2")).value[0]
    exact = functional.conv2d(x, w, padding=1)[0]
    torch.testing.assert_close(one_by_one, exact, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(batched, exact, rtol=1e-4, atol=1e-5)
