"""Quantisers: grids, scales and rounding by hand and against torch, closed-form SQNR, calibration, refusals."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.noise import quantize as q
from cosim.noise.formats import FP8_E4M3, INT4, codes_to_words, from_words, storage_format, words_to_codes

X = np.random.default_rng(0).normal(0.0, 0.05, (8, 6, 3, 3))


@pytest.mark.parametrize("name", q.PRESETS)
def test_preset_codes_stay_on_the_grid_and_repeat(name: str) -> None:
    quantizer = q.quantizer(name)
    made = quantizer.quantize(X)
    assert made.codes.shape == X.shape
    values = made.dequantize()
    again = quantizer.quantize(values, scale=made.scale)
    np.testing.assert_allclose(again.dequantize(), values, rtol=1e-12, atol=1e-300)
    if isinstance(quantizer.grid, q.IntegerGrid):
        assert made.codes.min() >= quantizer.grid.low
        assert made.codes.max() <= quantizer.grid.high
    else:
        assert made.codes.min() >= 0
        assert made.codes.max() < 1 << quantizer.grid.bits


@pytest.mark.parametrize("bits", [2, 4, 8, 12])
def test_sqnr_of_a_uniform_signal(bits: int) -> None:
    # Signal uniform in [-a, a], step a / high: power a^2 / 3 against step^2 / 12, that is 20 log10(2 high).
    x = np.linspace(-1.0, 1.0, 1_000_001)
    grid = q.IntegerGrid(bits, narrow=True)
    found = q.sqnr_db(x, q.fake_quantize(x, q.Quantizer(grid)))
    assert found == pytest.approx(20 * math.log10(2 * grid.high), abs=0.02)


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(st.floats(-50, 50), min_size=1, max_size=40),
    scale=st.sampled_from([0.01, 0.5, 3.0]),
    zero=st.integers(0, 255),
)
def test_affine_codes_as_torch(values: list[float], scale: float, zero: int) -> None:
    x = np.array(values, np.float32)
    quantizer = q.quantizer("int8_affine")
    made = quantizer.quantize(x, q.Scale(np.array([scale]), np.array([float(zero)])))
    expected = torch.fake_quantize_per_tensor_affine(torch.from_numpy(x), scale, zero, 0, 255).numpy()
    # torch works in single precision: near a tie it may take the neighbour.
    difference = np.abs(made.dequantize() - expected)
    units = x.astype(np.float64) / scale
    ties = np.abs(units - np.floor(units) - 0.5) < 1e-4 * np.maximum(np.abs(units), 1)
    assert (difference[~ties] < 1e-4 * np.maximum(np.abs(expected[~ties]), 1)).all()
    assert (difference[ties] <= scale * 1.001).all()


def test_affine_range_holds_zero_exactly() -> None:
    x = np.array([0.3, 1.0, 2.55])
    made = q.quantizer("int8_affine").quantize(x)
    assert made.scale.zero.tolist() == [0.0]
    assert made.scale.scale[0] == pytest.approx(0.01)
    assert made.codes.tolist() == [30, 100, 255]
    shifted = q.quantizer("int8_affine").quantize(np.array([-1.0, 0.0, 1.55]))
    assert shifted.dequantize()[1] == 0.0
    assert shifted.scale.zero.tolist() == [100.0]


def test_per_channel_scales_follow_the_axis() -> None:
    x = np.stack([np.full((4, 5), 0.1), np.full((4, 5), 10.0)], axis=1)  # [4, 2, 5], channel 1
    made = q.quantizer("int8_per_channel", axis=1).quantize(x)
    np.testing.assert_allclose(made.scale.scale, [0.1 / 127, 10 / 127])
    assert (made.codes == 127).all()
    np.testing.assert_allclose(made.dequantize(), x)
    last = q.quantizer("int8_per_channel", axis=-1).quantize(x)
    assert last.scale.scale.shape == (5,)
    assert q.quantizer("int8").quantize(x).scale.scale.shape == (1,)


def test_finer_granularity_never_loses_with_these_weights() -> None:
    tensor = q.sqnr_db(X, q.fake_quantize(X, q.quantizer("int4_per_channel", granularity="tensor")))
    channel = q.sqnr_db(X, q.fake_quantize(X, q.quantizer("int4_per_channel")))
    assert channel > tensor


def test_fixed_point_of_cnna_rounds_half_up_and_saturates() -> None:
    quantizer, step = q.quantizer("q2_14"), 2.0**-14
    x = np.array([0.5 * step, -0.5 * step, 1.5 * step, 1.99999, 2.5, -2.5])
    made = quantizer.quantize(x)
    assert made.codes.tolist() == [1, 0, 2, 32767, 32767, -32768]
    words = codes_to_words(made.codes, storage_format("q2.14"))
    np.testing.assert_array_equal(from_words(words, storage_format("q2.14"), x.shape), made.dequantize())


def test_auto_scales_of_cnna() -> None:
    w = np.array([-0.4, 0.1, 0.2])
    fit = q.quantizer("q2_14_auto").quantize(w)
    assert fit.codes.tolist()[0] == -32767  # the largest magnitude takes the largest code
    released = q.quantizer("q2_14_released").quantize(w)
    # max(w) / 2^2 = 0.05 is the unit: 0.2 becomes 4, beyond Q2.14's 2, and saturates; 0.1 becomes 2 - 2^-14.
    np.testing.assert_allclose(released.dequantize() / 0.05, [-2.0, 2.0 - 2**-14, 2.0 - 2**-14])
    with pytest.raises(ValueError, match="divides by the largest weight"):
        q.quantizer("q2_14_released").quantize(-np.ones(3))


def test_codenet_weights_pack_into_nibbles() -> None:
    made = q.quantizer("codenet_weight").quantize(X)
    assert np.abs(made.codes).max() == 7
    words = codes_to_words(made.codes, INT4)
    assert words.nbytes == X.size // 2
    np.testing.assert_array_equal(words_to_codes(words, INT4, X.size).reshape(X.shape), made.codes)
    assert made.bits == 4 * X.size + 8 * 32  # eight output channels, one FP32 scale each


def test_small_floats_round_as_torch() -> None:
    x = np.random.default_rng(1).normal(0, 1, 4000).astype(np.float32)
    for name, torch_type, top in (
        ("fp8_e4m3", torch.float8_e4m3fn, 448.0),
        ("fp8_e5m2", torch.float8_e5m2, 57344.0),
    ):
        made = q.quantizer(name).quantize(x)
        scale = float(np.abs(x).max()) / top
        assert made.scale.scale[0] == pytest.approx(scale)
        exact = torch.from_numpy(x.astype(np.float64) / made.scale.scale[0])
        expected = exact.to(torch_type).to(torch.float64).numpy() * made.scale.scale[0]
        np.testing.assert_allclose(made.dequantize(), expected, rtol=1e-12)


def test_nvfp4_scales_by_hand() -> None:
    x = np.zeros((1, 32))
    x[0, :16] = np.linspace(-6.0, 6.0, 16)  # amax 6
    x[0, 16:] = 0.01
    made = q.quantizer("nvfp4").quantize(x)
    tensor_scale = 6.0 / (6.0 * 448.0)
    assert made.scale.scale[0] == pytest.approx(448.0 * tensor_scale)  # E4M3 holds 448 exactly
    wanted = 0.01 / (6.0 * tensor_scale)
    held = float(torch.tensor(wanted).to(torch.float8_e4m3fn))
    assert made.scale.scale[1] == pytest.approx(held * tensor_scale)
    grid = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    for value, back in zip(x[0, :16], made.dequantize()[0, :16], strict=True):
        assert abs(back) == grid[np.abs(grid - abs(value)).argmin()]
    assert made.bits == 32 * 4 + 2 * 8 + 32


def test_shared_exponent_of_the_microscaling_formats() -> None:
    x = np.array([[5.0, 0.3, *([0.0] * 30)]])
    # floor(log2 5) = 2, less the exponent of the largest FP4 value (6 -> 2): scale 1; 5 is a tie between 4 and 6.
    made = q.quantizer("mxfp4").quantize(x)
    assert made.scale.scale.tolist() == [1.0]
    assert made.dequantize()[0, :2].tolist() == [4.0, 0.5]
    assert q.quantizer("mxfp8_e4m3").quantize(x).scale.scale.tolist() == [2.0**-6]


def test_powers_of_two() -> None:
    grid = q.PowerOfTwoGrid(4)
    assert q.grid_magnitudes(grid).tolist() == [0.0, *(2.0**-k for k in range(6, -1, -1))]
    made = q.quantizer("power_of_two_4").quantize(np.array([1.4, -0.76, 0.74, 0.1, 0.001, 0.0]))
    assert made.scale.scale.tolist() == [1.0]  # 1.4 lies nearer to 1 than to 2
    assert made.dequantize().tolist() == [1.0, -1.0, 0.5, 0.125, 0.0, 0.0]
    assert q.quantizer("power_of_two_4").quantize(np.array([1.6])).scale.scale.tolist() == [2.0]
    covering = q.Quantizer(q.IntegerGrid(8, narrow=True), scale_rule="power_of_two").quantize(np.array([1.6]))
    assert covering.scale.scale.tolist() == [2.0**-6]  # 1.6 / 127 rounded up


def test_blocks_that_do_not_divide_the_last_axis() -> None:
    x = np.random.default_rng(0).normal(0, 1, (3, 5, 21))
    made = q.quantizer("nvfp4").quantize(x)
    assert made.codes.shape == x.shape
    assert made.scale.scale.shape == (3 * 5 * 2,)
    alone = q.quantizer("mxfp4", block=16).quantize(x[1, 2, 16:])
    joint = q.quantizer("mxfp4", block=16).quantize(x)
    np.testing.assert_array_equal(joint.dequantize()[1, 2, 16:], alone.dequantize())


def test_all_zero_groups() -> None:
    for name in q.PRESETS:
        if name != "q2_14_released":
            assert not q.fake_quantize(np.zeros((4, 32)), q.quantizer(name)).any()


def test_calibration_by_squared_error_is_the_best_clip() -> None:
    x = np.random.default_rng(3).laplace(0, 1, (2, 20_000))
    base = q.Quantizer(q.IntegerGrid(4, narrow=True), granularity="channel")
    sqnr = {
        rule: q.sqnr_db(x, q.fake_quantize(x, q.replace(base, calibration=rule, percentile=99.9)))
        for rule in ("max", "percentile", "mse")
    }
    assert sqnr["mse"] > sqnr["percentile"] > sqnr["max"]
    # The published optimal clip for a Laplace signal at 4 bits is 5.03 b (Banner et al., NeurIPS 2019, b = 1 here).
    clip = q.replace(base, calibration="mse").calibrate(x).scale * 7
    np.testing.assert_allclose(clip, 5.03, rtol=0.08)


def test_percentile_range() -> None:
    x = np.concatenate([np.linspace(-1, 1, 9999), [1000.0]])
    made = q.Quantizer(q.IntegerGrid(8, narrow=True), calibration="percentile", percentile=99.0).calibrate(x)
    assert made.scale[0] * 127 == pytest.approx(0.99, abs=0.001)


@pytest.mark.parametrize("scale", [1.0, 0.9999999, 0.00123, 3.7e4, 2.0**-20])
@pytest.mark.parametrize("bits", [8, 16, 31])
def test_dyadic_scale(scale: float, bits: int) -> None:
    multiplier, shift = q.dyadic_scale(scale, bits)
    assert 1 << (bits - 1) <= multiplier < 1 << bits
    assert multiplier * 2.0**-shift == pytest.approx(scale, rel=2.0**-bits)


def test_sqnr() -> None:
    assert q.sqnr_db(np.array([3.0, 4.0]), np.array([3.0, 4.5])) == pytest.approx(20.0)
    assert q.sqnr_db(np.ones(3), np.ones(3)) == math.inf
    rows = q.sqnr_by_layer_db({"a": X, "b": X[0]}, q.quantizer("int8"))
    assert rows["a"] == pytest.approx(q.sqnr_db(X, q.fake_quantize(X, q.quantizer("int8"))))
    with pytest.raises(ValueError, match="zero everywhere"):
        q.sqnr_db(np.zeros(3), np.ones(3))


def test_torch_tensors_keep_type_and_shape() -> None:
    tensor = torch.from_numpy(X).to(torch.float16)
    out = q.fake_quantize_tensor(tensor, q.quantizer("int8_per_channel"))
    assert out.dtype == torch.float16
    assert out.shape == tensor.shape
    expected = q.fake_quantize(tensor.double().numpy(), q.quantizer("int8_per_channel"))
    assert torch.equal(out, torch.from_numpy(expected).to(torch.float16))


def test_small_float_codes_are_the_storage_codes() -> None:
    made = q.quantizer("fp8_e4m3").quantize(X)
    words = made.codes.reshape(-1).astype(np.uint8)
    values = from_words(words, FP8_E4M3, X.shape).astype(np.float64) * made.scale.scale[0]
    np.testing.assert_allclose(values, made.dequantize(), rtol=1e-12)


def test_refusals() -> None:
    for call, message in (
        (lambda: q.quantizer("int9"), r"unknown quantiser 'int9'.*nearest is 'int8'"),
        (lambda: q.quantizer("int8").quantize(np.array([1.0, np.nan]), what="conv1"), "conv1: 1 values are not finite"),
        (lambda: q.Quantizer(q.IntegerGrid(8, signed=False)).quantize(-X[:1] ** 2), "smallest value .* is negative"),
        (lambda: q.Quantizer(q.FloatGrid("fp8_e4m3"), symmetric=False), "a zero point needs an integer grid"),
        (lambda: q.Quantizer(q.IntegerGrid(1)), "1 bits; 2 to 32"),
        (lambda: q.quantizer("nvfp4", block=0), "block of 0 values"),
        (lambda: q.quantizer("int8", percentile=0.0), "percentile 0.0"),
        (lambda: q.quantizer("q2_14", fixed_scale=0.0), "fixed scale 0.0"),
        (lambda: q.quantizer("int8").quantize(np.empty(0)), "the tensor is empty"),
        (
            lambda: q.quantizer("int8_per_channel").quantize(X, q.quantizer("int8").calibrate(X), "w"),
            "w: 1 scales for 8 groups",
        ),
        (lambda: q.dyadic_scale(0.0), "must be positive"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            call()
