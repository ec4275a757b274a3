"""Numbers with units as values of options."""

from __future__ import annotations

import click


def quantity(text: str, suffix: str, option: str) -> float:
    """``text`` in the unit of ``suffix`` (``bytes_per_s``, ``s``); a usage error says what is allowed."""
    from cosim.spec.problems import Refused
    from cosim.spec.units import parse

    try:
        return float(parse(text, suffix))
    except Refused as error:
        raise click.BadParameter(f"{option}: {error}") from None
