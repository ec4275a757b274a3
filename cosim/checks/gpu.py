"""`cosim check gpu`: the GPU model against published throughputs of whole networks.

The folder holds CSV files with throughputs (columns ``network, device, batch, samples_per_sec``; lines that start
with ``#`` are comments) and ``.jsonl`` or ``.jsonl.gz`` files with the operators of each network (format:
:mod:`cosim.checks.gpu_records`). A device is ``<board>_<precision>_<layout>``: the board names a machine file
``gpu_<board>``, precision is ``amp`` or ``fp32``, layout ``nchw`` or ``nhwc``.

Nothing is fitted in the rows of the classes ``<device>, fit-free``. The classes ``<device>, calibrated`` are a
variant: one factor per device is the geometric mean of measured over predicted on half of the networks (chosen by
a hash of their names), and only the other half is reported.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cosim.checks.gpu_layers import check_layers
from cosim.checks.gpu_records import RecordedNetwork, read_networks
from cosim.checks.gpu_stream import kernels_of
from cosim.checks.metrics import CheckInputError, CheckReport, CheckRow, agreement, build_report
from cosim.components.estimate import price
from cosim.components.gpu_launch import stream_s
from cosim.engine import load_arch
from cosim.hardware.load import Machine
from cosim.ir.batch import Array, LayerBatch
from cosim.ir.layer import Layer
from cosim.mapping.plan import make_plan
from cosim.spec.locate import ROOT

_NEEDED = ("network", "device", "batch", "samples_per_sec")
_PRECISIONS = {"amp": "fp16", "fp32": "fp32"}
_LAYOUTS = ("nchw", "nhwc")
CHOICES = (
    "fit-free: no number is fitted to rows; the form of three terms was settled while looking at the published "
    "table (only the input of an NCHW convolution is rewritten; 4, 8, 16 slots a multiply-accumulate of depthwise "
    "kernels; one thread a pixel in bilinear interpolation)"
)


@dataclass(frozen=True)
class Device:
    """A device of the table: the machine file that stands for it and how the framework was run."""

    name: str
    board: str
    amp: bool
    layout: str

    def machine(self, layout: str) -> Machine:
        """The machine as kernels with operands in ``layout`` see it; widths are those that each kernel states."""
        overrides = {
            "datapath.precision": "fp16" if self.amp else "fp32",
            "runtime.layout": layout,
            "runtime.widths": "stored",
            "host.mode": "stream",
        }
        return load_arch(f"gpu_{self.board}", overrides)


def device_of(name: str) -> Device | None:
    """The device of a table's name, or None for one without a machine file or in another form."""
    parts = name.split("_")
    if len(parts) != 3 or parts[1] not in _PRECISIONS or parts[2] not in _LAYOUTS:
        return None
    if not (ROOT / "arch" / f"gpu_{parts[0]}.yaml").is_file():
        return None
    return Device(name, parts[0], parts[1] == "amp", parts[2])


