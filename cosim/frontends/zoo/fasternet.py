"""FasterNet (Chen et al., "Run, Don't Walk: Chasing Higher FLOPS for Faster Neural Networks", CVPR 2023,
arXiv 2303.03667): T0 (width 40, depths 1, 2, 8, 2, GELU) and L (width 192, depths 3, 4, 18, 3, rectifiers).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PartialConv(nn.Module):
    """A 3x3 convolution on the first quarter of the channels; the others pass."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.worked = channels // 4
        self.conv = nn.Conv2d(self.worked, self.worked, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        worked, kept = torch.split(x, [self.worked, x.shape[1] - self.worked], dim=1)
        return torch.cat((self.conv(worked), kept), 1)


class Block(nn.Module):
    """Partial convolution, 1x1 expansion by two with normalisation and ``act``, 1x1 projection, shortcut."""

    def __init__(self, channels: int, act: type[nn.Module]) -> None:
        super().__init__()
        self.mix = PartialConv(channels)
        self.expand = nn.Conv2d(channels, 2 * channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(2 * channels)
        self.act = act()
        self.project = nn.Conv2d(2 * channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.project(self.act(self.norm(self.expand(self.mix(x)))))
        return x + y


class Merge(nn.Sequential):
    """Non-overlapping convolution that shrinks the image, and normalisation."""

    def __init__(self, channels: int, out: int, size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, size, size, bias=False)
        self.norm = nn.BatchNorm2d(out)


class FasterNet(nn.Module):
    """Input (N, 3, H, W), H and W multiples of 32."""

    def __init__(
        self,
        width: int,
        depths: tuple[int, ...],
        num_classes: int = 1000,
        act: type[nn.Module] = nn.GELU,
    ) -> None:
        super().__init__()
        self.embed = Merge(3, width, 4)
        stages: list[nn.Module] = []
        for stage, depth in enumerate(depths):
            channels = width * 2**stage
            stages.append(nn.Sequential(*(Block(channels, act) for _ in range(depth))))
            if stage + 1 < len(depths):
                stages.append(Merge(channels, 2 * channels, 2))
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Conv2d(width * 2 ** (len(depths) - 1), 1280, 1, bias=False)
        self.act = act()
        self.classifier = nn.Linear(1280, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.head(self.pool(self.stages(self.embed(x)))))
        logits: Tensor = self.classifier(y.flatten(1))
        return logits


def fasternet_t0(num_classes: int = 1000) -> FasterNet:
    """The smallest size."""
    return FasterNet(40, (1, 2, 8, 2), num_classes)


def fasternet_l(num_classes: int = 1000) -> FasterNet:
    """The largest size, with rectifiers in place of GELU."""
    return FasterNet(192, (3, 4, 18, 3), num_classes, nn.ReLU)
