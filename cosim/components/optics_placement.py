"""What of a network goes on the light, in which tiling mode and sign scheme, and what cannot."""

from __future__ import annotations

import numpy as np

from cosim.components.optics import forms_any_kernel
from cosim.components.optics_frames import Traffic, choose, plane_of, traffic
from cosim.components.params import Params
from cosim.ir.batch import Array, LayerBatch, Mask
from cosim.ir.ops import OpClass
from cosim.mapping.feasibility import Limit
from cosim.mapping.optical_tiling import (
    MODES,
    SCHEMES,
    Geometry,
    Mode,
    Signs,
    Work,
    geometry,
    shares_kernel,
    work,
)
from cosim.mapping.plan import Plan

_CONVOLVES = (
    OpClass.CONV,
    OpClass.DEPTHWISE_CONV,
    OpClass.LINEAR,
    OpClass.MATMUL,
    OpClass.TRANSPOSED_CONV,
)


class Placed:
    """One evaluation: what is placed on the light, in which mode, and what that needs.

    Attributes
    ----------
    optical:   layers that the light computes, (L,)
    misplaced: layers pinned to the light that are no convolutions, (L,)
    share, unshared: layers whose groups use one kernel, and those wrongly pinned as such, (L,)
    geo, need: tiles on the plane, and the work asked for
    scheme, channel_scheme: sign schemes, indices into SCHEMES, for electronic and optical channel sums
    code, done: the mode, an index into MODES, and its schedule
    moved:     pixels and bytes
    """

    def __init__(self, layers: LayerBatch, params: Params, plan: Plan) -> None:
        capable = layers.of_class(*_CONVOLVES)
        wanted = plan.is_value("placement", "optical")
        self.optical: Mask = (
            capable & (layers.static_weight | wanted) & ~plan.is_value("placement", "electronic")
        )
        self.misplaced: Mask = wanted & ~capable
        shared = shares_kernel(layers)
        self.share: Mask = shared & (plan.is_value("tiling", "auto") | plan.is_value("tiling", "shared"))
        self.unshared: Mask = self.optical & plan.is_value("tiling", "shared") & ~shared
        self.geo: Geometry = geometry(layers, plane_of(params))
        self.need: Work = work(layers, self.share)
        self.any_kernel = forms_any_kernel(params.option("mask.type"), params.option("mask.encoding"))
        self.scheme = scheme_codes(params, plan, "signs.scheme")
        channel = "signs.channel_scheme" if "signs.channel_scheme" in params.options else "signs.scheme"
        self.channel_scheme = scheme_codes(params, plan, channel)
        code, self.done = choose(
            self.need,
            self.geo,
            params,
            self._signs(),
            self._allowed(layers, plan),
            plan.is_value("stationary", "input"),
        )
        self.code: Array = code
        self.moved: Traffic = traffic(self.done, self.geo, params)

    def _signs(self) -> dict[Mode, Signs]:
        plain, channel = passes(self.scheme), passes(self.channel_scheme)
        return {mode: channel if mode == "channel" else plain for mode in MODES}

    def sums(self) -> dict[Mode, Array]:
        """Partial results of one output that electronics would add up, by mode."""
        separate = self.need.channels * self.geo.pieces
        together = np.ceil(self.need.channels / self.geo.tiles) * self.geo.pieces
        return {mode: together if mode == "channel" else separate for mode in MODES}

    def _allowed(self, layers: LayerBatch, plan: Plan) -> dict[Mode, Mask]:
        """Modes by layer: the pinned one, or with ``auto`` those whose values come out right."""
        auto = plan.is_value("tiling", "auto")
        magnitude = list(SCHEMES).index("abs")
        sums = self.sums()
        free: dict[Mode, Mask] = {}
        for mode in MODES:
            scheme = self.channel_scheme if mode == "channel" else self.scheme
            right = (scheme != magnitude) | (sums[mode] <= 1)
            free[mode] = right if self.any_kernel or mode in ("none", "batch") else np.zeros_like(right)
        anything = free["none"] | free["batch"] | free["kernel"] | free["channel"]
        free["batch"] = free["batch"] | ~anything
        pinned = {mode: plan.is_value("tiling", mode) for mode in MODES}
        pinned["batch"] = pinned["batch"] | plan.is_value("tiling", "shared")
        return {mode: (auto & free[mode]) | pinned[mode] for mode in MODES}


def scheme_codes(params: Params, plan: Plan, path: str) -> Array:
    """Index into :data:`SCHEMES` per layer: the mapping's choice, or the machine's."""
    own = list(SCHEMES).index(params.option(path))
    pinned = plan["signs"] - 1
    return np.where(pinned < 0, own, pinned)


def passes(codes: Array) -> Signs:
    table = np.array([scheme[:3] for scheme in SCHEMES.values()], dtype=np.float64)[codes]
    return Signs(table[:, 0], table[:, 1], table[:, 2])


def limits_of(placed: Placed, layers: LayerBatch, params: Params) -> tuple[Limit, ...]:
    on, geo, plane = placed.optical, placed.geo, plane_of(params)
    code = placed.code
    needs_any = on & (code >= MODES.index("kernel")) & (not placed.any_kernel)
    channel = code == MODES.index("channel")
    scheme = np.where(channel, placed.channel_scheme, placed.scheme)
    sums = np.where(channel, placed.sums()["channel"], placed.sums()["none"])
    magnitude = on & (scheme == list(SCHEMES).index("abs"))
    electronic = ~on & ("companion" not in params.parts)
    side = np.minimum(plane.rows, plane.columns)
    limits = [
        Limit(
            "the Fourier mask",
            np.where(needs_any, 1.0, 0.0),
            0.0,
            "arbitrary kernels",
            f"a {params.option('mask.type')} mask is trained directly and holds none: kernel and channel tiling "
            "need mask.type complex or a complex encoding; tilings none, batch and shared fit",
        ),
        Limit(
            "readout of magnitudes",
            np.where(magnitude, sums, 0.0),
            1.0,
            "partial sums per output",
            "magnitudes do not add up to the magnitude of a sum: channel tiling with all channels in one frame "
            "fits, or sign scheme reference, two_step, pn2 or pn4",
        ),
        Limit(
            "shared-kernel tiling",
            np.where(placed.unshared, layers.G, 0.0),
            1.0,
            "kernels",
            "the groups of this layer have kernels of their own; tiling batch, kernel or channel fits",
        ),
        Limit(
            "the light",
            np.where(placed.misplaced, 1.0, 0.0),
            0.0,
            "operators that are not convolutions",
            "placement electronic fits",
        ),
        Limit(
            "electronic work",
            np.where(electronic, 1.0, 0.0),
            0.0,
            "layers on a companion",
            "name a machine file under `companion`",
        ),
        Limit(
            "guard between tiles",
            np.where(on, plane.extra, 0.0),
            side - 1.0,
            "values",
            "plane.guard_values below {bound} leaves room for a tile",
        ),
    ]
    if params.option("plane.split") == "false":
        for name, pitch, room in (("rows", geo.pitch_h, plane.rows), ("columns", geo.pitch_w, plane.columns)):
            limits.append(
                Limit(
                    f"plane {name}",
                    np.where(on, pitch, 0.0),
                    room,
                    "values",
                    "a map with its guard of at most {bound} fits, or plane.split true",
                )
            )
    return tuple(limits)
