"""A torch network whose convolutions and linear layers run on the light, layer by layer.

Imported only where torch is wanted. Everything but ``nn.Conv2d``, ``nn.ConvTranspose2d`` and ``nn.Linear`` stays as it
is: that is what the companion computes, in floating point.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cosim.components.params import Params
from cosim.ir.layer import Layer, mac_layer
from cosim.noise.optical import Setup, Shape, convolve
from cosim.noise.optical_setup import Imperfections, setup_for


@dataclass(frozen=True)
class LayerNoise:
    """What one layer returned in the last pass: measured and expected signal-to-noise ratio in dB."""

    name: str
    snr_db: float
    predicted_snr_db: float
    setup: Setup


Weighted = nn.Conv2d | nn.ConvTranspose2d | nn.Linear


def _transposed(inner: nn.ConvTranspose2d, x: Tensor) -> tuple[Tensor, Tensor, Shape]:
    """A transposed convolution as a convolution: the input spread by the stride, the kernel turned around."""
    (a, b), (c, d), groups = inner.stride, inner.dilation, inner.groups
    spread = x.new_zeros(*x.shape[:2], (x.shape[2] - 1) * a + 1, (x.shape[3] - 1) * b + 1)
    spread[:, :, ::a, ::b] = x
    w = inner.weight.reshape(groups, -1, *inner.weight.shape[1:]).transpose(1, 2).flatten(0, 1).flip(2, 3)
    assert not isinstance(inner.padding, str)
    top, left = (k * (n - 1) - p for k, n, p in zip((c, d), w.shape[2:], inner.padding, strict=True))
    below, right = inner.output_padding
    return spread, w, Shape((1, 1), (top, left, top + below, left + right), (c, d), groups)


class OpticalLayer(nn.Module):
    """A convolution or linear layer on the light; tokens of a linear layer are the pixels of a 1x1 convolution."""

    def __init__(self, name: str, inner: Weighted, params: Params, change: Imperfections, seed: int) -> None:
        super().__init__()
        self.name, self.inner, self.params, self.change = name, inner, params, change
        self.generator = torch.Generator(device=inner.weight.device).manual_seed(seed)
        self.last: LayerNoise | None = None
        self._setups: dict[tuple[int, ...], Setup | None] = {}

    def _convolution(self, x: Tensor) -> tuple[Tensor, Tensor, Shape]:
        """Input (N, C, H, W), weights and shape of the convolution that the layer is."""
        inner = self.inner
        if isinstance(inner, nn.Linear):
            return x.reshape(1, -1, x.shape[-1], 1).transpose(1, 2), inner.weight[:, :, None, None], Shape()
        if isinstance(inner, nn.ConvTranspose2d):
            return _transposed(inner, x)
        if isinstance(inner.padding, str):
            raise ValueError(f"layer {self.name}: found padding {inner.padding!r}, allowed numbers")
        (p, q), (a, b), (c, d) = inner.padding, inner.stride, inner.dilation
        return x, inner.weight, Shape((a, b), (p, q, p, q), (c, d), inner.groups)

    def _layer(self, x: Tensor, w: Tensor, shape: Shape, source: tuple[int, int] | None) -> Layer:
        """The layer as the cost model knows it; ``source`` is the input size of a transposed convolution."""
        high, wide = (
            (size + before + after - dilation * (kernel - 1) - 1) // stride + 1
            for size, before, after, dilation, kernel, stride in zip(
                x.shape[2:],
                shape.padding[:2],
                shape.padding[2:],
                shape.dilation,
                w.shape[2:],
                shape.stride,
                strict=True,
            )
        )
        groups, stride = shape.groups, shape.stride
        if isinstance(self.inner, nn.ConvTranspose2d):
            stride = (self.inner.stride[0], self.inner.stride[1])
        return mac_layer(
            self.name,
            ("conv" if groups == 1 else "grouped_conv") if source is None else "transposed_conv",
            N=x.shape[0],
            G=groups,
            K=w.shape[0] // groups,
            C=w.shape[1],
            P=high,
            Q=wide,
            R=w.shape[2],
            S=w.shape[3],
            H=x.shape[2] if source is None else source[0],
            W=x.shape[3] if source is None else source[1],
            stride=stride,
            dilation=shape.dilation,
            padding=shape.padding,
        )

    def forward(self, x: Tensor) -> Tensor:
        """The layer of ``inner``, as the machine computes it; on the companion it is ``inner`` itself."""
        planes, w, shape = self._convolution(x)
        key = tuple(planes.shape)
        if key not in self._setups:
            source = (x.shape[2], x.shape[3]) if isinstance(self.inner, nn.ConvTranspose2d) else None
            layer = self._layer(planes, w, shape, source)
            self._setups[key] = setup_for(layer, self.params, self.change)
        setup = self._setups[key]
        if setup is None:
            out: Tensor = self.inner(x)
            return out
        done = convolve(planes, w, shape, setup, self.generator)
        self.last = LayerNoise(self.name, done.snr_db, done.predicted_snr_db, setup)
        if isinstance(self.inner, nn.Linear):
            y = done.value.transpose(1, 2).reshape(*x.shape[:-1], w.shape[0])
            return y if self.inner.bias is None else y + self.inner.bias
        return done.value if self.inner.bias is None else done.value + self.inner.bias[:, None, None]


def device() -> torch.device:
    """The accelerator if there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def on_light(
    network: nn.Module, params: Params, change: Imperfections, seed: int = 0, on: torch.device | None = None
) -> nn.Module:
    """A copy of ``network`` with every convolution and linear layer on the machine ``params``, on the device ``on``.

    Each layer draws its noise from a generator of its own, so that a run repeats exactly for equal ``seed``.
    """
    copy = deepcopy(network).eval().requires_grad_(False)
    if on is not None:
        copy = copy.to(on)
    found = [(n, m) for n, m in copy.named_modules() if isinstance(m, Weighted)]
    for index, (name, module) in enumerate(found):
        parent = copy.get_submodule(name.rpartition(".")[0])
        layer = OpticalLayer(name, module, params, change, seed * 100_003 + index)
        setattr(parent, name.rpartition(".")[2], layer)
    return copy


def noise_of(network: nn.Module) -> list[LayerNoise]:
    """Signal-to-noise ratios of the last pass, in the order of the layers."""
    return [m.last for m in network.modules() if isinstance(m, OpticalLayer) and m.last is not None]
