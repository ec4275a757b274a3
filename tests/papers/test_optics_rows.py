"""Optical results: capacity of a plane, time of a sample, the three readings of attention, evidence of every row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cosim.papers import convsharevit, fat_unet, fatnet, hu_bench, li_gupta, rows_of
from cosim.papers._evidence import EVIDENCE, PRIMARY, at
from cosim.papers._optics import images_on_plane, preset, same_conv

HARDWARE = (
    "chaidnn",
    "cnna",
    "codenet",
    "convsharevit",
    "deformable",
    "dpu",
    "eyeriss",
    "fat_unet",
    "fatnet",
    "hu_bench",
    "li_gupta",
    "mlc_stt_ram",
    "nvdla",
    "nvm_explorer",
    "refocus",
    "scalesim",
    "tpu_v1",
)


@pytest.mark.parametrize("name", HARDWARE)
def test_every_row_says_how_well_the_published_value_is_known(name: str) -> None:
    assert [row.what for row in rows_of(name) if not row.where.endswith(EVIDENCE)] == []


def test_evidence_has_fixed_words() -> None:
    assert at("table 2", PRIMARY) == "table 2; read in the publication"
    with pytest.raises(ValueError, match="allowed"):
        at("table 2", "hearsay")


@pytest.mark.parametrize(("side", "kernel", "images"), [(32, 7, 56**2), (160, 160, 36), (2160, 1, 1)])
def test_images_of_a_plane_by_hand(side: int, kernel: int, images: int) -> None:
    """floor(2160 / (side + kernel - 1))^2."""
    assert images_on_plane(same_conv("c", 1, 1, side, kernel), preset("optical4f_fatnet_2023")) == images


def test_seconds_of_the_fat_unet() -> None:
    """7,123 frames a plane of 36 images."""
    assert fat_unet.sample_s(2e-6) == pytest.approx(7123 * 2e-6 / 36)
    assert fat_unet.sample_s(0.5e-6) == pytest.approx(7123 * 0.5e-6 / 36)


def test_channels_are_those_of_the_released_code() -> None:
    """ResNet-18: 64 four times, then 128, 256 and 512; FatNet ends in 155 before its last layer of one channel."""
    found = fatnet.channels("ResNet-18")
    assert [k for _, k in found] == [64] * 5 + [128] * 4 + [256] * 4 + [512] * 4
    assert fatnet.channels("FatNet")[-1] == (151, 155)
    assert len(fatnet.channels("FatNet")) == 17


def test_attention_left_to_the_gpu_bounds_the_ratio() -> None:
    """With free optics the ratio is the GPU's whole time over what stays on it, so slower optics only lower it."""
    case = convsharevit.SCENARIOS["precursor, 2 us"]
    free, charged = convsharevit.speedups(case), convsharevit.speedups(case, charged=True)
    assert all(1 < a < b for a, b in zip(charged, free, strict=True))
    fast = convsharevit.speedups(replace(case, frame_s=1e-15), charged=True)
    assert all(a <= b for a, b in zip(charged, fast, strict=True))
    assert max(fast) < convsharevit.SPEEDUP


def test_frames_of_table_2_by_hand() -> None:
    """AlexNet has 368,928 pairs of channels, SRCNN 2 x 3 x 96; 288 pairs on 7 x 7 blocks are 6 frames a layer."""
    pairs = 3 * 96 + 96 * 256 + 256 * 384 + 384 * 384 + 384 * 256
    assert li_gupta.untiled_s(li_gupta.alexnet()) == pytest.approx(pairs * 0.5e-6)
    assert li_gupta.untiled_s(li_gupta.srcnn(96)) == pytest.approx(2 * 3 * 96 * 0.5e-6)
    assert li_gupta.channel_s(li_gupta.srcnn(96)) == pytest.approx(12 * 0.5e-6)


def test_operations_of_a_joule_by_hand() -> None:
    """2 x 2 pixels, 9 taps, one frame a second: 10 * 2 log2(2) * 2 log2(2) + 9 as transforms, 4 * 9 as windows."""
    watts = hu_bench.bench_w()
    assert hu_bench.fourier_ops_per_j(2, 2, 1, 1, 1.0) * watts == pytest.approx(49)
    assert hu_bench.window_ops_per_j(2, 2, 1, 1, 1.0) * watts == pytest.approx(36)
    assert hu_bench.tiles(28) == (1920 // 168) * (1080 // 168)
