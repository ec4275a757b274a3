"""CNNA's design space: the authors' simulated times of five test benches, and what the equations say.

Fifty of sixty points ran. Their times depend on elements a word (DMA width over data width), packets and elements
alone: a 64-bit stream of 8-bit data runs like a 128-bit stream of 16-bit data, cycle for cycle, so thirty are listed.
Source: github.com/jonathan93sh/CNNA (commit 32bbaf4), src/jupyterlab/cp01-180Mhz.p and HEB.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from cosim.components.fpga_resources import MemoryArray, bram18_range
from cosim.ir.batch import LayerBatch
from cosim.ir.layer import mac_layer
from cosim.mapping.fpga_cnna import DesignPoint, design_space, simulated_test_cycles

TEST_BENCH_US = 5.625e-3
ELEMENTS = (4, 8, 16, 32, 64)
PAD = (1, 1, 1, 1)
# Elements a word, packets: microseconds for 4 to 64 processing elements.
CONV_US: dict[tuple[int, int], tuple[float, ...]] = {
    (4, 3): (2408.0, 1283.5, 721.2, 440.1, 299.6), (4, 1): (6760.0, 3432.3, 1768.4, 936.5, 520.7),
    (8, 3): (1228.6, 654.9, 368.0, 224.6, 152.9), (8, 1): (3403.4, 1728.0, 890.4, 471.5, 262.2),
    (16, 3): (638.9, 340.6, 191.4, 116.8, 79.6), (16, 1): (1725.1, 875.9, 451.3, 239.1, 132.9),
}  # fmt: skip
IMAGE_US: dict[tuple[int, int], tuple[float, ...]] = {
    (4, 3): (749.6, 381.4, 197.2, 197.3, 197.4), (4, 1): (1848.7, 928.0, 467.7, 237.6, 191.6),
    (8, 3): (749.6, 381.4, 197.2, 105.2, 105.2), (8, 1): (1848.7, 928.0, 467.7, 237.5, 122.5),
    (16, 3): (749.6, 381.4, 197.2, 105.2, 59.1), (16, 1): (1848.7, 928.0, 467.7, 237.5, 122.4),
}  # fmt: skip
CONNECTED_US: dict[tuple[int, int], tuple[float, ...]] = {
    (4, 3): (8861.4, 8860.0, 8859.2, 8858.9, 8858.7), (4, 1): (5902.9, 5901.6, 5900.8, 5900.4, 5900.2),
    (8, 3): (4435.9, 4433.9, 4433.2, 4432.9, 4432.7), (8, 1): (2954.5, 2952.2, 2951.5, 2951.1, 2950.9),
    (16, 3): (2226.2, 2224.4, 2223.4, 2223.1, 2222.9), (16, 1): (1480.0, 1478.0, 1476.8, 1476.5, 1476.3),
}  # fmt: skip
# Elements a word: microseconds of pooling 28 x 28 x 512 and 32 x 32 x 64 by 2 x 2.
POOL_512_US = {4: 1953.6, 8: 1534.0, 16: 1315.9}
POOL_64_US = {4: 316.2, 8: 240.6, 16: 200.3}
# Data bits, DMA bits, packets: the authors' estimate of 18-Kbit block RAMs for 4 to 64 processing elements.
ESTIMATED_BRAM18S: dict[tuple[int, int, int], tuple[int, ...]] = {
    (32, 128, 3): (717, 723, 735, 756, 802), (32, 128, 1): (713, 714, 718, 725, 741),
    (32, 64, 3): (715, 717, 723, 735, 756), (32, 64, 1): (712, 713, 714, 718, 725),
    (16, 128, 3): (364, 370, 381, 403, 449), (16, 128, 1): (358, 360, 364, 371, 387),
    (16, 64, 3): (361, 364, 370, 381, 403), (16, 64, 1): (358, 358, 360, 364, 371),
    (8, 128, 3): (187, 192, 204, 226, 272), (8, 128, 1): (181, 183, 187, 194, 210),
    (8, 64, 3): (184, 187, 192, 204, 226), (8, 64, 1): (180, 181, 183, 187, 194),
}  # fmt: skip
BOARD_BRAM18S, BOARD_DSPS = 432, 360
BENCHES = {
    "64 filters on 16 x 16 x 64": (CONV_US, "conv", (64, 64, 16)),
    "64 filters on 32 x 32 x 3": (IMAGE_US, "conv", (3, 64, 32)),
    "128 neurons on 16384": (CONNECTED_US, "connected", (16384, 128, 1)),
}
# Cycles of a channel and of an input word for each pooled value, by the ends of POOL_512_US (eq. 1).
POOLED_512, CHANNELS_512 = 14 * 14, 512


def points() -> Iterator[DesignPoint]:
    """The fifty points that the authors' simulation finished: all but 32-bit data on 64-bit streams."""
    return (p for p in design_space() if (p.data_bits, p.dma_bits) != (32, 64))


