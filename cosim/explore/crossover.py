"""Where a machine overtakes a baseline: the value of one parameter at which times (or energies) are equal.

A parameter of the machine is varied over a range, everything at once in one vectorised evaluation; between the two
neighbouring points where the sign of (machine - baseline) changes, the crossing is found by bisection on the same
model. A layer's own dimension (kernel, channels) is varied through :func:`kernel_crossover`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cosim.components.estimate import CostTable, price
from cosim.components.params import Params
from cosim.hardware.load import Machine
from cosim.ir.batch import Array, LayerBatch, Mask
from cosim.ir.layer import Layer, mac_layer
from cosim.mapping.plan import make_plan

Metric = Literal["latency_s", "energy_j", "edp_js"]
# What decides between light and electronics on a 4f machine: path -> what it is.
OPTICAL_PARAMETERS: dict[str, str] = {
    "input.frame_s": "period of the input modulator",
    "mask.frame_s": "period of the mask modulator",
    "camera.rate_px_per_s": "pixel rate of the camera",
    "plane.rows": "rows of the plane",
    "converters.dac_pj": "energy of a modulator conversion",
    "converters.adc_pj": "energy of a camera conversion",
    "detector.electrons": "photo-electrons a pixel",
    "memory.bandwidth_bytes_per_s": "bandwidth that feeds the modulators",
}


@dataclass(frozen=True)
class Crossover:
    """One varied quantity.

    Attributes
    ----------
    path, metric: what was varied and compared
    values:     varied values
    machine:    metric of the machine at every value
    baseline:   metric of the baseline (an array where the workload itself is varied)
    crossings:  values at which both are equal, in order; empty where one is always ahead
    ahead:      where the machine is ahead, in words
    """

    path: str
    metric: Metric
    values: Array
    machine: Array
    baseline: Array
    crossings: tuple[float, ...]
    ahead: str


def _metric(cost: CostTable, layers: LayerBatch, metric: Metric) -> Array:
    """Metric of the whole batch of layers, one number a design point."""
    shape = (*np.shape(cost.latency_s)[:-1], layers.size)
    seconds = np.sum(np.broadcast_to(cost.latency_s, shape), axis=-1)
    if metric == "latency_s":
        return np.asarray(seconds)
    joules = np.sum(cost.total_energy_pj, axis=-1) * 1e-12
    return np.asarray(joules if metric == "energy_j" else joules * seconds)


def measure(machine: Machine, layers: LayerBatch, params: Params, metric: Metric) -> Array:
    """Metric of ``layers`` on ``machine`` with other numbers; a column of values gives an array."""
    plan = make_plan(layers, machine.model.choices)
    cost = price(machine.model.estimate(layers, params, plan), machine.model.energies(params))
    return _metric(cost, layers, metric)


def _bisect(difference: Callable[[float], float], low: float, high: float) -> float:
    """Root of a continuous or stepped difference between two points of opposite sign, to 1e-6 relative."""
    below = difference(low) < 0
    for _ in range(60):
        middle = float(np.sqrt(low * high)) if low > 0 else (low + high) / 2
        if high - low <= 1e-6 * abs(high):
            break
        low, high = (middle, high) if (difference(middle) < 0) == below else (low, middle)
    return high


def _words(ahead: Mask, values: Array) -> str:
    if ahead.all():
        return f"everywhere from {values[0]:.4g} to {values[-1]:.4g}"
    if not ahead.any():
        return f"nowhere from {values[0]:.4g} to {values[-1]:.4g}"
    edges = np.flatnonzero(np.diff(np.concatenate(([0], ahead.astype(int), [0]))))
    spans = [(values[a], values[b - 1]) for a, b in edges.reshape(-1, 2)]
    return "from " + " and from ".join(f"{a:.4g} to {b:.4g}" for a, b in spans)


def parameter_crossover(
    machine: Machine,
    baseline: Machine,
    layers: LayerBatch,
    path: str,
    values: Iterable[float],
    metric: Metric = "latency_s",
) -> Crossover:
    """The values of the parameter ``path`` of ``machine`` at which it draws level with ``baseline`` on ``layers``.

    Raises
    ------
    ValueError
        Fewer than two values, or values that do not rise.
    KeyError
        The machine has no parameter ``path``.
    """
    grid = np.asarray(list(values), dtype=np.float64)
    if grid.size < 2 or (np.diff(grid) <= 0).any():
        raise ValueError(f"{path}: found {grid.size} values, allowed two or more that rise")
    ours = measure(machine, layers, machine.params.with_values({path: grid[:, None]}), metric)
    ours = np.broadcast_to(ours, grid.shape)
    theirs = float(measure(baseline, layers, baseline.params, metric))

    def difference(value: float) -> float:
        return float(measure(machine, layers, machine.params.with_values({path: value}), metric)) - theirs

    ahead = ours < theirs
    found = [_bisect(difference, grid[i], grid[i + 1]) for i in np.flatnonzero(ahead[1:] != ahead[:-1])]
    return Crossover(path, metric, grid, ours, np.full(grid.shape, theirs), tuple(found), _words(ahead, grid))


def same_convolution(channels: int, filters: int, side: int, kernel: int, images: int = 1) -> Layer:
    """A "same" convolution with an odd ``kernel``; raises ``ValueError`` for an even one."""
    if kernel % 2 == 0:
        raise ValueError(f"kernel: found {kernel}, allowed odd numbers")
    pad = kernel // 2
    return mac_layer(
        f"conv{kernel}x{kernel}", "conv", N=images, C=channels, K=filters, P=side, Q=side, R=kernel, S=kernel,
        H=side, W=side, padding=(pad, pad, pad, pad),
    )  # fmt: skip


def kernel_crossover(
    machine: Machine,
    baseline: Machine,
    layer_of: Callable[[int], Layer],
    kernels: Iterable[int],
    metric: Metric = "latency_s",
) -> Crossover:
    """The kernel sizes from which ``machine`` is ahead of ``baseline``, or behind, on ``layer_of(kernel)``.

    Crossings are the first sizes of ``kernels`` on the other side. Raises ``ValueError`` as
    :func:`parameter_crossover`.
    """
    grid = np.asarray(list(kernels), dtype=np.float64)
    if grid.size < 2 or (np.diff(grid) <= 0).any():
        raise ValueError(f"kernel: found {grid.size} sizes, allowed two or more that rise")
    batches = [LayerBatch.from_layers([layer_of(int(k))]) for k in grid]
    ours = np.array([float(measure(machine, b, machine.params, metric)) for b in batches])
    theirs = np.array([float(measure(baseline, b, baseline.params, metric)) for b in batches])
    ahead = ours < theirs
    turns = tuple(float(grid[i + 1]) for i in np.flatnonzero(ahead[1:] != ahead[:-1]))
    return Crossover("kernel", metric, grid, ours, theirs, turns, _words(ahead, grid))


def optical_crossovers(
    machine: Machine, baseline: Machine, layers: LayerBatch, metric: Metric = "latency_s", reach: float = 1e3
) -> tuple[Crossover, ...]:
    """Every quantity of :data:`OPTICAL_PARAMETERS` over ``reach`` times up and down from the machine's own value."""
    out = []
    for path in OPTICAL_PARAMETERS:
        if not machine.params.has(path):
            continue
        own = float(np.ravel(machine.params[path])[0])
        if own > 0:
            grid = own * np.geomspace(1 / reach, reach, 61)
            if path == "plane.rows":
                grid = np.unique(np.round(own * np.geomspace(1 / 16, 16, 61)))
            out.append(parameter_crossover(machine, baseline, layers, path, grid, metric))
    return tuple(out)


def same_convolution_crossover(
    machine: Machine, baseline: Machine, layer: Layer, images: int, metric: Metric = "latency_s"
) -> Crossover:
    """Odd kernels from 1 to 31 in a "same" convolution with the channels and output rows of ``layer``."""
    return kernel_crossover(
        machine,
        baseline,
        lambda kernel: same_convolution(layer.C * layer.G, layer.K * layer.G, layer.P, kernel, images),
        range(1, 32, 2),
        metric,
    )
