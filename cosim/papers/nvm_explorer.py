"""NVMExplorer's 2 MB arrays at 22 nm: relative order and ratios against this project's technology records.

Boundary: arrays of 64-bit words. The published rows optimise read energy-delay; the records here are runs of the
same family of tools on other cells (STT-RAM sample cell of 54 F2, SRAM at low standby power), so ratios between
technologies are compared, and differences are expected where the optimisation target decides: the published SRAM read
energy moves by 33x with it.
Source: Pentecost et al., HPCA 2022, arXiv 2109.01188; data of github.com/lpentecost/NVMExplorer (MIT).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cosim.components.memory_tables import array_cost, array_table
from cosim.papers._figures import bars_figure
from cosim.papers.row import PaperRow, Scenario, bracketed, exact, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Pentecost et al., NVMExplorer, HPCA 2022",
    machine="array tables nvsim-sram-22-lstp, cacti7-22-hp, cacti7-22-lstp, nvsim-stt-22, nvsim-reram-22",
    workload="accesses of 64 bits; published at 2 MB, records at 512 KiB",
    assumptions=("cells and optimisation target differ from the published ones",),
)
# read ns, write ns, read pJ, write pJ, leakage mW.
PUBLISHED: dict[str, tuple[float, ...]] = {
    "SRAM": (4.68, 4.68, 1.13, 17.0, 56.3),
    "STT best": (0.59, 2.45, 4.37, 43.5, 22.0),
    "STT worst": (0.89, 200.6, 7.45, 295.0, 12.1),
    "ReRAM best": (0.79, 5.53, 6.18, 49.7, 12.0),
}
SRAM = ("nvsim-sram-22-lstp", "cacti7-22-hp", "cacti7-22-lstp")
STT, RERAM = ("nvsim-stt-22",), ("nvsim-reram-22",)
KIB_512 = 512 * 1024.0
# Quantity, published numerator over denominator (row, column), records of both.
RATIOS: tuple[tuple[str, tuple[str, int], tuple[str, int], tuple[str, ...], tuple[str, ...]], ...] = (
    ("write time, ReRAM over STT-RAM", ("ReRAM best", 1), ("STT best", 1), RERAM, STT),
    ("write energy, ReRAM over STT-RAM", ("ReRAM best", 3), ("STT best", 3), RERAM, STT),
    ("read energy, ReRAM over STT-RAM", ("ReRAM best", 2), ("STT best", 2), RERAM, STT),
    ("write energy, STT-RAM over SRAM", ("STT best", 3), ("SRAM", 3), STT, SRAM),
    ("read energy, STT-RAM over SRAM", ("STT best", 2), ("SRAM", 2), STT, SRAM),
    ("write over read energy, STT-RAM", ("STT best", 3), ("STT best", 2), STT, STT),
    ("write over read time, STT-RAM", ("STT best", 1), ("STT best", 0), STT, STT),
)


def record(name: str) -> tuple[float, ...]:
    """(read ns, write ns, read pJ, write pJ) of a record at 512 KiB, which all of them cover, 64 bits an access."""
    table, cost = array_table(name), array_cost(name, KIB_512)
    return (
        table.read_ns,
        table.write_ns,
        64 * float(np.ravel(cost.read_pj_per_bit)[0]),
        64 * float(np.ravel(cost.write_pj_per_bit)[0]),
    )


def ROWS() -> list[PaperRow]:
    """Order of the technologies by write energy and time, then ratios."""
    key, where = "nvmexplorer", "2 MB, 22 nm, read energy-delay"
    rows = []
    for what, column in (("write energy", 3), ("write time, STT-RAM and ReRAM", 1)):
        names = ("SRAM", "STT best", "ReRAM best") if column == 3 else ("STT best", "ReRAM best")
        tables = {"SRAM": SRAM[0], "STT best": STT[0], "ReRAM best": RERAM[0]}
        printed = sorted(names, key=lambda name: PUBLISHED[name][column])
        found = sorted(names, key=lambda name: record(tables[name])[column])
        agreeing = float(sum(a == b for a, b in zip(printed, found, strict=True)))
        text = f"published {' < '.join(printed)}, records {' < '.join(found)}"
        row = exact(key, f"order by {what}, places that agree", where, float(len(names)), agreeing, "1", text)
        rows.append(row)
    for what, (row_a, column_a), (row_b, column_b), top, bottom in RATIOS:
        published = PUBLISHED[row_a][column_a] / PUBLISHED[row_b][column_b]
        values = [record(a)[column_a] / record(b)[column_b] for a in top for b in bottom]
        note = (
            "records of the same tools at 512 KiB on other cells; the published SRAM read energy moves 33x with the "
            "optimisation target"
        )
        if len(values) == 1:
            rows.append(within(key, what, where, published, values[0], "1", 0.25, note))
        else:
            rows.append(bracketed(key, what, where, published, min(values), max(values), "1", note))
    return rows


def figure(rows: list[PaperRow]) -> Figure:
    """Ratios as printed and as recorded."""
    shown = rows[2:]
    series = {
        "published": [row.published or 0.0 for row in shown],
        "records": [row.simulated or 0.0 for row in shown],
    }
    result = bars_figure("NVMExplorer, 2 MB at 22 nm", "ratio", [row.what for row in shown], series)
    result.axes[0].set_yscale("log")
    return result
