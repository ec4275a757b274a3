"""DeepliteRT: bit-serial two-bit convolutions on ARM cores, operators and whole networks.

Boundary: the abstract names neither boards, layers nor baselines' kernels, and no table was found (searched: paper
pages, the authors' repositories and manuals, reviews of it). Bracketed over Cortex-A53 and A72, one and two weight
bits, operands in the caches or in memory, FP32 by im2col or indirection, for the convolutions of ResNet-18, ResNet-50
and VGG16.
Source: Ashfaq et al., BMVC 2023, arXiv 2309.10878 (abstract); kernels: Cowan et al., arXiv 1810.11066.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from cosim.papers._machines import BARE, convolutions, latency_s, machine
from cosim.papers.row import PaperRow, Scenario, bracketed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Ashfaq et al., DeepliteRT, BMVC 2023",
    machine="cpu_cortex_a53, cpu_cortex_a72, one core",
    workload="convolutions of resnet18, resnet50 and vgg16 without the first, which stays at 8 bits",
    mapping="bit-serial kernels of two activation bits and one or two weight bits",
    assumptions=("board", "layers", "weight bits", "kernel of each baseline", "operands warm or cold"),
)
CORES = ("cpu_cortex_a53", "cpu_cortex_a72")
NETWORKS = ("resnet18", "resnet50", "vgg16")
SERIAL = ("bitserial_a2w2_unipolar", "bitserial_a2w1_unipolar")
COLD = ("runtime.name=bare", "runtime.operands=cold", "runtime.graph=standalone")
FP32, INT8, TWO_BIT = ("fp32_gemm", "fp32_indirect"), ("int8_smlal",), SERIAL[:1]


@cache
def ratios(
    baselines: tuple[str, ...], one_layer_at_a_time: bool = False
) -> dict[tuple[str, str], tuple[float, ...]]:
    """Baseline time over bit-serial time by core and network, over weight bits, baselines, operands and layers."""
    found: dict[tuple[str, str], tuple[float, ...]] = {}
    for core in CORES:
        for network in NETWORKS:
            layers = convolutions(network)[1:]
            groups = [[layer] for layer in layers] if one_layer_at_a_time else [layers]
            values: list[float] = []
            for settings in (BARE, COLD):
                board = machine(core, *settings)
                for group in groups:
                    serial = [latency_s(board, group, {"kernel": kernel}) for kernel in SERIAL]
                    values += [latency_s(board, group, {"kernel": b}) / s for b in baselines for s in serial]
            found[core, network] = tuple(values)
    return found


def _row(what: str, published: float, baselines: tuple[str, ...], single: bool, more: str = "") -> PaperRow:
    values = [value for group in ratios(baselines, single).values() for value in group]
    low, high = min(values), max(values)
    beyond = f"; the published value is {published / high - 1:.0%} above its end" if published > high else ""
    note = "missing: board, layers, weight bits, baseline kernels; two cores, three networks, one and two weight bits"
    return bracketed("deeplitert-2023", what, "abstract", published, low, high, "1", f"{note}{more}{beyond}")


def ROWS() -> list[PaperRow]:
    """Operators and networks."""
    return [
        _row("convolution over others, up to", 4.34, FP32[:1] + INT8, True),
        _row("network over FP32, up to", 2.20, FP32, False),
        _row("network over INT8, up to", 2.33, INT8, False),
        _row("network over a two-bit baseline, up to", 2.17, TWO_BIT, False,
             "; baseline taken as two bits by two on the same kernel"),
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """Speed-ups as intervals by core and network, with the published largest values."""
    from cosim.papers._figures_sw import ranges
    from cosim.report.style import new_figure

    result = new_figure(9.6, 3.6)
    panels = result.subplots(1, 3, sharex=True)
    cases = (("over FP32", FP32, 2.20), ("over INT8", INT8, 2.33), ("over two bits", TWO_BIT, 2.17))
    for axes, (title, baselines, published) in zip(panels, cases, strict=True):
        found = ratios(baselines)
        names = [f"{core.removeprefix('cpu_cortex_').upper()}, {network}" for core, network in found]
        spans = [(min(values), max(values)) for values in found.values()]
        middles = [(low * high) ** 0.5 for low, high in spans]
        ranges(axes, ["published, up to", *names], [published, *[None] * len(names)],
               [None, *spans], [None, *middles])  # fmt: skip
        axes.axvline(published, color="black", linewidth=0.8, linestyle="--")
        axes.set_title(f"whole network {title}", loc="left", fontsize=9)
        axes.set_xlabel("speed-up of two-bit convolutions")
        axes.get_legend().remove()
    for axes in panels[1:]:
        axes.set_yticklabels([])
    return result
