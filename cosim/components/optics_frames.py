"""Frame time of a 4f machine, and the tiling mode that needs least of it.

Frames that show a new mask and frames that keep the last one are two stages:

    t = L * max(t_in, t_mask, t_exp, t_read, t_mem) + (F - L) * max(t_in, t_exp, t_read, t_mem)   (Eq. 1)

F frames, L mask loads; without overlap the maxima become sums. Pixels and bytes are means over the frames of a
layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from cosim.components.estimate import Stage
from cosim.components.memory import memory_busy_s
from cosim.components.optics import bit_planes, light_j_per_electron, modulator_period_s
from cosim.components.params import Params, Value
from cosim.components.tiling import Tiling, Tilings
from cosim.ir.batch import Array, Mask
from cosim.mapping.optical_tiling import (
    MODES,
    Geometry,
    Mode,
    Order,
    Plane,
    Schedule,
    Signs,
    Work,
    schedule,
    usable_side,
)

_COUNTS = tuple(f.name for f in fields(Schedule) if f.name != "factors")


@dataclass(frozen=True)
class Traffic:
    """Pixels and bytes of a schedule, all frames together; arrays of shape (L,) or (points, L)."""

    input_px: Array
    mask_px: Array
    lit_px: Array
    read_px: Array
    memory_read_bytes: Array
    memory_write_bytes: Array


def sides(params: Params) -> tuple[Value, Value]:
    """Rows and columns of the plane in pixels; a square plane uses the short side."""
    rows, columns = params["plane.rows"], params["plane.columns"]
    if params.option("plane.shape") == "square":
        rows = columns = np.minimum(rows, columns)
    return rows, columns


def plane_of(params: Params) -> Plane:
    """The plane in values: superpixels, and mask pixels that share a complex value."""
    rows, columns = sides(params)
    cell = params["plane.superpixel"]
    guard = params.option("plane.guard")
    return Plane(
        rows=usable_side(rows, cell),
        columns=usable_side(columns, cell * params["mask.pixels_per_value"]),
        guard="double" if guard == "double" else "published" if guard == "published" else "exact",
        extra=params["plane.guard_values"],
    )


def traffic(done: Schedule, geo: Geometry, params: Params) -> Traffic:
    """What is driven, lit, read and moved."""
    rows, columns = sides(params)
    plane_px = rows * columns
    cell = params["plane.superpixel"] ** 2
    tile_px = geo.pitch_h * geo.pitch_w * cell
    planes = bit_planes(params)
    everything = params.option("input.drive") == "plane"
    loads = done.frames if params.option("input.redrive") == "every_frame" else done.input_loads
    input_px = loads * (plane_px if everything else done.plane_tiles * tile_px)
    lit_px = done.frames * plane_px if everything else done.lit_tiles * tile_px
    whole_mask = params.option("mask.drive") == "plane"
    mask_px = done.mask_loads * (plane_px if whole_mask else done.lit_tiles / done.frames * tile_px)
    map_px = geo.out_h * geo.out_w * cell / geo.segments
    roi = params.option("camera.roi")
    read_px = done.frames * plane_px
    if roi != "plane":
        read_px = map_px * (done.maps if roi == "outputs" else done.frames * done.window_tiles)
    mask_bytes = mask_px * (params["mask.converters_per_pixel"] * params["mask.bits"] / 8)
    return Traffic(
        input_px=input_px * planes,
        mask_px=mask_px,
        lit_px=lit_px,
        read_px=read_px,
        memory_read_bytes=input_px * (params["datapath.x_bits"] / 8 / cell) + mask_bytes,
        memory_write_bytes=read_px * (params["camera.bits"] / 8),
    )


def _busy(done: Schedule, moved: Traffic, params: Params) -> dict[str, Array]:
    """Seconds that every resource but the mask is busy, all frames of the layer together."""
    planes = 1.0 if params.option("input.bit_planes") == "separate" else bit_planes(params)
    exposure_s = params["detector.electrons"] * (
        light_j_per_electron(params) / params["laser.delivered_j_per_s"]
    )
    busy: dict[str, Array] = {"exposure": moved.lit_px * exposure_s}
    if params.option("camera.ideal_readout") == "false":
        busy["readout"] = np.maximum(
            moved.read_px / params["camera.rate_px_per_s"], done.frames / params["camera.frame_hz"]
        )
    memory = memory_busy_s(params, "memory", moved.memory_read_bytes, moved.memory_write_bytes)
    if memory is not None:
        busy["memory"] = memory
    # Last, because it is what sweeps vary: maxima stay small until they meet it.
    busy["modulator"] = done.frames * (planes * modulator_period_s(params, "input"))
    return busy


def stages(done: Schedule, moved: Traffic, params: Params, used: Array) -> tuple[Stage, ...]:
    """Seconds by resource, frames with a new mask and frames without (Eq. 1); zero where ``used`` is zero."""
    busy = _busy(done, moved, params)
    share = done.mask_loads / done.frames
    changed, kept = share * used, (1.0 - share) * used
    new = {f"new_mask.{name}": seconds * changed for name, seconds in busy.items()}
    new["new_mask.mask"] = (done.mask_loads * used) * modulator_period_s(params, "mask")
    same = {f"same_mask.{name}": seconds * kept for name, seconds in busy.items()}
    if params.option("overlap") == "pipelined":
        return (Stage("new_mask", new), Stage("same_mask", same))
    return tuple(Stage(name, {name: seconds}) for name, seconds in {**new, **same}.items())


def frame_tilings(all_stages: tuple[Stage, ...], frames: Value, loads: Value) -> Tilings:
    """Frames with a new mask and frames that keep it; the units behind both are the same."""
    order = ("memory", "mask", "modulator", "exposure", "readout")
    tiles = {"new_mask": loads, "same_mask": frames - loads}
    found: dict[str, Tiling] = {}
    units: dict[str, str] = {}
    for stage in all_stages:
        prefix = stage.name.partition(".")[0]
        if prefix not in tiles:
            continue
        own = [f"{prefix}.{name}" for name in order]
        flow = tuple(name for name in own if name in stage.resources)
        found[stage.name] = Tiling(np.maximum(tiles[prefix], 1.0), flow)
        units |= {name: name.partition(".")[2] for name in stage.resources}
    return Tilings(found, units=units, memories=("memory",))


def total_s(done: Schedule, moved: Traffic, params: Params) -> Array:
    """Time of the frames: what the stages add up to, in fewer steps."""
    parts = iter(_busy(done, moved, params).values())
    longest = next(parts)
    mask_s = modulator_period_s(params, "mask")
    if params.option("overlap") == "sequential":
        return np.asarray(sum(parts, longest) + done.mask_loads * mask_s)
    for busy in parts:
        longest = np.maximum(longest, busy)
    wait_s = np.maximum(done.frames * mask_s - longest, 0.0)
    return np.asarray(longest + wait_s * (done.mask_loads / done.frames))


def choose(
    need: Work,
    geo: Geometry,
    params: Params,
    signs: Mapping[Mode, Signs],
    allowed: Mapping[Mode, Mask],
    keep_input: Mask,
) -> tuple[Array, Schedule]:
    """The fastest allowed mode of every layer: its index in :data:`MODES`, and its schedule.

    ``allowed`` must hold at least one mode for every layer; ``keep_input`` is the loop order.
    """
    packing = params.option("plane.packing")
    order = Order(
        packing="pairs" if packing == "pairs" else "whole" if packing == "whole" else "blocks",
        keep_input=keep_input,
        repeats=bit_planes(params) if params.option("input.bit_planes") == "separate" else 1.0,
    )
    code: Array = np.zeros(())
    best: Schedule | None = None
    fastest: Array = np.asarray(np.inf)
    single = bool(np.all(need.images * geo.segments <= 1.0))
    for index, mode in enumerate(MODES):
        if mode not in allowed or not np.any(allowed[mode]):
            continue
        if single and mode == "none" and np.all(allowed["batch"] | ~allowed["none"]):
            continue  # one map a channel: batch tiling is the same frame
        done = schedule(mode, need, geo, signs[mode], order)
        seconds = total_s(done, traffic(done, geo, params), params)
        seconds = np.where(allowed[mode], seconds, np.inf)
        if best is None:
            code, best, fastest = np.full(seconds.shape[-1:], float(index)), done, seconds
            continue
        wins = seconds < fastest
        if not wins.any():
            continue
        fastest = np.minimum(fastest, seconds)
        if wins.ndim > 1 and (wins == wins[:1]).all():
            wins = wins[0]  # the same choice at every design point: arrays keep their small shape
        code = np.where(wins, float(index), code)
        best = _merge(best, done, wins)
    if best is None:
        raise ValueError("no tiling mode is allowed for any layer")
    return code, best


def _merge(old: Schedule, new: Schedule, wins: Mask) -> Schedule:
    changed = {}
    for name in _COUNTS:
        before, after = getattr(old, name), getattr(new, name)
        changed[name] = before if before is after else np.where(wins, after, before)
    factors = None
    if wins.ndim == 1 and old.factors is not None and new.factors is not None:
        factors = tuple(np.where(wins, b, a) for a, b in zip(old.factors, new.factors, strict=True))
    return Schedule(factors=factors, **changed)