def read_throughputs(folder: Path) -> pd.DataFrame:
    """The throughput table of a folder; raises CheckInputError naming what is missing."""
    files = sorted(folder.glob("*.csv")) if folder.is_dir() else []
    if not files:
        raise CheckInputError(f"{folder}: found no CSV file of throughputs with {', '.join(_NEEDED)}")
    frames = []
    for file in files:
        frame = pd.read_csv(file, comment="#")
        missing = [name for name in _NEEDED if name not in frame.columns]
        if missing:
            raise CheckInputError(f"{file}: columns {missing} are missing; it has {list(frame.columns)}")
        if not (frame["samples_per_sec"] > 0).all() or not (frame["batch"] >= 1).all():
            raise CheckInputError(f"{file}: batch and samples_per_sec must be positive numbers")
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _operator_files(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")])


def _networks(folder: Path) -> dict[str, RecordedNetwork]:
    files = _operator_files(folder)
    if not files:
        raise CheckInputError(f"{folder}: found no .jsonl or .jsonl.gz with the operators of the networks")
    return {name: net for file in files for name, net in read_networks(file).items()}


def device_seconds(layers: Sequence[Layer], machine: Machine) -> Array:
    """Seconds of every layer on the device, shape (L,), by the machine's own estimate."""
    if not layers:
        return np.zeros(0)
    batch = LayerBatch.from_layers(layers)
    plan = make_plan(batch, machine.model.choices)
    estimate = machine.model.estimate(batch, machine.params, plan)
    table = price(estimate, machine.model.energies(machine.params))
    return np.broadcast_to(table.latency_s, (batch.size,))


def predict_seconds(
    network: RecordedNetwork, batch: int, device: Device, machines: Mapping[str, Machine]
) -> float:
    """Seconds of one forward pass of ``batch`` images; ``machines`` holds the device's machine by layout."""
    kernels = kernels_of(network, batch, device.layout == "nhwc", device.amp)
    parts = [
        device_seconds([k.layer for k in kernels if k.nchw == (layout == "nchw")], machines[layout])
        for layout in _LAYOUTS
    ]
    return stream_s(np.concatenate(parts), machines[device.layout].params)


def first_half(network: str) -> bool:
    """Whether a network belongs to the half that the calibrated variant is fitted on (hash of its name)."""
    return hashlib.sha256(network.encode()).digest()[0] % 2 == 0


def _calibrated(rows: Sequence[tuple[str, CheckRow]]) -> tuple[float, list[CheckRow]]:
    """One factor from the first half of the networks, and the rows of the other half with it applied."""
    ratios = [row.reference / row.predicted for name, row in rows if first_half(name)]
    if not ratios or len(ratios) == len(rows):
        return 1.0, []
    factor = float(np.exp(np.mean(np.log(ratios))))
    held_out = [
        CheckRow(
            f"{row.case}, calibrated",
            row.predicted * factor,
            row.reference,
            row.unit,
            row.category.replace("fit-free", "calibrated"),
        )
        for name, row in rows
        if not first_half(name)
    ]
    return factor, held_out


def _device_rows(
    device: Device, table: pd.DataFrame, networks: Mapping[str, RecordedNetwork]
) -> list[tuple[str, CheckRow]]:
    machines = {layout: device.machine(layout) for layout in _LAYOUTS}
    rows = []
    records: list[dict[str, Any]] = [{str(k): v for k, v in r.items()} for r in table.to_dict("records")]
    for record in records:
        name, batch = str(record["network"]), int(record["batch"])
        seconds = predict_seconds(networks[name], batch, device, machines)
        row = CheckRow(
            case=f"{name}/{device.name}",
            predicted=batch / seconds,
            reference=float(record["samples_per_sec"]),
            unit="images/s",
            category=f"{device.name}, fit-free",
        )
        rows.append((name, row))
    return rows


def check_gpu(folder: Path, machine: str | Path | None = None) -> CheckReport:
    """Hold the GPU model against published throughputs; see the module for the format.

    A table of layer times (a file, or ``*layers*.csv`` in a folder without operators) is checked layer by layer
    instead, on ``machine`` or on the machine that its ``device`` column names.

    The report is over the fit-free rows; calibrated variants are classes of their own. Devices
    without a machine file and networks without operators are named in the notes.
    Raises CheckInputError where the folder does not have the format.
    """
    layers = list(folder.glob("*layers*.csv")) and not _operator_files(folder)
    if folder.is_file() or machine is not None or layers:
        return check_layers(folder, machine)
    table, networks = read_throughputs(folder), _networks(folder)
    rows: list[CheckRow] = []
    held_out: list[CheckRow] = []
    notes: list[str] = []
    unknown = sorted(set(table["network"]) - set(networks))
    if unknown:
        notes.append(
            f"{len(unknown)} networks without recorded operators, not compared: {', '.join(unknown[:5])}"
        )
    known = table[table["network"].isin(list(networks))]
    for name, part in known.groupby("device", sort=True):
        device = device_of(str(name))
        if device is None:
            notes.append(
                f"{name}: {len(part)} rows not compared, no GPU machine file in the form of this name"
            )
            continue
        found = _device_rows(device, part, networks)
        rows += [row for _, row in found]
        factor, other = _calibrated(found)
        held_out += other
        notes += _device_notes(device.name, [row for _, row in found], factor, other)
    report = build_report("gpu", rows, [*notes, CHOICES])
    if not held_out:
        return report
    classes = build_report("gpu", held_out).by_class
    return CheckReport(
        report.kind,
        report.cases,
        report.exact,
        report.overall,
        report.worst,
        report.by_class | classes,
        report.rows,
        report.notes,
    )


def _device_notes(
    name: str, rows: Sequence[CheckRow], factor: float, held_out: Sequence[CheckRow]
) -> list[str]:
    bias = float(np.exp(np.mean([np.log(row.predicted / row.reference) for row in rows])))
    lines = [f"{name}: geometric mean of predicted over published throughput {bias:.3f}, nothing fitted"]
    if held_out:
        lines.append(
            f"{name}: calibrated by one factor {factor:.3f} from half of the networks; "
            f"MAPE of the other half {agreement(held_out).mape_pct:.1f} %"
        )
    return lines
