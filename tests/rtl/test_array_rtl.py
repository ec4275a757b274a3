"""The SystemVerilog arrays in this folder against the cycle-level simulation, cycle by cycle, value by value.

The stimulus is written here from the definition of the skewed feed, not taken from the simulation, so the two
sides share nothing but the operands. Widths: 32-bit operands, 64-bit sums.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from cosim.mapping.cycle_level import simulate_gemm
from cosim.mapping.folds import CyclePolicy, compute_cycles, fold_cycles, fold_gemm

HERE = Path(__file__).parent
SOURCES = [str(HERE / name) for name in ("array_os.sv", "array_ws.sv", "bench.sv")]
WIDTH, SUM_WIDTH = 32, 64
IDLE_CYCLES = 5

# rows, cols, (M, N, K): a full fold, one element, single row and column, primes, folds that do not divide.
SHAPES = [
    (4, 4, (4, 4, 6)),
    (1, 1, (3, 2, 2)),
    (1, 5, (2, 7, 3)),
    (5, 1, (7, 2, 11)),
    (3, 4, (7, 5, 11)),
    (4, 3, (13, 7, 2)),
    (8, 6, (19, 17, 1)),
    (5, 7, (1, 1, 23)),
]
MODES = {
    "os": ("os", CyclePolicy(), 0),
    "os_overlapped": ("os", CyclePolicy(overlap_fill=True), 0),
    "os_drained": ("os", CyclePolicy(os_drain=True), 1),
    "os_drained_overlapped": ("os", CyclePolicy(os_drain=True, overlap_fill=True), 1),
    "ws": ("ws", CyclePolicy(), 2),
    "ws_overlapped": ("ws", CyclePolicy(overlap_fill=True), 2),
}


@pytest.fixture(scope="module")
def simulator() -> str:
    """Name of the Verilog simulator to use; skips the module where there is none."""
    for name in ("iverilog", "verilator"):
        if shutil.which(name):
            return name
    pytest.skip("neither iverilog nor verilator is installed; tests/rtl/install.sh installs one on Debian")


@pytest.fixture(scope="module")
def build(simulator: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int, int], list[str]]:
    """Gives the command that runs an array of some size and kind, compiled on first use."""

    @cache
    def command(rows: int, cols: int, kind: int) -> list[str]:
        return _build(simulator, tmp_path_factory.mktemp("array"), rows, cols, kind)

    return command


@dataclass
class Edge:
    """The values on the left and top edge of the array in every cycle."""

    left_value: np.ndarray
    left_valid: np.ndarray
    left_flag: np.ndarray
    top_value: np.ndarray
    top_valid: np.ndarray
    transfer: np.ndarray

    @classmethod
    def idle(cls, cycles: int, rows: int, cols: int) -> Edge:
        def zeros(lanes: int) -> np.ndarray:
            return np.zeros((cycles, lanes), np.int64)

        return cls(zeros(rows), zeros(rows), zeros(rows), zeros(cols), zeros(cols), zeros(cols))

    def write(self, path: Path) -> None:
        widths = (WIDTH, 1, 1, WIDTH, 1, 1)
        columns = [_pack(field, bits) for field, bits in zip(vars(self).values(), widths, strict=True)]
        path.write_text("".join(f"{' '.join(words)}\n" for words in zip(*columns, strict=True)))


def _pack(lanes: np.ndarray, bits: int) -> list[str]:
    """One hexadecimal word a cycle, lane 0 in the lowest bits, two's complement."""
    return [
        format(sum((int(v) & ((1 << bits) - 1)) << (i * bits) for i, v in enumerate(row)), "x")
        for row in lanes
    ]


def _unpack(word: str, lanes: int, bits: int) -> list[int]:
    packed = int(word, 16)
    values = [(packed >> (i * bits)) & ((1 << bits) - 1) for i in range(lanes)]
    return [v - (1 << bits) if bits > 1 and v >> (bits - 1) else v for v in values]


def _edge_os(a: np.ndarray, b: np.ndarray, rows: int, cols: int, interval: int, cycles: int) -> Edge:
    """Fold f starts at f * interval; lane i gets step k of its row in cycle start + i + k."""
    edge = Edge.idle(cycles, rows, cols)
    (m, steps), n = a.shape, b.shape[1]
    start = 0
    for first_n in range(0, n, cols):
        for first_m in range(0, m, rows):
            for i in range(rows):
                edge.left_flag[start + i + steps - 1, i] = 1
            for i in range(min(rows, m - first_m)):
                edge.left_value[start + i : start + i + steps, i] = a[first_m + i]
                edge.left_valid[start + i : start + i + steps, i] = 1
            for j in range(min(cols, n - first_n)):
                edge.top_value[start + j : start + j + steps, j] = b[:, first_n + j]
                edge.top_valid[start + j : start + j + steps, j] = 1
            start += interval
    return edge


