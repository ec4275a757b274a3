"""NVMExplorer's 2 MB arrays at 22 nm: order and ratios of technologies by this project's technology records.

Boundary: words of 64 bits. The published arrays have low-operating-power periphery and the best and worst cells of a
survey, and are given for six optimisation targets; the records are runs of the same family of tools on the sample
cells of those tools with low-standby-power periphery, best read energy-delay product. So cells are exchanged where
the published ones state energy and time of a write, and technologies are compared by ratio elsewhere; each note says
whether the record lies in the published spread over targets and cells.
Sources: Pentecost et al., HPCA 2022, arXiv 2109.01188; github.com/lpentecost/NVMExplorer (MIT), AE_dnn_output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cosim.components.technology import load_technology
from cosim.papers._evidence import ARTEFACT, at
from cosim.papers._figures_hw import spread_figure
from cosim.papers.row import PaperRow, Scenario, bracketed, not_reproduced, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER = "nvmexplorer"
SCENARIO = Scenario(
    title="Pentecost et al., NVMExplorer, HPCA 2022",
    machine="technology records sram_22_lstp (CACTI 7), sram_22_lstp_nvsim, stt_ram_22, reram_22",
    workload="accesses of 64 bits to 2 MB, and to 512 KiB with ReRAM, the one size of its record; ResNet-50's traffic",
    assumptions=(
        "low-standby-power periphery; published: low operating power",
        "cells of the tools; published: best and worst of a survey",
        "a write costs the array's periphery and one write energy of the cell for each bit",
    ),
)
WHERE = at("AE_dnn_output, 2 MB, 22 nm, ReadEDP", ARTEFACT)
MIB_2, KIB_512, WORD_BITS = 2.0 * 2**20, 512.0 * 1024, 64


class Array(NamedTuple):
    """Read and write time in ns, read and write energy of a word in pJ, area in mm2."""

    read_ns: float
    write_ns: float
    read_pj: float
    write_pj: float
    area_mm2: float


TARGETS = ("ReadEDP", "WriteEDP", "ReadLatency", "WriteLatency", "ReadDynamicEnergy", "WriteDynamicEnergy")
"""Optimisation targets, in the order of :data:`PUBLISHED`; the first is the one that rows compare."""
PUBLISHED: dict[str, tuple[Array, ...]] = {
    "SRAM": (
        Array(4.684, 4.679, 1.128, 17.016, 1.309), Array(3.676, 3.67, 4.606, 2.565, 1.387),
        Array(2.614, 2.608, 36.826, 6.625, 1.291), Array(2.614, 2.608, 36.826, 6.625, 1.291),
        Array(4.684, 4.679, 1.128, 17.016, 1.309), Array(3.676, 3.67, 4.606, 2.565, 1.387),
    ),
    "STT best": (
        Array(0.591, 2.449, 4.371, 43.509, 0.22), Array(0.573, 2.396, 4.992, 43.476, 0.287),
        Array(0.563, 2.385, 7.19, 45.638, 0.289), Array(0.589, 2.385, 9.459, 47.415, 0.276),
        Array(9.778, 11.249, 2.346, 45.086, 0.128), Array(20.685, 22.533, 2.817, 40.843, 0.185),
    ),
    "STT worst": (
        Array(0.893, 200.6, 7.454, 295.0, 0.72), Array(0.893, 200.6, 7.454, 295.0, 0.72),
        Array(0.885, 200.6, 7.91, 295.3, 0.789), Array(0.924, 200.6, 13.895, 300.3, 0.882),
        Array(31.284, 231.1, 4.241, 290.8, 0.767), Array(31.336, 231.1, 8.476, 290.5, 0.652),
    ),
    "ReRAM best": (
        Array(0.793, 5.53, 6.178, 49.72, 0.526), Array(1.704, 6.413, 7.283, 45.734, 0.708),
        Array(0.781, 5.53, 7.253, 47.951, 0.576), Array(0.849, 5.51, 11.149, 49.729, 0.639),
        Array(13.737, 16.659, 1.118, 83.81, 0.443), Array(28.155, 32.944, 3.225, 41.183, 0.647),
    ),
}  # fmt: skip
# Write energy in pJ and pulse in ns of the survey's cells; of NVSim's sample cell of stt_ram_22.
STT_CELLS = {"STT best": (0.6, 2.0), "STT worst": (4.5, 200.0)}
SAMPLE_PULSE_NS = 10.0
SRAM = ("sram_22_lstp_nvsim", "sram_22_lstp")
STT, RERAM = "stt_ram_22", "reram_22"


def record(name: str, capacity_bytes: float) -> Array:
    """The array of a technology record; raises ``ValueError`` where it leaves a figure out."""
    found = load_technology(name).array(capacity_bytes)
    figures = (found.read_ns, found.write_ns, found.read_pj, found.write_pj, found.area_mm2)
    known = [float(value) for value in figures if value is not None]
    if len(known) < len(figures):
        raise ValueError(
            f"technology {name!r}: found {len(known)} figures, allowed all of {', '.join(Array._fields)}"
        )
    return Array(*known)


def with_cell(write_pj: float, pulse_ns: float) -> Array:
    """The STT-RAM record at 2 MB with another cell's write energy and pulse."""
    spec, array = load_technology(STT), record(STT, MIB_2)
    own_pj = spec.need("cell.write_pj", "exchange of the cell")
    return array._replace(
        write_pj=array.write_pj + WORD_BITS * (write_pj - own_pj),
        write_ns=array.write_ns + pulse_ns - SAMPLE_PULSE_NS,
    )


