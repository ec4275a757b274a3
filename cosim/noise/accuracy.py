"""Accuracy of a trained network whose tensors lie in a memory that errs: campaigns of paired trials.

Trial ``t`` uses seed ``seed + t`` for every protection and rate, so that schemes are compared on the same errors
(common random numbers). Persistent errors are made once, when a tensor is written, and hit every image; transient
ones are drawn anew for each access, and an access serves ``images_per_access`` images. Activations are written anew
for each group of images in both cases.
Imported only where torch is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn

from cosim.components.technology import TechnologySpec
from cosim.noise.accuracy_store import ActivationMemory, Storage, StoredTensor
from cosim.noise.channels import RetentionFlips
from cosim.noise.inject import Channel, Persistence, Stream
from cosim.noise.networks import TrainedNetwork
from cosim.noise.placement import (
    ERROR_KINDS,
    PlacementError,
    channels_at,
    protection,
    technology_channels,
)
from cosim.noise.trials import Summary, leveugle_trials, summarise
from cosim.spec.hashing import canonical_hash

Key = tuple[str, float, int]
Tensors = Literal["weights", "activations", "both"]


@dataclass(frozen=True)
class Campaign:
    """What is varied and what is kept.

    errors: a kind of :data:`cosim.noise.placement.ERROR_KINDS`; ``technology``, the rates of ``record`` itself; or
    ``retention``, where the "rates" are ages in seconds. storage: a float format or a quantiser of the weights;
    activation_storage: of the inputs of convolutions and linear layers. Protections apply to the weights.
    """

    protections: tuple[str, ...] = ("baseline",)
    errors: str = "uniform"
    rates: tuple[float, ...] = (1e-4,)
    trials: int = 30
    seed: int = 0
    tensors: Tensors = "weights"
    storage: str = "fp16"
    activation_storage: str = "fp16"
    persistence: Persistence = "persistent"
    images: int | None = None
    images_per_access: int = 50
    record: TechnologySpec | None = None

    def __post_init__(self) -> None:
        if self.trials < 1 or self.images_per_access < 1:
            raise PlacementError(
                f"found {self.trials} trials and {self.images_per_access} images an access, allowed 1 and above"
            )
        if self.errors not in (*ERROR_KINDS, "technology", "retention"):
            channels_at(self.errors, 0.0, self.persistence)
        if self.errors in ("technology", "retention") and self.record is None:
            raise PlacementError(
                f"errors {self.errors!r} come from a technology record; name one with --memory"
            )
        for rate in self.rates:
            if self.errors != "retention" and not 0.0 <= rate <= 1.0:
                raise PlacementError(f"{self.errors} errors: found rate {rate:g}, allowed 0 to 1")
            if self.errors == "retention" and rate < 0.0:
                raise PlacementError(f"retention: found age {rate:g} s, allowed 0 and above")

    def channels(self, rate: float) -> tuple[Channel, ...]:
        """Causes of errors at one rate (or age)."""
        if self.errors == "technology" and self.record is not None:
            return technology_channels(self.record, self.persistence)
        if self.errors == "retention" and self.record is not None:
            need = self.record.need
            return (
                RetentionFlips(
                    rate,
                    need("reliability.thermal_stability", "retention errors"),
                    float(self.record.reliability.thermal_stability_sigma or 0.0),
                    1e-9 * need("reliability.attempt_ns", "retention errors"),
                ),
            )
        return channels_at(self.errors, rate, self.persistence)

    def keys(self) -> list[Key]:
        """Every trial: protection, rate, number."""
        return [(p, r, t) for p in self.protections for r in self.rates for t in range(self.trials)]

    def digest(self, network: TrainedNetwork) -> str:
        """What kept results belong to: everything but which protections, rates and how many trials are asked for."""
        content = asdict(self) | {"record": None if self.record is None else self.record.name}
        for free in ("protections", "rates", "trials"):
            del content[free]
        return canonical_hash({**content, "network": network.digest})


@dataclass(frozen=True)
class TensorRow:
    """One stored tensor under one protection: values, stored bits, signal to quantisation noise [dB], largest value."""

    protection: str
    tensor: str
    values: int
    stored_bits: int
    sqnr_db: float
    largest: float


@dataclass(frozen=True)
class AccuracyPoint:
    """Summary of the trials of one protection at one rate; ``stored`` is its accuracy without errors."""

    protection: str
    rate: float
    stored: float
    summary: Summary


class Runner:
    """Runs the trials of a campaign on one network."""

    def __init__(self, network: TrainedNetwork, campaign: Campaign) -> None:
        """Encode every tensor under every protection.

        Raises :class:`PlacementError`, naming the layer and its maximum, where an encoding cannot hold a tensor.
        """
        self.network, self.campaign = network, campaign
        self.last = len(network.labels) if campaign.images is None else campaign.images
        if not 1 <= self.last <= len(network.labels):
            raise PlacementError(f"images: found {self.last}, allowed 1 to {len(network.labels)}")
        self.parameters = network.stored_weights()
        if not self.parameters:
            raise PlacementError(
                f"model {network.name}: found no convolution or linear layer, so nothing is stored"
            )
        storage = Storage(campaign.storage)
        try:
            self.stored = {
                text: {
                    name: StoredTensor(name, value.detach().numpy(), storage, protection(text))
                    for name, value in self.parameters.items()
                }
                for text in campaign.protections
            }
        except ValueError as error:
            raise PlacementError(f"model {network.name}, storage {campaign.storage}: {error}") from error

    def rows(self) -> list[TensorRow]:
        """The stored tensors, a row each."""
        return [
            TensorRow(
                text,
                t.name,
                t.clean.size,
                t.stored_bits,
                t.sqnr_db,
                float(self.parameters[t.name].abs().max()),
            )
            for text, tensors in self.stored.items()
            for t in tensors.values()
        ]

    def weight_bits(self) -> int:
        """Stored bits of the weights under the first protection: the population of single faults."""
        return sum(tensor.stored_bits for tensor in next(iter(self.stored.values())).values())

    @cached_property
    def exact(self) -> float:
        """Accuracy in the network's own precision."""
        return self.network.accuracy(0, self.last)

    @cached_property
    def stored_accuracy(self) -> dict[str, float]:
        """Accuracy of every protection without errors."""
        return {text: self._accuracy(text, (), 0, "persistent") for text in self.stored}

    def trial(self, key: Key) -> float:
        """Accuracy of one trial."""
        text, rate, number = key
        return self._accuracy(
            text, self.campaign.channels(rate), self.campaign.seed + number, self.campaign.persistence
        )

    def run(
        self, done: Mapping[Key, float], on_result: Callable[[Key, float, int, int], None] | None = None
    ) -> dict[Key, float]:
        """Every trial that is not in ``done``; ``on_result`` gets key, accuracy, finished and total."""
        keys = self.campaign.keys()
        results = {key: done[key] for key in keys if key in done}
        for key in keys:
            if key not in results:
                results[key] = self.trial(key)
                if on_result is not None:
                    on_result(key, results[key], len(results), len(keys))
        return results

    def points(self, results: Mapping[Key, float]) -> list[AccuracyPoint]:
        """A summary for every protection and rate."""
        c = self.campaign
        return [
            AccuracyPoint(
                text,
                rate,
                self.stored_accuracy[text],
                summarise([results[text, rate, t] for t in range(c.trials)], self.stored_accuracy[text]),
            )
            for text in c.protections
            for rate in c.rates
        ]

    def trials_needed(self) -> dict[str, int]:
        """Single faults to inject for a margin of 5 % and of 1 % at 95 % confidence (Leveugle et al., DATE 2009)."""
        bits = float(self.weight_bits())
        return {f"{margin:.0%}": leveugle_trials(bits, margin) for margin in (0.05, 0.01)}

    def _accuracy(
        self, text: str, channels: tuple[Channel, ...], seed: int, persistence: Persistence
    ) -> float:
        c, tensors = self.campaign, self.stored[text]
        hit = c.tensors != "activations"
        weights = tuple(channels) if hit else ()
        with self._holding(tensors), self._activations(channels, seed) as mark:
            if persistence == "transient":
                return self._per_access(tensors, weights, seed, mark)
            changed = self._write(tensors, weights, seed, 0)
            if not changed and c.tensors == "weights" and text in self.__dict__.get("stored_accuracy", {}):
                return self.stored_accuracy[text]
            return self._forward(mark)

    def _per_access(
        self, tensors: Mapping[str, StoredTensor], channels: tuple[Channel, ...], seed: int, mark: list[int]
    ) -> float:
        right = 0
        for access, first in enumerate(range(0, self.last, self.campaign.images_per_access)):
            self._write(tensors, channels, seed, access)
            mark[0] = access
            right += self._right(first, min(first + self.campaign.images_per_access, self.last))
        return right / self.last

    def _forward(self, mark: list[int]) -> float:
        if self.campaign.tensors == "weights":
            return self._right(0, self.last) / self.last
        right = 0
        for access, first in enumerate(range(0, self.last, self.campaign.images_per_access)):
            mark[0] = access
            right += self._right(first, min(first + self.campaign.images_per_access, self.last))
        return right / self.last

    def _right(self, first: int, last: int) -> int:
        with torch.no_grad():
            found = self.network.module(self.network.images[first:last]).argmax(1)
        return int((found == self.network.labels[first:last]).sum())

    def _write(
        self, tensors: Mapping[str, StoredTensor], channels: tuple[Channel, ...], seed: int, access: int
    ) -> bool:
        """Put what memory returns into the network; whether any weight differs from the clean ones."""
        changed = False
        for name, tensor in tensors.items():
            found = tensor.read(channels, Stream(seed, name, 0, access)) if channels else None
            changed |= found is not None
            value = tensor.clean if found is None else found
            with torch.no_grad():
                self.parameters[name].copy_(torch.from_numpy(value))
        return changed

    @contextmanager
    def _holding(self, tensors: Mapping[str, StoredTensor]) -> Iterator[None]:
        """Keep the network's own weights, whatever happens."""
        own = {name: self.parameters[name].detach().clone() for name in tensors}
        try:
            yield
        finally:
            with torch.no_grad():
                for name, value in own.items():
                    self.parameters[name].copy_(value)

    @cached_property
    def _memories(self) -> dict[str, ActivationMemory]:
        """A memory before every layer with weights, its scale taken from the images without errors."""
        storage = Storage(self.campaign.activation_storage)
        names = [name.rpartition(".")[0] for name in self.parameters]
        return {name: ActivationMemory(f"{name}.input", storage) for name in names}

    @contextmanager
    def _activations(self, channels: tuple[Channel, ...], seed: int) -> Iterator[list[int]]:
        """Send the inputs of convolutions and linear layers through memory; yields the number of the access."""
        mark = [0]
        if self.campaign.tensors == "weights":
            yield mark
            return
        if "_memories" not in self.__dict__:
            with self._hooks((), 0, mark):
                self._right(0, self.last)
        with self._hooks(channels, seed, mark):
            yield mark

    @contextmanager
    def _hooks(self, channels: tuple[Channel, ...], seed: int, mark: list[int]) -> Iterator[None]:
        def through(memory: ActivationMemory) -> Callable[[nn.Module, Any], Any]:
            def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
                stream = Stream(seed, memory.name, mark[0])
                found = memory.through(inputs[0].detach().numpy(), channels, stream)
                return (torch.from_numpy(found), *inputs[1:])

            return hook

        handles = [
            self.network.module.get_submodule(name).register_forward_pre_hook(through(memory))
            for name, memory in self._memories.items()
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
