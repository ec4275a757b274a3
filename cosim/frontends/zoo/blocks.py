"""Building blocks that several networks share."""

from __future__ import annotations

from torch import nn


class ConvBnAct(nn.Sequential):
    """Convolution without bias, batch normalisation, activation; ``padding`` keeps the size at stride 1."""

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int | tuple[int, int] = 3,
        stride: int = 1,
        *,
        groups: int = 1,
        padding: int | tuple[int, int] | None = None,
        act: type[nn.Module] | None = nn.ReLU,
    ) -> None:
        rows, cols = (kernel, kernel) if isinstance(kernel, int) else kernel
        pad = (rows // 2, cols // 2) if padding is None else padding
        super().__init__()
        self.conv = nn.Conv2d(channels, out, (rows, cols), stride, pad, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out)
        if act is not None:
            self.act = act()
