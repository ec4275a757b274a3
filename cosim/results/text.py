"""Numbers and bars for people: the same in a terminal, a notebook and a report."""

from __future__ import annotations

_PREFIXES: tuple[tuple[float, str], ...] = (
    (1e18, "E"),
    (1e15, "P"),
    (1e12, "T"),
    (1e9, "G"),
    (1e6, "M"),
    (1e3, "k"),
    (1.0, ""),
    (1e-3, "m"),
)
_PREFIXES += ((1e-6, "u"), (1e-9, "n"), (1e-12, "p"), (1e-15, "f"), (1e-18, "a"))


def si(value: float, unit: str) -> str:
    """Three significant digits with an SI prefix: ``1.23 ms``."""
    if value == 0:
        return f"0 {unit}"
    magnitude = abs(value)
    for scale, prefix in _PREFIXES:
        if magnitude >= scale * 0.9995:
            return f"{value / scale:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"


def times(value: float | None) -> str:
    """A ratio with three digits, ``1.69x``; ``-`` without one."""
    return "-" if value is None else f"{value:.3g}x"


def times_between(value: float | None, low: float | None, high: float | None) -> str:
    """A ratio with its interval, ``1.69x (0.683-2.88)``; without an interval the ratio alone."""
    if value is None or low is None or high is None:
        return times(value)
    return f"{times(value)} ({low:.3g}-{high:.3g})"


def better_or_worse(value: float, better: str, worse: str) -> str:
    """A ratio in words: ``2x faster`` or ``3x slower``."""
    return f"{value:.3g}x {better}" if value >= 1 else f"{1 / value:.3g}x {worse}"


def heading(name: str, unit: str) -> str:
    """A column's name with its unit in brackets, where it has one."""
    return f"{name} [{unit}]" if unit and unit != "1" else name
