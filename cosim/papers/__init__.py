"""Published results beside simulated ones: one file per result.

A file has ``SCENARIO`` (machine, workload, mapping, assumptions), ``ROWS() -> list[PaperRow]`` and, where the
publication shows a plot that can be recomputed, ``figure(rows) -> Figure``.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cosim.papers.row import PaperRow, Scenario


@cache
def papers() -> tuple[str, ...]:
    """Names of the published results, without importing them."""
    here = Path(__file__).parent
    found = (path.stem for path in here.glob("*.py") if path.stem not in ("__init__", "row", "headlines"))
    return tuple(sorted(name for name in found if not name.startswith("_")))


def _require(paper: str) -> None:
    if paper not in papers():
        raise KeyError(f"no paper {paper!r}; there are {', '.join(papers())}")


def rows_of(paper: str) -> list[PaperRow]:
    """Rows of one result; raises ``KeyError`` for a name that is not in :func:`papers`."""
    _require(paper)
    rows: list[PaperRow] = import_module(f"cosim.papers.{paper}").ROWS()
    return rows


def scenario_of(paper: str) -> Scenario:
    """Scenario of one result; raises ``KeyError`` for a name that is not in :func:`papers`."""
    _require(paper)
    scenario: Scenario = import_module(f"cosim.papers.{paper}").SCENARIO
    return scenario


def figure_of(paper: str, rows: list[PaperRow]) -> Figure:
    """The publication's own plot recomputed, or simulated over published for every row."""
    _require(paper)
    module = import_module(f"cosim.papers.{paper}")
    if hasattr(module, "figure"):
        own: Figure = module.figure(rows)
        return own
    from cosim.papers._figures import ratio_figure

    return ratio_figure(paper, rows)
