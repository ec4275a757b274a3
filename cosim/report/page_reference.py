"""The part of the page on files that describes folders of reference data for ``cosim check``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cosim.checks import scalesim, timeloop, timeloop_cases
from cosim.report.page_text import markdown, module_doc, table

# kind of check -> modules whose docstrings describe it
CHECKS: Mapping[str, tuple[str, ...]] = {
    "cpu": ("cpu",),
    "gpu": ("gpu", "gpu_records", "gpu_layers"),
    "scalesim": ("scalesim",),
    "timeloop": ("timeloop",),
    "zigzag": ("zigzag", "zigzag_tables"),
}
COLUMNS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "scalesim": {"scalesim_layers.csv": scalesim.COLUMNS},
    "timeloop": {
        "cases.csv": timeloop_cases.CASE_COLUMNS,
        "problems.csv": timeloop_cases.PROBLEM_COLUMNS,
        "architectures.csv": timeloop_cases.ARCHITECTURE_COLUMNS,
        "mapping_loops.csv": timeloop_cases.LOOP_COLUMNS,
        "mapping_bypass.csv": timeloop_cases.BYPASS_COLUMNS,
        "accesses.csv": timeloop.ACCESS_COLUMNS,
        "networks.csv": timeloop.NETWORK_COLUMNS,
        "levels.csv": timeloop.LEVEL_COLUMNS,
    },
}


def reference_section() -> str:
    """A subsection for each kind of check."""
    about = (
        "Folders of tables that models are held against; bring your own in the same form. `tests/data` holds samples. "
        "Lines that start with `#` are comments."
    )
    return "\n\n".join([about, *map(_check, CHECKS)])


def _check(name: str) -> str:
    parts = [f"### `{name}`", *(markdown(module_doc(f"cosim.checks.{module}")) for module in CHECKS[name])]
    if name in COLUMNS:
        rows = [
            (f"`{file}`", ", ".join(f"`{c}`" for c in columns)) for file, columns in COLUMNS[name].items()
        ]
        parts.append(table(("file", "columns that must be there"), rows))
    return "\n\n".join(parts)
