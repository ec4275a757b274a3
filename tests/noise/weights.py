"""Synthetic weights with the layer shapes of VGG16, as half-precision words."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

# (K, C) of the 13 convolutions of VGG16 (Simonyan and Zisserman, arXiv 1409.1556, configuration D), then its GEMMs.
CONVOLUTIONS = [
    (64, 3), (64, 64), (128, 64), (128, 128), (256, 128), (256, 256), (256, 256),
    (512, 256), (512, 512), (512, 512), (512, 512), (512, 512), (512, 512),
]  # fmt: skip
LINEAR = [(4096, 25088), (4096, 4096), (1000, 4096)]
SAMPLES = 250_000


@dataclass(frozen=True)
class Layer:
    """A sample of one layer's weights, with the number of weights that the layer really has."""

    name: str
    weight: int
    words: np.ndarray


def half_words(values: np.ndarray) -> np.ndarray:
    """Clip into (-1, 1) and store as FP16."""
    edge = 1.0 - 2.0**-11
    return np.clip(values, -edge, edge).astype(np.float16).view(np.uint16)


def sample(rng: np.random.Generator, family: str, sigma: float, count: int) -> np.ndarray:
    if family == "normal":
        return sigma * rng.standard_normal(count)
    return rng.laplace(0.0, sigma / np.sqrt(2.0), count)


def _layers(kind: str, family: str, seed: int) -> Iterator[Layer]:
    rng = np.random.default_rng(seed)
    for index, (out, inp) in enumerate(CONVOLUTIONS):
        fan = 9 * (out if kind == "fan_out" else inp)
        count = 9 * out * inp
        values = sample(rng, family, np.sqrt(2.0 / fan), min(count, SAMPLES))
        yield Layer(f"conv{index + 1}", count, half_words(values))
    for index, (out, inp) in enumerate(LINEAR):
        sigma = 0.01 if kind == "fan_out" else np.sqrt(2.0 / inp)
        yield Layer(f"fc{index + 1}", out * inp, half_words(sample(rng, family, sigma, SAMPLES)))


@lru_cache(maxsize=8)
def vgg16(kind: str = "fan_out", family: str = "normal", seed: int = 20) -> tuple[Layer, ...]:
    """Layers with std sqrt(2 / fan_out) (0.01 in the linear ones) or sqrt(2 / fan_in)."""
    return tuple(_layers(kind, family, seed))


def single(sigma: float = 0.03, count: int = 1_000_000, seed: int = 5) -> np.ndarray:
    """One normal layer."""
    return half_words(sigma * np.random.default_rng(seed).standard_normal(count))
