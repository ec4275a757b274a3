"""Integer dot products: compiled = interpreted = a reference in Python's unbounded integers."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.kernels.int_bits import bitserial_dot, pack_planes, popcount64, xnor_dot
from cosim.kernels.int_dot import dfp16_dot, lut16_dot, maddubs_dot, shift_add_dot, vnni_dot

SIZES = st.tuples(st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 2, 3, 7, 16, 31, 65]))
SEEDS = st.integers(0, 2**31)


def wrap32(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


def operands(
    size: tuple[int, int, int], seed: int, x_range: tuple[int, int], w_range: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    rows, cols, depth = size
    random = np.random.default_rng(seed)
    x = random.integers(x_range[0], x_range[1] + 1, (rows, depth))
    w = random.integers(w_range[0], w_range[1] + 1, (cols, depth))
    return x, w


def maddubs_reference(x: np.ndarray, w: np.ndarray) -> tuple[list[list[int]], int]:
    saturated, out = 0, []
    for left in x.tolist():
        row = []
        for right in w.tolist():
            products = [a * b for a, b in zip(left, right, strict=True)] + [0] * (len(left) % 2)
            pairs = [products[i] + products[i + 1] for i in range(0, len(products), 2)]
            saturated += sum(not -32768 <= pair <= 32767 for pair in pairs)
            row.append(wrap32(sum(max(-32768, min(32767, pair)) for pair in pairs)))
        out.append(row)
    return out, saturated


@settings(max_examples=60, deadline=None)
@given(SIZES, SEEDS)
def test_maddubs(size: tuple[int, int, int], seed: int) -> None:
    x, w = operands(size, seed, (0, 255), (-128, 127))
    expected = maddubs_reference(x, w)
    for function in (maddubs_dot, maddubs_dot.py_func):
        sums, saturated = function(x, w)
        assert (sums.tolist(), saturated) == expected


def test_maddubs_saturates_where_vnni_does_not() -> None:
    """255*127 + 255*127 = 64770 exceeds 32767, 255*-128 twice = -65280 goes below -32768; 7-bit operands never do."""
    x = np.array([[255, 255]])
    w = np.array([[127, 127], [-128, -128], [64, 64]])
    assert maddubs_dot(x, w)[0].tolist() == [[32767, -32768, 32640]]
    assert maddubs_dot(x, w)[1] == 2
    assert vnni_dot(x, w).tolist() == [[64770, -65280, 32640]]


@settings(max_examples=40, deadline=None)
@given(SIZES, SEEDS)
def test_maddubs_is_exact_for_seven_bit_operands(size: tuple[int, int, int], seed: int) -> None:
    x, w = operands(size, seed, (0, 127), (-128, 127))
    sums, saturated = maddubs_dot(x, w)
    assert saturated == 0
    assert np.array_equal(sums, x @ w.T)


@settings(max_examples=40, deadline=None)
@given(SIZES, SEEDS)
def test_vnni_and_dfp16(size: tuple[int, int, int], seed: int) -> None:
    x, w = operands(size, seed, (0, 255), (-128, 127))
    assert np.array_equal(vnni_dot(x, w), x @ w.T)
    assert np.array_equal(vnni_dot.py_func(x, w), x @ w.T)
    x, w = operands(size, seed, (-32768, 32767), (-32768, 32767))
    padded = np.pad(x[:, None, :] * w[None, :, :], ((0, 0), (0, 0), (0, x.shape[1] % 2)))
    pairs = padded[..., 0::2] + padded[..., 1::2]
    for shift in (0, 5):
        expected = [[wrap32(sum(wrap32(p) >> shift for p in cell)) for cell in row] for row in pairs.tolist()]
        assert dfp16_dot(x, w, shift).tolist() == expected
        assert dfp16_dot.py_func(x, w, shift).tolist() == expected


def test_sums_wrap_at_32_bits() -> None:
    """2**31 / (255 * 127) = 66 312.6: the 66 313th product of 255 by 127 leaves the range of 32 bits."""
    depth = 2**31 // (255 * 127) + 1
    x, w = np.full((1, depth), 255), np.full((1, depth), 127)
    exact = depth * 255 * 127
    assert exact > 2**31 - 1
    assert vnni_dot(x, w).item() == exact - 2**32


@settings(max_examples=40, deadline=None)
@given(SIZES, SEEDS)
def test_lut16_is_the_product_table(size: tuple[int, int, int], seed: int) -> None:
    """Weights -1, 0, 1, 2 and activations 0..3 (DeepGEMM): the table of products gives the exact dot product."""
    x, w = operands(size, seed, (0, 3), (0, 3))
    table = np.array([(code - 1) * value for code in range(4) for value in range(4)])
    for function in (lut16_dot, lut16_dot.py_func):
        assert np.array_equal(function(x, w, table), x @ (w - 1).T)


@settings(max_examples=30, deadline=None)
@given(SIZES, SEEDS, st.sampled_from([(1, 1), (2, 1), (2, 2), (3, 2), (1, 4)]))
def test_bit_serial_is_the_exact_product(
    size: tuple[int, int, int], seed: int, bits: tuple[int, int]
) -> None:
    x, w = operands(size, seed, (0, 2 ** bits[0] - 1), (0, 2 ** bits[1] - 1))
    planes = pack_planes(x, bits[0]), pack_planes(w, bits[1])
    for function in (bitserial_dot, bitserial_dot.py_func):
        assert np.array_equal(function(*planes, False), x @ w.T)


@settings(max_examples=30, deadline=None)
@given(SIZES, SEEDS, st.integers(1, 3))
def test_bipolar_weights(size: tuple[int, int, int], seed: int, bits: int) -> None:
    x, w = operands(size, seed, (0, 2**bits - 1), (0, 1))
    expected = x @ (2 * w - 1).T
    for function in (bitserial_dot, bitserial_dot.py_func):
        assert np.array_equal(function(pack_planes(x, bits), pack_planes(w, 1), True), expected)


@settings(max_examples=30, deadline=None)
@given(SIZES, SEEDS)
def test_xnor(size: tuple[int, int, int], seed: int) -> None:
    x, w = operands(size, seed, (0, 1), (0, 1))
    expected = (2 * x - 1) @ (2 * w - 1).T
    planes = pack_planes(x, 1)[0], pack_planes(w, 1)[0]
    for function in (xnor_dot, xnor_dot.py_func):
        assert np.array_equal(function(*planes, x.shape[1]), expected)
    assert np.array_equal(pack_planes(x, 1), pack_planes.py_func(x, 1))


@given(st.integers(0, 2**64 - 1))
@settings(max_examples=50, deadline=None)
def test_popcount(word: int) -> None:
    assert popcount64(np.uint64(word)) == word.bit_count() == popcount64.py_func(np.uint64(word))


@settings(max_examples=30, deadline=None)
@given(SIZES, SEEDS)
def test_shift_add(size: tuple[int, int, int], seed: int) -> None:
    x, sign = operands(size, seed, (-128, 127), (-1, 1))
    exponent = np.random.default_rng(seed + 1).integers(-6, 4, sign.shape)
    exact = [
        [
            sum(s * (v * 2**e if e >= 0 else v // 2**-e) for v, s, e in zip(row, signs, powers, strict=True))
            for signs, powers in zip(sign.tolist(), exponent.tolist(), strict=True)
        ]
        for row in x.tolist()
    ]
    for function in (shift_add_dot, shift_add_dot.py_func):
        assert function(x, sign, exponent).tolist() == exact
