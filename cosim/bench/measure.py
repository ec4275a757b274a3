"""Measure the user's own machine: a machine file with what was measured, and a table of layer times to hold it against.

The machine file starts from a shipped one of the same kind (``like``) and replaces what a micro-benchmark can
tell: clock, memory bandwidth and the cost of a call on a processor; sustained rate, share of the memory bandwidth,
launch gap and host time on a GPU. Everything else stays as in that file, with its source. The table has the
columns of :mod:`cosim.checks.cpu`, so ``cosim check`` gives the error of the new machine file with the same
measures as for the shipped ones.
"""

from __future__ import annotations

import csv
import platform
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cosim.bench import measure_rates as rates
from cosim.bench.measure_layers import COLUMNS, callable_of, rows
from cosim.engine import load_arch
from cosim.spec.locate import ROOT, find_document
from cosim.spec.strict_yaml import load

SOURCE = "measured-here"
Report = Callable[[str], None]


@dataclass(frozen=True)
class Measured:
    """One measured parameter: its path in the machine file, its value in the canonical unit, how it was measured."""

    path: str
    value: float
    note: str


def cpu_flags() -> frozenset[str]:
    """Instruction-set flags that Linux reports; empty elsewhere."""
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return frozenset()
    lines = info.read_text(encoding="utf-8").splitlines()
    found = [line for line in lines if line.startswith(("flags", "Features"))]
    return frozenset(found[0].partition(":")[2].split()) if found else frozenset()


def processor_name() -> str:
    """Name of the processor as the system gives it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def nearest_preset(device: str) -> str:
    """The shipped machine that a measured one starts from, by instruction set or by the GPU's name."""
    if device == "cuda":
        import torch

        name = "".join(torch.cuda.get_device_name(0).lower().split()).replace("-", "")
        boards = sorted((p.stem for p in (ROOT / "arch").glob("gpu_*.yaml")), key=len, reverse=True)
        fits = [board for board in boards if board.removeprefix("gpu_") in name]
        if not fits:
            raise ValueError(f"no machine file for {name!r}; name one of {boards} with --like")
        return fits[0]
    if platform.machine() in ("aarch64", "arm64"):
        return "cpu_cortex_a72"
    return "cpu_zen4" if "avx512f" in cpu_flags() else "cpu_i7_9700k"


def _pipes(clock_hz: float, lanes: float, budget_s: float, say: Report) -> list[Measured]:
    """Multiply-accumulate instructions a cycle: the fewest that explain the best rate reached, 1 or 2.

    A core loads as many full registers a cycle as it multiplies, so both follow.
    """
    found = {
        "matrix product of 1024": rates.matmul_flops_per_s("cpu", "fp32", 1024, budget_s / 2),
        "3x3 convolution of 256 channels": rates.conv_flops_per_s(budget_s / 2),
    }
    say(", ".join(f"{name} {rate / 1e9:.4g} GFLOP/s" for name, rate in found.items()))
    # One part in ten for the error of the clock.
    pipes = 2.0 if max(found.values()) > 1.1 * 2 * lanes * clock_hz else 1.0
    note = "best rate reached over clock and width: " + ", ".join(
        f"{rate:.4g} FLOP/s" for rate in found.values()
    )
    return [Measured(f"core.{name}", pipes, note) for name in ("multiply_per_cycle", "vector_load_per_cycle")]


def measure_cpu(like: str, budget_s: float, say: Report) -> list[Measured]:
    """Clock, multiply rate, memory bandwidth and calls of PyTorch on one core."""
    import torch
    from torch.nn import functional as F

    torch.set_num_threads(1)
    share = budget_s / 6
    found = []
    with torch.inference_mode():
        if platform.machine() in ("x86_64", "AMD64"):
            clock = rates.clock_hz(share)
            found.append(Measured("core.clock_hz", clock, "chain of dependent integer operations"))
            lanes = float(np.max(load_arch(like).params["core.vector_bits"])) / 32
            if lanes == 16:
                found += _pipes(clock, lanes, share, say)
    memory = rates.read_bytes_per_s(256 << 20, share)
    found.append(Measured("memory.core_bytes_per_s", memory, "sum of 256 MiB by one core"))
    x, w, d = torch.randn(1, 8, 4, 4), torch.randn(8, 8, 1, 1), torch.randn(8, 1, 3, 3)
    calls = {
        "mac_call_s": lambda: F.conv2d(x, w),
        "depthwise_call_s": lambda: F.conv2d(x, d, None, 1, 1, 1, 8),
        "vector_call_s": lambda: F.relu(x),
    }
    with torch.inference_mode():
        for name, call in calls.items():
            seconds = rates.call_s(call, share)
            found.append(Measured(f"runtime.libraries.torch.{name}", seconds, "smallest layer of its sort"))
    return found


