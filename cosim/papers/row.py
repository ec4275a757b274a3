"""One published figure beside what the program computes for it, and the scenario that it is computed in."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import floor, log10, sqrt

STATUS_MEANINGS: dict[str, str] = {
    "exact": "computed without tuning and equal to the printed digits",
    "within": "computed without tuning and within the x % that the status states",
    "fitted": "parameters were adjusted to this figure or to others of its source; the note gives the error on data "
    "left out of the fit",
    "bracketed": "an interval over what is unknown (open upwards for a bound); the note says whether it holds the "
    "published value",
    "not reproduced": "outside its interval or tolerance, or nothing computed; the note says by how much, or which "
    "facts are missing",
}
STEPS_PERCENT = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 25.0)


@dataclass(frozen=True)
class Scenario:
    """What a published result is computed in.

    Attributes
    ----------
    title:       the publication
    machine:     machine file, or the part of the machine models that is used
    workload:    workload file, or the layers that stand for it
    mapping:     how layers are laid out
    assumptions: what the publication does not say and was chosen here
    """

    title: str
    machine: str
    workload: str
    mapping: str = "every layer takes the machine's fastest"
    assumptions: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Plain form; fields of subclasses included."""
        return asdict(self)


@dataclass(frozen=True)
class PaperRow:
    """A published value and the simulated one.

    Attributes
    ----------
    paper:     key of the bibliography (arch/sources.yaml)
    what:      the quantity, in words
    where:     table, figure or file of the source
    published, simulated: values in ``unit``; None where the source shows no number, or nothing can be computed
    ratio:     simulated / published
    status:    ``exact``, ``within x %``, ``fitted``, ``bracketed``, ``not reproduced``; see :data:`STATUS_MEANINGS`
    note:      boundary of the measurement, assumptions, why a difference remains
    interval:  (low, high) of a bracketed value; ``None`` as high: open upwards
    """

    paper: str
    what: str
    where: str
    published: float | None
    simulated: float | None
    unit: str
    ratio: float | None
    status: str
    note: str = ""
    interval: tuple[float, float | None] | None = None

    @property
    def kind(self) -> str:
        """Key of :data:`STATUS_MEANINGS`."""
        return "within" if self.status.startswith("within ") else self.status


def half_last_digit(value: float, digits: int) -> float:
    """Half a unit of the last of ``digits`` significant digits: what a printed figure leaves open."""
    return 0.5 * 10.0 ** (floor(log10(abs(value))) - digits + 1)


def exact(
    paper: str,
    what: str,
    where: str,
    published: float,
    simulated: float,
    unit: str,
    note: str = "",
    digits: int | None = None,
) -> PaperRow:
    """A row that claims equality: to ``digits`` printed significant digits, or to 1e-6 relative without them.

    A figure truncated instead of rounded differs by up to a unit of the last digit; it is not exact here.
    """
    allowed = 1e-6 * abs(published) if digits is None else half_last_digit(published, digits) * (1 + 1e-9)
    same = abs(simulated - published) <= allowed
    status = "exact" if same else "not reproduced"
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
    """An untuned row; its status states the smallest of :data:`STEPS_PERCENT` that holds it, ``tolerance`` at most."""
    ratio = simulated / published
    off_percent = 100 * abs(ratio - 1.0)
    if off_percent <= 100 * tolerance:
        step = min((step for step in STEPS_PERCENT if step >= off_percent), default=100 * tolerance)
        status = f"within {min(step, 100 * tolerance):g} %"
        return PaperRow(paper, what, where, published, simulated, unit, ratio, status, note)
    return not_reproduced(paper, what, where, published, simulated, unit, note)


def bracketed(
    paper: str,
    what: str,
    where: str,
    published: float,
    low: float,
    high: float,
    unit: str,
    note: str,
    simulated: float | None = None,
) -> PaperRow:
    """An interval over unknown assumptions; ``simulated`` is the scenario's own choice, or the geometric mean.

    Raises ``ValueError`` for an interval whose ends are the wrong way round.
    """
    if low > high:
        raise ValueError(f"{what}: the interval {low:g} to {high:g} is the wrong way round")
    middle = sqrt(low * high) if low > 0 else (low + high) / 2
    value = middle if simulated is None else simulated
    holds = "holds" if low <= published <= high else "does not hold"
    text = f"{note}; interval {low:.4g} to {high:.4g} {holds} the published value"
    ratio = value / published
    return PaperRow(paper, what, where, published, value, unit, ratio, "bracketed", text, (low, high))


def below(
    paper: str, what: str, where: str, published: float, simulated: float, unit: str, note: str = ""
) -> PaperRow:
    """An untuned lower bound of a published time: an interval that is open upwards."""
    ratio = simulated / published
    if ratio > 1.0:
        return not_reproduced(paper, what, where, published, simulated, unit, note)
    text = f"{note}; " if note else ""
    text += f"lower bound: interval from {simulated:.4g} upwards holds the published value"
    return PaperRow(
        paper, what, where, published, simulated, unit, ratio, "bracketed", text, (simulated, None)
    )


def fitted(
    paper: str, what: str, where: str, published: float, simulated: float, unit: str, held_out: str
) -> PaperRow:
    """A row of a model with parameters adjusted to the source; ``held_out``: the error on what it left out."""
    return PaperRow(paper, what, where, published, simulated, unit, simulated / published, "fitted", held_out)


def not_reproduced(
    paper: str, what: str, where: str, published: float, simulated: float, unit: str, note: str
) -> PaperRow:
    """A computed value that misses the published one; the note says why."""
    ratio = simulated / published
    return PaperRow(paper, what, where, published, simulated, unit, ratio, "not reproduced", note)


def missing(
    paper: str,
    what: str,
    where: str,
    published: float | None,
    unit: str,
    facts: str,
    simulated: float | None = None,
) -> PaperRow:
    """A row without evidence, because facts are missing: a value that cannot be computed, or none to compare with."""
    return PaperRow(
        paper, what, where, published, simulated, unit, None, "not reproduced", f"missing: {facts}"
    )
