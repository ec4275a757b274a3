"""Deformable co-design: what bounding and squaring the offsets of a 3 x 3 convolution bring on an FPGA.

Boundary: one operator, 256 channels in and out on 64 x 64, offsets rounded to integers; with and without the 1 MB cache
of the processor in front of the DRAM. The clock is not printed: the least that the rates of the cached full
convolution allow, so that row is not compared. One random read is fitted to the depthwise row of unbounded offsets.
Sources: Huang et al., arXiv 2002.08357 (2020); CoDeNet, arXiv 2006.08357 v1, abstract (1.36 and 9.76 times), table 2.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from cosim.mapping.fpga_deform import VARIANTS, Operator, Variant, operator_s
from cosim.papers._evidence import PRIMARY, at
from cosim.papers._figures_hw import SIMULATED, pair_bars
from cosim.papers.row import PaperRow, Scenario, below, fitted, within
from cosim.report.style import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER = "codenet"
TABLE_2 = at("table 2", PRIMARY)
SCENARIO = Scenario(
    title="Huang et al., Algorithm-hardware co-design for deformable convolution, arXiv 2002.08357 (2020)",
    machine="576 multipliers (full) or 144 (depthwise), line buffer of 15 rows, DRAM by random reads",
    workload="3 x 3 convolution, 256 channels in and out, 64 x 64; offsets drawn evenly, 7 at most where bounded",
    mapping="sixteen channels at a time, nine samples gathered for each",
    assumptions=(
        "the clock of table 2 is not printed: 100.9 MHz, the least that its cached regular rate allows",
        "one random DRAM read is fitted to one row of table 2",
        "numbers of arXiv 2002.08357 itself are not accessible; its operators are those of CoDeNet's table 2",
    ),
)
CLOCK_HZ = 100.9e6
RANDOM_READ_NS = 31.4
NAMES = {False: "full", True: "depthwise"}
# Milliseconds of regular, deformable, bounded, bounded and square offsets: without and with the cache.
DIRECT_MS: dict[bool, tuple[float, ...]] = {False: (43.1, 59.0, 43.4, 43.4), True: (1.9, 20.5, 3.0, 2.1)}
CACHED_MS: dict[bool, tuple[float, ...]] = {False: (41.6, 42.7, 41.8, 41.8), True: (2.0, 17.8, 3.4, 2.3)}
HEADLINES: tuple[tuple[bool, Variant, Variant, float, str], ...] = (
    (False, "deform", "square", 1.36, "abstract"),
    (True, "deform", "square", 9.76, "abstract"),
    (False, "deform", "bound", 59.0 / 43.4, "table 2"),
    (True, "bound", "square", 3.0 / 2.1, "table 2"),
)


@cache
def operator_ms(depthwise: bool, variant: Variant) -> float:
    """Time of an operator without the cache."""
    operator = Operator(64, 64, 256, 256, depthwise)
    multipliers = 144.0 if depthwise else 576.0
    return operator_s(operator, variant, CLOCK_HZ, multipliers, RANDOM_READ_NS) * 1e3


def products_ms(depthwise: bool) -> float:
    """Time of the products alone."""
    operator = Operator(64, 64, 256, 256, depthwise)
    return operator.macs / (144.0 if depthwise else 576.0) / CLOCK_HZ * 1e3


def ROWS() -> list[PaperRow]:
    """The headline ratios, then every operator without and with the cache."""
    return _ratio_rows() + _direct_rows() + _cached_rows()


def _ratio_rows() -> list[PaperRow]:
    rows = []
    for depthwise, slow, fast, published, where in HEADLINES:
        what = f"{NAMES[depthwise]} 3 x 3, {slow} over {fast}"
        found, place = operator_ms(depthwise, slow) / operator_ms(depthwise, fast), at(where, PRIMARY)
        if depthwise and slow == "deform":
            held = (
                "its random read is fitted to this numerator; the full operator's ratio, left out, is 6 % off"
            )
            rows.append(fitted(PAPER, what, place, published, found, "1", held))
        else:
            note = (
                "the random read comes from the depthwise row"
                if slow == "deform"
                else "banks of the line buffer"
            )
            rows.append(within(PAPER, what, place, published, found, "1", 0.20, note))
    return rows


def _direct_rows() -> list[PaperRow]:
    rows = []
    for depthwise, times in DIRECT_MS.items():
        for variant, published in zip(VARIANTS, times, strict=True):
            what, found = f"{NAMES[depthwise]} 3 x 3, {variant}", operator_ms(depthwise, variant)
            if depthwise and variant == "deform":
                held = "one random read fitted to this row; the full operator with the same read is 2 % off"
                rows.append(fitted(PAPER, what, TABLE_2, published, found, "ms", held))
            else:
                note = "clock not published: the least that its rates allow, 100.9 MHz"
                rows.append(within(PAPER, what, TABLE_2, published, found, "ms", 0.20, note))
    return rows


def _cached_rows() -> list[PaperRow]:
    rows = []
    for depthwise, times in CACHED_MS.items():
        for variant, published in zip(VARIANTS, times, strict=True):
            what = f"{NAMES[depthwise]} 3 x 3, {variant}, with the cache"
            if variant == "deform":
                note = "products alone: latency of the cache and reads under way at once are not published"
                rows.append(below(PAPER, what, TABLE_2, published, products_ms(depthwise), "ms", note))
            elif depthwise or variant != "regular":
                note = "bounded reads come from the line buffer, which the cache does not change"
                found = operator_ms(depthwise, variant)
                rows.append(within(PAPER, what, TABLE_2, published, found, "ms", 0.25, note))
    return rows


def figure(rows: list[PaperRow]) -> Figure:
    """Table 2 as bars, full and depthwise."""
    result = new_figure(8.6, 3.6)
    for axes, (depthwise, times) in zip(result.subplots(1, 2), DIRECT_MS.items(), strict=True):
        found = [operator_ms(depthwise, variant) for variant in VARIANTS]
        pair_bars(axes, ["regular", "deformable", "bounded", "square"], times, {SIMULATED: found}, "time, ms")
        axes.set_title(f"{NAMES[depthwise]} 3 x 3, 256 channels, 64 x 64")
    return result