@cache
def _layer(kind: str, channels: int, filters: int, size: int) -> LayerBatch:
    if kind == "connected":
        return LayerBatch.from_layers([mac_layer("test", "linear", C=channels, K=filters)])
    return LayerBatch.from_layers(
        [mac_layer("test", "conv", C=channels, K=filters, P=size, Q=size, R=3, S=3, padding=PAD)]
    )


def bench_us(bench: str, point: DesignPoint) -> float:
    """Time of a test bench on a point."""
    _, kind, shape = BENCHES[bench]
    return float(simulated_test_cycles(_layer(kind, *shape), point)[0]) * TEST_BENCH_US


def published_us(bench: str, point: DesignPoint) -> float:
    """The authors' simulated time."""
    return BENCHES[bench][0][point.dma_bits // point.data_bits, point.out][ELEMENTS.index(point.pes)]


def bench_sums(bench: str) -> tuple[float, float, float, float]:
    """Published and computed time summed over the fifty points, mean and largest relative error of a point."""
    pairs = [(published_us(bench, p), bench_us(bench, p)) for p in points()]
    errors = [abs(found / published - 1.0) for published, found in pairs]
    published, found = (sum(column) for column in zip(*pairs, strict=True))
    return published, found, sum(errors) / len(errors), max(errors)


def pooling_cycles() -> tuple[float, float]:
    """Cycles of one channel and of one word for every pooled value, from the 4- and 16-element ends (eq. 1).

    us / test bench period / pooled = channel * channels + word * 4 * channels / lanes             (eq. 1)
    """
    ends = {lanes: POOL_512_US[lanes] / TEST_BENCH_US / POOLED_512 for lanes in (4, 16)}
    words = {lanes: 4 * CHANNELS_512 / lanes for lanes in ends}
    word = (ends[4] - ends[16]) / (words[4] - words[16])
    return (ends[4] - word * words[4]) / CHANNELS_512, word


def pool_us(pooled: int, channels: int, lanes: int) -> float:
    """Time of a 2 x 2 pooling by eq. 1."""
    channel, word = pooling_cycles()
    return pooled * channels * (channel + word * 4 / lanes) * TEST_BENCH_US


def bram18s(point: DesignPoint) -> float:
    """Least half block RAMs of a point: the bits of its weight buffers, lines, windows and pooling memory."""
    build, lanes = point.build, point.dma_bits // point.data_bits
    packet_bits = point.dma_bits * point.out
    return bram18_range(
        [
            MemoryArray("weights", int(build.wbuf_words), packet_bits, point.pes),
            MemoryArray("lines", 512 * 64 // lanes, point.dma_bits, 3),
            MemoryArray("windows", -(-512 * 3 // lanes), point.dma_bits, 3),
            MemoryArray("pooling", 1024, point.data_bits),
        ]
    ).low


def estimated_bram18s(point: DesignPoint) -> int:
    """The authors' estimate."""
    return ESTIMATED_BRAM18S[point.data_bits, point.dma_bits, point.out][ELEMENTS.index(point.pes)]


def resource_share(point: DesignPoint, brams: float) -> float:
    """Mean share of the board's block RAMs and multipliers, the ordinate of the authors' plots."""
    products = (
        point.pes * (point.dma_bits // point.data_bits) * point.out * (4 if point.data_bits > 18 else 1)
    )
    return (brams / BOARD_BRAM18S + products / BOARD_DSPS) / 2
