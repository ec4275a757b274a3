"""The SIMD processor model against measured layer latencies.

The file is a CSV with one row per layer, runtime, layout, number format and cache state; lines that start with
``#`` are comments. Columns used: ``model, layer, op, runtime, layout, dtype, cache`` name the row; ``N, Ci, Co,
Hi, Wi, K, S, P, G, Ho, Wo`` the convolution, pooling or elementwise layer; ``M, Nout, K, B`` the matrix product,
softmax or normalisation; ``median_ms`` is the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cosim.checks.metrics import CheckInputError, CheckReport, CheckRow, agreement, build_report
from cosim.components.estimate import price
from cosim.engine import load_arch
from cosim.hardware.load import Machine
from cosim.ir.batch import LayerBatch
from cosim.ir.layer import Layer, mac_layer, vector_layer
from cosim.mapping.plan import MappingDoc, make_plan

_NEEDED = ("model", "layer", "op", "runtime", "layout", "dtype", "cache", "median_ms")
_GROUP = ("runtime", "layout", "dtype", "cache")

# Operator of the file -> (operator of the workload format, class of the report).
_OPS: Mapping[str, tuple[str, str]] = {
    "conv": ("conv", "conv"),
    "dwconv": ("depthwise_conv", "depthwise"),
    "linear": ("linear", "gemm"),
    "bmm": ("matmul", "gemm"),
    "maxpool": ("max_pool", "vector"),
    "avgpool": ("global_avg_pool", "vector"),
    "relu": ("relu", "vector"),
    "add": ("add", "vector"),
    "batchnorm": ("batch_norm", "vector"),
    "softmax": ("softmax", "vector"),
    "layernorm": ("layer_norm", "vector"),
    "gelu": ("gelu", "vector"),
    "sdpa": ("attention", "gemm"),
    **{
        op: (op, "vector")
        for op in ("relu6", "hardswish", "silu", "sigmoid", "tanh", "gelu_tanh", "mul", "sub")
    },
}


def _int(row: Mapping[str, Any], column: str, default: int | None = None) -> int:
    value = row.get(column)
    if value is None or pd.isna(value):
        if default is None:
            raise CheckInputError(
                f"row {row['model']}/{row['layer']}: column {column!r} is empty, a number is needed"
            )
        return default
    return int(value)


def _conv(name: str, row: Mapping[str, Any]) -> list[Layer]:
    groups, kernel, stride, pad = (_int(row, c, d) for c, d in (("G", 1), ("K", None), ("S", 1), ("P", 0)))
    op, _ = _OPS[str(row["op"])]
    layer = mac_layer(
        name,
        op,
        N=_int(row, "N", 1),
        G=groups,
        K=_int(row, "Co") // groups,
        C=_int(row, "Ci") // groups,
        P=_int(row, "Ho"),
        Q=_int(row, "Wo"),
        R=kernel,
        S=kernel,
        H=_int(row, "Hi"),
        W=_int(row, "Wi"),
        stride=(stride, stride),
        padding=(pad, pad, pad, pad),
    )
    return [layer]


def _linear(name: str, row: Mapping[str, Any]) -> list[Layer]:
    return [mac_layer(name, "linear", P=_int(row, "M"), C=_int(row, "K"), K=_int(row, "Nout"))]


def _matmul(name: str, row: Mapping[str, Any]) -> list[Layer]:
    heads, rows, cols, depth = (_int(row, c) for c in ("B", "M", "Nout", "K"))
    return [mac_layer(name, "matmul", G=heads, P=rows, C=depth, K=cols, static_weight=False)]


def _attention(name: str, row: Mapping[str, Any]) -> list[Layer]:
    """Fused attention as its two products and the softmax between them."""
    heads, rows, cols, depth = (_int(row, c) for c in ("B", "M", "Nout", "K"))
    scores = heads * rows * cols
    return [
        mac_layer(f"{name}.qk", "matmul", G=heads, P=rows, C=depth, K=cols, static_weight=False),
        vector_layer(f"{name}.softmax", "softmax", x_elems=scores, y_elems=scores),
        mac_layer(f"{name}.av", "matmul", G=heads, P=rows, C=cols, K=depth, static_weight=False),
    ]


def _plane(row: Mapping[str, Any]) -> int:
    return _int(row, "N", 1) * _int(row, "Ci") * _int(row, "Hi") * _int(row, "Wi")


def _pool(name: str, row: Mapping[str, Any]) -> list[Layer]:
    if row["op"] == "avgpool":
        outputs = _int(row, "N", 1) * _int(row, "Ci")
        return [vector_layer(name, "global_avg_pool", x_elems=_plane(row), y_elems=outputs)]
    outputs = _int(row, "N", 1) * _int(row, "Ci") * _int(row, "Ho") * _int(row, "Wo")
    return [vector_layer(name, "max_pool", x_elems=_plane(row), y_elems=outputs, taps=_int(row, "K") ** 2)]


def _elementwise(name: str, row: Mapping[str, Any]) -> list[Layer]:
    op, _ = _OPS[str(row["op"])]
    if row["op"] in ("softmax", "layernorm") or not pd.isna(row.get("M")):
        elems = _int(row, "B", 1) * _int(row, "M") * _int(row, "Nout")
    else:
        elems = _plane(row)
    channels = _int(row, "Ci", 0)
    parameters = {"layernorm": 2 * _int(row, "Nout", 0), "batchnorm": 4 * channels}.get(str(row["op"]), 0)
    inputs = 2 * elems if row["op"] in ("add", "mul", "sub") else elems
    return [vector_layer(name, op, x_elems=inputs, y_elems=elems, w_elems=parameters)]


_BUILD: Mapping[str, Callable[[str, Mapping[str, Any]], list[Layer]]] = {
    "conv": _conv,
    "dwconv": _conv,
    "linear": _linear,
    "bmm": _matmul,
    "sdpa": _attention,
    "maxpool": _pool,
    "avgpool": _pool,
}


def layers_of_row(row: Mapping[str, Any], name: str) -> list[Layer]:
    """The layer of one row (three for fused attention); raises CheckInputError for an operator it does not know."""
    op = str(row["op"])
    if op not in _OPS:
        raise CheckInputError(f"row {row['model']}/{row['layer']}: found op {op!r}, allowed {sorted(_OPS)}")
    return _BUILD.get(op, _elementwise)(name, row)


def read_rows(path: Path) -> pd.DataFrame:
    """The rows of one CSV file, or of every CSV file of a folder; raises CheckInputError."""
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise CheckInputError(f"{path}: found no CSV file of measured layers")
    frames = []
    for file in files:
        frame = pd.read_csv(file, comment="#")
        missing = [name for name in _NEEDED if name not in frame.columns]
        if missing:
            raise CheckInputError(f"{file}: columns {missing} are missing; it has {list(frame.columns)}")
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def predict(rows: pd.DataFrame, machine: str | Path) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Predicted latency in ms of every row, shape (rows,), in the order of ``rows``."""
    out = np.zeros(len(rows))
    for key, group in rows.groupby(list(_GROUP), sort=False, dropna=False):
        runtime, layout, dtype, cache = (str(part) for part in key)
        out[group.index.to_numpy()] = _predict_group(group, _load(machine, runtime, layout, dtype, cache))
    return out


