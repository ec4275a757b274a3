"""Accuracy of the trained digits networks with their weights in an erring memory, for published results."""

from __future__ import annotations

from functools import cache


@cache
def accuracy(network: str) -> float:
    """Share of the 450 test digits that a network reads right, without errors.

    Raises ``ModuleNotFoundError`` without scikit-learn, which holds the digits.
    """
    from cosim.noise.networks import digits_network

    return digits_network(network).accuracy()


@cache
def accuracies_with_errors(
    network: str, protections: tuple[str, ...], cell_error_rates: tuple[float, ...], trials: int
) -> dict[tuple[str, float], float]:
    """Mean accuracy over the error-free one for each protection and cell error rate.

    Half-precision weights lie in two-bit cells whose patterns 01 and 10 err at the rate; what a protection stores
    beside them errs too; errors persist from the write to every read. Raises as :func:`accuracy`.
    """
    from cosim.noise.accuracy import Campaign, Runner
    from cosim.noise.networks import digits_network

    runner = Runner(digits_network(network), Campaign(protections, "pattern", cell_error_rates, trials))
    points = runner.points(runner.run({}))
    return {(point.protection, point.rate): point.summary.mean / runner.exact for point in points}


def highest_equal(ratios: dict[tuple[str, float], float], protection: str, images: int = 450) -> float:
    """Highest rate below which the mean never loses half an image or more; 0 where the lowest rate loses it."""
    best = 0.0
    for rate in sorted(rate for name, rate in ratios if name == protection):
        if (1 - ratios[protection, rate]) * images >= 0.5:
            return best
        best = rate
    return best