class Ratio(NamedTuple):
    """Two technologies, and which of their fields is divided by which; the records of both and their capacity."""

    top: str
    bottom: str
    above: str
    below: tuple[str, ...]
    capacity_bytes: float
    numerator: str
    denominator: str

    def of(self, top: Array, bottom: Array) -> float:
        """The ratio of two arrays."""
        return float(getattr(top, self.numerator)) / float(getattr(bottom, self.denominator))


_RERAM = ("ReRAM best", "STT best", RERAM, (STT,), KIB_512)
_STT_SRAM = ("STT best", "SRAM", STT, SRAM, MIB_2)
_STT = ("STT best", "STT best", STT, (STT,), MIB_2)
RATIOS = {
    "write time, ReRAM over STT-RAM": Ratio(*_RERAM, "write_ns", "write_ns"),
    "write energy, ReRAM over STT-RAM": Ratio(*_RERAM, "write_pj", "write_pj"),
    "read energy, ReRAM over STT-RAM": Ratio(*_RERAM, "read_pj", "read_pj"),
    "write energy, STT-RAM over SRAM": Ratio(*_STT_SRAM, "write_pj", "write_pj"),
    "read energy, STT-RAM over SRAM": Ratio(*_STT_SRAM, "read_pj", "read_pj"),
    "area, STT-RAM over SRAM": Ratio(*_STT_SRAM, "area_mm2", "area_mm2"),
    "write over read energy, STT-RAM": Ratio(*_STT, "write_pj", "read_pj"),
    "write over read time, STT-RAM": Ratio(*_STT, "write_ns", "read_ns"),
}


def spread(ratio: Ratio) -> tuple[float, float]:
    """Least and most of a published ratio over the six targets, STT-RAM with both of its cells."""
    cells = {
        name: ("STT best", "STT worst") if name == "STT best" else (name,)
        for name in (ratio.top, ratio.bottom)
    }
    found = [
        ratio.of(PUBLISHED[a][target], PUBLISHED[b][target])
        for a in cells[ratio.top]
        for b in ((a,) if ratio.top == ratio.bottom else cells[ratio.bottom])
        for target in range(len(TARGETS))
    ]
    return min(found), max(found)


def ROWS() -> list[PaperRow]:
    """SRAM's own figures, writes with the cell exchanged, ratios of technologies, power of a network's buffer."""
    return _sram_rows() + _cell_rows() + _ratio_rows() + _power_rows()


def _sram_rows() -> list[PaperRow]:
    """Area and energies of the one cell that is the same in all tools."""
    rows = []
    for what, field, unit in (
        ("area", "area_mm2", "mm2"),
        ("write energy", "write_pj", "pJ"),
        ("read energy", "read_pj", "pJ"),
    ):
        published = [float(getattr(array, field)) for array in PUBLISHED["SRAM"]]
        found = [float(getattr(record(name, MIB_2), field)) for name in SRAM]
        note = (
            "the cell of 146 F2 by NVSim and CACTI 7, low standby power; published over the six targets "
            f"{min(published):.4g} to {max(published):.4g}"
        )
        rows.append(
            bracketed(PAPER, f"SRAM, {what}", WHERE, published[0], min(found), max(found), unit, note)
        )
    return rows