def measure_gpu(like: str, budget_s: float, say: Report) -> list[Measured]:
    """Sustained rate, memory, launches of the first GPU that PyTorch sees."""
    machine = load_arch(like, {"datapath.precision": "fp16"})
    share = budget_s / 4
    rate = rates.matmul_flops_per_s("cuda", "fp16", 8192, share)
    peak = 2.0 * float(machine.model.peak_macs_per_s(machine.params))
    bandwidth = rates.copy_bytes_per_s(1 << 30, share)
    roof = float(machine.params["memory.dram_bytes_per_s"])
    say(f"matrix product {rate / 1e12:.4g} TFLOP/s, copy {bandwidth / 1e9:.4g} GB/s")
    return [
        Measured(
            "clock.sustained", min(1.0, rate / peak), f"FP16 product of 8192: {rate:.4g} of {peak:.4g} FLOP/s"
        ),
        Measured(
            "memory.dram_efficiency",
            min(1.0, bandwidth / roof),
            f"copy of 1 GiB: {bandwidth:.4g} of {roof:.4g} bytes/s",
        ),
        Measured("host.launch_gap_s", rates.launch_gap_s(share), "500 tiny kernels in a replayed graph"),
        Measured("host.eager_s", rates.eager_s(share), "500 tiny operators in an eager loop"),
    ]


def machine_document(like: str, name: str, description: str, measured: list[Measured]) -> dict[str, Any]:
    """The shipped machine file ``like`` with the measured values in place; raises ``KeyError`` for an unknown path."""
    data = load(find_document(like, "arch")).data
    assert isinstance(data, dict)
    data |= {"name": name, "description": description}
    for item in measured:
        *blocks, leaf = item.path.split(".")
        block: Any = data
        for part in blocks:
            block = block[part]
        if leaf not in block:
            raise KeyError(f"{like} has no parameter {item.path!r}")
        block[leaf] = {"value": item.value, "source": SOURCE, "kind": "measured", "note": item.note}
    return data


def time_layers(device: str, budget_s: float, say: Report) -> list[dict[str, Any]]:
    """Rows of the layer table: every shape in the layouts and widths that the device is used with."""
    import torch

    cases = [("fp32", "nchw"), ("fp32", "nhwc")]
    if device == "cuda":
        cases = [("fp16", "nchw"), ("fp16", "nhwc"), ("fp32", "nhwc")]
    shapes = list(rows(1 if device == "cpu" else 64))
    share = budget_s / (len(shapes) * len(cases))
    out = []
    with torch.inference_mode():
        for dtype, layout in cases:
            for shape in shapes:
                call = callable_of(shape, device, dtype, layout)
                found = sorted(rates.samples_s(call, share, rates.finish_of(device)))
                out.append({**shape, "dtype": dtype, "layout": layout, **_statistics(found)})
            say(f"{device} {dtype} {layout}: {len(shapes)} layers")
    return out


def _statistics(seconds: list[float]) -> dict[str, Any]:
    last = len(seconds) - 1
    return {
        "median_ms": 1e3 * statistics.median(seconds),
        "p10_ms": 1e3 * seconds[round(0.1 * last)],
        "p90_ms": 1e3 * seconds[round(0.9 * last)],
        "n": len(seconds),
    }


def write_table(path: Path, table: list[dict[str, Any]], machine: str, device: str, header: str) -> None:
    """Write the layer table as CSV with a comment line above it."""
    common: Mapping[str, Any] = {"runtime": "torch", "threads": 1, "cache": "warm", "device": machine}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write(f"# {header}\n")
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({**common, **row} for row in table)


def measure(
    name: str,
    device: str,
    budget_s: float,
    arch_folder: Path,
    table_folder: Path,
    like: str | None,
    say: Report,
) -> tuple[Path, Path]:
    """Measure ``device`` ("cpu" or "cuda") within about ``budget_s`` seconds; returns (machine file, table).

    Raises ``ValueError`` when there is no such device, or no shipped machine to start from.
    """
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: found 'cuda', but PyTorch sees no GPU here; allowed: cpu")
    base = like or nearest_preset(device)
    title = torch.cuda.get_device_name(0) if device == "cuda" else processor_name()
    say(f"measuring {title}, starting from {base}")
    third = budget_s / 3
    measured = measure_cpu(base, third, say) if device == "cpu" else measure_gpu(base, third, say)
    document = machine_document(
        base, name, f"{title}, measured on this machine; the rest as in {base}", measured
    )
    if device == "cpu":
        document["runtime"]["name"] = "torch"
    table = time_layers(device, 2 * third, say)
    machine_file = arch_folder / f"{name}.yaml"
    machine_file.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(document, sort_keys=False, width=110, allow_unicode=True)
    machine_file.write_text(f"# written by cosim measure from {base}\n{text}", encoding="utf-8")
    table_file = table_folder / f"{name}_layers.csv"
    write_table(
        table_file, table, name, device, f"{title}; PyTorch {torch.__version__}, one thread, warm operands"
    )
    return machine_file, table_file
