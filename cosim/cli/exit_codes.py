"""Exit codes, and which exception means which of them.

The exceptions are looked up among the modules already imported: one that was raised has been imported, and
asking costs nothing.
"""

from __future__ import annotations

import sys

OK = 0
USAGE = 2
INVALID = 3
INFEASIBLE = 4
FAILED_POINTS = 5
INTERRUPTED = 130

_CODES = {
    ("cosim.spec.problems", "SpecError"): INVALID,
    ("cosim.mapping.plan", "MappingError"): INVALID,
    ("cosim.mapping.feasibility", "InfeasibleError"): INFEASIBLE,
    ("cosim.mapping.mapspace", "MapSpaceError"): INVALID,
    ("cosim.engine", "CoverageError"): INFEASIBLE,
    ("cosim.sim.together", "TogetherError"): INVALID,
    ("cosim.results.files", "OutputError"): INVALID,
    ("cosim.frontends.extract", "ExtractError"): INVALID,
    ("cosim.ir.transforms", "TransformError"): INVALID,
    ("cosim.checks.metrics", "CheckInputError"): INVALID,
    ("cosim.components.technology", "TechnologyError"): INVALID,
    ("cosim.components.dram_timing", "DramError"): INVALID,
    ("cosim.noise.networks", "NetworkError"): INVALID,
    ("cosim.noise.placement", "PlacementError"): INVALID,
}


def exit_code_of(error: BaseException) -> int | None:
    """Exit code of a known problem, or None for a defect of the program."""
    for (module, name), code in _CODES.items():
        loaded = sys.modules.get(module)
        if loaded is not None and isinstance(error, getattr(loaded, name)):
            return code
    return None
