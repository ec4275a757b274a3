"""Storage formats: every code against numpy or torch, packing, refusals."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.noise import formats as f


def test_every_half_code_round_trips() -> None:
    words = np.arange(65536, dtype=np.uint16)
    values = f.from_words(words, f.FP16, (256, 256))
    finite = np.isfinite(values)
    np.testing.assert_array_equal(f.to_words(values[finite], f.FP16), words[finite.ravel()])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=30))
def test_bfloat_rounds_as_torch(values: list[float]) -> None:
    array = np.array(values, np.float32)
    expected = torch.from_numpy(array).to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
    np.testing.assert_array_equal(f.to_words(array, f.BF16), expected)


def test_bfloat_ties_go_to_even() -> None:
    ulp = 2.0**-7
    values = np.array([1 + 0.5 * ulp, 1 + 1.5 * ulp, -1 - 0.5 * ulp, 1 + 0.50001 * ulp], np.float32)
    assert f.from_words(f.to_words(values, f.BF16), f.BF16, (4,)).tolist() == [1, 1 + 2 * ulp, -1, 1 + ulp]


def test_every_bfloat_code_round_trips() -> None:
    words = np.arange(65536, dtype=np.uint16)
    values = f.from_words(words, f.BF16, (65536,))
    expected = torch.from_numpy(words.view(np.int16)).view(torch.bfloat16).to(torch.float32).numpy()
    np.testing.assert_array_equal(values, expected)
    finite = np.isfinite(values)
    np.testing.assert_array_equal(f.to_words(values[finite], f.BF16), words[finite])


@pytest.mark.parametrize(
    ("fmt", "torch_type"),
    [(f.FP8_E4M3, torch.float8_e4m3fn), (f.FP8_E5M2, torch.float8_e5m2)],
)
def test_small_floats_as_torch(fmt: f.StorageFormat, torch_type: torch.dtype) -> None:
    words = np.arange(256, dtype=np.uint8)
    expected = torch.from_numpy(words).view(torch_type).to(torch.float32).numpy()
    np.testing.assert_array_equal(f.from_words(words, fmt, (256,)), expected)
    rng = np.random.default_rng(0)
    largest = float(np.abs(expected[np.isfinite(expected)]).max())
    values = np.concatenate([rng.normal(0, 1, 3000), rng.uniform(-largest, largest, 3000), expected[:120]])
    values = values.astype(np.float32)
    codes = torch.from_numpy(values).to(torch_type).view(torch.uint8).numpy()
    np.testing.assert_array_equal(f.to_words(values, fmt), codes)


def test_four_bit_float_values() -> None:
    # OCP Microscaling Formats 1.0, table 5.
    assert f.float_codes(f.FP4_E2M1)[:8].tolist() == [0, 0.5, 1, 1.5, 2, 3, 4, 6]
    values = np.array([0.25, 0.75, 2.5, 5.0, -0.3])  # the first four are ties: to the even code
    words = f.to_words(values, f.FP4_E2M1)
    assert f.from_words(words, f.FP4_E2M1, (5,)).tolist() == [0, 1, 2, 4, -0.5]


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(["int8", "uint8", "int4", "int2", "int16", "q2.14", "q1.6", "q4.1"]), data=st.data()
)
def test_integer_codes_round_trip(name: str, data: st.DataObject) -> None:
    fmt = f.storage_format(name)
    low, high = fmt.code_range
    codes = np.array(data.draw(st.lists(st.integers(low, high), min_size=1, max_size=21)))
    words = f.codes_to_words(codes, fmt)
    assert words.size == -(-codes.size // fmt.values_per_word)
    np.testing.assert_array_equal(f.words_to_codes(words, fmt, codes.size), codes)
    values = f.from_words(words, fmt, codes.shape)
    np.testing.assert_array_equal(f.to_words(values, fmt), words)


def test_packing_puts_the_first_value_lowest() -> None:
    assert f.codes_to_words(np.array([1, -1, 7]), f.INT4).tolist() == [0xF1, 0x07]
    assert f.codes_to_words(np.array([1, -2, 0, -1]), f.INT2).tolist() == [0b11_00_10_01]
    assert f.codes_to_words(np.array([-1.5 * 2**14]).astype(int), f.fixed_point(2, 14)).tolist() == [0xA000]


def test_free_bit_is_zero_below_two_and_set_from_two() -> None:
    for fmt in (f.FP16, f.BF16, f.FP32, f.FP8_E4M3, f.FP8_E5M2):
        assert fmt.free_bit == fmt.bits - 2
        mask = fmt.word_type(1 << fmt.free_bit)
        assert not (f.to_words(np.array([0.0, -1.0, 1.75, -1.5]), fmt) & mask).any()
        assert (f.to_words(np.array([2.0, -2.0, 3.5]), fmt) & mask).all()
    for fmt in (f.INT8, f.INT4, f.FP4_E2M1, f.fixed_point(2, 14)):
        assert fmt.free_bit is None


def test_masks_and_cells() -> None:
    assert f.bit_masks(f.FP16, (15,)).tolist() == [0x8000]
    assert f.bit_masks(f.INT4, (3,)).tolist() == [0x08, 0x80]
    assert f.bit_masks(f.fixed_point(1, 6)).tolist() == [1, 2, 4, 8, 16, 32, 64, 0]
    assert f.cell_shifts(f.FP16).tolist() == [14, 12, 10, 8, 6, 4, 2, 0]
    assert f.cell_shifts(f.fixed_point(2, 4)).tolist() == [4, 2, 0, -1]
    with pytest.raises(ValueError, match=r"bit positions \[16\] are outside fp16"):
        f.bit_masks(f.FP16, (16,))
    with pytest.raises(ValueError, match="do not divide into cells of 2 bits"):
        f.cell_shifts(f.fixed_point(1, 6))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("fp16", [1.0, 70000.0], r"w3: largest magnitude 70000 does not fit fp16"),
        ("fp16", [np.nan], "w3: largest magnitude nan does not fit fp16"),
        ("fp4_e2m1", [7.0], "largest magnitude 7 does not fit fp4_e2m1"),
        ("fp8_e4m3", [464.0], "does not fit fp8_e4m3"),
        ("bf16", [np.inf], "does not fit bf16"),
        ("int8", [128.0], "int8 holds codes -128 to 127; found 128 to 128: quantise first"),
        ("int8", [0.5], "value 0.5 is not on the int8 grid: quantise first"),
        ("q2.14", [0.3], r"not on the q2.14 grid"),
        ("q2.14", [2.0], "found 32768 to 32768"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, values: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        f.to_words(np.array(values), f.storage_format(name), what="w3")


def test_values_that_carry_errors_may_overflow_on_request() -> None:
    values = np.array([1e9, -1e9, np.nan, np.inf])
    back = f.from_words(f.to_words(values, f.FP16, overflow="ieee"), f.FP16, (4,))
    np.testing.assert_array_equal(back, [np.inf, -np.inf, np.nan, np.inf])
    back = f.from_words(f.to_words(values, f.FP8_E4M3, overflow="ieee"), f.FP8_E4M3, (4,))
    assert np.isnan(back).all()
    with pytest.raises(ValueError, match="no code for infinity"):
        f.to_words(values, f.FP4_E2M1, overflow="ieee")


def test_names() -> None:
    assert f.storage_format("Q2.14").bits == 16
    with pytest.raises(ValueError, match=r"unknown number format 'bf61'.*nearest is 'bf16'"):
        f.storage_format("bf61")
    with pytest.raises(ValueError, match=r"Q0\.8: m >= 1"):
        f.storage_format("q0.8")
    with pytest.raises(ValueError, match="stored in 16-bit words; found uint8"):
        f.from_words(np.zeros(2, np.uint8), f.FP16, (2,))
