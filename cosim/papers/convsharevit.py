"""ConvShareViT 2025: "up to 3.04 times" a GPU, bracketed by the seven facts that are not accessible.

Open: (a) the GPU and its precision, (b) its batch, (c) time of a convolution frame, (d) plane and guard, (e) tokens,
kernels, blocks and heads of the fastest of the twelve variants, (f) whether attention products are optical, (g) whether
sign passes are counted. A :class:`Scenario` states all seven; :func:`needed_gpu_s` computes the GPU time at which
3.04 holds under it. Nothing here is guessed to fit 3.04.
Source: Ibadulla, Chen, Reyes-Aldasoro, arXiv 2504.11517 (2025), abstract; IEEE TNNLS 2026,
doi:10.1109/TNNLS.2026.3689450. Structure of the first scenarios: github.com/riadibadulla/FCSA, the precursor's code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor

from cosim.papers.row import PaperRow

PAPER = "convsharevit-2025"
SPEEDUP = 3.04


@dataclass(frozen=True)
class Scenario:
    """The seven open facts as numbers.

    Attributes
    ----------
    gpu_s:          (a, b) GPU time of one image in its batch, or None
    frame_s:        (c) time of one convolution frame
    side, pitch:    (d) side of a square plane and distance of tiles, in pixels
    tokens, token, kernel, blocks, heads, linear: (e) tokens an image, their side, kernel side, blocks, heads, and
                    shared convolutions a block beside query, key and value (projection and MLP)
    optical_attention: (f) scores and weighted sums are optical: two kernels a token and head, new for every image
    passes:         (g) sign passes
    """

    gpu_s: float | None
    frame_s: float
    side: int
    pitch: int
    tokens: int
    token: int
    kernel: int
    blocks: int
    heads: int
    linear: int
    optical_attention: bool
    passes: int

    def __post_init__(self) -> None:
        if self.images < 1:
            raise ValueError(
                f"{self.tokens} tokens: found a plane of {self.tiles} tiles, allowed one that holds an image"
            )

    @property
    def tiles(self) -> int:
        """Tiles of the plane."""
        return floor(self.side / self.pitch) ** 2

    @property
    def images(self) -> int:
        """Images that share the frames of shared kernels."""
        return self.tiles // self.tokens

    @property
    def shared_frames(self) -> int:
        """Frames of all shared convolutions: blocks * passes * (3 heads + linear)."""
        return self.blocks * self.passes * (3 * self.heads + self.linear)

    @property
    def image_s(self) -> float:
        """Optical time of one image."""
        shared = self.shared_frames * self.frame_s / self.images
        own = 2 * self.tokens * self.blocks * self.heads * self.passes * self.frame_s
        return shared + (own if self.optical_attention else 0.0)

    @property
    def speedup(self) -> float | None:
        """GPU time over optical time, where the GPU's is stated."""
        return None if self.gpu_s is None else self.gpu_s / self.image_s


def scenario(
    tokens: int, token: int, kernel: int, blocks: int, heads: int, passes: int, frame_s: float
) -> Scenario:
    """A scenario on the short side of 4K with the published guard and electronic attention."""
    return Scenario(
        None, frame_s, 2160, token + kernel - 1, tokens, token, kernel, blocks, heads, 3, False, passes
    )


SCENARIOS: dict[str, Scenario] = {
    "precursor, 0.5 us, signs left out": scenario(145, 8, 7, 8, 4, 1, 0.5e-6),
    "precursor, 0.5 us": scenario(145, 8, 7, 8, 4, 2, 0.5e-6),
    "precursor, 2 us": scenario(145, 8, 7, 8, 4, 2, 2e-6),
    "65 tokens, full kernel, 2 us": scenario(65, 8, 8, 8, 4, 2, 2e-6),
    "ViT-B of 197 tokens, 2 us": scenario(197, 16, 7, 12, 12, 2, 2e-6),
}


def needed_gpu_s(case: Scenario, speedup: float = SPEEDUP) -> float:
    """GPU time of one image at which ``speedup`` holds."""
    return speedup * case.image_s


def ROWS() -> list[PaperRow]:
    """The published ratio is open; each scenario says at which GPU time it would hold."""
    rows = []
    for name, case in SCENARIOS.items():
        both = [needed_gpu_s(replace(case, optical_attention=optical)) for optical in (False, True)]
        rows.append(
            PaperRow(PAPER, f"speed-up over a GPU; {name}", "abstract", SPEEDUP, None, "1", None, "open",
                     f"holds if the GPU takes {both[0] * 1e6:.3g} us an image with electronic attention, "
                     f"{both[1] * 1e3:.3g} ms with optical attention; {case.images} images share a frame")
        )  # fmt: skip
    return rows