def _edge_ws(a: np.ndarray, b: np.ndarray, rows: int, cols: int, interval: int, cycles: int) -> Edge:
    """Weights enter last row first from f * interval on, the stream follows ``rows`` cycles after them."""
    edge = Edge.idle(cycles, rows, cols)
    (steps, k), n = a.shape, b.shape[1]
    start = 0
    for first_n in range(0, n, cols):
        for first_k in range(0, k, rows):
            for j in range(cols):
                edge.transfer[start + j + rows - 1, j] = 1
                for i in range(min(rows, k - first_k)):
                    if first_n + j < n:
                        edge.top_value[start + j + rows - 1 - i, j] = b[first_k + i, first_n + j]
                        edge.top_valid[start + j + rows - 1 - i, j] = 1
            for i in range(rows):
                edge.left_flag[start + rows + i, i] = 1
            for i in range(min(rows, k - first_k)):
                begin = start + rows + i
                edge.left_value[begin : begin + steps, i] = a[:, first_k + i]
                edge.left_valid[begin : begin + steps, i] = 1
            start += interval
    return edge


def _build(simulator: str, folder: Path, rows: int, cols: int, kind: int) -> list[str]:
    parameters = {"ROWS": rows, "COLS": cols, "KIND": kind}
    if simulator == "iverilog":
        flags = [f"-Pbench.{name}={value}" for name, value in parameters.items()]
        command = ["iverilog", "-g2012", "-Wall", "-s", "bench", "-o", str(folder / "bench.vvp"), *flags]
        run = ["vvp", "-n", str(folder / "bench.vvp")]
    else:
        flags = [f"-G{name}={value}" for name, value in parameters.items()]
        command = ["verilator", "--binary", "--timing", "-Wno-fatal", "--top-module", "bench"]
        command += ["--Mdir", str(folder / "obj"), "-o", "bench", *flags]
        run = [str(folder / "obj" / "bench")]
    built = subprocess.run([*command, *SOURCES], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return run


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("rows", "cols", "shape"), SHAPES)
def test_rtl_matches_the_cycle_level_simulation(
    build: Callable[[int, int, int], list[str]],
    tmp_path: Path,
    rows: int,
    cols: int,
    shape: tuple[int, int, int],
    mode: str,
) -> None:
    dataflow, policy, kind = MODES[mode]
    m, n, k = shape
    rng = np.random.default_rng([rows, cols, *shape])
    limit = 1 << (WIDTH - 1)
    a = rng.integers(-limit, limit, (m, k))
    b = rng.integers(-limit, limit, (k, n))
    stream = int(fold_gemm(m, n, k, rows, cols, dataflow).stream)
    single = int(fold_cycles(stream, rows, cols, dataflow, policy))
    interval = max(stream, rows) if policy.overlap_fill else single
    cycles = int(compute_cycles(m, n, k, rows, cols, dataflow, policy))

    make_edge = _edge_ws if dataflow == "ws" else _edge_os
    make_edge(a, b, rows, cols, interval, cycles + IDLE_CYCLES).write(tmp_path / "stimulus.txt")
    command = [*build(rows, cols, kind), f"+stimulus={tmp_path / 'stimulus.txt'}"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [line.split() for line in output.splitlines() if len(line.split()) == 2]
    valid = np.array([_unpack(words[0], cols, 1) for words in lines], np.bool_)
    value = np.array([_unpack(words[1], cols, SUM_WIDTH) for words in lines], np.int64)

    run = simulate_gemm(a, b, rows, cols, dataflow, policy, trace=True)
    assert run.cycles == cycles
    assert valid.shape == (cycles + IDLE_CYCLES, cols)
    assert not valid[cycles:].any()
    np.testing.assert_array_equal(valid[:cycles], run.valid)
    np.testing.assert_array_equal(value[:cycles][run.valid], run.value[run.valid])
    assert run.valid.sum() == m * n * (-(-k // rows) if dataflow == "ws" else 1)
    np.testing.assert_array_equal(run.product, a @ b)
