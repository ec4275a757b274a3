"""`cosim check scalesim`: the systolic closed forms and CALC-mode rules against runs of SCALE-Sim, row by row.

The folder holds `scalesim_layers.csv`, one line for each layer and configuration. Compared are the lines whose
`mode` is CALC, in which the tool estimates the bandwidth it needs: a case is exact when `total_cycles` agrees.
Every further figure of a line (utilisations, SRAM and DRAM words, first and last cycles of the transfers) is
compared too where the cell is filled, and a difference is named in the row's note. Lines of mode USER are not a
target: with a fixed bandwidth versions 2 and 3 of the tool disagree with each other, and both move the same
words many times over. Tool: SCALE-Sim, Samajdar et al., ISPASS 2020, doi:10.1109/ISPASS48437.2020.00016.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cosim.checks.metrics import CheckReport, CheckRow, build_report
from cosim.checks.timeloop_tables import TableRow, read_table
from cosim.mapping.folds import (
    GemmCounts,
    dataflow_named,
    evaluate_gemm,
    scalesim_compute_utilization,
    utilization,
)
from cosim.mapping.scalesim_calc import ScaleSimLayer, calc_report

FILE = "scalesim_layers.csv"
COLUMNS = (
    "topology", "layer_name", "gemm_M", "gemm_N", "gemm_K", "array_rows", "array_cols", "dataflow", "mode",
    "total_cycles",
)  # fmt: skip
LAYER_COLUMNS = (
    "ifmap_h", "ifmap_w", "filt_h", "filt_w", "channels", "num_filters", "stride_h", "stride_w",
)  # fmt: skip
BUFFER_COLUMNS = ("ifmap_sram_kB", "filter_sram_kB", "ofmap_sram_kB")
RELATIVE_TOLERANCE = 1e-9
"""For the utilisations, which are printed as rounded floating-point numbers."""


def check_scalesim(folder: Path) -> CheckReport:
    """Compare every CALC line of `folder`; CheckInputError where the file or a value cannot be read."""
    lines = read_table(folder, FILE, COLUMNS)
    rows, skipped, figures, disagreeing = [], 0, 0, 0
    for line in lines:
        mode = line.text("mode")
        if mode == "USER":
            skipped += 1
            continue
        if mode != "CALC":
            raise line.error("mode", f"found {mode!r}; allowed: CALC, USER")
        row, compared, wrong = _compare(line)
        rows.append(row)
        figures += compared
        disagreeing += wrong
    notes = [f"{figures} further figures compared, {disagreeing} of them differ"]
    if skipped:
        notes.append(f"{skipped} lines of mode USER (fixed bandwidth) are not compared")
    return build_report("scalesim", rows, notes)


def _compare(line: TableRow) -> tuple[CheckRow, int, int]:
    """(row of the report, further figures compared, those that differ) of one line."""
    m, n, k, rows, cols = sizes = tuple(_positive(line, column) for column in COLUMNS[2:7])
    try:
        flow = dataflow_named(line.text("dataflow"))
    except ValueError as error:
        raise line.error("dataflow", str(error)) from None
    counts = evaluate_gemm(m, n, k, rows, cols, flow)
    predicted = float(counts.reported_total_cycles)
    reference = line.number("total_cycles")
    name = f"{line.text('topology')}/{line.text('layer_name')} {rows}x{cols} {flow.name.lower()}"
    traffic, problem = _traffic(line, sizes, flow.name)
    ours = {**_closed_forms(counts, rows, cols, flow.name), **traffic}
    filled = {column: value for column, value in ours.items() if line.has(column)}
    wrong = [
        f"{column}: {value:g}, reference {line.text(column)}"
        for column, value in filled.items()
        if abs(value - line.number(column)) > (RELATIVE_TOLERANCE * abs(value) if "_pct" in column else 0)
    ]
    row = CheckRow(
        case=f"{name} (line {line.line})",
        predicted=predicted,
        reference=reference,
        unit="cycles",
        category=flow.name.lower(),
        exact=predicted == reference,
        note="; ".join([*wrong, problem] if problem else wrong),
    )
    return row, len(filled), len(wrong)


def _positive(line: TableRow, column: str) -> int:
    value = line.integer(column)
    if value < 1:
        raise line.error(column, f"found {value}; it must be 1 or more")
    return value


def _closed_forms(counts: GemmCounts, rows: int, cols: int, dataflow: str) -> Mapping[str, float]:
    """Figures that follow from the sizes alone, under the column names of the file."""
    overall = utilization(counts.macs, rows, cols, counts.reported_total_cycles)
    compute = scalesim_compute_utilization(counts.folding, rows, cols, dataflow)
    return {
        "demand_lines": float(counts.total_cycles),
        "stall_cycles": 0.0,
        "overall_util_pct": 100 * float(overall),
        "mapping_eff_pct": 100 * float(counts.mapping_efficiency),
        "compute_util_pct": 100 * float(compute),
        "sram_ifmap_reads": float(counts.sram.ifmap_reads),
        "sram_filter_reads": float(counts.sram.filter_reads),
        "sram_ofmap_writes": float(counts.sram.ofmap_writes),
    }


def _traffic(line: TableRow, sizes: tuple[int, ...], dataflow: str) -> tuple[Mapping[str, float], str]:
    """Figures of the memory system, for lines that state the layer, the buffers and the DRAM words.

    The second result says why a line that states them cannot be compared, empty if it can.
    """
    needed = ("kind", "version", "dram_ifmap_reads", *LAYER_COLUMNS, *BUFFER_COLUMNS)
    if not all(line.has(column) for column in needed):
        return {}, ""
    m, n, k, rows, cols = sizes
    if line.text("kind") == "gemm":
        layer = ScaleSimLayer.from_gemm(m, n, k)
    else:
        height, width, filter_h, filter_w, channels, filters, stride_h, stride_w = (
            _positive(line, column) for column in LAYER_COLUMNS
        )
        layer = ScaleSimLayer(height, width, filter_h, filter_w, channels, filters, (stride_h, stride_w))
    ifmap_kib, filter_kib, ofmap_kib = (_positive(line, column) for column in BUFFER_COLUMNS)
    try:
        described = layer.gemm()
        if described != (m, n, k):
            return {}, f"DRAM not compared: the layer is the product {described}, the line says {(m, n, k)}"
        report = calc_report(layer, rows, cols, dataflow, ifmap_kib, filter_kib, ofmap_kib)
    except ValueError as error:
        return {}, f"DRAM not compared: {error}"
    old = line.text("version").startswith("2")
    return {
        "total_cycles_incl_prefetch": report.prefetch_total_cycles,
        "dram_ifmap_reads": report.dram_ifmap_reads,
        "dram_filter_reads": report.dram_filter_reads,
        "dram_ofmap_writes": report.dram_ofmap_writes,
        "dram_ifmap_start": report.ifmap_start_cycle,
        "dram_filter_start": report.filter_start_cycle,
        "dram_ofmap_start": report.ofmap_start_cycle,
        "dram_ofmap_stop": report.ofmap_stop_v2_cycle if old else report.ofmap_stop_cycle,
    }, ""
