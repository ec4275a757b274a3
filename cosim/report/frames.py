"""Data frames behind the figures, from results: each figure can be had as the CSV that it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from cosim.results.comparison import Comparison
from cosim.results.outcome import Outcome, Roof

TRAFFIC = {
    "dram_read_bytes": "outer memory, read",
    "dram_write_bytes": "outer memory, written",
    "sram_read_bytes": "on chip, read",
    "sram_write_bytes": "on chip, written",
}
SMALL = 0.02
OTHER = "other"
MEAN = "geometric mean"


def roofs_frame(roofs: Mapping[str, Roof]) -> pd.DataFrame:
    """Peak rate and outer bandwidth of machines; not-a-number for a machine without an outer memory."""
    rows = [{"machine": name, **roof.to_json()} for name, roof in roofs.items()]
    return pd.DataFrame(rows).astype({"bandwidth_bytes_per_s": float})


def roofline_frame(results: Sequence[Outcome]) -> pd.DataFrame:
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
    return pd.DataFrame(rows, columns=["machine", "layer", "intensity_macs_per_byte", "macs_per_s"])


def energy_frame(results: Sequence[Outcome]) -> pd.DataFrame:
    """Energy by component of every result; components below 2 % on every machine are joined."""
    return _shares(
        {result.machine: result.energy_by_component_j for result in results}, "component", "energy_j"
    )


def time_frame(results: Sequence[Outcome]) -> pd.DataFrame:
    """Time by what bounds the layers of every result; bounds below 2 % on every machine are joined."""
    seconds: dict[str, dict[str, float]] = {}
    for result in results:
        own = seconds.setdefault(result.machine, {})
        for row in result.layers:
            own[row["bound"]] = own.get(row["bound"], 0.0) + row["latency_s"]
    seconds = {m: dict(sorted(own.items(), key=lambda item: -item[1])) for m, own in seconds.items()}
    return _shares(seconds, "bound", "latency_s")


def _shares(parts: Mapping[str, Mapping[str, float]], part: str, value: str) -> pd.DataFrame:
    totals = {machine: sum(own.values()) for machine, own in parts.items()}
    share = {
        (machine, name): amount / totals[machine] if totals[machine] else 0.0
        for machine, own in parts.items()
        for name, amount in own.items()
    }
    names = dict.fromkeys(name for _, name in share)
    kept = [n for n in names if max(s for (_, own), s in share.items() if own == n) >= SMALL]
    rows: list[dict[str, Any]] = []
    for machine, own in parts.items():
        rest = sum(amount for name, amount in own.items() if name not in kept)
        shown = [(name, own[name]) for name in kept if own.get(name)] + ([(OTHER, rest)] if rest else [])
        rows += [
            {"machine": machine, part: name, value: amount, "share": amount / totals[machine]}
            for name, amount in shown
        ]
    return pd.DataFrame(rows, columns=["machine", part, value, "share"])


def speedup_frame(comparison: Comparison) -> pd.DataFrame:
    """Speed-ups by machine and workload with their intervals, the geometric mean as a further workload."""
    rows = [
        {
            "machine": row["machine"],
            "workload": row.get("workload", MEAN),
            "speedup": row["speedup"],
            "low": row["speedup_low"],
            "high": row["speedup_high"],
        }
        for row in (*comparison.rows(), *comparison.means())
        if row["speedup"] is not None and row["machine"] != comparison.baseline
    ]
    frame = pd.DataFrame(rows, columns=["machine", "workload", "speedup", "low", "high"])
    return frame.astype({"low": float, "high": float})


def utilization_frame(results: Sequence[Outcome]) -> pd.DataFrame:
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
    return pd.DataFrame(rows, columns=["machine", "layer", "name", "utilization"])


def traffic_frame(results: Sequence[Outcome]) -> pd.DataFrame:
    """Bytes by memory level, for the machines whose models report them."""
    rows = []
    for result in results:
        table = result.to_pandas()
        for column, level in TRAFFIC.items():
            if column in table:
                rows.append({"machine": result.machine, "level": level, "bytes": float(table[column].sum())})
    return pd.DataFrame(rows, columns=["machine", "level", "bytes"])
