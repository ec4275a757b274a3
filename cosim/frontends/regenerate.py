"""Write the shipped workload files again: ``python -m cosim.frontends.regenerate [name ...]``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from cosim.frontends.catalogue import CATALOGUE
from cosim.frontends.errors import ExtractError, spelled
from cosim.frontends.extract import extract
from cosim.ir.workload_file import save_workload
from cosim.spec.locate import ROOT

_LOG = logging.getLogger(__name__)


def regenerate(names: Sequence[str] = (), folder: Path | None = None) -> list[Path]:
    """Extract the named networks (all by default) and write ``folder/<name>.yaml``; returns the files written.

    Raises ``ExtractError`` for a name that is not in the catalogue.
    """
    target = folder or ROOT / "workloads"
    for name in names:
        if name not in CATALOGUE:
            hint = spelled(name, CATALOGUE)
            raise ExtractError(f"{name}: no such shipped network, allowed {', '.join(CATALOGUE)}{hint}")
    written: list[Path] = []
    for name in names or CATALOGUE:
        entry = CATALOGUE[name]
        workload = extract(entry.model, entry.input_shape, name=name)
        written.append(target / f"{name}.yaml")
        save_workload(workload, written[-1])
        _LOG.info(
            "%s: %d layers, %.4g MAC, %d parameters", name, len(workload), workload.macs, workload.params
        )
    return written


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    regenerate(sys.argv[1:])
