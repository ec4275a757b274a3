"""The one place where cycles become time."""

from __future__ import annotations

from cosim.components.params import Value


def cycles_to_s(cycles: Value, clock_hz: Value) -> Value:
    """Duration in seconds of ``cycles`` at ``clock_hz``."""
    return cycles / clock_hz


def s_to_cycles(time_s: Value, clock_hz: Value) -> Value:
    """Cycles of ``clock_hz`` that ``time_s`` lasts (not rounded)."""
    return time_s * clock_hz
