"""Train the digits networks and store their weights: ``python -m cosim.noise.networks_train [NAME...]``.

A quarter of a minute of processor time for all four. The weights are rounded to half precision before they are stored.
"""

from __future__ import annotations

import logging
import sys

import numpy as np
import torch

from cosim.noise.networks import DIGITS, SEED, WEIGHTS, digits_network
from cosim.noise.optical_digits import train


def main(names: list[str]) -> None:
    """Train ``names`` (default: all) and report their accuracy and largest weight."""
    torch.set_num_threads(1)
    WEIGHTS.mkdir(exist_ok=True)
    for name in names or list(DIGITS):
        state = train(DIGITS[name], SEED).state_dict()
        halves = {key: value.numpy().astype(np.float16) for key, value in state.items()}
        np.savez_compressed(WEIGHTS / f"{name}.npz", allow_pickle=False, **halves)
        network = digits_network(name)
        largest = max(float(weight.abs().max()) for weight in network.stored_weights().values())
        logging.info("%s: accuracy %.4f, largest |weight| %.4f", name, network.accuracy(), largest)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main(sys.argv[1:])
