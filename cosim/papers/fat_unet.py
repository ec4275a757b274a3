"""Fat-U-Net 2024: the FatNet rules on a U-Net; convolution counts of the released code.

Source: Proc. SPIE 12903, 1290308 (2024), doi:10.1117/12.3008618; channels from github.com/riadibadulla/FatUnet
(UNet_v3 and fat_UNet_non_refined, transposed convolutions and the last layer included).
"""

from __future__ import annotations

from cosim.ir.layer import Layer, mac_layer
from cosim.papers._machines import latency_s, machine
from cosim.papers._optics import Channels, frame_time_s, frames, network, preset
from cosim.papers.row import PaperRow, Scenario, bracketed, exact

PAPER = "fat-unet-2024"
SCENARIO = Scenario(
    title="Ibadulla et al., Fat-U-Net, Proc. SPIE 12903 (2024)",
    machine="optical4f_fatnet_2023; gpu_t4, gpu_rtx2080ti and gpu_a100 for the ratio to a GPU",
    workload="U-Net and Fat-U-Net by their channels, 160 x 160 pixels",
    mapping="a frame for each pair of channels; batch tiling for the time",
    assumptions=("GPU, precision and batch are not published", "2 us a convolution as in FatNet"),
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


def ROWS() -> list[PaperRow]:
    """The published ratio, and the GPU time that the published speed-up over a GPU implies."""
    optics = preset("optical4f_fatnet_2023")
    counts = [frames(network(shapes), optics, "none") for shapes in (UNET, FAT_UNET)]
    rows = [
        exact(PAPER, "fewer optical convolutions than the U-Net", "abstract", 538.0, counts[0] / counts[1], "1",
              f"{counts[0]:,.0f} / {counts[1]:,.0f}", digits=3)
    ]  # fmt: skip
    # Largest kernel 160 on 160 x 160 images: floor(2160 / 319)^2 = 36 tiles.
    layers = network(FAT_UNET, side=160, kernel=160, images=36)
    sample_s = frame_time_s(layers, optics, "batch") / 36
    tried = [
        gpu_s(name, precision, batch) / sample_s
        for name in ("gpu_t4", "gpu_rtx2080ti", "gpu_a100")
        for precision in ("fp32", "fp16")
        for batch in (1, 36)
    ]
    rows.append(
        bracketed(PAPER, "faster than the U-Net on a GPU", "abstract", 37.0, min(tried), max(tried), "1",
                  "missing: GPU, precision, batch; three GPUs, FP32 and FP16, batches of 1 and 36 tried; "
                  f"{sample_s * 1e3:.3f} ms a sample implies {37 * sample_s * 1e3:.1f} ms on the GPU")
    )  # fmt: skip
    return rows
