"""Data frames behind the figures, from results: each figure can be had as the CSV that it shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cosim.hardware.load import Machine
from cosim.results.comparison import Comparison
from cosim.results.result import Result

TRAFFIC = {
    "dram_read_bytes": "outer memory, read",
    "dram_write_bytes": "outer memory, written",
    "sram_read_bytes": "on chip, read",
    "sram_write_bytes": "on chip, written",
}


def roof_of(machine: Machine) -> dict[str, Any]:
    """Peak rate and outer bandwidth of a machine."""
    bandwidth = machine.model.bandwidth_bytes_per_s(machine.params)
    return {
        "machine": machine.name,
        "peak_macs_per_s": float(np.max(machine.model.peak_macs_per_s(machine.params))),
        "bandwidth_bytes_per_s": float("nan") if bandwidth is None else float(np.max(bandwidth)),
    }


def roofline_frame(results: list[Result]) -> pd.DataFrame:
    """MAC layers of every result: intensity over compulsory bytes, and the rate the model gives."""
    rows = []
    for result in results:
        for row in result.layers:
            if row["macs"] and row["latency_s"]:
                rows.append(
                    {
                        "machine": result.machine,
                        "layer": row["name"],
                        "intensity_macs_per_byte": row["macs"] / row["bytes"],
                        "macs_per_s": row["macs"] / row["latency_s"],
                    }
                )
    return pd.DataFrame(rows)


def energy_frame(results: list[Result]) -> pd.DataFrame:
    """Energy by component of every result."""
    rows = [
        {"machine": result.machine, "component": name, "energy_j": energy}
        for result in results
        for name, energy in result.energy_by_component_j.items()
    ]
    return pd.DataFrame(rows)


def speedup_frame(comparison: Comparison) -> pd.DataFrame:
    """Speed-ups by machine and workload, with the geometric mean as a further workload."""
    rows = [
        {"machine": row["machine"], "workload": row["workload"], "speedup": row["speedup"]}
        for row in comparison.rows()
        if row["speedup"] is not None and row["machine"] != comparison.baseline
    ]
    rows += [
        {"machine": row["machine"], "workload": "geometric mean", "speedup": row["speedup"]}
        for row in comparison.means()
        if row["speedup"] is not None and row["machine"] != comparison.baseline
    ]
    return pd.DataFrame(rows)


def gap_frame(results: list[Result], machine: Machine) -> pd.DataFrame:
    """Ideal, roofline and modelled time of each result on ``machine``."""
    roof = roof_of(machine)
    peak, bandwidth = roof["peak_macs_per_s"], roof["bandwidth_bytes_per_s"]
    rows = []
    for result in results:
        table = result.to_pandas()
        compute = table["macs"] / peak
        memory = table["bytes"] / bandwidth if np.isfinite(bandwidth) else 0 * compute
        rows.append(
            {
                "network": result.workload.name,
                "ideal_s": float(compute.sum()),
                "roofline_s": float(np.maximum(compute, memory).sum()),
                "actual_s": result.latency_s,
            }
        )
    return pd.DataFrame(rows)


def utilization_frame(results: list[Result]) -> pd.DataFrame:
    """Utilisation of every MAC layer; layers are numbered in execution order."""
    rows = []
    for result in results:
        macs = [row for row in result.layers if row["macs"]]
        rows += [
            {
                "machine": result.machine,
                "layer": number,
                "name": row["name"],
                "utilization": row["utilization"],
            }
            for number, row in enumerate(macs)
        ]
    return pd.DataFrame(rows)


def traffic_frame(results: list[Result]) -> pd.DataFrame:
    """Bytes by memory level, for the machines whose models report them."""
    rows = []
    for result in results:
        table = result.to_pandas()
        for column, level in TRAFFIC.items():
            if column in table:
                rows.append({"machine": result.machine, "level": level, "bytes": float(table[column].sum())})
    return pd.DataFrame(rows, columns=["machine", "level", "bytes"])
