"""The cost of one optical layer written out as equations with their numbers."""

from __future__ import annotations

import numpy as np

from cosim.components.optics_frames import Traffic, stages
from cosim.components.params import Params
from cosim.mapping.optical_tiling import Geometry, Schedule


def _one(value: object) -> float:
    """The first number of an array, or the number itself."""
    return float(np.ravel(np.asarray(value, dtype=np.float64))[0])


def equation_lines(
    word: str, geo: Geometry, done: Schedule, moved: Traffic, params: Params
) -> tuple[str, ...]:
    """Tiles, frames, pixels and the time of one layer."""
    factors = " * ".join(f"{_one(factor):g}" for factor in done.factors or ())
    lines = [
        f"mode = {word}",
        f"pitch = tile + guard = {_one(geo.tile_h):g} + {_one(geo.guard_h):g} rows, "
        f"{_one(geo.tile_w):g} + {_one(geo.guard_w):g} columns",
        f"tiles = {_one(geo.tiles_h):g} * {_one(geo.tiles_w):g} = {_one(geo.tiles):g}",
        f"frames = classes * input planes * masks * repeats = {factors} = {_one(done.frames):g}",
        f"mask loads = {_one(done.mask_loads):g}, input loads = {_one(done.input_loads):g}",
        f"read = {_one(moved.read_px):,.6g} px, driven = {_one(moved.input_px):,.6g} px input "
        f"+ {_one(moved.mask_px):,.6g} px mask",
    ]
    total = 0.0
    for stage in stages(done, moved, params, np.ones(1)):
        parts = {name.split(".")[-1]: _one(busy) for name, busy in stage.resources.items()}
        longest = max(parts.values())
        total += longest
        inside = ", ".join(f"{name} {busy:.4g}" for name, busy in parts.items())
        lines.append(f"t[{stage.name}] = max({inside}) = {longest:.6g} s")
    lines.append(f"t = {total:.6g} s, then the companion's sums")
    return tuple(lines)
