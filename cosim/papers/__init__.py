"""Published results beside simulated ones: one file per result, each with ``ROWS() -> list[PaperRow]``."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cosim.papers.row import PaperRow


@cache
def papers() -> tuple[str, ...]:
    """Names of the published results, without importing them."""
    here = Path(__file__).parent
    found = (path.stem for path in here.glob("*.py") if path.stem not in ("__init__", "row"))
    return tuple(sorted(name for name in found if not name.startswith("_")))


def rows_of(paper: str) -> list[PaperRow]:
    """Rows of one result; raises ``KeyError`` for a name that is not in :func:`papers`."""
    if paper not in papers():
        raise KeyError(f"no paper {paper!r}; there are {', '.join(papers())}")
    rows: list[PaperRow] = import_module(f"cosim.papers.{paper}").ROWS()
    return rows
