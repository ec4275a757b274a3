"""Layer times on a GPU against the GPU model: tables as in :mod:`cosim.checks.cpu`, with a ``device`` column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from cosim.checks.cpu import layers_of_row, read_rows
from cosim.checks.metrics import CheckInputError, CheckReport, CheckRow, build_report
from cosim.components.estimate import price
from cosim.engine import load_arch
from cosim.ir.batch import LayerBatch
from cosim.mapping.plan import make_plan

PRECISIONS = ("fp32", "tf32", "fp16", "int8")


def check_layers(path: Path, machine: str | Path | None = None) -> CheckReport:
    """Hold a GPU machine against layer times; without ``machine`` the ``device`` column names it, row by row.

    Raises CheckInputError for a table without a device where none is given, or a width that GPUs do not have.
    """
    rows = read_rows(path)
    if machine is None and "device" not in rows.columns:
        raise CheckInputError(f"{path}: no column 'device' that names a machine; name one with --arch")
    keys = ["dtype", "layout"] if machine is not None else ["dtype", "layout", "device"]
    out: list[CheckRow] = []
    for key, part in rows.groupby(keys, sort=False):
        dtype, layout = str(key[0]), str(key[1])
        if dtype not in PRECISIONS:
            raise CheckInputError(f"{path}: found dtype {dtype!r}, allowed {list(PRECISIONS)}")
        out += _part(part, machine if machine is not None else str(key[2]), dtype, layout)
    return build_report("gpu", out)


def _part(part: pd.DataFrame, machine: str | Path, dtype: str, layout: str) -> list[CheckRow]:
    target = load_arch(
        machine, {"datapath.precision": dtype, "runtime.layout": layout, "host.mode": "stream"}
    )
    rows = []
    for record in part.to_dict("records"):
        row: dict[str, Any] = {str(k): v for k, v in record.items()}
        layers = LayerBatch.from_layers(layers_of_row(row, "row"))
        plan = make_plan(layers, target.model.choices)
        table = price(
            target.model.estimate(layers, target.params, plan), target.model.energies(target.params)
        )
        rows.append(
            CheckRow(
                case=f"{row['model']}/{row['layer']}/{target.name}/{dtype}/{layout}",
                predicted=float(table.latency_s.sum()) * 1e3,
                reference=float(row["median_ms"]),
                unit="ms",
                category=f"{target.name} {dtype} {layout} {row['op']}, fit-free",
            )
        )
    return rows
