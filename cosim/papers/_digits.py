"""Accuracy of the trained digits networks with their weights in an erring memory, for published results."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from cosim.noise.channels import PatternErrors
from cosim.noise.formats import from_words, storage_format, to_words
from cosim.noise.inject import Stream, inject
from cosim.noise.schemes import scheme


@cache
def accuracy(network: str) -> float:
    """Share of the 450 test digits that a network reads right, without errors.

    Raises ``ModuleNotFoundError`` without scikit-learn, which holds the digits.
    """
    from cosim.noise.networks import digits_network

    return digits_network(network).accuracy()


@cache
def accuracy_with_errors(network: str, encoding: str, cell_error_rate: float, trials: int) -> float:
    """Mean accuracy with half-precision weights in two-bit cells whose patterns 01 and 10 err at a rate.

    ``encoding`` is a name of :data:`cosim.noise.schemes.SCHEMES`; errors persist from the write to every read.
    """
    from cosim.noise.networks import digits_network

    fmt, coder = storage_format("fp16"), scheme(encoding)
    channel = PatternErrors((0.0, cell_error_rate, cell_error_rate, 0.0))
    found = []
    for trial in range(trials):
        net = digits_network(network)
        for name, weight in net.stored_weights().items():
            stored = weight.detach().numpy()
            encoded = coder.encode(to_words(stored.astype(np.float16).ravel(), fmt), fmt, name)
            hit = inject(encoded.words, fmt, [channel], Stream(trial, name))
            stored[...] = from_words(coder.decode(replace(encoded, words=hit.words)), fmt, stored.shape)
        found.append(net.accuracy())
    return float(np.mean(found))
