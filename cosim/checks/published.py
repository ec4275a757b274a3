"""Every published result beside the simulated one, gathered into one file that reports print.

``python -m cosim.checks.published`` recomputes all rows of :mod:`cosim.papers` (about half a minute) and writes
``reports/published.json``; a test holds the file to what the rows say now.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cosim.papers import papers, rows_of, scenario_of
from cosim.papers.row import PaperRow
from cosim.spec.locate import ROOT

LOG = logging.getLogger(__name__)
REGISTRY = ROOT / "reports" / "published.json"
DIGITS = 10


def to_document(found: Mapping[str, Sequence[PaperRow]]) -> dict[str, Any]:
    """Scenarios and rows of results by name; numbers with ten significant digits."""
    results = [{"result": name, **scenario_of(name).to_json()} for name in found]
    rows = [
        {"result": name, **{key: _rounded(value) for key, value in asdict(row).items()}, "kind": row.kind}
        for name, own in found.items()
        for row in own
    ]
    return {"schema": 1, "results": results, "rows": rows}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, tuple):
        return [_rounded(part) for part in value]
    return value


def to_text(document: Mapping[str, Any]) -> str:
    """JSON with one result or row a line: small, and readable in a difference."""
    parts = ",\n".join(
        f'"{key}": [\n' + ",\n".join(" " + json.dumps(row, allow_nan=False) for row in document[key]) + "\n]"
        for key in ("results", "rows")
    )
    return f'{{"schema": {document["schema"]},\n{parts}}}\n'


def read_published(path: Path = REGISTRY) -> dict[str, Any]:
    """The registry; without a file it has no results and no rows."""
    if not path.is_file():
        return {"schema": 1, "results": [], "rows": []}
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def write_published(found: Mapping[str, Sequence[PaperRow]], path: Path = REGISTRY) -> None:
    """Write the registry of results that have been computed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_text(to_document(found)), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Recompute every published result and write the registry."""
    parser = argparse.ArgumentParser(prog="python -m cosim.checks.published", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=REGISTRY, help="file to write")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    write_published({name: rows_of(name) for name in papers()}, chosen.out)
    LOG.info("wrote %s", chosen.out)


if __name__ == "__main__":
    main()
