"""What a front end raises when a model cannot become a workload."""

from __future__ import annotations


class ExtractError(ValueError):
    """A model reference, an input shape or a model that cannot be used; the message says found, allowed, nearest."""


def missing_extra(package: str, extra: str, purpose: str) -> ExtractError:
    """The error for an optional package that is not installed."""
    return ExtractError(
        f"{purpose} needs the package {package}: install it with pip install 'cosim[{extra}]'"
    )
