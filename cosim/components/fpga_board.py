"""FPGA boards: what a device holds, how fast its memory is, and what was measured of it.

A board file (``arch/boards/<name>.yaml``) holds counts of the device and properties of the board around it.
A clock has three values that are not the same thing (requested of the tool, met after routing, running); a
design states them, a board does not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cosim.spec.base import BytesPerS, Constant, Fraction, Spec, Unit, W, parse
from cosim.spec.locate import ROOT
from cosim.spec.problems import nearest_hint
from cosim.spec.sources import sources_for
from cosim.spec.strict_yaml import load

CountOrNone = Annotated[Constant, Unit("count", at_least=0, whole=True)]


class FpgaDevice(Spec):
    """Resources of the device. A block RAM is 36 Kbit, two halves of 18; an UltraRAM block is 288 Kbit."""

    part: str
    """Part number."""
    luts: CountOrNone
    """Look-up tables."""
    flip_flops: CountOrNone
    """Flip-flops."""
    dsps: CountOrNone
    """DSP slices."""
    bram36s: CountOrNone
    """Block RAMs of 36 Kbit."""
    urams: CountOrNone
    """UltraRAM blocks."""


class BoardMemory(Spec):
    """DRAM of the board: peak rate (absent where no source states it) and the share that long bursts
    reach."""

    description: str
    """What the memory is."""
    peak_bytes_per_s: BytesPerS | None = None
    """Peak rate; left out where no source states it."""
    efficiency: Fraction | None = None
    """Share of the peak that long bursts reach."""


class BoardPower(Spec):
    """Measured power, each with the boundary of the measurement in its note."""

    idle_w: W | None = None
    """Power of the board that does nothing."""
    loaded_w: W | None = None
    """Power of the board under load."""


class UsableShare(Spec):
    """Share of each resource that a design may take before routing fails to close timing."""

    luts: Fraction
    """Share of the look-up tables."""
    flip_flops: Fraction
    """Share of the flip-flops."""
    dsps: Fraction
    """Share of the DSP slices."""
    bram36s: Fraction
    """Share of the block RAMs."""
    urams: Fraction
    """Share of the UltraRAM blocks."""


class BoardSpec(Spec):
    """An FPGA board."""

    kind: Literal["board"]
    """Kind of document."""
    name: str
    """Name of the board."""
    description: str
    """What it is."""
    device: FpgaDevice
    memory: BoardMemory
    power: BoardPower
    usable: UsableShare


def board_names() -> tuple[str, ...]:
    """Boards that are shipped."""
    return tuple(sorted(path.stem for path in (ROOT / "arch" / "boards").glob("*.yaml")))


def load_board(name: str | Path, strict: bool = False) -> BoardSpec:
    """A board by name or path; raises ``SpecError`` for an invalid file and ``KeyError`` for an unknown
    name."""
    path = Path(name)
    if path.suffix != ".yaml":
        if str(name) not in board_names():
            raise KeyError(
                f"found board {str(name)!r}, allowed {list(board_names())}; {nearest_hint(str(name), board_names())}"
            )
        path = ROOT / "arch" / "boards" / f"{name}.yaml"
    if not path.is_file():
        raise KeyError(f"no board file {path}")
    return parse(BoardSpec, load(path), set(sources_for(path)), strict)
