"""Inception-v3 (Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016, DOI 10.1109/CVPR.2016.308).

Without the auxiliary classifier, which serves training only.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cosim.frontends.zoo.blocks import ConvBnAct


class Branches(nn.Module):
    """Branches side by side, their results concatenated; every branch keeps the size or halves it alike."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def _chain(channels: int, *steps: tuple[int, int | tuple[int, int]], last_stride: int = 1) -> nn.Sequential:
    """Convolutions (width, kernel) in a row; at a last stride of 2 the last one has no padding."""
    rows: list[nn.Module] = []
    for index, (out, kernel) in enumerate(steps):
        shrinks = last_stride == 2 and index == len(steps) - 1
        rows.append(
            ConvBnAct(channels, out, kernel, 2, padding=0) if shrinks else ConvBnAct(channels, out, kernel)
        )
        channels = out
    return nn.Sequential(*rows)


def _pooled(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.AvgPool2d(3, 1, 1), ConvBnAct(channels, out, 1))


def _block_a(channels: int, pooled: int) -> Branches:
    """35x35: 1x1, 5x5, two 3x3, pooling."""
    return Branches(
        _chain(channels, (64, 1)),
        _chain(channels, (48, 1), (64, 5)),
        _chain(channels, (64, 1), (96, 3), (96, 3)),
        _pooled(channels, pooled),
    )


def _block_c(channels: int, width: int) -> Branches:
    """17x17: 7x7 taken apart into 1x7 and 7x1."""
    return Branches(
        _chain(channels, (192, 1)),
        _chain(channels, (width, 1), (width, (1, 7)), (192, (7, 1))),
        _chain(channels, (width, 1), (width, (7, 1)), (width, (1, 7)), (width, (7, 1)), (192, (1, 7))),
        _pooled(channels, 192),
    )


def _block_e(channels: int) -> Branches:
    """8x8: 3x3 taken apart into 1x3 beside 3x1."""

    def fan() -> Branches:
        return Branches(ConvBnAct(384, 384, (1, 3)), ConvBnAct(384, 384, (3, 1)))

    return Branches(
        _chain(channels, (320, 1)),
        nn.Sequential(ConvBnAct(channels, 384, 1), fan()),
        nn.Sequential(_chain(channels, (448, 1), (384, 3)), fan()),
        _pooled(channels, 192),
    )


class InceptionV3(nn.Module):
    """Input (N, 3, 299, 299)."""

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            ConvBnAct(3, 32, 3, 2, padding=0),
            ConvBnAct(32, 32, 3, padding=0),
            ConvBnAct(32, 64, 3),
            nn.MaxPool2d(3, 2),
            ConvBnAct(64, 80, 1),
            ConvBnAct(80, 192, 3, padding=0),
            nn.MaxPool2d(3, 2),
        )
        self.mixed_35 = nn.Sequential(_block_a(192, 32), _block_a(256, 64), _block_a(288, 64))
        self.reduce_17 = Branches(
            _chain(288, (384, 3), last_stride=2),
            _chain(288, (64, 1), (96, 3), (96, 3), last_stride=2),
            nn.MaxPool2d(3, 2),
        )
        self.mixed_17 = nn.Sequential(*(_block_c(768, width) for width in (128, 160, 160, 192)))
        self.reduce_8 = Branches(
            _chain(768, (192, 1), (320, 3), last_stride=2),
            _chain(768, (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3), last_stride=2),
            nn.MaxPool2d(3, 2),
        )
        self.mixed_8 = nn.Sequential(_block_e(1280), _block_e(2048))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout()
        self.fc = nn.Linear(2048, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mixed_17(self.reduce_17(self.mixed_35(self.stem(x))))
        x = self.pool(self.mixed_8(self.reduce_8(x))).flatten(1)
        logits: Tensor = self.fc(self.dropout(x))
        return logits


def inception_v3(num_classes: int = 1000) -> InceptionV3:
    """The inference network."""
    return InceptionV3(num_classes)