def _cell_rows() -> list[PaperRow]:
    """Writes of the STT-RAM record with the published cells in it."""
    rows = []
    for name, (write_pj, pulse_ns) in STT_CELLS.items():
        found, printed = with_cell(write_pj, pulse_ns), PUBLISHED[name][0]
        note = f"record of NVSim's sample cell with {write_pj:g} pJ and {pulse_ns:g} ns instead of 1 pJ and 10 ns"
        energy = f"{note}; its periphery is another one (low standby power)"
        rows.append(
            within(
                PAPER,
                f"write energy, {name} cell",
                WHERE,
                printed.write_pj,
                found.write_pj,
                "pJ",
                0.25,
                energy,
            )
        )
        rows.append(
            within(
                PAPER, f"write time, {name} cell", WHERE, printed.write_ns, found.write_ns, "ns", 0.25, note
            )
        )
    return rows


def _ratio_rows() -> list[PaperRow]:
    """Ratios of two technologies or of writes to reads."""
    rows = []
    for what, ratio in RATIOS.items():
        published = ratio.of(PUBLISHED[ratio.top][0], PUBLISHED[ratio.bottom][0])
        above = record(ratio.above, ratio.capacity_bytes)
        values = [ratio.of(above, record(name, ratio.capacity_bytes)) for name in ratio.below]
        low, high = spread(ratio)
        inside = low <= min(values) and max(values) <= high
        same = all((value > 1) == (published > 1) for value in values)
        note = (
            f"{'same' if same else 'opposite'} order; published over targets and cells {low:.3g} to {high:.3g}, "
            f"records {'inside' if inside else 'outside'}"
        )
        if len(values) == 1:
            rows.append(within(PAPER, what, WHERE, published, values[0], "1", 0.25, note))
        else:
            rows.append(bracketed(PAPER, what, WHERE, published, min(values), max(values), "1", note))
    return rows


# ResNet-50 with its activations: reads and writes of a word a second; printed power of the buffer ("mW").
READS_HZ, WRITES_HZ = 324e6, 108e6
DYNAMIC = {"SRAM": 365.472 + 1837.728, "STT best": 1416.204 + 4698.972}
TOTAL = {"SRAM": 2259.545, "STT best": 6137.196}
LEAKAGE_MW = {"SRAM": 56.345, "STT best": 22.02}


def dynamic_mw(array: Array) -> float:
    """Power of ResNet-50's accesses: accesses a second times pJ are 1e-9 mW."""
    return 1e-9 * (READS_HZ * array.read_pj + WRITES_HZ * array.write_pj)


def _power_rows() -> list[PaperRow]:
    """Power of the buffer under ResNet-50's traffic, STT-RAM over SRAM."""
    stt = dynamic_mw(record(STT, MIB_2))
    values = [stt / dynamic_mw(record(name, MIB_2)) for name in SRAM]
    where = at("AE_dnn_output, ResNet50, 2 MB, ReadEDP", ARTEFACT)
    traffic = f"{READS_HZ / 1e6:g} M reads and {WRITES_HZ / 1e6:g} M writes a second"
    total = {name: dynamic_mw(PUBLISHED[name][0]) + LEAKAGE_MW[name] for name in TOTAL}
    return [
        bracketed(PAPER, "dynamic power of ResNet-50's buffer, STT-RAM over SRAM", where,
                  DYNAMIC["STT best"] / DYNAMIC["SRAM"], min(values), max(values), "1",
                  f"{traffic}; two SRAM records"),
        not_reproduced(PAPER, "power of ResNet-50's buffer, STT-RAM over SRAM", where,
                       TOTAL["STT best"] / TOTAL["SRAM"], total["STT best"] / total["SRAM"], "1",
                       f"{traffic} with the published arrays; the printed dynamic power is in uW (accesses "
                       "times pJ), added to a leakage in mW; the released code has since divided by a further "
                       "thousand, which turns the order round"),
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """Published ratios with their spread over targets and cells, and the records' ratios."""
    by_name = {row.what: row for row in rows}
    return spread_figure(
        "NVMExplorer, 2 MB at 22 nm", "ratio", list(RATIOS), [spread(ratio) for ratio in RATIOS.values()],
        [by_name[name].published or 0.0 for name in RATIOS],
        [by_name[name].interval or (by_name[name].simulated,) * 2 for name in RATIOS],
        ("published, six targets and both STT-RAM cells", "published, best read energy-delay", "records"),
    )  # fmt: skip
