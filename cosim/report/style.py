"""How every figure looks: colour-blind safe, readable in print, the same bytes on every run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# Okabe and Ito, "Color Universal Design" (2008): distinguishable with all common colour vision deficiencies.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000")


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
