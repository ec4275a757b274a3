"""What a front end raises when a model cannot become a workload."""

from __future__ import annotations

from collections.abc import Iterable

from cosim.spec.problems import nearest_hint


class ExtractError(ValueError):
    """A model reference, an input shape or a model that cannot be used; the message says found, allowed, nearest."""


def missing_extra(package: str, extra: str, purpose: str) -> ExtractError:
    """The error for an optional package that is not installed."""
    return ExtractError(
        f"{purpose} needs the package {package}: install it with pip install 'cosim[{extra}]'"
    )


def spelled(word: str, choices: Iterable[str]) -> str:
    """``, nearest spelling 'x'`` to end a message with, or nothing where no choice is close."""
    hint = nearest_hint(word, choices)
    return f", {hint}" if hint else ""
