"""Value models of the integer kernels: names, ranges, and the real-valued meaning of their factors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.components.cpu_kernels import KERNELS
from cosim.noise import int_kernels


def test_names_are_those_of_the_cost_model() -> None:
    assert set(int_kernels.RANGES) <= set(KERNELS)


@pytest.mark.parametrize("kernel", sorted(int_kernels.RANGES))
def test_product_is_exact_where_nothing_saturates(kernel: str) -> None:
    random = np.random.default_rng(3)
    left, right = int_kernels.RANGES[kernel]
    signs = np.array([-1, 1])
    top = left[1] if left[1] < 16 else left[1] // 2
    x = random.choice(signs, (3, 37)) if left == (-1, 1) else random.integers(left[0] // 16, top + 1, (3, 37))
    low, high = right[0] // 16, (right[1] + 15) // 16
    w = random.choice(signs, (5, 37)) if right == (-1, 1) else random.integers(low, high + 1, (5, 37))
    table = np.array([(code - 1) * value for code in range(4) for value in range(4)])
    expected = x @ (w - 1).T if kernel == "lut16_2bit" else x @ w.T
    assert np.array_equal(int_kernels.product(kernel, x, w, table=table), expected)


def test_refusals_name_the_reason() -> None:
    one = np.ones((1, 2), dtype=np.int64)
    with pytest.raises(int_kernels.IntKernelError, match="nearest: 'int8_vnni'"):
        int_kernels.product("int8_vnn", one, one)
    with pytest.raises(int_kernels.IntKernelError, match=r"found values 300\.\.300, allowed 0\.\.255"):
        int_kernels.product("int8_vnni", 300 * one, one)
    with pytest.raises(int_kernels.IntKernelError, match="K = 2 and 3"):
        int_kernels.product("int8_vnni", one, np.ones((1, 3), dtype=np.int64))
    with pytest.raises(int_kernels.IntKernelError, match="between 0 and 1"):
        int_kernels.fixed_point(np.array([1.5]))
    with pytest.raises(int_kernels.IntKernelError, match="sixteen"):
        int_kernels.product("lut16_2bit", one, one)


def test_saturation_share() -> None:
    """One of the two pairs exceeds 16 bits."""
    x, w = np.array([[255, 255, 1, 1]]), np.array([[127, 127, 1, 1]])
    assert int_kernels.saturation_share(x, w) == 0.5
    assert int_kernels.saturation_share(np.minimum(x, 127), w) == 0.0


@settings(max_examples=100, deadline=None)
@given(st.floats(1e-6, 0.999999))
def test_fixed_point_and_dyadic_hold_the_factor(factor: float) -> None:
    multiplier, shift = int_kernels.fixed_point(np.array([factor]))
    assert 2**30 <= multiplier.item() < 2**31
    assert multiplier.item() * 2.0 ** -(31 + shift.item()) == pytest.approx(factor, rel=2**-30)
    numerator, places = int_kernels.dyadic(np.array([factor]))
    assert numerator.item() * 2.0 ** -places.item() == pytest.approx(factor, rel=2**-30)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(["jacob", "dyadic"]))
def test_requantise_is_the_rounded_product(seed: int, method: str) -> None:
    random = np.random.default_rng(seed)
    sums, factor = random.integers(-30000, 30000, (4, 6)), random.uniform(1e-4, 4e-3, 6)
    exact = sums * factor
    # Jacob's form rounds twice: half a step of the 2**shift finer grid comes on top of the final half step.
    _, shift = int_kernels.fixed_point(factor)
    first = 0.5 ** (shift + 1) if method == "jacob" else 0.0
    assert np.all(np.abs(int_kernels.requantise(sums, factor, method) - exact) <= 0.5 + first + 1e-6)


def test_shift_functions_follow_the_real_ones() -> None:
    """x * sigmoid(1.702 x) is within 0.021 of GELU; the shifts move the sigmoid by up to 6 % of s * (1 - s), the
    whole-numbered x0 the exponent by up to 2 %, and 7 bits remain: below 0.08 for |x| up to 1.35 and less beyond."""
    step = 0.05
    x = np.arange(-100, 28)[None, :]
    real = step * x
    gelu = real * 0.5 * (1 + np.tanh(0.7978845608 * (real + 0.044715 * real**3)))
    approximate = int_kernels.shift_gelu(x, step) * step / 128
    assert np.max(np.abs(approximate - gelu)) < 0.08
    total = int_kernels.shiftmax(x, step).sum() / 128
    assert 0.7 < total <= 1.0
