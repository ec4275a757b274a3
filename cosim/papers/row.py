"""One published figure beside what the program computes for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["exact", "reproduced", "bound", "fitted", "not reproduced", "open"]
STATUS_MEANINGS: dict[str, str] = {
    "exact": "computed from documented facts and equal to the printed figure",
    "reproduced": "computed without tuning and within the tolerance that the row states",
    "bound": "an untuned lower or upper bound, on its side of the published figure",
    "fitted": "parameters were adjusted to this figure or to others of the same run: no evidence by itself",
    "not reproduced": "computed without tuning and outside the tolerance; the note says by how much and why",
    "open": "nothing computed: a figure without enough published detail",
}


@dataclass(frozen=True)
class PaperRow:
    """A published value and the simulated one.

    Attributes
    ----------
    paper:     key of the bibliography (arch/sources.yaml)
    what:      the quantity, in words
    where:     table, figure or file of the source
    published, simulated: values in ``unit``
    ratio:     simulated / published
    status:    see :data:`STATUS_MEANINGS`
    note:      boundary of the measurement, assumptions, why a difference remains
    """

    paper: str
    what: str
    where: str
    published: float
    simulated: float | None
    unit: str
    ratio: float | None
    status: Status
    note: str = ""


def exact(
    paper: str, what: str, where: str, published: float, simulated: float, unit: str, note: str = ""
) -> PaperRow:
    """A row that claims equality to the digits printed (relative 1e-6 beyond rounding is the caller's)."""
    same = abs(simulated - published) <= 1e-6 * abs(published)
    status: Status = "exact" if same else "not reproduced"
    return PaperRow(paper, what, where, published, simulated, unit, simulated / published, status, note)


def within(
    paper: str,
    what: str,
    where: str,
    published: float,
    simulated: float,
    unit: str,
    tolerance: float,
    note: str = "",
) -> PaperRow:
    """An untuned row with a relative tolerance, which the note names."""
    ratio = simulated / published
    status: Status = "reproduced" if abs(ratio - 1.0) <= tolerance else "not reproduced"
    text = f"{note}; tolerance {tolerance:.0%}" if note else f"tolerance {tolerance:.0%}"
    return PaperRow(paper, what, where, published, simulated, unit, ratio, status, text)


def below(
    paper: str, what: str, where: str, published: float, simulated: float, unit: str, note: str = ""
) -> PaperRow:
    """An untuned lower bound of a published time (or upper bound of its inverse, stated as a time)."""
    ratio = simulated / published
    return PaperRow(
        paper,
        what,
        where,
        published,
        simulated,
        unit,
        ratio,
        "bound" if ratio <= 1.0 else "not reproduced",
        note,
    )


def fitted(
    paper: str, what: str, where: str, published: float, simulated: float, unit: str, note: str
) -> PaperRow:
    """A row of a model with parameters adjusted to the source; the note gives the held-out error."""
    return PaperRow(paper, what, where, published, simulated, unit, simulated / published, "fitted", note)
