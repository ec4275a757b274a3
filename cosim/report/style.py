"""How every figure looks: colour-blind safe, readable in print, the same bytes on every run."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito, "Color Universal Design" (2008): distinguishable with all common colour vision deficiencies.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000")
# Beside the colour: bars differ by their hatching (lines only: dots are most of a file), points by their shape.
HATCHES = ("", "///", "\\\\\\", "xxx", "---", "|||")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

FEW_DECADES = 2.5
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each name, in order; more than eight names repeat the palette."""
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(names)}


def new_figure(width_in: float = 9.0, height_in: float = 4.0) -> Figure:
    """An empty figure without any window system."""
    import matplotlib as mpl

    mpl.use("Agg", force=False)
    mpl.rcParams.update(
        {
            "svg.hashsalt": "cosim",
            "svg.fonttype": "none",
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "figure.constrained_layout.use": True,
        }
    )
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in))


def save(figure: Figure, path: Path) -> None:
    """Write a figure as SVG, PNG or PDF without a date in it; raises ``ValueError`` for another ending."""
    kinds = {".svg": {"Date": None}, ".png": {"Software": None}, ".pdf": {"CreationDate": None}}
    if path.suffix not in kinds:
        raise ValueError(f"{path}: found the ending {path.suffix!r}, allowed {', '.join(kinds)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, metadata=kinds[path.suffix])


def save_with_csv(figure: Figure, frame: pd.DataFrame, path: Path) -> tuple[Path, Path]:
    """Write a figure, and the numbers it shows beside it under the same name with the ending ``.csv``."""
    save(figure, path)
    table = path.with_suffix(".csv")
    frame.to_csv(table, index=False, lineterminator="\n")
    return path, table


def log_axis(axes: Axes, which: str, ratio: float) -> None:
    """A logarithmic axis with ticks that can be read: plain numbers where its ends are less than 300 apart (``ratio``).

    Powers are set as plain text: quicker to lay out, and smaller in a file, than formulas.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_minor_formatter(NullFormatter())
    if ratio < 10**FEW_DECADES:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value)))
    else:
        axis.set_major_formatter(FuncFormatter(lambda value, _: power_text(value)))


def number_text(value: float) -> str:
    """A number of few digits; very large and small ones with a power of ten."""
    if not value or 1e-3 <= abs(value) < 1e4:
        return f"{value:g}"
    mantissa, exponent = f"{value:e}".split("e")
    raised = f"10{str(int(exponent)).translate(_RAISED)}"
    return raised if float(mantissa) == 1 else f"{float(mantissa):g}·{raised}"


def power_text(value: float) -> str:
    """A power of ten: as it is written from 0.01 to 1000, as 10 with an exponent beyond."""
    exponent = round(log10(value))
    return f"{value:g}" if -2 <= exponent <= 3 else f"10{str(exponent).translate(_RAISED)}"
