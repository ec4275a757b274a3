"""CNNA's fixed point: what the errors of its test benches are made of, and Q2.14 on a network that is at hand.

The fully connected test bench multiplies 16384 non-negative values with weights of 0.001 * (0 .. 99 - 50), cut off to
the format. Its sums leave the range [-2, 2): the engine saturates, the reference that the bench compares with wraps
around. A reference far out of range is uniform, so the mean square tends to the integral of u^2 / 4 over 0 .. 4 = 16/3,
whatever the width; rounding in Q2.14 would add less than 1e-8.

The first convolution of the bench cuts its weights off, which biases sums by half a step for every unit of input: at 8
bits E[(step / 2 * sum x)^2] + step^2 / 12 * E[sum x^2] over windows of 27 pixels, halved at most by the ReLU.
Source: github.com/jonathan93sh/CNNA (commit 32bbaf4), src/src/hwcore/tb/cnn/tb_cnn_2d.hpp, src/jupyterlab/dog.txt.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from cosim.components.fpga_fixed_point import Q2_14, FixedPoint, Floats, layer_scale

INPUTS, NEURONS, SEEDS = 16384, 128, range(4)
INPUT_RMS = (0.5, 1.0, 2.0)
# Mean squares over the windows of the bench's picture: of the sum of 27 pixels, of one pixel.
WINDOW_SQUARE, PIXEL_SQUARE = 249.6, 0.3814


def connected_square(bits: int, rms: float, seed: int) -> float:
    """Mean squared difference of saturated and wrapped sums, half of the inputs zero and the others of this rms."""
    random, number = np.random.default_rng(seed), FixedPoint(bits, 2)
    low, high = number.limits
    drawn = random.integers(0, 100, (INPUTS, NEURONS)).astype(np.float64)
    weights = _cut(0.001 * (drawn - 50.0), number)
    inputs = _cut(np.clip(np.abs(random.normal(0.0, rms, INPUTS)), 0.0, high), number)
    inputs[random.random(INPUTS) < 0.5] = 0.0
    sums = inputs @ weights
    wrapped = np.mod(_cut(sums, number) - low, 2 * -low) + low
    return float(np.mean((wrapped - number.quantise(sums)) ** 2))


def _cut(values: Floats, number: FixedPoint) -> Floats:
    """Numbers of the format at or below the values: what an assignment without rounding keeps."""
    return np.asarray(np.floor(values / number.step) * number.step)


@cache
def connected_bracket(bits: int) -> tuple[float, float]:
    """Least and greatest mean square over the unknown size of the inputs and four draws."""
    found = [connected_square(bits, rms, seed) for rms in INPUT_RMS for seed in SEEDS]
    return min(found), max(found)


def first_layer_bracket(bits: int) -> tuple[float, float]:
    """Mean square that cut-off weights add to the first convolution: half of its outputs positive, or all."""
    step = FixedPoint(bits, 2).step
    square = (step / 2) ** 2 * WINDOW_SQUARE + step**2 / 12 * 27 * PIXEL_SQUARE
    return square / 2, square


@cache
def digits_accuracy() -> float:
    """Accuracy of the digits perceptron in Q2.14 with a scale for every layer, over that in floating point.

    Raises ``ModuleNotFoundError`` without scikit-learn.
    """
    from cosim.noise.networks import digits_network

    network = digits_network("mlp")
    values = network.images.numpy().astype(np.float64).reshape(len(network.images), -1)
    parameters = {
        name: tensor.numpy().astype(np.float64) for name, tensor in network.module.state_dict().items()
    }
    names = sorted(name.removesuffix(".weight") for name in parameters if name.endswith(".weight"))
    for place, name in enumerate(names):
        scale = layer_scale(parameters[f"{name}.weight"])
        weights = Q2_14.quantise(parameters[f"{name}.weight"] / scale)
        sums = scale * (Q2_14.quantise(values) @ weights.T) + parameters[f"{name}.bias"]
        values = Q2_14.quantise(np.maximum(sums, 0.0)) if place + 1 < len(names) else sums
    share = float(np.mean(values.argmax(1) == network.labels.numpy()))
    return share / network.accuracy()
