"""Fat-U-Net 2024: the FatNet rules on a U-Net; convolution counts of the released code.

Source: Proc. SPIE 12903, 1290308 (2024), doi:10.1117/12.3008618; channels from github.com/riadibadulla/FatUnet
(UNet_v3 and fat_UNet_non_refined, transposed convolutions and the last layer included).
"""

from __future__ import annotations

from cosim.papers._optics import Channels, frame_time_s, frames, network, preset
from cosim.papers.row import PaperRow, within

PAPER = "fat-unet-2024"
UNET: Channels = (
    (1, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512), (512, 1024), (1024, 1024),
    (1024, 512), (1024, 512), (512, 512), (512, 256), (512, 256), (256, 256), (256, 128), (256, 128), (128, 128),
    (128, 64), (128, 64), (64, 64), (64, 1),
)  # fmt: skip
FAT_UNET: Channels = (
    (1, 32), (32, 32), (32, 16), (16, 16), (16, 8), (8, 8), (8, 10), (10, 10), (10, 20), (20, 20), (20, 10), (20, 10),
    (10, 10), (10, 8), (16, 8), (8, 8), (8, 16), (32, 16), (16, 16), (16, 32), (64, 32), (32, 3), (3, 1),
)  # fmt: skip


def ROWS() -> list[PaperRow]:
    """The published ratio, and the GPU time that the published speed-up over a GPU implies."""
    machine = preset("optical4f_fatnet_2023")
    counts = [frames(network(shapes), machine, "none") for shapes in (UNET, FAT_UNET)]
    rows = [
        within(PAPER, "fewer optical convolutions than the U-Net", "abstract", 538.0, counts[0] / counts[1], "1", 0.005,
               f"{counts[0]:,.0f} / {counts[1]:,.0f}")
    ]  # fmt: skip
    # Largest kernel 160 on 160 x 160 images: floor(2160 / 319)^2 = 36 tiles.
    layers = network(FAT_UNET, side=160, kernel=160, images=36)
    sample_s = frame_time_s(layers, machine, "batch") / 36
    rows.append(
        PaperRow(PAPER, "faster than the U-Net on a GPU", "abstract", 37.0, None, "1", None, "open",
                 f"GPU and batch are not published; {sample_s * 1e3:.3f} ms a sample at FatNet's 2 us a convolution "
                 f"implies {37 * sample_s * 1e3:.1f} ms on the GPU")
    )  # fmt: skip
    return rows
