"""ConvShareViT 2025: "up to 3.04 times" a GPU, bracketed by the seven facts that are not accessible.

Open: (a) the GPU and its precision, (b) its batch, (c) time of a convolution frame, (d) plane and guard, (e) tokens,
kernels, blocks and heads of the fastest of the twelve variants, (f) whether attention products are optical, (g) whether
sign passes are counted. A :class:`Scenario` states all seven; :func:`needed_gpu_s` computes the GPU time at which
3.04 holds under it. Nothing here is guessed to fit 3.04, and no scenario gives it: with free attention the ratio is
above it on every GPU, with everything but the linear layers left to the same GPU or with optical attention below it.
Source: Ibadulla, Chen, Reyes-Aldasoro, arXiv 2504.11517 (2025), abstract; IEEE TNNLS 2026,
doi:10.1109/TNNLS.2026.3689450. Structure of the first scenarios: github.com/riadibadulla/FCSA, the precursor's code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from math import floor
from typing import TYPE_CHECKING

from cosim.ir.ops import OpClass
from cosim.papers import row
from cosim.papers._digits import accuracy
from cosim.papers._evidence import ABSTRACT, SECOND_HAND, at
from cosim.papers._figures_hw import interval_figure
from cosim.papers._machines import latency_s, machine
from cosim.papers._networks import VitShape, vit
from cosim.papers.row import PaperRow, bracketed, missing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER = "convsharevit-2025"
GPUS = ("gpu_t4", "gpu_rtx2080ti", "gpu_rtx3090", "gpu_a100")
SCENARIO = row.Scenario(
    title="Ibadulla, Chen, Reyes-Aldasoro, ConvShareViT, arXiv 2504.11517 (2025)",
    machine=f"frames of a 4f correlator on a square plane of 2160; {', '.join(GPUS)} for the ratio",
    workload="five readings of the unpublished network: the authors' precursor, 65 tokens, ViT-B",
    mapping="all tokens of all images on the plane share a kernel",
    assumptions=(
        "GPU and precision: four boards, FP32 and FP16",
        "batch: one image, or as many as share a frame",
        "time of a frame: 0.5 us or 2 us",
        "plane and guard: square, short side of 4K, M + K - 1",
        "network: tokens, kernels, blocks and heads of each scenario",
        "attention: electronic and free of charge, on the same GPU with all but the linear layers, or optical",
        "sign passes: one or two",
    ),
)
SPEEDUP = 3.04
SEARCHED = (
    "missing: the seven facts of the scenario, searched for in the stored pages of arXiv 2504.11517, the university's "
    "repository (37679), the journal, and the authors' repositories (FCSA, simulator, FatUnet): none gives them"
)


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


def cases() -> dict[str, tuple[Scenario, bool]]:
    """Every scenario with attention free of charge, on the optics, or with all but the linear layers on the GPU."""
    found: dict[str, tuple[Scenario, bool]] = {}
    for name, case in SCENARIOS.items():
        found[f"{name}, attention free"] = (case, False)
        found[f"{name}, attention on the GPU"] = (case, True)
        found[f"{name}, attention optical"] = (replace(case, optical_attention=True), False)
    return found


def needed_gpu_s(case: Scenario, speedup: float = SPEEDUP) -> float:
    """GPU time of one image at which ``speedup`` holds."""
    return speedup * case.image_s


def ROWS() -> list[PaperRow]:
    """The published ratio, bracketed in each scenario by the GPU, its precision and its batch."""
    rows = []
    for name, (case, charged) in cases().items():
        ratios = speedups(case, charged)
        note = f"{SEARCHED}; {case.images} images share a frame"
        if not charged:
            note += f"; holds if the GPU takes {needed_gpu_s(case):.3g} s an image"
        rows.append(
            bracketed(PAPER, f"speed-up over a GPU; {name}", at("abstract", ABSTRACT), SPEEDUP, min(ratios),
                      max(ratios), "1", note)
        )  # fmt: skip
    rows.insert(0, _over_everything(rows))
    rows.append(
        missing(PAPER, "accuracy on CIFAR-100, valid padding", at("summary of the experiments", SECOND_HAND), 0.63, "1",
                "layers, training schedule and data; the shipped network's choices are its own")
    )  # fmt: skip
    for name, network in (
        ("valid padding, which is a linear layer", "vit"),
        ("same padding", "convsharevit"),
    ):
        facts = "the published accuracies by padding; CIFAR-100 training"
        try:
            found = accuracy(network)
        except ModuleNotFoundError as error:
            facts, found = f"{facts}; {error}", None
        what = f"accuracy on scikit-learn's digits, {name}"
        where = at("abstract: valid better than same", ABSTRACT)
        rows.append(missing(PAPER, what, where, None, "1", facts, found))
    return rows


def _over_everything(rows: list[PaperRow]) -> PaperRow:
    """One bracket over all seven facts, and what each reading of attention gives of it."""
    ends: dict[str, list[float]] = {}
    for one in rows:
        assert one.interval is not None
        assert one.interval[1] is not None
        ends.setdefault(one.what.rpartition(", ")[2], []).extend((one.interval[0], one.interval[1]))
    readings = "; ".join(f"{name} {min(found):.3g} to {max(found):.3g}" for name, found in ends.items())
    values = [value for found in ends.values() for value in found]
    note = f"{SEARCHED}; what decides is who computes attention: {readings}"
    return bracketed(
        PAPER, "speed-up over a GPU, over all open facts", at("abstract", ABSTRACT), SPEEDUP, min(values),
        max(values), "1", note,
    )  # fmt: skip


@cache
def gpu_image_s(name: str, precision: str, shape: VitShape, batch: int, linear: bool = True) -> float:
    """Time of one image of a batch of the transformer on a GPU; ``linear`` false: without its linear layers."""
    layers = [
        layer.with_batch(batch) for layer in vit(shape) if linear or layer.op_class is not OpClass.LINEAR
    ]
    return latency_s(machine(name, f"datapath.precision={precision}"), layers) / batch


def speedups(case: Scenario, charged: bool = False) -> list[float]:
    """GPU time over that of the optics for every GPU, precision and batch.

    ``charged``: the same GPU runs all but the linear layers for the optics, one after the other.
    """
    shape = VitShape(
        "scenario",
        case.token**2,
        case.blocks,
        case.heads,
        patch=1,
        image=floor((case.tokens - 1) ** 0.5),
        classes=100,
    )
    found = []
    for name in GPUS:
        for precision in ("fp32", "fp16"):
            for batch in (1, case.images):
                rest = gpu_image_s(name, precision, shape, batch, linear=False) if charged else 0.0
                found.append(gpu_image_s(name, precision, shape, batch) / (case.image_s + rest))
    return found


def figure(rows: list[PaperRow]) -> Figure:
    """The interval of every scenario, the published speed-up as a line."""
    shown = [row for row in rows if row.interval is not None and "; " in row.what]
    names = [row.what.partition("; ")[2] for row in shown]
    intervals = [
        (low, high) for low, high in (row.interval or (0.0, None) for row in shown) if high is not None
    ]
    title = "ConvShareViT: four GPUs, FP32 and FP16, two batches"
    return interval_figure(
        title, "GPU over optics, times", names, intervals, SPEEDUP, "published: 3.04 (GPU not stated)"
    )
