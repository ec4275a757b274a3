"""cosim: hardware simulation and co-design of neural networks and the machines that run them.

>>> import cosim
>>> result = cosim.evaluate("optical4f", "vit", baseline="gpu_rtx3090")      # doctest: +SKIP

The names below are imported when they are first used, so that ``import cosim`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cosim.engine import compare as compare
    from cosim.engine import evaluate as evaluate
    from cosim.engine import evaluate_points as evaluate_points
    from cosim.engine import load_arch as load_arch
    from cosim.engine import load_workload as load_workload
    from cosim.engine import simulate as simulate
    from cosim.ir.layer import Layer as Layer
    from cosim.ir.workload import Workload as Workload
    from cosim.mapping.mapping_file import load_mapping as load_mapping
    from cosim.results.result import Result as Result

_LAZY = {
    "evaluate": "cosim.engine",
    "evaluate_points": "cosim.engine",
    "load_arch": "cosim.engine",
    "load_workload": "cosim.engine",
    "load_mapping": "cosim.mapping.mapping_file",
    "compare": "cosim.engine",
    "simulate": "cosim.engine",
    "Layer": "cosim.ir.layer",
    "Workload": "cosim.ir.workload",
    "Result": "cosim.results.result",
}

__all__ = sorted(_LAZY)


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'cosim' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return __all__
