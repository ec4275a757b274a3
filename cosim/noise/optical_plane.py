"""A whole plane of tiles: the frames of a tiling laid out as the light sees them.

The fast path of :mod:`cosim.noise.optical` treats every tile alone. Here tiles share one plane of fixed size, whose
transform wraps around, so that what a guard rule, a packing or a finite aperture does to the neighbours shows.
Results are fields (before the camera); with the guard that the layer needs they equal the convolution exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cosim.mapping.optical_tiling import Mode

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Tiles of one plane, all in values.

    ``padding`` is (top, left) of the layer; ``block`` the (rows, columns) of tiles of one filter in channel tiling.
    ``aperture`` is the passed share of the spectral half-width, 1 for everything; less couples neighbours.
    """

    rows: int
    columns: int
    pitch: tuple[int, int]
    tiles: tuple[int, int]
    outputs: tuple[int, int]
    padding: tuple[int, int] = (0, 0)
    block: tuple[int, int] = (1, 1)
    aperture: float = 1.0

    def __post_init__(self) -> None:
        needs = (self.tiles[0] * self.pitch[0], self.tiles[1] * self.pitch[1])
        if needs[0] > self.rows or needs[1] > self.columns:
            raise ValueError(f"tiles: found {needs} values, allowed at most {(self.rows, self.columns)}")
        if not 0.0 < self.aperture <= 1.0:
            raise ValueError(f"aperture: found {self.aperture:g}, allowed above 0 and at most 1")

    def corner(self, tile: int) -> tuple[int, int]:
        """First row and column of a tile, counted along rows of tiles."""
        return (tile // self.tiles[1] * self.pitch[0], tile % self.tiles[1] * self.pitch[1])

    @property
    def count(self) -> int:
        """Tiles of the plane."""
        return self.tiles[0] * self.tiles[1]


def _spectrum(layout: Layout, maps: Tensor, corners: list[tuple[int, int]]) -> Tensor:
    """Transform of a plane with one map at each corner; positions wrap around."""
    import torch

    plane = maps.new_zeros(layout.rows, layout.columns)
    high, wide = maps.shape[-2:]
    for one, (row, column) in zip(maps, corners, strict=True):
        rows = (torch.arange(high) + row) % layout.rows
        columns = (torch.arange(wide) + column) % layout.columns
        plane[rows[:, None], columns[None, :]] += one
    spectrum: Tensor = torch.fft.fft2(plane)
    return spectrum


def pupil(layout: Layout, like: Tensor) -> Tensor:
    """Transmission of the Fourier plane: 1 inside the aperture, 0 outside."""
    import torch

    rows = torch.fft.fftfreq(layout.rows, dtype=like.dtype).abs() * 2.0
    columns = torch.fft.fftfreq(layout.columns, dtype=like.dtype).abs() * 2.0
    inside = (rows[:, None] <= layout.aperture) & (columns[None, :] <= layout.aperture)
    passed: Tensor = inside.to(like.dtype)
    return passed


def _read(layout: Layout, plane: Tensor, corners: list[tuple[int, int]]) -> Tensor:
    """Outputs whose first input sits at a corner, (corners, P, Q)."""
    import torch

    out = []
    for row, column in corners:
        rows = (torch.arange(layout.outputs[0]) + row - layout.padding[0]) % layout.rows
        columns = (torch.arange(layout.outputs[1]) + column - layout.padding[1]) % layout.columns
        out.append(plane[rows[:, None], columns[None, :]])
    return torch.stack(out)


def _frame(layout: Layout, inputs: Tensor, masks: Tensor, aperture: Tensor) -> Tensor:
    import torch

    plane: Tensor = torch.fft.ifft2(inputs * masks.conj() * aperture).real
    return plane


def plane_fields(x: Tensor, w: Tensor, mode: Mode, layout: Layout) -> Tensor:
    """Fields of every frame of one layer, stride 1, one group.

    ``x`` (N, C, H, W) and ``w`` (K, C, R, S) real. Returns (N, K, C, P, Q), or (N, K, 1, P, Q) for channel tiling,
    where channels meet as fields. Raises ``ValueError`` for a mode that does not fit the plane.
    """
    if mode == "channel":
        return _channel_fields(x, w, layout)
    images, channels = x.shape[:2]
    out = x.new_zeros(images, w.shape[0], channels, *layout.outputs)
    aperture = pupil(layout, x)
    origin = [(0, 0)]
    per_plane = layout.count if mode == "batch" else 1
    per_mask = layout.count if mode == "kernel" else 1
    for c in range(channels):
        for n in range(0, images, per_plane):
            tiles = [layout.corner(t) for t in range(min(per_plane, images - n))]
            inputs = _spectrum(layout, x[n : n + per_plane, c], tiles)
            for k in range(0, w.shape[0], per_mask):
                places = [layout.corner(t) for t in range(min(per_mask, w.shape[0] - k))]
                mask = _spectrum(layout, w[k : k + per_mask, c], places)
                plane = _frame(layout, inputs, mask, aperture)
                # A kernel at a place gives its result that far before the tile.
                ends = [
                    (row - a, col - b) for row, col in tiles for a, b in (places if per_mask > 1 else origin)
                ]
                fields = _read(layout, plane, ends).reshape(len(tiles), len(places), *layout.outputs)
                out[n : n + per_plane, k : k + per_mask, c] = fields
    return out


def _channel_fields(x: Tensor, w: Tensor, layout: Layout) -> Tensor:
    images, channels = x.shape[:2]
    rows, columns = layout.block
    if rows * columns < channels:
        raise ValueError(
            f"block of {rows} x {columns} tiles: found {channels} channels, allowed {rows * columns}"
        )
    across = (layout.tiles[0] // rows, layout.tiles[1] // columns)
    per_frame = across[0] * across[1]
    if per_frame == 0:
        raise ValueError(
            f"block of {rows} x {columns} tiles on a plane of {layout.tiles[0]} x {layout.tiles[1]}"
        )
    inside = [(c // columns * layout.pitch[0], c % columns * layout.pitch[1]) for c in range(channels)]
    blocks = [
        (b // across[1] * rows * layout.pitch[0], b % across[1] * columns * layout.pitch[1])
        for b in range(per_frame)
    ]
    out = x.new_zeros(images, w.shape[0], 1, *layout.outputs)
    aperture = pupil(layout, x)
    for n in range(images):
        inputs = _spectrum(layout, x[n], inside)
        for k in range(0, w.shape[0], per_frame):
            some = w[k : k + per_frame]
            used = blocks[: some.shape[0]]
            places = [(u[0] - o[0], u[1] - o[1]) for o in used for u in inside]
            mask = _spectrum(layout, some.flatten(0, 1), places)
            out[n, k : k + per_frame, 0] = _read(layout, _frame(layout, inputs, mask, aperture), used)
    return out
