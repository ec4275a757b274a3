"""CoDeNet, an object detector with deformable convolution for embedded FPGAs.

Dong et al., "CoDeNet: Efficient Deployment of Input-Adaptive Object Detection on Embedded FPGAs", FPGA 2021,
arXiv 2006.08357; layer list from the authors' training code (github.com/Zhen-Dong/CoDeNet,
lib/models/networks/shufflenetv2_dcn.py). A ShuffleNetV2 backbone, three depthwise deformable 3x3 convolutions that
share one learned scale per pixel, each followed by nearest-neighbour upsampling, and three heads for the 20 classes
of Pascal VOC (heat map, box size, centre).

The scale is bounded to [-7, 8] and rounded, as on the board, so that no interpolation is needed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cosim.frontends.zoo.blocks import ConvBnAct
from cosim.frontends.zoo.deform import DeformConv2d

WIDTHS = {1: (24, 116, 232, 464, 1024), 2: (24, 244, 488, 976, 2153)}
REPEATS = (4, 8, 4)
NECK = (256, 128, 64)
HEADS = {"hm": 20, "wh": 2, "reg": 2}


def _shuffle(x: Tensor) -> Tensor:
    """Interleave the two halves of the channels."""
    images, channels, height, width = x.shape
    turned = x.view(images, 2, channels // 2, height, width).transpose(1, 2).contiguous()
    return turned.view(images, channels, height, width)


class ShuffleUnit(nn.Module):
    """Half of the channels passes, the other half goes through 1x1, depthwise 3x3, 1x1 (stride 1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.kept = channels // 2
        self.branch = _branch(self.kept, self.kept, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept, worked = x[:, : self.kept], x[:, self.kept :]
        return _shuffle(torch.cat((kept, self.branch(worked)), 1))


class DownUnit(nn.Module):
    """Both branches work on all channels at stride 2."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.short = nn.Sequential(
            ConvBnAct(channels, channels, 3, 2, groups=channels, act=None), ConvBnAct(channels, out // 2, 1)
        )
        self.branch = _branch(channels, out // 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return _shuffle(torch.cat((self.short(x), self.branch(x)), 1))


def _branch(channels: int, width: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        ConvBnAct(channels, width, 1),
        ConvBnAct(width, width, 3, stride, groups=width, act=None),
        ConvBnAct(width, width, 1),
    )


class DeformUp(nn.Module):
    """Scale branch, depthwise deformable 3x3, 1x1, upsampling by two."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.scale = nn.Conv2d(channels, 1, 1)
        self.bound = nn.Hardtanh(-7.0, 8.0)
        self.deform = DeformConv2d(channels, channels, groups=channels, bilinear=False)
        self.project = ConvBnAct(channels, out, 1)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.round(self.bound(self.scale(x)))
        y: Tensor = self.up(self.project(self.deform(x, scale)))
        return y


class Head(nn.Sequential):
    """1x1, depthwise 3x3, 1x1 with bias."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.reduce = ConvBnAct(channels, channels, 1)
        self.depthwise = ConvBnAct(channels, channels, 3, groups=channels)
        self.out = nn.Conv2d(channels, out, 1)


class CoDeNet(nn.Module):
    """Input (N, 3, H, W), H and W multiples of 32; outputs at a quarter of that size.

    ``width`` 1 or 2; ``max_pool``: first convolution at stride 2 and a pooling, else at stride 4.
    """

    def __init__(self, width: int = 1, max_pool: bool = False) -> None:
        super().__init__()
        channels = WIDTHS[width]
        self.stem = ConvBnAct(3, channels[0], 3, 2 if max_pool else 4)
        self.maxpool = nn.MaxPool2d(3, 2, 1) if max_pool else nn.Identity()
        for stage, count in enumerate(REPEATS):
            units = [DownUnit(channels[stage], channels[stage + 1])]
            rest = [ShuffleUnit(channels[stage + 1]) for _ in range(count - 1)]
            self.add_module(f"stage{stage + 1}", nn.Sequential(*units, *rest))
        self.widen = ConvBnAct(channels[3], channels[4], 1)
        inner = (channels[4], *NECK)
        self.neck = nn.Sequential(*(DeformUp(inner[i], inner[i + 1]) for i in range(len(NECK))))
        for name, outputs in HEADS.items():
            self.add_module(name, Head(NECK[-1], outputs))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = self.maxpool(self.stem(x))
        for stage in range(1, 4):
            x = self.get_submodule(f"stage{stage}")(x)
        x = self.neck(self.widen(x))
        return tuple(self.get_submodule(name)(x) for name in HEADS)


def codenet_b() -> CoDeNet:
    """Configuration b: single width, stride 2 and pooling, for 256x256 images."""
    return CoDeNet(1, max_pool=True)


def codenet_d() -> CoDeNet:
    """Configuration d: double width, stride 4, for 512x512 images."""
    return CoDeNet(2, max_pool=False)
