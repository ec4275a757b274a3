"""What lies in the weight memory of each layer: pattern counts before and after an encoding.

A network without trained weights gets seeded synthetic ones: normal with the standard deviation sqrt(2 / fan-out) of a
convolution (He et al., ICCV 2015, doi 10.1109/ICCV.2015.123) and 0.01 of a linear layer (as in VGG, arXiv 1409.1556),
clipped into (-1, 1). A sample stands for a large layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.ir.layer import Layer
from cosim.noise.formats import StorageFormat, to_words
from cosim.noise.patterns import TransitionCost
from cosim.noise.placement import PlacementError
from cosim.noise.schemes import Encoding, EncodingReport, report, write_energy

SAMPLES = 100_000
LINEAR_SIGMA = 0.01
_EDGE = 1.0 - 2.0**-11
Values = npt.NDArray[Any]


def has_weights(layer: Layer) -> bool:
    """Whether the layer multiplies by trained constants."""
    return layer.is_mac and layer.static_weight and layer.w_elems > 0


def weights_of_layer(layer: Layer) -> int:
    """Trained factors of a layer, biases apart."""
    return layer.G * layer.K * layer.C * layer.R * layer.S


def synthetic_weights(layer: Layer, number: int, seed: int = 0, samples: int = SAMPLES) -> Values:
    """At most ``samples`` weights for ``layer``, the ``number``-th of its network; the same for the same arguments."""
    conv = "conv" in layer.op
    sigma = np.sqrt(2.0 / (layer.K * layer.R * layer.S)) if conv else LINEAR_SIGMA
    rng = np.random.default_rng((seed, number))
    values = sigma * rng.standard_normal(min(weights_of_layer(layer), samples))
    return np.clip(values, -_EDGE, _EDGE).astype(np.float32)


def network_weights(
    layers: Sequence[Layer],
    trained: Mapping[str, Values] | None = None,
    seed: int = 0,
    samples: int = SAMPLES,
) -> dict[str, Values]:
    """Weights by layer name: those of ``trained`` where it has them, else synthetic ones."""
    chosen = [layer for layer in layers if has_weights(layer)]
    known = trained or {}
    missing = [layer.name for layer in chosen if trained is not None and layer.name not in known]
    if missing:
        raise PlacementError(
            f"layers without trained weights: {', '.join(missing)}; found {', '.join(known)}"
        )
    return {
        layer.name: known[layer.name] if trained is not None else synthetic_weights(layer, n, seed, samples)
        for n, layer in enumerate(chosen)
    }


def content_reports(
    layers: Sequence[Layer], weights: Mapping[str, Values], fmt: StorageFormat, encoding: Encoding
) -> list[EncodingReport]:
    """Pattern counts of every layer with weights, before and after ``encoding``.

    Raises :class:`PlacementError` where the encoding cannot hold a layer (named with its maximum).
    """
    rows = []
    for layer in layers:
        if layer.name in weights:
            try:
                words = to_words(weights[layer.name], fmt, what=layer.name)
                rows.append(report(encoding, words, fmt, layer.name, float(weights_of_layer(layer))))
            except ValueError as error:
                raise PlacementError(str(error)) from error
    return rows


def overwrite_costs(
    weights: Mapping[str, Values], fmt: StorageFormat, encoding: Encoding, cost: TransitionCost
) -> dict[str, float]:
    """Cost a cell of writing each layer over the one before it, by transition, metadata included (relative units)."""
    names = list(weights)
    found = {}
    for old_name, name in zip([names[-1], *names[:-1]], names, strict=True):
        size = min(weights[old_name].size, weights[name].size)
        old, new = (
            encoding.encode(to_words(weights[n].reshape(-1)[:size], fmt, what=n), fmt, n)
            for n in (old_name, name)
        )
        cells = size * fmt.bits / 2.0
        found[name] = write_energy(old, new, cost) / cells
    return found
