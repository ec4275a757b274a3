"""Deformable convolution as one operator, ``cosim::deform_conv2d``, so that an exported graph keeps it whole.

y(p) = sum_k w(k) x(p + k + offset(p, k)) (Dai et al., "Deformable Convolutional Networks", ICCV 2017,
DOI 10.1109/ICCV.2017.89, eq. 2), with x read bilinearly between the pixels or at the nearest one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


@torch.library.custom_op("cosim::deform_conv2d", mutates_args=())
def deform_conv2d(
    x: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    groups: int,
    bilinear: bool,
) -> Tensor:
    """Deformable convolution.

    Parameters
    ----------
    x:        (N, channels, H, W)
    offset:   (N, 2*R*S, P, Q), rows and columns of each tap in turn, in pixels; or (N, 1, P, Q), one scale that
              stretches the whole window about its centre (1: the regular convolution), as in CoDeNet
    weight:   (out, channels/groups, R, S); ``bias`` (out) or None
    bilinear: interpolate between four neighbours; otherwise read the nearest pixel

    Returns (N, out, P, Q). Samples outside ``x`` are zero.
    """
    images, channels = x.shape[:2]
    out, _, rows, cols = weight.shape
    size = offset.shape[2:]
    positions = _positions(offset, (rows, cols), stride, padding, dilation)
    if not bilinear:
        positions = positions.round()
    scale = torch.tensor([x.shape[3], x.shape[2]], dtype=x.dtype, device=x.device)
    grid = (2 * positions.flip(-1) + 1) / scale - 1
    taps = grid.reshape(images, rows * cols, size.numel(), 2)
    sampled = functional.grid_sample(x, taps, mode="bilinear", padding_mode="zeros", align_corners=False)
    columns = sampled.reshape(images, groups, channels // groups * rows * cols, size.numel())
    kernels = weight.reshape(groups, out // groups, -1)
    y = torch.einsum("gok,ngkp->ngop", kernels, columns).reshape(images, out, *size)
    return y if bias is None else y + bias[:, None, None]


def _positions(
    offset: Tensor, kernel: tuple[int, int], stride: list[int], padding: list[int], dilation: list[int]
) -> Tensor:
    """Row and column that each tap of each output reads, shape (N, R, S, P, Q, 2)."""
    images, _, height, width = offset.shape
    axes = []
    for axis, (taps, size) in enumerate(zip(kernel, (height, width), strict=True)):
        centre = torch.arange(size, dtype=offset.dtype, device=offset.device) * stride[axis] - padding[axis]
        reach = dilation[axis] * (taps - 1) / 2
        tap = torch.arange(taps, dtype=offset.dtype, device=offset.device) * dilation[axis] - reach
        axes.append((centre + reach, tap))
    (row_centre, row_tap), (col_centre, col_tap) = axes
    if offset.shape[1] == 1:
        scale = offset[:, 0, None, None]
        row = row_centre[:, None] + row_tap[:, None, None, None] * scale
        col = col_centre + col_tap[:, None, None] * scale
    else:
        moved = offset.reshape(images, *kernel, 2, height, width)
        row = row_centre[:, None] + row_tap[:, None, None, None] + moved[:, :, :, 0]
        col = col_centre + col_tap[:, None, None] + moved[:, :, :, 1]
    shape = (images, *kernel, height, width)
    return torch.stack((row.expand(shape), col.expand(shape)), dim=-1)


@deform_conv2d.register_fake
def _shape(
    x: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    groups: int,
    bilinear: bool,
) -> Tensor:
    return x.new_empty((x.shape[0], weight.shape[0], *offset.shape[2:]))


class DeformConv2d(nn.Module):
    """Deformable convolution with trained weights; the offsets come as a second input (see :func:`deform_conv2d`)."""

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int = 3,
        stride: int = 1,
        padding: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        bilinear: bool = True,
    ) -> None:
        super().__init__()
        self.window = ([stride, stride], [padding, padding], [dilation, dilation])
        self.groups, self.bilinear = groups, bilinear
        self.weight = nn.Parameter(torch.empty(out, channels // groups, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out)) if bias else None
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def forward(self, x: Tensor, offset: Tensor) -> Tensor:
        stride, padding, dilation = self.window
        y: Tensor = deform_conv2d(
            x, offset, self.weight, self.bias, stride, padding, dilation, self.groups, self.bilinear
        )
        return y
