"""FatNet and the ResNet-18 it is derived from, for CIFAR-100.

Ibadulla, Chen and Reyes-Aldasoro, "FatNet: High-Resolution Kernels for Classification Using Fully Convolutional
Optical Neural Networks", AI 4(2), 2023, DOI 10.3390/ai4020018; layer list from the authors' timing script
(github.com/riadibadulla/simulator, measuring_inference_time.py). No layer has a stride; feature maps shrink by
average pooling. FatNet keeps the output pixels and the weights of each ResNet layer and trades channels for kernel
size, which suits a processor whose convolution takes one frame for each pair of channels.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn


class Unit(nn.Sequential):
    """Convolution that keeps the size, normalisation, ReLU, pooling to ``pool`` x ``pool`` (0: none)."""

    def __init__(self, channels: int, out: int, kernel: int = 3, pool: int = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, padding="same")
        self.bn = nn.BatchNorm2d(out)
        self.relu = nn.ReLU()
        if pool:
            self.pool = nn.AdaptiveAvgPool2d(pool)


class Residual(nn.Sequential):
    """Units whose input is added to their result."""

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for unit in self:
            y = unit(y)
        return y + x


def _named(**parts: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(parts))


def fatnet() -> nn.Sequential:
    """18 convolutions; input (N, 3, 32, 32), output (N, 100): the pixels of the last 10x10 map are the classes."""
    return _named(
        conv1=Unit(3, 64, 7, 16),
        res1=Residual(Unit(64, 64), Unit(64, 64)),
        res2=Residual(Unit(64, 64), Unit(64, 64)),
        conv2=nn.Sequential(Unit(64, 82, 4, 10), Unit(82, 82, 5)),
        res3=Residual(Unit(82, 82, 5), Unit(82, 82, 5)),
        conv3=nn.Sequential(Unit(82, 78, 7), Unit(78, 78, 10)),
        res4=Residual(Unit(78, 78, 10), Unit(78, 78, 10)),
        conv4=nn.Sequential(Unit(78, 151, 10), Unit(151, 155, 10)),
        res5=Residual(Unit(155, 151, 10), Unit(151, 155, 10)),
        dropout=nn.Dropout(0.2),
        classifier=nn.Conv2d(155, 1, 10, padding="same"),
        flatten=nn.Flatten(),
    )


def fatnet_resnet18() -> nn.Sequential:
    """17 convolutions and a fully connected layer; input (N, 3, 32, 32), output (N, 100)."""
    return _named(
        conv1=Unit(3, 64, 7, 16),
        res1=Residual(Unit(64, 64), Unit(64, 64)),
        res2=Residual(Unit(64, 64), Unit(64, 64)),
        conv2=nn.Sequential(Unit(64, 128, 3, 8), Unit(128, 128)),
        res3=Residual(Unit(128, 128), Unit(128, 128)),
        conv3=nn.Sequential(Unit(128, 256, 3, 4), Unit(256, 256)),
        res4=Residual(Unit(256, 256), Unit(256, 256)),
        conv4=nn.Sequential(Unit(256, 512, 3, 2), Unit(512, 512)),
        res5=Residual(Unit(512, 512), Unit(512, 512)),
        pool=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(0.2),
        classifier=nn.Linear(512, 100),
    )
