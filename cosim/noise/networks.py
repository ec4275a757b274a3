"""Networks that were really trained, with their weights at hand: the digits of scikit-learn, or a user's own model.

The four digits networks are those of :mod:`cosim.noise.optical_digits` and a perceptron; their weights lie beside this
module in half precision, so that a network read twice is the same bit for bit and storing it in FP16 loses nothing.
``python -m cosim.noise.networks_train`` trains them again. Every weight is inside (-1, 1).
Imported only where torch is wanted.
"""

from __future__ import annotations

import difflib
import hashlib
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cosim.noise import optical_digits

WEIGHTS = Path(__file__).parent / "weights"
SEED = 0
# name -> how optical_digits calls it; "same" padding is the form that no linear layer converts to
DIGITS = {"mlp": "mlp", "cnn": "cnn", "vit": "vit", "convsharevit": "convsharevit_same"}


class NetworkError(ValueError):
    """A model that cannot be had; the message says what was found and what is allowed."""


@dataclass(frozen=True)
class TrainedNetwork:
    """A network in evaluation mode with the images and labels to test it on: (n, ...) and (n,)."""

    name: str
    module: nn.Module
    images: Tensor
    labels: Tensor

    def stored_weights(self) -> dict[str, Tensor]:
        """Weights of convolutions and linear layers by parameter name: what a weight memory holds.

        Biases, normalisation and position parameters stay in registers, as they do in most accelerators.
        """
        kinds = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
        return {
            f"{name}.weight" if name else "weight": module.weight
            for name, module in self.module.named_modules()
            if isinstance(module, kinds)
        }

    def accuracy(self, first: int = 0, last: int | None = None) -> float:
        """Share of the images ``first`` to ``last`` whose largest output is their label."""
        with torch.no_grad():
            found = self.module(self.images[first:last]).argmax(1)
        return float((found == self.labels[first:last]).double().mean())

    @property
    def digest(self) -> str:
        """Hash of weights, images and labels: what a kept result belongs to."""
        state = hashlib.blake2b(digest_size=8)
        for name, value in sorted(self.module.state_dict().items()):
            state.update(name.encode())
            state.update(value.detach().cpu().contiguous().numpy().tobytes())
        state.update(self.images.numpy().tobytes())
        state.update(self.labels.numpy().tobytes())
        return state.hexdigest()


def digits_network(name: str) -> TrainedNetwork:
    """One of :data:`DIGITS` with its 450 test images.

    Raises :class:`NetworkError` for another name, ``ModuleNotFoundError`` without scikit-learn.
    """
    if name not in DIGITS:
        near = difflib.get_close_matches(name, DIGITS, n=1)
        hint = f"; nearest: {near[0]!r}" if near else ""
        raise NetworkError(
            f"model: found {name!r}, allowed {', '.join(DIGITS)}, or module:function of your own{hint}"
        )
    network = optical_digits.NETWORKS[DIGITS[name]]()
    with np.load(WEIGHTS / f"{name}.npz", allow_pickle=False) as stored:
        network.load_state_dict(
            {key: torch.from_numpy(stored[key].astype(np.float32)) for key in stored.files}
        )
    _, _, images, labels = optical_digits.digits(SEED)
    return TrainedNetwork(name, network.eval().requires_grad_(False), images, labels)


def _loaded(batches: Any, what: str) -> tuple[Tensor, Tensor]:
    """Images and labels of a loader, or of one pair of tensors."""
    if (
        isinstance(batches, tuple | list)
        and len(batches) == 2
        and all(isinstance(b, Tensor) for b in batches)
    ):
        images, labels = batches
    else:
        pairs = list(batches)
        if not pairs or any(not isinstance(p, tuple | list) or len(p) != 2 for p in pairs):
            raise NetworkError(f"{what}: found a loader without (images, labels) pairs, allowed a DataLoader")
        images = torch.cat([pair[0] for pair in pairs])
        labels = torch.cat([torch.as_tensor(pair[1]) for pair in pairs])
    if labels.ndim != 1 or len(labels) != len(images) or not len(labels):
        raise NetworkError(
            f"{what}: found {len(images)} images and labels of shape {tuple(labels.shape)}, allowed one class each"
        )
    return images.detach().cpu(), labels.detach().cpu().long()


def own_network(reference: str) -> TrainedNetwork:
    """The model and test data that ``module:function`` returns: a trained module, and a loader or two tensors.

    The module is looked for in the working directory too. Raises :class:`NetworkError` for what is no such pair.
    """
    name, _, function = reference.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        made = getattr(import_module(name), function)()
    except (ImportError, AttributeError) as error:
        raise NetworkError(f"model {reference!r}: {error}; allowed module:function") from error
    if not isinstance(made, tuple) or len(made) != 2 or not isinstance(made[0], nn.Module):
        raise NetworkError(
            f"model {reference!r}: found {type(made).__name__}, allowed (torch.nn.Module, loader of images and labels)"
        )
    images, labels = _loaded(made[1], f"model {reference!r}")
    return TrainedNetwork(reference, made[0].cpu().eval().requires_grad_(False), images, labels)


def trained_network(model: str) -> TrainedNetwork:
    """A digits network by name, or a user's by ``module:function``."""
    return own_network(model) if ":" in model else digits_network(model)
