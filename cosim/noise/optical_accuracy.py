"""Accuracy of a trained network on a 4f machine against photons, bits and misalignment.

Every seed trains its own network on its own split of the digits and draws its own noise; intervals are at 95 %,
over the seeds and the images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import inf, sqrt
from typing import TYPE_CHECKING, Any

from cosim.components.params import Params
from cosim.noise.optical_setup import Imperfections

if TYPE_CHECKING:
    from torch import nn

PHOTONS = (10.0, 100.0, 1_000.0, 10_000.0, 20_000.0)
BITS = (2.0, 4.0, 6.0, 8.0)
SHIFTS_PX = (0.0, 0.5, 1.0, 2.0, 5.0)
TEST_IMAGES = 450
NETWORKS = ("cnn", "vit", "convsharevit_valid", "convsharevit_same")


@dataclass(frozen=True)
class AccuracyRow:
    """Accuracy at one point: ``varied`` is electrons, modulator_bits, camera_bits or shift_px, or ``exact``.

    ``low`` and ``high`` bound the mean at 95 %; ``seeds`` networks were trained. ``snr_db`` is the lowest of the
    layers, mean over the seeds.
    """

    varied: str
    at: float
    accuracy: float
    low: float
    high: float
    seeds: int
    snr_db: float


def interval(values: Sequence[float], images: int) -> tuple[float, float, float]:
    """Mean of the seeds and its 95 % interval.

    Student's t over the seeds, widened to Wilson's interval of the pooled images where that is wider: equal scores
    of a few seeds do not make an accuracy exact.
    """
    mean, count = sum(values) / len(values), len(values) * images
    z = 1.959964
    middle = (mean + z * z / (2 * count)) / (1 + z * z / count)
    reach = z / (1 + z * z / count) * sqrt(mean * (1 - mean) / count + z * z / (4 * count * count))
    low, high = min(mean, middle - reach), max(mean, middle + reach)
    if len(values) > 1:
        from scipy.stats import t

        spread = sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values))
        over = float(t.ppf(0.975, len(values) - 1)) * spread
        low, high = min(low, mean - over), max(high, mean + over)
    return mean, max(0.0, low), min(1.0, high)


@cache
def _trained(name: str, seed: int) -> tuple[nn.Module, Any, Any]:
    from cosim.noise.optical_digits import digits, train

    _, _, images, labels = digits(seed)
    return train(name, seed), images, labels


def _score(network: nn.Module, images: Any, labels: Any) -> float:
    import torch

    with torch.no_grad():
        return float((network(images).argmax(1) == labels).float().mean())


def _point(
    params: Params, network: str, change: Imperfections, seeds: int, images: int
) -> tuple[list[float], list[float]]:
    """Accuracy and worst signal-to-noise ratio of every seed."""
    from cosim.noise.optical_network import device, noise_of, on_light

    scores, worst = [], []
    for seed in range(seeds):
        trained, x, y = _trained(network, seed)
        light = on_light(trained, params, change, seed, device())
        scores.append(_score(light, x[:images].to(device()), y[:images].to(device())))
        worst.append(min((layer.snr_db for layer in noise_of(light)), default=inf))
    return scores, worst


def _row(varied: str, at: float, scores: list[float], worst: list[float], images: int) -> AccuracyRow:
    mean, low, high = interval(scores, images)
    return AccuracyRow(varied, at, mean, low, high, len(scores), sum(worst) / len(worst))


def optical_accuracy(
    params: Params,
    network: str = "cnn",
    *,
    photons: Sequence[float] = PHOTONS,
    bits: Sequence[float] = BITS,
    shifts_px: Sequence[float] = SHIFTS_PX,
    seeds: int = 3,
    images: int = TEST_IMAGES,
    progress: Callable[[str], None] | None = None,
) -> tuple[AccuracyRow, ...]:
    """Accuracy of ``network`` on the machine ``params``, one quantity varied at a time from the machine's own values.

    Parameters
    ----------
    photons
        Electrons per pixel at unit amplitude.
    bits
        Widths of both modulators, and of the camera.
    shifts_px
        Mask shift along the rows of the mask, in pixels.
    images
        Test images per seed, at most :data:`TEST_IMAGES`.

    Returns
    -------
    tuple of AccuracyRow
        First the network in exact arithmetic (``exact``), then the machine as it is (``machine``), then the sweeps.

    Raises
    ------
    KeyError
        Unknown network.
    ValueError
        Fewer than one seed or image, or a machine whose mask holds no arbitrary kernel.
    """
    if network not in NETWORKS:
        raise KeyError(f"network: found {network!r}, allowed {', '.join(NETWORKS)}")
    if seeds < 1 or not 1 <= images <= TEST_IMAGES:
        raise ValueError(
            f"seeds and images: found {seeds} and {images}, allowed 1 and above, and 1 to {TEST_IMAGES}"
        )
    own = Imperfections()
    points: list[tuple[str, float, Imperfections]] = [("machine", 0.0, own)]
    points += [("electrons", n, replace(own, electrons=n)) for n in photons]
    points += [("modulator_bits", b, replace(own, modulator_bits=b)) for b in bits]
    points += [("camera_bits", b, replace(own, camera_bits=b)) for b in bits]
    points += [("shift_px", d, replace(own, shift_px=(d, 0.0))) for d in shifts_px]
    exact = []
    for seed in range(seeds):
        trained, x, y = _trained(network, seed)
        exact.append(_score(trained, x[:images], y[:images]))
    rows = [_row("exact", 0.0, exact, [inf] * seeds, images)]
    for varied, at, change in points:
        rows.append(_row(varied, at, *_point(params, network, change, seeds, images), images))
        if progress is not None:
            progress(f"{network} {varied} {at:g}: {rows[-1].accuracy:.4f}")
    return tuple(rows)
