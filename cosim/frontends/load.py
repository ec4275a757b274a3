"""From a reference to a torch module on the meta device."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from cosim.frontends.errors import ExtractError, missing_extra, spelled
from cosim.frontends.reference import Reference
from cosim.spec.problems import nearest_hint

_LOG = logging.getLogger(__name__)


def torch_library() -> Any:
    """The torch package; raises ``ExtractError`` if it is not installed."""
    try:
        import torch
    except ImportError:
        raise missing_extra("torch", "all", "extraction from a torch module") from None
    return torch


def load_module(reference: Reference) -> Any:
    """The ``torch.nn.Module`` that a ``file`` or ``module`` reference names, on the meta device.

    The name may be a module class, a function that returns a module, or a module itself. Raises ``ExtractError``.
    """
    torch = torch_library()
    scope = _from_file(reference.place) if reference.kind == "file" else _from_package(reference.place)
    if not hasattr(scope, reference.name):
        names = [n for n, v in vars(scope).items() if callable(v) and not n.startswith("_")]
        hint = nearest_hint(reference.name, names) or f"it has {', '.join(sorted(names)[:12]) or 'none'}"
        raise ExtractError(f"{reference.place}: has no {reference.name!r}, {hint}")
    found = getattr(scope, reference.name)
    if isinstance(found, torch.nn.Module):
        if reference.arguments:
            raise ExtractError(
                f"{reference}: found arguments for a module that is built already, allowed none"
            )
        return found.to("meta")
    if not callable(found):
        raise ExtractError(
            f"{reference}: found a {type(found).__name__}, allowed a torch.nn.Module or its builder"
        )
    _check_arguments(found, reference)
    module = _build(torch, found, reference.arguments, str(reference))
    if not isinstance(module, torch.nn.Module):
        raise ExtractError(f"{reference}: built a {type(module).__name__}, allowed a torch.nn.Module")
    return module.to("meta")


def _check_arguments(builder: Any, reference: Reference) -> None:
    """Refuse an argument that the builder does not take, with the nearest one that it does."""
    try:
        parameters = inspect.signature(builder).parameters
    except (TypeError, ValueError):
        return
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for key in reference.arguments:
        if key not in parameters:
            known = ", ".join(parameters) or "none"
            raise ExtractError(
                f"{reference}: found argument {key!r}, allowed {known}{spelled(key, parameters)}"
            )


def _build(torch: Any, builder: Any, arguments: Mapping[str, Any], where: str) -> Any:
    """Build without allocating weights; code that reads tensor values while building gets real memory instead."""
    try:
        try:
            with torch.device("meta"):
                return builder(**arguments)
        except (RuntimeError, NotImplementedError) as error:
            _LOG.info("%s: building on the meta device failed (%s); building in memory", where, error)
            return builder(**arguments)
    except (TypeError, ValueError, RuntimeError, AttributeError, KeyError, AssertionError) as error:
        raise ExtractError(f"{where}: cannot be built: {type(error).__name__}: {error}") from error


def _from_file(place: str) -> ModuleType:
    path = Path(place)
    if not path.is_file():
        siblings = [p.name for p in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise ExtractError(
            f"{place}: no such file, {nearest_hint(path.name, siblings) or 'allowed a Python file'}"
        )
    name = f"cosim_model_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ExtractError(f"{place}: cannot be imported, allowed a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ExtractError(f"{place}: fails on import: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
    return module


def _from_package(place: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        raise ExtractError(
            f"{place}: no module named {error.name!r}, allowed an importable module"
        ) from error
    except Exception as error:
        raise ExtractError(f"{place}: fails on import: {type(error).__name__}: {error}") from error
