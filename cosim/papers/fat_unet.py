"""Fat-U-Net 2024: the FatNet rules on a U-Net; convolution counts of the released code.

Source: Proc. SPIE 12903, 1290308 (2024), doi:10.1117/12.3008618; channels from github.com/riadibadulla/FatUnet
(UNet_v3 and fat_UNet_non_refined, transposed convolutions and the last layer included).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from cosim.ir.layer import Layer, mac_layer
from cosim.papers._evidence import ABSTRACT, at
from cosim.papers._figures_hw import interval_figure
from cosim.papers._machines import latency_s, machine
from cosim.papers._optics import Channels, frame_time_s, frames, images_on_plane, network, preset, same_conv
from cosim.papers.row import PaperRow, Scenario, bracketed, exact, missing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER = "fat-unet-2024"
BOARDS = ("gpu_t4", "gpu_rtx2080ti", "gpu_a100")
PRECISIONS, BATCHES = ("fp32", "fp16"), (1, 36)
FRAME_S = (2e-6, 0.5e-6)
SCENARIO = Scenario(
    title="Ibadulla et al., Fat-U-Net, Proc. SPIE 12903 (2024)",
    machine=f"optical4f_fatnet_2023; {', '.join(BOARDS)} for the ratio to a GPU",
    workload="U-Net and Fat-U-Net by their channels, 160 x 160 pixels",
    mapping="a frame for each pair of channels; batch tiling for the time",
    assumptions=(
        "GPU, precision, batch and frame time are not published",
        "0.5 us a frame (2 MHz) or the 2 us of FatNet",
    ),
)
UNET: Channels = (
    (1, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512), (512, 1024), (1024, 1024),
    (1024, 512), (1024, 512), (512, 512), (512, 256), (512, 256), (256, 256), (256, 128), (256, 128), (128, 128),
    (128, 64), (128, 64), (64, 64), (64, 1),
)  # fmt: skip
FAT_UNET: Channels = (
    (1, 32), (32, 32), (32, 16), (16, 16), (16, 8), (8, 8), (8, 10), (10, 10), (10, 20), (20, 20), (20, 10), (20, 10),
    (10, 10), (10, 8), (16, 8), (8, 8), (8, 16), (32, 16), (16, 16), (16, 32), (64, 32), (32, 3), (3, 1),
)  # fmt: skip
# Output sides of the U-Net's layers: halved after every second one, doubled by every up-convolution.
SIDES = (160, 160, 80, 80, 40, 40, 20, 20, 10, 10, 20, 20, 20, 40, 40, 40, 80, 80, 80, 160, 160, 160, 160)
UP = frozenset({10, 13, 16, 19})


def unet() -> list[Layer]:
    """The U-Net as a GPU runs it, one image: 3 x 3, up by 2 x 2 of stride 2, 1 x 1 at the end."""
    layers = []
    for i, ((c, k), side) in enumerate(zip(UNET, SIDES, strict=True)):
        if i in UP:
            layers.append(
                mac_layer(
                    f"up{i}", "transposed_conv", C=c, K=k, P=side, Q=side, R=2, S=2, H=side // 2, W=side // 2,
                    stride=(2, 2),
                )
            )  # fmt: skip
        elif k > 1:
            layers.append(
                mac_layer(f"conv{i}", "conv", C=c, K=k, P=side, Q=side, R=3, S=3, padding=(1, 1, 1, 1))
            )
        else:
            layers.append(mac_layer(f"conv{i}", "conv", C=c, K=k, P=side, Q=side))
    return layers


def gpu_s(name: str, precision: str, batch: int) -> float:
    """Time of one image of the U-Net's convolutions on a GPU."""
    found = machine(name, f"datapath.precision={precision}")
    return latency_s(found, [layer.with_batch(batch) for layer in unet()]) / batch


@cache
def sample_s(frame_s: float) -> float:
    """Time of one image of the Fat-U-Net on the optics, all images of a plane at once."""
    # Largest kernel 160 on 160 x 160 images: floor(2160 / 319)^2 = 36 tiles.
    modulators = {"input.frame_s": frame_s, "mask.frame_s": frame_s}
    optics = preset("optical4f_fatnet_2023").with_values(modulators)
    images = images_on_plane(same_conv("largest", 1, 1, SIDES[0], SIDES[0]), optics)
    layers = network(FAT_UNET, side=SIDES[0], kernel=SIDES[0], images=images)
    return frame_time_s(layers, optics, "batch") / images


@cache
def ratios() -> dict[str, tuple[float, float]]:
    """GPU time of the U-Net over optical time of the Fat-U-Net for each board and precision: least and most."""
    found = {}
    for name in BOARDS:
        for precision in PRECISIONS:
            times = [gpu_s(name, precision, batch) for batch in BATCHES]
            tried = [gpu / sample_s(frame_s) for gpu in times for frame_s in FRAME_S]
            found[f"{name.removeprefix('gpu_').upper()}, {precision.upper()}"] = (min(tried), max(tried))
    return found


def ROWS() -> list[PaperRow]:
    """Ratio of the convolution counts, the speed-up over a GPU, and the accuracies that need the data."""
    optics = preset("optical4f_fatnet_2023")
    counts = [frames(network(shapes), optics, "none") for shapes in (UNET, FAT_UNET)]
    where = at("abstract", ABSTRACT)
    rows = [
        exact(PAPER, "fewer optical convolutions than the U-Net", where, 538.0, counts[0] / counts[1], "1",
              f"frames, one a pair of channels: {counts[0]:,.0f} / {counts[1]:,.0f}", digits=3)
    ]  # fmt: skip
    low, high = min(a for a, _ in ratios().values()), max(b for _, b in ratios().values())
    rows.append(
        bracketed(PAPER, "faster than the U-Net on a GPU", where, 37.0, low, high, "1",
                  "missing: GPU, precision, batch, frame time (searched in the authors' pages and code, the text is "
                  "not accessible); three GPUs, FP32 and FP16, batches of 1 and 36, both; at 2 us "
                  f"{sample_s(2e-6) * 1e3:.3f} ms a sample implies {37 * sample_s(2e-6) * 1e3:.1f} ms on the GPU")
    )  # fmt: skip
    for data, value in (("Oxford pets", 0.0424), ("HeLa", 0.0176)):
        rows.append(
            missing(PAPER, f"loss of overlap with the truth (IoU), {data}", where, value, "1",
                    "trained weights (none in the authors' repository) and the images, which are not shipped")
        )  # fmt: skip
    return rows


def figure(rows: list[PaperRow]) -> Figure:
    """The speed-up that each board gives from one image to a full plane, the published one as a line."""
    found = ratios()
    return interval_figure(
        "Fat-U-Net: GPU batches of 1 and 36, frames of 2 and 0.5 us",
        "U-Net on a GPU over Fat-U-Net on the optics, times",
        list(found), list(found.values()), 37.0, "published: 37 (board not stated)",
    )  # fmt: skip
