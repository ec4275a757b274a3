"""Fixed-point arithmetic of CNNA: Q2.14 operands, Q4.28 products and sums, a scale for every layer.

A number of ``word_bits`` bits with ``int_bits`` before the point (the sign is one of them) holds multiples of
2 ** (int_bits - word_bits) in [-2 ** (int_bits - 1), 2 ** (int_bits - 1)). Assignments round half up and saturate
(SC_RND and SC_SAT of SystemC). A layer divides its weights by a scale and multiplies its sums with it (eq. 1, 2):

    w_q = quantise(w / scale),   scale = max(w) / span                                         (eq. 1)
    y = quantise(relu(scale * sum over k of quantise_32(x_q * w_q)))                           (eq. 2)

The authors' driver takes max(w), not max|w|, and a span of 4 (2 ** int_bits), which lies outside the range of
Q2.14: weights above half of the largest saturate. A span of 2 ** (int_bits - 1) uses the range and cuts nothing
that is positive; it is the default here, and the driver's span an argument.

Source: SystemC sources and driver of github.com/jonathan93sh/CNNA (commit 32bbaf4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FixedPoint:
    """A signed format of ``word_bits`` bits, ``int_bits`` of them before the point."""

    word_bits: int
    int_bits: int

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for a format that float64 does not hold exactly, or without a sign."""
        if not 1 <= self.int_bits <= self.word_bits <= 53:
            raise ValueError(
                f"found Q{self.int_bits}.{self.word_bits - self.int_bits}, allowed 1 <= int <= word <= 53"
            )

    @property
    def step(self) -> float:
        """Smallest positive number."""
        return 2.0 ** (self.int_bits - self.word_bits)

    @property
    def limits(self) -> tuple[float, float]:
        """Smallest and largest number."""
        end = 2.0 ** (self.int_bits - 1)
        return -end, end - self.step

    def quantise(self, values: npt.ArrayLike) -> Floats:
        """Nearest numbers of the format, halves up, saturated at its ends."""
        low, high = self.limits
        rounded = np.floor(np.asarray(values, dtype=np.float64) / self.step + 0.5) * self.step
        return np.clip(rounded, low, high)


Q2_14 = FixedPoint(16, 2)
Q4_28 = FixedPoint(32, 4)


def layer_scale(weights: npt.ArrayLike, span: float = 2.0) -> float:
    """Scale of a layer (eq. 1); raises ``ValueError`` when no weight is positive."""
    largest = float(np.max(np.asarray(weights, dtype=np.float64)))
    if largest <= 0.0:
        raise ValueError(f"found a largest weight of {largest}, allowed a layer with a positive weight")
    return largest / span


def fixed_point_layer(
    inputs: npt.ArrayLike,
    weights: npt.ArrayLike,
    span: float = 2.0,
    number: FixedPoint = Q2_14,
    wide: FixedPoint = Q4_28,
) -> Floats:
    """Eq. 2 for inputs (rows, k) and weights (k, filters): what the engine writes, shape (rows, filters).

    Sums saturate once per addition, in the order of k, as an accumulator does.
    """
    x, w = np.asarray(inputs, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    scale = layer_scale(w, span)
    x_q, w_q = number.quantise(x), number.quantise(w / scale)
    low, high = wide.limits
    total = np.zeros((x.shape[0], w.shape[1]))
    for k in range(x.shape[1]):
        total = np.clip(total + wide.quantise(np.outer(x_q[:, k], w_q[k])), low, high)
    return number.quantise(np.maximum(scale * total, 0.0))
