"""Shape arithmetic that front ends share: padding conventions, pooling windows, views."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod


def same_padding(
    size: int, kernel: int, stride: int, dilation: int, *, extra_first: bool = False
) -> tuple[int, int]:
    """(before, after) padding that gives ceil(size / stride) outputs; an odd one more goes after, or first."""
    wanted = -(-size // stride)
    total = max(0, (wanted - 1) * stride + dilation * (kernel - 1) + 1 - size)
    small, large = total // 2, total - total // 2
    return (large, small) if extra_first else (small, large)


def adaptive_taps(inputs: Sequence[int], outputs: Sequence[int]) -> int:
    """Largest number of input elements in one window of an adaptive pooling.

    Window i covers floor(i*I/O) .. ceil((i+1)*I/O), as in torch.nn.AdaptiveAvgPool2d.
    """
    return prod(
        max(-(-(i + 1) * size // out) - i * size // out for i in range(out))
        for size, out in zip(inputs, outputs, strict=True)
    )


def view_fits(shape: Sequence[int], strides: Sequence[int], target: Sequence[int]) -> bool:
    """True if a tensor of ``shape`` and ``strides`` can be seen as ``target`` without moving elements.

    Adjacent dimensions can be merged when stride[i] == shape[i+1] * stride[i+1]; each target dimension has to lie
    inside one merged block.
    """
    kept = [(n, s) for n, s in zip(shape, strides, strict=True) if n != 1]
    blocks: list[int] = []
    for index, (size, stride) in enumerate(kept):
        if index and kept[index - 1][1] == size * stride:
            blocks[-1] *= size
        else:
            blocks.append(size)
    wanted = [n for n in target if n != 1]
    for block in blocks:
        product = 1
        while product < block and wanted:
            product *= wanted.pop(0)
        if product != block:
            return False
    return not wanted


def is_contiguous(shape: Sequence[int], strides: Sequence[int]) -> bool:
    """True for row-major order (dimensions of size 1 do not matter)."""
    expected = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True
