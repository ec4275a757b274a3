"""MobileNetV2 (Sandler et al., CVPR 2018, DOI 10.1109/CVPR.2018.00474, Table 2)."""

from __future__ import annotations

from torch import Tensor, nn

from cosim.frontends.zoo.blocks import ConvBnAct

# expansion t, output channels c, repeats n, first stride s
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise, linear 1x1 projection; a shortcut where the shape stays."""

    def __init__(self, channels: int, out: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = channels * expansion
        self.shortcut = stride == 1 and channels == out
        self.expand = ConvBnAct(channels, hidden, 1, act=nn.ReLU6) if expansion != 1 else nn.Identity()
        self.depthwise = ConvBnAct(hidden, hidden, 3, stride, groups=hidden, act=nn.ReLU6)
        self.project = ConvBnAct(hidden, out, 1, act=None)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.shortcut else y


class MobileNetV2(nn.Module):
    """Input (N, 3, H, W), H and W multiples of 32."""

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.stem = ConvBnAct(3, 32, 3, 2, act=nn.ReLU6)
        blocks: list[nn.Module] = []
        channels = 32
        for expansion, out, repeats, first in STAGES:
            for index in range(repeats):
                blocks.append(InvertedResidual(channels, out, first if index == 0 else 1, expansion))
                channels = out
        self.blocks = nn.Sequential(*blocks)
        self.head = ConvBnAct(channels, 1280, 1, act=nn.ReLU6)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(1280, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        y = self.pool(self.head(self.blocks(self.stem(x)))).flatten(1)
        logits: Tensor = self.classifier(self.dropout(y))
        return logits


def mobilenet_v2(num_classes: int = 1000) -> MobileNetV2:
    """Width multiplier 1.0."""
    return MobileNetV2(num_classes)