def _load(arch: str | Path, runtime: str, layout: str, dtype: str, cache: str) -> Machine:
    overrides = {
        "runtime.name": runtime,
        "runtime.layout": layout if layout in ("nchw", "nhwc") else "nchw",
        "runtime.operands": cache,
        "runtime.graph": "standalone",
        "datapath.precision": dtype,
    }
    return load_arch(arch, overrides)


def _predict_group(group: pd.DataFrame, machine: Machine) -> np.ndarray[Any, np.dtype[np.float64]]:
    layers: list[Layer] = []
    owner: list[int] = []
    for position, row in enumerate(group.to_dict("records")):
        made = layers_of_row({str(k): v for k, v in row.items()}, f"row{position}")
        layers += made
        owner += [position] * len(made)
    batch = LayerBatch.from_layers(layers)
    plan = make_plan(batch, machine.model.choices, MappingDoc())
    table = price(machine.model.estimate(batch, machine.params, plan), machine.model.energies(machine.params))
    out = np.zeros(len(group))
    np.add.at(out, owner, np.ravel(table.latency_s) * 1e3)
    return out


def _category(row: Mapping[str, Any]) -> str:
    """Class of a row; ``calibrated`` marks those that use a number taken from rows of the shipped file."""
    kind = _OPS[str(row["op"])][1]
    name = f"{row['runtime']} {row['dtype']} {row['cache']} {kind}"
    converts_weights = row["runtime"] == "torch" and kind in ("conv", "depthwise")
    short_segments = row["dtype"] == "int8" and kind == "conv" and _int(row, "Ci") % 4 != 0
    taken = row["cache"] == "cold" or kind == "vector" or converts_weights or short_segments
    return f"{name}, calibrated" if taken else f"{name}, fit-free"


def _notes(rows: Sequence[CheckRow]) -> list[str]:
    """Agreement over groups of classes, a line each."""
    groups: dict[str, Callable[[str], bool]] = {
        "FP32 convolution and matrix product": lambda c: " fp32 " in c and ("conv," in c or "gemm," in c),
        "FP32, all layers": lambda c: " fp32 " in c,
        "INT8, all layers": lambda c: " int8 " in c,
        "fit-free classes": lambda c: c.endswith("fit-free"),
        "calibrated classes": lambda c: c.endswith("calibrated"),
    }
    lines = []
    for name, inside in groups.items():
        part = [row for row in rows if inside(row.category)]
        if not part:
            continue
        measures = agreement(part)
        rank = "undefined" if measures.spearman is None else f"{measures.spearman:.3f}"
        lines.append(
            f"{name}: {len(part)} rows, MAPE {measures.mape_pct:.1f} %, median {measures.median_ape_pct:.1f} %, "
            f"Spearman {rank}, within a factor of two {100 * measures.within_2x:.1f} %"
        )
    lines.append(
        "calibrated with rows of the shipped file, never per layer: vector code counted from one layer of each "
        "operator; a time per library for cold code; torch's conversion of weights and activations and its "
        "depthwise call; the cost of a short im2col segment. Overheads marked assumed in the machine file (tiles, "
        "rows, exposed last-level traffic) were chosen once for all layers"
    )
    return lines


def check_cpu(folder: Path, machine: str | Path = "cpu_zen4") -> CheckReport:
    """Hold the model of ``machine`` against measured layers; nothing is fitted to them.

    Raises CheckInputError for a file that is not in the format of the module.
    """
    rows = read_rows(folder)
    predicted = predict(rows, machine)
    records: Sequence[dict[str, Any]] = [{str(k): v for k, v in r.items()} for r in rows.to_dict("records")]
    out = [
        CheckRow(
            case="/".join(str(record[c]) for c in ("model", "layer", *_GROUP)),
            predicted=float(value),
            reference=float(record["median_ms"]),
            unit="ms",
            category=_category(record),
        )
        for record, value in zip(records, predicted, strict=True)
    ]
    return build_report("cpu", out, _notes(out))
